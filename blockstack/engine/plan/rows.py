"""Rows of the plan whose words have a meaning of their own: per mapping, and of a queue's limits.

`_core/common/rows.pxd` has the same records as structs over the same words.
"""

from typing import NamedTuple

from blockstack.engine.plan.arrays import CACHE, RAID10, RAID456, SNAPSHOT, SNAPSHOT_ORIGIN

#: words of a mapping's row, whatever the mapping
ROW_WORDS = 8
#: flags of a `ParityRow`
FULL_STRIPE_IN_CALLER, ALIGNED_READ, READ_IN_CALLER = 1, 2, 4
#: what a write does at a cache
WRITE_BACK, WRITE_THROUGH, WRITE_AROUND = range(3)
#: what a cache's worker does: a miss fills it, what was written is drained
FILLED, DRAINED = 1, 2
#: shares of blocks are numbers up to this
WHOLE = 2**32 - 1


class ParityRow(NamedTuple):
    """md's and dm's raid4/5/6, through the stripe cache."""

    disks: int
    parity: int  # members that hold P and Q of a stripe
    chunk: int  # sectors
    level: int  # 4: parity on the last member; 5, 6: left-symmetric
    rmw: int  # read-modify-write is allowed
    failed: int  # a bit per member
    flags: int  # FULL_STRIPE_IN_CALLER | ALIGNED_READ | READ_IN_CALLER

    @property
    def bypassed(self) -> bool:
        """Whether every read is cut at its chunks and goes past the stripe cache."""
        return bool(self.flags & ALIGNED_READ) and not self.failed


class CopiesRow(NamedTuple):
    """md raid10, and what maps likewise."""

    disks: int
    near: int  # copies side by side
    far: int  # copies one stride, or one chunk, further down
    offset: int  # far copies lie in the next chunk
    chunk: int  # sectors
    stride: int  # sectors


class SnapshotRow(NamedTuple):
    """dm-snapshot and its origin."""

    chunk: int  # sectors
    copied: int  # of WHOLE: chunks that are copied out already


class CacheRow(NamedTuple):
    """An origin and a cache before it."""

    block: int  # sectors
    hits: int  # of WHOLE: blocks that a read finds in the cache
    writes: int  # WRITE_BACK .. WRITE_AROUND
    worker: int  # FILLED | DRAINED


class LimitRow(NamedTuple):
    """How a queue splits bios of one operation, in sectors; `PlanArrays` tells more."""

    most: int  # the longest piece
    memory: int  # what the segments allow; 0: anything
    chunk: int  # no piece crosses a multiple; 0: none
    physical: int  # block, a power of two
    logical: int  # block, a power of two
    how: int  # NO_LIMIT .. LIMIT_DISCARD


MappingRow = ParityRow | CopiesRow | SnapshotRow | CacheRow
#: which record a position's row is; other mappings have none
ROWS: dict[int, type[MappingRow]] = {
    RAID456: ParityRow,
    RAID10: CopiesRow,
    SNAPSHOT_ORIGIN: SnapshotRow,
    SNAPSHOT: SnapshotRow,
    CACHE: CacheRow,
}


def words(row: MappingRow | None) -> tuple[int, ...]:
    """A mapping's row as the plan has it: so many words, zeros at the end."""
    used = () if row is None else tuple(row)
    return used + (0,) * (ROW_WORDS - len(used))
