"""What the commands take as a load: a fio job file, a trace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.cli.terminal import say
from blockstack.cli.traces import show_statement
from blockstack.loads.traces.convert import Statement, stated
from blockstack.loads.traces.formats import open_trace
from blockstack.loads.traces.replay import as_workload, first_bios
from blockstack.scenario.config import Config
from blockstack.workload import Workload

#: bios of a trace that are replayed unless --bios says otherwise: each is compiled on its own
TRACE_BIOS = 20_000

TraceOpt = Annotated[
    Path | None,
    typer.Option(
        "--trace",
        help="Replay a block trace (docs/workloads.md); its first 20,000 bios, or --bios.",
    ),
]
MapOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="DEVICE=ROOT",
        help="Which root a device of the trace is; * is every other device.",
    ),
]


@dataclass(frozen=True)
class Replay:
    """A trace's bios on a stack's roots."""

    workload: Workload
    times_ns: NDArray[np.float64]


def open_replay(
    case: Config, path: Path, form: str | None, skip_bad: int, mapping: Sequence[str], most: int
) -> Replay:
    """The first bios of a trace; what it is, and what is left, goes to standard error.

    Raises
    ------
    BlockstackError
        As for `open_trace` and `as_workload`.
    """
    pairs = {}
    for text in mapping:
        device, equals, root = text.rpartition("=")
        if not equals:
            raise ConfigError("not a pair", path="--map", value=text, hint="write sda=md0")
        pairs[device] = root
    with open_trace(path, form=form, skip_bad=skip_bad) as file:
        statement = Statement(file)
        trace, more = first_bios(stated(file, statement), most)
    show_statement(statement)
    if more:
        say(f"replayed: the first {most:,} bios of the file; --bios N for more")
    workload, times = as_workload(trace, case.stack.roots(), pairs, direct=case.workload.direct)
    return Replay(workload, times)


@contextmanager
def beyond_the_device(path: Path) -> Iterator[None]:
    """A bio beyond its root, told as the trace's."""
    try:
        yield
    except BlockstackError as error:
        if not error.path.startswith("workload."):
            raise
        raise ConfigError(
            error.message,
            path=f"{path}: {error.path}",
            value=error.value,
            hint=f"{error.hint}; give the device the traced one's size",
        ) from error


def only_with_trace() -> ConfigError:
    """Options of a trace without one."""
    return ConfigError(
        "belongs to a trace", path="--skip-bad, --from, --map", hint="give --trace FILE"
    )
