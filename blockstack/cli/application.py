"""The application: which commands there are, loaded when one is asked for, and where errors end."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from blockstack.cli.boundary import status_of
from blockstack.version import __version__


@dataclass(frozen=True)
class Entry:
    """A command: the modules of this room that define it, and the list's line about it."""

    modules: tuple[str, ...]
    help: str


#: in the order in which the README asks its questions
COMMANDS = {
    "run": Entry(
        ("run",),
        "Send bios down a stack under every submission rule: peak depth, verdict, throughput.",
    ),
    "explain": Entry(
        ("run",),
        "The deepest path of every task, frame by frame, without simulating; or an oops explained.",
    ),
    "capacity": Entry(
        ("capacity",),
        "IOPS, bandwidth, latency percentiles, utilisation, the bottleneck and the next one.",
    ),
    "fit": Entry(
        ("fit",),
        "A `service` table from an SSD's own rates: random ones at two depths or more, large ones.",
    ),
    "sweep": Entry(
        ("sweep",),
        "One question over many cases: verdicts, rates and costs as one tidy row a point.",
    ),
    "compare": Entry(
        ("compare",),
        "Lay two answers side by side: headroom per task, bytes per layer and function.",
    ),
    "plot": Entry(("plot", "plot_sweep"), "Pictures for design reviews."),
    "report": Entry(
        ("report",),
        "Write one self-contained page for reviewers, every figure, and the data behind them.",
    ),
    "import": Entry(
        ("hosts",),
        "Read what tools say about one host, all sources together, and write it as a config.",
    ),
    "capture": Entry(
        ("hosts",),
        "Print a POSIX shell script that collects what `import` reads into one archive.",
    ),
    "check": Entry(
        ("check",),
        "Will any host of a fleet overflow? One row per host; exit status 1 if one does.",
    ),
    "host": Entry(
        ("this_host",),
        "Will this machine's own stack overflow? Its devices, its own kernel's frames, one "
        "sentence.",
    ),
    "convert": Entry(
        ("traces",),
        "Convert a block trace, and state its units, span and rate: a mistaken unit shows there.",
    ),
    "kernel": Entry(("kernel", "kernel_check"), "Kernels that ship, and what they are."),
    "validate": Entry(("kernel",), "Measured stacks against their bounds."),
}


class _Commands(TyperGroup):
    """Commands whose modules are imported when they are run; where their errors end."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command's name."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command; for the list of all of them its name and line will do."""
        if self._listing:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name].help)
        if cmd_name not in self.commands:  # a name that is none: all of them, to name the closest
            known = cmd_name in COMMANDS
            entries = [COMMANDS[cmd_name]] if known else COMMANDS.values()
            for module in dict.fromkeys(name for entry in entries for name in entry.modules):
                import_module(f"blockstack.cli.{module}")
            found = get_group(app).commands
            # a module may define a part of another command, whose other modules are not here yet
            self.commands.update({cmd_name: found[cmd_name]} if known else found)
        return self.commands.get(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The list, without what stands behind it."""
        with self._for_the_list():
            super().format_help(ctx, formatter)

    @contextmanager
    def _for_the_list(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does; ``--debug`` may stand anywhere."""
        plain = [arg for arg in args if arg != "--debug"]
        return super().parse_args(ctx, ["--debug", *plain] if len(plain) < len(args) else args)

    def invoke(self, ctx: Any) -> Any:
        """A command; whatever it raises becomes a status of one meaning."""
        debug = bool(ctx.params.get("debug"))
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as caught:
            raise typer.Exit(status_of(caught, debug)) from None
        except (typer.Exit, typer.Abort) as end:
            if debug and end.__cause__ is not None:
                traceback.print_exception(end.__cause__)
            raise
        except Exception as caught:
            if hasattr(caught, "exit_code"):  # typer's own: a wrong option
                raise
            raise typer.Exit(status_of(caught, debug)) from caught


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 110},
    epilog="Exit status: 0 fits, 1 the asked limit is passed, 2 bad input, 3 cannot tell, "
    "70 a bug of ours, 130 interrupted; judged on the kernel's own rule unless `--submission` is "
    "given.",
)


def show_version(asked: bool) -> None:
    """``--version``: the version and nothing else."""
    if asked:
        print(f"blockstack {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    debug: Annotated[
        bool, typer.Option("--debug", help="With an error, the traceback.", show_default=False)
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Which version this is.", is_eager=True, callback=show_version
        ),
    ] = False,
) -> None:
    """Will this stack of block devices overflow the kernel stack, how fast can it go, and where is
    its bottleneck?"""
