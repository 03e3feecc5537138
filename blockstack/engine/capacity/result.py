"""What a capacity run found: frozen, with what it rests on, to JSON."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blockstack.base import hdr

#: fio's own default percentiles (fio/stat.c, FIO_IO_U_LIST_MAX_LEN of them are possible)
PERCENTILES = (
    1.0,
    5.0,
    10.0,
    20.0,
    30.0,
    40.0,
    50.0,
    60.0,
    70.0,
    80.0,
    90.0,
    95.0,
    99.0,
    99.5,
    99.9,
    99.95,
    99.99,
)


@dataclass(frozen=True)
class Spread:
    """A quantity in ns over all bios of one operation: exact sums, not from a histogram."""

    mean_ns: float
    stddev_ns: float
    min_ns: float
    max_ns: float


@dataclass(frozen=True, eq=False)
class OpLatency:
    """One operation's rate and latencies.

    Attributes
    ----------
    op : str
    bios : int
    iops : float
    bytes_per_second : float
    submission, completion, total : Spread
        fio's slat, clat and lat.
    counts, completion_counts : uint64 array
        HdrHistogram counts of lat and clat; see `blockstack.hdr`.
    """

    op: str
    bios: int
    iops: float
    bytes_per_second: float
    submission: Spread
    completion: Spread
    total: Spread
    counts: NDArray[np.uint64] = field(repr=False)
    completion_counts: NDArray[np.uint64] = field(repr=False)

    def percentile_ns(self, wanted: float) -> int:
        """Latency (lat) that ``wanted`` per cent of the bios do not pass, in ns."""
        return self.percentiles_ns(wanted)[0]

    def percentiles_ns(self, *wanted: float) -> list[int]:
        """Latency (lat) that so many per cent of the bios do not pass, in ns."""
        return hdr.percentiles(self.counts, wanted)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; latencies at fio's 17 percentiles."""
        values = hdr.percentiles(self.counts, PERCENTILES)
        return {
            "op": self.op,
            "bios": self.bios,
            "iops": self.iops,
            "bytes_per_second": self.bytes_per_second,
            "submission": asdict(self.submission),
            "completion": asdict(self.completion),
            "total": asdict(self.total),
            "percentiles_ns": {f"{p:g}": v for p, v in zip(PERCENTILES, values, strict=True)},
        }


@dataclass(frozen=True)
class StationUse:
    """What one station did.

    Attributes
    ----------
    name, part : str
        Device or task, and what of it (``cpu``, ``media``, ``send`` ...).
    servers : int
        Servers, or tokens of a queue depth.
    limited : bool
        False for a pure delay (a wire), which nothing can wait for.
    utilisation : float
        Busy share of the servers, 0 to 1; of a delay, the mean number in it.
    visits_per_bio, demand_ns, service_ns, wait_ns, sojourn_ns : float
        Means; ``demand_ns`` is per bio, the others per visit.
    mean_here : float
        Mean number waiting or served.
    most_waiting, merged : int
    ceiling_iops : float
        Bios per second at which its servers would all be busy.
    work, device : str
        The thread or work queue (empty: the device itself), and the device that it serves (empty:
        none, or all). Not in JSON: ``name`` has both.
    remote : bool
        On the host that another one's writes are mirrored to. Not in JSON.
    """

    name: str
    part: str
    servers: int
    limited: bool
    utilisation: float
    visits_per_bio: float
    demand_ns: float
    service_ns: float
    wait_ns: float
    sojourn_ns: float
    mean_here: float
    most_waiting: int
    merged: int
    ceiling_iops: float
    work: str = ""
    device: str = ""
    remote: bool = False

    @property
    def label(self) -> str:
        """``sda media``."""
        return f"{self.name} {self.part}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        told = ("work", "device", "remote")
        return {name: value for name, value in asdict(self).items() if name not in told}


@dataclass(frozen=True)
class LayerCost:
    """CPU time of one layer per bio, and how it is known: measured, given or estimated."""

    layer: str
    instructions: float
    ns: float
    how: str


@dataclass(frozen=True)
class Law:
    """A law of queueing that every run must obey, and how closely this one did.

    ``deviation`` is relative: Little's law (number here = rate x sojourn) and the utilisation law
    (busy servers = rate x service), the worst station's.
    """

    name: str
    deviation: float
    station: str


@dataclass(frozen=True)
class LoadSpec:
    """How bios arrive.

    Attributes
    ----------
    mode : {"closed", "open", "paced", "trace", "several"}
        ``closed``: ``iodepth * numjobs`` in flight; ``open``: Poisson at ``rate_iops``; ``paced``:
        the same in equal gaps; ``trace``: at recorded times; ``several``: more than one load at
        once, all of their jobs, the largest ``iodepth``.
    iodepth, numjobs : int
    rate_iops : float or None
        Per second, of all jobs together.
    thinktime_ns : float
        Between the end of a bio and the next one, of a closed load.
    """

    mode: str
    iodepth: int = 1
    numjobs: int = 1
    rate_iops: float | None = None
    thinktime_ns: float = 0.0


@dataclass(frozen=True, eq=False)
class StreamResult:
    """One of several loads at once: its own bios.

    Attributes
    ----------
    name : str
    load : LoadSpec
    bios : int
    iops, bytes_per_second, latency_ns : float
        ``latency_ns`` is 0 where no bio of it ended.
    ops : tuple of OpLatency
    """

    name: str
    load: LoadSpec
    bios: int
    iops: float
    bytes_per_second: float
    latency_ns: float
    ops: tuple[OpLatency, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "load": asdict(self.load),
            "bios": self.bios,
            "iops": self.iops,
            "bytes_per_second": self.bytes_per_second,
            "latency_ns": self.latency_ns,
            "ops": [op.to_dict() for op in self.ops],
        }


@dataclass(frozen=True, eq=False)
class CapacityResult:
    """How fast a stack goes under a workload, and what stops it.

    Attributes
    ----------
    stack, kernel : str
    load : LoadSpec
    saturated : bool
        An open load above what the stack can take: then ``iops`` is what it did until too many
        bios were waiting, and latencies mean nothing.
    bios, seconds : int, float
        Measured bios, and how long they took in simulated time.
    iops, iops_error : float
        With half the width of the 95 % confidence interval, from batch means.
    latency_ns, latency_error_ns : float
        Mean over all operations, with the same.
    bytes_per_second : float
    ops : tuple of OpLatency
    stations : tuple of StationUse
        Tasks of one kind (the submitting jobs) as one; ``all cores`` is the whole machine.
    bottleneck, next_bottleneck : str
        Labels of stations; ``iodepth`` when nothing is full: the load is too small to fill it.
    ceiling_iops, next_ceiling_iops : float
        What the bottleneck, and the next one once that is gone, allow.
    layers : tuple of LayerCost
    iops_per_core : float
        What one core could submit if nothing else were slow.
    laws : tuple of Law
    assumed : tuple of str
        Everything here that nobody measured or gave.
    provenance : mapping
    rows : float64 array [n, 6] or None
        Visits of the followed bios (bio, station, node, arrived, began, done), with ``places``.
    streams : tuple of StreamResult
        Each of several loads at once; empty when there is one.
    full : tuple of str
        Labels of the stations that ``bottleneck`` tells of. Not in JSON.
    places : tuple of str
        Names of the stations that ``rows`` numbers.
    """

    stack: str
    kernel: str
    load: LoadSpec
    saturated: bool
    bios: int
    seconds: float
    iops: float
    iops_error: float
    latency_ns: float
    latency_error_ns: float
    bytes_per_second: float
    ops: tuple[OpLatency, ...]
    stations: tuple[StationUse, ...]
    bottleneck: str
    next_bottleneck: str
    ceiling_iops: float
    next_ceiling_iops: float
    layers: tuple[LayerCost, ...]
    iops_per_core: float
    laws: tuple[Law, ...]
    assumed: tuple[str, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    rows: NDArray[np.float64] | None = field(default=None, repr=False)
    places: tuple[str, ...] = ()
    streams: tuple[StreamResult, ...] = ()
    full: tuple[str, ...] = ()

    @property
    def counts(self) -> NDArray[np.uint64]:
        """Latency counts of all operations together."""
        total: NDArray[np.uint64] = np.sum([op.counts for op in self.ops], axis=0, dtype=np.uint64)
        return total

    def percentile_ns(self, wanted: float) -> int:
        """Latency of all operations that ``wanted`` per cent of the bios do not pass, in ns.

        Parameters
        ----------
        wanted : float
            Per cent, 0 to 100.

        Returns
        -------
        int
        """
        return self.percentiles_ns(wanted)[0]

    def percentiles_ns(self, *wanted: float) -> list[int]:
        """Latency of all operations that so many per cent of the bios do not pass.

        Parameters
        ----------
        *wanted : float
            Per cent, 0 to 100.

        Returns
        -------
        list of int
            In ns, to three digits: the middle of the histogram's bucket.
        """
        return hdr.percentiles(self.counts, wanted)

    def utilisation(self) -> dict[str, float]:
        """Busy share of each device's, and of its worker's, busiest server; 0 to 1."""
        found: dict[str, float] = {}
        for station in self.stations:
            if station.limited and station.device and not station.remote:
                found[station.device] = max(station.utilisation, found.get(station.device, 0.0))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain = {
            name: getattr(self, name)
            for name in (
                "stack",
                "kernel",
                "saturated",
                "bios",
                "seconds",
                "iops",
                "iops_error",
                "latency_ns",
                "latency_error_ns",
                "bytes_per_second",
                "bottleneck",
                "next_bottleneck",
                "ceiling_iops",
                "next_ceiling_iops",
                "iops_per_core",
                "provenance",
            )
        }
        lists = {
            name: [
                one.to_dict() if isinstance(one, (OpLatency, StationUse)) else asdict(one)
                for one in getattr(self, name)
            ]
            for name in ("ops", "stations", "layers", "laws")
        }
        found = (
            {name: _finite(value) for name, value in plain.items()}
            | {"load": asdict(self.load), "assumed": list(self.assumed)}
            | {
                name: [{k: _finite(v) for k, v in row.items()} for row in rows]
                for name, rows in lists.items()
            }
        )
        return found | ({"streams": [s.to_dict() for s in self.streams]} if self.streams else {})


def _finite(value: Any) -> Any:
    """JSON has no infinity: what nothing limits is null."""
    return None if isinstance(value, float) and math.isinf(value) else value
