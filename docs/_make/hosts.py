"""The tables of docs/import.md: formats, facts, sources by rank."""

from collections.abc import Iterator
from dataclasses import fields
from itertools import groupby

from blockstack.base.errors import BlockstackError
from blockstack.hosts.formats import FORMATS
from blockstack.hosts.model.facts import SOURCES, Facts, QueueFacts

#: what is no text of one format
_SYSFS = (
    "`/sys`, live or dumped",
    "sizes, partitions' starts, what stands on what, md members by slot, bcache's roles, "
    "loop files, host drivers, queue limits",
    "which dm target a device has",
)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def formats() -> Iterator[str]:
    """What each format gives and lacks; those that are refused give nothing and have no row."""
    yield _row("source", "gives", "lacks")
    yield "|---|---|---|"
    yield _row(*_SYSFS)
    for form in FORMATS:
        if form.gives:
            yield _row(form.doc, form.gives, form.lacks)


def refused() -> Iterator[str]:
    """What is recognised and refused."""
    names = "; ".join(form.doc for form in FORMATS if not form.gives)
    yield f"Recognised and refused, as they do not say what stands on what: {names}."


def sources() -> Iterator[str]:
    """Sources by rank, those of one rank in one row."""
    yield _row("rank", "source")
    yield "|---|---|"
    for rank, some in groupby(SOURCES, key=lambda source: source.rank):
        yield _row(str(rank), "; ".join(source.doc for source in some))


def facts() -> Iterator[str]:
    """What can be known of a device."""
    yield _row("fact", "what it says")
    yield "|---|---|"
    for record in (Facts, QueueFacts):
        for one in fields(record):
            yield _row(f"`{one.name}`", one.metadata["doc"])


TABLES = {"formats": formats, "refused": refused, "sources": sources, "facts": facts}


def page(text: str) -> str:
    """The page with what stands between its marks made anew.

    Raises
    ------
    BlockstackError
        A mark is missing.
    """
    for name, lines in TABLES.items():
        mark = f"<!-- {name}: made by python -m docs._make.pages import -->\n"
        before, found, rest = text.partition(mark)
        _, end, after = rest.partition("<!-- end -->")
        if not found or not end:
            raise BlockstackError("has no marks for a table", path="docs/import.md", value=name)
        text = before + mark + "\n".join(lines()) + "\n" + end + after
    return text
