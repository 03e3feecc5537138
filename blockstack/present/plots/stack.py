"""The stack as a layered graph: what stands on what, where tasks change, what costs the bytes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blockstack.base.units import SECTOR_BYTES
from blockstack.engine.study.stackmap import Node, StackMap
from blockstack.present.style import (
    DIM,
    INK,
    OVER,
    UNKNOWN,
    axes,
    busy_colour,
    busy_colours,
    corner,
    ink,
    plain,
    short,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PER_ROW = 9  # boxes side by side before a rank goes on below
_WIDE, _HIGH = 0.9, 0.66  # of a cell
_BLANK = "#FFFFFF"


def stack(
    found: StackMap,
    ax: "Axes | None" = None,
    utilisation: Mapping[str, float] | None = None,
    load: str = "",
) -> "Axes":
    """What stands on what: one box per device, alike devices as one box with their number.

    Parameters
    ----------
    found : StackMap
        From `blockstack.stack_map`.
    ax : Axes, optional
        Where to draw; None: a figure of its own.
    utilisation : mapping of device to share, optional
        0 to 1; colours the boxes, of alike devices by the busiest.
    load : str
        Under which load they are so busy.

    Returns
    -------
    Axes
        Red outline: on a path that overflows. A dashed link: bios change to the named task there.
    """
    places = _places(found)
    columns = max(x for x, _ in places.values()) + 1
    rows = max(y for _, y in places.values()) + 1
    ax = axes(ax, max(5.6, 0.6 + 1.75 * columns), (1.5 if utilisation else 0.9) + 1.12 * rows)
    for link in found.links:
        _link(
            ax,
            places[link.upper],
            places[link.lower],
            link.work,
            link.always,
            link.each if found.nodes[link.upper].count > 1 else 1,
        )
    for i, node in enumerate(found.nodes):
        busy = (
            None
            if utilisation is None
            else max((utilisation[n] for n in node.names if n in utilisation), default=None)
        )
        _box(ax, *places[i], node, busy)
    spare = max(0.0, 2.6 - columns) / 2  # a narrow stack does not get wide boxes
    ax.set_xlim(-0.55 - spare, columns - 0.45 + spare)
    ax.set_ylim(rows - 0.5, -0.55)
    ax.set_xticks([])
    ax.set_yticks([])
    state = {True: "fits", False: "overflows", None: "cannot tell"}[found.fits]
    plain(ax, f"{found.stack}\n{found.kernel}, {found.submission}: {state}", keep=())
    if utilisation:
        _legend(ax, load)
    corner(ax, found.provenance)
    return ax


def _legend(ax: "Axes", load: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure: Any = ax.figure
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 100), busy_colours()),
        ax=ax,
        shrink=0.6,
        orientation="horizontal",
        aspect=40,
        pad=0.02,
    )
    bar.set_label(
        f"busiest server (%){', ' + load if load else ''}; white: no server of "
        "its own; red outline: overflows",
        fontsize=7,
    )
    bar.ax.tick_params(labelsize=7)


def _places(found: StackMap) -> dict[int, tuple[float, float]]:
    """Column and row of every node: ranks downwards, each near what it is linked to."""
    uppers: dict[int, list[int]] = {}
    lowers: dict[int, list[int]] = {}
    for link in found.links:
        uppers.setdefault(link.lower, []).append(link.upper)
        lowers.setdefault(link.upper, []).append(link.lower)
    ranks: dict[int, list[int]] = {}
    for i, rank in enumerate(_sunk(found, lowers)):
        ranks.setdefault(rank, []).append(i)
    rows = [ranks[rank] for rank in sorted(ranks)]
    for links, way in ((uppers, 1), (lowers, -1), (uppers, 1), (lowers, -1)):  # barycentres
        column: dict[int, float] = {}
        for k in range(len(rows))[::way]:
            here = {n: x - len(rows[k]) / 2 for x, n in enumerate(rows[k])}
            rows[k] = sorted(rows[k], key=lambda n: _middle(links.get(n, ()), column, here[n]))
            column |= {n: x - len(rows[k]) / 2 for x, n in enumerate(rows[k])}
    parts = [
        part[start : start + _PER_ROW] for part in rows for start in range(0, len(part), _PER_ROW)
    ]
    widest = max(map(len, parts))
    return {
        n: ((widest - len(part)) / 2 + k, row)
        for row, part in enumerate(parts)
        for k, n in enumerate(part)
    }


def _sunk(found: StackMap, lowers: Mapping[int, Sequence[int]]) -> list[int]:
    """Ranks, each node as low as what it stands on lets it be: no link passes behind a box that
    need not be there."""
    rank = [node.rank for node in found.nodes]
    for i in sorted(range(len(rank)), key=lambda i: -rank[i]):
        if i in lowers:
            rank[i] = min(rank[low] for low in lowers[i]) - 1
    return rank


def _middle(linked: Sequence[int], column: Mapping[int, float], here: float) -> float:
    known = [column[n] for n in linked if n in column]
    return sum(known) / len(known) if known else here


def _link(
    ax: "Axes",
    upper: tuple[float, float],
    lower: tuple[float, float],
    work: str,
    always: bool,
    each: int,
) -> None:
    ax.annotate(
        "",
        (lower[0], lower[1] - _HIGH / 2),
        (upper[0], upper[1] + _HIGH / 2),
        arrowprops={
            "arrowstyle": "-|>",
            "lw": 1.4 if work else 1.1,
            "shrinkA": 0,
            "shrinkB": 0,
            "color": UNKNOWN if work else DIM,
            "ls": "--" if work else "-",
        },
    )
    words = [f"{each} each"] if each > 1 else []
    if work:
        words.append(f"{'' if always else 'also '}{short(work, 18)}")
    if words:
        middle = (upper[0] + lower[0]) / 2, (upper[1] + lower[1]) / 2
        ax.text(
            *middle,
            "\n".join(words),
            fontsize=6,
            color=INK,
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.9},
        )


def _box(ax: "Axes", x: float, y: float, node: Node, busy: float | None) -> None:
    from matplotlib.patches import FancyBboxPatch

    face = _BLANK if busy is None else busy_colour(busy)
    ax.add_patch(
        FancyBboxPatch(
            (x - _WIDE / 2 + 0.04, y - _HIGH / 2 + 0.04),
            _WIDE - 0.08,
            _HIGH - 0.08,
            boxstyle="round,pad=0.04,rounding_size=0.07",
            facecolor=face,
            zorder=3,
            edgecolor=OVER if node.over else DIM,
            lw=2.6 if node.over else 0.9,
        )
    )
    many = (f" × {node.count}" if node.count > 1 else "") + (
        f", {node.nested} nested" if node.nested > 1 else ""
    )
    letters = ink(face)
    most = "to " if " × " in node.kind else ""  # of a run of several kinds
    each = " each" if node.nested > 1 else ""
    cost = f"{most}{node.bytes:,} B{each}" if node.bytes else ""
    load = "" if busy is None else f"{busy:.0%} busy"
    rows = (
        (short(node.names[0], 24 - len(many)) + many, 8, "bold"),
        (short(f"{node.kind} {node.detail}".strip(), 26), 6.8, "normal"),
        (_limits(node), 6.4, "normal"),
        ("  ".join(filter(None, (cost, load))), 6.8, "bold" if node.over else "normal"),
    )
    for at, (text, size, weight) in zip((-0.215, -0.05, 0.09, 0.23), rows, strict=True):
        ax.text(
            x,
            y + at,
            text,
            fontsize=size,
            fontweight=weight,
            color=letters,
            ha="center",
            va="center",
            zorder=4,
        )


def _limits(node: Node) -> str:
    """``200 GiB, requests to 128 KiB``."""
    size = _size(node.size_sectors * SECTOR_BYTES) if node.size_sectors else ""
    size = f"up to {size}" if size and node.sizes_differ else size
    most = f"requests to {_size(node.max_sectors * SECTOR_BYTES)}" if node.max_sectors else ""
    return ", ".join(filter(None, (size, most)))


def _size(n_bytes: float) -> str:
    """``1.1 TiB``: three digits are enough for a picture."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if n_bytes < 1000 or unit == "TiB":
            break
        n_bytes /= 1024
    return f"{n_bytes:.3g} {unit}"
