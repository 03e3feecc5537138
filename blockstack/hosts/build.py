"""From a host's facts to a `Stack`: which devices are in, their sizes, and what sits on top."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from blockstack.base.environment import UNTOLD, Environment
from blockstack.base.errors import BlockstackError
from blockstack.base.units import parse_bytes
from blockstack.hosts.draft import UNKNOWN, Draft, DraftDevice
from blockstack.hosts.kinds_of import Part, Stores, part_of
from blockstack.hosts.layout import sized
from blockstack.hosts.machine import environment_of
from blockstack.hosts.model.host import Host, Node, SourceError
from blockstack.hosts.queue_limits import disk_limits, settled
from blockstack.hosts.tops import NO_TYPE, add_loops_and_networks, add_uses
from blockstack.hosts.unseen import add_unseen, without_medium
from blockstack.kernel import PROFILES
from blockstack.kernel.choose import Build, stands_for
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
    guessed : tuple of str
        File systems whose type no source tells, taken for what was asked.
    release, machine : str
        ``uname`` of the host; empty when not told.
    real_time : bool
        ``uname`` says PREEMPT_RT.
    environment : Environment
        What the sources settle of the machine and its files.
    notes : tuple of str
        What was assumed.
    left_out : tuple of str
        Devices of the host that are not in the stack, each with the reason; those that may lie on
        a path are also the stack's `missing`.
    sources : tuple of str
    """

    stack: Stack
    guessed: tuple[str, ...] = ()
    release: str = ""
    machine: str = ""
    real_time: bool = False
    environment: Environment = UNTOLD
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def build(
    host: Host,
    *,
    name: str = "host",
    skip: Iterable[str] = (),
    generation: str | None = None,
    untold_fs: str = "",
) -> Imported:
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
    generation : str or None
        Of the kernel that stands for the host's: whose drivers serve its file systems. None: of
        the shipped one that stands for it.
    untold_fs : str
        What file systems are whose type no source tells; empty: they are left out.

    Raises
    ------
    BlockstackError
        Devices of kinds that the registry lacks (unless skipped), cycles, contradictions.
    """
    own = Build(host.release, host.machine, host.real_time)
    draft = Draft(
        host,
        frozenset(skip),
        generation or PROFILES[stands_for(own).name].generation,
        untold_fs,
    )
    for text in host.contradictions():
        host.note(text)
    parts = _parts(draft)
    _used_only(draft, parts)
    add_unseen(draft, parts.values())
    add_uses(draft)
    _refuse_unknown(draft)
    draft.drop_left_out()
    order = _bottom_up(draft.devices)
    add_loops_and_networks(draft, order)
    order = _bottom_up(draft.devices)
    keys_of = dict(sized(draft.devices, order, host))
    for key, keys in keys_of.items():
        one = draft.devices[key]
        keys["limits"] = disk_limits(one.kind, keys, one.node, host) or None
    stack = _stack(host.name or name, draft, keys_of)
    nodes = {key: node for key in stack.devices if (node := draft.devices[key].node) is not None}
    while found := settled(stack, nodes, host):  # what is set below may show above
        for key, limits in found.items():
            keys_of[key]["limits"] = {**(keys_of[key]["limits"] or {}), **limits}
        stack = _stack(host.name or name, draft, keys_of)
    left = tuple(f"{device}: {why}" for device, why in draft.left.items())
    environment = environment_of(host)  # it may note that sources differ
    return Imported(
        stack,
        tuple(sorted(draft.guessed)),
        host.release,
        host.machine,
        host.real_time,
        environment,
        tuple(host.notes),
        left,
        tuple(host.sources),
    )


def _stack(name: str, draft: Draft, keys_of: Mapping[str, dict[str, Any]]) -> Stack:
    """All devices that the checks of a stack let in; what else may lie on a path is missing."""
    stack = Stack(name)
    for key, keys in keys_of.items():
        one = draft.devices[key]
        lost = next((low for low in one.on if low in draft.left), None)
        if lost is not None:
            draft.left[key] = f"stands on {lost}, which is left out"
            continue
        _fit(one, keys, stack, draft.host)
        try:
            stack.add(one.name, one.kind, None if "table" in keys else one.on or None, **keys)
        except BlockstackError as error:
            if key in draft.guessed:  # such a file system cannot be there
                draft.left[key] = f"{one.kind}: {error.message}"
                continue
            why = SourceError(
                error.message,
                path=key,
                value=error.value,
                hint="the sources "
                "contradict each other, or do not tell all of it; "
                f'--skip "{key}" leaves it and what stands on it out',
            )
            draft.cannot(key, why)
    stack.missing = draft.missing()
    if not stack.devices:
        raise SourceError(
            "describes no device that can carry I/O", path=name, hint=draft.why_empty()
        )
    return stack


def _fit(one: DraftDevice, keys: dict[str, Any], stack: Stack, host: Host) -> None:
    """Thin volumes and sparse files may be larger than what holds them: as large as that here."""
    if one.kind in ("dm-thin", "loop") and one.on and "size" in keys:
        below = stack.devices[one.on[0]].size_sectors * 512
        if parse_bytes(keys["size"]) > below:
            host.note(f"{one.name}: larger than {one.on[0]} under it (thin); as large as that here")
            del keys["size"]


def _parts(draft: Draft) -> dict[int, tuple[Node, Part]]:
    """What every node is; nodes that a part names for the first time are visited, too."""
    host, parts = draft.host, {}
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
            draft.problems[draft.name_of(node)] = error
            continue
        if part is None:
            continue
        parts[id(node)] = (node, part)
        todo += [n for n in part.on if id(n) not in seen]
    return parts


def _used_only(draft: Draft, parts: Mapping[int, tuple[Node, Part]]) -> None:
    """Leave out what carries nothing and is nothing that can be modelled, each with its reason."""
    host = draft.host
    below = {id(n) for _, part in parts.values() for n in part.on}
    below |= {id(n) for use in host.uses for name in use.on if (n := host.find(name))}
    maps = [part for _, part in parts.values() if part.kind.startswith("dm-multipath")]
    paths = {id(n) for part in maps for n in (*part.on, *part.rest)}
    for node in (n for part in maps for n in part.rest if id(n) not in below):
        draft.left[draft.name_of(node)] = "a further path of a multipath device"
    for node in list(host.nodes()):
        name, used = draft.name_of(node), id(node) in below
        if name in draft.left:
            continue
        if id(node) in parts:
            _take(draft, node, parts[id(node)][1], used, paths)
        elif draft.skips(name, *node.names):
            draft.omit(name, "skipped")
        elif name not in draft.problems:
            _absent(draft, node, used)
        elif used or _told(node):
            draft.cannot(name, draft.problems[name])
        else:
            draft.miss(name, f"only named: {draft.problems[name].message}")


def _told(node: Node) -> bool:
    """Whether a source says more of a device than its name."""
    said = node.facts
    telling = (
        said.table,
        said.md_level,
        said.bcache_backing,
        said.lvm_segtype,
        said.fstype,
        said.parent,
        said.drbd_peers,
    )
    return bool(said.slaves) or any(fact is not None for fact in telling)


def _absent(draft: Draft, node: Node, used: bool) -> None:
    """A device that no source makes a part of the stack: it serves no I/O, or is missing."""
    name, idle = draft.name_of(node), _serves_nothing(node)
    if used and not node.facts.md_inactive:
        why = "a device of which nothing tells what it is"
        draft.unknown[name] = (why, UNKNOWN in draft.skip)
    if idle or used:
        draft.left[name] = idle or "nothing tells what it is"
    else:
        draft.miss(name, "nothing tells what it is")


def _serves_nothing(node: Node) -> str:
    """Why a device can carry no I/O; empty: it may."""
    if node.facts.md_inactive:
        return "an md array that is not active (no level), or a container"
    if node.facts.dm_empty:
        return "has no dm table"
    if (node.kname or "").startswith("loop"):
        return "a loop device without a file"
    return "has no size (no medium, no file)" if node.facts.size_sectors == 0 else ""


def _take(draft: Draft, node: Node, part: Part, used: bool, paths: Collection[int]) -> None:
    name = draft.name_of(node)
    on = [draft.name_of(n) for n in part.on]
    if not used and node.facts.size_sectors == 0:
        draft.left[name] = "has no size (no medium, no file)"
        return
    if part.kind == "partition" and not used and id(part.on[0]) in paths:
        draft.left[name] = "a partition of a path of a multipath device"
        return
    if draft.skips(part.kind, name, *node.names):
        draft.omit(name, f"skipped ({part.kind})")
        return
    if part.kind not in KINDS:
        if not used and without_medium(node, part.kind):
            draft.left[name] = f"{part.kind}: no medium (its driver gives this size to none)"
            return
        if not used and not on:
            draft.miss(name, f"{part.kind}: no such kind in the registry")
            return
        draft.unknown[name] = (part.kind, UNKNOWN in draft.skip)
        if UNKNOWN in draft.skip:
            draft.left[name] = f"{part.kind}: no such kind in the registry"
            return
    keys = dict(part.keys)
    if "table" in keys:
        keys["table"] = [[r[0], r[1], draft.name_of(r[2]), r[3]] for r in keys["table"]]
    for slot in part.empty:
        on.insert(slot, _placeholder(draft, name, slot))
    draft.devices[name] = DraftDevice(name, part.kind, on, keys, node, part.table)


def _placeholder(draft: Draft, array: str, slot: int) -> str:
    """A device for a slot without a member: its number keeps those of the others in place."""
    name = f"{array}-slot{slot}"
    draft.host.note(f"{array}: slot {slot} has no member; {name} stands for it")
    draft.devices[name] = DraftDevice(name, "scsi", [], {"driver": "ahci"})
    return name


def _refuse_unknown(draft: Draft) -> None:
    missing = {n: kind for n, (kind, skipped) in draft.unknown.items() if not skipped}
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


def _bottom_up(devices: Mapping[str, DraftDevice]) -> list[str]:
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
