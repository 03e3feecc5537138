"""Results as tables in a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from blockstack.base.units import format_count
from blockstack.engine.plan.arrays import RULE_NAMES
from blockstack.engine.study.nesting import LayersThatFit
from blockstack.results.result import Explanation, Frame, Result, TaskDepth


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
            "peak B": peak_text(r.peak_bytes, r.exact),
            "limit B": f"{r.limit_bytes:,}",
            "headroom B": f"{r.headroom_bytes:,}",
            "verdict": verdict(r),
            "nesting": str(r.peak_nesting),
            "pending": str(r.peak_pending),
            "bios": format_count(r.bios).strip(),
            "hops": format_count(r.hops).strip(),
            "splits": format_count(r.splits).strip(),
            "bios/s": format_count(r.bios_per_second).strip(),
            "hops/s": format_count(r.hops_per_second).strip(),
        }
        mark = " *" if r.submission == own_rule else ""
        table.add_row(
            Text(r.submission + mark, "bold" if mark else ""), *(cells[head] for head in heads)
        )
    return table


#: rows of a table of tasks
_MOST = 24


def tasks_table(tasks: Sequence[TaskDepth], width: int = WIDE, most: int = _MOST) -> Table:
    """One row per task: peak, limit, verdict and how it was found; the worst first."""
    wide = width >= 100
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=not wide)
    table.add_column("task", overflow="fold")
    table.add_column("stack of", no_wrap=True)
    for head in ("peak B", "limit B", "headroom B") if wide else ("peak B", "headroom B"):
        table.add_column(head, justify="right", no_wrap=True)
    more = _more_heads(tasks) if width >= WIDE else ()
    for head in more:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    if wide:
        table.add_column("found by", no_wrap=True)
    rows = sorted(tasks, key=lambda t: t.headroom_bytes)
    for task in rows[:most]:
        peak, headroom = peak_text(task.peak_bytes, task.exact), f"{task.headroom_bytes:,}"
        if wide:
            table.add_row(
                task.task,
                task.context,
                peak,
                f"{task.limit_bytes:,}",
                headroom,
                *_more_cells(task, more),
                verdict(task),
                task.how,
            )
        else:
            table.add_row(task.task, task.context, peak, headroom, verdict(task))
    if len(rows) > most:
        table.add_row(f"and {len(rows) - most} more with more headroom")
    return table


def tasks_tables(tasks: Sequence[TaskDepth], width: int = WIDE) -> list[Table]:
    """`tasks_table`; on a narrow terminal how deep they were in their time is a second one."""
    heads = _more_heads(tasks)
    if width >= WIDE or not heads:
        return [tasks_table(tasks, width)]
    more = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=width < 100)
    more.add_column("task, in its time", overflow="fold")
    for head in heads:
        more.add_column(head, justify="right", no_wrap=True)
    for task in sorted(tasks, key=lambda t: t.headroom_bytes)[:_MOST]:
        more.add_row(task.task, *_more_cells(task, heads))
    return [tasks_table(tasks, width), more]


#: columns of kernels that were built otherwise in their time
_OTHER_BUILD, _PUBLISHED = "other\nbuild B", "as published\ndumps B"


def _more_heads(tasks: Sequence[TaskDepth]) -> tuple[str, ...]:
    """What else is known of how deep these tasks were in their time."""
    told = {
        _OTHER_BUILD: any(task.other_build_bytes for task in tasks),
        _PUBLISHED: any(task.published_bytes for task in tasks),
    }
    return tuple(head for head, there in told.items() if there)


def _more_cells(task: TaskDepth, heads: Sequence[str]) -> list[str]:
    """The same build's flags of its time; the range that published dumps give, with a verdict."""
    cells = {
        _OTHER_BUILD: f"{task.other_build_bytes:,}" if task.other_build_bytes else "",
        _PUBLISHED: published(task),
    }
    return [cells[head] for head in heads]


def published(task: TaskDepth) -> str:
    """``5,444-5,863 over``: a task's depth if it were as deep as published dumps of the time."""
    if not task.published_bytes:
        return ""
    word = {True: "fits", False: "over", None: "may not fit"}[task.published_fits]
    return "-".join(f"{n:,}" for n in task.published_bytes) + f" {word}"


def in_its_time(task: TaskDepth) -> str:
    """The same as a sentence; empty where neither is known."""
    said = []
    if task.other_build_bytes:
        said.append(f"with the flags of its time {task.other_build_bytes:,} bytes")
    if task.published_bytes:
        word = {True: "would fit", False: "would overflow", None: "may overflow"}
        depths = " to ".join(f"{n:,}" for n in task.published_bytes)
        said.append(
            f"as deep as published stack dumps {depths} bytes, which {word[task.published_fits]}"
        )
    return f"{task.task}: {'; '.join(said)}" if said else ""


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


_NAMED = 4  # tasks beside a reason


def reasons(tasks: Sequence[TaskDepth], all_tasks: int) -> list[str]:
    """What the verdicts of some of ``all_tasks`` rest on: each reason once, with its tasks."""
    tasks_of: dict[str, list[str]] = {}
    for task in tasks:
        for why in task.reasons:
            tasks_of.setdefault(why, []).append(task.task)
    lines = []
    for why, names in sorted(tasks_of.items(), key=lambda item: -len(item[1])):
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED + 1 else ""
        which = (
            "every task"
            if len(names) == all_tasks > 1
            else (", ".join(names[:_NAMED] if more else names) + more)
        )
        lines.append(f"{which}: {why}")
    return lines


def why_lines(tasks: Sequence[TaskDepth]) -> list[RenderableType]:
    """`reasons` below a table of the tasks."""
    return [Padding(Text(line, "yellow"), (0, 0, 0, 2)) for line in reasons(tasks, len(tasks))]


def explanation_view(found: Explanation, whole: bool = False, width: int = WIDE) -> RenderableType:
    """Tasks, the deepest path of the worst one (of all, when ``whole``), budgets and notes."""
    parts: list[RenderableType] = [
        Text.assemble(
            (found.stack, "bold"),
            f" on {found.kernel}, submission {found.submission}{_what_if(found.provenance)}: ",
            verdict(found),
        ),
        *tasks_tables(found.tasks, width),
        *why_lines(found.tasks),
        *(Text(line, "dim") for line in [in_its_time(found.worst)] if line),
    ]
    for task in found.tasks if whole else (found.worst,):
        parts += [
            Text(f"\nDeepest path of {task.task} ({task.context})", "bold"),
            path_table(task.path),
        ]
    if found.budgets:
        listed = ", ".join(f"{name} {n:,}" for name, n in found.budgets.items())
        parts.append(Text(f"\nOn top, bounded by themselves (bytes): {listed}", "dim"))
    parts += [Text(f"Note: {note}", "dim") for note in found.notes]
    return Group(*parts)


def _what_if(provenance: Mapping[str, Any]) -> str:
    """What was overridden, in brackets."""
    changed = provenance.get("overrides")
    return f" ({'; '.join(changed)})" if changed else ""


def layers_table(rows: Sequence[LayersThatFit], own: Mapping[str, str], width: int = WIDE) -> Table:
    """How many nested layers of a kind fit; rules of one kernel with the same answer share a row.

    Parameters
    ----------
    own : mapping of kernel to rule
        The rule that a kernel ships, marked ``*``.
    width : int
        Columns of the terminal; a narrow one leaves out which task decides.
    """
    told = width >= 96
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=not told)
    table.title = f"{rows[0].kind}: {rows[0].present_layers:,} nested in this stack" if rows else ""
    table.add_column("kernel", no_wrap=True)
    table.add_column("rule", no_wrap=True)
    for head in ("layers\nthat fit", "no\nreclaim", "B each", "peak B\n+ on top"):
        table.add_column(head, justify="right", no_wrap=True)
    if told:
        table.add_column("decided by", overflow="fold")
    merged: dict[LayersThatFit, list[str]] = {}
    for row in sorted(rows, key=lambda r: r.direction, reverse=True):
        merged.setdefault(replace(row, submission=""), []).append(row.submission)
    for kernel in dict.fromkeys(row.kernel for row in rows):
        mine = [(row, rules) for row, rules in merged.items() if row.kernel == kernel]
        table.add_row(Text(kernel, "bold"), *[""] * 4, f"of {mine[0][0].limit_bytes:,}")
        for i, (row, rules) in enumerate(mine):
            cells = [
                f"  {row.direction}",
                _rules_text(rules, own.get(kernel)),
                _count_text(row, row.layers),
                _count_text(row, row.may_fit),
                f"{row.bytes_per_layer:,}",
                _peak_of(row),
            ]
            table.add_row(*cells, *([row.task] if told else []), end_section=i + 1 == len(mine))
    return table


def _rules_text(rules: Sequence[str], own: str | None) -> str:
    """Several rules in a word, where there is one; the kernel's own is marked."""
    if len(rules) > 1 and "recursive" not in rules and len(rules) == len(RULE_NAMES) - 1:
        return "serialised *" if own in rules else "serialised"
    if len(rules) == len(RULE_NAMES):
        return "any"
    return ", ".join(rule + " *" * (rule == own) for rule in rules)


def _peak_of(row: LayersThatFit) -> str:
    if not row.peak_bytes:  # the leaf completes inside the submit call
        return "-"
    on_top = f" + {row.on_top_bytes:,}" if row.on_top_bytes else ""
    return peak_text(row.peak_bytes, row.exact) + on_top


def _count_text(row: LayersThatFit, layers: int | None) -> str:
    if layers is None:
        return "any" if row.peak_bytes else "as submitted"
    count = "none" if layers < 0 else f"{layers:,}"
    return count if row.exact or layers < 0 else f"≤ {count}"


def kernels_table(rows: Sequence[Mapping[str, Any]], threads: int, width: int = WIDE) -> Table:
    """The shipped kernels, one row each; a narrow terminal leaves out whose frames they have."""
    told = width >= WIDE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("kernel", no_wrap=True)
    table.add_column("rule", no_wrap=True)
    for head in ("thread B", "usable B", f"{threads:,}\nthreads"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("irq\nstacks", no_wrap=True)
    for head in ("an overflow", "frames") if told else ():
        table.add_column(head)
    for row in rows:
        more = (row["overflow_outcome"], row["provenance"]["kernel"].split(" (")[0])
        table.add_row(
            row["name"],
            row["submission"],
            f"{row['thread_size_bytes']:,}",
            f"{row['limit_bytes']:,}",
            f"{row['memory_bytes'] / 2**20:,.1f} MiB",
            row["irq_stacks"],
            *(more if told else ()),
        )
    if not told:
        table.caption = "--json, or a wider terminal: what an overflow does, and whose frames"
    return table
