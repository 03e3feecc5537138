# What a position does with a bio: a number each, and the row of those mappings that have numbers of
# their own. blockstack/engine/plan/mappings.py has the same for Python.

from common.numbers cimport i64

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

cdef enum:
    ROW_WORDS = 8               # of a mapping's row, whatever the mapping

cdef struct ParityRow:          # RAID456
    i64 disks
    i64 parity                  # members that hold P and Q of a stripe
    i64 chunk                   # sectors
    i64 level                   # 4: parity on the last member; 5, 6: left-symmetric
    i64 rmw                     # read-modify-write is allowed
    i64 failed                  # a bit per member
    i64 flags                   # FULL_STRIPE_IN_CALLER | .. | JOINED_WRITES
    i64 row                     # sectors that are handled as one; 0: 8, a page, as the kernel does

cdef enum:
    FULL_STRIPE_IN_CALLER = 1   # a write of a whole stripe is issued by the caller
    ALIGNED_READ = 2            # a read inside one chunk goes past the stripe cache
    READ_IN_CALLER = 4          # a read through the stripe cache is issued by the caller
    JOINED_WRITES = 8           # a write finds the rest of its stripe in the stripe cache

cdef struct CopiesRow:          # RAID10
    i64 disks
    i64 near                    # copies side by side
    i64 far                     # copies one stride, or one chunk, further down
    i64 offset                  # far copies lie in the next chunk
    i64 chunk                   # sectors
    i64 stride                  # sectors

cdef struct SnapshotRow:        # SNAPSHOT_ORIGIN, SNAPSHOT
    i64 chunk                   # sectors
    i64 copied                  # of 2**32 - 1: chunks that are copied out already

cdef struct CacheRow:           # CACHE
    i64 block                   # sectors
    i64 hits                    # of 2**32 - 1: blocks that a read finds in the cache
    i64 writes                  # WRITE_BACK .. WRITE_AROUND
    i64 worker                  # FILLED | DRAINED

cdef enum:              # where a write goes
    WRITE_BACK = 0
    WRITE_THROUGH = 1
    WRITE_AROUND = 2

cdef enum:              # what the worker does afterwards
    FILLED = 1                  # a read that misses is then written to the cache
    DRAINED = 2                 # what is written to the cache is then copied to the origin

cdef union MappingRow:          # of one position: op_kind tells which, the other kinds have none
    i64 words[ROW_WORDS]
    ParityRow parity
    CopiesRow copies
    SnapshotRow snapshot
    CacheRow cache
