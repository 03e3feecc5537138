"""What is left of the stack: per kernel and rule as bars, kernels × thread sizes as a heat map."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blockstack.engine.study.survey import Cell
from blockstack.present.style import (
    INK,
    OVER,
    VERDICT,
    axes,
    corner_of_all,
    corner_text,
    ink,
    plain,
    thousands,
)
from blockstack.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def headroom(results: Sequence[Result], ax: "Axes | None" = None) -> "Axes":
    """Headroom of the worst task per kernel and rule: bars, the limit as a line at zero.

    Parameters
    ----------
    results : sequence of Result
        Runs of one stack on several kernels or under several rules.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        x: bytes left, negative where it overflows; hatched: it cannot be told.
    """
    ax = axes(ax, 8.4, 1.4 + 0.36 * len(results))
    for y, r in enumerate(results):
        fits = r.fits
        ax.barh(
            y,
            r.headroom_bytes,
            color=VERDICT[fits],
            height=0.66,
            edgecolor="white",
            hatch="//" if fits is None else "",
        )
        word = {True: "", False: "", None: " (at most)" if not r.exact else " (cannot tell)"}[fits]
        ax.text(
            r.headroom_bytes,
            y,
            f" {r.headroom_bytes:,}{word} ",
            va="center",
            fontsize=8,
            ha="left" if r.headroom_bytes >= 0 else "right",
        )
    ax.axvline(0, color=OVER, lw=1.6)
    ax.set_yticks(range(len(results)), [f"{r.kernel}, {r.submission}" for r in results], fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.2)
    ax.set_xlabel("headroom of the worst task (bytes); left of the line the stack overflows")
    thousands(ax.xaxis)
    plain(ax, f"{results[0].provenance['stack']}: what is left of the stack")
    corner_of_all(ax, [r.provenance for r in results])
    return ax


def heat(cells: Sequence[Cell], stack: str, ax: "Axes | None" = None) -> "Axes":
    """Headroom of the worst task for kernels × thread sizes.

    Parameters
    ----------
    cells : sequence of Cell
        From `blockstack.headroom_grid`.
    stack : str
        Name for the title.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        One row per kernel and rule, one column per size; a framed cell is a size that the kernel
        ships with; hatched: at most that much (a frame is unknown), or it depends on interrupts.
    """
    lacking = sorted({c.kernel for c in cells if c.headroom_bytes is None})
    cells = [c for c in cells if c.headroom_bytes is not None]
    rows = list(dict.fromkeys((c.kernel, c.submission) for c in cells))
    sizes = sorted({c.thread_size_bytes for c in cells})
    ax = axes(ax, 3.4 + 1.5 * len(sizes), 1.5 + 0.42 * len(rows))
    for cell in cells:
        _cell(
            ax,
            cell,
            sizes.index(cell.thread_size_bytes),
            rows.index((cell.kernel, cell.submission)),
        )
    ax.set_xlim(-0.5, len(sizes) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xticks(range(len(sizes)), [f"{size // 1024} KiB" for size in sizes])
    names = {(c.kernel, c.submission): _row_name(c) for c in cells}
    ax.set_yticks(range(len(rows)), [names[row] for row in rows], fontsize=8)
    ax.tick_params(length=0)
    ax.set_xlabel("thread size; framed: shipped. Bytes left by the worst task, red: it overflows")
    plain(ax, f"{stack}: headroom by kernel and thread size", keep=())
    lack = f"; without a kind of this stack: {', '.join(lacking)}" if lacking else ""
    corner_text(
        ax, "hatched: at most so much, a frame is unknown or an interrupt may strike" + lack
    )
    return ax


def _row_name(cell: Cell) -> str:
    base = cell.kernel.removesuffix("-4k").removesuffix("-8k")
    return f"{base}, {cell.submission},\n{cell.irq_stacks} interrupt stacks"


def _cell(ax: "Axes", cell: Cell, x: int, y: int) -> None:
    from matplotlib.patches import Rectangle

    def box(**look: Any) -> None:
        ax.add_patch(Rectangle((x - 0.47, y - 0.44), 0.94, 0.88, **look))

    colour = VERDICT[cell.fits]
    box(facecolor=colour, lw=0)
    if cell.fits is None:
        box(facecolor="none", edgecolor="#F4D9A0", hatch="///", lw=0)
    if cell.own_size:
        box(facecolor="none", edgecolor=INK, lw=1.8)
    ax.text(
        x,
        y,
        f"{cell.headroom_bytes:,}",
        ha="center",
        va="center",
        fontsize=9,
        color=ink(colour),
        fontweight="bold",
    )
