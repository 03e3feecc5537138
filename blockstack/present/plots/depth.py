"""The deepest path as an icicle: bytes per layer and function, the limit as a line."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from blockstack.engine.study.survey import THREAD_SIZES_BYTES
from blockstack.present.style import (
    COLOURS,
    DIM,
    INK,
    OVER,
    axes,
    corner,
    ink,
    limit_line,
    limit_lines,
    plain,
    room,
    short,
    thousands,
)
from blockstack.results.result import Frame, Result, TaskDepth

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _groups(path: Sequence[Frame]) -> list[tuple[str, int, list[Frame]]]:
    """Consecutive frames of one layer: (layer, bytes, frames)."""
    groups: list[tuple[str, int, list[Frame]]] = []
    for frame in path:
        if groups and groups[-1][0] == frame.layer:
            layer, n, frames = groups[-1]
            groups[-1] = (layer, n + frame.bytes, [*frames, frame])
        else:
            groups.append((frame.layer, frame.bytes, [frame]))
    return groups


def depth(*results: Result, ax: "Axes | None" = None) -> "Axes":
    """The deepest path of the worst submitting task: one column per result, layers downwards.

    Parameters
    ----------
    *results : Result
        Usually the recursive rule beside a serialised one, on one kernel.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        y in bytes from the top of the stack; the limit is a line.
    """
    ax = axes(ax, 2.6 + 3.1 * len(results), 7.2)
    shown = [
        min((t for t in r.tasks if t.context == "caller"), key=lambda t: t.headroom_bytes)
        for r in results
    ]
    layers = list(dict.fromkeys(f.layer for t in shown for f in t.path))
    colour = {layer: COLOURS[i % len(COLOURS)] for i, layer in enumerate(layers)}
    tallest = max(max(t.peak_bytes, t.limit_bytes) for t in shown) * 1.06
    for x, (result, task) in enumerate(zip(results, shown, strict=True)):
        _icicle(ax, x, task, colour, tallest)
        prefix = "" if task.exact else "at least "
        ax.text(
            x,
            -tallest * 0.012,
            f"{result.submission}: {task.task}\n"
            f"{prefix}{task.peak_bytes:,} bytes, {room(task.headroom_bytes)}",
            ha="center",
            va="bottom",
            fontsize=10,
            fontweight="bold",
            color=OVER if task.headroom_bytes < 0 else INK,
        )
    limit_lines(ax, {t.limit_bytes for t in shown})
    for result, limit in {
        (r.provenance.get("thread_size_bytes"), t.limit_bytes): (r, t.limit_bytes)
        for r, t in zip(results, shown, strict=True)
    }.values():
        _sizes(ax, result, limit, tallest)
    ax.set_xlim(-0.55, len(results) - 0.45)
    ax.set_ylim(tallest, -tallest * 0.1)
    ax.set_xticks([])
    ax.set_ylabel("bytes from the top of the thread's stack")
    thousands(ax.yaxis)
    first = results[0]
    plain(ax, f"{first.provenance['stack']} on {first.kernel}", keep=("left",))
    corner(ax, first.provenance)
    return ax


def _sizes(ax: "Axes", result: Result, limit_bytes: int, tallest: float) -> None:
    """What other thread sizes would leave, and what lies beyond the limit."""
    size = result.provenance.get("thread_size_bytes")
    if size is None:  # a result of an older version
        return
    for other in THREAD_SIZES_BYTES:
        usable = other - (size - limit_bytes)
        if other != size and usable < tallest:
            limit_line(
                ax, usable, label=f"{other // 1024} KiB stack: {usable:,}", style=":", colour=DIM
            )
    beyond = {
        "guard-page": "a guard page",
        "canary": "STACK_END_MAGIC, then the next page",
        "none": "thread_info, then the next page: no guard",
    }[result.provenance["guard"]]
    ax.annotate(
        f"{size // 1024} KiB stack; below: {beyond}",
        (0.995, limit_bytes),
        xycoords=ax.get_yaxis_transform(),
        xytext=(0, -3.5),
        textcoords="offset points",
        color=OVER,
        fontsize=7,
        va="top",
        ha="right",
        zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
    )


def _icicle(ax: "Axes", x: int, task: TaskDepth, colour: Mapping[str, str], tallest: float) -> None:
    from matplotlib.patches import Rectangle

    top = 0
    for layer, n_bytes, frames in _groups(task.path):
        letters = ink(colour[layer])
        ax.add_patch(
            Rectangle(
                (x - 0.46, top), 0.92, n_bytes, facecolor=colour[layer], edgecolor="white", lw=1.2
            )
        )
        inner = top
        for frame in frames:
            if frame.bytes > tallest * 0.004:
                ax.plot([x + 0.02, x + 0.46], [inner, inner], color="white", lw=0.4)
            if frame.bytes > tallest * 0.021:
                ax.text(
                    x + 0.44,
                    inner + frame.bytes / 2,
                    f"{short(frame.function)} {frame.bytes}",
                    fontsize=6,
                    va="center",
                    ha="right",
                    color=letters,
                )
            inner += frame.bytes
        if n_bytes > tallest * 0.0125:
            ax.text(
                x - 0.44,
                top + n_bytes / 2,
                f"{short(layer, 18)}  {n_bytes}",
                fontsize=7.5,
                va="center",
                color=letters,
                fontweight="bold",
            )
        top += n_bytes
    if top > task.limit_bytes:
        ax.add_patch(
            Rectangle(
                (x - 0.46, task.limit_bytes),
                0.92,
                top - task.limit_bytes,
                facecolor="none",
                edgecolor=OVER,
                hatch="///",
                lw=0,
            )
        )
