"""The table of a fleet: one row per host."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

_WORDS = {True: "fits", False: "overflows", None: "cannot tell"}
_STYLES = {True: "green", False: "bold red", None: "yellow"}


def verdict_word(fits: bool | None) -> str:
    """``fits``, ``overflows`` or ``cannot tell``."""
    return _WORDS[fits]


def fleet_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One row per host: devices, kernel, deepest task, headroom there and per kernel, verdict.

    Parameters
    ----------
    rows : sequence of mapping
        As `check --json` has them under ``hosts``.
    """
    kernels = list(dict.fromkeys(k for row in rows for k in row["headroom_bytes"]))
    table = Table(box=None, header_style="bold", title_justify="left")
    for name in ("host", "devices", "kernel", "deepest task", "peak B", "headroom B", "verdict"):
        table.add_column(name, justify="right" if name[-1] == "B" or name == "devices" else "left",
                         overflow="fold")
    for kernel in kernels:
        table.add_column(kernel.removeprefix("linux-").replace("-", "\n", 1), justify="right",
                         no_wrap=True)
    for row in rows:
        deepest = row["deepest"]
        least = "" if deepest is None or deepest["exact"] else "≥ "
        figures = ("", "", "") if deepest is None else (
            deepest["task"], f"{least}{deepest['peak_bytes']:,}",
            f"{deepest['headroom_bytes']:,}")
        table.add_row(
            Text(row["host"] or row["source"]), f"{row['devices']:,}" if row["devices"] else "",
            row["kernel"].removeprefix("linux-"), *(Text(f) for f in figures),
            Text(_WORDS[row["fits"]], _STYLES[row["fits"]]),
            *(f"{n:,}" if (n := row["headroom_bytes"].get(k)) is not None else "–"
              for k in kernels))
    return table
