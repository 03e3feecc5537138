# The numeric plan: what a stack on a kernel becomes before any bio moves. Positions, bytes and
# sectors; no names, no kernels. blockstack/engine/plan/arrays.py has the same columns and numbers
# for Python, and tests/core/test_contract.py compares the two.

from common.numbers cimport i32, i64, u8, u32, u64
from common.mappings cimport MappingRow

cdef enum:              # what becomes of a bio that a driver submits
    RECURSIVE = 0
    FIFO = 1
    TWO_LIST = 2
    LIFO = 3

cdef enum:              # how a call whose bio straddles a boundary emits the parts
    LOOP = 0
    FRONT = 1
    REST = 2
    REST_MAPPED = 3

cdef enum:              # whose task hands on what a position emits
    CALLER = 0
    WORKER = 1

cdef struct LimitRow:           # of one position and operation, in sectors
    i64 most                    # the longest piece
    i64 memory                  # what the segments allow; 0: anything
    i64 chunk                   # no piece crosses a multiple; 0: none. LIMIT_DISCARD: granularity
    i64 physical                # block, a power of two. LIMIT_DISCARD: the granularity's alignment
    i64 logical                 # block, a power of two
    i64 how                     # NO_LIMIT .. LIMIT_DISCARD

cdef enum:              # how a queue's limits split a bio
    NO_LIMIT = 0
    LIMIT_REST = 1              # the rest is given back before the front goes on
    LIMIT_FRONT = 2             # the front goes on first
    LIMIT_DISCARD = 3

cdef struct Plan:               # borrowed pointers into the checked numpy arrays
    Py_ssize_t P
    Py_ssize_t T
    Py_ssize_t R
    const u8 *op_kind
    const u8 *split
    const u8 *immediate
    const i32 *queue
    const i32 *task
    const LimitRow *limit
    const u8 *context
    const i32 *through
    const i32 *peak
    const i32 *self_bytes
    const i32 *child_start
    const i32 *child
    const i32 *wchild
    const i64 *child_offset
    const i32 *seg_start
    const i64 *seg_begin
    const i64 *seg_end
    const i32 *seg_first
    const i32 *seg_width
    const i64 *seg_chunk
    const MappingRow *mapping
    const i32 *roots
    const u32 *root_threshold
    const u8 *rule
    const i32 *entry
    const i32 *task_entry
    const i32 *task_limit
    const i32 *entry_class      # [R] roots with the same entry bytes share a class
    Py_ssize_t classes
    u64 reach                   # no sector in this run is above this
