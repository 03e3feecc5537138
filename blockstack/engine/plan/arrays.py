"""The numeric plan: what a stack, a kernel and a rule become before any bio moves.

The core, the C yardstick of the benchmarks and the plain-Python twin of the tests
all read these arrays and nothing else.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blockstack.base.registry import OPS as OP_NAMES
from blockstack.base.registry import RULES as RULE_NAMES
from blockstack.workload.draw import DrawSpec

__all__ = ["NOPS", "OP_NAMES", "RULE_NAMES", "DrawSpec", "IrqSpec", "PlanArrays"]

READ, WRITE, FLUSH, DISCARD, FUA = range(5)
NOPS = 5

RECURSIVE, FIFO, TWO_LIST, LIFO = range(4)

LOOP, FRONT, REST, REST_MAPPED = range(4)
CALLER, WORKER = range(2)
#: how a queue's limits split a bio, see `PlanArrays.limit`
NO_LIMIT, LIMIT_REST, LIMIT_FRONT, LIMIT_DISCARD = range(4)
#: numbers in a row of `PlanArrays.limit`
NLIMITS = 6


class LimitRow(NamedTuple):
    """How a queue splits bios of one operation, in sectors; `PlanArrays` tells more."""

    most: int  # the longest piece
    memory: int  # what the segments allow; 0: anything
    chunk: int  # no piece crosses a multiple; 0: none
    physical: int  # block, a power of two
    logical: int  # block, a power of two
    how: int  # NO_LIMIT .. LIMIT_DISCARD


class PlanArrays(NamedTuple):
    """Positions (P), tasks (T), children (C), segments (S) and roots (R) as C-contiguous arrays.

    A position is a device as it is reached on one path prefix in one task. Positions are
    numbered parents before children. Sectors have 512 bytes.

    A row of ``limit``, per position and operation, is a `LimitRow`. LIMIT_REST is
    get_max_io_size (6.1 block/blk-merge.c): the rest is given back before the front goes on.
    LIMIT_FRONT is dm's max_io_len: neither block counts, the front goes on first. LIMIT_DISCARD
    is bio_split_discard: chunk is the granularity, physical its alignment.
    """

    op_kind: NDArray[np.uint8]  # [P] a number of `mappings`
    split: NDArray[np.uint8]  # [P] LOOP .. REST_MAPPED
    immediate: NDArray[np.uint8]  # [P] 1: an uncut remap goes on in the same frame
    queue: NDArray[np.int32]  # [P] request queue identity
    task: NDArray[np.int32]  # [P]
    limit: NDArray[np.int64]  # [P*NOPS*6] a `LimitRow`
    context: NDArray[np.uint8]  # [P*NOPS] CALLER or WORKER
    through: NDArray[np.int32]  # [P*NOPS] bytes, entry to the nested submit
    peak: NDArray[np.int32]  # [P*NOPS] bytes, entry to the deepest local point
    self_bytes: NDArray[np.int32]  # [P] bytes per self-call level of a driver that loops
    child_start: NDArray[np.int32]  # [P+1]
    child: NDArray[np.int32]  # [C] position in the same task, -1: never used
    wchild: NDArray[np.int32]  # [C] position in the worker's task, -1: never used
    child_offset: NDArray[np.int64]  # [C] sectors added on the way down
    seg_start: NDArray[np.int32]  # [P+1]
    seg_begin: NDArray[np.int64]  # [S]
    seg_end: NDArray[np.int64]  # [S]
    seg_first: NDArray[np.int32]  # [S] index into child
    seg_width: NDArray[np.int32]  # [S] 1: linear
    seg_chunk: NDArray[np.int64]  # [S] sectors; 0: nothing is cut inside
    mapping: NDArray[np.int64]  # [P*8] a record of `mappings.ROWS`, zeros after it
    roots: NDArray[np.int32]  # [R]
    root_threshold: NDArray[np.uint32]  # [R] cumulative
    rule: NDArray[np.uint8]  # [NOPS]
    entry: NDArray[np.int32]  # [R*NOPS] bytes in use when the source submits
    task_entry: NDArray[np.int32]  # [T] bytes in use when the task's outermost call is entered
    task_limit: NDArray[np.int32]  # [T] usable bytes


class IrqSpec(NamedTuple):
    """Interrupts that strike the running stack: probability per hop and bytes by class."""

    per_hop: float
    bytes: NDArray[np.int32]  # [K]
    threshold: NDArray[np.uint32]  # [K] cumulative
