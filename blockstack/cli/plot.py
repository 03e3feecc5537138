"""``plot``: pictures for design reviews."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from blockstack.base.errors import ConfigError, UnsupportedKind
from blockstack.cli.common import (
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
from blockstack.engine.depth.simulate import simulate
from blockstack.kernel import PROFILES, load_kernel
from blockstack.present import plots
from blockstack.present.review.figures import FIGURES, Subject, draw
from blockstack.results.result import Result
from blockstack.scenario.config import Config, load_config, parse_submission
from blockstack.validation.files import recorded

plot_app = typer.Typer(no_args_is_help=True, help="Pictures for design reviews.")
app.add_typer(plot_app, name="plot")
OutOpt = Annotated[Path, typer.Option("-o", "--output", help="An .svg, .png or .pdf file.")]


@plot_app.command(
    "depth", epilog="Example: `blockstack plot depth configs/dm-md-iscsi.toml -o depth.svg`"
)
def plot_depth(
    config: ConfigArg,
    output: OutOpt = Path("depth.svg"),
    kernel: KernelOpt = None,
    thread_size: ThreadOpt = None,
    submission: Annotated[
        list[str] | None,
        typer.Option("--submission", help="Columns; recursive beside fifo unless given."),
    ] = None,
    bios: Annotated[str, typer.Option("--bios")] = "20k",
    as_json: JsonOpt = False,
) -> None:
    """Depth per layer as an icicle, one column per rule, with the limit as a line."""
    with bad_input(as_json, config):
        case, chosen = open_case(config, kernel, thread_size)
        rules = [parse_submission(r, "--submission") for r in submission or _beside(chosen.rule)]
        results = [
            simulate(
                case.stack, case.workload, kernel=chosen, submission=rule, bios=parse_count(bios)
            )
            for rule in rules
        ]
        _save(plots.depth(*results), output, results, as_json)


@plot_app.command(
    "headroom",
    epilog="Example: `blockstack plot headroom configs/dm-md-iscsi.toml -o headroom.png`",
)
def plot_headroom(
    config: ConfigArg,
    output: OutOpt = Path("headroom.svg"),
    kernel: Annotated[
        list[str] | None,
        typer.Option("--kernel", help="Kernels; all shipped ones that can run the stack."),
    ] = None,
    bios: Annotated[str, typer.Option("--bios")] = "20k",
    as_json: JsonOpt = False,
) -> None:
    """What is left of the stack on each kernel, recursive beside the kernel's own rule."""
    with bad_input(as_json, config):
        case = load_config(config)
        results = list(_headrooms(case, kernel, parse_count(bios)))
        if not results:
            raise ConfigError("no shipped kernel can run this stack", path=str(config))
        _save(plots.headroom(results), output, results, as_json)


def _command(name: str, shows: str) -> None:
    def command(
        config: ConfigArg,
        output: OutOpt = Path(f"{name}.svg"),
        kernel: KernelOpt = None,
        thread_size: ThreadOpt = None,
        skip: SkipOpt = None,
        bios: Annotated[str, typer.Option("--bios", help="Of each run.")] = "20k",
        kind: Annotated[
            str, typer.Option("--kind", help="For `growth`: whose layers.")
        ] = "dm-linear",
        threads: Annotated[
            int, typer.Option("--threads", min=1, help="For `memory`: how many stacks.")
        ] = 10_000,
        iodepth: Annotated[
            int, typer.Option("--iodepth", min=1, help="For `latency` and `busy`.")
        ] = 32,
        as_json: JsonOpt = False,
    ) -> None:
        with bad_input(as_json, config):
            case, chosen = open_case(config, kernel, thread_size, skip or ())
            figure = draw(
                name,
                Subject(
                    case.stack,
                    case.workload,
                    chosen,
                    parse_count(bios),
                    kind,
                    threads,
                    iodepth,
                    case.machine,
                    recorded,
                ),
            )
            _write(figure.ax, output, {"data": figure.data}, as_json)

    plot_app.command(
        name,
        help=shows,
        epilog=f"Example: `blockstack plot {name} configs/dm-md-iscsi.toml -o {name}.svg`",
    )(command)


for _name, (_shows, _) in FIGURES.items():
    if _name != "depth":
        _command(_name, _shows)


def _beside(own: str) -> tuple[str, str]:
    """The recursive rule beside a serialised one."""
    return ("recursive", own if own != "recursive" else "fifo")


def _headrooms(case: Config, kernels: Sequence[str] | None, bios: int) -> Iterator[Result]:
    for name in kernels or PROFILES:
        chosen = load_kernel(name)
        for rule in _beside(chosen.rule):
            try:
                yield simulate(case.stack, case.workload, kernel=chosen, submission=rule, bios=bios)
            except UnsupportedKind as error:
                if kernels:
                    raise
                Console(stderr=True).print(f"left out: {error}", style="dim")
                break


def _save(ax: Any, output: Path, results: Sequence[Result], as_json: bool) -> None:
    _write(ax, output, {"runs": [r.to_dict() for r in results]}, as_json)


def _write(ax: Any, output: Path, data: dict[str, Any], as_json: bool) -> None:
    plots.save(ax, str(output))
    if as_json:
        print(json.dumps({"picture": str(output), **data}, indent=1, default=str))
    else:
        Console(stderr=True).print(f"wrote {output}", highlight=False)
