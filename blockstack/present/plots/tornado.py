"""What helps most: one lever at a time."""

import textwrap
from typing import TYPE_CHECKING

from blockstack.engine.study.levers import Lever, Tornado
from blockstack.present.style import (
    BETTER,
    DIM,
    INK,
    OVER,
    WORSE,
    axes,
    corner,
    plain,
    short,
    thousands,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 14
_AXIS = {
    "headroom_bytes": "headroom of the worst task (bytes), interrupts and reclaim on top left out",
    "iops": "IOPS",
}


def tornado(result: Tornado, ax: "Axes | None" = None) -> "Axes":
    """Every lever's settings as bars from the value now, what gains most on top.

    Parameters
    ----------
    result : Tornado
        From `blockstack.headroom_levers` or `blockstack.iops_levers`.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        x: bytes of headroom, or IOPS.
    """
    rows = result.levers[:_MOST]
    ax = axes(ax, 9.6, 2.0 + 0.42 * max(1, len(rows)))
    ax.set_xlim(*_range(result))
    for y, lever in enumerate(rows):
        _row(ax, y, lever, result.base)
    if not rows:
        ax.text(
            0.5, 0.5, "no lever changes anything", transform=ax.transAxes, ha="center", color=INK
        )
    ax.axvline(result.base, color=INK, lw=1.2)
    if result.quantity == "headroom_bytes" and ax.get_xlim()[0] <= 0:
        ax.axvline(0, color=OVER, lw=1.6, ls="--")
        ax.text(
            0,
            len(rows) - 0.1,
            " limit; to the left it overflows",
            color=OVER,
            fontsize=8,
            ha="left",
            va="center",
        )
    ax.set_yticks(range(len(rows)), [short(lever.name, 44) for lever in rows], fontsize=8.5)
    ax.set_ylim(max(1, len(rows)) + 0.15, -0.6)
    less = len(result.levers) - len(rows)
    left = (f"; {less} levers of less gain not shown" if less > 0 else "") + (
        f"; no change: {', '.join(result.idle)}" if result.idle else ""
    )
    ax.set_xlabel(
        "\n".join(textwrap.wrap(_AXIS[result.quantity] + left, 120, break_on_hyphens=False)),
        fontsize=9,
    )
    thousands(ax.xaxis)
    error = f" ± {result.error:,.0f}" if result.error else ""
    unit = "bytes of headroom" if result.quantity == "headroom_bytes" else "IOPS"
    plain(
        ax,
        f"{result.stack} on {result.kernel}, {result.condition}\nwhat helps most; now "
        f"{result.base:,.0f}{error} {unit}",
    )
    corner(ax, result.provenance)
    return ax


def _range(result: Tornado) -> tuple[float, float]:
    """Room for the words on both sides."""
    values = [result.base, *(s.value for lever in result.levers[:_MOST] for s in lever.swings)]
    if result.quantity == "headroom_bytes":
        values.append(0)
    spread = (max(values) - min(values)) or 1
    return min(values) - 0.3 * spread, max(values) + 0.3 * spread


def _row(ax: "Axes", y: int, lever: Lever, base: float) -> None:
    for up in (True, False):
        side = sorted(
            (s for s in lever.swings if (s.value >= base) == up), key=lambda s: -abs(s.value - base)
        )
        colour = BETTER if up else WORSE
        for swing in side:
            ax.barh(
                y,
                swing.value - base,
                left=base,
                height=0.62,
                color=colour,
                alpha=1 if swing is side[0] else 0.55,
                edgecolor="white",
                lw=0.6,
            )
        if side:
            words = "; ".join(f"{s.setting}: {s.value - base:+,.0f}" for s in side)
            ax.annotate(
                words,
                (side[0].value, y),
                xytext=(4 if up else -4, 0),
                textcoords="offset points",
                ha="left" if up else "right",
                va="center",
                fontsize=7.5,
                color=INK if side[0].value != base else DIM,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )
