"""A sweep's points for people."""

import itertools
from typing import Any

from rich.table import Table
from rich.text import Text

from blockstack.base.units import format_bytes
from blockstack.present.tables.capacity import time_text
from blockstack.results.sweep import Sweep

_MOST_ROWS = 60
_VERDICTS = {True: ("fits", "green"), False: ("overflows", "red"), None: ("cannot tell", "yellow")}
#: what a person reads of a point, besides its axes; the file has all
_READ = {
    "fits": "verdict",
    "peak_bytes": "peak bytes",
    "headroom_bytes": "left",
    "iops": "IOPS",
    "p50_ns": "p50",
    "p99_ns": "p99",
    "bottleneck": "bottleneck",
    "cost": "cost",
    "usable_bytes": "usable",
    "error": "why not",
}


def points(found: Sweep) -> Table:
    """Points for people: few columns, units that they say."""
    failed = any(found.data["error"])
    more = [c.name for c in found.columns if c.name.startswith("most_") and c.kind == "int64"]
    names = [n for n in (*_READ, *more) if n in found.data and (n != "error" or failed)]
    table = Table(box=None, padding=(0, 1))
    for name in (*found.axes, *names):
        number = found.column(name).kind in ("int64", "float64")
        heading = _READ.get(name, name.replace("_", " ") if name in more else name)
        table.add_column(heading, justify="right" if number else "left")
    for row in itertools.islice(found.rows(), _MOST_ROWS):
        table.add_row(*(_word(name, row[name]) for name in (*found.axes, *names)))
    if len(found) > _MOST_ROWS:
        table.add_row(f"... {len(found) - _MOST_ROWS:,} more: -o points.parquet")
    return table


def _word(name: str, value: Any) -> Text:
    """A value as people say it."""
    if name == "fits":
        return Text(*_VERDICTS[value])
    if value is None:
        return Text("–", "dim")
    if name.endswith("_ns"):
        return Text(time_text(value))
    if name == "usable_bytes":
        return Text(format_bytes(value))
    return Text(f"{value:,.0f}" if isinstance(value, float) and value >= 100 else str(value))
