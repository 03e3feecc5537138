"""Measured stacks beside their bounds: tables in a terminal."""

from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from blockstack.kernel.names import plain_name
from blockstack.present.style import short
from blockstack.results.validation import Comparison, Validation

#: from this width on, all figures and the contexts stand in one table
WIDE = 150
#: below, where paths part is told without the names of the stacks
_NARROW = 110
#: failing stacks that are named
_MOST_NAMED = 8
_Cell = Callable[[Comparison], Text]


def validation_view(found: Validation, width: int = WIDE) -> RenderableType:
    """One row per stack, the tightest first; where paths part; the refused ones."""
    rows = sorted(found.modelled, key=lambda r: r.ratio or 0)
    parts: list[RenderableType] = [_headline(found)]
    if rows and width >= WIDE:
        parts += [_wide_table(rows, _bounds() | _beside(found), width)]
    elif rows:
        rows = sorted(rows, key=_tightest_context(rows))
        parts += [
            _narrow_table(rows, _bounds(), grouped=True),
            Text(),
            _narrow_table(rows, _beside(found)),
            Text(),
        ]
    if rows:
        parts += [_parting(rows, width)]
    parts += [_refusals([r for r in found.rows if r.refused])]
    return Group(*parts)


def summary_view(files: Sequence[Validation]) -> RenderableType:
    """What to see last: per file, the path of what fails, then the summary."""
    parts: list[RenderableType] = []
    for found in files:
        parts += [Text(), _headline(found), *_failures(found), _summary(found)]
    return Group(*parts)


def _headline(found: Validation) -> Text:
    return Text.assemble(
        (found.measured_kernel, "bold"),
        f" measured, {found.kernel} predicted (bytes at the entry of a block-layer function)",
    )


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
    }


def _beside(found: Validation) -> dict[str, _Cell]:
    """The call chain's own sum; every function traced, and what may come on top of the bound."""

    def chain(row: Comparison) -> Text:
        return Text(
            ""
            if row.chain_bytes is None
            else ("≥ " * bool(row.chain.missing) + _number(row.chain_bytes))
        )

    def with_budget(n_bytes: int) -> _Cell:
        def cell(row: Comparison) -> Text:
            sum_bytes = (row.predicted_bytes or 0) + n_bytes
            short = row.all_bytes is not None and row.all_bytes > sum_bytes
            return Text(_number(sum_bytes), "yellow" if short else "")

        return cell

    return {"call\nchain": chain, "all": lambda r: Text(_number(r.all_bytes))} | {
        f"with\n{name}": with_budget(n) for name, n in found.budgets.items()
    }


def _wide_table(rows: Sequence[Comparison], columns: dict[str, _Cell], width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    left = width - sum(max(*map(len, head.split("\n")), 7) + 3 for head in columns)
    longest = max(len(r.name) for r in rows), max(len(_context(r)) for r in rows)
    contexts = min(longest[1], left // 3)
    names = max(8, min(longest[0], left - contexts - 6))
    table.add_column("stack", no_wrap=True)
    table.add_column("context", no_wrap=True)
    for head in columns:
        table.add_column(head, justify="right", no_wrap=True)
    for r in rows:
        table.add_row(
            Text(short(r.name, names), "" if r.holds else "bold red"),
            short(_context(r), contexts),
            *(cell(r) for cell in columns.values()),
        )
    return table


def _tightest_context(rows: Sequence[Comparison]) -> Callable[[Comparison], tuple[float, str]]:
    """Rows of one context together, that with the tightest row first."""
    tightest: dict[str, float] = {}
    for r in rows:
        tightest.setdefault(_context(r), r.ratio or 0)
    return lambda r: (tightest[_context(r)], _context(r))


def _narrow_table(
    rows: Sequence[Comparison], columns: dict[str, _Cell], *, grouped: bool = False
) -> Table:
    """Whole names, since those of a family differ at their ends; contexts as headings."""
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("stack", overflow="fold")
    for head in columns:
        table.add_column(head, justify="right", no_wrap=True)
    context = None
    for r in rows:
        if grouped and _context(r) != context:
            context = _context(r)
            table.add_row(Text(f"{context}:", "dim"))
        table.add_row(
            Text(r.name, "" if r.holds else "bold red"), *(cell(r) for cell in columns.values())
        )
    return table


def _context(row: Comparison) -> str:
    return row.context.removeprefix("syscall:").replace("kthread:", "task ") or "any context"


def _parting(rows: Sequence[Comparison], width: int) -> RenderableType:
    """Where the predicted path leaves the measured one; stacks that part alike share a row."""
    alike: dict[tuple[str, str], list[str]] = {}
    same: list[str] = []
    for row in rows:
        if row.parting is None:
            same.append(row.name)
        else:
            alike.setdefault(row.parting, []).append(row.name)
    text = Text(f"{len(same)} of {len(rows)} bounds lie on the measured call chain itself", "dim")
    if not alike:
        return text
    told = width >= _NARROW
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=not told)
    table.add_column("measured, where they part", no_wrap=True)
    table.add_column("predicted there", no_wrap=True)
    table.add_column("stacks", overflow="fold", style="dim", justify="left" if told else "right")
    for (measured, predicted), names in sorted(alike.items(), key=lambda item: -len(item[1])):
        more = f" and {len(names) - 2} more" if len(names) > 3 else ""
        listed = ", ".join(names[:2] if more else names) + more
        table.add_row(measured, predicted, listed if told else str(len(names)))
    if not told:
        table.caption = "--json, or a wider terminal: which stacks"
    return Group(text, table)


def _refusals(rows: Sequence[Comparison]) -> RenderableType:
    return Group(
        *(
            Text(
                f"  refused: {r.name} ({_context(r)}, measured {r.measured_bytes:,}): {r.refused}",
                "yellow",
            )
            for r in rows
        )
    )


def _failures(found: Validation) -> Iterator[RenderableType]:
    """Stacks that went deeper than their bound, and both paths of the one that did most."""
    fails = sorted((r for r in found.modelled if not r.holds), key=lambda r: r.ratio or 0)
    for r in fails[:_MOST_NAMED]:
        yield Text(
            f"fails: {r.name} ({_context(r)}): measured {r.measured_bytes:,}, the bound of "
            f"{r.task} is {_number(r.predicted_bytes)}",
            "bold red",
        )
    if len(fails) > _MOST_NAMED:
        yield Text(f"fails: {len(fails) - _MOST_NAMED} more, red above", "bold red")
    if fails and fails[0].chain.frames:
        yield _both_paths(fails[0])


def _both_paths(row: Comparison) -> Table:
    """The measured call chain beside the predicted one, deepest first; equal rows share a line."""
    table = Table(
        box=None,
        header_style="dim",
        padding=(0, 1, 0, 0),
        title_justify="left",
        title=f"paths of {row.name}, deepest first",
    )
    table.add_column("measured", overflow="fold")
    table.add_column("B", justify="right", no_wrap=True)
    table.add_column("predicted", overflow="fold")
    table.add_column("B", justify="right", no_wrap=True)
    sides = [
        [(plain_name(f.function), f"{f.bytes:,}") for f in frames]
        for frames in (row.chain.frames, row.path)
    ]
    lines: list[tuple[str, ...]] = []
    measured, predicted = ([name for name, _ in side] for side in sides)
    alike = SequenceMatcher(None, measured, predicted, autojunk=False)
    for _, a, a_end, b, b_end in alike.get_opcodes():
        for i in range(max(a_end - a, b_end - b)):
            one = sides[0][a + i] if a + i < a_end else ("", "")
            two = sides[1][b + i] if b + i < b_end else ("", "")
            lines.append((*one, *two))
    for line in reversed(lines):
        table.add_row(*line, style="" if line[0] == line[2] else "yellow")
    return table


def _summary(found: Validation) -> Text:
    s = found.summary()
    if not s["modelled"]:
        return Text(f"{s['stacks']} stacks, none modelled", "bold red")
    text = Text(
        f"{s['stacks']} stacks: {s['modelled']} modelled, {s['refused']} refused; "
        f"{s['holds']} of {s['modelled']} bounds hold",
        "bold" if s["holds"] == s["modelled"] else "bold red",
    )
    text.append(
        "\npredicted over measured: "
        + "; ".join(
            f"{word}median {s[key + 'median_ratio']:.3f}, p90 {s[key + 'p90_ratio']:.3f}"
            for word, key in (
                ("", ""),
                ("without rare calls ", "typical_"),
                ("context not told ", "untold_"),
            )
        ),
        "not bold",
    )
    if s["traced"]:
        text.append(
            f"\ntold the call chain: {s['traced_complete']} of {s['traced']} with every "
            "function in the table",
            "not bold",
        )
    if s["traced_complete"]:
        text.append(
            f", their sums off by {100 * s['traced_complete_mean_error']:.2f} % in the "
            f"mean and {s['traced_complete_max_error_bytes']:,} bytes at most; of all by "
            f"{100 * s['traced_mean_error']:.2f} %",
            "not bold",
        )
    budgets = ", ".join(f"{name} {n:,}" for name, n in found.budgets.items())
    return text.append(f"\non top, bounded by themselves (bytes): {budgets}", "not bold")
