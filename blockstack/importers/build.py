"""From a host's facts to a `Stack`: which devices are in, their sizes, and what sits on top."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from blockstack.errors import BlockstackError
from blockstack.importers.host import RANK, Host, Node, SourceError, Use
from blockstack.importers.layout import Planned, sized
from blockstack.importers.queue_limits import disk_limits, settled
from blockstack.importers.recipes import Part, Stores, part_of
from blockstack.kinds import KINDS
from blockstack.stack import Stack
from blockstack.stack.checks import find_cycle, is_filesystem, uses_nic
from blockstack.suggest import listed
from blockstack.units import parse_bytes

UNKNOWN = "unknown"  # --skip's word for every kind that the registry lacks
NIC = "net0"
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
        Devices of the host that are not in the stack, each with the reason.
    sources : tuple of str
    missing : tuple of str
        Those left out because the registry lacks their kind: the verdict cannot be "fits".
    """

    stack: Stack
    release: str = ""
    machine: str = ""
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass
class _Plan:
    host: Host
    skip: frozenset[str]
    devices: dict[str, Planned] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)  # of nodes, by identity
    left: dict[str, str] = field(default_factory=dict)  # name of what is left out → why
    unknown: dict[str, tuple[str, bool]] = field(default_factory=dict)  # name → kind, skipped
    problems: dict[str, BlockstackError] = field(default_factory=dict)

    def name_of(self, node: Node) -> str:
        if id(node) not in self.names:
            name = "_".join(node.label.split())[:200]
            taken = set(self.names.values()) if name in self.devices else ()
            while name in self.devices or name in taken:
                name += "~"
            self.names[id(node)] = name
        return self.names[id(node)]

    def skips(self, *words: str) -> bool:
        return bool(self.skip & set(words))


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
    plan = _Plan(host, frozenset(skip))
    parts = _parts(plan)
    _used_only(plan, parts)
    _uses(plan)
    _refuse_unknown(plan)
    _drop_left_out(plan)
    if not plan.devices:
        raise SourceError("describes no device that can carry I/O", path=name,
                          hint=_why_empty(plan))
    order = _bottom_up(plan.devices)
    _loops_and_networks(plan, order)
    order = _bottom_up(plan.devices)
    keys_of = dict(sized(plan.devices, order, host))
    for key, keys in keys_of.items():
        one = plan.devices[key]
        keys["limits"] = disk_limits(one.kind, keys, one.node, host) or None
    stack = _stack(host.name or name, plan, keys_of)
    nodes = {key: node for key in keys_of if (node := plan.devices[key].node) is not None}
    while found := settled(stack, nodes, host):  # what is set below may show above
        for key, limits in found.items():
            keys_of[key]["limits"] = {**(keys_of[key]["limits"] or {}), **limits}
        stack = _stack(host.name or name, plan, keys_of)
    left = tuple(f"{device}: {why}" for device, why in plan.left.items())
    return Imported(stack, host.release, host.machine, tuple(host.notes), left,
                    tuple(host.sources), tuple(plan.unknown))


def _stack(name: str, plan: _Plan, keys_of: Mapping[str, dict[str, Any]]) -> Stack:
    stack = Stack(name)
    for key, keys in keys_of.items():
        one = plan.devices[key]
        _fit(one, keys, stack, plan.host)
        stack.add(one.name, one.kind, None if "table" in keys else one.on or None, **keys)
    return stack


def _fit(one: Planned, keys: dict[str, Any], stack: Stack, host: Host) -> None:
    """Thin volumes and sparse files may be larger than what holds them: as large as that here."""
    if one.kind in ("dm-thin", "loop") and one.on and "size" in keys:
        below = stack.devices[one.on[0]].size_sectors * 512
        if parse_bytes(keys["size"]) > below:
            host.note(f"{one.name}: larger than {one.on[0]} under it (thin); as large as that here")
            del keys["size"]


def _why_empty(plan: _Plan) -> str:
    if plan.left:
        return "left out: " + listed(f"{n} ({w})" for n, w in plan.left.items())
    return "give a source that names disks: /sys, lsblk --json -O -b, dmsetup table"


def _parts(plan: _Plan) -> dict[int, tuple[Node, Part]]:
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


def _used_only(plan: _Plan, parts: Mapping[int, tuple[Node, Part]]) -> None:
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
            plan.left[name] = "skipped"
        elif name not in plan.problems:
            if used and not node.get("md_inactive"):
                plan.unknown[name] = ("a device of which nothing tells what it is",
                                      UNKNOWN in plan.skip)
            plan.left[name] = _why_absent(node)
        elif used or _told(node):
            raise plan.problems[name]
        else:
            plan.left[name] = "only named, nothing stands on it"


def _told(node: Node) -> bool:
    return any(key in node.facts for key in ("table", "md_level", "bcache_backing", "lvm_segtype",
                                              "fstype", "parent", "drbd_peers"))


def _why_absent(node: Node) -> str:
    if node.get("md_inactive"):
        return "an md array that is not active (no level), or a container"
    if node.get("dm_empty"):
        return "has no dm table"
    if (node.kname or "").startswith("loop"):
        return "a loop device without a file"
    return "nothing tells what it is"


def _plan_one(plan: _Plan, node: Node, part: Part, used: bool, paths: Collection[int]) -> None:
    name = plan.name_of(node)
    on = [plan.name_of(n) for n in part.on]
    if plan.skips(part.kind, name, *node.names):
        plan.left[name] = f"skipped ({part.kind})"
        return
    if not used and node.get("size_sectors") == 0:
        plan.left[name] = "has no size (no medium, no file)"
        return
    if part.kind == "partition" and not used and id(part.on[0]) in paths:
        plan.left[name] = "a partition of a path of a multipath device"
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


def _placeholder(plan: _Plan, array: str, slot: int) -> str:
    """A device for a slot without a member: its number keeps those of the others in place."""
    name = f"{array}-slot{slot}"
    plan.host.note(f"{array}: slot {slot} has no member; {name} stands for it")
    plan.devices[name] = Planned(name, "scsi", [], {"driver": "ahci"})
    return name


def _uses(plan: _Plan) -> None:
    """One source per file system and swap area; the best source's word for each device."""
    best: dict[tuple[str, str], Use] = {}
    host = plan.host
    for use in host.uses:
        node = host.find(use.on[0]) if use.on else None
        key = (use.kind, plan.name_of(node) if node else use.where)
        held = best.get(key)
        if held is None or (RANK[use.source], -len(use.where)) > (
                RANK[held.source], -len(held.where)):
            best[key] = use
    for (_, device), use in best.items():
        node = host.find(use.on[0]) if use.on else None
        members = (node.get("fs_members") if node else None) or use.on
        nodes = [n for one in members if (n := host.find(one))]
        kind = _fs_kind(use, node, host)
        name = _free_name(plan, "swap-" + device if use.kind == "swap" else use.where)
        if plan.skips(kind, name, use.where):
            plan.left[name] = f"skipped ({kind}); its device is read and written raw"
        elif kind not in KINDS and UNKNOWN in plan.skip:
            plan.unknown[name] = (kind, True)
            plan.left[name] = f"{kind}: no such kind in the registry; its device is raw"
        else:
            if kind not in KINDS:
                plan.unknown[name] = (kind, False)
            plan.devices[name] = Planned(name, kind, list(dict.fromkeys(
                plan.name_of(n) for n in nodes)), {})


def _free_name(plan: _Plan, wanted: str) -> str:
    name = "_".join(wanted.split())[:190] or "mount"
    while name in plan.devices or name in plan.left:
        name += "~"
    return name


def _fs_kind(use: Use, node: Node | None, host: Host) -> str:
    """The driver that serves a file system's type."""
    if use.kind == "swap":
        return "swap"
    fstype = use.fstype or str(node.get("fstype", "") if node else "")
    if fstype in ("ext2", "ext3") and not host.release.startswith("2."):
        host.note(f"{fstype}: served by the ext4 driver, as in kernels since 4.3")
        return "ext4"
    return fstype or "file system of unknown type"


def _refuse_unknown(plan: _Plan) -> None:
    missing = {n: kind for n, (kind, skipped) in plan.unknown.items() if not skipped}
    if not missing:
        return
    kinds = list(dict.fromkeys(missing.values()))
    shown = ", ".join(f"{n} ({kind})" for n, kind in list(missing.items())[:_SHOWN])
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    flags = " ".join(f'--skip "{k}"' if " " in k else f"--skip {k}" for k in kinds[:6])
    raise SourceError(f"no kind in the registry for {shown}{more}",
                      hint=f"leave them out with {flags}, or --skip {UNKNOWN} for all; what stands "
                           "on them is left out, too, and all is named")


def _drop_left_out(plan: _Plan) -> None:
    """What stands on a device that is left out is left out, too."""
    upper: dict[str, list[str]] = {}
    for one in plan.devices.values():
        for lower in one.on:
            upper.setdefault(lower, []).append(one.name)
    todo = [n for n in upper if n not in plan.devices]
    seen = set(todo)
    while todo:
        lower = todo.pop()
        for name in upper.get(lower, ()):
            if name not in seen:
                seen.add(name)
                todo.append(name)
                plan.left[name] = f"stands on {lower}, which is left out"
                del plan.devices[name]


def _bottom_up(devices: Mapping[str, Planned]) -> list[str]:
    """Every device after those that it stands on.

    Raises
    ------
    BlockstackError
        A cycle, with the names on it.
    """
    lower_of = {name: [*one.on, *([one.keys["nic"]] if "nic" in one.keys else ())]
                for name, one in devices.items()}
    cycle = find_cycle(lower_of)
    if cycle:
        raise SourceError("stands on itself: " + " -> ".join(cycle[:20]), path=cycle[0],
                          hint="no kernel allows this: the sources contradict each other")
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


def _loops_and_networks(plan: _Plan, order: Iterable[str]) -> None:
    """Loop devices onto the file system that holds their file; a card under network devices."""
    mounts = {n: d for n, d in plan.devices.items()
              if d.kind in KINDS and is_filesystem(KINDS[d.kind]) and n.startswith("/")}
    for name in list(order):
        one = plan.devices[name]
        if one.kind == "loop":
            _loop(plan, one, mounts)
        if uses_nic(KINDS[one.kind]) or (one.node and one.node.get("drbd_peers")):
            _network(plan, one)
    _drop_left_out(plan)


def _loop(plan: _Plan, one: Planned, mounts: Mapping[str, Planned]) -> None:
    file = str(one.node.get("backing_file", "")) if one.node else ""
    place = _mount_of(file.removesuffix(" (deleted)"), (*mounts, *plan.host.elsewhere))
    if place in mounts:
        one.on = [place]
        return
    where = plan.host.elsewhere.get(place)
    why = (f"{file} lies on {where} ({place}), which stands on no block device" if where else
           f"the file system that holds {file} is not in the stack" if file
           else "which file it stands on is not told")
    if "loop" in plan.skip or UNKNOWN in plan.skip:
        if "loop" not in plan.skip:
            plan.unknown[one.name] = ("loop", True)
        plan.left[one.name] = why
        del plan.devices[one.name]
        return
    raise SourceError(f"a loop device: {why}", path=one.name,
                      hint="add losetup -a and /proc/self/mountinfo, or --skip loop")


def _mount_of(file: str, places: Iterable[str]) -> str:
    """The longest mount point above a file; empty: none."""
    above = [p for p in places if file == p or file.startswith(p.rstrip("/") + "/")]
    return max(above, key=len, default="") if file else ""


def _network(plan: _Plan, one: Planned) -> None:
    card = str(one.node.get("netdev", NIC)) if one.node else NIC
    if card not in plan.devices:
        driver = "loopback" if card == "lo" else "generic"
        plan.devices[card] = Planned(card, "nic", [], {"driver": driver})
        if driver == "generic":
            plan.host.note(f"{card}: which driver the network card has is not told; modelled as "
                           '"generic", whose depth is a lower bound')
    one.keys["nic"] = card
