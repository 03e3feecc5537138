"""The stack as a layered graph: what stands on what, where tasks change, what costs the bytes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from blockstack.engine.stackmap import Node, StackMap
from blockstack.present.style import DIM, FITS, INK, OVER, UNKNOWN, axes, corner, plain, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PER_ROW = 9  # boxes side by side before a rank goes on below
_WIDE, _HIGH = 0.9, 0.66  # of a cell
_PAPER = "#F4F6F8"


def stack(found: StackMap, ax: "Axes | None" = None,
          utilisation: Mapping[str, float] | None = None) -> "Axes":
    """What stands on what: one box per device, alike devices as one box with their number.

    Parameters
    ----------
    found : StackMap
        From `blockstack.engine.stackmap.stack_map`.
    utilisation : mapping of device to share, optional
        0 to 1; colours the boxes.

    Returns
    -------
    Axes
        Red: on a path that overflows. A dashed link: bios change to the named task there.
    """
    places = _places(found)
    columns = max(x for x, _ in places.values()) + 1
    rows = max(y for _, y in places.values()) + 1
    ax = axes(ax, max(5.6, 0.6 + 1.75 * columns), 0.9 + 0.92 * rows)
    for link in found.links:
        _link(ax, places[link.upper], places[link.lower], link.task, link.always,
              link.each if found.nodes[link.upper].count > 1 else 1)
    for i, node in enumerate(found.nodes):
        busy = None if utilisation is None else max(
            (utilisation[n] for n in node.names if n in utilisation), default=None)
        _box(ax, *places[i], node, busy)
    spare = max(0.0, 2.6 - columns) / 2  # a narrow stack does not get wide boxes
    ax.set_xlim(-0.55 - spare, columns - 0.45 + spare)
    ax.set_ylim(rows - 0.5, -0.55)
    ax.set_xticks([])
    ax.set_yticks([])
    state = {True: "fits", False: "overflows", None: "cannot tell"}[found.fits]
    plain(ax, f"{found.stack}\n{found.kernel}, {found.submission}: {state}", keep=())
    corner(ax, found.provenance)
    return ax


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
    parts = [part[start:start + _PER_ROW] for part in rows
             for start in range(0, len(part), _PER_ROW)]
    widest = max(map(len, parts))
    return {n: ((widest - len(part)) / 2 + k, row) for row, part in enumerate(parts)
            for k, n in enumerate(part)}


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


def _link(ax: "Axes", upper: tuple[float, float], lower: tuple[float, float], task: str,
          always: bool, each: int) -> None:
    ax.annotate("", (lower[0], lower[1] - _HIGH / 2), (upper[0], upper[1] + _HIGH / 2),
                arrowprops={"arrowstyle": "-|>", "lw": 1.4 if task else 1.1, "shrinkA": 0,
                            "shrinkB": 0, "color": UNKNOWN if task else DIM,
                            "ls": "--" if task else "-"})
    words = [f"{each} each"] if each > 1 else []
    if task:
        words.append(f"{'' if always else 'also '}{short(task.rpartition(' ')[0] or task, 18)}")
    if words:
        middle = (upper[0] + lower[0]) / 2, (upper[1] + lower[1]) / 2
        ax.text(*middle, "\n".join(words), fontsize=6, color=INK, ha="center", va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.9})


def _box(ax: "Axes", x: float, y: float, node: Node, busy: float | None) -> None:
    from matplotlib.patches import FancyBboxPatch

    face = _PAPER if busy is None else _heat(busy)
    ax.add_patch(FancyBboxPatch(
        (x - _WIDE / 2 + 0.04, y - _HIGH / 2 + 0.04), _WIDE - 0.08, _HIGH - 0.08,
        boxstyle="round,pad=0.04,rounding_size=0.07", facecolor=face, zorder=3,
        edgecolor=OVER if node.over else DIM, lw=2.2 if node.over else 0.9))
    many = (f" × {node.count}" if node.count > 1 else "") + (
        f", {node.nested} nested" if node.nested > 1 else "")
    ax.text(x, y - 0.19, short(node.names[0], 20 - len(many)) + many, fontsize=8,
            fontweight="bold", color=INK, ha="center", va="center", zorder=4)
    size = f"  {_size(node.size_sectors * 512)}" if node.size_sectors else ""
    detail = f" {node.detail}" if node.detail else ""
    ax.text(x, y + 0.02, short(f"{node.kind}{detail}", 24), fontsize=6.6, color=INK, ha="center",
            va="center", zorder=4)
    cost = f"{node.bytes:,} B{' each' if node.nested > 1 else ''}" if node.bytes else ""
    load = "" if busy is None else f"  {busy:.0%} busy"
    ax.text(x, y + 0.21, f"{cost}{size}{load}".strip(), fontsize=6.6, ha="center", va="center",
            color=OVER if node.over else DIM, zorder=4)


def _size(n_bytes: float) -> str:
    """``1.1 TiB``: three digits are enough for a picture."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if n_bytes < 1000 or unit == "TiB":
            break
        n_bytes /= 1024
    return f"{n_bytes:.3g} {unit}"


def _heat(busy: float) -> str:
    """Paper to orange with rising utilisation."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    return to_hex(LinearSegmentedColormap.from_list("busy", (_PAPER, FITS, UNKNOWN))(
        min(1.0, max(0.0, busy))))
