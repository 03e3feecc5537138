"""The event loop's only importer: typed counters, and errors in the house's form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blockstack.base.errors import BlockstackError, LimitExceeded
from blockstack.engine.capacity.arrays import Load, ServicePlan

try:
    from blockstack import _service
except ImportError as error:
    error.add_note(
        "blockstack's compiled event loop is not beside this package: run `pip install -e .`"
    )
    raise

HISTOGRAM_SLOTS: int = _service.HISTOGRAM_SLOTS
TABLE_QUANTILES: int = _service.TABLE_QUANTILES


@dataclass(frozen=True, slots=True, eq=False)
class Counters:
    """What a run measured after its warm-up. Arrays are per station (S) or per op (5).

    Attributes
    ----------
    finished : bool
        False: the load is above what the stack can take, bios piled up to ``max_flying``.
    elapsed_ns : float
    bios, most_flying, flying : int
    stations : float64 [S, 8]
        Visits done, integral of the number here (ns), of the busy servers (ns), sums of the
        sojourns and of the waits (ns), longest queue, merged visits, here at the end.
    tallies : float64 [L, 5, 10]
        Per load: count, bytes, then sum, sum of squares, least and most of the latency and of the
        submission's part of it, in ns.
    lats, clats : uint64 [L, 5, HISTOGRAM_SLOTS]
        HdrHistogram counts of the latency, and of it after submission.
    batch_ns, batch_lat_ns : float64 [B]
        Length of each batch of bios, and sum of its latencies.
    rows : float64 [n, 6]
        Recorded visits: bio, station, node, arrived, began, done (ns).
    """

    finished: bool
    elapsed_ns: float
    bios: int
    most_flying: int
    flying: int
    stations: NDArray[np.float64]
    tallies: NDArray[np.float64]
    lats: NDArray[np.uint64]
    clats: NDArray[np.uint64]
    batch_ns: NDArray[np.float64]
    batch_lat_ns: NDArray[np.float64]
    rows: NDArray[np.float64]

    @property
    def tally(self) -> NDArray[np.float64]:
        """All loads together: [5, 10]."""
        return joined(self.tallies)

    @property
    def lat(self) -> NDArray[np.uint64]:
        """All loads together: [5, HISTOGRAM_SLOTS]."""
        total: NDArray[np.uint64] = self.lats.sum(axis=0, dtype=np.uint64)
        return total

    @property
    def clat(self) -> NDArray[np.uint64]:
        """All loads together: [5, HISTOGRAM_SLOTS]."""
        total: NDArray[np.uint64] = self.clats.sum(axis=0, dtype=np.uint64)
        return total

    @property
    def visits(self) -> int:
        """Visits done, at all stations."""
        return int(self.stations[:, 0].sum())


def joined(tallies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tallies [L, 5, 10] of several loads as one [5, 10]."""
    total: NDArray[np.float64] = tallies.sum(axis=0)
    least = np.where(tallies[:, :, :1] > 0, tallies[:, :, [4, 8]], np.inf).min(axis=0)
    total[:, [4, 8]] = np.where(total[:, :1] > 0, least, 0.0)
    total[:, [5, 9]] = tallies[:, :, [5, 9]].max(axis=0)
    return total


def run(
    plan: ServicePlan,
    load: Load | Sequence[Load],
    *,
    bios: int,
    warmup: int = 0,
    batches: int = 20,
    seed: int = 0,
    max_flying: int = 1024,
    record: tuple[int, int] = (0, 0),
) -> Counters:
    """Send ``bios`` bios through the stations, after ``warmup`` that are not measured.

    Parameters
    ----------
    plan : ServicePlan
    load : Load or sequence of Load
    bios, warmup, batches : int
    seed : int
        Same inputs and seed give the same result, bit for bit.
    max_flying : int
        Most bios in flight; memory is for so many.
    record : (int, int)
        First and number of bios whose visits are kept.

    Raises
    ------
    BlockstackError
        An array, a length or an index is wrong.
    LimitExceeded
        Bios wait for each other for ever, or one took more than 73 minutes.
    """
    loads = (load,) if isinstance(load, Load) else tuple(load)
    try:
        found: dict[str, Any] = dict(
            _service.run(
                plan,
                loads,
                bios=bios,
                warmup=warmup,
                batches=batches,
                seed=seed,
                max_flying=max_flying,
                record=record,
            )
        )
    except ValueError as error:
        raise BlockstackError(str(error), path="service plan") from error
    why = found.pop("why")
    for name, several in (("tally", "tallies"), ("lat", "lats"), ("clat", "clats")):
        found[several] = found.pop(name)
    if why == "stalled":
        raise LimitExceeded(
            "nothing is left to happen: visits wait for each other", path="service plan"
        )
    if why == "beyond":
        raise LimitExceeded(
            "a bio took more than 73 minutes",
            path="load",
            hint="lower the load or the service times",
        )
    return Counters(finished=why == "finished", **found)
