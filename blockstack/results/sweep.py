"""A sweep's answer: one tidy row a point."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blockstack.base import parquet
from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.base.files import write_text
from blockstack.base.hints import did_you_mean
from blockstack.base.shown import Listing, Shown

#: of a column: less or more of it is better; others have no order
LESS, MORE = -1, 1


@dataclass(frozen=True)
class Column:
    """One column of the result.

    Attributes
    ----------
    name : str
        With its unit.
    kind : {"bool", "int64", "float64", "string"}
    better : {-1, 0, 1}
        -1: less is better; 0: it has no order.
    """

    name: str
    kind: str
    better: int = 0


#: why a point has no figures; empty: it has
ERROR = Column("error", "string")
#: the file's key under which a Parquet file keeps what it was made from
ABOUT = "blockstack_sweep"
_BATCH = 10_000


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Shown):
    """Points and what was measured at them.

    Attributes
    ----------
    axes : tuple of str
        Columns that say which point it is.
    columns : tuple of Column
        All columns: axes, measures, ``error``.
    data : mapping of column to list
        A value for each point, in the order of the points; None where there is none.
    about : mapping
        The config, axes, measures, kernels and version that it was made with.
    """

    axes: tuple[str, ...]
    columns: tuple[Column, ...]
    data: Mapping[str, list[Any]]
    about: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.data[self.columns[0].name])

    def column(self, name: str) -> Column:
        """A column by name.

        Raises
        ------
        ConfigError
            There is none.
        """
        for one in self.columns:
            if one.name == name:
                return one
        names = [one.name for one in self.columns]
        raise ConfigError("no such column", path=name, hint=did_you_mean(name, names, "columns"))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Points as mappings of column to value."""
        names = [one.name for one in self.columns]
        for values in zip(*(self.data[name] for name in names), strict=True):
            yield dict(zip(names, values, strict=True))

    def take(self, numbers: Iterable[int]) -> "Sweep":
        """Some of the points."""
        wanted = list(numbers)
        data = {name: [values[i] for i in wanted] for name, values in self.data.items()}
        return Sweep(self.axes, self.columns, data, self.about)

    def headline(self) -> str:
        """How many points, over what, and their verdicts."""
        failed = sum(1 for one in self.data["error"] if one)
        text = f"{len(self):,} points over {', '.join(self.axes)}"
        if "fits" in self.data:
            verdicts = [
                one
                for one, bad in zip(self.data["fits"], self.data["error"], strict=True)
                if not bad
            ]
            words = ((True, "fit"), (False, "overflow"), (None, "cannot tell"))
            text += ": " + ", ".join(f"{verdicts.count(v)} {word}" for v, word in words)
        return text + (f"; {failed} cannot be" if failed else "")

    def listing(self) -> Listing:
        """The first points; long texts are left out."""
        shown = [c.name for c in self.columns if not c.name.endswith(("task_bytes", "layer_bytes"))]
        if not any(self.data["error"]):
            shown.remove("error")
        rows = [tuple(_word(self.data[name][i]) for name in shown) for i in range(len(self))]
        return Listing(shown, rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"about": dict(self.about), "axes": list(self.axes), "points": list(self.rows())}

    def to_arrow(self) -> Any:
        """A pyarrow Table (the extra ``parquet``)."""
        return parquet.table({c.name: c.kind for c in self.columns}, self.data, self._metadata())

    def to_pandas(self) -> Any:
        """A pandas DataFrame, where the user has pandas."""
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """A Polars DataFrame, where the user has Polars."""
        try:
            import polars
        except ImportError as error:
            raise BlockstackError(
                "needs polars", path="to_polars", hint="pip install polars"
            ) from error
        return polars.from_arrow(self.to_arrow())

    def query(self, sql: str) -> Any:
        """A pyarrow Table: what DuckDB says to SQL over ``points``.

        Raises
        ------
        BlockstackError
            No DuckDB (the extra ``sweep``), or no SQL.
        """
        try:
            import duckdb
        except ImportError as error:
            raise BlockstackError(
                "needs DuckDB", path="query", hint="in the checkout: pip install '.[sweep]'"
            ) from error
        with duckdb.connect() as database:
            database.register("points", self.to_arrow())
            try:
                return database.sql(sql).to_arrow_table()
            except duckdb.Error as error:
                text = str(error).splitlines()[0]
                raise BlockstackError(text, path="query", value=sql) from error

    def save(self, path: str | Path) -> None:
        """Write a ``.parquet``, ``.csv`` or ``.json`` file, whole or not at all."""
        save_rows(str(path), self.columns, self.rows(), self.about)

    def _metadata(self) -> dict[str, str]:
        return {ABOUT: json.dumps(self.about, sort_keys=True)}

    @classmethod
    def load(cls, path: str | Path) -> "Sweep":
        """Read what `save` wrote as Parquet.

        Raises
        ------
        BlockstackError
            No such file, no Parquet, not one of a sweep.
        """
        table = parquet.read_table(str(path))
        about = (table.schema.metadata or {}).get(ABOUT.encode())
        if about is None:
            raise BlockstackError("is not a file of blockstack sweep", path=str(path))
        told = json.loads(about)
        columns = tuple(Column(*one) for one in told["columns"])
        return cls(tuple(told["axes"]), columns, table.to_pydict(), told)


def _word(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if type(value) is int else str(value)


def save_rows(
    path: str,
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Any]],
    about: Mapping[str, Any],
) -> None:
    """Rows as they come to a file, by its ending; Parquet in batches, memory for one.

    Raises
    ------
    BlockstackError
        Another ending, a file that cannot be written, no pyarrow.
    """
    ending = Path(path).suffix
    try:
        if ending == ".parquet":
            metadata = {ABOUT: json.dumps(about, sort_keys=True)}
            parquet.save(path, {c.name: c.kind for c in columns}, _batches(columns, rows), metadata)
        elif ending == ".csv":
            write_text(path, _csv(columns, rows))
        elif ending == ".json":
            write_text(path, json.dumps({"about": about, "points": list(rows)}, indent=1) + "\n")
        else:
            raise ConfigError(
                "no such format", path=path, value=ending, hint=".parquet, .csv or .json"
            )
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror or error}", path=path) from error


def _batches(
    columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, list[Any]]]:
    batch: dict[str, list[Any]] = {c.name: [] for c in columns}
    held = 0
    for row in rows:
        for name, values in batch.items():
            values.append(row[name])
        held += 1
        if held == _BATCH:
            yield batch
            batch, held = {c.name: [] for c in columns}, 0
    if held:
        yield batch


def _csv(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    out = csv.DictWriter(text, [c.name for c in columns], lineterminator="\n")
    out.writeheader()
    out.writerows(rows)
    return text.getvalue()
