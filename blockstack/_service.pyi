from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from blockstack.engine.capacity.arrays import Load, ServicePlan

HISTOGRAM_SLOTS: int
TABLE_QUANTILES: int

class _Found(TypedDict):
    why: str
    elapsed_ns: float
    bios: int
    most_flying: int
    flying: int
    stations: NDArray[np.float64]
    tally: NDArray[np.float64]
    lat: NDArray[np.uint64]
    clat: NDArray[np.uint64]
    rows: NDArray[np.float64]
    batch_ns: NDArray[np.float64]
    batch_lat_ns: NDArray[np.float64]

def run(
    plan: ServicePlan,
    loads: Sequence[Load],
    *,
    bios: int,
    warmup: int = 0,
    batches: int = 20,
    seed: int = 0,
    max_flying: int,
    record: tuple[int, int] = (0, 0),
) -> _Found: ...
