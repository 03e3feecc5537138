"""``report``: the design-review pack."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from blockstack.base.errors import BlockstackError
from blockstack.base.units import parse_count
from blockstack.cli.application import app
from blockstack.cli.boundary import BAD_INPUT
from blockstack.cli.common import (
    STATUS,
    JsonOpt,
    KernelOpt,
    SkipOpt,
    ThreadOpt,
    bad_input,
    open_case,
    open_host,
    show_notes,
)
from blockstack.cli.fleet import hosts_of
from blockstack.cli.terminal import errors, say
from blockstack.hosts.draft import UNKNOWN
from blockstack.hosts.sniff import is_source
from blockstack.kernel import Kernel
from blockstack.present.review.figures import Subject
from blockstack.present.review.page import Host, Pack, Unread, write_review
from blockstack.scenario.chosen import load_chosen, taken_for_granted
from blockstack.scenario.config import Config
from blockstack.validation.files import recorded


@app.command(
    epilog="Example: `blockstack report configs/dm-md-iscsi.toml -o review/`; "
    "a fleet: `blockstack report 'captures/*.tar.gz' -o review/`"
)
def report(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG|SOURCE...",
            help="One host each, as for `check`: configs, captures, "
            "sosreports, folders; patterns in quotes are expanded.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="A folder.")] = Path("review"),
    merge: Annotated[
        bool, typer.Option("--merge", help="All sources tell of one host, as for `import`.")
    ] = False,
    kernel: KernelOpt = None,
    thread_size: ThreadOpt = None,
    skip: SkipOpt = None,
    kind: Annotated[
        str, typer.Option("--kind", help="Whose number of layers grows.")
    ] = "dm-linear",
    bios: Annotated[str, typer.Option("--bios", help="Of each run.")] = "20k",
    iodepth: Annotated[int, typer.Option("--iodepth", min=1)] = 32,
    as_json: JsonOpt = False,
) -> None:
    """Write one self-contained page for reviewers, every figure, and the data behind them.

    Of several hosts each is a section under a summary; one that cannot be read says why and stops
    nothing, devices whose kind the registry lacks are left out and named.
    """
    names = hosts_of(sources)
    with bad_input(as_json, Path(names[0]) if len(names) == 1 else None):
        options = ReportOptions(
            kernel, thread_size, tuple(skip or ()), kind, parse_count(bios), iodepth, merge
        )
        hosts = open_hosts(names, options)
        console = errors()
        with console.status("explain") as status:
            pack = write_review(hosts, output, progress=status.update)
    _show(pack, as_json)


@dataclass(frozen=True)
class ReportOptions:
    """The options of ``report`` that say what its figures are about."""

    kernel: str | None = None
    thread_size: str | None = None
    skip: tuple[str, ...] = ()
    kind: str = "dm-linear"
    bios: int = 20_000
    iodepth: int = 32
    merge: bool = False

    def subject(self, case: Config, kernel: Kernel) -> Subject:
        """A case as the subject of figures."""
        return Subject(
            case.stack,
            case.workload,
            kernel,
            self.bios,
            self.kind,
            iodepth=self.iodepth,
            machine=case.machine,
            recorded=recorded,
        )


def open_hosts(names: Sequence[str], options: ReportOptions) -> list[Host | Unread]:
    """The hosts of a report.

    Raises
    ------
    BlockstackError
        Of a single source, or of several that tell of one host; of several hosts the one that
        cannot be read says why.
    """
    if options.merge:
        return [_of_sources(names, options.skip, options, loud=True)]
    if len(names) == 1:
        case, chosen = open_case(Path(names[0]), options.kernel, options.thread_size, options.skip)
        return [_of_config(case, chosen, names[0], options)]
    return [_open(name, options) for name in names]


def _of_config(case: Config, kernel: Kernel, source: str, options: ReportOptions) -> Host:
    return Host(
        options.subject(case, kernel),
        case.name or case.stack.name,
        case.description,
        source,
        taken_for_granted(case, kernel),
    )


def _of_sources(
    sources: Sequence[str], skip: Sequence[str], options: ReportOptions, loud: bool = False
) -> Host:
    case, found = open_host(sources, options.kernel, skip)
    if loud:
        show_notes(found.notes, found.left_out)
    return Host(
        options.subject(case, load_chosen(case, options.kernel, options.thread_size)),
        case.stack.name,
        case.description,
        ", ".join(sources),
        found.notes,
        found.left_out,
    )


def _open(source: str, options: ReportOptions) -> Host | Unread:
    """One host of several; what cannot be read says why."""
    try:
        if is_source(source):
            return _of_sources([source], (*options.skip, UNKNOWN), options)
        case, chosen = open_case(Path(source), options.kernel, options.thread_size)
        return _of_config(case, chosen, source, options)
    except BlockstackError as error:
        return Unread(source, str(error))


def _show(pack: Pack, as_json: bool) -> None:
    left_out = [line for section in pack.sections for line in section.left_out]
    drawn = [name for section in pack.sections for name in section.figures]
    if as_json:
        print(
            json.dumps(
                {
                    "page": str(pack.page),
                    "figures": list(dict.fromkeys(drawn)),
                    "left_out": left_out,
                    "fits": pack.fits,
                    "hosts": [section.to_dict() for section in pack.sections],
                    "unread": [{"source": one.source, "why": one.why} for one in pack.unread],
                },
                indent=1,
            )
        )
    else:
        for line in (
            *(f"left out: {line}" for line in left_out),
            *(f"not read: {one.source}: {one.why}" for one in pack.unread),
        ):
            say(line, "dim")
        hosts = f" of {len(pack.sections)} hosts" if len(pack.sections) > 1 else ""
        say(f"wrote {pack.page}, {len(drawn)} figures{hosts}")
    raise typer.Exit(STATUS[pack.fits] if pack.sections else BAD_INPUT)
