"""Queue limits and the pieces of a bio as tables in a terminal."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from blockstack.base.hints import listed
from blockstack.base.units import SECTOR_BYTES, UINT_MAX, format_bytes
from blockstack.engine.study.splits import DeviceRow, LimitsExplanation, Piece

#: rows of the pieces table without ``--all``
MOST_PIECES = 40
_SECTORS = (
    "max_hw_sectors",
    "max_sectors",
    "max_dev_sectors",
    "chunk_sectors",
    "max_discard_sectors",
    "max_hw_discard_sectors",
    "max_write_zeroes_sectors",
)
_MASKS = ("seg_boundary_mask", "virt_boundary_mask", "dma_alignment")
_COUNTS = (
    "max_segments",
    "max_discard_segments",
    "max_integrity_segments",
    "misaligned",
    "discard_misaligned",
)
#: no limit, and what is left of it in whole logical blocks
_ANY = range(UINT_MAX - 7, UINT_MAX + 1)
#: values that limit nothing
_IDLE = {
    "max_dev_sectors": (0, *_ANY),
    "chunk_sectors": (0,),
    "io_opt": (0,),
    "alignment_offset": (0,),
    "misaligned": (0,),
    "discard_granularity": (0,),
    "discard_alignment": (0,),
    "discard_misaligned": (0,),
    "max_discard_sectors": (0,),
    "max_hw_discard_sectors": (0,),
    "max_discard_segments": (1,),
    "max_write_zeroes_sectors": (0,),
    "max_integrity_segments": (0,),
    "virt_boundary_mask": (0,),
    "seg_boundary_mask": (UINT_MAX,),
}


def limit_text(name: str, value: int) -> str:
    """A value with its unit: sectors also in bytes, masks in hexadecimal; 2**32 - 1 is any."""
    if name in _COUNTS:
        return f"{value:,}"
    if name in _MASKS:
        return f"{value:#x}"
    if value in _ANY:
        return "any"
    if name in _SECTORS:
        return f"{value:,} sectors" + (f" ({format_bytes(value * SECTOR_BYTES)})" if value else "")
    return format_bytes(value) if value else "0"


def limits_view(found: LimitsExplanation, *, whole: bool = False) -> RenderableType:
    """The limits of every device, then the way of the bio, then what is assumed.

    Parameters
    ----------
    found : LimitsExplanation
    whole : bool
        Limits that limit nothing, and every piece.
    """
    parts: list[RenderableType] = [
        Text.assemble(
            (found.stack, "bold"), f" on {found.kernel}: queue limits stack as in {found.rules}"
        )
    ]
    parts.append(_limits_table(found.devices, whole))
    if found.pieces:
        parts.append(Text("The way of the bio, call by call", "bold"))
        parts.append(_pieces_table(found.pieces if whole else found.pieces[:MOST_PIECES]))
        if not whole and len(found.pieces) > MOST_PIECES:
            parts.append(
                Text(f"... and {len(found.pieces) - MOST_PIECES:,} more calls (--all)", "yellow")
            )
        cuts = sum(1 for p in found.pieces if p.why)
        parts.append(Text(f"{len(found.pieces):,} calls, {cuts:,} of them cut the bio"))
    parts += [Text(f"Note: {note}", "dim") for note in found.notes]
    return Group(*parts)


def _limits_table(devices: tuple[DeviceRow, ...], whole: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("device", overflow="fold")
    table.add_column("limit", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("imposed by", overflow="fold")
    groups: dict[tuple[object, ...], list[DeviceRow]] = {}
    for row in devices:
        key = (row.kind, *row.limits.values(), *row.imposed.values())
        groups.setdefault(key, []).append(row)
    for alike in groups.values():
        row = alike[0]
        names = [
            n
            for n, value in row.limits.items()
            if whole or value not in _IDLE.get(n, ()) or row.imposed[n] == "config"
        ]
        heads = [Text(listed(r.device for r in alike), "bold"), Text(row.kind)]
        if len(names) == 1:
            heads = [Text(" ").join(heads)]
        for i, name in enumerate(names):
            head = heads[i] if i < len(heads) else Text()
            table.add_row(
                head,
                name,
                limit_text(name, row.limits[name]),
                row.imposed[name],
                end_section=i == len(names) - 1,
            )
    return table


def _pieces_table(pieces: tuple[Piece, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for head in ("call", "from"):
        table.add_column(head, justify="right", no_wrap=True)
    for head in ("device", "op"):
        table.add_column(head, no_wrap=True)
    for head in ("sector", "length", "at once"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("cut by", overflow="fold")
    for p in pieces:
        table.add_row(
            str(p.number),
            str(p.parent) if p.parent >= 0 else "source",
            p.device,
            p.op,
            f"{p.sector:,}",
            f"{p.nr_sectors:,}",
            f"{p.taken_sectors:,}" if p.taken_sectors != p.nr_sectors else "all",
            p.why,
        )
    return table
