from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

class Calls:
    rows: NDArray[np.uint32]
    callees: NDArray[np.uint32]
    kept: NDArray[np.int32]

    def __init__(
        self, rows: NDArray[np.uint32], callees: NDArray[np.uint32], kept: NDArray[np.int32]
    ) -> None: ...

class Narrowed:
    def __init__(
        self,
        calls: Calls,
        *,
        cut: NDArray[np.uint8],
        how: NDArray[np.uint8],
        ends: NDArray[np.int32],
        begins: NDArray[np.uint64] | None,
        forbids: NDArray[np.uint64] | None,
        callers: NDArray[np.uint32],
        again: NDArray[np.int32],
        rows: NDArray[np.uint32],
        callees: NDArray[np.uint32],
        kept: NDArray[np.int32],
        order: NDArray[np.int64],
        states: NDArray[np.uint64],
    ) -> None: ...
    def longest(
        self,
        start: int,
        goal: int | None,
        avoid: NDArray[np.uint32],
        walks: Callable[
            [
                Sequence[tuple[int, int]],
                Sequence[Sequence[tuple[int, int]]],
                Sequence[int],
            ],
            Sequence[tuple[int, list[int]] | None],
        ],
    ) -> list[tuple[int, int]] | None: ...
    def reaches(self, start: int, goal: int, avoid: NDArray[np.uint32]) -> bool: ...
