"""lsblk: JSON trees and ``KEY="value"`` pairs; `lsblk_tree` has the tree for people.

lsblk prints a device once under each device that it stands on; the repeats are one device here.
It has no max_segments and no chunk_sectors, and (before util-linux 2.39) no START of partitions.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.hosts.model.facts import LSBLK, Facts
from blockstack.hosts.model.host import Host, Node, SourceError
from blockstack.hosts.model.naming import disk_of_partition, is_kernel_name
from blockstack.hosts.readers import queue
from blockstack.hosts.readers.common import (
    read_json,
    rounded_sectors,
    rows_of,
    text_of,
    whole,
)
from blockstack.hosts.readers.md import LEVELS as MD_LEVELS

_PAIR = re.compile(r'(?<![A-Z0-9:%_-])([A-Z][A-Z0-9:%_-]*)="([^"]*)"')
_HEX = re.compile(r"\\x([0-9a-fA-F]{2})")
MAX_DEPTH = 200


def read_json_tree(text: str, host: Host) -> None:
    """``lsblk --json -O -b``, or fewer columns."""
    data = read_json(text, "lsblk --json")
    rows = rows_of(data.get("blockdevices")) if isinstance(data, dict) else []
    if not rows:
        raise SourceError("lsblk --json: no blockdevices", hint="take it with: lsblk --json -O -b")
    found: list[Branch] = []
    todo: list[tuple[dict[str, Any], int | None, int]] = [(row, None, 0) for row in reversed(rows)]
    while todo:
        row, above, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise SourceError("lsblk --json: nested too deep", hint=f"at most {MAX_DEPTH} levels")
        found.append(({str(k).lower(): v for k, v in row.items()}, above))
        here = len(found) - 1
        todo += [(child, here, depth + 1) for child in reversed(rows_of(row.get("children")))]
    forest(found, host)


#: a row, and the index of the row that it is printed under
Branch = tuple[Mapping[str, Any], int | None]


def forest(rows: Sequence[Branch], host: Host) -> None:
    """All rows of a tree. ``lsblk -s`` prints it upside down: disks under their partitions."""
    nodes = [_note(row, host) for row, _ in rows]
    kinds = [_kind(row, rows[above][0] if above is not None else {}) for row, above in rows]
    upside_down = any(
        above is not None
        and kinds[i] == "disk"
        and disk_of_partition(nodes[above].kname or "") == nodes[i].kname
        for i, (_, above) in enumerate(rows)
    )
    for i, (_, above) in enumerate(rows):
        if above is None:
            _level(nodes[i], kinds[i])
            continue
        upper, lower = (above, i) if upside_down else (i, above)
        _level(nodes[upper], kinds[upper])
        _stand(nodes[upper], nodes[lower], kinds[upper])


#: what stands on a device with this signature, for trees without the column TYPE
_ON_SIGNATURE = {"crypto_LUKS": "crypt", "LVM2_member": "lvm", "mpath_member": "mpath"}


def _kind(row: Mapping[str, Any], above: Mapping[str, Any]) -> str:
    """The row's TYPE, or what name and the device below tell of it."""
    told = text_of(row.get("type"))
    if told or "type" in row:
        return told
    if disk_of_partition(text_of(row.get("name"))):
        return "part"
    return _ON_SIGNATURE.get(text_of(above.get("fstype")), "")


def _level(node: Node, kind: str) -> None:
    """TYPE of an md array is its level (util-linux lsblk.c get_type: md/level)."""
    node.tell(LSBLK, Facts(device_type=kind))
    if kind in MD_LEVELS and (node.kname or "").startswith("md"):
        node.tell(LSBLK, Facts(md_level=kind))


def read_pairs(text: str, host: Host) -> None:
    """``lsblk -O -P -b``, or fewer columns; lines that are no pairs (warnings) are passed over."""
    found = False
    for line in text.splitlines():
        pairs = {
            key.lower().replace("_", "-"): _unescape(value) for key, value in _PAIR.findall(line)
        }
        if "name" in pairs or "kname" in pairs:
            found = True
            if "maj-min" in pairs:
                pairs["maj:min"] = pairs["maj-min"]
            node = _note(pairs, host)
            kind = _kind(pairs, {})
            _level(node, kind)
            parent = text_of(pairs.get("pkname"))
            _stand(node, host.node(parent) if parent else None, kind)
    if not found:
        raise SourceError('lsblk -P: no line with NAME="..."', hint="take it with: lsblk -O -P -b")


def _unescape(text: str) -> str:
    return _HEX.sub(lambda m: chr(int(m[1], 16)), text)


#: TYPE of devices that are not device mapper's (util-linux 2.39 misc-utils/lsblk.c get_type and
#: lib/blkdev.c blkdev_scsi_type_to_name); dm devices have the prefix of their UUID, or "dm"
OWN_TYPES = frozenset(
    (
        *("disk", "part", "loop", "md", *MD_LEVELS, "rom", "tape", "printer", "processor", "worm"),
        *("scanner", "mo-disk", "changer", "comm", "raid", "rbc", "osd", "no-lun"),
    )
)


def _note(row: Mapping[str, Any], host: Host) -> Node:
    """One row's own facts."""
    name, kind = text_of(row.get("name")).strip(), text_of(row.get("type"))
    name, _, kname = name.partition(" (") if name.endswith(")") else (name, "", "")
    kname = text_of(row.get("kname")) or kname.removesuffix(")") or name
    if not kname:
        raise SourceError("lsblk: a device without a name")
    made_by_dm = (kind or "type" not in row) and not is_kernel_name(kname)
    mapped = name if name != kname or (made_by_dm and kind not in OWN_TYPES) else ""
    names = [kname, text_of(row.get("maj:min")).strip()]
    if mapped and not mapped.startswith("/"):
        names = names if kname != name else names[1:]
        names.append(f"mapper/{mapped}")
    node = host.node(*[n for n in names if n])
    size = rounded_sectors(row.get("size"))
    if size is not None:
        told = Facts(size_sectors=size[0], size_rounded=None if size[1] else True)
        node.tell(LSBLK, told, exact=size[1])
    node.tell(
        LSBLK, Facts(start_sectors=whole(row.get("start")), fstype=text_of(row.get("fstype")))
    )
    _transport(row, node)
    if kind != "part":
        node.tell(LSBLK, queue.from_lsblk(row))
    _mounts(row, node, host)
    return node


def _stand(node: Node, below: Node | None, kind: str) -> None:
    """``node`` stands on ``below``: a partition on its disk, anything else on one of several."""
    if below is None or below is node:
        return
    name = next(iter(below.names))
    if kind == "part" and not node.mapped:
        node.tell(LSBLK, Facts(parent=name))
    else:
        node.stand_on(name, LSBLK)


def _transport(row: Mapping[str, Any], node: Node) -> None:
    tran = text_of(row.get("tran")).lower()
    subsystems = text_of(row.get("subsystems")).split(":")
    if "virtio" in subsystems:
        tran = "virtio-scsi" if "scsi" in subsystems else "virtio"
    words = {"sata": "ata", "spi": "scsi"}
    node.tell(LSBLK, Facts(transport=words.get(tran, tran)))


def _mounts(row: Mapping[str, Any], node: Node, host: Host) -> None:
    told = "mountpoint" in row or "mountpoints" in row
    node.tell(LSBLK, Facts(mount_told=told or None))
    points = row.get("mountpoints")
    places = [text_of(p) for p in points] if isinstance(points, list) else []
    places.append(text_of(row.get("mountpoint")))
    fstype = text_of(row.get("fstype"))
    for place in dict.fromkeys(p for p in places if p):
        on = (next(iter(node.names)),)
        if place == "[SWAP]":
            host.use("swap", "swap", place, on, LSBLK)
        else:
            host.use("fs", fstype, place, on, LSBLK)


def usage_error(text: str) -> BlockstackError:
    """lsblk that refused its options."""
    return SourceError(
        "lsblk refused its options and printed no devices",
        value=text[:60],
        hint="this lsblk is too old for the option; take: lsblk -b -P -o "
        "NAME,KNAME,MAJ:MIN,SIZE,TYPE,FSTYPE,MOUNTPOINT, or /sys",
    )
