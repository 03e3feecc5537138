"""A recorded stream of bios with arrival times: the one record inside for every trace format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blockstack.base.shown import Shown

READ, WRITE, FLUSH, DISCARD, FUA = range(5)


@dataclass(frozen=True, eq=False, repr=False)
class Trace(Shown):
    """Columns of one length, a row per bio, in the order of the file.

    Attributes
    ----------
    time_ns : int64[n]
        Arrival, counted from the trace's first bio; below 0 where a later row is earlier.
    device : int32[n]
        Index into ``devices``.
    op : uint8[n]
        0 read, 1 write, 2 flush, 3 discard, 4 fua (a write with preflush or FUA).
    sector, nr_sectors : int64[n]
        In sectors of 512 bytes; both 0 for a flush.
    devices : tuple of str
        Names as the trace has them.
    """

    time_ns: NDArray[np.int64]
    device: NDArray[np.int32]
    op: NDArray[np.uint8]
    sector: NDArray[np.int64]
    nr_sectors: NDArray[np.int64]
    devices: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.time_ns)

    def headline(self) -> str:
        """Bios, devices and span."""
        span = (int(self.time_ns.max()) - int(self.time_ns.min())) / 1e9 if len(self) else 0.0
        return f"{len(self):,} bios on {len(self.devices):,} devices over {span:,.3g} s"

    def take(self, rows: "NDArray[np.intp] | NDArray[np.bool_] | slice") -> "Trace":
        """The rows that an index, a mask or a slice picks."""
        return Trace(
            self.time_ns[rows],
            self.device[rows],
            self.op[rows],
            self.sector[rows],
            self.nr_sectors[rows],
            self.devices,
        )

    def sorted(self) -> "Trace":
        """In order of arrival; rows of one time keep their order, the first is at 0."""
        rows = self.take(np.argsort(self.time_ns, kind="stable"))
        first = rows.time_ns[0] if len(rows) else 0
        return Trace(
            rows.time_ns - first, rows.device, rows.op, rows.sector, rows.nr_sectors, rows.devices
        )

    @classmethod
    def joined(cls, parts: Sequence["Trace"]) -> "Trace":
        """Chunks of one file as one; device names grow from chunk to chunk."""

        def column(name: str, dtype: type[np.generic]) -> NDArray[Any]:
            return np.concatenate([np.zeros(0, dtype), *(getattr(p, name) for p in parts)])

        return cls(
            column("time_ns", np.int64),
            column("device", np.int32),
            column("op", np.uint8),
            column("sector", np.int64),
            column("nr_sectors", np.int64),
            parts[-1].devices if parts else (),
        )
