"""Parquet files in batches of columns, through pyarrow: the extra ``parquet``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from blockstack.base.errors import BlockstackError
from blockstack.base.files import written_whole

MAGIC = b"PAR1"


class ParquetError(BlockstackError):
    """A Parquet file that cannot be read or written, or no library for it."""


def _library() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ParquetError(
            "Parquet files need pyarrow",
            path="parquet",
            hint="in the checkout: pip install '.[parquet]'",
        ) from error
    return pyarrow


def save(
    path: str,
    columns: Mapping[str, str],
    batches: Iterable[Mapping[str, Any]],
    about: Mapping[str, str],
) -> None:
    """Write batches of rows, a row group each: memory for one at a time.

    Parameters
    ----------
    path : str
    columns : mapping of name to type
        pyarrow's names of types: ``int64``, ``string``, ``float64`` ...
    batches : iterable of mapping of name to values
    about : mapping of str to str
        Kept in the file's metadata.

    Raises
    ------
    ParquetError
        No pyarrow, or a file that cannot be written.
    """
    pa = _library()
    schema = pa.schema(
        [(name, pa.type_for_alias(kind)) for name, kind in columns.items()], metadata=dict(about)
    )
    try:
        with (
            written_whole(path) as stream,
            pa.parquet.ParquetWriter(stream, schema, compression="zstd") as out,
        ):
            for batch in batches:
                out.write_table(pa.table(dict(batch), schema=schema))
    except OSError as error:
        raise ParquetError(f"cannot be written: {error.strerror or error}", path=path) from error


def batches(stream: BinaryIO, columns: Sequence[str], rows: int) -> Iterator[dict[str, list[Any]]]:
    """The named columns of a file, so many rows at a time.

    Raises
    ------
    ParquetError
        No pyarrow, no Parquet, a pipe, or columns that are not there.
    """
    pa = _library()
    if not stream.seekable():
        raise ParquetError(
            "a pipe cannot be read as Parquet, whose table is at its end",
            path="parquet",
            hint="name the file",
        )
    try:
        file = pa.parquet.ParquetFile(stream)
        lost = [name for name in columns if name not in file.schema_arrow.names]
        if lost:
            raise ParquetError(
                "lacks columns",
                path="parquet",
                value=", ".join(lost),
                hint="it has " + ", ".join(file.schema_arrow.names[:12]),
            )
        for batch in file.iter_batches(rows, columns=list(columns)):
            yield batch.to_pydict()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ParquetError(f"cannot be read: {error}", path="parquet") from error


def table(columns: Mapping[str, str], data: Mapping[str, Any], about: Mapping[str, str]) -> Any:
    """Columns in memory as a pyarrow Table; types as for `save`.

    Raises
    ------
    ParquetError
        No pyarrow.
    """
    pa = _library()
    schema = pa.schema(
        [(name, pa.type_for_alias(kind)) for name, kind in columns.items()], metadata=dict(about)
    )
    return pa.table(dict(data), schema=schema)


def read_table(path: str) -> Any:
    """A whole file as a pyarrow Table.

    Raises
    ------
    ParquetError
        No pyarrow, no such file, no Parquet.
    """
    pa = _library()
    try:
        with Path(path).open("rb") as stream:
            return pa.parquet.read_table(stream)
    except (pa.ArrowException, OSError) as error:
        raise ParquetError(f"cannot be read: {error}", path=path) from error
