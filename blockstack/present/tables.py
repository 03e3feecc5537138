"""Results as tables in a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from blockstack.engine.nesting import LayerLimit
from blockstack.result import Explanation, Frame, Result, TaskDepth
from blockstack.units import format_count


def verdict(task: TaskDepth | Result | Explanation) -> Text:
    """``fits``, ``overflows by N`` or ``cannot tell``, in colour."""
    headroom = (task.worst if isinstance(task, Explanation) else task).headroom_bytes
    if task.fits is False:
        return Text(f"overflows by {-headroom:,}" if headroom < 0 else "overflows", "bold red")
    if task.fits is None:
        return Text("cannot tell", "yellow")
    return Text("fits", "green")


def peak_text(n_bytes: int, exact: bool) -> str:
    """A depth, or "at least" it."""
    return f"{n_bytes:,}" if exact else f"≥ {n_bytes:,}"


#: below this width the runs' figures are split over two tables
WIDE = 126


def runs_tables(results: Sequence[Result], own_rule: str, width: int = WIDE) -> list[Table]:
    """One row per submission rule, the kernel's own marked; two tables on a narrow terminal."""
    depth = ("peak B", "limit B", "headroom B", "verdict")
    speed = ("nesting", "pending", "bios", "hops", "splits", "bios/s", "hops/s")
    groups = [depth + speed] if width >= WIDE else [depth, speed]
    return [_runs_table(results, own_rule, heads) for heads in groups]


def _runs_table(results: Sequence[Result], own_rule: str, heads: tuple[str, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("submission", no_wrap=True)
    for head in heads:
        justify: Literal["left", "right"] = "left" if head == "verdict" else "right"
        table.add_column(head, justify=justify, no_wrap=True)
    for r in results:
        cells: dict[str, str | Text] = {
            "peak B": peak_text(r.peak_bytes, r.exact), "limit B": f"{r.limit_bytes:,}",
            "headroom B": f"{r.headroom_bytes:,}", "verdict": verdict(r),
            "nesting": str(r.peak_nesting), "pending": str(r.peak_pending),
            "bios": format_count(r.bios).strip(), "hops": format_count(r.hops).strip(),
            "splits": format_count(r.splits).strip(),
            "bios/s": format_count(r.bios_per_second).strip(),
            "hops/s": format_count(r.hops_per_second).strip()}
        mark = " *" if r.submission == own_rule else ""
        table.add_row(Text(r.submission + mark, "bold" if mark else ""),
                      *(cells[head] for head in heads))
    return table


def tasks_table(tasks: Sequence[TaskDepth], width: int = WIDE, most: int = 24) -> Table:
    """One row per task: peak, limit, verdict and how it was found; the worst first."""
    wide = width >= 100
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("task", overflow="fold")
    table.add_column("stack of", no_wrap=True)
    for head in ("peak B", "limit B", "headroom B") if wide else ("peak B", "headroom B"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    if wide:
        table.add_column("found by", no_wrap=True)
    rows = sorted(tasks, key=lambda t: t.headroom_bytes)
    for task in rows[:most]:
        peak, headroom = peak_text(task.peak_bytes, task.exact), f"{task.headroom_bytes:,}"
        if wide:
            table.add_row(task.task, task.context, peak, f"{task.limit_bytes:,}", headroom,
                          verdict(task), task.how)
        else:
            table.add_row(task.task, task.context, peak, headroom, verdict(task))
    if len(rows) > most:
        table.add_row(f"… and {len(rows) - most} more with more headroom")
    return table


def path_table(path: Sequence[Frame]) -> Table:
    """A path in the form of the kernel's stack_trace file: deepest first."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("Depth", justify="right")
    table.add_column("Size", justify="right")
    table.add_column("Location")
    table.add_column("Layer", style="cyan")
    table.add_column("", style="yellow")
    depth = sum(f.bytes for f in path)
    for frame in reversed(path):
        mark = "" if frame.source == "table" else frame.source
        table.add_row(str(depth), str(frame.bytes), frame.function, frame.layer, mark)
        depth -= frame.bytes
    return table


def why_lines(tasks: Sequence[TaskDepth]) -> list[Text]:
    """What the verdicts rest on, and for which tasks."""
    tasks_of: dict[str, list[str]] = {}
    for task in tasks:
        if task.why:
            tasks_of.setdefault(task.why, []).append(task.task)
    return [Text(f"  {', '.join(names)}: {why}", "yellow") for why, names in tasks_of.items()]


def explanation_view(found: Explanation, whole: bool = False, width: int = WIDE
                     ) -> RenderableType:
    """Tasks, the deepest path of the worst one (of all, when ``whole``), budgets and notes."""
    parts: list[RenderableType] = [
        Text.assemble((found.stack, "bold"), f" on {found.kernel}, submission "
                      f"{found.submission}{_what_if(found.provenance)}: ", verdict(found)),
        tasks_table(found.tasks, width), *why_lines(found.tasks)]
    for task in found.tasks if whole else (found.worst,):
        parts += [Text(f"\nDeepest path of {task.task} ({task.context})", "bold"),
                  path_table(task.path)]
    if found.budgets:
        listed = ", ".join(f"{name} {n:,}" for name, n in found.budgets.items())
        parts.append(Text(f"\nOn top, bounded by themselves (bytes): {listed}", "dim"))
    parts += [Text(f"Note: {note}", "dim") for note in found.notes]
    return Group(*parts)


def _what_if(provenance: Mapping[str, Any]) -> str:
    """What was overridden, in brackets."""
    changed = provenance.get("overrides")
    return f" ({'; '.join(changed)})" if changed else ""


def layers_table(rows: Sequence[LayerLimit], own: Mapping[str, str]) -> Table:
    """How many nested layers of a kind fit; rules of one kernel with the same answer share a row.

    Parameters
    ----------
    own : mapping of kernel to rule
        The rule that a kernel ships, marked ``*``.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.title = f"{rows[0].kind}: {rows[0].present_layers:,} nested in this stack" if rows else ""
    table.add_column("kernel", no_wrap=True)
    for head in ("direction", "rule"):
        table.add_column(head)
    table.add_column("layers that fit", justify="right")
    table.add_column("without reclaim", justify="right")
    for head in ("B each", "peak B"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("decided by", overflow="fold")
    merged: dict[LayerLimit, list[str]] = {}
    for row in sorted(rows, key=lambda r: r.direction, reverse=True):
        merged.setdefault(replace(row, submission=""), []).append(
            row.submission + " *" * (row.submission == own.get(row.kernel)))
    kernels = dict.fromkeys(row.kernel for row in rows)
    for kernel in kernels:
        mine = [(row, rules) for row, rules in merged.items() if row.kernel == kernel]
        for i, (row, rules) in enumerate(mine):
            table.add_row(kernel if i == 0 else "", row.direction, ", ".join(rules),
                          _count_text(row, row.layers), _count_text(row, row.may_fit),
                          f"{row.bytes_per_layer:,}", _peak_of(row), row.task,
                          end_section=i + 1 == len(mine))
    return table


def _peak_of(row: LayerLimit) -> str:
    if not row.peak_bytes:  # the leaf completes inside the submit call
        return "-"
    on_top = f" + {row.on_top_bytes:,} on top" if row.on_top_bytes else ""
    return f"{peak_text(row.peak_bytes, row.exact)}{on_top} of {row.limit_bytes:,}"


def _count_text(row: LayerLimit, layers: int | None) -> str:
    if layers is None:
        return "any number" if row.peak_bytes else "see submission"
    count = "none" if layers < 0 else f"{layers:,}"
    return count if row.exact else f"at most {count}"


def kernels_table(rows: Sequence[Mapping[str, Any]], threads: int) -> Table:
    """The shipped kernels, one row each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("kernel", "submission"):
        table.add_column(head, no_wrap=True)
    for head in ("thread B", "usable B", "order"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column(f"{threads:,} threads", justify="right")
    for head in ("interrupts", "an overflow", "frames"):
        table.add_column(head)
    for row in rows:
        table.add_row(row["name"], row["submission"], f"{row['thread_size_bytes']:,}",
                      f"{row['limit_bytes']:,}", str(row["allocation_order"]),
                      f"{row['memory_bytes'] / 2**20:,.1f} MiB", f"{row['irq_stacks']} stacks",
                      row["overflow_outcome"], row["provenance"]["kernel"].split(" (")[0])
    return table
