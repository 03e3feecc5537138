"""Which limits a kernel's queues have and how it stacks them: one record per kernel whose code
was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from blockstack.base.errors import ConfigError
from blockstack.stack.limits.numbers import LIMIT_NAMES, UINT_MAX, USHRT_MAX

#: what a queue of 2.6.18 and 2.6.24 has (request_queue, include/linux/blkdev.h)
V2_6_NAMES = (
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
    "2.6.18": StackRules("2.6.18 ll_rw_blk.c, dm-table.c", V2_6_NAMES, 1024, topology=False),
    "2.6.24": StackRules("2.6.24 ll_rw_blk.c, dm-table.c", V2_6_NAMES, 1024, topology=False),
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
