"""``report``: the design-review pack."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from blockstack.cli.common import (
    STATUS,
    ConfigArg,
    JsonOpt,
    KernelOpt,
    SkipOpt,
    ThreadOpt,
    app,
    bad_input,
    open_case,
    parse_count,
)
from blockstack.present.figures import FIGURES, Subject
from blockstack.present.report import report as write_report


@app.command(epilog="Example: `blockstack report configs/dm-md-iscsi.toml -o review/`")
def report(config: ConfigArg, output: Annotated[Path, typer.Option(
               "-o", "--output", help="A folder.")] = Path("review"),
           kernel: KernelOpt = None, thread_size: ThreadOpt = None, skip: SkipOpt = None,
           kind: Annotated[str, typer.Option(
               "--kind", help="Whose number of layers grows.")] = "dm-linear",
           bios: Annotated[str, typer.Option("--bios", help="Of each run.")] = "20k",
           iodepth: Annotated[int, typer.Option("--iodepth", min=1)] = 32,
           as_json: JsonOpt = False) -> None:
    """Write one self-contained page for reviewers, every figure, and the data behind them."""
    with bad_input(as_json, config):
        case, chosen = open_case(config, kernel, thread_size, skip or ())
        subject = Subject(case.stack, case.workload, chosen, parse_count(bios), kind,
                          iodepth=iodepth, machine=case.machine)
        console = Console(stderr=True)
        with console.status("explain") as status:
            pack = write_report(
                subject, output, title=case.name or case.stack.name, description=case.description,
                progress=lambda name: status.update(
                    f"{name} ({list(FIGURES).index(name) + 1} of {len(FIGURES)})"))
    if as_json:
        print(json.dumps({"page": str(pack.page), "figures": list(pack.figures),
                          "left_out": list(pack.left_out), "fits": pack.explanation.fits},
                         indent=1))
    else:
        for line in pack.left_out:
            console.print(f"left out: {line}", style="dim", highlight=False)
        console.print(f"wrote {pack.page}, {len(pack.figures)} figures", highlight=False)
    raise typer.Exit(STATUS[pack.explanation.fits])
