"""``import`` and ``capture``: any real machine in."""

import json
from pathlib import Path
from typing import Annotated

import typer

from blockstack.base.errors import ConfigError
from blockstack.base.files import write_text
from blockstack.cli.application import app
from blockstack.cli.common import (
    DriverOpt,
    FstypeOpt,
    JsonOpt,
    KernelOpt,
    SkipOpt,
    bad_input,
    open_host,
    show_notes,
)
from blockstack.cli.run import finish_run
from blockstack.cli.terminal import say
from blockstack.engine.depth.simulate import simulate
from blockstack.hosts.build import Imported
from blockstack.hosts.capture import script
from blockstack.hosts.narrow import Narrowed
from blockstack.kernel import RULES
from blockstack.scenario.chosen import load_chosen
from blockstack.scenario.config import Config, config_to_dict, dump_config

SourcesArg = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="/sys, a folder with a dumped tree, a sosreport or a capture "
        "(folder or tar), outputs of lsblk, dmsetup, mdadm ...; - is standard input.",
    ),
]


@app.command(
    "import",
    epilog="Example: `blockstack import /sys -o host.toml`; "
    "`lsblk --json -O -b | blockstack import - --run`",
)
def import_(
    sources: SourcesArg,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A TOML file; default: standard output.")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Run it at once.")] = False,
    kernel: KernelOpt = None,
    skip: SkipOpt = None,
    driver: DriverOpt = None,
    fstype: FstypeOpt = None,
    bios: Annotated[int, typer.Option("--bios", min=1, help="For --run.")] = 200_000,
    as_json: JsonOpt = False,
) -> None:
    """Read what tools say about one host, all sources together, and write it as a config.

    Devices are merged by number and name; where sources differ, the one that stands nearer to the
    kernel wins (docs/import.md). What is assumed and what is left out is printed and written.
    """
    with bad_input(as_json):
        case, found = open_host(sources, kernel, skip or (), Narrowed(driver or (), fstype or ()))
        text = toml_of(case, found)
        if output is not None:
            _write(output, text)
        chosen = load_chosen(case, kernel, None)
        results = [
            simulate(case.stack, case.workload, kernel=chosen, submission=rule, bios=bios)
            for rule in (RULES if run else ())
        ]
    if run:
        if not as_json:
            show_notes(found.notes, found.left_out)
        finish_run(case, chosen, results, ", ".join(sources), as_json)
    elif as_json:
        print(json.dumps(view(case, found), indent=1))
    else:
        show_notes(found.notes, found.left_out)
        if output is None:
            print(text, end="")
        else:
            say(f"wrote {output}: {len(case.stack.devices)} devices")


def view(case: Config, found: Imported) -> dict[str, object]:
    """`import --json`."""
    return {
        "config": config_to_dict(case),
        "kernel": case.kernel,
        "release": found.release,
        "machine": found.machine,
        "devices": len(case.stack.devices),
        "edges": case.stack.graph.number_of_edges(),
        "assumed": list(found.notes),
        "left_out": list(found.left_out),
        "missing": found.stack.missing,
        "sources": list(found.sources),
    }


def toml_of(case: Config, found: Imported) -> str:
    """The config, with what was left out as comments before it."""
    plain = ("".join(c if c.isprintable() else "?" for c in line) for line in found.left_out)
    return "".join(f"# left out: {line}\n" for line in plain) + dump_config(case)


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot be written: {why}", path=str(path)) from error


@app.command(epilog="Example: `blockstack capture > capture.sh`; on the host: `sh capture.sh`")
def capture(
    mask: Annotated[
        bool,
        typer.Option(
            "--mask",
            help="Give every identifier (serial, WWN, UUID, IQN, IP, label, volume group, user, "
            "peer, host) another name, the same one in all files.",
        ),
    ] = False,
    with_kernel: Annotated[
        bool,
        typer.Option(
            "--with-kernel",
            help="Take the running kernel's image and loaded modules along (20 to 60 MB): where "
            "its build does not ship, `check` judges on its own frames.",
        ),
    ] = False,
) -> None:
    """Print a POSIX shell script that collects what `import` reads into one archive.

    It needs neither Python nor root on the host (as root it sees more: dmsetup, multipath), writes
    no keys or passwords, and changes nothing.
    """
    print(script(mask=mask, with_kernel=with_kernel), end="")
