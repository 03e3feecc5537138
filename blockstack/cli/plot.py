"""``plot``: pictures for design reviews, a command per figure with the options that it takes."""

import inspect
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from blockstack.base.errors import ConfigError
from blockstack.base.hints import listed
from blockstack.cli.application import app
from blockstack.cli.common import ConfigArg, JsonOpt, SkipOpt, bad_input, open_case
from blockstack.cli.terminal import say
from blockstack.kernel import Kernel
from blockstack.present import plots
from blockstack.present.review.figures import FIGURES, OPTIONS, Figure, Subject, draw
from blockstack.scenario.config import Config
from blockstack.validation.files import recorded

plot_app = typer.Typer(no_args_is_help=True, help="Pictures for design reviews.")
app.add_typer(plot_app, name="plot")
OutOpt = Annotated[Path, typer.Option("-o", "--output", help="An .svg, .png or .pdf file.")]


def takers(flag: str) -> list[str]:
    """The figures that take an option."""
    return [
        name
        for name, row in FIGURES.items()
        if flag in (OPTIONS[option].flag for option in row.options)
    ]


class _Command(TyperCommand):
    """Tells whose an option is that the figure does not take."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does, once every option is the figure's own or unknown to all."""
        for flag in (arg.partition("=")[0] for arg in args):
            figures = takers(flag)
            if figures and self.name not in figures:
                with bad_input("--json" in args):
                    raise ConfigError(
                        f"the figure {self.name} does not take it",
                        path=flag,
                        hint=f"it belongs to {listed(figures)}",
                    )
        return super().parse_args(ctx, args)


def subject_of(case: Config, kernel: Kernel, given: dict[str, Any]) -> Subject:
    """A case as the subject of figures; ``given`` are values of `OPTIONS`, by field."""
    fields = {}
    for name, value in given.items():
        read = OPTIONS[name].read
        fields[name] = value if read is None else read(value)
    return Subject(
        case.stack, case.workload, kernel, machine=case.machine, recorded=recorded, **fields
    )


def _add(name: str) -> None:
    """The command of one figure: what all take, and its own options."""
    row = FIGURES[name]

    def command(
        config: Path, output: Path, skip: list[str] | None, as_json: bool, **given: Any
    ) -> None:
        with bad_input(as_json, config):
            kernel, size = given.pop("kernel", None), given.pop("thread_size", None)
            case, chosen = open_case(config, kernel, size, skip or ())
            figure = draw(name, subject_of(case, chosen, given))
            _write(figure, output, as_json)

    parameters = [
        _parameter("config", ConfigArg),
        _parameter("output", OutOpt, Path(f"{name}.svg")),
        *(_of_option(option) for option in row.options),
        _parameter("skip", SkipOpt, None),
        _parameter("as_json", JsonOpt, False),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    plot_app.command(
        name,
        cls=_Command,
        help=row.shows,
        epilog=f"Example: `blockstack plot {name} configs/dm-md-iscsi.toml -o {name}.svg`",
    )(command)


def _of_option(name: str) -> inspect.Parameter:
    option = OPTIONS[name]
    told = typer.Option(option.flag, help=option.help, min=option.least)
    return _parameter(name, Annotated[option.type, told], option.default)


def _parameter(
    name: str, annotation: Any, default: Any = inspect.Parameter.empty
) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
    )


for _name in FIGURES:
    _add(_name)


def _write(figure: Figure, output: Path, as_json: bool) -> None:
    plots.save(figure.ax, str(output))
    for note in figure.notes:
        say(note, "dim")
    if as_json:
        key = "runs" if figure.runs else "data"
        print(json.dumps({"picture": str(output), key: figure.data}, indent=1, default=str))
    else:
        say(f"wrote {output}")
