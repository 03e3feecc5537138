"""What a kernel's types say of the pointer calls that kinds claim: a table in a terminal."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from blockstack.kernel.claims import MISSING, UNRESOLVED, VERDICTS, Checked, Judged

_TOLD = {
    "found": "the types find it",
    "direct": "a direct call in this build",
    "below": "made one call further down",
    "missing": "the binary contradicts it",
    "unresolved": "a pointer call, or where the callee's address goes, is not known",
    "elsewhere": "the caller has no pointer call in this build",
    "absent": "this build lacks the caller or the callee",
}


def claims_view(found: Checked, limit: int) -> Iterator[Text | Table]:
    """Counts per verdict, then what is missing, unresolved, and not claimed."""
    yield Text.assemble((found.kernel, "bold"), f"; {found.note}" if found.note else "")
    counts = Table("claims", "", "", box=None, header_style="bold", pad_edge=False)
    counts.columns[0].justify = "right"
    for verdict in VERDICTS:
        counts.add_row(f"{len(found.of(verdict)):,}", verdict, Text(_TOLD[verdict], "dim"))
    yield counts
    for verdict, style in ((MISSING, "red"), (UNRESOLVED, "yellow")):
        rows = found.of(verdict)
        if rows:
            yield Text()
            yield _rows(verdict, rows[:limit], style)
            if len(rows) > limit:
                yield Text(f"and {len(rows) - limit} more: --limit", "dim")
    more = sum(map(len, found.more.values()))
    yield Text()
    yield Text(
        f"{found.recall:.1%} of the pointer calls that kinds claim here are found by types alone; "
        f"{more:,} calls of {len(found.more):,} claimed callers lead to a submit, too, and no kind "
        "names them (--json)"
    )


def _rows(verdict: str, rows: list[Judged], style: str) -> Table:
    table = Table(
        verdict, "kinds", "what it calls", box=None, header_style=f"bold {style}", pad_edge=False
    )
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        kinds = ", ".join(row.kinds[:3]) + (" …" if len(row.kinds) > 3 else "")
        members = ", ".join(row.members[:4]) + (" …" if len(row.members) > 4 else "")
        table.add_row(f"{row.pair.caller} → {row.pair.callee}", Text(kinds, "dim"), members)
    return table
