"""Results as tables in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from blockstack.engine.explain import LayerLimit
from blockstack.result import Explanation, Frame, Result, TaskDepth
from blockstack.units import format_count


def verdict(task: TaskDepth | Result) -> Text:
    """``fits``, ``overflows by N`` or ``cannot tell``, in colour."""
    if task.fits is False and task.headroom_bytes < 0:
        return Text(f"overflows by {-task.headroom_bytes:,}", "bold red")
    if task.fits is False:
        return Text("overflows in another task", "bold red")
    if task.fits is None:
        return Text("cannot tell", "yellow")
    return Text("fits", "green")


def peak_text(n_bytes: int, exact: bool) -> str:
    """A depth, or "at least" it."""
    return f"{n_bytes:,}" if exact else f"≥ {n_bytes:,}"


def runs_table(results: Sequence[Result], own_rule: str) -> Table:
    """One row per submission rule; the kernel's own rule is marked."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    table.add_column("submission", no_wrap=True)
    heads = ("peak B", "limit B", "headroom B")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for head in ("nesting", "pending", "bios", "hops", "splits", "bios/s", "hops/s"):
        table.add_column(head, justify="right", no_wrap=True)
    for r in results:
        mark = " *" if r.submission == own_rule else ""
        table.add_row(
            Text(r.submission + mark, "bold" if mark else ""), peak_text(r.peak_bytes, r.exact),
            f"{r.limit_bytes:,}", f"{r.headroom_bytes:,}", verdict(r), str(r.peak_nesting),
            str(r.peak_pending), format_count(r.bios).strip(), format_count(r.hops).strip(),
            format_count(r.splits).strip(), format_count(r.bios_per_second).strip(),
            format_count(r.hops_per_second).strip())
    return table


def tasks_table(tasks: Sequence[TaskDepth], most: int = 24) -> Table:
    """One row per task: peak, limit, verdict and what it rests on; the worst first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("task")
    table.add_column("stack of")
    for head in ("peak B", "limit B", "headroom B"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("found by", no_wrap=True)
    rows = sorted(tasks, key=lambda t: t.headroom_bytes)
    for task in rows[:most]:
        table.add_row(task.task, task.context, peak_text(task.peak_bytes, task.exact),
                      f"{task.limit_bytes:,}", f"{task.headroom_bytes:,}", verdict(task), task.how)
    if len(rows) > most:
        table.add_row(f"… and {len(rows) - most} more with more headroom", "", "", "", "", "", "")
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
    """What verdicts rest on, once each."""
    seen = dict.fromkeys(f"{t.task}: {t.why}" for t in tasks if t.why)
    return [Text("  " + line, "yellow") for line in list(seen)[:8]]


def explanation_view(found: Explanation, whole: bool = False) -> RenderableType:
    """Tasks, the deepest path of the worst one (of all, when ``whole``), budgets and notes."""
    parts: list[RenderableType] = [
        Text.assemble((found.stack, "bold"), f" on {found.kernel}, submission "
                      f"{found.submission}: ", verdict(found.worst)),
        tasks_table(found.tasks), *why_lines(found.tasks)]
    for task in found.tasks if whole else (found.worst,):
        parts += [Text(f"\nDeepest path of {task.task} ({task.context})", "bold"),
                  path_table(task.path)]
    if found.budgets:
        listed = ", ".join(f"{name} {n:,}" for name, n in found.budgets.items())
        parts.append(Text(f"\nOn top, bounded by themselves (bytes): {listed}", "dim"))
    parts += [Text(f"Note: {note}", "dim") for note in found.notes]
    return Group(*parts)


def layers_table(rows: Sequence[LayerLimit]) -> Table:
    """How many further layers of a kind fit."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("kernel", "submission", "direction"):
        table.add_column(head, no_wrap=True)
    for head in ("layers that fit", "B per layer", "peak B", "limit B"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("decided by")
    for row in rows:
        count = ("any number" if row.layers is None else
                 "none: overflows already" if row.layers < 0 else f"{row.layers:,}")
        if not row.exact and row.layers is not None:
            count = "at most " + count
        table.add_row(row.kernel, row.submission, row.direction, count,
                      str(row.bytes_per_layer), peak_text(row.peak_bytes, row.exact),
                      f"{row.limit_bytes:,}", row.task)
    return table


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
                      row["overflow_outcome"], row["provenance"]["kernel"])
    return table
