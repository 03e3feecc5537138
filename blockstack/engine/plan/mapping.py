"""How a device maps a bio, as the core's numbers: op kind, segments, raid row, children."""

from collections.abc import Mapping
from dataclasses import dataclass

from blockstack.base.errors import ConfigError
from blockstack.engine.plan import arrays as arr
from blockstack.kinds import Calls
from blockstack.stack import Device, Stack

_KINDS = {
    "leaf": arr.LEAF,
    "remap": arr.REMAP,
    "segments": arr.SEGMENTS,
    "stripe": arr.SEGMENTS,
    "mirror": arr.MIRROR,
    "raid10": arr.RAID10,
    "raid456": arr.RAID456,
    "snapshot-origin": arr.SNAPSHOT_ORIGIN,
    "snapshot": arr.SNAPSHOT,
    "paths": arr.PATHS,
    "cache": arr.CACHE,
}
#: what a write does at a cache; flags of its worker: a miss fills it, what was written is drained
CACHE_WRITES = {"writeback": 0, "writethrough": 1, "writearound": 2}
CACHE_FILLED, CACHE_DRAINED = 1, 2
SPLITS = {"loop": arr.LOOP, "front": arr.FRONT, "rest": arr.REST, "rest-mapped": arr.REST_MAPPED}
_PARITY = {
    f"{owner}-raid{level}": (level, 2 if level == 6 else 1)
    for owner in ("md", "dm")
    for level in (4, 5, 6)
}
#: flags of a raid4/5/6 row
FULL_STRIPE_IN_CALLER, ALIGNED_READ, READ_IN_CALLER = 1, 2, 4
_U32 = 2**32 - 1
_NO_RAID = (0,) * 8


@dataclass(frozen=True)
class Shape:
    """One device's mapping.

    Attributes
    ----------
    op_kind : int
    raid : tuple of 8 int
    segments : tuple of (begin, end, first child, width, chunk), in sectors
    children : tuple of (device name, offset in sectors)
        A device is repeated where several segments lie on it.
    """

    op_kind: int
    raid: tuple[int, ...] = _NO_RAID
    segments: tuple[tuple[int, int, int, int, int], ...] = ()
    children: tuple[tuple[str, int], ...] = ()

    @property
    def both(self) -> bool:
        """Whether the data decide if an operation goes on in the caller or in the worker."""
        return self.op_kind in (arr.RAID456, arr.SNAPSHOT_ORIGIN, arr.SNAPSHOT, arr.CACHE)


def shape_of(stack: Stack, device: Device, calls: Calls) -> Shape:
    """The mapping of ``device``.

    Raises
    ------
    ConfigError
        A kind whose mapping the core does not have.
    """
    kind = device.kind_entry
    if kind.role in ("leaf", "nic"):
        return Shape(arr.LEAF)
    if device.maps_itself:
        return _mapped(stack, device)
    if kind.mapping not in _KINDS:
        raise ConfigError(
            "no such mapping in the core", path=f"devices.{device.name}", value=kind.mapping
        )
    op_kind = _KINDS[kind.mapping]
    if op_kind == arr.SEGMENTS:
        return _segments(device)
    children = tuple(
        (low.device, low.offset_sectors) for low in stack.lower(device.name) if low.role != "nic"
    )
    return Shape(op_kind, _raid(device, op_kind, calls), (), children)


def next_boundary(shape: Shape, op: int, sector: int) -> int | None:
    """The first sector above ``sector`` at which the driver itself cuts; None: nowhere."""
    if op == arr.FLUSH:
        return None
    if shape.op_kind == arr.SEGMENTS:
        begin, end, _, _, chunk = next(
            (s for s in shape.segments if sector < s[1]), shape.segments[-1]
        )
        ends = [end] if end < shape.segments[-1][1] else []
        if chunk:
            ends.append(begin + ((sector - begin) // chunk + 1) * chunk)
        return min(ends, default=None)
    chunk = 0
    if shape.op_kind == arr.RAID10:
        chunk = shape.raid[4]
    elif shape.op_kind == arr.RAID456:
        cuts = op == arr.READ and shape.raid[6] & ALIGNED_READ and not shape.raid[5]
        chunk = shape.raid[2] if cuts else 0
    elif shape.op_kind in (arr.SNAPSHOT, arr.SNAPSHOT_ORIGIN):
        chunk = shape.raid[0]
    return (sector // chunk + 1) * chunk if chunk else None


def _mapped(stack: Stack, device: Device) -> Shape:
    """A file system's own mapping: stripes, or copies (two on one device: ``dup``)."""
    if device.segments:
        return _segments(device)
    g = device.geometry
    if "dup" in g:
        return Shape(
            arr.MIRROR,
            children=tuple((device.on[0], i * g["member_sectors"]) for i in range(g["dup"])),
        )
    children = tuple((low.device, low.offset_sectors) for low in stack.lower(device.name))
    return Shape(arr.RAID10, _raid10(g), (), children)


def _segments(device: Device) -> Shape:
    rows: list[tuple[int, int, int, int, int]] = []
    children: list[tuple[str, int]] = []
    for s in device.segments:
        rows.append((s.begin, s.end, len(children), len(s.members), s.chunk_sectors))
        children += zip(s.members, s.offsets, strict=True)
    if len(rows) == 1 and rows[0][3] == 1 and rows[0][4] == 0:
        return Shape(arr.REMAP, children=tuple(children))
    return Shape(arr.SEGMENTS, segments=tuple(rows), children=tuple(children))


def _raid(device: Device, op_kind: int, calls: Calls) -> tuple[int, ...]:
    p, g = device.params, device.geometry
    if op_kind == arr.RAID10:
        return _raid10(g)
    if op_kind == arr.RAID456:
        level, parity = _PARITY[device.kind]
        o = calls.options
        bypass = o.get("aligned_read") and (
            not device.failed or o.get("aligned_read_degraded", True)
        )
        flags = (
            FULL_STRIPE_IN_CALLER * bool(o.get("full_stripe_in_caller"))
            + ALIGNED_READ * bool(bypass)
            + READ_IN_CALLER * bool(o.get("read_in_caller"))
        )
        return (
            len(device.on),
            parity,
            p["chunk"],
            level,
            int(bool(o.get("rmw", True))),
            sum(1 << i for i in device.failed),
            flags,
            0,
        )
    if op_kind in (arr.SNAPSHOT_ORIGIN, arr.SNAPSHOT):
        return (p["chunk"], round(p["copied"] * _U32), 0, 0, 0, 0, 0, 0)
    if op_kind == arr.CACHE:
        c = calls.options["cache"]
        return (
            p["block"],
            round(p["hits"] * _U32),
            CACHE_WRITES[c["writes"]],
            CACHE_FILLED * c["filled"] + CACHE_DRAINED * c["drained"],
            0,
            0,
            0,
            0,
        )
    return _NO_RAID


def _raid10(g: Mapping[str, int]) -> tuple[int, ...]:
    return (
        g["disks"],
        g["near_copies"],
        g["far_copies"],
        g["far_offset"],
        g["chunk_sectors"],
        g["stride_sectors"],
        0,
        0,
    )
