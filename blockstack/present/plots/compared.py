"""What changed between two answers, layer by layer."""

from typing import TYPE_CHECKING

from blockstack.present.style import (
    BETTER,
    INK,
    WORSE,
    axes,
    corner_of_all,
    plain,
    room,
    short,
    thousands,
)
from blockstack.results.compared import Compared

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 14


def compared(found: Compared, ax: "Axes | None" = None) -> "Axes":
    """Bytes per layer of the worst task, B less A: the largest change first.

    Parameters
    ----------
    found : Compared
        Two results side by side.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        x: bytes; to the right: B needs more.
    """
    changed = sorted(
        (row for row in found.layers if row.change_bytes), key=lambda row: -abs(row.change_bytes)
    )
    rows = changed[:_MOST]
    ax = axes(ax, 8.4, 1.6 + 0.34 * max(1, len(rows)))
    reach = max((abs(row.change_bytes) for row in rows), default=1)
    for y, row in enumerate(rows):
        n = row.change_bytes
        ax.barh(y, n, color=WORSE if n > 0 else BETTER, height=0.7)
        ax.annotate(
            f"{n:+,}",
            (n, y),
            xytext=(4 if n > 0 else -4, 0),
            textcoords="offset points",
            ha="left" if n > 0 else "right",
            va="center",
            fontsize=8,
            color=INK,
        )
    if not rows:
        ax.text(0.5, 0.5, "no layer changed", transform=ax.transAxes, ha="center", color=INK)
    ax.set_yticks(range(len(rows)), [short(row.name, 34) for row in rows], fontsize=8.5)
    ax.invert_yaxis()
    ax.set_xlim(-reach * 1.25, reach * 1.25)
    ax.axvline(0, color=INK, lw=0.8)
    thousands(ax.xaxis)
    a, b = found.a, found.b
    plain(
        ax,
        f"A: {a.name}, {a.kernel}, {a.submission}: {room(a.worst.headroom_bytes)}\n"
        f"B: {b.name}, {b.kernel}, {b.submission}: {room(b.worst.headroom_bytes)}",
    )
    more = f"; {len(changed) - _MOST} smaller changes not shown" if len(changed) > _MOST else ""
    ax.set_xlabel(
        f"bytes of stack, B less A, of the worst tasks: {a.worst.task}; {b.worst.task}{more}",
        fontsize=9,
    )
    corner_of_all(ax, [a.provenance, b.provenance])
    return ax
