"""The compiled core's only importer: typed counters, and errors in the house's form."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blockstack.base.errors import BlockstackError, LimitExceeded
from blockstack.engine.plan.arrays import DrawSpec, IrqSpec, PlanArrays

try:
    from blockstack import _core
except ImportError as error:
    error.add_note(
        "blockstack's compiled core is not beside this package. In a checkout, Python picks the "
        "uncompiled folder: run `pip install -e .`, or start Python from another directory."
    )
    raise


class Columns(NamedTuple):
    """Explicit bios: bio *i* is row *i*. A flush has sector 0 and no sectors."""

    op: NDArray[np.uint8]
    sector: NDArray[np.int64]
    nr_sectors: NDArray[np.int64]
    root: NDArray[np.int32]  # index into PlanArrays.roots


class Call(NamedTuple):
    """One make_request call of a replayed bio; depths in bytes."""

    task: int
    position: int
    op: int
    sector: int
    nr: int
    depth_at_entry: int
    own_depth: int
    nesting: int
    parent: int  # number of the call that emitted this bio, -1 for the source


@dataclass(frozen=True, slots=True, eq=False)
class RunCounters:
    """What a range of bios did. Ranges of one workload add up with `merge`."""

    bios: int
    splits: int
    jobs: int
    peak_pending: int
    peak_jobs: int
    peak_nesting: int
    irq_strikes: int
    irq_overflows: int
    irq_peak: int  # bytes
    visits: NDArray[np.uint64]  # [P*NOPS] calls per position and op
    sectors: NDArray[np.uint64]  # [P] sectors that reached each leaf
    overflows: NDArray[np.uint64]  # [T] calls deeper than the task's limit
    peak_bytes: NDArray[np.int64]  # [T] 0 when the task never ran
    peak_bio: NDArray[np.int64]  # [T] first source bio at the peak, -1: never ran

    @property
    def hops(self) -> int:
        """Number of make_request calls, immediate remaps included."""
        return int(self.visits.sum())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunCounters):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def merge(self, later: "RunCounters") -> "RunCounters":
        """Counters of both ranges; of equal peaks the lower bio stays."""
        never, ran = self.peak_bio < 0, later.peak_bio >= 0
        deeper = ran & (never | (later.peak_bytes > self.peak_bytes))
        lower = ran & ~never & (later.peak_bytes == self.peak_bytes)
        bio = np.where(deeper, later.peak_bio, self.peak_bio)
        return RunCounters(
            bios=self.bios + later.bios,
            splits=self.splits + later.splits,
            jobs=self.jobs + later.jobs,
            peak_pending=max(self.peak_pending, later.peak_pending),
            peak_jobs=max(self.peak_jobs, later.peak_jobs),
            peak_nesting=max(self.peak_nesting, later.peak_nesting),
            irq_strikes=self.irq_strikes + later.irq_strikes,
            irq_overflows=self.irq_overflows + later.irq_overflows,
            irq_peak=max(self.irq_peak, later.irq_peak),
            visits=self.visits + later.visits,
            sectors=self.sectors + later.sectors,
            overflows=self.overflows + later.overflows,
            peak_bytes=np.where(deeper, later.peak_bytes, self.peak_bytes),
            peak_bio=np.where(lower, np.minimum(bio, later.peak_bio), bio),
        )


def merged(parts: Iterable[RunCounters]) -> RunCounters:
    """Counters of consecutive ranges, added up."""
    return reduce(RunCounters.merge, parts)


def _house_error(error: Exception) -> BlockstackError:
    """The core's complaint as one of ours; the core puts the field's name before a colon."""
    if isinstance(error, RecursionError):
        return LimitExceeded(str(error), path="plan", hint="use a serialised submission rule")
    return BlockstackError(str(error), path="plan")


def run(
    arrays: PlanArrays,
    source: DrawSpec | Columns,
    *,
    first: int = 0,
    count: int,
    threads: int = 1,
    irq: IrqSpec | None = None,
) -> RunCounters:
    """Send source bios ``[first, first + count)`` down a plan and count.

    Parameters
    ----------
    arrays : PlanArrays
        The plan.
    source : DrawSpec or Columns
        Drawn bios, or explicit ones.
    first, count : int
        Range of bios; slices of a long run give a progress bar and add up with `merged`.
    threads : int
        The range is cut in this many parts; the counters do not depend on it.
    irq : IrqSpec or None
        Interrupts on the running stack.

    Returns
    -------
    RunCounters

    Raises
    ------
    BlockstackError
        An array, a length or an index is wrong.
    LimitExceeded
        More than 100,000 nested calls.
    MemoryError
        A list of bios cannot grow.
    """
    try:
        counters = _core.run(arrays, source, first=first, count=count, threads=threads, irq=irq)
    except (ValueError, RecursionError) as error:
        raise _house_error(error) from error
    return RunCounters(**counters)


def replay(arrays: PlanArrays, source: DrawSpec | Columns, index: int) -> list[Call]:
    """The driver calls that source bio ``index`` causes, in the order in which they are entered.

    Parameters
    ----------
    arrays : PlanArrays
        The plan.
    source : DrawSpec or Columns
        The workload; the bio is the one that `run` counts under the same number.
    index : int
        Number of the source bio.

    Returns
    -------
    list of Call
        Jobs come after the calls of the task that handed them over.

    Raises
    ------
    BlockstackError
        As for `run`.
    """
    try:
        rows: list[Any] = list(_core.replay(arrays, source, index))
    except (ValueError, RecursionError) as error:
        raise _house_error(error) from error
    return [Call(*row) for row in rows]


def replays(
    arrays: PlanArrays, source: DrawSpec | Columns, bios: Sequence[int]
) -> Iterator[list[Call]]:
    """`replay` of each of ``bios``, one after the other; the plan is checked once."""
    try:
        for rows in _core.replays(arrays, source, bios):
            yield [Call(*row) for row in rows]
    except (ValueError, RecursionError) as error:
        raise _house_error(error) from error
