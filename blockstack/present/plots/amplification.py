"""Split and amplification per layer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from blockstack.engine.study.amplification import Amplification, LayerSplit
from blockstack.present.style import COLOURS, INK, axes, corner, plain, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 16
_BIOS, _SECTORS = COLOURS[0], COLOURS[1]


@dataclass(frozen=True)
class _Row:
    name: str
    bios: float
    sectors: float | None
    words: str = ""


def amplification(found: Amplification, ax: "Axes | None" = None) -> "Axes":
    """Bios out per bio in and sectors out per sector in, layer by layer; the whole stack last.

    Parameters
    ----------
    found : Amplification
        From `blockstack.amplification`.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        x: ratio, logarithmic; bars start at 1, where a layer passes on what it gets.
    """
    layers = list(_rows([layer for layer in found.layers if not layer.is_leaf]))
    rows = layers[:_MOST]
    rows.append(
        _Row(
            "whole stack",
            found.leaf_bios / found.bios,
            found.leaf_sectors / found.sectors if found.sectors else None,
            "to the lowest devices",
        )
    )
    ax = axes(ax, 9.6, 1.9 + 0.56 * len(rows))
    for y, row in enumerate(rows):
        _bar(ax, y - 0.19, row.bios, _BIOS, row.words)
        if row.sectors is not None:
            _bar(ax, y + 0.19, row.sectors, _SECTORS)
    ax.axvline(1, color=INK, lw=1)
    if len(rows) > 2:
        ax.axhline(len(rows) - 1.5, color="#CCCCCC", lw=0.8)
    ratios = [ratio for row in rows for ratio in (row.bios, row.sectors) if ratio]
    ax.set_xscale("log", base=2)
    ax.set_xlim(min(0.5, min(ratios) / 2), max(2.0, *ratios) ** 1.4)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8.5)
    ax.set_ylim(len(rows) - 0.45, -0.55)
    more = len(layers) + 1 - len(rows)
    left = f"; {more} lower layers not shown, but in the whole stack" if more > 0 else ""
    ax.set_xlabel(f"out per one in (ratio), before requests are merged{left}")
    plain(
        ax,
        f"{found.stack} on {found.kernel}, {found.submission}\nsplit and amplification "
        f"per layer, {found.bios:,} bios followed",
    )
    _legend(ax)
    corner(ax, found.provenance)
    return ax


def _bar(ax: "Axes", y: float, ratio: float, colour: str, words: str = "") -> None:
    ax.barh(y, ratio - 1, left=1, height=0.36, color=colour, edgecolor="white", lw=0.5)
    ax.annotate(
        f"{ratio:.3g}" + (f"   {words}" if words else ""),
        (max(1, ratio), y),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color=INK,
    )


def _rows(layers: Sequence[LayerSplit]) -> Iterator[_Row]:
    """One row per layer; what passes on all that it gets, one after the other, as one."""
    for same, run in groupby(layers, key=lambda one: one.bios_ratio == one.sectors_ratio == 1):
        part = list(run)
        if same and len(part) > 1:
            yield _Row(
                f"{len(part)} layers, {short(part[0].names[0], 14)} to "
                f"{short(part[-1].names[0], 14)}",
                1.0,
                1.0,
            )
        else:
            yield from (
                _Row(_name(one), one.bios_ratio, one.sectors_ratio, _ops(one)) for one in part
            )


def _legend(ax: "Axes") -> None:
    from matplotlib.patches import Patch

    ax.legend(
        handles=[Patch(color=_BIOS, label="bios"), Patch(color=_SECTORS, label="sectors")],
        frameon=False,
        fontsize=8.5,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
    )


def _name(layer: LayerSplit) -> str:
    more = f" × {len(layer.names)}" if len(layer.names) > 1 else ""
    return f"{short(layer.names[0], 20)}{more}  {layer.kind}"


def _ops(layer: LayerSplit) -> str:
    """``38.1 write, 12.2 read`` out per bio in, when it is more than one kind or number."""
    ratios = sorted(((n / layer.bios_in, op) for op, n in layer.out_by_op.items()), reverse=True)
    return ", ".join(f"{ratio:.3g} {op}" for ratio, op in ratios) if len(ratios) > 1 else ""
