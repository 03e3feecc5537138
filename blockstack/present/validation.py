"""Measured stacks beside their bounds: a table in a terminal, and a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from blockstack.validate import Comparison, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
_OVER = "#B00020"


def report_view(report: Report) -> RenderableType:
    """One row per stack, the tightest first, then the refused ones, then the summary."""
    rows = sorted(report.modelled, key=lambda r: r.ratio or 0)
    refused = [r for r in report.rows if r.refused]
    parts: list[RenderableType] = [
        Text.assemble((report.measured_kernel, "bold"), f" measured, {report.kernel} predicted "
                      "(bytes at the entry of a block-layer function)"), _rows(rows)]
    parts += [Text(f"  refused: {r.name} ({r.context}, measured {r.measured_bytes:,}): {r.refused}",
                   "yellow") for r in refused]
    return Group(*parts, _summary(report))


def _rows(rows: Sequence[Comparison]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("stack", no_wrap=True)
    table.add_column("context", no_wrap=True)
    for head in ("measured", "predicted", "ratio", "typical", "all contexts", "all measured"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("traced | predicted, where they part", style="dim")
    for r in rows:
        style = "" if r.holds else "bold red"
        table.add_row(
            Text(r.name, style), r.context, f"{r.measured_bytes:,}",
            Text(f"{r.predicted_bytes:,}", style), Text(f"{r.ratio:.3f}", style),
            "" if r.typical_bytes is None else f"{r.typical_bytes / r.measured_bytes:.3f}",
            f"{r.worst_bytes:,}", "" if r.all_bytes is None else f"{r.all_bytes:,}", r.differs)
    return table


def _summary(report: Report) -> Text:
    s = report.summary()
    if not s["modelled"]:
        return Text(f"{s['stacks']} stacks, none modelled", "bold red")
    budgets = ", ".join(f"{name} {n:,}" for name, n in report.budgets.items())
    return Text(
        f"{s['stacks']} stacks: {s['modelled']} modelled, {s['refused']} refused; {s['holds']} "
        f"bounds hold; ratio median {s['median_ratio']:.3f}, p90 {s['p90_ratio']:.3f}; typical "
        f"median {s['typical_median_ratio']:.3f}, p90 {s['typical_p90_ratio']:.3f}; context not "
        f"told: median {s['untold_median_ratio']:.3f}, p90 {s['untold_p90_ratio']:.3f}\n"
        f"on top, bounded by themselves (bytes): {budgets}",
        "bold" if s["holds"] == s["modelled"] else "bold red")


def predicted_against_measured(reports: Sequence[Report], ax: "Axes | None" = None) -> "Axes":
    """One dot per stack; the diagonal is where a bound is exact, below it none holds.

    Parameters
    ----------
    reports : sequence of Report
        One colour each.
    """
    if ax is None:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        layout = ConstrainedLayoutEngine(rect=(0, 0.03, 1, 0.97))
        ax = Figure(figsize=(10.5, 7.4), layout=layout).add_subplot()
    most = max((max(r.measured_bytes, r.predicted_bytes or 0)
                for report in reports for r in report.modelled), default=1) * 1.05
    ax.fill_between([0, most], [0, most], 0, color=_OVER, alpha=0.06, lw=0)
    ax.plot([0, most], [0, most], color=_OVER, lw=1.4)
    ax.text(most * 0.98, most * 0.03, "measured deeper than predicted", color=_OVER, ha="right",
            fontsize=8)
    for report, colour in zip(reports, _COLOURS * len(reports), strict=False):
        _dots(ax, report, colour)
    ax.set_xlim(0, most)
    ax.set_ylim(0, most)
    ax.set_xlabel("measured: deepest stack at the entry of a block-layer function (bytes)")
    ax.set_ylabel("predicted bound for the same context (bytes)")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:,.0f}")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.legend(loc="upper left", frameon=False, fontsize=9)
    _refused(ax, reports)
    ax.set_title("Stack depth: predicted against measured", loc="left", fontsize=12)
    ax.figure.text(0.995, 0.004, "; ".join(f"{r.kernel}: table {r.table}" for r in reports),
                   ha="right", va="bottom", fontsize=5.5, color="#666666")
    return ax


def _dots(ax: "Axes", report: Report, colour: str) -> None:
    s = report.summary()
    label = f"{report.measured_kernel}: {s['holds']} of {s['modelled']} hold"
    if s["modelled"]:
        label += f", median {s['median_ratio']:.2f}, p90 {s['p90_ratio']:.2f}"
    typical = [(r.measured_bytes, r.typical_bytes) for r in report.modelled
               if r.typical_bytes is not None]
    ax.scatter([x for x, _ in typical], [y for _, y in typical], s=12, marker="_", color=colour,
               alpha=0.8, lw=0.9)
    ax.scatter([r.measured_bytes for r in report.modelled],
               [r.predicted_bytes or 0 for r in report.modelled], s=24, color=colour, alpha=0.7,
               lw=0, label=label)


def _refused(ax: "Axes", reports: Sequence[Report]) -> None:
    names = {r.name: r.refused for report in reports for r in report.rows if r.refused}
    if not names:
        return
    lines = [f"not modelled ({len(names)}):", *(f"  {name}" for name in sorted(names))]
    ax.text(1.01, 1.0, "\n".join(lines), transform=ax.transAxes, fontsize=6.5, va="top",
            color="#555555")
    ax.text(1.01, 0.0, "dot: bound\nbar: without rare calls", transform=ax.transAxes,
            fontsize=7, va="bottom", color="#555555")
