"""Measured stacks beside their bounds: tables in a terminal."""

from collections.abc import Callable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from blockstack.present.style import short
from blockstack.validate import Comparison
from blockstack.validation import Report

#: from this width on, all figures stand in one table
WIDE = 150
_Cell = Callable[[Comparison], Text]


def report_view(report: Report, width: int = WIDE) -> RenderableType:
    """One row per stack, the tightest first; where paths part; the refused ones; the summary."""
    rows = sorted(report.modelled, key=lambda r: r.ratio or 0)
    groups = (_bounds(), _beside(report))
    tables = [groups[0] | groups[1]] if width >= WIDE else groups
    parts: list[RenderableType] = [
        Text.assemble((report.measured_kernel, "bold"), f" measured, {report.kernel} predicted "
                      "(bytes at the entry of a block-layer function)")]
    if rows:
        parts += [_table(rows, columns, width) for columns in tables]
        parts += [_parting(rows)]
    parts += [_refusals([r for r in report.rows if r.refused])]
    return Group(*parts, _summary(report))


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _bounds() -> dict[str, _Cell]:
    """What is compared."""
    def marked(text: str, row: Comparison) -> Text:
        return Text(text, "" if row.holds else "bold red")

    return {
        "measured": lambda r: Text(_number(r.measured_bytes)),
        "predicted": lambda r: marked(_number(r.predicted_bytes), r),
        "ratio": lambda r: marked(f"{r.ratio:.3f}", r),
        "typical": lambda r: Text(_number(r.typical_bytes)),
        "exact": lambda r: Text("yes" if r.exact else "≥")}


def _beside(report: Report) -> dict[str, _Cell]:
    """The traced path's own sum; every function traced, and what may come on top of the bound."""
    def traced(row: Comparison) -> Text:
        return Text("" if row.traced_bytes is None else (
            "≥ " * bool(row.traced.missing) + _number(row.traced_bytes)))

    def with_budget(n_bytes: int) -> _Cell:
        def cell(row: Comparison) -> Text:
            sum_bytes = (row.predicted_bytes or 0) + n_bytes
            short = row.all_bytes is not None and row.all_bytes > sum_bytes
            return Text(_number(sum_bytes), "yellow" if short else "")
        return cell

    return {"as traced": traced, "all": lambda r: Text(_number(r.all_bytes))} | {
        f"+ {name}": with_budget(n) for name, n in report.budgets.items()}


def _table(rows: Sequence[Comparison], columns: dict[str, _Cell], width: int) -> Table:
    """A narrow terminal shortens the names, never a figure."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    left = width - sum(max(len(head), 7) + 3 for head in columns)
    longest = max(len(r.name) for r in rows), max(len(_context(r)) for r in rows)
    contexts = min(longest[1], left // 3)
    names = max(8, min(longest[0], left - contexts - 6))
    table.add_column("stack", no_wrap=True)
    table.add_column("context", no_wrap=True)
    for head in columns:
        table.add_column(head, justify="right", no_wrap=True)
    for r in rows:
        table.add_row(Text(short(r.name, names), "" if r.holds else "bold red"),
                      short(_context(r), contexts), *(cell(r) for cell in columns.values()))
    return table


def _context(row: Comparison) -> str:
    return row.context.removeprefix("syscall:").replace("kthread:", "task ")


def _parting(rows: Sequence[Comparison]) -> RenderableType:
    """Where the predicted path leaves the traced one; stacks that part alike share a row."""
    alike: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        traced, _, predicted = row.differs.partition(" | ")
        alike.setdefault((traced, predicted), []).append(row.name)
    same = alike.pop(("", ""), [])
    text = Text(f"{len(same)} of {len(rows)} bounds lie on the traced path itself", "dim")
    if not alike:
        return text
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("traced, where they part", no_wrap=True, overflow="ellipsis")
    table.add_column("predicted there", no_wrap=True, overflow="ellipsis")
    table.add_column("stacks", overflow="fold", style="dim")
    for (traced, predicted), names in sorted(alike.items(), key=lambda item: -len(item[1])):
        more = f" and {len(names) - 2} more" if len(names) > 3 else ""
        table.add_row(traced, predicted, ", ".join(names[:2] if more else names) + more)
    return Group(text, table)


def _refusals(rows: Sequence[Comparison]) -> RenderableType:
    return Group(*(Text(f"  refused: {r.name} ({_context(r) or 'no context'}, measured "
                        f"{r.measured_bytes:,}): {r.refused}", "yellow") for r in rows))


def _summary(report: Report) -> Text:
    s = report.summary()
    traced = ""
    if s["traced"]:
        traced = (f"\ntold the traced path: {s['traced_complete']} of {s['traced']} with every "
                  "function in the table")
    if s["traced_complete"]:
        traced += (f", their sums off by {100 * s['traced_complete_mean_error']:.2f} % in the mean "
                   f"and {s['traced_complete_max_error_bytes']} bytes at most; of all by "
                   f"{100 * s['traced_mean_error']:.2f} %")
    if not s["modelled"]:
        return Text(f"{s['stacks']} stacks, none modelled{traced}", "bold red")
    budgets = ", ".join(f"{name} {n:,}" for name, n in report.budgets.items())
    return Text(
        f"{s['stacks']} stacks: {s['modelled']} modelled, {s['refused']} refused; {s['holds']} "
        f"bounds hold; ratio median {s['median_ratio']:.3f}, p90 {s['p90_ratio']:.3f}; typical "
        f"median {s['typical_median_ratio']:.3f}, p90 {s['typical_p90_ratio']:.3f}; context not "
        f"told: median {s['untold_median_ratio']:.3f}, p90 {s['untold_p90_ratio']:.3f}{traced}\n"
        f"on top, bounded by themselves (bytes): {budgets}",
        "bold" if s["holds"] == s["modelled"] else "bold red")
