"""Predicted against measured depth."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from blockstack.present.style import COLOURS, DIM, OVER, axes, corner_text, plain, thousands
from blockstack.results.validation import Validation

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def validated(files: Sequence[Validation], ax: "Axes | None" = None) -> "Axes":
    """One dot per stack; the diagonal is where a bound is exact, below it none holds.

    Parameters
    ----------
    files : sequence of Validation
        One colour each.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        Dots: bounds; bars: the same without rare calls.
    """
    ax = axes(ax, 10.5, 7.4)
    deepest = max(
        (max(r.measured_bytes, r.predicted_bytes or 0) for found in files for r in found.modelled),
        default=1,
    )
    most = deepest * (1 + 0.05 * (1 + len(files)))  # room for the legend
    ax.fill_between([0, most], [0, most], 0, color=OVER, alpha=0.06, lw=0)
    ax.plot([0, most], [0, most], color=OVER, lw=1.4)
    ax.text(
        most * 0.98,
        most * 0.03,
        "measured deeper than predicted",
        color=OVER,
        ha="right",
        fontsize=8.5,
    )
    for i, found in enumerate(files):
        _dots(ax, found, COLOURS[i % len(COLOURS)])
    ax.set_xlim(0, most)
    ax.set_ylim(0, most)
    ax.set_xlabel("measured: deepest stack at the entry of a block-layer function (bytes)")
    ax.set_ylabel("predicted bound for the same context (bytes)")
    thousands(ax.xaxis)
    thousands(ax.yaxis)
    ax.legend(loc="upper left", frameon=False, fontsize=9)
    _refused(ax, files)
    plain(ax, "Stack depth: predicted against measured")
    corner_text(ax, "; ".join(f"{r.kernel}: table {r.table}" for r in files))
    return ax


def _dots(ax: "Axes", found: Validation, colour: str) -> None:
    s = found.summary()
    label = f"{found.measured_kernel}: {s['holds']} of {s['modelled']} hold"
    if s["modelled"]:
        label += f", median {s['median_ratio']:.2f}, p90 {s['p90_ratio']:.2f}"
    typical = [
        (r.measured_bytes, r.typical_bytes) for r in found.modelled if r.typical_bytes is not None
    ]
    ax.scatter(
        [x for x, _ in typical],
        [y for _, y in typical],
        s=12,
        marker="_",
        color=colour,
        alpha=0.8,
        lw=0.9,
    )
    ax.scatter(
        [r.measured_bytes for r in found.modelled],
        [r.predicted_bytes or 0 for r in found.modelled],
        s=24,
        color=colour,
        alpha=0.7,
        lw=0,
        label=label,
    )


def _refused(ax: "Axes", files: Sequence[Validation]) -> None:
    names = sorted({r.name for found in files for r in found.rows if r.refused})
    if names:
        lines = [f"not modelled ({len(names)}):", *(f"  {name}" for name in names)]
        ax.text(
            1.01, 1.0, "\n".join(lines), transform=ax.transAxes, fontsize=6.5, va="top", color=DIM
        )
    ax.text(
        1.01,
        0.0,
        "dot: bound\nbar: without rare calls",
        transform=ax.transAxes,
        fontsize=7,
        va="bottom",
        color=DIM,
    )
