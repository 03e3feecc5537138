"""How a device maps a bio, as the core's numbers: op kind, segments, row, children."""

from dataclasses import dataclass

from blockstack.base.errors import ConfigError
from blockstack.engine.plan import arrays as arr
from blockstack.engine.plan.mappings import (
    BY_DATA,
    LEAF,
    MAPPINGS,
    MIRROR,
    RAID10,
    REMAP,
    SEGMENTS,
    MappingRow,
    copies_row,
)
from blockstack.kinds import Calls
from blockstack.stack import Device, Stack

SPLITS = {"loop": arr.LOOP, "front": arr.FRONT, "rest": arr.REST, "rest-mapped": arr.REST_MAPPED}


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
        return self.op_kind in BY_DATA


def shape_of(stack: Stack, device: Device, calls: Calls) -> Shape:
    """The mapping of ``device``.

    Raises
    ------
    ConfigError
        A kind whose mapping the core does not have.
    """
    kind = device.kind_entry
    if kind.role in ("leaf", "nic"):
        return Shape(LEAF)
    if device.maps_itself:
        return _mapped(stack, device)
    if kind.mapping not in MAPPINGS:
        raise ConfigError(
            "no such mapping in the core", path=f"devices.{device.name}", value=kind.mapping
        )
    op_kind, row = MAPPINGS[kind.mapping]
    if op_kind == SEGMENTS:
        return _segments(device)
    children = tuple(
        (low.device, low.offset_sectors) for low in stack.lower(device.name) if low.role != "nic"
    )
    return Shape(op_kind, row(device, calls), (), children)


def next_boundary(shape: Shape, op: int, sector: int) -> int | None:
    """The first sector above ``sector`` at which the driver itself cuts; None: nowhere."""
    if op == arr.FLUSH:
        return None
    if shape.op_kind == SEGMENTS:
        begin, end, _, _, chunk = next(
            (s for s in shape.segments if sector < s[1]), shape.segments[-1]
        )
        ends = [end] if end < shape.segments[-1][1] else []
        if chunk:
            ends.append(begin + ((sector - begin) // chunk + 1) * chunk)
        return min(ends, default=None)
    chunk = shape.row.grain(op) if shape.row is not None else 0
    return (sector // chunk + 1) * chunk if chunk else None


def _mapped(stack: Stack, device: Device) -> Shape:
    """A file system's own mapping: stripes, or copies (two on one device: ``dup``)."""
    if device.segments:
        return _segments(device)
    g = device.geometry
    if "dup" in g:
        return Shape(
            MIRROR,
            children=tuple((device.on[0], i * g["member_sectors"]) for i in range(g["dup"])),
        )
    children = tuple((low.device, low.offset_sectors) for low in stack.lower(device.name))
    return Shape(RAID10, copies_row(g), (), children)


def _segments(device: Device) -> Shape:
    rows: list[tuple[int, int, int, int, int]] = []
    children: list[tuple[str, int]] = []
    for s in device.segments:
        rows.append((s.begin, s.end, len(children), len(s.members), s.chunk_sectors))
        children += zip(s.members, s.offsets, strict=True)
    if len(rows) == 1 and rows[0][3] == 1 and rows[0][4] == 0:
        return Shape(REMAP, children=tuple(children))
    return Shape(SEGMENTS, segments=tuple(rows), children=tuple(children))
