"""``report``: the design-review pack."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from blockstack.base.errors import BlockstackError
from blockstack.cli.check import hosts_of
from blockstack.cli.common import (
    BAD_INPUT,
    STATUS,
    JsonOpt,
    KernelOpt,
    SkipOpt,
    ThreadOpt,
    app,
    bad_input,
    load_chosen,
    open_case,
    open_host,
    parse_count,
    show_notes,
)
from blockstack.hosts.draft import UNKNOWN
from blockstack.hosts.sniff import is_source
from blockstack.kernel import Kernel
from blockstack.present.review.figures import Subject
from blockstack.present.review.report import Host, Pack, Unread
from blockstack.present.review.report import report as write_report
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
        count = parse_count(bios)

        def subject(case: Config, chosen: Kernel) -> Subject:
            return Subject(
                case.stack,
                case.workload,
                chosen,
                count,
                kind,
                iodepth=iodepth,
                machine=case.machine,
                recorded=recorded,
            )

        if merge:
            case, found = open_host(names, kernel, skip or ())
            show_notes(found.notes, found.left_out)
            hosts: list[Host | Unread] = [
                Host(
                    subject(case, load_chosen(case, kernel, thread_size)),
                    case.stack.name,
                    case.description,
                    ", ".join(names),
                    found.notes,
                    found.left_out,
                )
            ]
        elif len(names) == 1:
            case, chosen = open_case(Path(names[0]), kernel, thread_size, skip or ())
            hosts = [
                Host(
                    subject(case, chosen),
                    case.name or case.stack.name,
                    case.description,
                    names[0],
                    case.assumed,
                )
            ]
        else:
            hosts = [_open(name, kernel, thread_size, skip or (), subject) for name in names]
        console = Console(stderr=True)
        with console.status("explain") as status:
            pack = write_report(hosts, output, progress=status.update)
    _show(pack, console, as_json)


def _open(
    source: str,
    kernel: str | None,
    thread_size: str | None,
    skip: Sequence[str],
    subject: Callable[[Config, Kernel], Subject],
) -> Host | Unread:
    """One host of several; what cannot be read says why."""
    try:
        if not is_source(source):
            case, chosen = open_case(Path(source), kernel, thread_size)
            return Host(
                subject(case, chosen),
                case.name or case.stack.name,
                case.description,
                source,
                case.assumed,
            )
        case, found = open_host([source], kernel, (*skip, UNKNOWN))
        return Host(
            subject(case, load_chosen(case, kernel, thread_size)),
            case.stack.name,
            case.description,
            source,
            found.notes,
            found.left_out,
        )
    except BlockstackError as error:
        return Unread(source, str(error))


def _show(pack: Pack, console: Console, as_json: bool) -> None:
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
            console.print(line, style="dim", highlight=False, markup=False)
        hosts = f" of {len(pack.sections)} hosts" if len(pack.sections) > 1 else ""
        console.print(f"wrote {pack.page}, {len(drawn)} figures{hosts}", highlight=False)
    raise typer.Exit(STATUS[pack.fits] if pack.sections else BAD_INPUT)
