"""Every task against the limit, and what a word of a parameter takes off each."""

import textwrap
from typing import TYPE_CHECKING, Any

from blockstack.engine.study.words import TaskPoint, Words
from blockstack.present.style import (
    COLOURS,
    DIM,
    INK,
    axes,
    corner,
    plain,
    short,
    thousands,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: more tasks than these make no picture
_MOST = 32
_COLOURS = (COLOURS[5], COLOURS[0], COLOURS[2], COLOURS[3], COLOURS[1])
_MARKS = {True: "fits", None: "fits or not: not certain", False: "overflows"}


def tasks(found: Words, ax: "Axes | None" = None) -> "Axes":
    """What each task needs of its stack, one mark per word of a parameter.

    Parameters
    ----------
    found : Words
        From `blockstack.by_words`.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        A full mark fits, an empty one overflows, a half one cannot be told; an arrow leads from
        the first word to the last, with the difference.
    """
    rows = _drawn(found)
    ax = axes(ax, 9.2, 1.9 + 0.36 * len(rows))
    alike = [task for task in _all_rows(found) if task not in rows]
    values = [p.needs_bytes for points in rows.values() for p in points]
    limits = {p.limit_bytes for points in rows.values() for p in points}
    low, high = min([*values, *limits]), max([*values, *limits])
    span = max(high - low, 1)
    for y, points in enumerate(rows.values()):
        _row(ax, y, points, found.words, span)
        ax.text(
            1.01, y, _outcome(points), fontsize=8, va="center", color=INK,
            transform=ax.get_yaxis_transform(), clip_on=False,
        )  # fmt: skip
    ax.set_yticks(range(len(rows)), [short(task, 34) for task in rows], fontsize=8.5)
    ax.set_ylim(len(rows) - 0.4, -1.3)
    ax.set_xlim(low - span * 0.08, high + span * 0.1)
    for limit in sorted(limits):
        ax.axvline(limit, color="#B00020", lw=1.4, ls="--", zorder=0)
        ax.text(limit, -1.0, f" limit {limit:,}", color="#B00020", fontsize=8.5, va="center")
    _legend(ax, found)
    ax.grid(axis="x", color="#E5E5E5", lw=0.6)
    ax.set_axisbelow(True)
    note = textwrap.fill("fits alike with every word: " + ", ".join(alike), 100) if alike else ""
    ax.set_xlabel(
        "stack that a task needs, interrupts included (bytes); the verdict counts page reclaim, "
        f"too\n{note}".rstrip()
    )
    thousands(ax.xaxis)
    what = f", {found.parameter}: {' → '.join(found.words)}" if found.parameter else ""
    title = f"{found.stack} on {found.kernel}{what}"
    plain(ax, title)
    ax.set_title(title, loc="left", fontsize=12, color=INK, pad=24)  # the legend lies between
    corner(ax, found.provenance)
    return ax


def _drawn(found: Words) -> dict[str, list[TaskPoint]]:
    """The rows of `_all_rows` but those that fit with every word alike, if others are left."""
    rows = _all_rows(found)
    if len(found.words) == 1:
        return rows
    told = {
        task: points
        for task, points in rows.items()
        if not all(p.fits for p in points) or len({p.needs_bytes for p in points}) > 1
    }
    return told or rows


def _all_rows(found: Words) -> dict[str, list[TaskPoint]]:
    """Tasks, the deepest first, each with its points in the order of the words."""
    rows: dict[str, list[TaskPoint]] = {}
    for word in found.words:
        for point in found.points:
            if point.word == word:
                rows.setdefault(point.task, []).append(point)
    deepest = sorted(rows, key=lambda task: -max(p.needs_bytes for p in rows[task]))
    return {task: rows[task] for task in deepest[:_MOST]}


def _row(ax: "Axes", y: int, points: list[TaskPoint], words: tuple[str, ...], span: int) -> None:
    first, last = points[0], points[-1]
    if abs(first.needs_bytes - last.needs_bytes) > span * 0.02:
        ax.annotate(
            "",
            (last.needs_bytes, y),
            (first.needs_bytes, y),
            arrowprops={"arrowstyle": "->", "color": DIM, "lw": 1.0, "shrinkA": 5, "shrinkB": 5},
        )
    for point in points:
        colour = _COLOURS[words.index(point.word) % len(_COLOURS)]
        ax.plot(
            point.needs_bytes,
            y,
            "o",
            ms=8,
            mew=1.6,
            color=colour,
            **_filled(point.fits),
        )


def _outcome(points: list[TaskPoint]) -> str:
    """``−520: overflows``: from the first word to the last, and the last one's verdict."""
    last = points[-1]
    change = last.needs_bytes - points[0].needs_bytes
    told = {True: "fits", None: "not certain", False: "overflows"}[last.fits]
    return f"{change:+,}, {told}".replace("-", "−") if len(points) > 1 else told


def _legend(ax: "Axes", found: Words) -> None:
    """A colour per word, a filling per verdict."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=_COLOURS[i % len(_COLOURS)], marker="o", ls="", ms=8, label=word)
        for i, word in enumerate(found.words)
        if word
    ]
    handles += [
        Line2D([], [], color=DIM, marker="o", ls="", ms=8, mew=1.6, label=label, **_filled(verdict))
        for verdict, label in _MARKS.items()
        if any(point.fits is verdict for point in found.points)
    ]
    ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        borderaxespad=0.2,
        ncols=len(handles),
        fontsize=8.5,
        frameon=False,
        handletextpad=0.2,
    )


def _filled(verdict: bool | None) -> dict[str, Any]:
    """Full where it fits, empty where it overflows, half where it cannot be told."""
    style = {True: "full", None: "left", False: "none"}[verdict]
    return {"fillstyle": style, "markerfacecoloralt": "white"}
