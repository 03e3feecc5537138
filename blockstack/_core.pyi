from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from blockstack.engine.plan.arrays import DrawSpec, IrqSpec, PlanArrays

_Columns = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]
_Call = tuple[int, int, int, int, int, int, int, int, int]

class _Counters(TypedDict):
    bios: int
    splits: int
    jobs: int
    peak_pending: int
    peak_jobs: int
    peak_nesting: int
    irq_strikes: int
    irq_overflows: int
    irq_peak: int
    visits: NDArray[np.uint64]
    sectors: NDArray[np.uint64]
    overflows: NDArray[np.uint64]
    peak_bytes: NDArray[np.int64]
    peak_bio: NDArray[np.int64]

def run(
    arrays: PlanArrays,
    source: DrawSpec | _Columns,
    *,
    first: int = 0,
    count: int,
    threads: int = 1,
    irq: IrqSpec | None = None,
) -> _Counters: ...
def replay(arrays: PlanArrays, source: DrawSpec | _Columns, index: int) -> list[_Call]: ...
def replays(
    arrays: PlanArrays, source: DrawSpec | _Columns, bios: Sequence[int]
) -> Iterator[list[_Call]]: ...
