"""Queue limits as numbers: what a queue takes, how two queues stack, where a bio is split.

Names are the kernel's (include/linux/blkdev.h, struct queue_limits). Nothing here knows devices,
kinds or files; `blockstack.stack.limit_tree` puts a stack's limits together with these rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import gcd, lcm
from typing import NamedTuple

from blockstack.base.errors import ConfigError
from blockstack.base.units import SECTOR_BYTES

UINT_MAX = 2**32 - 1
USHRT_MAX = 2**16 - 1
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
#: what a queue of 2.6.18 and 2.6.24 has (request_queue, include/linux/blkdev.h)
OLD_NAMES = (
    "logical_block_size",
    "max_hw_sectors",
    "max_sectors",
    "max_segments",
    "max_segment_size",
    "seg_boundary_mask",
)


@dataclass(frozen=True)
class StackRules:
    """How one kernel generation stacks limits.

    Attributes
    ----------
    source : str
        The kernel whose code was read.
    names : tuple of str
        Limits that its queues have.
    def_max_sectors : int
        BLK_DEF_MAX_SECTORS: the block layer's own cap of ``max_sectors``.
    topology : bool
        ``blk_stack_limits`` (2.6.31 and later): alignment, io_min, io_opt, discards.
    modulo : bool
        Alignment by remainder; before 4.x by mask, which only holds for powers of two.
    chunk : {"", "min", "gcd"}
        How ``chunk_sectors`` stacks, if at all.
    rounds : bool
        Lengths are rounded down to the logical block, to a page at least.
    dma : bool
        ``dma_alignment`` is a limit that stacks.
    hw_discard, discard_misaligned : bool
        Whether ``max_hw_discard_sectors`` and ``discard_misaligned`` stack.
    validates : bool
        blk_validate_limits settles what is stacked (6.9 and later): ``max_sectors`` follows from
        the other limits.
    start : mapping
        Limits with which a stacked device begins, where they are not a new queue's.
    """

    source: str
    names: tuple[str, ...]
    def_max_sectors: int
    topology: bool = True
    modulo: bool = True
    chunk: str = ""
    rounds: bool = False
    dma: bool = False
    hw_discard: bool = True
    discard_misaligned: bool = True
    validates: bool = False
    start: Mapping[str, int] = field(default_factory=dict)


_OPEN = {
    "max_segments": USHRT_MAX,
    "max_hw_sectors": UINT_MAX,
    "max_segment_size": UINT_MAX,
    "max_sectors": UINT_MAX,
}
_NO_41 = {
    "virt_boundary_mask",
    "max_dev_sectors",
    "max_discard_segments",
    "max_write_zeroes_sectors",
    "chunk_sectors",
    "dma_alignment",
    "max_hw_discard_sectors",
}
_OPEN_419 = _OPEN | {
    "max_dev_sectors": UINT_MAX,
    "max_discard_segments": USHRT_MAX,
    "max_write_zeroes_sectors": UINT_MAX,
}

#: by the kernel whose source was read, oldest first
RULES: Mapping[str, StackRules] = {
    # block/ll_rw_blk.c blk_queue_stack_limits; drivers/md/dm-table.c combine_restrictions_low
    "2.6.18": StackRules("2.6.18 ll_rw_blk.c, dm-table.c", OLD_NAMES, 1024, topology=False),
    "2.6.24": StackRules("2.6.24 ll_rw_blk.c, dm-table.c", OLD_NAMES, 1024, topology=False),
    "3.10": StackRules(
        "3.10 blk-settings.c",
        tuple(n for n in LIMIT_NAMES if n not in _NO_41),
        1024,
        modulo=False,
        hw_discard=False,
        start=_OPEN,
    ),
    # a 4.19 tree was read; a captured 4.16 host agrees with it
    "4.16": StackRules(
        "4.19 blk-settings.c",
        tuple(n for n in LIMIT_NAMES if n != "dma_alignment"),
        2560,
        chunk="min",
        start=_OPEN_419,
    ),
    "6.1": StackRules(
        "6.1.192 blk-settings.c",
        LIMIT_NAMES,
        2560,
        chunk="gcd",
        rounds=True,
        dma=True,
        start=_OPEN_419,
    ),
    "6.12": StackRules(
        "6.12.117 blk-settings.c",
        tuple(n for n in LIMIT_NAMES if n != "discard_misaligned"),
        2560,
        chunk="gcd",
        rounds=True,
        dma=True,
        discard_misaligned=False,
        validates=True,
        start=_OPEN_419 | {"discard_granularity": 512},
    ),
}


def rules_for(version: str) -> StackRules:
    """The rules of a kernel: those of the newest one read that is not newer.

    Parameters
    ----------
    version : str
        ``"2.6.18"``, ``"4.16.15-200.fc27.x86_64"`` ...

    Raises
    ------
    ConfigError
        Not a version, or older than the oldest kernel that was read.
    """
    wanted = _number(version)
    found = [name for name in RULES if _number(name) <= wanted]
    if not wanted or not found:
        raise ConfigError(
            "no queue limits are known for this kernel",
            path="kernel",
            value=version,
            hint=f"from {next(iter(RULES))} on",
        )
    return RULES[found[-1]]


def _number(version: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in version.split("-", maxsplit=1)[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def start_limits(rules: StackRules) -> Limits:
    """The limits of a stacked device before any lower device is added: 6.1
    blk_set_stacking_limits; 2.6 md begins with a new queue's (blk_queue_make_request)."""
    return replace(Limits(), **rules.start)


def min_not_zero(a: int, b: int) -> int:
    """The smaller one that is not zero; zero when both are."""
    return min(a, b) if a and b else a or b


def lcm_not_zero(a: int, b: int) -> int:
    """The least common multiple; the other one when one is zero (lib/math/lcm.c)."""
    return lcm(a, b) if a and b else a or b


def round_sectors(n_sectors: int, block_bytes: int) -> int:
    """6.1 blk_round_down_sectors: whole logical blocks, a page at least."""
    return max(PAGE_SECTORS, n_sectors - n_sectors % (block_bytes // SECTOR_BYTES))


def stack_limits(top: Limits, bottom: Limits, start_sector: int, rules: StackRules) -> Limits:
    """``blk_stack_limits``: the limits of ``top`` once it also stands on ``bottom``.

    Parameters
    ----------
    top, bottom : Limits
    start_sector : int
        Where the data begin on the lower disk.
    rules : StackRules

    Returns
    -------
    Limits
        ``misaligned`` is 1 when no common alignment exists; the kernel warns and goes on.
    """
    if not rules.topology:
        return _stack_old(top, bottom)
    names = [
        "max_sectors",
        "max_hw_sectors",
        "max_dev_sectors",
        "seg_boundary_mask",
        "virt_boundary_mask",
        "max_segments",
        "max_discard_segments",
        "max_integrity_segments",
        "max_segment_size",
    ]
    values = {name: min_not_zero(getattr(top, name), getattr(bottom, name)) for name in names}
    values["max_write_zeroes_sectors"] = min(
        top.max_write_zeroes_sectors, bottom.max_write_zeroes_sectors
    )
    values |= _aligned(top, bottom, start_sector, rules)
    if rules.dma:
        values["dma_alignment"] = max(top.dma_alignment, bottom.dma_alignment)
    if rules.rounds:
        for name in ("max_sectors", "max_hw_sectors", "max_dev_sectors"):
            values[name] = round_sectors(values[name], values["logical_block_size"])
    if bottom.discard_granularity:
        values |= _discards(top, bottom, start_sector, rules)
    return replace(top, **values)


def _stack_old(top: Limits, bottom: Limits) -> Limits:
    """2.6.18 and 2.6.24 blk_queue_stack_limits, as md calls it."""
    low: Callable[[str], int] = lambda name: min(getattr(top, name), getattr(bottom, name))  # noqa: E731
    return replace(
        top,
        max_sectors=min_not_zero(top.max_sectors, bottom.max_sectors),
        max_hw_sectors=min_not_zero(top.max_hw_sectors, bottom.max_hw_sectors),
        max_segments=low("max_segments"),
        max_segment_size=low("max_segment_size"),
        logical_block_size=max(top.logical_block_size, bottom.logical_block_size),
    )


def _aligned(top: Limits, bottom: Limits, start: int, rules: StackRules) -> dict[str, int]:
    """Block sizes, preferred sizes, chunk and the alignment that all of them leave."""
    wrong = top.misaligned | bottom.misaligned
    alignment = alignment_offset(bottom, start)
    if top.alignment_offset != alignment:
        one = max(top.physical_block_size, top.io_min) + top.alignment_offset
        two = max(bottom.physical_block_size, bottom.io_min) + alignment
        high, low = max(one, two), min(one, two)
        wrong |= bool(high % low if rules.modulo else high & (low - 1))
    logical = max(top.logical_block_size, bottom.logical_block_size)
    physical = max(top.physical_block_size, bottom.physical_block_size)
    io_min = max(top.io_min, bottom.io_min)
    io_opt = lcm_not_zero(top.io_opt, bottom.io_opt)
    chunk = top.chunk_sectors
    if bottom.chunk_sectors and rules.chunk:
        chunk = (gcd if rules.chunk == "gcd" else min_not_zero)(chunk, bottom.chunk_sectors)
    if physical & (logical - 1):
        physical, wrong = logical, 1
    if io_min & (physical - 1):
        io_min, wrong = physical, 1
    if io_opt & (physical - 1):
        io_opt, wrong = 0, 1
    if rules.chunk == "gcd" and chunk % (physical // SECTOR_BYTES):
        chunk, wrong = 0, 1
    common = lcm_not_zero(top.alignment_offset, alignment)
    unit = max(physical, io_min)
    offset = common % unit if rules.modulo else common & (unit - 1)
    wrong |= bool(offset & (logical - 1))
    return {
        "logical_block_size": logical,
        "physical_block_size": physical,
        "io_min": io_min,
        "io_opt": io_opt,
        "chunk_sectors": chunk,
        "alignment_offset": offset,
        "misaligned": int(wrong),
    }


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


def _discards(top: Limits, bottom: Limits, start: int, rules: StackRules) -> dict[str, int]:
    alignment = discard_alignment(bottom, start)
    values: dict[str, int] = {}
    if (
        rules.discard_misaligned
        and top.discard_granularity
        and (top.discard_alignment != alignment)
    ):
        one = top.discard_granularity + top.discard_alignment
        two = bottom.discard_granularity + alignment
        if max(one, two) % min(one, two):
            values["discard_misaligned"] = 1
    names = ("max_discard_sectors", "max_hw_discard_sectors")
    for name in names[: 2 if rules.hw_discard else 1]:
        values[name] = min_not_zero(getattr(top, name), getattr(bottom, name))
    grain = max(top.discard_granularity, bottom.discard_granularity)
    values["discard_granularity"] = grain
    values["discard_alignment"] = lcm_not_zero(top.discard_alignment, alignment) % grain
    return values


def settle_limits(limits: Limits, rules: StackRules) -> Limits:
    """What the kernel makes of a queue's limits when they are all set.

    To 6.8 nothing. 6.12 blk_validate_limits: ``max_sectors`` is what the device can do, cut to
    1,280 KiB unless a preferred size is larger; discards in whole physical blocks.
    """
    if not rules.validates:
        return limits
    block = limits.logical_block_size // SECTOR_BYTES
    hardware = limits.max_hw_sectors - limits.max_hw_sectors % block
    most = min_not_zero(hardware, limits.max_dev_sectors)
    io_min = max(limits.io_min, limits.physical_block_size)
    io_opt = limits.io_opt - limits.io_opt % limits.physical_block_size
    preferred = next(
        (
            size // SECTOR_BYTES
            for size in (io_opt, io_min)
            if size > rules.def_max_sectors * SECTOR_BYTES
        ),
        rules.def_max_sectors,
    )
    soft = min(most, preferred)
    grain = max(limits.discard_granularity, limits.physical_block_size)
    return replace(
        limits,
        max_hw_sectors=hardware,
        max_sectors=soft - soft % block,
        io_min=io_min,
        io_opt=io_opt,
        discard_granularity=grain if limits.max_discard_sectors else 0,
    )


def set_max_hw_sectors(limits: Limits, n_sectors: int, rules: StackRules) -> Limits:
    """``blk_queue_max_hw_sectors`` (to 2.6.33 ``blk_queue_max_sectors``): the hardware's limit,
    and with it the block layer's."""
    hardware = max(n_sectors, PAGE_SECTORS)
    if rules.rounds:
        hardware -= hardware % (limits.logical_block_size // SECTOR_BYTES)
    soft = min(hardware, rules.def_max_sectors)
    if rules.topology:
        soft = min_not_zero(soft, limits.max_dev_sectors)
    if rules.rounds:
        soft -= soft % (limits.logical_block_size // SECTOR_BYTES)
    return replace(limits, max_hw_sectors=hardware, max_sectors=soft)


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
