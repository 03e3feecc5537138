"""What all trace readers share: rows gathered into chunks, bad rows counted, units said."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

import numpy as np

from blockstack.base.errors import BlockstackError
from blockstack.base.units import SECTOR_BYTES
from blockstack.workload.trace import FLUSH, Trace

CHUNK_ROWS = 65_536
_LINE_BYTES = 4096  # no format has longer rows
_MOST_BYTES = 2**62
_MOST_NS = 2**62


class TraceError(BlockstackError):
    """A trace that cannot be read as what it is said to be."""


class Row(NamedTuple):
    """One bio as a file has it.

    ``time_ns`` counts from wherever the format does, with Python's unbounded integers (a Windows
    file time in ns does not fit 63 bits).
    """

    time_ns: int
    device: str
    op: int
    offset_bytes: int
    length_bytes: int


#: a row, or the reason why a well-formed row is no bio ("" for a header, a comment)
RowReader = Callable[[str], "Row | str"]


@dataclass
class Reading:
    """The state of one file's reading, and what its end must say.

    Attributes
    ----------
    skip_bad : int
        How many malformed rows are passed over.
    bad : int
        How many were; ``first_bad`` tells the first.
    left_out : Counter
        Well-formed rows that are no bios, by reason.
    rounded : int
        Bios that began or ended inside a sector, rounded outward.
    start_ns : int or None
        Time of the first bio, in the format's own count.
    """

    skip_bad: int = 0
    bad: int = 0
    first_bad: str = ""
    left_out: Counter[str] = field(default_factory=Counter)
    rounded: int = 0
    start_ns: int | None = None
    devices: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _rows: list[tuple[int, int, int, int, int]] = field(default_factory=list)

    def malformed(self, where: str, why: str, value: object) -> None:
        """Count a bad row, or refuse it.

        Raises
        ------
        TraceError
            More of them than ``skip_bad``.
        """
        self.bad += 1
        if self.bad > self.skip_bad:
            hint = (
                "--skip-bad N passes over N malformed rows"
                if not self.skip_bad
                else f"--skip-bad {self.skip_bad} is used up; the first was {self.first_bad}"
            )
            raise TraceError(why, path=where, value=value, hint=hint)
        self.first_bad = self.first_bad or f"{where}: {why}"

    def add(self, row: Row) -> None:
        """Take a row in.

        Raises
        ------
        ValueError
            Figures that no bio can have.
        """
        time_ns, device, op, offset, length = row
        if op == FLUSH:
            sector = count = 0
        else:
            if length <= 0:
                raise ValueError("has no sectors")
            if not 0 <= offset < _MOST_BYTES or length >= 2**31 * SECTOR_BYTES:
                raise ValueError("beyond every device")
            sector = offset // SECTOR_BYTES
            count = -(-(offset + length) // SECTOR_BYTES) - sector
            if count >= 2**31:
                raise ValueError("beyond every device")
            self.rounded += offset % SECTOR_BYTES != 0 or length % SECTOR_BYTES != 0
        start = time_ns if self.start_ns is None else self.start_ns
        if abs(time_ns - start) > _MOST_NS:
            raise ValueError("146 years from the first row")
        self.start_ns = start
        number = self.devices.setdefault(device, len(self.devices))
        self._rows.append((time_ns - start, number, op, sector, count))

    @property
    def full(self) -> bool:
        """Whether a chunk's rows are together."""
        return len(self._rows) >= CHUNK_ROWS

    def chunk(self) -> Trace:
        """The rows so far as columns; the next chunk begins."""
        table = np.array(self._rows, np.int64).reshape(-1, 5)
        self._rows = []
        return Trace(
            table[:, 0].copy(),
            table[:, 1].astype(np.int32),
            table[:, 2].astype(np.uint8),
            table[:, 3].copy(),
            table[:, 4].copy(),
            tuple(self.devices),
        )

    def rows(self, found: Iterable[tuple[str, "Row | str"]]) -> Iterator[Trace]:
        """Chunks of rows that come with the place they stand at."""
        for where, row in found:
            if isinstance(row, str):
                if row:
                    self.left_out[row] += 1
                continue
            try:
                self.add(row)
            except ValueError as error:
                self.malformed(where, str(error), tuple(row))
            if self.full:
                yield self.chunk()
        if self._rows:
            yield self.chunk()


def lines(stream: BinaryIO, reading: Reading, parse: RowReader) -> Iterator[tuple[str, Row | str]]:
    """A text's rows with their line numbers; a reader's ``ValueError`` makes a row malformed."""
    number = 0
    while raw := stream.readline(_LINE_BYTES):
        number += 1
        if len(raw) == _LINE_BYTES and not raw.endswith(b"\n"):
            while (rest := stream.readline(_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            reading.malformed(f"line {number}", f"longer than {_LINE_BYTES} bytes", raw[:60])
            continue
        try:
            # digits of other scripts are no digits of a trace
            text = raw.decode("ascii" if raw.isascii() else "utf-8").strip("\r\n\t \ufeff")
            row = parse(text) if text else ""
        except (ValueError, IndexError, KeyError) as error:
            why = str(error) if type(error) is ValueError else "not a row of this format"
            reading.malformed(f"line {number}", why, raw[:100])
            continue
        yield f"line {number}", row


def text(parse: Callable[[Reading], RowReader]) -> Callable[[BinaryIO, Reading], Iterator[Trace]]:
    """A reader of a text format, from a maker of its row reader (which may keep state)."""

    def read(stream: BinaryIO, reading: Reading) -> Iterator[Trace]:
        return reading.rows(lines(stream, reading, parse(reading)))

    return read


def records(
    dtype: np.dtype[np.void], row: Callable[[tuple[int, ...]], "Row | str"]
) -> Callable[[BinaryIO, Reading], Iterator[Trace]]:
    """A reader of a binary format of records of one size."""

    def found(stream: BinaryIO, reading: Reading) -> Iterator[tuple[str, Row | str]]:
        number, size, rest = 0, dtype.itemsize, b""
        while raw := stream.read(size * CHUNK_ROWS - len(rest)):
            raw = rest + raw
            whole = len(raw) // size * size
            rest = raw[whole:]
            for values in np.frombuffer(raw[:whole], dtype).tolist():
                number += 1
                try:
                    one = row(values)
                except ValueError as error:
                    reading.malformed(f"record {number}", str(error), values)
                    continue
                yield f"record {number}", one
        if rest:
            reading.malformed(
                f"record {number + 1}", f"has {len(rest)} of {size} bytes", rest.hex()
            )

    def read(stream: BinaryIO, reading: Reading) -> Iterator[Trace]:
        return reading.rows(found(stream, reading))

    return read


def whole(word: str) -> int:
    """A plain decimal number; ``int`` would also take ``1_000`` and ``+5``."""
    if not (word.isascii() and word.isdigit()) or len(word) > 20:
        raise ValueError("not a whole number")
    return int(word)


def scaled(word: str, digits: int) -> int:
    """``"1.25"`` in units of 10**-digits, exactly: a double would round Unix times.

    What is finer than that is cut off, as clocks do.
    """
    before, _, after = word.partition(".")
    sign: int = -1 if before.startswith("-") else 1
    if after:
        whole(after[:20])
    fraction = int((after + "0" * digits)[:digits] or "0")
    return sign * int(whole(before.removeprefix("-")) * 10**digits + fraction)


def op_of(word: str, read: str, write: str) -> int:
    """0 for the word that means a read, 1 for a write."""
    if word not in (read, write):
        raise ValueError("neither a read nor a write")
    return int(word == write)
