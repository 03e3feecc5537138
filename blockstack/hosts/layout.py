"""Sizes and places of the devices of a host: told, needed by what stands on them, or assumed.

A depth does not depend on them, a bio's way does. What no source tells is the least that what
stands on a device needs, and noted.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blockstack.base.units import format_bytes, parse_bytes
from blockstack.hosts.draft import DraftDevice
from blockstack.hosts.model.host import Host
from blockstack.kinds import KINDS
from blockstack.stack.keys import topology_keys

ASSUMED_SECTORS = 100 << 21  # 100 GiB
FIRST_SECTORS = 2048  # where partitioning tools begin: 1 MiB
_EXACT_ON_DM = ("dm-crypt", "dm-integrity", "dm-snapshot", "dm-snapshot-origin", "dm-thin")


def sized(
    devices: Mapping[str, DraftDevice], order: Sequence[str], host: Host
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each device's name and its complete keys, bottom up.

    Sizes that a tool has rounded or does not tell are made as large as needed, top down.
    """
    sizes, placed = _needs(devices, order, host)
    for name in order:
        yield name, _keys(devices[name], sizes.get(name, 0), placed.get(name))


def _told(one: DraftDevice) -> tuple[int | None, bool]:
    """Sectors, and whether they are exact."""
    if one.node is None:
        return None, False
    size, told = one.node.facts.size_sectors, one.node.told
    if not size:
        return None, False
    rounded = told.get("size_rounded")
    return size, rounded is None or told["size_sectors"].source != rounded.source


def _needs(
    devices: Mapping[str, DraftDevice], order: Sequence[str], host: Host
) -> tuple[dict[str, int], dict[str, int]]:
    """Sizes by device, starts by partition: from the top down."""
    need: dict[str, int] = {}
    sizes: dict[str, int] = {}
    starts: dict[str, int] = {}
    parts: dict[str, list[str]] = {}
    for name in reversed(order):
        one = devices[name]
        told, exact = _told(one)
        if name in parts:
            need[name] = max(
                need.get(name, 0),
                _lay_out(devices, parts[name], sizes, starts, host, told if exact and told else 0),
            )
        if told is None:
            size = need.get(name) or ASSUMED_SECTORS
            if not one.on and one.kind in KINDS and KINDS[one.kind].role == "leaf":
                host.note(
                    "disks whose size no source tells: the least that what stands on them "
                    "needs, or 100 GiB, assumed"
                )
        else:
            size = told if exact else max(told, need.get(name, 0))
            if not exact:
                host.note(
                    "lsblk without -b rounds sizes: disks are as large as printed, or as "
                    "what stands on them needs"
                )
        sizes[name] = size
        if one.kind == "partition":
            parts.setdefault(one.on[0], []).append(name)
        else:
            for lower, wanted in _spread(one, need.get(name, 0) if told is None else size):
                need[lower] = max(need.get(lower, 0), wanted)
    return sizes, starts


def _lay_out(
    devices: Mapping[str, DraftDevice],
    parts: Sequence[str],
    sizes: Mapping[str, int],
    starts: dict[str, int],
    host: Host,
    room: int,
) -> int:
    """Partitions whose start is not told follow each other; the end of the last one.

    ``room`` is the disk's size when it is known: what then begins before 1 MiB does so here, too.
    """
    total = sum(sizes[name] for name in parts)
    free = min(FIRST_SECTORS, max(room - total, 0)) if room else FIRST_SECTORS
    unknown = []
    for name in parts:
        node = devices[name].node
        start = node.facts.start_sectors if node else None
        if start is None:
            unknown.append(name)
        else:
            starts[name] = start
            free = max(free, start + sizes[name])
    if unknown:
        host.note("partitions: where they start no source tells; one after the other is assumed")
    for name in sorted(unknown, key=lambda n: (len(n), n)):
        starts[name] = free
        free += sizes[name]
    return free


def _spread(one: DraftDevice, size: int) -> Iterator[tuple[str, int]]:
    """How much of each lower device a device of that size needs."""
    n = max(len(one.on), 1)
    if "table" in one.keys:
        for _, length, lower, offset in one.keys["table"]:
            yield lower, offset + length
        return
    chunk = parse_bytes(one.keys.get("chunk") or "512 KiB") // 512
    kind = one.kind
    mapping = KINDS[kind].mapping if kind in KINDS else ""
    if kind == "dm-striped":
        offsets = one.keys.get("offsets") or [0] * n
        for lower, offset in zip(one.on, offsets, strict=False):
            yield lower, offset + -(-size // n)
        return
    data = {"raid456": n - (2 if kind.endswith("6") else 1), "stripe": n}.get(mapping, 1)
    if mapping == "raid10":
        data = max(n // 2, 1)
    if mapping in ("segments", "concatenated") or kind == "md-linear":
        data = n
    share = -(-size // max(data, 1))
    whole = share if data == 1 else -(-share // chunk) * chunk
    for i, lower in enumerate(one.on):
        yield lower, whole if i == 0 or not kind.startswith("dm-snapshot") else 1


def _text(sectors: int) -> str | int:
    """``"100 GiB"``, or bytes where no unit keeps the value short."""
    text = format_bytes(sectors * 512)
    return sectors * 512 if "," in text else text


def _keys(one: DraftDevice, size: int, start: int | None) -> dict[str, Any]:
    """The kind's keys: sizes in bytes, as a config has them."""
    keys = dict(one.keys)
    entry = KINDS[one.kind]
    allowed = (*topology_keys(entry), *(p.name for p in entry.params))
    if entry.role == "leaf" or one.kind == "nfs":
        keys["size"] = _text(size)
    elif one.kind == "partition":
        keys |= {"start": _text(start or 0), "size": _text(size)}
    elif one.kind in ("loop", *_EXACT_ON_DM) and "size" not in keys:
        told, exact = _told(one)
        if told and exact:
            keys["size"] = _text(told)
    if "size" in keys and "size" not in allowed:
        del keys["size"]
    if "table" in keys:
        keys.pop("size", None)
        if len(keys["table"]) == 1 and one.kind == "dm-linear":
            _, length, _, offset = keys.pop("table")[0]
            keys |= {"size": _text(length)} | ({"offset": _text(offset)} if offset else {})
    return {k: v for k, v in keys.items() if v is not None}
