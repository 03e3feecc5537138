"""What thread stacks cost in memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from blockstack.engine.study.survey import THREAD_SIZES_BYTES
from blockstack.present.style import COLOURS, axes, corner_text, plain, thousands

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def memory(
    threads: int, ax: "Axes | None" = None, *, sizes_bytes: Sequence[int] = THREAD_SIZES_BYTES
) -> "Axes":
    """Memory in stacks over the number of threads, one line per thread size.

    Parameters
    ----------
    threads : int
        Right end of the axis.
    ax : Axes, optional
        Where to draw; None: a figure of its own.
    sizes_bytes : sequence of int
        Thread sizes, a line each.

    Returns
    -------
    Axes
        x: threads; y: MiB.
    """
    ax = axes(ax, 7.2, 4.2)
    count = np.linspace(0, threads, 50)
    for size, colour in zip(sizes_bytes, COLOURS, strict=False):
        mib = count * size / 2**20
        ax.plot(count, mib, color=colour, lw=2)
        ax.annotate(
            f"{size // 1024} KiB: {mib[-1]:,.0f} MiB",
            (threads, mib[-1]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=colour,
            annotation_clip=False,
        )
    ax.set_xlim(0, threads)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("threads")
    ax.set_ylabel("memory in kernel stacks (MiB)")
    thousands(ax.xaxis)
    thousands(ax.yaxis)
    saved = threads * (sizes_bytes[1] - sizes_bytes[0]) / 2**20
    plain(
        ax,
        f"{threads:,} threads: {sizes_bytes[0] // 1024} KiB stacks save {saved:,.0f} MiB "
        f"over {sizes_bytes[1] // 1024} KiB",
    )
    corner_text(ax, "thread size × threads; guard pages and caches of free stacks left out")
    return ax
