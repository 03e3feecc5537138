"""The table of a fleet: one row per host."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

#: columns that the whole table needs
_ONE_TABLE = 150
#: below, one line per host: neither its devices nor the peak (the headroom says as much)
_NARROW = 110
#: of a narrow table: what the columns beside host and task take; the least for a task
_OTHERS, _TASK = 43, 16
_WORDS = {True: "fits", False: "overflows", None: "cannot tell"}
_STYLES = {True: "green", False: "bold red", None: "yellow"}


def verdict_word(fits: bool | None) -> str:
    """``fits``, ``overflows`` or ``cannot tell``."""
    return _WORDS[fits]


def fleet_tables(rows: Sequence[Mapping[str, Any]], width: int) -> list[Table]:
    """One row per host: devices, kernel, deepest task, verdict; headroom on each kernel.

    Parameters
    ----------
    rows : sequence of mapping
        As `check --json` has them under ``hosts``.
    width : int
        Below `_ONE_TABLE` columns the kernels have a table of their own.
    """
    kernels = list(dict.fromkeys(k for row in rows for k in row["headroom_bytes"]))
    narrow = width < _NARROW
    verdicts = _empty(
        "host",
        *(() if narrow else ("devices",)),
        "kernel",
        "deepest task",
        *(() if narrow else ("peak B",)),
        "headroom B",
        "verdict",
    )
    if narrow:
        verdicts.padding = (0, 1, 0, 0)
        for column in verdicts.columns:
            column.no_wrap = column.header in ("kernel", "headroom B", "verdict")
        longest = max((len(row["host"] or row["source"]) for row in rows), default=0)
        verdicts.columns[0].max_width = max(8, min(longest, width - _OTHERS - _TASK))
    apart = width < _ONE_TABLE and len(kernels) > 1
    headrooms = _empty("headroom B on") if apart else verdicts
    for kernel in kernels:
        headrooms.add_column(
            kernel.removeprefix("linux-").replace("-", "\n", 1), justify="right", no_wrap=True
        )
    for row in rows:
        cells = [_headroom(row, kernel) for kernel in kernels]
        name = Text(row["host"] or row["source"])
        verdicts.add_row(name, *_verdict(row, narrow), *(() if apart else cells))
        if apart:
            headrooms.add_row(name, *cells)
    if kernels and any(n is None for row in rows for n in row["headroom_bytes"].values()):
        headrooms.caption, headrooms.caption_justify = "– that kernel lacks a kind", "left"
    return [verdicts, headrooms] if apart else [verdicts]


def _empty(*names: str) -> Table:
    table = Table(box=None, header_style="bold", title_justify="left")
    for name in names:
        right = name[-1] == "B" or name == "devices"
        table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table


def _verdict(row: Mapping[str, Any], narrow: bool) -> list[Text]:
    deepest = row["deepest"]
    task, peak, headroom = (
        ("", "", "")
        if deepest is None
        else (
            deepest["task"],
            ("" if deepest["exact"] else "≥ ") + f"{deepest['peak_bytes']:,}",
            ("" if deepest["exact"] else "≤ ") + f"{deepest['headroom_bytes']:,}",
        )
    )
    word = Text(_WORDS[row["fits"]], _STYLES[row["fits"]]) if row["read"] else Text("not read")
    kernel = Text(row["kernel"].removeprefix("linux-"))
    if narrow:
        return [kernel, Text(task), Text(headroom), word]
    return [
        Text(f"{row['devices']:,}" if row["devices"] else ""),
        kernel,
        Text(task),
        Text(peak),
        Text(headroom),
        word,
    ]


def _headroom(row: Mapping[str, Any], kernel: str) -> str:
    n = row["headroom_bytes"].get(kernel)
    return "–" if n is None else ("≤ " if kernel in row["at_most"] else "") + f"{n:,}"
