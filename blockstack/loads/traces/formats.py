"""The registry of trace formats, and the way into a file. A new format is one entry."""

import bz2
import gzip
import lzma
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from blockstack.base.errors import BlockstackError
from blockstack.base.hints import did_you_mean
from blockstack.loads.traces import (
    blkparse,
    blktrace,
    columns,
    csvs,
    disksim,
    iolog,
    oracle,
    table,
    vscsi,
)
from blockstack.loads.traces.reading import Reading, TraceError, text
from blockstack.workload.trace import DISCARD, FLUSH, FUA, READ, WRITE, Trace

_HEAD, _LINES = 1 << 16, 50
UNIX = datetime(1970, 1, 1, tzinfo=UTC)
WINDOWS = datetime(1601, 1, 1, tzinfo=UTC)  # FILETIME, Microsoft's minwinbase.h
_LINE = Callable[[int, str, int, int, int], str]


@dataclass(frozen=True)
class TraceFormat:
    """One format.

    Attributes
    ----------
    name, doc, units : str
    looks : callable
        Whether a file's first bytes are of this format; asked in the registry's order.
    read : callable
        The file's rows in chunks.
    endings : tuple of str
        File names that say this format where the content cannot (`convert` to a new file).
    epoch : datetime or None
        What times count from, if it is a date.
    line : callable or None
        Makes the writer of a row, for formats that are written too.
    header : str
    save : callable or None
        Writes chunks to a path, for formats that are no lines of text.
    ops : tuple of int
        Operations that a written file can hold.
    """

    name: str
    doc: str
    units: str
    looks: Callable[[bytes], bool]
    read: Callable[[BinaryIO, Reading], Iterator[Trace]]
    endings: tuple[str, ...] = ()
    epoch: datetime | None = None
    line: Callable[[], _LINE] | None = None
    header: str = ""
    save: Callable[[Iterator[Trace], str], None] | None = None
    ops: tuple[int, ...] = (READ, WRITE, FUA)


def _first(pattern: str) -> Callable[[bytes], bool]:
    """Whether one of the first lines is such a row: headers and one bad row must not hide it."""
    compiled = re.compile(pattern.encode())

    def looks(head: bytes) -> bool:
        return any(
            compiled.match(line[:500].rstrip())
            for line in head.lstrip(b"\xef\xbb\xbf").split(b"\n")[:_LINES]
        )

    return looks


FORMATS: tuple[TraceFormat, ...] = (
    TraceFormat(
        "parquet",
        "blockstack's columns in Parquet",
        "time ns, sectors of 512 B",
        columns.looks,
        columns.read,
        (".parquet",),
        save=columns.save,
        ops=(READ, WRITE, FLUSH, DISCARD, FUA),
    ),
    TraceFormat(
        "blktrace",
        "blktrace's binary",
        "time ns, sectors of 512 B, sizes in bytes",
        lambda head: blktrace.order(head) != "",
        blktrace.read,
    ),
    TraceFormat(
        "blockstack",
        "blockstack's CSV",
        "time ns, sectors of 512 B",
        _first(re.escape(table.HEADER) + "$"),
        text(table.rows),
        (".csv",),
        line=lambda: table.line,
        header=table.HEADER,
        ops=(READ, WRITE, FLUSH, DISCARD, FUA),
    ),
    TraceFormat(
        "iolog",
        "fio's iolog, versions 2 and 3",
        "time us, offsets and sizes in bytes",
        _first(r"fio version \d+ iolog"),
        text(iolog.rows),
        (".iolog", ".log"),
        line=iolog.Writer,
        header=iolog.Writer.header,
        ops=(READ, WRITE, FLUSH, DISCARD, FUA),
    ),
    TraceFormat(
        "blkparse",
        "blkparse's text",
        "time s with ns, sectors of 512 B",
        _first(blkparse.EVENT.pattern),
        text(blkparse.rows),
        (".blkparse", ".blktrace"),
    ),
    TraceFormat(
        "msr",
        "MSR Cambridge CSV",
        "time 100 ns since 1601, offsets and sizes in bytes",
        _first(r"\d{1,20},[^,]+,\d+,(?i:read|write),\d+,\d+,\d+$"),
        text(csvs.msr),
        (".msr",),
        epoch=WINDOWS,
        line=lambda: csvs.msr_line,
    ),
    TraceFormat(
        "systor17",
        "systor '17 CSV",
        "Unix time s with ns, offsets and sizes in bytes",
        _first(re.escape(csvs.SYSTOR_HEADER) + r"$|\d+\.\d+,[\d.]*,[RW]?,\d+,\d+,\d+$"),
        text(csvs.systor),
        epoch=UNIX,
    ),
    TraceFormat(
        "alibaba",
        "Alibaba block traces CSV",
        "Unix time us, offsets and sizes in bytes",
        _first(r"\d+,[RW],\d+,\d+,\d+$"),
        text(csvs.alibaba),
        (".alibaba",),
        epoch=UNIX,
    ),
    TraceFormat(
        "cloudphysics-csv",
        "vscsiStats as CSV",
        "time s, blocks of 512 B, sizes in bytes",
        _first(re.escape(vscsi.CSV_HEADER) + r"$|[12],\d+,[0-9a-f]{1,2},\d+,\d+$"),
        text(vscsi.csv_rows),
    ),
    TraceFormat(
        "tencent",
        "Tencent CBS CSV",
        "Unix time s, offsets and sizes in sectors of 512 B",
        _first(r"\d{9,10},\d+,\d+,[01],\d+$"),
        text(csvs.tencent),
        epoch=UNIX,
    ),
    TraceFormat(
        "disksim-validate",
        "DiskSim's validate",
        "gaps us, blocks of 512 B",
        _first(r"[RW]\s+\w+\s+\d+\s+\d+\s+\d+\.\d+\s+\d+\.\d+$"),
        text(disksim.validate_rows),
    ),
    TraceFormat(
        "disksim",
        "DiskSim's default ascii",
        "time ms, blocks of 512 B",
        _first(r"\d+\.\d+\s+\d+\s+\d+\s+\d+\s+[0-9a-fA-F]+$"),
        text(disksim.ascii_rows),
        (".disksim",),
        line=lambda: disksim.ascii_line,
    ),
    TraceFormat(
        "mqsim",
        "MQSim's ascii",
        "time ns, sectors of 512 B",
        _first(r"\d+\s+\d+\s+\d+\s+\d+\s+[01]$"),
        text(disksim.mqsim),
        (".mqsim",),
        line=lambda: disksim.mqsim_line,
    ),
    TraceFormat(
        "vscsi1",
        "vscsiStats (CloudPhysics), version 1",
        "time us, blocks of 512 B, sizes in bytes",
        lambda head: vscsi.is_version(head, 1),
        vscsi.read_v1,
    ),
    TraceFormat(
        "vscsi2",
        "vscsiStats (CloudPhysics), version 2",
        "time us, blocks of 512 B, sizes in bytes",
        lambda head: vscsi.is_version(head, 2),
        vscsi.read_v2,
    ),
    TraceFormat(
        "oracleGeneral",
        "libCacheSim's oracleGeneral",
        "time s, objects as sectors of 512 B, sizes in bytes",
        oracle.looks,
        oracle.read,
    ),
)


def by_name(name: str, option: str) -> TraceFormat:
    """The registry's entry of that name.

    Raises
    ------
    TraceError
    """
    found = next((f for f in FORMATS if f.name == name), None)
    if found is None:
        raise TraceError(
            "no such trace format",
            path=option,
            value=name,
            hint=did_you_mean(name, [f.name for f in FORMATS], "formats"),
        )
    return found


def recognise(head: bytes) -> TraceFormat | None:
    """The format of a file by its first bytes."""
    return next((f for f in FORMATS if f.looks(head)), None)


@dataclass
class TraceFile:
    """An opened trace; ``reading`` says at the end what was left out and what was skipped."""

    path: str
    form: TraceFormat
    reading: Reading
    _stream: BinaryIO = field(repr=False)

    def chunks(self) -> Iterator[Trace]:
        """The bios, in pieces of at most 65,536 rows.

        Raises
        ------
        TraceError
            Malformed rows, damage, or no bios at all.
        """
        rows = 0
        try:
            for chunk in self.form.read(self._stream, self.reading):
                rows += len(chunk)
                yield chunk
        except BlockstackError as error:
            raise error.under(self.path) from error
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise TraceError(f"is damaged: {error}", path=self.path) from error
        if not rows:
            left = self.reading.left_out
            why = blkparse.none_queued(left) if self.form.name in ("blkparse", "blktrace") else ""
            raise TraceError(
                why or "has no bios",
                path=self.path,
                hint="; ".join(f"{n} {what}" for what, n in left.most_common(4)),
            )


@contextmanager
def open_trace(
    path: str | Path, *, form: str | None = None, skip_bad: int = 0
) -> Iterator[TraceFile]:
    """A trace file, plain or packed by gzip, bzip2 or xz; ``-`` is standard input.

    Parameters
    ----------
    path : str or Path
    form : str or None
        A format's name; None: by the content.
    skip_bad : int
        So many malformed rows are passed over and counted.

    Raises
    ------
    TraceError
        Unreadable or of no known format.
    """
    name = str(path)
    chosen = None if form is None else by_name(form, "--from")
    try:
        plain: BinaryIO = sys.stdin.buffer if name == "-" else Path(path).open("rb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        raise TraceError(f"cannot be read: {error}", path=name) from error
    try:
        stream, head = _unpacked(plain, name)
        chosen = chosen or recognise(head)
        if chosen is None:
            raise TraceError(
                "is of no trace format that is known by its content",
                path=name,
                hint="--from NAME: " + ", ".join(f.name for f in FORMATS),
            )
        yield TraceFile(name, chosen, Reading(skip_bad=skip_bad), stream)
    finally:
        if name != "-":
            plain.close()


def _unpacked(plain: BinaryIO, name: str) -> tuple[BinaryIO, bytes]:
    """The stream below its packing, and its first bytes."""
    try:
        magic = _peek(plain, 6)
        for start, opener in (
            (b"\x1f\x8b", gzip.open),
            (b"BZh", bz2.open),
            (b"\xfd7zXZ\x00", lzma.open),
        ):
            if magic.startswith(start):
                stream = cast(BinaryIO, opener(plain, "rb"))
                return stream, _peek(stream, _HEAD)
        return plain, _peek(plain, _HEAD)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise TraceError(f"cannot be read: {error}", path=name) from error


def _peek(stream: BinaryIO, size: int) -> bytes:
    """First bytes, left in the stream. A peek shows what is buffered, at least one byte."""
    return cast(bytes, stream.peek(size))[:size]  # type: ignore[attr-defined]
