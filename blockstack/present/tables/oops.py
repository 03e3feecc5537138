"""An explained stack trace in a terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from blockstack.base.units import format_bytes
from blockstack.present.style import short
from blockstack.results.oops import ExplainedRow, OopsExplanation, Remedy


def oops_view(found: OopsExplanation) -> RenderableType:
    """Rows with their layers, what each layer costs, which stacks it fits, what to leave out."""
    parts: list[RenderableType] = [_headline(found)]
    if found.rows:
        parts.append(_rows(found))
    if found.form != "frames":
        if any(c.bytes or c.static_bytes for c in found.layers):
            parts += [Text("\nWhat the layers cost", "bold"), _costs(found)]
        if found.sizes:
            parts += [Text("\nWhich stacks it fits", "bold"), _sizes(found)]
        if found.remedies and found.target_bytes is not None:
            parts += [
                Text(f"\nWhat would fit {found.target_bytes:,} bytes", "bold"),
                _remedies(found.remedies),
            ]
    parts += [Text(f"Note: {note}", "dim") for note in found.notes]
    return Group(*parts)


def _headline(found: OopsExplanation) -> Text:
    text = Text.assemble((found.title or f"oops at line {found.line}", "bold"))
    if found.form == "frames":
        return text.append(f": {found.of} frames, no path")
    overflowed = Text(": overflowed", "bold red") if found.overflowed else Text("")
    text.append(overflowed)
    if found.used_bytes is None:
        return text if found.overflowed else text.append(": cannot tell the depth", "yellow")
    at_least = "" if found.exact else "at least "
    text.append(f": {at_least}{found.used_bytes:,} bytes ({found.used_source})")
    if found.limit_bytes is not None:
        text.append(f" of {found.limit_bytes:,}")
        over = found.used_bytes - found.limit_bytes
        word = {True: "fits", None: "cannot tell", False: f"overflows by {over:,}"}[found.fits]
        if over > 0 or found.fits is not False:
            text.append(": ")
            text.append(word, {True: "green", None: "yellow", False: "bold red"}[found.fits])
    return text


def _rows(found: OopsExplanation) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    sized = any(r.bytes is not None for r in found.rows)
    deep = any(r.depth_bytes is not None for r in found.rows)
    figures = ("Depth", "Size") if deep else ("Size",) if sized else ()
    for head in figures:
        table.add_column(head, justify="right", no_wrap=True)
    static = [
        short(part, 22)
        for part in (
            f"in {found.kernel}".replace("-", "\n", 1).split("\n") if found.kernel else ["static"]
        )
    ]
    table.add_column("\n".join(static), justify="right", no_wrap=True)
    table.add_column("Location", overflow="fold")
    table.add_column("Layer", style="cyan", no_wrap=True)
    before: ExplainedRow | None = None
    for row in found.rows:
        cells = [_figure(row.depth_bytes)] if deep else []
        cells += [_figure(row.bytes)] if sized else []
        module = f" [{row.module}]" if row.module else ""
        again = before is not None and before.layer == row.layer
        table.add_row(
            *cells,
            "?" if row.static_bytes is None else _figure(row.static_bytes),
            Text(row.function + module),
            Text(row.layer, "dim" if again or row.layer == "unknown" else ""),
        )
        before = row
    return table


def _figure(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _costs(found: OopsExplanation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    reported = any(c.bytes is not None for c in found.layers)
    table.add_column("layer", no_wrap=True)
    for head in ("bytes",) if reported else ():
        table.add_column(head, justify="right")
    table.add_column("share", justify="right")
    table.add_column("static", justify="right")
    table.add_column("rows", justify="right")
    table.add_column("")
    whole = sum((c.bytes or 0) if reported else c.static_bytes for c in found.layers) or 1
    for c in found.layers:
        weight = (c.bytes or 0) if reported else c.static_bytes
        cells = [_figure(c.bytes)] if reported else []
        table.add_row(
            c.layer,
            *cells,
            f"{100 * weight / whole:.0f} %",
            _figure(c.static_bytes),
            str(c.rows),
            f"entered {c.visits} times" if c.visits > 1 else "",
        )
    return table


def _sizes(found: OopsExplanation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("thread size", "limit", "used", "headroom"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("", style="dim")
    words = {
        True: Text("fits", "green"),
        None: Text("cannot tell", "yellow"),
        False: Text("overflows", "bold red"),
    }
    for v in found.sizes:
        mark = " *" if v.thread_size_bytes == found.thread_size_bytes else ""
        table.add_row(
            format_bytes(v.thread_size_bytes) + mark,
            f"{v.limit_bytes:,}",
            f"{v.used_bytes:,}",
            f"{v.limit_bytes - v.used_bytes:,}",
            words[v.fits],
            v.note,
        )
    return table


def _remedies(remedies: Sequence[Remedy]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("left out", overflow="fold")
    table.add_column("saves", justify="right", no_wrap=True)
    table.add_column("left", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for r in remedies:
        names = [
            f"{name} (and what it called)" if how == "off" and "," not in name else name
            for name, how in zip(r.layers, r.how, strict=True)
        ]
        table.add_row(
            " + ".join(names),
            f"{r.saves_bytes:,}",
            f"{r.left_bytes:,}",
            Text("fits", "green") if r.fits else Text("still too deep", "red"),
        )
    return table
