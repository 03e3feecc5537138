"""How two queues stack, and what the kernel makes of the result: ``blk_stack_limits`` and what it
calls, by a kernel's rules."""

from collections.abc import Callable
from math import gcd

from blockstack.base.units import SECTOR_BYTES
from blockstack.generations import StackRules
from blockstack.stack.queue_limits.numbers import (
    PAGE_SECTORS,
    Limits,
    alignment_offset,
    discard_alignment,
    lcm_not_zero,
    min_not_zero,
    replace,
    round_sectors,
)


def start_limits(rules: StackRules) -> Limits:
    """The limits of a stacked device before any lower device is added: 6.1
    blk_set_stacking_limits; 2.6 md begins with a new queue's (blk_queue_make_request)."""
    return replace(Limits(), **rules.start)


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
        return _lengths(top, bottom)
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


def _lengths(top: Limits, bottom: Limits) -> Limits:
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
    io_opt = lcm_not_zero(top.io_opt, bottom.io_opt) & 0xFFFFFFFF  # an unsigned int in C
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
