"""The queue limits of every device of a stack on one kernel, and who imposed each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.generations import StackRules
from blockstack.kinds.queue_limits import DriverLimits, driver_limits
from blockstack.stack.device import Device
from blockstack.stack.model import Stack
from blockstack.stack.queue_limit_hints import DM_HINTS, MD_HINTS, has_merge_fn, passes_on
from blockstack.stack.queue_limits.keys import has_queue, stands_alone
from blockstack.stack.queue_limits.numbers import (
    LIMIT_NAMES,
    PAGE_SECTORS,
    Limits,
    alignment_offset,
    min_not_zero,
    replace,
)
from blockstack.stack.queue_limits.rules import (
    rules_for,
)
from blockstack.stack.queue_limits.stacking import (
    set_max_hw_sectors,
    settle_limits,
    stack_limits,
    start_limits,
)

_CONFIG = "config"


@dataclass(frozen=True)
class DeviceLimits:
    """The limits of one device's queue.

    Attributes
    ----------
    limits : Limits
    imposed : mapping of str to str
        Limit -> the lower device, driver or rule that it comes from.
    splits : bool
        Bios that pass the limits are split on entry (blk-mq, md of 6.1).
    queue : str
        Whose queue it is: a partition's is its disk's.
    """

    limits: Limits
    imposed: Mapping[str, str]
    splits: bool
    queue: str


class _Making:
    """Limits in the making: every change is noted with its cause."""

    def __init__(self, limits: Limits, cause: str) -> None:
        self.limits = limits
        self.imposed = dict.fromkeys(LIMIT_NAMES, cause)

    def set(self, limits: Limits, cause: str) -> None:
        if limits != self.limits:
            for name, old, new in zip(LIMIT_NAMES, self.limits, limits, strict=True):
                if old != new:
                    self.imposed[name] = cause
            self.limits = limits

    def change(self, cause: str, **values: int) -> None:
        self.set(replace(self.limits, **values), cause)


def queue_limit_tree(stack: Stack, generation: str) -> dict[str, DeviceLimits]:
    """The limits of every block device, from the leaves up.

    Parameters
    ----------
    stack : Stack
    generation : str
        A kernel generation or version: ``"2.6.18"``, ``"6.1"`` ... The overrides of md's levels
        and dm's targets are those of the generations that ship, and of 6.1 for others.

    Returns
    -------
    dict of str to DeviceLimits
        In the stack's order; network cards, file systems and other sources have none.

    Raises
    ------
    ConfigError
        Limits that a config sets and the device cannot have.
    """
    rules = rules_for(generation)
    found: dict[str, DeviceLimits] = {}
    for name, device in stack.devices.items():
        kind = device.kind_entry
        if device.kind == "partition":
            found[name] = _partition(device, found[device.on[0]])
        elif has_queue(kind):
            found[name] = (
                _own(device, generation, rules)
                if stands_alone(kind)
                else _stacked(stack, device, found, rules)
            )
    return found


def _partition(device: Device, disk: DeviceLimits) -> DeviceLimits:
    """A partition shares its disk's queue; only its alignment is its own
    (bdev_alignment_offset)."""
    offset = alignment_offset(disk.limits, device.offset_sectors)
    imposed = dict.fromkeys(disk.imposed, device.on[0])
    if offset != disk.limits.alignment_offset:
        imposed["alignment_offset"] = "its start"
    limits = replace(disk.limits, alignment_offset=offset)
    return DeviceLimits(limits, imposed, disk.splits, disk.queue)


def _own(device: Device, generation: str, rules: StackRules) -> DeviceLimits:
    """A device whose driver sets the limits, and what the config says instead."""
    driver = _driver_of(device.kind, device.params, generation)
    given = dict(device.limits)
    made = _Making(Limits(), "new queue")
    made.set(_driver(made.limits, driver.values, rules), f"{device.kind} driver")
    if given:
        made.set(_driver(Limits(), dict(driver.values) | given, rules), _CONFIG)
        for name in given:
            made.imposed[name] = _CONFIG
        _check_own(device, made.limits)
    made.set(settle_limits(made.limits, rules), "blk_validate_limits")
    if "max_sectors" in given:  # as max_user_sectors is (6.12 blk_validate_limits)
        made.change(_CONFIG, max_sectors=given["max_sectors"])
        made.imposed["max_sectors"] = _CONFIG
    return DeviceLimits(made.limits, made.imposed, driver.splits, device.name)


def _driver_of(kind: str, params: Mapping[str, Any], generation: str) -> DriverLimits:
    return driver_limits(kind, params, generation) or DriverLimits("new queue")


def drivers_own(kind: str, params: Mapping[str, Any], generation: str) -> Limits:
    """The limits of a device without any that a config sets, by its kind and parameters."""
    rules = rules_for(generation)
    values = _driver_of(kind, params, generation).values
    return settle_limits(_driver(Limits(), values, rules), rules)


def _driver(limits: Limits, values: Mapping[str, int], rules: StackRules) -> Limits:
    """New limits through the kernel's setters: one brings others with it."""
    plain = {name: n for name, n in values.items() if name not in ("max_hw_sectors", "max_sectors")}
    limits = replace(limits, **plain)
    logical = limits.logical_block_size
    physical = max(limits.physical_block_size, logical)
    limits = replace(limits, physical_block_size=physical, io_min=max(limits.io_min, physical))
    if "max_discard_sectors" in values:
        limits = replace(limits, max_hw_discard_sectors=limits.max_discard_sectors)
        if values["max_discard_sectors"] and not limits.discard_granularity:
            limits = replace(limits, discard_granularity=logical)
    hardware = values.get("max_hw_sectors", limits.max_hw_sectors)
    soft = min(limits.max_sectors, hardware)
    if "max_hw_sectors" in values or rules.rounds:
        capped = set_max_hw_sectors(limits, hardware, rules)
        soft = (
            capped.max_sectors if "max_hw_sectors" in values else min(soft, capped.max_hw_sectors)
        )
        limits = capped
    return replace(limits, max_sectors=values.get("max_sectors", soft))


def _check_own(device: Device, limits: Limits) -> None:
    most = min_not_zero(limits.max_hw_sectors, limits.max_dev_sectors)
    if limits.max_sectors > most:
        raise ConfigError(
            "is more than the hardware's limit",
            path=f"devices.{device.name}.limits.max_sectors",
            value=limits.max_sectors,
            hint=f"at most {most} sectors; set max_hw_sectors too",
        )


def _stacked(
    stack: Stack, device: Device, found: Mapping[str, DeviceLimits], rules: StackRules
) -> DeviceLimits:
    if device.kind.startswith("dm-"):
        made = _dm(device, stack, found, rules)
    else:
        made = _md(device, stack, found, rules)
    made.set(settle_limits(made.limits, rules), "blk_validate_limits")
    for name, value in device.limits.items():
        if name == "max_sectors" and value > made.limits.max_hw_sectors:
            raise ConfigError(
                "is more than the hardware's limit",
                path=f"devices.{device.name}.limits.{name}",
                value=value,
                hint=f"at most {made.limits.max_hw_sectors} sectors, from "
                f"{made.imposed['max_hw_sectors']}",
            )
        made.change(_CONFIG, **{name: value})
        made.imposed[name] = _CONFIG
    return DeviceLimits(
        made.limits, made.imposed, rules.topology and device.kind.startswith("md-"), device.name
    )


def _md(
    device: Device, stack: Stack, found: Mapping[str, DeviceLimits], rules: StackRules
) -> _Making:
    """An array: the level's own limits first, then each member."""
    made = _Making(start_limits(rules), "stacking default" if rules.topology else "new queue")
    before, after = MD_HINTS.get(device.kind, (None, None))
    if not rules.topology:
        return _md_v2_6(device, stack, made, found, rules)
    if before is not None:
        made.set(before(made.limits, device, rules), _level(device))
    for low in device.on:
        start = _disk_start(stack, low)
        made.set(stack_limits(made.limits, _queue(found, low), start, rules), low)
        if device.kind in ("md-raid4", "md-raid5", "md-raid6"):  # its new offset too, if reshaped
            made.set(stack_limits(made.limits, _queue(found, low), start, rules), low)
    if after is not None:
        made.set(after(made.limits, device, rules), f"{device.kind} level")
    return made


def _md_v2_6(
    device: Device,
    stack: Stack,
    made: _Making,
    found: Mapping[str, DeviceLimits],
    rules: StackRules,
) -> _Making:
    """2.6.18 raid0.c, linear.c, raid1.c, raid10.c; raid5.c stacks nothing. A member with a
    merge_bvec_fn, which they do not ask, is given one page at most."""
    if device.kind in ("md-raid4", "md-raid5", "md-raid6"):
        return made
    for low in device.on:
        made.set(stack_limits(made.limits, _queue(found, low), 0, rules), low)
        if has_merge_fn(stack.devices[found[low].queue], rules) and (
            made.limits.max_sectors > PAGE_SECTORS
        ):
            made.set(
                set_max_hw_sectors(made.limits, PAGE_SECTORS, rules),
                f"{low}: its merge_bvec_fn is not asked",
            )
    return made


def _level(device: Device) -> str:
    return f"{device.kind.removeprefix('md-')} chunk" if "chunk" in device.params else device.kind


def _dm(
    device: Device, stack: Stack, found: Mapping[str, DeviceLimits], rules: StackRules
) -> _Making:
    """dm_calculate_queue_limits: each target's devices, its hints, then the table's targets."""
    if not rules.topology:
        return _dm_v2_6(device, stack, found, rules)
    made = _Making(start_limits(rules), "stacking default")
    hint = DM_HINTS.get(device.kind)
    for members in _targets(device, stack):
        target = _Making(start_limits(rules), "stacking default")
        for low, start in members:
            begin = start + _disk_start(stack, low)
            target.set(stack_limits(target.limits, _queue(found, low), begin, rules), low)
        if hint is not None:
            target.set(hint(target.limits, device, rules), f"{device.kind} target")
        before = made.limits
        made.set(stack_limits(before, target.limits, 0, rules), "")
        for name, cause in made.imposed.items():
            if not cause:
                made.imposed[name] = target.imposed[name]
    lower = [_queue(found, low) for low in device.on]
    _dm_features(device, lower, made)
    return made


def _dm_features(device: Device, lower: list[Limits], made: _Making) -> None:
    """dm_table_set_restrictions: operations that the target or a lower device does not take."""
    own, everyone = passes_on(device.kind, "discard"), all(b.max_discard_sectors for b in lower)
    if not own or (own == "lower" and not everyone):
        why = (
            f"{device.kind} target"
            if not own
            else next(n for n, b in zip(device.on, lower, strict=True) if not b.max_discard_sectors)
        )
        made.change(
            why,
            max_discard_sectors=0,
            max_hw_discard_sectors=0,
            discard_granularity=0,
            discard_alignment=0,
            discard_misaligned=0,
        )
    if not passes_on(device.kind, "write-zeroes"):
        made.change(f"{device.kind} target", max_write_zeroes_sectors=0)


def _targets(device: Device, stack: Stack) -> list[list[tuple[str, int]]]:
    """Per target of the table: its lower devices and where it begins on each, in sectors."""
    if device.segments:
        return [list(zip(s.members, s.offsets, strict=True)) for s in device.segments]
    if device.kind == "dm-snapshot-origin":
        return [[(device.on[0], 0)]]  # its snapshots' stores are theirs
    return [[(low.device, low.offset_sectors) for low in stack.lower(device.name)]]


def _queue(found: Mapping[str, DeviceLimits], name: str) -> Limits:
    """The limits of the queue that bios to a device enter: a partition's are its disk's."""
    return found[found[name].queue].limits


def _disk_start(stack: Stack, name: str) -> int:
    """get_start_sect: a partition's first sector on its disk."""
    device = stack.devices[name]
    return device.offset_sectors if device.kind == "partition" else 0


def _dm_v2_6(
    device: Device, stack: Stack, found: Mapping[str, DeviceLimits], rules: StackRules
) -> _Making:
    """2.6.18 and 2.6.24 dm-table.c dm_get_device, combine_restrictions_low and
    dm_table_set_restrictions."""
    low_names = ("max_sectors", "max_segments", "max_segment_size", "seg_boundary_mask")
    names = (*low_names, "max_hw_sectors") if rules.dm_combines_max_hw else low_names
    made = _Making(Limits(**dict.fromkeys((*low_names, "max_hw_sectors"), 0)), "new queue")
    for members in _targets(device, stack):
        for low, _ in members:
            bottom = _queue(found, low)
            values = {n: min_not_zero(getattr(made.limits, n), getattr(bottom, n)) for n in names}
            values["logical_block_size"] = max(
                made.limits.logical_block_size, bottom.logical_block_size
            )
            made.change(low, **values)
            if has_merge_fn(stack.devices[found[low].queue], rules):
                made.change(
                    f"{low}: its merge_bvec_fn is not asked",
                    max_sectors=min(made.limits.max_sectors, PAGE_SECTORS),
                )
    hardware = made.limits.max_hw_sectors
    made.set(
        set_max_hw_sectors(made.limits, made.limits.max_sectors, rules), made.imposed["max_sectors"]
    )
    if hardware:
        made.change(made.imposed["max_sectors"], max_hw_sectors=hardware)
    return made
