"""Load after load until the stack is full: where more load buys delay and no more rate."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from blockstack.engine.capacity.result import CapacityResult, LoadSpec
from blockstack.engine.capacity.run import DEFAULT_BIOS, Capacity

_MOST_DEPTH = 4096


@dataclass(frozen=True, eq=False)
class Knee:
    """A sweep over the load.

    Attributes
    ----------
    points : tuple of CapacityResult
        By rising load: iodepth doubled, or the rate in steps up to the ceiling.
    knee : int
        Number of the point where rate over mean latency, Kleinrock's power, is greatest.
    """

    points: tuple[CapacityResult, ...]
    knee: int

    @property
    def at_knee(self) -> CapacityResult:
        """The run at the knee."""
        return self.points[self.knee]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"knee": self.knee, "points": [p.to_dict() for p in self.points]}


def power(point: CapacityResult) -> float:
    """Rate over latency (Kleinrock 1979): rises while load is free, falls when it only waits."""
    return 0.0 if point.saturated else point.iops / point.latency_ns


def until_knee(
    model: Capacity,
    load: LoadSpec,
    *,
    bios: int = DEFAULT_BIOS,
    progress: Callable[[int], None] | None = None,
) -> Knee:
    """Double the iodepth from 1 until twice past the knee and no faster, or, for an open load,
    raise the rate by eighths of the ceiling of the closed one.

    Parameters
    ----------
    model : Capacity
        From `prepare`.
    load : LoadSpec
        Its mode and numjobs are kept.
    bios : int
        Per point.
    progress : callable or None
        Called with the number of points done.

    Returns
    -------
    Knee
        The points in order of load (IOPS; latencies in ns), and which of them is the knee: where
        Kleinrock's power, throughput over latency, is largest.

    Raises
    ------
    LimitExceeded
        A bio took more than 73 minutes, or bios wait for each other for ever.
    """
    loads = _closed(load) if load.rate_iops is None else _open(model, load, bios)
    points: list[CapacityResult] = []
    for one in loads:
        points.append(model.run(one, bios=bios))
        if progress is not None:
            progress(len(points))
        if load.rate_iops is None and _past(points):
            break
    best = max(range(len(points)), key=lambda i: power(points[i]))
    return Knee(tuple(points), best)


def _closed(load: LoadSpec) -> list[LoadSpec]:
    depths = [2**k for k in range(13) if 2**k * load.numjobs <= _MOST_DEPTH]
    return [replace(load, iodepth=depth) for depth in depths]


def _open(model: Capacity, load: LoadSpec, bios: int) -> list[LoadSpec]:
    """Up to the ceiling that a short run in a closed loop shows."""
    full = model.run(replace(load, mode="closed", rate_iops=None, iodepth=64), bios=bios // 5)
    return [
        replace(load, rate_iops=full.iops * share / 16)
        for share in (2, 4, 6, 8, 10, 11, 12, 13, 14, 15)
    ]


def _past(points: list[CapacityResult]) -> bool:
    """Whether the last two doublings have brought nothing: less than 2 per cent each."""
    return len(points) > 3 and points[-1].iops < 1.02 * points[-2].iops < 1.02**2 * points[-3].iops
