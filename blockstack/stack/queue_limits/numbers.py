"""The limits of one request queue as numbers: what it takes, where a bio is split.

Names are the kernel's (include/linux/blkdev.h, struct queue_limits). Nothing here knows devices,
kinds or files, nor which kernel it is.
"""

from math import lcm
from typing import NamedTuple

from blockstack.base.units import SECTOR_BYTES, UINT_MAX

PAGE_BYTES = 4096
PAGE_SECTORS = PAGE_BYTES // SECTOR_BYTES
SAFE_MAX_SECTORS = 255  # BLK_SAFE_MAX_SECTORS, 6.1 blkdev.h; SAFE_MAX_SECTORS, 2.6.18 blkdev.h


class Limits(NamedTuple):
    """The limits of one request queue; the defaults are those of a new queue.

    Attributes
    ----------
    logical_block_size, physical_block_size, io_min, io_opt : int
        Bytes. Kernels to 2.6.30 have the first only (``hardsect_size``).
    max_hw_sectors, max_sectors, max_dev_sectors : int
        Longest request in sectors of 512 bytes: the hardware's, the block layer's, the disk's (0:
        it has said nothing).
    max_segments, max_discard_segments, max_integrity_segments : int
        Scatter-gather entries of a request; kernels to 2.6.33 call the first
        ``max_phys_segments``.
    max_segment_size : int
        Bytes.
    seg_boundary_mask, virt_boundary_mask : int
        Addresses that a segment may not cross, and that gaps between segments must lie on (0:
        gaps do no harm).
    chunk_sectors : int
        A request may not cross a multiple of it; 0: it may.
    alignment_offset : int
        Bytes from the start to the first physical block.
    discard_granularity, discard_alignment : int
        Bytes.
    max_discard_sectors, max_hw_discard_sectors, max_write_zeroes_sectors : int
        0: the queue does not take the operation.
    dma_alignment : int
        Mask of addresses in memory.
    misaligned, discard_misaligned : int
        1: the members do not line up.
    """

    logical_block_size: int = 512
    physical_block_size: int = 512
    max_hw_sectors: int = SAFE_MAX_SECTORS
    max_sectors: int = SAFE_MAX_SECTORS
    max_dev_sectors: int = 0
    max_segments: int = 128
    max_segment_size: int = 65536
    seg_boundary_mask: int = UINT_MAX
    virt_boundary_mask: int = 0
    chunk_sectors: int = 0
    io_min: int = 512
    io_opt: int = 0
    alignment_offset: int = 0
    misaligned: int = 0
    discard_granularity: int = 0
    discard_alignment: int = 0
    discard_misaligned: int = 0
    max_discard_sectors: int = 0
    max_hw_discard_sectors: int = 0
    max_discard_segments: int = 1
    max_write_zeroes_sectors: int = 0
    max_integrity_segments: int = 0
    dma_alignment: int = 511


LIMIT_NAMES = Limits._fields
replace = Limits._replace  # replace(limits, io_opt=0): the limits with some changed


def min_not_zero(a: int, b: int) -> int:
    """The smaller one that is not zero; zero when both are."""
    return min(a, b) if a and b else a or b


def lcm_not_zero(a: int, b: int) -> int:
    """The least common multiple; the other one when one is zero (lib/math/lcm.c)."""
    return lcm(a, b) if a and b else a or b


def round_sectors(n_sectors: int, block_bytes: int) -> int:
    """6.1 blk_round_down_sectors: whole logical blocks, a page at least."""
    return max(PAGE_SECTORS, n_sectors - n_sectors % (block_bytes // SECTOR_BYTES))


def alignment_offset(limits: Limits, start_sector: int) -> int:
    """6.1 queue_limit_alignment_offset: bytes to the next preferred boundary, from a start on."""
    unit = max(limits.physical_block_size, limits.io_min)
    inside = start_sector % (unit // SECTOR_BYTES) * SECTOR_BYTES
    return (unit + limits.alignment_offset - inside) % unit


def discard_alignment(limits: Limits, start_sector: int) -> int:
    """6.1 queue_limit_discard_alignment, in bytes."""
    grain = limits.discard_granularity // SECTOR_BYTES
    if not limits.max_discard_sectors or not grain:
        return 0
    return (
        (grain + limits.discard_alignment // SECTOR_BYTES - start_sector % grain)
        % grain
        * SECTOR_BYTES
    )


def set_io_min(limits: Limits, n_bytes: int) -> Limits:
    """``blk_limits_io_min``: never less than a block."""
    return replace(
        limits, io_min=max(n_bytes, limits.logical_block_size, limits.physical_block_size)
    )


def segments_sectors(limits: Limits) -> int:
    """Most sectors that ``max_segments`` leave to a bio when every page of it lies apart in
    memory: the worst case, and what small pages are after some uptime."""
    block = limits.logical_block_size // SECTOR_BYTES
    n_sectors = limits.max_segments * PAGE_SECTORS
    return n_sectors - n_sectors % block


def max_io_sectors(limits: Limits, sector: int) -> int:
    """``get_max_io_size`` (6.1 block/blk-merge.c): sectors that a bio at ``sector`` may have.

    The end is put on a physical block if the bio reaches one, else on a logical block.
    """
    physical = limits.physical_block_size // SECTOR_BYTES
    most = limits.max_sectors
    if limits.chunk_sectors:
        most = min(most, limits.chunk_sectors - sector % limits.chunk_sectors)
    start = sector & (physical - 1)
    end = (start + most) & ~(physical - 1)
    if end > start:
        return end - start
    return most & ~(limits.logical_block_size // SECTOR_BYTES - 1)


def max_discard_grain(limits: Limits) -> tuple[int, int, int]:
    """Sectors of the longest discard, its granularity and alignment (6.1 bio_split_discard)."""
    grain = max(limits.discard_granularity // SECTOR_BYTES, 1)
    block = limits.logical_block_size
    most = min(limits.max_discard_sectors, (UINT_MAX - UINT_MAX % block) // SECTOR_BYTES)
    return most - most % grain, grain, limits.discard_alignment // SECTOR_BYTES % grain
