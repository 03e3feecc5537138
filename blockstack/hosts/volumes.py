"""What a dm device is of which no source has the table: what its maker and its name tell.

LVM names the volumes inside a volume by a suffix (lvm2 lib/metadata/lv_manip.c, raid_manip.c,
thin_manip.c, cache_manip.c; WHATS_NEW of 2.03) and its layers by a dash and a word
(lib/activate/dev_manager.c), so that a volume's lower devices tell which target it has. A volume
that stands directly on disks, partitions, arrays, crypt or multipath devices is linear or striped:
both are equally deep on every kernel that ships.
"""

import re
from collections.abc import Sequence

from blockstack.hosts.leaves import dm_kind
from blockstack.hosts.model.host import Host, Node, SourceError, Untold

_SUFFIX = re.compile(
    r"(?:_(tdata|tmeta|cdata|cmeta|cvol|cpool|corig|wcorig|rimage|rmeta|mimage|mlog|vdata|vorigin"
    r"|iorig|imeta|pmspare)(?:_\d+)?|(?<!-)-(tpool|vpool|real|cow))\Z"
)
#: parts of a volume that are plain areas themselves; a pool is none
_POOLS = ("tpool", "vpool")
_ASSUMED = (
    "logical volumes: no source tells their targets; those that stand on plain devices are linear "
    "or striped, which are equally deep: dm-linear is assumed (dmsetup table would tell)"
)


def inner_part(node: Node) -> str:
    """Which part of a volume a volume is by its name: ``tdata``, ``rimage`` …; or empty."""
    match = _SUFFIX.search(node.mapped or "")
    return (match[1] or match[2]) if match else ""


def volume_of(node: Node, on: Sequence[Node], host: Host) -> tuple[str, Sequence[Node]]:
    """The kind of a logical volume without a table, and its lower devices in the target's order.

    The kind may be a word that the registry does not have.

    Raises
    ------
    BlockstackError
        Neither its maker nor its name tells.
    """
    told = node.facts.lvm_segtype
    if told is not None:
        if told == "mirror" and host.find(f"mapper/{node.mapped}_mlog"):
            raise _untold(node, "a mirror whose log is on a disk, which the model does not have")
        return f"dm-{told}", on
    if not _made_by_lvm(node):
        word = node.facts.device_type or ""
        if word not in ("", "dm", "lvm"):
            return word, on
        raise _untold(node, "which target this dm device has, no source tells")
    if not node.facts.slaves and _has_inner_volumes(node, host):
        raise _untold(node, "which volumes of its group it stands on, no source tells")
    parts = {inner_part(one) for one in on if _is_volume(one)}
    if not parts:
        if inner_part(node) in _POOLS:
            raise _untold(node, "a pool whose parts no source tells")
        host.note(_ASSUMED)
        return "dm-linear", on
    return _by_parts(node, on, parts)


def _by_parts(node: Node, on: Sequence[Node], parts: set[str]) -> tuple[str, Sequence[Node]]:
    """Of a volume that stands on parts of itself, or on a pool."""

    def ordered(*names: str) -> list[Node]:
        return [one for name in names for one in on if inner_part(one) == name]

    if parts == {"tdata", "tmeta"}:
        return "dm-thin-pool", ordered("tdata", "tmeta")
    if parts == {"tpool"} and len(on) == 1:
        top = (on[0].mapped or "").removesuffix("-tpool") == node.mapped
        return ("dm-linear" if top else "dm-thin"), on
    if parts == {"corig", "cdata", "cmeta"}:
        return "dm-cache", ordered("corig", "cdata", "cmeta")
    if parts == {"wcorig", "cvol"}:
        return "dm-writecache", ordered("wcorig", "cvol")
    if parts == {"mimage"}:
        return "dm-mirror", on
    if parts & {"vdata", "vpool"}:
        return "dm-vdo", on
    why = {
        "mlog": "a mirror whose log is on a disk, which the model does not have",
        "rimage": "a RAID volume whose level no source tells",
        "real": "a snapshot or its origin, whose store and chunk no source tells",
    }
    found = next((text for part, text in why.items() if part in parts), None)
    raise _untold(
        node, found or "a logical volume on another, and which target it has no source tells"
    )


def _made_by_lvm(node: Node) -> bool:
    """LVM's prefix in the UUID, lsblk's word, or LVM's own report."""
    said = node.facts
    uuid = said.dm_uuid or ""
    if uuid:
        return uuid.startswith("LVM-")
    return said.device_type == "lvm" or said.lvm_group is not None


def _is_volume(node: Node) -> bool:
    """Whether a lower device is another logical volume or a dm device of unknown make."""
    return node.mapped is not None and dm_kind(node) is None


def _has_inner_volumes(node: Node, host: Host) -> bool:
    """Whether parts of a volume are in the node's group."""
    group = (node.facts.lvm_group or "").replace("-", "--")
    return any(
        (one.mapped or "").startswith(f"{group}-") and inner_part(one) for one in host.nodes()
    )


def _untold(node: Node, why: str) -> SourceError:
    return Untold(why, path=node.label, hint="add: dmsetup table")
