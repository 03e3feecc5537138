"""Queue limits that a host's own /sys tells, as a config has them.

A disk's are written where they differ from what its driver sets by itself; of a device that
stands on others only what an administrator may have set. The rest follows from below, and is
compared with what /sys shows.
"""

from collections.abc import Mapping
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.base.hints import listed
from blockstack.hosts.model.host import Host, Node
from blockstack.hosts.readers import queue
from blockstack.kernel import PROFILES
from blockstack.kernel.choose import DEFAULT
from blockstack.kinds import KINDS
from blockstack.stack import Stack
from blockstack.stack.queue_limit_tree import drivers_own, queue_limit_tree
from blockstack.stack.queue_limits.keys import SETTABLE, has_queue, read_limits, stands_alone
from blockstack.stack.queue_limits.rules import (
    limit_names,
    rules_for,
)

_NEVER_SET = ("alignment_offset", "discard_alignment")  # of a stacked device


def release_of(host: Host) -> str:
    """The host's kernel, if its queue limits are known; else the default one's."""
    try:
        rules_for(host.release)
    except BlockstackError:
        return PROFILES[DEFAULT].release
    return host.release


def disk_limits(
    kind: str, keys: Mapping[str, Any], node: Node | None, host: Host
) -> dict[str, int]:
    """The limits of a disk that its driver does not set by itself.

    Parameters
    ----------
    kind : str
    keys : mapping
        The device's own keys: its host driver, its mode.
    node : Node or None
    host : Host
        Takes a note of values that no queue can have.

    Returns
    -------
    dict of str to int
        Sectors of 512 bytes, bytes, masks; empty: the driver's own.
    """
    entry = KINDS[kind]
    told = queue.told(node) if node is not None else {}
    if not told or not has_queue(entry) or not stands_alone(entry):
        return {}
    params = {**{p.name: p.default for p in entry.params}, **keys}
    own = drivers_own(kind, params, release_of(host))
    given = {name: value for name, value in told.items() if not _same(value, getattr(own, name))}
    if given.get("max_sectors", 0) > told.get("max_hw_sectors", 0):
        host.note(
            f"{node.label if node else kind}: max_sectors {given.pop('max_sectors')} is more "
            "than the hardware's limit, as far as it is told; passed over"
        )
    if given.get("physical_block_size", own.physical_block_size) == told.get("io_min"):
        given.pop("io_min", None)  # follows
    if told.get("max_sectors") and "max_hw_sectors" in given:
        given["max_sectors"] = told["max_sectors"]  # else the hardware's brings its own
    return _accepted(kind, given, node, host)


def _accepted(kind: str, given: dict[str, int], node: Node | None, host: Host) -> dict[str, int]:
    """Without what the model's queue cannot have: each is named."""
    label = node.label if node else kind
    found: dict[str, int] = {}
    for name in list(given):
        try:
            found |= read_limits(KINDS[kind], {name: given[name]}, label)
        except BlockstackError:
            host.note(
                f"{label}: /sys says {name} {given[name]}, which no queue of the model can "
                "have; passed over"
            )
    try:
        return read_limits(KINDS[kind], found, label)
    except BlockstackError as error:
        host.note(f"{label}: queue limits that contradict each other are passed over: {error}")
        return {}


def settled(stack: Stack, nodes: Mapping[str, Node], host: Host) -> dict[str, dict[str, int]]:
    """What an administrator has set on devices that stand on others, from what /sys shows.

    What else /sys shows and the kernel's rules do not give is noted.

    Parameters
    ----------
    stack : Stack
        With the disks' limits.
    nodes : mapping of device name to Node
    host : Host

    Returns
    -------
    dict of str to dict of str to int
        Device → limits to set, in sectors.
    """
    upper = {
        name: told
        for name, node in nodes.items()
        if (told := queue.told(node)) and _stacked(stack, name) and _disks_told(stack, name, nodes)
    }
    if not upper:
        return {}
    release = release_of(host)
    tree, names = queue_limit_tree(stack, release), set(limit_names(rules_for(release)))
    found: dict[str, dict[str, int]] = {}
    other: list[str] = []
    for name, told in upper.items():
        made = tree[name].limits
        for limit, value in told.items():
            rules = getattr(made, limit)
            if limit not in names or _same(value, rules):
                continue
            if limit in SETTABLE and value <= made.max_hw_sectors and value:
                found.setdefault(name, {})[limit] = value
            elif limit not in _NEVER_SET:
                other.append(f"{name} {limit} {value} (by the rules {rules})")
    if other:
        host.note(
            "queue limits that /sys shows and the kernel's rules do not give, from the "
            f"devices below: {listed(other)}"
        )
    return found


def _same(shown: int, limit: int) -> bool:
    """Equal, as far as /sys shows it: it prints sectors in whole KiB."""
    return shown in (limit, limit // 2 * 2)


def _stacked(stack: Stack, name: str) -> bool:
    entry = stack.devices[name].kind_entry
    return has_queue(entry) and not stands_alone(entry)


def _disks_told(stack: Stack, name: str, nodes: Mapping[str, Node]) -> bool:
    """Whether /sys tells the limits of all that a device stands on, partitions' disks included."""
    for lower in stack.devices[name].on:
        device = stack.devices[lower]
        low = device.on[0] if device.kind == "partition" else lower
        if low not in nodes or nodes[low].queue.max_segments is None:
            return False
    return True
