"""``check``: one row per host of a fleet, as they come."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.text import Text

from blockstack.base.errors import ConfigError
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
from blockstack.cli.fleet import Fleet, HostRow, Tally, hosts_of
from blockstack.cli.terminal import errors, printer, say
from blockstack.hosts.narrow import Narrowed
from blockstack.kernel import PROFILES
from blockstack.present.tables.fleet import FleetTable, fleet_summary, verdict_word
from blockstack.results.result import TaskDepth

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
_LAST = (
    "at_most",
    "left_out",
    "why",
    "kernel_assumed",
    "other_build_bytes",
    "published_bytes",
    "published_fits",
)


@app.command(epilog="Example: `blockstack check 'captures/*.tar.gz' --csv > fleet.csv`")
def check(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="One host each: configs, captures, sosreports, folders; "
            "patterns in quotes are expanded; - is standard input.",
        ),
    ] = None,
    kernel: Annotated[
        list[str] | None,
        typer.Option(
            "--kernel",
            help="Judge on these; default: on each host's own (or what stands for "
            "it), with the headroom on every shipped kernel.",
        ),
    ] = None,
    this_host: Annotated[
        bool,
        typer.Option("--this-host", help="This machine, as `host` reads it, too."),
    ] = False,
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
    with bad_input(as_json), ExitStack() as until:
        hosts, tally = hosts_of(sources or ()), Tally()
        fleet = Fleet(kernel or (), skip or (), Narrowed(driver or (), fstype or ()))
        kernels = list(kernel or PROFILES)
        if this_host:
            hosts.insert(0, until.enter_context(_this_machine(fleet)))
        elif not hosts:
            raise ConfigError("say what to check", path="check", hint="SOURCE..., or --this-host")
        rows = _counted(_rows(fleet, hosts), tally)
        if as_json:
            _print_json(rows, tally)
        elif as_csv:
            _print_csv(rows, kernels)
        else:
            _print_table(rows, tally, hosts, kernels)
    raise typer.Exit(BAD_INPUT if hosts and not tally.read else STATUS[tally.fits])


@contextmanager
def _this_machine(fleet: Fleet) -> Iterator[str]:
    """This machine as a source, with its own kernel's frames where no kernel is named."""
    from blockstack.cli.this_host import gathered, own_frames

    with gathered(Path("/")) as archive:
        if not fleet.kernels:
            own, why_not = own_frames(Path("/"), open_host([archive])[0])
            if own is not None:
                fleet.own[str(archive)] = own
            elif why_not:
                say(why_not, "dim")
        yield str(archive)


def _rows(fleet: Fleet, hosts: Sequence[str]) -> Iterator[HostRow]:
    """The rows; a bar where they are not seen themselves."""
    console = errors()
    seen = sys.stdout is not None and sys.stdout.isatty()
    shown = console.is_terminal and not seen
    with Progress(console=console, transient=True, disable=not shown) as bar:
        for source in bar.track(hosts, description="hosts"):
            yield fleet.check(source)


def _counted(rows: Iterator[HostRow], tally: Tally) -> Iterator[HostRow]:
    for row in rows:
        tally.add(row)
        yield row


def _print_json(rows: Iterator[HostRow], tally: Tally) -> None:
    """One document, a line for each host: what is there of it can be read when it is cut off."""
    print('{"hosts": [', flush=True)
    before = ""
    for row in rows:
        print(before + json.dumps(row.to_dict()), end="", flush=True)
        before = ",\n"
    rest = {"fits": tally.fits, **tally.to_dict()}
    print("\n], " + json.dumps(rest)[1:], flush=True)


def _print_table(
    rows: Iterator[HostRow], tally: Tally, hosts: Sequence[str], kernels: Sequence[str]
) -> None:
    out = printer()
    table = FleetTable([Path(host).name.partition(".")[0] for host in hosts], kernels, out.width)
    try:
        for row in rows:
            out.print(table.row(row.to_dict()))
            for line in _lines_about(row, alone=len(hosts) == 1):
                out.print(Text(f"  {line}", "dim"))
            out.file.flush()
    finally:  # a run that is stopped says what it has
        for part in table.rest():
            out.print(part)
        for text in fleet_summary(tally.to_dict(), tally.hosts):
            out.print(text)
        for note, count in tally.assumed.items():
            of = "assumed" if len(hosts) == 1 else f"assumed on {count} of {tally.hosts} hosts"
            out.print(Text(f"{of}: {note}", "dim"))


def _lines_about(row: HostRow, *, alone: bool) -> Iterator[str]:
    """Why a verdict is none, where that is not said of many hosts at once."""
    if row.why and (alone or row.failed or row.fits is False):
        yield row.why
    if row.left_out and alone:
        yield f"left out {len(row.left_out)} devices and mounts, see --json"


def _print_csv(rows: Iterator[HostRow], kernels: Sequence[str]) -> None:
    print(_line([*_FIRST, *(f"headroom_bytes {k}" for k in kernels), *_LAST]), end="")
    for row in rows:
        print(_line(_cells(row, kernels)), end="", flush=True)


def _line(cells: Sequence[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([for_csv(cell) for cell in cells])
    return out.getvalue()


def _cells(row: HostRow, kernels: Sequence[str]) -> list[object]:
    d = row.deepest
    figures = [d.task, d.peak_bytes, d.limit_bytes, d.headroom_bytes, d.exact] if d else ([""] * 5)
    return [
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
        *_in_its_time(d),
    ]


def _in_its_time(deepest: TaskDepth | None) -> list[str]:
    """How deep it was in its time, as far as that is known (kernels of 2.6)."""
    if deepest is None or not deepest.published_bytes:
        return [""] * 3
    depths = " ".join(map(str, deepest.published_bytes))
    return [str(deepest.other_build_bytes or ""), depths, verdict_word(deepest.published_fits)]
