"""The table of a fleet: one row per host, as they come."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

#: columns that the whole table needs
_ONE_TABLE = 150
#: below, one line per host: neither its devices nor the peak (the headroom says as much)
_NARROW = 110
#: columns of fixed width: of what is in them, the longest that there is
_WIDTHS = {"devices": 7, "peak B": 8, "headroom B": 10, "verdict": 11}
_FIGURE = 8
#: the least for a task; the most for a host's name
_TASK, _HOST = 16, 32
_GAP = 2
_WORDS = {True: "fits", False: "overflows", None: "cannot tell"}
_STYLES = {True: "green", False: "bold red", None: "yellow"}
_SHOWN = 3  # hosts named beside a reason


def verdict_word(fits: bool | None) -> str:
    """``fits``, ``overflows`` or ``cannot tell``."""
    return _WORDS[fits]


class FleetTable:
    """One row per host: devices, kernel, deepest task, verdict; headroom on each kernel.

    Widths do not depend on the rows, so that each can be printed when it is there.

    Parameters
    ----------
    hosts : sequence of str
        What they are called.
    kernels : sequence of str
        Those with a headroom.
    width : int
        Below `_ONE_TABLE` columns the kernels have a table of their own, behind the rows.
    """

    def __init__(self, hosts: Sequence[str], kernels: Sequence[str], width: int) -> None:
        self.kernels, self.width = kernels, width
        self.narrow = width < _NARROW
        self.apart = width < _ONE_TABLE and len(kernels) > 1
        self.host = min(max([8, *map(len, hosts)]), _HOST, max(8, width // 4))
        self.kernel = max([6, *(len(_short(name)) for name in kernels)])
        self._rows: list[Mapping[str, Any]] = []

    def row(self, row: Mapping[str, Any]) -> Table:
        """The next row, as `check --json` has it; the first has the heads above it."""
        table = self._columns(header=not self._rows)
        cells = [] if self.apart else [_headroom(row, kernel) for kernel in self.kernels]
        table.add_row(Text(row["host"] or row["source"]), *self._verdict(row), *cells)
        self._rows.append(row)
        return table

    def rest(self) -> Iterator[Table | Text]:
        """What comes behind the rows: the kernels, where they stand apart, and a legend."""
        if self.apart and self._rows:
            table = _empty()
            _add(table, "headroom B on", self.host)
            self._add_kernels(table)
            for row in self._rows:
                cells = [_headroom(row, kernel) for kernel in self.kernels]
                table.add_row(Text(row["host"] or row["source"]), *cells)
            yield table
        if any(n is None for row in self._rows for n in row["headroom_bytes"].values()):
            yield Text("– that kernel lacks a kind", "dim")

    def _columns(self, *, header: bool) -> Table:
        names = ["kernel", "task", "headroom B", "verdict"]
        if not self.narrow:
            names = ["devices", "kernel", "task", "peak B", "headroom B", "verdict"]
        widths = {name: _WIDTHS.get(name, self.kernel) for name in names if name != "task"}
        gap = 1 if self.narrow else _GAP
        taken = self.host + sum(widths.values()) + gap * (len(names) + 1)
        if not self.apart:
            taken += len(self.kernels) * (_FIGURE + gap)
        table = _empty(header=header)
        table.padding = (0, gap, 0, 0)
        _add(table, "host", self.host)
        for name in names:
            if name == "task":
                _add(table, "deepest task", max(_TASK, self.width - taken))
            else:
                _add(table, name, widths[name])
        if not self.apart:
            self._add_kernels(table)
        return table

    def _add_kernels(self, table: Table) -> None:
        for kernel in self.kernels:
            name = _short(kernel).replace("-", "\n", 1)
            table.add_column(name, justify="right", width=_FIGURE, overflow="fold")

    def _verdict(self, row: Mapping[str, Any]) -> list[Text]:
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
        kernel = Text(_short(row["kernel"]))
        if self.narrow:
            return [kernel, Text(task), Text(headroom), word]
        devices = Text(f"{row['devices']:,}" if row["devices"] else "")
        return [devices, kernel, Text(task), Text(peak), Text(headroom), word]


def fleet_summary(tally: Mapping[str, Any], hosts: int) -> Iterator[Text]:
    """How many hosts have which verdict; why, most first.

    Parameters
    ----------
    tally : mapping
        ``verdicts`` and ``reasons`` as `check --json` has them.
    hosts : int
    """
    if hosts > 1:
        words = ", ".join(f"{n:,} {word}" for word, n in tally["verdicts"].items())
        yield Text(f"{hosts:,} hosts: {words}", "bold")
    for one in tally["reasons"]:
        named = ", ".join(one["hosts"][:_SHOWN])
        more = f" and {len(one['hosts']) - _SHOWN:,} more" if len(one["hosts"]) > _SHOWN else ""
        if hosts > 1:
            yield Text(f"{len(one['hosts']):,} of {hosts:,}: {one['reason']} ({named}{more})")


def _short(kernel: str) -> str:
    return kernel.removeprefix("linux-")


def _empty(*, header: bool = True) -> Table:
    return Table(box=None, header_style="bold", title_justify="left", show_header=header)


def _add(table: Table, name: str, width: int) -> None:
    right = name[-1] == "B" or name == "devices"
    table.add_column(name, justify="right" if right else "left", width=width, overflow="fold")


def _headroom(row: Mapping[str, Any], kernel: str) -> str:
    n = row["headroom_bytes"].get(kernel)
    return "–" if n is None else ("≤ " if kernel in row["at_most"] else "") + f"{n:,}"
