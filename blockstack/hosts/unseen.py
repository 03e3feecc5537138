"""What the sources point to and none of them shows: it counts as missing.

A signature says that a stack is on a device; where no source shows that stack, nobody knows how
deep it is.
"""

from collections.abc import Collection, Iterable

from blockstack.base.hints import listed
from blockstack.hosts.draft import Draft, DraftDevice
from blockstack.hosts.kinds_of import Part
from blockstack.hosts.model.host import Node
from blockstack.kinds import KINDS
from blockstack.stack.checks import is_filesystem

#: signatures (libblkid's names) of what makes another device out of this one; those that end in
#: ``_member`` do, too
_MAKES_A_DEVICE = (
    "BitLocker",
    "DM_integrity",
    "DM_snapshot_cow",
    "DM_verity_hash",
    "bcache",
    "bcachefs",
    "crypto_LUKS",
    "drbd",
    "stratis",
    "vdo",
)
#: sectors of a drive without a medium: drivers/scsi/sr.c 6.1 get_sectorsize (0x1fffff; lsblk
#: rounds it to 1024M), drivers/block/floppy.c MAX_DISK_SIZE << 1
_NO_MEDIUM = {"optical drive": (0x1FFFFF, 0x200000), "floppy drive": (8,)}


def without_medium(node: Node, kind: str) -> bool:
    """Whether a removable drive tells the size that its driver gives to none."""
    return node.facts.size_sectors in _NO_MEDIUM.get(kind, ()) and not node.facts.fstype


def add_unseen(draft: Draft, parts: Collection[tuple[Node, Part]]) -> None:
    """Name as missing what signatures, unread files and untold mounts point to."""
    host = draft.host
    for name, why in host.lost.items():
        draft.miss(name, why)
    taken = _stood_on(draft, parts)
    if not host.tells_mounts:
        tops = [node for node, _ in parts if id(node) not in taken]
        _untold_mounts(draft, [node for node in tops if not _taken_for_a_mount(draft, node)])
    for node in host.nodes():
        made = node.facts.fstype or ""
        if id(node) in taken or not (made.endswith("_member") or made in _MAKES_A_DEVICE):
            continue
        if made == "LVM2_member" and _in_a_known_group(node, draft):
            continue
        name = draft.name_of(node)
        if name not in draft.left:
            draft.miss(f"{made} on {name}", "what stands on it no source shows", (name,))


def _taken_for_a_mount(draft: Draft, node: Node) -> bool:
    """Put a file system on a device of whose use no source tells: of its signature's type, else
    of the type that stands for the untold."""
    name, made = draft.name_of(node), node.facts.fstype or ""
    kind = made or draft.untold_fs
    if not draft.untold_fs or node.facts.mount_told or name not in draft.devices:
        return False
    if kind == "swap" or kind not in KINDS or not is_filesystem(KINDS[kind]):
        return False
    draft.devices[f"{name}-fs"] = DraftDevice(f"{name}-fs", kind, [name], {})
    draft.guessed.add(f"{name}-fs")
    draft.host.note(
        "devices of whose use no source tells: a file system is assumed, and no further device"
    )
    return True


def _untold_mounts(draft: Draft, tops: Iterable[Node]) -> None:
    """Devices on which nothing stands, and something may be mounted."""
    untold = [draft.name_of(node) for node in tops if not node.facts.mount_told]
    names = [name for name in untold if name not in draft.left]
    if names:
        draft.miss(
            "file systems",
            f"what is mounted on {listed(names)} no source tells; add lsblk --json -O -b, or "
            "/proc/self/mountinfo",
            names,
        )


def _stood_on(draft: Draft, parts: Iterable[tuple[Node, Part]]) -> Collection[int]:
    """Nodes on which something stands, followed by the model or not."""
    host = draft.host
    taken = {id(n) for _, part in parts for n in (*part.on, *part.rest)}
    names = [name for use in host.uses for name in use.on]
    for node in host.nodes():
        names += node.facts.slaves or ()
        names += node.facts.fs_members or () if node.facts.fstype in _used_types(draft) else ()
    return taken | {id(found) for name in names if (found := host.find(name))}


def _used_types(draft: Draft) -> set[str]:
    """Types of the file systems that are mounted: a mount names one member of several."""
    return {use.fstype for use in draft.host.uses}


def _in_a_known_group(node: Node, draft: Draft) -> bool:
    """A physical volume whose group's volumes are told: they do not lie on it."""
    host = draft.host
    for group, devices in host.groups.items():
        if any(host.find(name) is node for name in devices):
            return any(one.facts.lvm_group == group or _of(group, one) for one in host.nodes())
    return False


def _of(group: str, node: Node) -> bool:
    return (node.mapped or "").startswith(group.replace("-", "--") + "-")
