"""A design space: curves by one axis, a map of two with the verdict's border, the best points."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from blockstack.base.errors import ConfigError
from blockstack.present.style import COLOURS, DIM, INK, VERDICT, axes, corner_text, plain, short
from blockstack.results.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS = "osD^vP*X"
_UNITS: Mapping[str, tuple[float, str]] = {
    "_ns": (1e6, "ms"),
    "_per_second": (1e6, "MB/s"),
    "_bytes": (1.0, "bytes"),
}
_MOST_NAMED = 12


def scale(column: str) -> tuple[float, str]:
    """Divisor and label of a column: one unit on the axis and in its name."""
    for ending, (divisor, unit) in _UNITS.items():
        if column.endswith(ending):
            return divisor, f"{column.removesuffix(ending).replace('_', ' ')} ({unit})"
    return 1.0, {"iops": "IOPS"}.get(column, column.replace("_", " "))


def _known(found: Sweep, *names: str) -> Sweep:
    """Points that have a value in every column."""
    for name in names:
        found.column(name)
    kept = found.take(
        i for i in range(len(found)) if all(found.data[name][i] is not None for name in names)
    )
    if not len(kept):
        raise ConfigError("no point has a value", path=", ".join(names))
    return kept


def curves(
    found: Sweep, x: str, y: str, colour: str | None = None, ax: "Axes | None" = None
) -> "Axes":
    """One column against another, a line for each value of a third.

    Parameters
    ----------
    found : Sweep
    x, y : str
        Columns with numbers; latencies are drawn in ms.
    colour : str or None
        The axis that gets a line per value.
    ax : Axes or None
        Where to draw; None: on a figure of its own.

    Returns
    -------
    Axes
        Other axes of the sweep spread their points over the same lines; say them in a facet.

    Raises
    ------
    ConfigError
        No such column, or one that is text.
    """
    kept = _known(found, x, y)
    for name in (x, y):
        if kept.column(name).kind == "string":
            raise ConfigError("is text, no number", path=name)
    ax = axes(ax, 8.0, 5.0)
    (dx, x_label), (dy, y_label) = scale(x), scale(y)
    values = [None] if colour is None else list(dict.fromkeys(kept.data[kept.column(colour).name]))
    for i, value in enumerate(values):
        rows = sorted(
            (row[x] / dx, row[y] / dy)
            for row in kept.rows()
            if colour is None or row[colour] == value
        )
        ax.plot(
            *zip(*rows, strict=True),
            color=COLOURS[i % len(COLOURS)],
            marker=_MARKS[i % len(_MARKS)],
            ms=4.5,
            lw=1.8,
            label=None if colour is None else short(str(value), 40),
        )
    numbers = [v for v in kept.data[x] if v > 0]
    if len(numbers) == len(kept.data[x]) and max(numbers) >= 32 * min(numbers):
        ax.set_xscale("log", base=2)
        ax.set_xticks(sorted({v / dx for v in numbers})[:16])
        ax.xaxis.set_major_formatter("{x:,.10g}")
        ax.minorticks_off()
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter("{x:,.10g}")
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    if colour is not None:
        ax.legend(title=colour, frameon=False, fontsize=8.5, title_fontsize=8.5)
    plain(ax, f"{name_of(found)}: {y_label.split(' (')[0]} by {x_label.split(' (')[0]}")
    return ax


def field(found: Sweep, x: str, y: str, value: str, ax: "Axes | None" = None) -> "Axes":
    """A map over two axes: a number in each cell, and a border around what does not fit.

    Parameters
    ----------
    found : Sweep
    x, y : str
        Columns of axes.
    value : str
        A column with numbers.
    ax : Axes or None
        Where to draw; None: on a figure of its own.

    Returns
    -------
    Axes
        Where several points share a cell, the worst of them is shown.

    Raises
    ------
    ConfigError
        No such column, or a value that is text.
    """
    kept = _known(found, value)
    if kept.column(value).kind == "string":
        raise ConfigError("is text, no number", path=value)
    xs, ys = (list(dict.fromkeys(kept.data[kept.column(name).name])) for name in (x, y))
    ax = axes(ax, 2.2 + 0.95 * len(xs), 1.8 + 0.55 * len(ys))
    grid, verdicts = _cells(kept, (x, xs), (y, ys), value)
    divisor, label = scale(value)
    image = ax.imshow(grid / divisor, cmap="cividis", aspect="auto", origin="lower")
    middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
    for row in range(len(ys)):
        for column in range(len(xs)):
            shown = grid[row, column]
            if not np.isnan(shown):
                ink = "white" if shown < middle else "black"
                text = (
                    f"{shown / divisor:,.4g}"
                    if shown / divisor < 1000
                    else f"{shown / divisor:,.0f}"
                )
                ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=8.5)
            if (column, row) in verdicts and verdicts[column, row] is not True:
                _border(ax, column, row, verdicts[column, row])
    ax.set_xticks(range(len(xs)), [short(str(v), 18) for v in xs])
    ax.set_yticks(range(len(ys)), [short(str(v), 22) for v in ys])
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    figure = ax.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=ax, label=label, format="{x:,.10g}")
    plain(ax, f"{name_of(found)}: {label.split(' (')[0]}", keep=())
    if any(v is not True for v in verdicts.values()):
        ax.text(
            0,
            -0.02 - 0.5 / len(ys),
            "red border: overflows; orange: cannot tell",
            transform=ax.transAxes,
            fontsize=8,
            color=DIM,
            va="top",
        )
    return ax


def _cells(
    kept: Sweep, x: tuple[str, list[Any]], y: tuple[str, list[Any]], value: str
) -> tuple[Any, dict[tuple[int, int], bool | None]]:
    """The worst value of each cell, and the worst verdict."""
    better = kept.column(value).better
    grid = np.full((len(y[1]), len(x[1])), np.nan)
    verdicts: dict[tuple[int, int], bool | None] = {}
    order = [True, None, False]
    for row in kept.rows():
        i, j = y[1].index(row[y[0]]), x[1].index(row[x[0]])
        old, new = grid[i, j], float(row[value])
        grid[i, j] = new if np.isnan(old) else (max(old, new) if better < 0 else min(old, new))
        if "fits" in row:
            verdicts[j, i] = max(row["fits"], verdicts.get((j, i), True), key=order.index)
    return grid, verdicts


def _border(ax: "Axes", column: int, row: int, fits: bool | None) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(
        Rectangle(
            (column - 0.46, row - 0.44), 0.92, 0.88, fill=False, lw=2.2, ec=VERDICT[fits], zorder=4
        )
    )


def front(found: Sweep, best: Sweep, x: str, y: str, ax: "Axes | None" = None) -> "Axes":
    """All points, and those that nothing beats, joined and named.

    Parameters
    ----------
    found, best : Sweep
        `blockstack.pareto` of ``found``.
    x, y : str
        Columns with numbers.
    ax : Axes or None
        Where to draw; None: on a figure of its own.

    Returns
    -------
    Axes
        The best points have numbers; beside it stands what each is.

    Raises
    ------
    ConfigError
        No such column, or no point with values.
    """
    everyone, kept = _known(found, x, y), _known(best, x, y)
    ax = axes(ax, 8.4, 5.4)
    (dx, x_label), (dy, y_label) = scale(x), scale(y)
    ax.scatter(
        [v / dx for v in everyone.data[x]],
        [v / dy for v in everyone.data[y]],
        s=16,
        color="#B8B8B8",
        label="beaten by another point",
        zorder=2,
    )
    rows = sorted(kept.rows(), key=lambda row: (row[x], row[y]))
    ax.plot(
        [row[x] / dx for row in rows],
        [row[y] / dy for row in rows],
        color=COLOURS[0],
        marker="o",
        ms=6,
        lw=1.4,
        label="nothing beats it",
        zorder=3,
    )
    changing = [a for a in found.axes if len({str(v) for v in found.data[a]}) > 1]
    named = rows[:_MOST_NAMED]
    for i, row in enumerate(named):
        ax.annotate(
            str(i + 1),
            (row[x] / dx, row[y] / dy),
            xytext=(7, 6 - 14 * (i % 2)),
            textcoords="offset points",
            fontsize=8.5,
            color=INK,
        )
    lines = [f"{i + 1}  {_point(row, changing)}" for i, row in enumerate(named)]
    ax.text(1.02, 1.0, "\n".join(lines), transform=ax.transAxes, va="top", fontsize=8.5, color=INK)
    ax.xaxis.set_major_formatter("{x:,.10g}")
    ax.yaxis.set_major_formatter("{x:,.10g}")
    ax.margins(x=0.12, y=0.1)
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    ax.legend(frameon=False, fontsize=8.5)
    plain(ax, f"{name_of(found)}: {len(rows)} of {len(everyone)} points that nothing beats")
    return ax


def _point(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """``iodepth 16, 64 KiB``: short, for a label."""
    words = [
        f"{name.rpartition('.')[2]} {row[name]}" if isinstance(row[name], int) else str(row[name])
        for name in names
    ]
    return short(", ".join(words), 46)


def _corner(ax: "Axes", found: Sweep) -> None:
    """Which kernels' frames, and which blockstack."""
    about = found.about
    frames = ", ".join(
        f"{name} (table {digest})" for name, digest in about.get("kernels", {}).items()
    )
    corner_text(ax, f"frames: {frames or 'not told'}; blockstack {about.get('version', '')}")


def name_of(found: Sweep) -> str:
    config = found.about.get("config", {})
    return str(config.get("name") or "sweep")


def small_multiples(found: Sweep, facet: str, x: str, y: str, colour: str | None = None) -> "Axes":
    """`curves`, a picture for each value of one more axis, on one scale.

    Parameters
    ----------
    found : Sweep
    facet : str
        The axis that gets a picture per value.
    x, y : str
        Columns with numbers.
    colour : str or None
        The axis that gets a line per value.

    Returns
    -------
    Axes
        The first of them; the figure has them all.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    values = list(dict.fromkeys(found.data[found.column(facet).name]))
    across = min(len(values), 3)
    down = -(-len(values) // across)
    room = 0.25 / (3.8 * down)  # for the corner's line
    layout = ConstrainedLayoutEngine(rect=(0, room, 1, 1 - room))
    figure = Figure(figsize=(4.6 * across, 3.8 * down), layout=layout)
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for i, value in enumerate(values):
        part = found.take(k for k in range(len(found)) if found.data[facet][k] == value)
        ax = curves(part, x, y, colour, grid[i // across][i % across])
        ax.set_title(short(f"{facet} {value}", 48), loc="left", fontsize=10, color=INK)
        legend = ax.get_legend()
        if i and legend is not None:
            legend.remove()
    for empty in grid.flat[len(values) :]:
        empty.set_axis_off()
    figure.suptitle(f"{name_of(found)}: {scale(y)[1]}", x=0.01, ha="left", fontsize=12, color=INK)
    first: Axes = grid[0][0]
    return first


def draw_sweep(
    found: Sweep,
    x: str,
    y: str,
    *,
    colour: str | None = None,
    facet: str | None = None,
    heat: str | None = None,
    best: Sweep | None = None,
) -> "Axes":
    """The picture that the words ask for: a map with ``heat``, a front with ``best``, or curves.

    Raises
    ------
    ConfigError
        Words that do not go together, or that name no column.
    """
    if heat is not None and (best is not None or colour or facet):
        raise ConfigError("a map has no colour, facet or front", path="--heat", value=heat)
    if heat is not None:
        ax = field(found, x, y, heat)
    elif best is not None:
        ax = front(found, best, x, y)
    elif facet is not None:
        ax = small_multiples(found, facet, x, y, colour)
    else:
        ax = curves(found, x, y, colour)
    _corner(ax, found)
    return ax
