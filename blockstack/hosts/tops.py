"""What sits on top of a host's devices, and what lies beside: file systems, swap areas, loop
devices' files, network cards."""

from collections.abc import Iterable, Mapping
from typing import Any

from blockstack.commands.mkfs import mount_keys
from blockstack.hosts.draft import UNKNOWN, Draft, DraftDevice
from blockstack.hosts.model.host import Host, Node, SourceError, Use
from blockstack.kinds import KINDS, served_by
from blockstack.stack.checks import is_filesystem, uses_nic

NIC = "net0"
NO_TYPE = "file system of unknown type"


def add_uses(draft: Draft) -> None:
    """One source per file system and swap area; the best source's word for each device."""
    best: dict[tuple[str, str], Use] = {}
    host = draft.host
    for use in host.uses:
        node = host.find(use.on[0]) if use.on else None
        key = (use.kind, draft.name_of(node) if node else use.where)
        held = best.get(key)
        if held is None or (use.source.rank, -len(use.where)) > (
            held.source.rank,
            -len(held.where),
        ):
            best[key] = use
    for (_, device), use in best.items():
        node = host.find(use.on[0]) if use.on else None
        members = (node.facts.fs_members if node else None) or use.on
        nodes = [n for one in members if (n := host.find(one))]
        kind, keys = _mounted(use, _fs_kind(use, node, host, draft.generation))
        name = _free_name(draft, "swap-" + device if use.kind == "swap" else use.where)
        if kind == NO_TYPE and draft.untold_fs and not draft.skips(name, use.where):
            kind, keys = _mounted(use, draft.untold_fs)
            draft.guessed.add(name)
        if draft.skips(kind, name, use.where):
            draft.omit(name, f"skipped ({kind}); its device is read and written raw")
        elif kind not in KINDS and UNKNOWN in draft.skip:
            draft.unknown[name] = (kind, True)
            why = (
                "its type no source tells"
                if kind == NO_TYPE
                else (f"{kind}: no such kind in the registry")
            )
            draft.left[name] = f"{why}; its device is read and written raw"
        else:
            if kind not in KINDS:
                draft.unknown[name] = (kind, False)
            draft.devices[name] = DraftDevice(
                name, kind, list(dict.fromkeys(draft.name_of(n) for n in nodes)), keys
            )


def _mounted(use: Use, kind: str) -> tuple[str, dict[str, Any]]:
    """The kind, and the keys that its mount options decide; no kind's name where none has them."""
    said = [word for word in use.options if not word.startswith("device=")]
    try:
        return kind, mount_keys(kind, said, ())
    except ValueError as why:
        return str(why), {}


def _free_name(draft: Draft, wanted: str) -> str:
    name = "_".join(wanted.split())[:190] or "mount"
    while name in draft.devices or name in draft.left:
        name += "~"
    return name


def _fs_kind(use: Use, node: Node | None, host: Host, generation: str) -> str:
    """The driver that serves a file system's type."""
    if use.kind == "swap":
        return "swap"
    fstype = use.fstype or ((node.facts.fstype if node else None) or "")
    if other := served_by(fstype, generation):
        host.note(f"{fstype}: served by the {other} driver, as in kernels since 4.3")
        return other
    return fstype or NO_TYPE


def add_loops_and_networks(draft: Draft, order: Iterable[str]) -> None:
    """Loop devices onto the file system that holds their file; a card under network devices."""
    mounts = {
        n: d
        for n, d in draft.devices.items()
        if d.kind in KINDS and is_filesystem(KINDS[d.kind]) and n.startswith("/")
    }
    for name in list(order):
        one = draft.devices[name]
        if one.kind == "loop":
            _loop(draft, one, mounts)
        if uses_nic(KINDS[one.kind]) or (one.node and one.node.facts.drbd_peers):
            _network(draft, one)
    draft.drop_left_out()


def _loop(draft: Draft, one: DraftDevice, mounts: Mapping[str, DraftDevice]) -> None:
    file = (one.node.facts.backing_file if one.node else None) or ""
    place = _mount_of(file.removesuffix(" (deleted)"), (*mounts, *draft.host.elsewhere))
    if place in mounts:
        one.on = [place]
        return
    where = draft.host.elsewhere.get(place)
    why = (
        f"{file} lies on {where} ({place}), which stands on no block device"
        if where
        else f"the file system that holds {file} is not in the stack"
        if file
        else "which file it stands on is not told"
    )
    if "loop" in draft.skip or UNKNOWN in draft.skip:
        draft.omit(one.name, why)
        del draft.devices[one.name]
        return
    raise SourceError(
        f"a loop device: {why}",
        path=one.name,
        hint="add losetup -a and /proc/self/mountinfo, or --skip loop",
    )


def _mount_of(file: str, places: Iterable[str]) -> str:
    """The longest mount point above a file; empty: none."""
    above = [p for p in places if file == p or file.startswith(p.rstrip("/") + "/")]
    return max(above, key=len, default="") if file else ""


def _network(draft: Draft, one: DraftDevice) -> None:
    card = (one.node.facts.netdev if one.node else None) or NIC
    if card not in draft.devices:
        driver = "loopback" if card == "lo" else "generic"
        draft.devices[card] = DraftDevice(card, "nic", [], {"driver": driver})
        if driver == "generic":
            draft.host.note(
                f"{card}: which driver the network card has is not told; modelled as "
                '"generic", whose depth is a lower bound'
            )
    one.keys["nic"] = card
