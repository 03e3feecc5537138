"""One bio's way down and back up; bios waiting meanwhile; how deep a sample of bios goes."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from blockstack.engine.study.journey import DepthSample, Journey
from blockstack.present.style import (
    COLOURS,
    DIM,
    INK,
    OVER,
    RULE_COLOURS,
    axes,
    corner,
    ink,
    limit_line,
    plain,
    short,
    thousands,
)
from blockstack.results.result import TaskDepth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED = 40  # calls up to which every one is named
_COMPLETIONS, _TASKS = 5, 9  # drawn; named


def journey(found: Journey, ax: "Axes | None" = None) -> "Axes":
    """Depth over one bio's journey: every make_request call as a bar, then the completions.

    Parameters
    ----------
    found : Journey
        From `blockstack.journey`.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        x: calls in order; y: bytes from the top of the running task's stack, downwards. A bar
        reaches from the entry of the block layer to the deepest point inside, pale above it is
        what lies on the stack already; colours are tasks.
    """
    ax = axes(ax, 10.5, 5.6)
    tasks = list(dict.fromkeys([v.task for v in found.visits]))
    colour = {task: COLOURS[i % len(COLOURS)] for i, task in enumerate(tasks)}
    seen: set[str] = set()
    for x, visit in enumerate(found.visits):
        label = None if visit.task in seen else visit.task
        seen.add(visit.task)
        ax.bar(x, visit.entry_bytes, width=0.86, color=colour[visit.task], alpha=0.13)
        ax.bar(
            x,
            visit.peak_bytes - visit.entry_bytes,
            bottom=visit.entry_bytes,
            width=0.86,
            color=colour[visit.task],
            label=label,
        )
        if len(found.visits) <= _NAMED:
            ax.text(
                x,
                visit.entry_bytes,
                f" {visit.device}",
                rotation=90,
                fontsize=6,
                va="top",
                ha="center",
                color=ink(colour[visit.task]),
                clip_on=True,
            )
    x = len(found.visits) + 1
    back = sorted(found.completions, key=lambda t: -t.peak_bytes)
    for task in back[:_COMPLETIONS]:
        x = _back_up(ax, task, x)
    more = len(back) - _COMPLETIONS
    limit_line(ax, found.limit_bytes)
    deepest = max(
        [found.limit_bytes, *(v.peak_bytes for v in found.visits), *(t.peak_bytes for t in back)]
    )
    ax.set_ylim(deepest * 1.05, 0)
    ax.set_xlim(-1, x)
    ax.set_xlabel(
        "calls in the order in which they run; then completions, layer by layer"
        + (f" ({more} shallower ones not shown)" if more > 0 else "")
    )
    ax.set_ylabel("bytes from the top of the task's stack")
    thousands(ax.yaxis)
    ax.xaxis.set_major_formatter("{x:.0f}")
    handles, labels = ax.get_legend_handles_labels()
    kept = [i for i, label in enumerate(labels) if label in tasks[:_TASKS] or label not in tasks]
    if len(tasks) > _TASKS:
        labels[kept[_TASKS - 1]] += f" … {len(tasks) - _TASKS} more tasks"
    ax.legend(
        [handles[i] for i in kept],
        [labels[i] for i in kept],
        loc="upper left",
        bbox_to_anchor=(1.005, 1),
        fontsize=7.5,
        frameon=False,
    )
    plain(ax, f"{found.stack} on {found.kernel}, {found.submission}: the way of bio {found.bio}")
    corner(ax, found.provenance)
    return ax


def _back_up(ax: "Axes", task: TaskDepth, x: int) -> int:
    """A completion: one bar per layer that it passes; where the next one starts."""
    groups = [
        (layer, sum(f.bytes for f in frames))
        for layer, frames in groupby(task.path, key=lambda f: f.layer)
    ]
    sizes = np.array([n_bytes for _, n_bytes in groups])
    above = np.cumsum(sizes) - sizes
    at = x + np.arange(len(groups))
    wide = 0.86 if len(groups) <= _NAMED else 1.0
    ax.bar(at, above, width=wide, color=DIM, alpha=0.13)
    ax.bar(
        at,
        sizes,
        bottom=above,
        width=wide,
        color="#999999",
        label=f"{task.task}: {task.context}, {task.peak_bytes:,} bytes",
    )
    if len(groups) <= _NAMED:
        for place, (layer, _), depth in zip(at.tolist(), groups, above.tolist(), strict=True):
            ax.text(
                place,
                depth,
                f" {short(layer, 16)}",
                rotation=90,
                fontsize=6,
                va="top",
                ha="center",
                color=INK,
                clip_on=True,
            )
    return x + len(groups) + 1


def pending(journeys: Sequence[Journey], ax: "Axes | None" = None) -> "Axes":
    """Bios on the submitting task's list after every call, one line per rule.

    Parameters
    ----------
    journeys : sequence of Journey
        The same bio under several rules.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        x: calls in order; y: bios that wait.
    """
    from matplotlib.ticker import MaxNLocator

    ax = axes(ax, 8.4, 4.2)
    most = 0
    for i, found in enumerate(journeys):  # lines that lie on each other: the first is the widest
        own = [v.pending for v in found.visits if v.task == found.visits[0].task]
        most = max(most, *own)
        ax.step(
            range(1, len(own) + 1),
            own,
            where="post",
            lw=2 + 2.2 * (len(journeys) - 1 - i),
            color=RULE_COLOURS[found.submission],
            label=f"{found.submission}: at most {max(own)} waiting",
        )
    ax.set_xlabel("calls of the submitting task, in order")
    ax.set_ylabel("bios waiting on the task's list")
    ax.set_ylim(0, max(1, most) * 1.15)
    ax.set_xlim(left=0.5)
    if not most:
        ax.text(
            0.5,
            0.5,
            "every bio goes straight to the lowest device: none waits",
            color=DIM,
            transform=ax.transAxes,
            ha="center",
            fontsize=9,
        )
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, fontsize=9)
    first = journeys[0]
    plain(ax, f"{first.stack} on {first.kernel}: bios pending while bio {first.bio} is handled")
    corner(ax, first.provenance)
    return ax


def distribution(sample: DepthSample, ax: "Axes | None" = None) -> "Axes":
    """Share of bios that go at least so deep, with the interrupt tail.

    Parameters
    ----------
    sample : DepthSample
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        y logarithmic: how rarely a depth is reached; the limit is a line.
    """
    ax = axes(ax, 8.4, 4.6)
    series = [(sample.depths_bytes, "without interrupts", "#0072B2")]
    if sample.struck_bytes is not None:
        series.append(
            (sample.struck_bytes, "with interrupts on the task's stack (assumed rate)", "#D55E00")
        )
    for depths, label, colour in series:
        ordered = np.sort(depths)[::-1]
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        past = int((ordered > sample.limit_bytes).sum())
        ax.step(
            ordered,
            share,
            where="post",
            color=colour,
            lw=2,
            label=f"{label}: {past:,} of {len(ordered):,} bios pass the limit",
        )
    ax.axvline(sample.limit_bytes, color=OVER, lw=1.6, ls="--")
    ax.text(
        sample.limit_bytes,
        1,
        f"limit {sample.limit_bytes:,} bytes ",
        rotation=90,
        color=OVER,
        va="top",
        ha="right",
        fontsize=8.5,
    )
    ax.set_yscale("log")
    ax.set_xlabel("deepest point of the submitting task (bytes)")
    ax.set_ylabel("share of bios that go so deep")
    thousands(ax.xaxis)
    ax.legend(frameon=False, fontsize=8, loc="lower left")
    plain(ax, f"{sample.stack} on {sample.kernel}, {sample.submission}: how often how deep")
    ax.grid(axis="y", color="#DDDDDD", lw=0.6)
    ax.tick_params(axis="y", colors=DIM)
    corner(ax, sample.provenance)
    return ax
