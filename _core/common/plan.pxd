# The numeric plan: what a stack on a kernel becomes before any bio moves. Positions, bytes and
# sectors; no names, no kernels. blockstack/engine/plan/arrays.py has the same columns and numbers
# for Python, and tests/core/test_contract.py compares the two.

from common.numbers cimport i32, i64, u8, u32, u64
from common.rows cimport LimitRow, MappingRow

cdef enum:              # what becomes of a bio that a driver submits
    RECURSIVE = 0
    FIFO = 1
    TWO_LIST = 2
    LIFO = 3

cdef enum:              # what a position does with a bio (PlanArrays.op_kind)
    LEAF = 0
    REMAP = 1
    SEGMENTS = 2
    MIRROR = 3
    RAID10 = 4
    RAID456 = 5
    SNAPSHOT_ORIGIN = 6
    SNAPSHOT = 7
    PATHS = 8           # every bio takes one of the children
    CACHE = 9           # origin and cache
    NMAPPINGS = 10

cdef enum:              # how a call whose bio straddles a boundary emits the parts
    LOOP = 0
    FRONT = 1
    REST = 2
    REST_MAPPED = 3

cdef enum:              # whose task hands on what a position emits
    CALLER = 0
    WORKER = 1

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
