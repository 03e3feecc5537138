"""``check``: one row per host of a fleet."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from blockstack.base.errors import BlockstackError, UnsupportedKind
from blockstack.base.harmless import for_csv
from blockstack.cli.application import app
from blockstack.cli.boundary import BAD_INPUT
from blockstack.cli.common import (
    STATUS,
    DriverOpt,
    FstypeOpt,
    JsonOpt,
    SkipOpt,
    bad_input,
    open_host,
)
from blockstack.cli.terminal import errors, printer
from blockstack.engine.depth.explain import explain
from blockstack.hosts.draft import UNKNOWN
from blockstack.hosts.narrow import Narrowed
from blockstack.hosts.sniff import is_source
from blockstack.kernel import PROFILES, Kernel, load_kernel
from blockstack.kernel.choose import Build, candidates
from blockstack.present.tables.fleet import fleet_tables, verdict_word
from blockstack.results.result import Explanation, TaskDepth
from blockstack.scenario.chosen import load_chosen, taken_for_granted
from blockstack.scenario.config import Config, load_config
from blockstack.stack import Stack

Load = Callable[[str], Kernel]
#: columns of --csv, before and behind the headroom on each kernel
_FIRST = (
    "source",
    "host",
    "devices",
    "kernel",
    "verdict",
    "task",
    "peak_bytes",
    "limit_bytes",
    "headroom_bytes",
    "exact",
)
_LAST = ("at_most", "left_out", "why", "kernel_assumed")


@dataclass
class HostRow:
    """One host: its deepest path on its own kernel, and the headroom on each kernel.

    ``kernel``: the one of those judged on that leaves least; ``kernel_assumed``: what it takes to
    let it stand for the host's. ``headroom`` None: that kernel cannot run the stack. On a kernel
    in ``at_most`` a frame of the deepest path is not known: its headroom is an upper bound.
    ``fits`` None: cannot tell, see ``why``.
    """

    source: str
    host: str = ""
    devices: int = 0
    kernel: str = ""
    kernel_assumed: str = ""
    fits: bool | None = None
    deepest: TaskDepth | None = None
    headroom: dict[str, int | None] = field(default_factory=dict)
    at_most: list[str] = field(default_factory=list)
    why: str = ""
    assumed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    failed: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        deepest = self.deepest
        return {
            "source": self.source,
            "host": self.host,
            "devices": self.devices,
            "kernel": self.kernel,
            "kernel_assumed": self.kernel_assumed,
            "fits": self.fits,
            "why": self.why,
            "deepest": None
            if deepest is None
            else {
                "task": deepest.task,
                "context": deepest.context,
                "peak_bytes": deepest.peak_bytes,
                "limit_bytes": deepest.limit_bytes,
                "headroom_bytes": deepest.headroom_bytes,
                "exact": deepest.exact,
            },
            "headroom_bytes": self.headroom,
            "at_most": list(self.at_most),
            "read": not self.failed,
            "assumed": list(self.assumed),
            "left_out": list(self.left_out),
        }


def hosts_of(patterns: Sequence[str]) -> list[str]:
    """The sources, patterns that the shell did not expand expanded, each once."""
    found: dict[str, None] = {}
    for pattern in patterns:
        base = Path("/" if pattern.startswith("/") else ".")
        names = (
            []
            if not re.search(r"[*?\[]", pattern) or _exists(pattern)
            else sorted(str(path) for path in base.glob(pattern.lstrip("/")))
        )
        found |= dict.fromkeys(names or [pattern])
    return list(found)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def check_host(
    source: str,
    kernels: Sequence[str],
    skip: Sequence[str],
    load: Load,
    narrowed: Narrowed | None = None,
) -> HostRow:
    """One row; a source that cannot be read says why, and stops nothing."""
    row = HostRow(source)
    try:
        case = _open(row, source, skip, kernels, narrowed)
        stack = case.stack
        row.host, row.devices = stack.name, len(stack.devices)
        judged = _judged(case, kernels, load)
        row.assumed = tuple(
            dict.fromkeys(text for kernel in judged for text in taken_for_granted(case, kernel))
        )
        any_of = not kernels and len(judged) > 1
        verdicts = [_on_kernel(row, stack, kernel, lacking=any_of) for kernel in judged]
        if not kernels:
            for name in PROFILES:
                if name not in row.headroom:
                    _headroom(row, stack, load(name))
        if any_of:
            _over(row, {k.name: one for k, one in zip(judged, verdicts, strict=True)})
        else:
            row.fits = False if False in verdicts else None if None in verdicts else True
    except BlockstackError as error:
        row.why, row.failed, row.fits = str(error), True, None
    return row


def _judged(case: Config, kernels: Sequence[str], load: Load) -> list[Kernel]:
    """The kernels asked for; else the host's own or its stand-in; else all that it may run."""
    if not kernels and case.host_kernel and not case.kernel_given:
        host = Build.parse(case.host_kernel)
        if not host.version:
            return [load(name) for name in candidates(host)]
    given: list[str | None] = [*kernels] or [None]
    return [load_chosen(case, name, None, load) for name in given]


def _over(row: HostRow, verdicts: Mapping[str, bool | None]) -> None:
    """A verdict over all kernels that a host may run: of all alike, or those that divide it."""
    answers = set(verdicts.values())
    names = ", ".join(verdicts)
    row.kernel_assumed = f"no source tells the host's kernel; judged on each of {names}"
    row.assumed = (*row.assumed, row.kernel_assumed)
    row.fits = next(iter(answers)) if len(answers) == 1 else None
    if False in answers and len(answers) > 1:
        over = ", ".join(name for name, fits in verdicts.items() if fits is False)
        row.why = "; ".join(filter(None, (f"overflows on {over}, not on every kernel", row.why)))


def _open(
    row: HostRow,
    source: str,
    skip: Sequence[str],
    kernels: Sequence[str],
    narrowed: Narrowed | None,
) -> Config:
    row.kernel = " ".join(kernels)  # until it is judged
    if not is_source(source):
        return load_config(source)
    case, found = open_host([source], kernels[0] if kernels else None, (*skip, UNKNOWN), narrowed)
    row.left_out = found.left_out
    return case


def _on_kernel(row: HostRow, stack: Stack, kernel: Kernel, *, lacking: bool) -> bool | None:
    """The verdict on one kernel; None if it may lack a kind and does."""
    try:
        found = explain(stack, kernel=kernel)
    except UnsupportedKind as error:
        if not lacking:
            raise
        row.headroom[kernel.name], row.why = None, str(error)
        return None
    _note(row, kernel, found)
    if row.deepest is None or found.worst.headroom_bytes < row.deepest.headroom_bytes:
        row.deepest, row.kernel, row.kernel_assumed = found.worst, kernel.name, kernel.assumed
        row.why = _why(found)
    return found.fits


def _why(found: Explanation) -> str:
    """Why the verdict is not "fits": of the deepest task, if it is that one's."""
    tasks = sorted(found.tasks, key=lambda t: t.headroom_bytes)
    return next((t.why for t in tasks if t.fits is not True), "")


def _note(row: HostRow, kernel: Kernel, found: Explanation) -> None:
    row.headroom[kernel.name] = found.worst.headroom_bytes
    if not found.worst.exact:
        row.at_most.append(kernel.name)


def _headroom(row: HostRow, stack: Stack, kernel: Kernel) -> None:
    try:
        _note(row, kernel, explain(stack, kernel=kernel))
    except UnsupportedKind:
        row.headroom[kernel.name] = None


@app.command(epilog="Example: `blockstack check 'captures/*.tar.gz' --csv > fleet.csv`")
def check(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="One host each: configs, captures, sosreports, folders; "
            "patterns in quotes are expanded.",
        ),
    ],
    kernel: Annotated[
        list[str] | None,
        typer.Option(
            "--kernel",
            help="Judge on these; default: on each host's own (or what stands for "
            "it), with the headroom on every shipped kernel.",
        ),
    ] = None,
    skip: SkipOpt = None,
    driver: DriverOpt = None,
    fstype: FstypeOpt = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    as_json: JsonOpt = False,
) -> None:
    """Will any host of a fleet overflow? One row per host; exit status 1 if one does.

    Devices whose kind the registry lacks are left out and named; such a host cannot "fit", nor
    one of which --skip leaves something out.
    """
    with bad_input(as_json):
        load = cache(load_kernel)  # a kernel's rows are remembered from host to host
        names = list(kernel or ())
        for name in names:
            load(name)
        narrowed = Narrowed(driver or (), fstype or ())
        rows = list(_rows(hosts_of(sources), names, skip or (), load, narrowed))
    answers = [row.fits for row in rows]
    fits = False if False in answers else None if None in answers else True
    if as_json:
        print(json.dumps({"fits": fits, "hosts": [row.to_dict() for row in rows]}, indent=1))
    elif as_csv:
        print(_csv(rows), end="")
    else:
        _show(rows)
    raise typer.Exit(BAD_INPUT if rows and all(row.failed for row in rows) else STATUS[fits])


def _show(rows: Sequence[HostRow]) -> None:
    out = printer()
    for table in fleet_tables([row.to_dict() for row in rows], out.width):
        out.print(table)
    for row in rows:
        left = (
            [f"left out {len(row.left_out)} devices and mounts, see --json"]
            if (row.left_out)
            else []
        )
        for line in (*filter(None, [row.why]), *left):
            out.print(
                f"{row.host or row.source}: {line}", style="dim", markup=False, highlight=False
            )
    for note, count in Counter(a for row in rows for a in row.assumed).items():
        of = "assumed" if len(rows) == 1 else f"assumed on {count} of {len(rows)} hosts"
        out.print(f"{of}: {note}", style="dim", markup=False, highlight=False)


def _rows(
    sources: Sequence[str],
    kernels: Sequence[str],
    skip: Sequence[str],
    load: Load,
    narrowed: Narrowed,
) -> Iterator[HostRow]:
    console = errors()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        for source in bar.track(sources, description="hosts"):
            yield check_host(source, kernels, skip, load, narrowed)


def _csv(rows: Sequence[HostRow]) -> str:
    kernels = list(dict.fromkeys(name for row in rows for name in row.headroom))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_FIRST, *(f"headroom_bytes {k}" for k in kernels), *_LAST])
    for row in rows:
        d = row.deepest
        figures = (
            [d.task, d.peak_bytes, d.limit_bytes, d.headroom_bytes, d.exact] if d else ([""] * 5)
        )
        cells = [
            row.source,
            row.host,
            row.devices,
            row.kernel,
            "error" if row.failed else verdict_word(row.fits),
            *figures,
            *(row.headroom.get(k, "") for k in kernels),
            " ".join(row.at_most),
            len(row.left_out),
            row.why,
            row.kernel_assumed,
        ]
        writer.writerow([for_csv(cell) for cell in cells])
    return out.getvalue()
