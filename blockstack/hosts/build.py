"""From a host's facts to a `Stack`: which devices are in, their sizes, and what sits on top."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.base.units import parse_bytes
from blockstack.hosts.host import Host, Node, SourceError
from blockstack.hosts.host_plan import UNKNOWN, Plan
from blockstack.hosts.kinds_of import Part, Stores, part_of
from blockstack.hosts.layout import Planned, sized
from blockstack.hosts.queue_limits import disk_limits, settled
from blockstack.hosts.tops import NO_TYPE, add_loops_and_networks, add_uses
from blockstack.kinds import KINDS
from blockstack.stack import Stack
from blockstack.stack.checks import find_cycle

_SHOWN = 12


@dataclass(frozen=True)
class Imported:
    """A host as a stack, and what a reader must know about it.

    Attributes
    ----------
    stack : Stack
    release, machine : str
        ``uname`` of the host; empty when not told.
    notes : tuple of str
        What was assumed.
    left_out : tuple of str
        Devices of the host that are not in the stack, each with the reason; those that may lie on
        a path are also the stack's `missing`.
    sources : tuple of str
    """

    stack: Stack
    release: str = ""
    machine: str = ""
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def build(host: Host, *, name: str = "host", skip: Iterable[str] = ()) -> Imported:
    """The stack of a host.

    Parameters
    ----------
    host : Host
        What all sources said.
    name : str
        Of the stack.
    skip : iterable of str
        Devices, mount points or kinds to leave out, with what stands on them; ``"unknown"``: all
        whose kind the registry lacks. A file system or swap area that is left out leaves its device
        to be read and written raw.

    Raises
    ------
    BlockstackError
        Devices of kinds that the registry lacks (unless skipped), cycles, contradictions.
    """
    plan = Plan(host, frozenset(skip))
    parts = _parts(plan)
    _used_only(plan, parts)
    add_uses(plan)
    _refuse_unknown(plan)
    plan.drop_left_out()
    order = _bottom_up(plan.devices)
    add_loops_and_networks(plan, order)
    order = _bottom_up(plan.devices)
    keys_of = dict(sized(plan.devices, order, host))
    for key, keys in keys_of.items():
        one = plan.devices[key]
        keys["limits"] = disk_limits(one.kind, keys, one.node, host) or None
    stack = _stack(host.name or name, plan, keys_of)
    nodes = {key: node for key in stack.devices if (node := plan.devices[key].node) is not None}
    while found := settled(stack, nodes, host):  # what is set below may show above
        for key, limits in found.items():
            keys_of[key]["limits"] = {**(keys_of[key]["limits"] or {}), **limits}
        stack = _stack(host.name or name, plan, keys_of)
    left = tuple(f"{device}: {why}" for device, why in plan.left.items())
    return Imported(stack, host.release, host.machine, tuple(host.notes), left, tuple(host.sources))


def _stack(name: str, plan: Plan, keys_of: Mapping[str, dict[str, Any]]) -> Stack:
    """All devices that the checks of a stack let in; what else may lie on a path is missing."""
    stack = Stack(name)
    for key, keys in keys_of.items():
        one = plan.devices[key]
        lost = next((low for low in one.on if low in plan.left), None)
        if lost is not None:
            plan.left[key] = f"stands on {lost}, which is left out"
            continue
        _fit(one, keys, stack, plan.host)
        try:
            stack.add(one.name, one.kind, None if "table" in keys else one.on or None, **keys)
        except BlockstackError as error:
            why = SourceError(
                error.message,
                path=key,
                value=error.value,
                hint="the sources "
                "contradict each other, or do not tell all of it; "
                f'--skip "{key}" leaves it and what stands on it out',
            )
            plan.cannot(key, why)
    stack.missing = plan.missing()
    if not stack.devices:
        raise SourceError(
            "describes no device that can carry I/O", path=name, hint=plan.why_empty()
        )
    return stack


def _fit(one: Planned, keys: dict[str, Any], stack: Stack, host: Host) -> None:
    """Thin volumes and sparse files may be larger than what holds them: as large as that here."""
    if one.kind in ("dm-thin", "loop") and one.on and "size" in keys:
        below = stack.devices[one.on[0]].size_sectors * 512
        if parse_bytes(keys["size"]) > below:
            host.note(f"{one.name}: larger than {one.on[0]} under it (thin); as large as that here")
            del keys["size"]


def _parts(plan: Plan) -> dict[int, tuple[Node, Part]]:
    """What every node is; nodes that a part names for the first time are visited, too."""
    host, parts = plan.host, {}
    stores = Stores.of(host)
    todo = list(host.nodes())
    seen: set[int] = set()
    for node in todo:
        if id(node) in seen or not node.names:
            continue
        seen.add(id(node))
        try:
            part = part_of(node, host, stores)
        except BlockstackError as error:
            plan.problems[plan.name_of(node)] = error
            continue
        if part is None:
            continue
        parts[id(node)] = (node, part)
        todo += [n for n in part.on if id(n) not in seen]
    return parts


def _used_only(plan: Plan, parts: Mapping[int, tuple[Node, Part]]) -> None:
    """Leave out what carries nothing and is nothing that can be modelled, each with its reason."""
    host = plan.host
    below = {id(n) for _, part in parts.values() for n in part.on}
    below |= {id(n) for use in host.uses for name in use.on if (n := host.find(name))}
    maps = [part for _, part in parts.values() if part.kind.startswith("dm-multipath")]
    paths = {id(n) for part in maps for n in (*part.on, *part.rest)}
    for node in (n for part in maps for n in part.rest if id(n) not in below):
        plan.left[plan.name_of(node)] = "a further path of a multipath device"
    for node in list(host.nodes()):
        name, used = plan.name_of(node), id(node) in below
        if name in plan.left:
            continue
        if id(node) in parts:
            _plan_one(plan, node, parts[id(node)][1], used, paths)
        elif plan.skips(name, *node.names):
            plan.omit(name, "skipped")
        elif name not in plan.problems:
            if used and not node.get("md_inactive"):
                plan.unknown[name] = (
                    "a device of which nothing tells what it is",
                    UNKNOWN in plan.skip,
                )
            plan.left[name] = _why_absent(node)
        elif used or _told(node):
            plan.cannot(name, plan.problems[name])
        else:
            plan.left[name] = "only named, nothing stands on it"


_TELLING = ("table", "md_level", "bcache_backing", "lvm_segtype", "fstype", "parent", "drbd_peers")


def _told(node: Node) -> bool:
    """Whether a source says more of a device than its name."""
    return bool(node.get("slaves")) or any(key in node.facts for key in _TELLING)


def _why_absent(node: Node) -> str:
    if node.get("md_inactive"):
        return "an md array that is not active (no level), or a container"
    if node.get("dm_empty"):
        return "has no dm table"
    if (node.kname or "").startswith("loop"):
        return "a loop device without a file"
    return "nothing tells what it is"


def _plan_one(plan: Plan, node: Node, part: Part, used: bool, paths: Collection[int]) -> None:
    name = plan.name_of(node)
    on = [plan.name_of(n) for n in part.on]
    if not used and node.get("size_sectors") == 0:
        plan.left[name] = "has no size (no medium, no file)"
        return
    if part.kind == "partition" and not used and id(part.on[0]) in paths:
        plan.left[name] = "a partition of a path of a multipath device"
        return
    if plan.skips(part.kind, name, *node.names):
        plan.omit(name, f"skipped ({part.kind})")
        return
    if part.kind not in KINDS:
        if not used and not on:
            plan.left[name] = f"{part.kind}: no such kind in the registry, and nothing uses it"
            return
        plan.unknown[name] = (part.kind, UNKNOWN in plan.skip)
        if UNKNOWN in plan.skip:
            plan.left[name] = f"{part.kind}: no such kind in the registry"
            return
    keys = dict(part.keys)
    if "table" in keys:
        keys["table"] = [[r[0], r[1], plan.name_of(r[2]), r[3]] for r in keys["table"]]
    for slot in part.empty:
        on.insert(slot, _placeholder(plan, name, slot))
    plan.devices[name] = Planned(name, part.kind, on, keys, node, part.table)


def _placeholder(plan: Plan, array: str, slot: int) -> str:
    """A device for a slot without a member: its number keeps those of the others in place."""
    name = f"{array}-slot{slot}"
    plan.host.note(f"{array}: slot {slot} has no member; {name} stands for it")
    plan.devices[name] = Planned(name, "scsi", [], {"driver": "ahci"})
    return name


def _refuse_unknown(plan: Plan) -> None:
    missing = {n: kind for n, (kind, skipped) in plan.unknown.items() if not skipped}
    if not missing:
        return
    kinds = list(dict.fromkeys(missing.values()))
    shown = ", ".join(f"{n} ({kind})" for n, kind in list(missing.items())[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    flags = " ".join(f'--skip "{k}"' if " " in k else f"--skip {k}" for k in kinds[:6])
    add = (
        "lsblk without FSTYPE: add lsblk --json -O -b, or /proc/mounts; or "
        if (NO_TYPE in kinds)
        else ""
    )
    raise SourceError(
        f"no kind in the registry for {shown}{more}",
        hint=f"{add}leave them out with {flags}, or --skip {UNKNOWN} for all; what "
        "stands on them is left out, too, and all is named",
    )


def _bottom_up(devices: Mapping[str, Planned]) -> list[str]:
    """Every device after those that it stands on.

    Raises
    ------
    BlockstackError
        A cycle, with the names on it.
    """
    lower_of = {
        name: [*one.on, *([one.keys["nic"]] if "nic" in one.keys else ())]
        for name, one in devices.items()
    }
    cycle = find_cycle(lower_of)
    if cycle:
        raise SourceError(
            "stands on itself: " + " -> ".join(cycle[:20]),
            path=cycle[0],
            hint="no kernel allows this: the sources contradict each other",
        )
    order: dict[str, None] = {}
    for start in lower_of:
        todo = [(start, False)]
        while todo:
            name, done = todo.pop()
            if name in order:
                continue
            if done:
                order[name] = None
            else:
                todo.append((name, True))
                todo += [(one, False) for one in reversed(lower_of[name]) if one not in order]
    return list(order)
