"""How a device maps a bio, as the core's numbers: op kind, segments, row, children."""

from collections.abc import Mapping
from dataclasses import dataclass

from blockstack.base.errors import ConfigError
from blockstack.engine.plan import arrays as arr
from blockstack.engine.plan.rows import (
    ALIGNED_READ,
    DRAINED,
    FILLED,
    FULL_STRIPE_IN_CALLER,
    READ_IN_CALLER,
    WHOLE,
    WRITE_AROUND,
    WRITE_BACK,
    WRITE_THROUGH,
    CacheRow,
    CopiesRow,
    MappingRow,
    ParityRow,
    SnapshotRow,
)
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
_CACHE_WRITES = {
    "writeback": WRITE_BACK,
    "writethrough": WRITE_THROUGH,
    "writearound": WRITE_AROUND,
}
SPLITS = {"loop": arr.LOOP, "front": arr.FRONT, "rest": arr.REST, "rest-mapped": arr.REST_MAPPED}
_PARITY = {
    f"{owner}-raid{level}": (level, 2 if level == 6 else 1)
    for owner in ("md", "dm")
    for level in (4, 5, 6)
}


@dataclass(frozen=True)
class Shape:
    """One device's mapping.

    Attributes
    ----------
    op_kind : int
    row : MappingRow or None
        The mapping's own numbers.
    segments : tuple of (begin, end, first child, width, chunk), in sectors
    children : tuple of (device name, offset in sectors)
        A device is repeated where several segments lie on it.
    """

    op_kind: int
    row: MappingRow | None = None
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
    return Shape(op_kind, _row(device, op_kind, calls), (), children)


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
    match shape.row:
        case CopiesRow() | SnapshotRow():
            chunk = shape.row.chunk
        case ParityRow(bypassed=True) if op == arr.READ:
            chunk = shape.row.chunk
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
    return Shape(arr.RAID10, _copies(g), (), children)


def _segments(device: Device) -> Shape:
    rows: list[tuple[int, int, int, int, int]] = []
    children: list[tuple[str, int]] = []
    for s in device.segments:
        rows.append((s.begin, s.end, len(children), len(s.members), s.chunk_sectors))
        children += zip(s.members, s.offsets, strict=True)
    if len(rows) == 1 and rows[0][3] == 1 and rows[0][4] == 0:
        return Shape(arr.REMAP, children=tuple(children))
    return Shape(arr.SEGMENTS, segments=tuple(rows), children=tuple(children))


def _row(device: Device, op_kind: int, calls: Calls) -> MappingRow | None:
    p = device.params
    if op_kind == arr.RAID10:
        return _copies(device.geometry)
    if op_kind == arr.RAID456:
        return _parity(device, calls)
    if op_kind in (arr.SNAPSHOT_ORIGIN, arr.SNAPSHOT):
        return SnapshotRow(p["chunk"], round(p["copied"] * WHOLE))
    if op_kind == arr.CACHE:
        cache = calls.cache
        assert cache is not None  # a kind of this mapping has one in every generation
        return CacheRow(
            p["block"],
            round(p["hits"] * WHOLE),
            _CACHE_WRITES[cache.writes],
            FILLED * cache.filled + DRAINED * cache.drained,
        )
    return None


def _parity(device: Device, calls: Calls) -> ParityRow:
    level, parity = _PARITY[device.kind]
    own = calls.parity
    assert own is not None  # a kind of this mapping has it in every generation
    bypass = own.aligned_read and (own.aligned_read_degraded or not device.failed)
    return ParityRow(
        disks=len(device.on),
        parity=parity,
        chunk=device.params["chunk"],
        level=level,
        rmw=int(own.rmw),
        failed=sum(1 << i for i in device.failed),
        flags=FULL_STRIPE_IN_CALLER * own.full_stripe_in_caller
        + ALIGNED_READ * bypass
        + READ_IN_CALLER * own.read_in_caller,
    )


def _copies(g: Mapping[str, int]) -> CopiesRow:
    return CopiesRow(
        disks=g["disks"],
        near=g["near_copies"],
        far=g["far_copies"],
        offset=g["far_offset"],
        chunk=g["chunk_sectors"],
        stride=g["stride_sectors"],
    )
