"""lsblk: JSON trees, ``KEY="value"`` pairs, and the tree for people.

lsblk prints a device once under each device that it stands on; the repeats are one device here.
It has no max_segments and no chunk_sectors, and (before util-linux 2.39) no START of partitions.
"""

import re
from collections.abc import Mapping
from typing import Any

from blockstack.errors import BlockstackError
from blockstack.importers.host import Host, Node, SourceError
from blockstack.importers.readers import queue
from blockstack.importers.readers.common import read_json, rounded_sectors, rows_of, text_of, whole

_PAIR = re.compile(r'(?<![A-Z0-9:%_-])([A-Z][A-Z0-9:%_-]*)="([^"]*)"')
_HEX = re.compile(r"\\x([0-9a-fA-F]{2})")
MAX_DEPTH = 200


def read_json_tree(text: str, host: Host) -> None:
    """``lsblk --json -O -b``, or fewer columns."""
    data = read_json(text, "lsblk --json")
    rows = rows_of(data.get("blockdevices")) if isinstance(data, dict) else []
    if not rows:
        raise SourceError("lsblk --json: no blockdevices", hint="take it with: lsblk --json -O -b")
    todo: list[tuple[dict[str, Any], Node | None, int]] = [(row, None, 0) for row in reversed(rows)]
    while todo:
        row, above, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise SourceError("lsblk --json: nested too deep", hint=f"at most {MAX_DEPTH} levels")
        plain = {str(k).lower(): v for k, v in row.items()}
        node = _note(plain, host, below=above)
        todo += [(child, node, depth + 1) for child in reversed(rows_of(row.get("children")))]


def read_pairs(text: str, host: Host) -> None:
    """``lsblk -O -P -b``, or fewer columns; lines that are no pairs (warnings) are passed over."""
    found = False
    for line in text.splitlines():
        pairs = {key.lower().replace("_", "-"): _unescape(value)
                 for key, value in _PAIR.findall(line)}
        if "name" in pairs or "kname" in pairs:
            found = True
            if "maj-min" in pairs:
                pairs["maj:min"] = pairs["maj-min"]
            _note(pairs, host, below=None)
    if not found:
        raise SourceError('lsblk -P: no line with NAME="..."', hint="take it with: lsblk -O -P -b")


def _unescape(text: str) -> str:
    return _HEX.sub(lambda m: chr(int(m[1], 16)), text)


def _note(row: Mapping[str, Any], host: Host, below: Node | None) -> Node:
    """One row's facts; ``below`` is the device that it is printed under."""
    name, kind = text_of(row.get("name")).strip(), text_of(row.get("type"))
    name, _, kname = name.partition(" (") if name.endswith(")") else (name, "", "")
    kname = text_of(row.get("kname")) or kname.removesuffix(")") or name
    if not kname:
        raise SourceError("lsblk: a device without a name")
    mapped = name if name != kname or kind in ("lvm", "crypt", "mpath", "dm") else ""
    names = [kname, text_of(row.get("maj:min")).strip()]
    if mapped and not mapped.startswith("/"):
        names = names if kname != name else names[1:]
        names.append(f"mapper/{mapped}")
    node = host.node(*[n for n in names if n])
    size = rounded_sectors(row.get("size"))
    if size is not None:
        node.put("size_sectors", size[0], "lsblk", exact=size[1])
        if not size[1]:
            node.put("size_rounded", True, "lsblk")
    node.put("start_sectors", whole(row.get("start")), "lsblk")
    node.put("type", kind, "lsblk")
    node.put("fstype", text_of(row.get("fstype")), "lsblk")
    _transport(row, node)
    if kind != "part":
        queue.from_lsblk(node, row)
    parent = text_of(row.get("pkname"))
    _stand(node, below if below is not None else host.node(parent) if parent else None, kind)
    _mounts(row, node, host)
    return node


def _stand(node: Node, below: Node | None, kind: str) -> None:
    """``node`` stands on ``below``: a partition on its disk, anything else on one of several."""
    if below is None or below is node:
        return
    name = next(iter(below.names))
    if kind == "part" and not node.mapped:
        node.put("parent", name, "lsblk")
        return
    held = node.facts.get("slaves")
    if held is None:
        node.put("slaves", (name,), "lsblk")
    elif held.source == "lsblk" and name not in held.value:
        held.value = (*held.value, name)


def _transport(row: Mapping[str, Any], node: Node) -> None:
    tran = text_of(row.get("tran")).lower()
    subsystems = text_of(row.get("subsystems")).split(":")
    if "virtio" in subsystems:
        tran = "virtio-scsi" if "scsi" in subsystems else "virtio"
    words = {"sata": "ata", "spi": "scsi"}
    node.put("transport", words.get(tran, tran), "lsblk")


def _mounts(row: Mapping[str, Any], node: Node, host: Host) -> None:
    points = row.get("mountpoints")
    places = [text_of(p) for p in points] if isinstance(points, list) else []
    places.append(text_of(row.get("mountpoint")))
    fstype = text_of(row.get("fstype"))
    for place in dict.fromkeys(p for p in places if p):
        on = (next(iter(node.names)),)
        if place == "[SWAP]":
            host.use("swap", "swap", place, on, "lsblk")
        else:
            host.use("fs", fstype, place, on, "lsblk")


def read_tree(text: str, host: Host) -> None:
    """lsblk's tree for people; the columns NAME, MAJ:MIN, SIZE, TYPE and MOUNTPOINT are used."""
    lines = [line for line in text.splitlines() if line.strip()]
    head = next((i for i, line in enumerate(lines)
                 if line.startswith("NAME") and "MAJ:MIN" in line), None)
    if head is None:
        raise SourceError("lsblk: no header with NAME and MAJ:MIN", hint="take it with: lsblk")
    columns = lines[head].split()
    above: list[Node] = []
    for line in lines[head + 1:]:
        level, row = _tree_row(line, columns)
        if not row:
            continue
        if level > len(above):
            raise SourceError("lsblk: a branch without a trunk", value=line[:80])
        node = _note(row, host, below=above[level - 1] if level else None)
        above[level:] = [node]


def _tree_row(line: str, columns: list[str]) -> tuple[int, dict[str, str]]:
    """Depth (two characters each) and fields; MOUNTPOINT may be empty and is the last."""
    match = re.search(r"[^\s|`│├└─-]", line)
    if match is None:
        return 0, {}
    level = match.start() // 2
    number = re.search(r"\s(\d+:\d+)\s", line)
    if number is None:
        return 0, {}
    name = line[match.start():number.start()].strip()
    rest = line[number.start():].split(None, len(columns) - 2)
    keys = [c.lower() for c in columns[1:]]
    return level, {"name": name, **dict(zip(keys, (v.strip() for v in rest), strict=False))}


def usage_error(text: str) -> BlockstackError:
    """lsblk that refused its options."""
    return SourceError("lsblk refused its options and printed no devices", value=text[:60],
                       hint="this lsblk is too old for the option; take: lsblk -b -P -o "
                       "NAME,KNAME,MAJ:MIN,SIZE,TYPE,FSTYPE,MOUNTPOINT, or /sys")
