"""What a position does with a bio: each mapping's number, its row of numbers, what follows from it.

`_core/common/mappings.pxd` has the same numbers, and the same records as structs over the same
words. A row says three things to whoever counts bios: at which multiple of sectors the driver
itself cuts (`grain`; 0: nowhere), how long a bio a member is given (`given`), and how often a piece
goes down, and whether to all members or to one of them (`copies`).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from blockstack.engine.plan.arrays import DISCARD, FLUSH, READ
from blockstack.kinds import Calls
from blockstack.stack import Device

NMAPPINGS = 10
(LEAF, REMAP, SEGMENTS, MIRROR, RAID10, RAID456, SNAPSHOT_ORIGIN, SNAPSHOT, PATHS, CACHE) = range(
    NMAPPINGS
)
#: the data decide, not the operation, if a bio goes on in the caller or in the worker
BY_DATA = frozenset((RAID456, SNAPSHOT_ORIGIN, SNAPSHOT, CACHE))
#: words of a mapping's row, whatever the mapping
ROW_WORDS = 8
#: flags of a `ParityRow`
FULL_STRIPE_IN_CALLER, ALIGNED_READ, READ_IN_CALLER, JOINED_WRITES = 1, 2, 4, 8
#: what a write does at a cache
WRITE_BACK, WRITE_THROUGH, WRITE_AROUND = range(3)
#: what a cache's worker does: a miss fills it, what was written is drained
FILLED, DRAINED = 1, 2
#: shares of blocks are numbers up to this
WHOLE = 2**32 - 1
#: the stripe cache's block, in sectors: a page
_BLOCK = 8


class ParityRow(NamedTuple):
    """md's and dm's raid4/5/6, through the stripe cache."""

    disks: int
    parity: int  # members that hold P and Q of a stripe
    chunk: int  # sectors
    level: int  # 4: parity on the last member; 5, 6: left-symmetric
    rmw: int  # read-modify-write is allowed
    failed: int  # a bit per member
    flags: int  # FULL_STRIPE_IN_CALLER | ALIGNED_READ | READ_IN_CALLER | JOINED_WRITES
    row: int = 0  # sectors that are handled as one; 0: a page, as the kernel does

    @property
    def bypassed(self) -> bool:
        """Whether every read is cut at its chunks and goes past the stripe cache."""
        return bool(self.flags & ALIGNED_READ) and not self.failed

    def grain(self, op: int) -> int:
        """A bypassed read is cut at chunks."""
        return self.chunk if op == READ and self.bypassed else 0

    def given(self, op: int, n_sectors: int) -> int:
        """Blocks of the stripe cache, unless the bio itself goes to the member."""
        if op == READ and self.bypassed:
            return n_sectors
        block = self.row or _BLOCK
        return min(block, n_sectors) if op == FLUSH else block

    def copies(self, op: int, n_sectors: int) -> tuple[int, bool]:
        """A write, and a read that rebuilds, read and write blocks of every member."""
        if op in (FLUSH, DISCARD) or (op == READ and self.bypassed):
            return 1, op == FLUSH
        blocks = n_sectors // (self.row or _BLOCK) + 2
        return (2 * blocks, True) if op != READ or self.failed else (blocks, False)


class CopiesRow(NamedTuple):
    """md raid10, and what maps likewise."""

    disks: int
    near: int  # copies side by side
    far: int  # copies one stride, or one chunk, further down
    offset: int  # far copies lie in the next chunk
    chunk: int  # sectors
    stride: int  # sectors

    def grain(self, op: int) -> int:
        """A chunk, whatever the operation."""
        return self.chunk

    def given(self, op: int, n_sectors: int) -> int:
        """The piece itself."""
        return n_sectors

    def copies(self, op: int, n_sectors: int) -> tuple[int, bool]:
        """One for a read; a flush goes to every member."""
        return (1, op == FLUSH) if op in (READ, FLUSH) else (self.near * self.far, False)


class SnapshotRow(NamedTuple):
    """dm-snapshot and its origin."""

    chunk: int  # sectors
    copied: int  # of WHOLE: chunks that are copied out already

    def grain(self, op: int) -> int:
        """A chunk, whatever the operation."""
        return self.chunk

    def given(self, op: int, n_sectors: int) -> int:
        """The whole chunk is copied."""
        return n_sectors if op == FLUSH else max(n_sectors, self.chunk)

    def copies(self, op: int, n_sectors: int) -> tuple[int, bool]:
        """The bio and the copy."""
        return (1, True) if op == FLUSH else (2, True)


class CacheRow(NamedTuple):
    """An origin and a cache before it."""

    block: int  # sectors
    hits: int  # of WHOLE: blocks that a read finds in the cache
    writes: int  # WRITE_BACK .. WRITE_AROUND
    worker: int  # FILLED | DRAINED

    def grain(self, op: int) -> int:
        """A block, whatever the operation."""
        return self.block

    def given(self, op: int, n_sectors: int) -> int:
        """The whole block is copied."""
        return n_sectors if op == FLUSH else max(n_sectors, self.block)

    def copies(self, op: int, n_sectors: int) -> tuple[int, bool]:
        """The bio and the copy."""
        return (1, True) if op == FLUSH else (2, True)


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


_CACHE_WRITES = {
    "writeback": WRITE_BACK,
    "writethrough": WRITE_THROUGH,
    "writearound": WRITE_AROUND,
}
_PARITY = {
    f"{owner}-raid{level}": (level, 2 if level == 6 else 1)
    for owner in ("md", "dm")
    for level in (4, 5, 6)
}


def _own_copies(device: Device, calls: Calls) -> CopiesRow:
    return copies_row(device.geometry)


def copies_row(g: Mapping[str, int]) -> CopiesRow:
    """The layout of an md raid10, or of a file system that maps likewise."""
    return CopiesRow(
        disks=g["disks"],
        near=g["near_copies"],
        far=g["far_copies"],
        offset=g["far_offset"],
        chunk=g["chunk_sectors"],
        stride=g["stride_sectors"],
    )


def _parity(device: Device, calls: Calls) -> ParityRow:
    level, parity = _PARITY[device.kind]
    own = calls.parity
    assert own is not None  # a kind of this mapping has it in every generation
    bypass = own.aligned_read and (own.aligned_read_degraded or not device.failed)
    return ParityRow(
        disks=len(device.on),
        parity=parity,
        chunk=device.params["chunk"],
        level=level,
        rmw=int(own.rmw),
        failed=sum(1 << i for i in device.failed),
        flags=FULL_STRIPE_IN_CALLER * own.full_stripe_in_caller
        + ALIGNED_READ * bypass
        + READ_IN_CALLER * own.read_in_caller,
    )


def _snapshot(device: Device, calls: Calls) -> SnapshotRow:
    return SnapshotRow(device.params["chunk"], round(device.params["copied"] * WHOLE))


def _cache(device: Device, calls: Calls) -> CacheRow:
    cache = calls.cache
    assert cache is not None  # a kind of this mapping has one in every generation
    return CacheRow(
        device.params["block"],
        round(device.params["hits"] * WHOLE),
        _CACHE_WRITES[cache.writes],
        FILLED * cache.filled + DRAINED * cache.drained,
    )


def _none(device: Device, calls: Calls) -> None:
    """A mapping without numbers of its own."""


#: a kind's word for its mapping: its number, and how a device on a kernel makes its row
MAPPINGS: Mapping[str, tuple[int, Callable[[Device, Calls], MappingRow | None]]] = {
    "leaf": (LEAF, _none),
    "remap": (REMAP, _none),
    "segments": (SEGMENTS, _none),
    "stripe": (SEGMENTS, _none),
    "mirror": (MIRROR, _none),
    "raid10": (RAID10, _own_copies),
    "raid456": (RAID456, _parity),
    "snapshot-origin": (SNAPSHOT_ORIGIN, _snapshot),
    "snapshot": (SNAPSHOT, _snapshot),
    "paths": (PATHS, _none),
    "cache": (CACHE, _cache),
}
