"""One format into another, and what a trace says of itself: units, span, rate."""

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import numpy as np

from blockstack.base.files import written_whole
from blockstack.base.registry import OPS
from blockstack.base.units import SECTOR_BYTES
from blockstack.loads.traces.formats import FORMATS, TraceFile, TraceFormat, by_name
from blockstack.loads.traces.reading import TraceError
from blockstack.workload.trace import FUA, Trace


@dataclass
class Statement:
    """What a trace is, gathered chunk by chunk, so that a mistaken unit is seen.

    Attributes
    ----------
    bios, n_bytes, largest_sectors, end_sectors : int
        ``end_sectors``: the device must be at least so large.
    by_op : int64[5]
    first_ns, last_ns : int
        Least and greatest time, counted from the first row.
    backward : int
        Rows earlier than the row before them.
    times : int
        How often a row's time is not that of the row before: few where the clock is coarse.
    """

    file: TraceFile
    bios: int = 0
    n_bytes: int = 0
    largest_sectors: int = 0
    end_sectors: int = 0
    by_op: "np.ndarray[Any, np.dtype[np.int64]]" = field(
        default_factory=lambda: np.zeros(len(OPS), np.int64)
    )
    first_ns: int = 0
    last_ns: int = 0
    backward: int = 0
    times: int = 1
    _before_ns: int | None = None

    def add(self, chunk: Trace) -> None:
        """Count a chunk."""
        times = chunk.time_ns
        before = int(times[0]) if self._before_ns is None else self._before_ns
        steps = np.diff(times, prepend=before)
        self.backward += int((steps < 0).sum())
        self.times += int((steps != 0).sum())
        self._before_ns = int(times[-1])
        self.first_ns = min(self.first_ns, int(times.min()))
        self.last_ns = max(self.last_ns, int(times.max()))
        self.bios += len(chunk)
        self.by_op += np.bincount(chunk.op, minlength=len(OPS))
        self.n_bytes += sum(chunk.nr_sectors.tolist()) * SECTOR_BYTES
        self.largest_sectors = max(self.largest_sectors, int(chunk.nr_sectors.max()))
        self.end_sectors = max(self.end_sectors, int((chunk.sector + chunk.nr_sectors).max()))

    @property
    def span_ns(self) -> int:
        """From the earliest bio to the latest."""
        return self.last_ns - self.first_ns

    @property
    def is_coarse(self) -> bool:
        """Whether ten bios and more share a time, on average: a replay then sends them at once."""
        return self.bios >= 10 * self.times

    @property
    def iops(self) -> float | None:
        """Mean rate over the gaps between bios; None where all have one time."""
        return (self.bios - 1) * 1e9 / self.span_ns if self.span_ns else None

    @property
    def began(self) -> datetime | None:
        """When the first bio came, if the format's times are dates."""
        start, epoch = self.file.reading.start_ns, self.file.form.epoch
        if start is None or epoch is None:
            return None
        try:
            return (epoch + timedelta(microseconds=start // 1000)).astimezone(UTC)
        except OverflowError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        reading = self.file.reading
        return {
            "file": self.file.path,
            "format": self.file.form.name,
            "units": self.file.form.units,
            "bios": self.bios,
            "ops": {op: int(n) for op, n in zip(OPS, self.by_op, strict=True) if n},
            "bytes": self.n_bytes,
            "span_ns": self.span_ns,
            "iops": self.iops,
            "began": None if self.began is None else self.began.isoformat(),
            "devices": list(reading.devices),
            "largest_bytes": self.largest_sectors * SECTOR_BYTES,
            "end_bytes": self.end_sectors * SECTOR_BYTES,
            "rows_earlier_than_before": self.backward,
            "distinct_times": self.times,
            "malformed_skipped": reading.bad,
            "first_malformed": reading.first_bad,
            "left_out": dict(reading.left_out),
            "rounded_outward": reading.rounded,
            "notes": list(reading.notes),
        }


def stated(file: TraceFile, statement: Statement) -> Iterator[Trace]:
    """The chunks of a file, counted on the way."""
    for chunk in file.chunks():
        statement.add(chunk)
        yield chunk


def target_format(path: str, name: str | None) -> TraceFormat:
    """The format to write, by its name or by the file's ending.

    Raises
    ------
    TraceError
        Unknown, or one that is only read.
    """
    written = [f for f in FORMATS if f.line or f.save]
    if name is not None:
        found = by_name(name, "--to")
    else:
        plain = path.removesuffix(".gz")
        for_ending = [f for f in written if plain.endswith(f.endings)]
        if not for_ending:
            raise TraceError(
                "no format has this ending",
                path=path,
                hint="--to NAME: "
                + ", ".join(f"{f.name} ({' '.join(f.endings)})" for f in written),
            )
        found = for_ending[0]
    if found not in written:
        raise TraceError(
            "is read, not written",
            path="--to",
            value=found.name,
            hint="written are " + ", ".join(f.name for f in written),
        )
    return found


def write_trace(chunks: Iterator[Trace], path: str, form: TraceFormat) -> int:
    """Write a trace chunk by chunk; returns how many FUA writes became plain ones.

    Raises
    ------
    TraceError
        Operations, times or device names that the format has no word for; a file that cannot be
        written.
    """
    if form.save is not None:
        if path.endswith(".gz"):
            raise TraceError("packs its columns itself", path=path, hint="leave .gz out")
        form.save(chunks, path)
        return 0
    assert form.line is not None
    line, plain_fua = form.line(), 0
    keeps_fua = form.name == "blockstack"
    try:
        with _writable(path) as out:
            if form.header:
                out.write(form.header + "\n")
            for chunk in chunks:
                plain_fua += 0 if keeps_fua else int((chunk.op == FUA).sum())
                out.write("".join(row + "\n" for row in _lines(chunk, line, form)))
    except OSError as error:
        raise TraceError(f"cannot be written: {error.strerror or error}", path=path) from error
    return plain_fua


def _lines(
    chunk: Trace, line: Callable[[int, str, int, int, int], str], form: TraceFormat
) -> Iterator[str]:
    for time, device, op, sector, count in zip(
        chunk.time_ns.tolist(),
        chunk.device.tolist(),
        chunk.op.tolist(),
        chunk.sector.tolist(),
        chunk.nr_sectors.tolist(),
        strict=True,
    ):
        if time < 0:
            raise TraceError(
                "a row is earlier than the first",
                path="time_ns",
                value=time,
                hint="--sort puts them in order of arrival, in memory",
            )
        if op not in form.ops:
            raise TraceError(
                f"{form.name} has no {OPS[op]}",
                path="--to",
                value=form.name,
                hint="iolog, blockstack and parquet have all operations",
            )
        try:
            yield line(time, chunk.devices[device], op, sector, count)
        except ValueError as error:
            raise TraceError(f"{form.name}: {error}", path="--to", value=form.name) from error


@contextmanager
def _writable(path: str) -> Iterator[IO[str]]:
    """Text that becomes the file when all of it is there; packed bytes tell no time."""
    with written_whole(path) as stream:
        if path.endswith(".gz"):
            with (
                gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed,
                io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as text,
            ):
                yield text
            return
        plain = io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
        try:
            yield plain
        finally:
            plain.detach()
