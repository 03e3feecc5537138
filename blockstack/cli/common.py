"""What every command shares: options, errors, how a case is opened."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from blockstack.base.errors import BlockstackError, ConfigError, UnknownKernel
from blockstack.base.hints import listed
from blockstack.base.units import parse_bytes
from blockstack.cli.boundary import (
    BAD_INPUT,
    CANNOT_TELL,
    FITS,
    OVERFLOWS,
    as_ours,
    refuse,
)
from blockstack.cli.terminal import say
from blockstack.hosts.build import Imported, build
from blockstack.hosts.narrow import Narrowed
from blockstack.hosts.sniff import is_source, read_sources
from blockstack.kernel import FrameTable, Kernel, load_kernel, read_frames
from blockstack.kernel.choose import Build
from blockstack.kernel.shipped import kernel_for
from blockstack.scenario.chosen import load_chosen, taken_for_granted
from blockstack.scenario.config import Config, load_config
from blockstack.workload import Workload

STATUS: Mapping[bool | None, int] = {True: FITS, False: OVERFLOWS, None: CANNOT_TELL}

ConfigArg = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="A TOML file (see configs/), or "
        "a host: /sys, a sosreport, a capture, the output of lsblk --json ...",
    ),
]
KernelOpt = Annotated[
    str | None,
    typer.Option(
        "--kernel", help="A shipped kernel (`blockstack kernel list`) or the path of a frame table."
    ),
]
SubmissionOpt = Annotated[
    str | None, typer.Option("--submission", help="What if: recursive, fifo, two-list or lifo.")
]
ThreadOpt = Annotated[
    str | None, typer.Option("--thread-size", help='What if: "4 KiB", "8 KiB", "16 KiB".')
]
SkipOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--skip",
        help="Of a host: leave out a device, a mount point or a kind, with what stands on "
        "it; `unknown`: all kinds that the registry lacks. What is "
        "left then never fits for certain.",
    ),
]
DriverOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--driver",
        metavar="[DISK=]DRIVER",
        help="Of a host: the SCSI host driver of a disk, or of all disks of which no source "
        "tells how they are reached.",
    ),
]
FstypeOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--fstype",
        metavar="DEVICE=TYPE",
        help="Of a host: the type of the file system on a device or mount point: sda1=xfs.",
    ),
]
SetOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="What if: a key of the config set, or (nothing behind =) "
        "taken away: devices.eth0.service.rtt='1 ms'.",
    ),
]
MemoryOpt = Annotated[
    str | None,
    typer.Option(
        "--memory-limit", metavar="SIZE", help='For what one bio becomes.  [default: "1 GiB"]'
    ),
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Machine-readable, on standard output.")]


@contextmanager
def bad_input(as_json: bool = False, config: Path | None = None) -> Iterator[None]:
    """Errors that the user or the system can mend end the program with status 2 and one line.

    A path inside a config gets the config's name before it.
    """
    try:
        yield
    except Exception as caught:
        error = as_ours(caught)
        if error is None:
            raise
        inside = error.path.startswith(("devices", "workload"))
        refuse(error.under(str(config)) if config is not None and inside else error, as_json)
        raise typer.Exit(BAD_INPUT) from caught


def memory_limit(text: str | None) -> int | None:
    """What ``--memory-limit`` says, in bytes."""
    found = None if text is None else parse_bytes(text, "--memory-limit")
    if found is not None and found <= 0:
        raise ConfigError("must be a positive size", path="--memory-limit", value=text)
    return found


def open_host(
    sources: Sequence[str | Path],
    kernel: str | None = None,
    skip: Iterable[str] = (),
    narrowed: Narrowed | None = None,
) -> tuple[Config, Imported]:
    """A host as a config: its kernel is the host's own or stands for it, its workload mixed."""
    return next(open_each(sources, kernel, tuple(skip), narrowed))


def open_each(
    sources: Sequence[str | Path],
    kernel: str | None = None,
    skip: Sequence[str] = (),
    narrowed: Narrowed | None = None,
    types: Sequence[str] = ("",),
) -> Iterator[tuple[Config, Imported]]:
    """The same for each of some types that a file system may be of whose type no source tells."""
    first = "stdin" if list(map(str, sources)) == ["-"] else Path(sources[0]).name
    read = read_sources(sources)
    if narrowed is not None:
        narrowed.tell(read)
    own = Build(read.release, read.machine, read.real_time)
    chosen = kernel_for(kernel, own, said=kernel is not None)
    for fs in types:
        found = build(
            deepcopy(read),
            name=first.partition(".")[0] or "host",
            skip=skip,
            generation=chosen.generation.name,
            untold_fs=fs,
        )
        found = replace(found, notes=(*found.notes, *chosen.taken))
        yield (
            Config(
                found.stack,
                Workload(rw="randrw"),
                kernel or chosen.name,
                name=found.stack.name,
                description=_description(found.sources),
                host_kernel=str(own),
                kernel_given=kernel is not None,
                environment=found.environment,
                assumed=found.notes,
            ),
            found,
        )


def _description(sources: Sequence[str]) -> str:
    """What a host was read from; of many sources the formats only."""
    if len(sources) < 3:
        return "; ".join(sources)
    formats = dict.fromkeys(source.partition(":")[0] for source in sources)
    return f"from {len(sources)} sources: {listed(formats)}"


def show_notes(assumed: Sequence[str], left_out: Sequence[str] = ()) -> None:
    """What was assumed and what was left out, on standard error."""
    for word, lines in (("assumed", assumed), ("left out", left_out)):
        for line in lines[:40]:
            say(f"{word}: {line}", "dim")
        if len(lines) > 40:
            say(f"{word}: {len(lines) - 40} more", "dim")


def open_case(
    config: Path,
    kernel: str | None,
    thread_size: str | None,
    skip: Iterable[str] = (),
    changes: Sequence[str] = (),
) -> tuple[Config, Kernel]:
    """The config (or the host) and its kernel, with what the command line overrides."""
    if is_source(config):
        if changes:
            raise ConfigError(
                "changes a config, not a host",
                path="--set",
                hint=f"blockstack import {config} -o host.toml",
            )
        case, found = open_host([config], kernel, skip)
        left_out = found.left_out
    else:
        case, left_out = load_config(config, changes), ()
    try:
        chosen = load_chosen(case, kernel, thread_size)
        show_notes(taken_for_granted(case, chosen), left_out)
        return case, chosen
    except BlockstackError as error:
        raise error if kernel or thread_size else error.under(str(config)) from error


def kernel_or_frames(name: str) -> Kernel | FrameTable:
    """A kernel; or the frames alone of a file that no generation of the model covers."""
    try:
        return load_kernel(name)
    except UnknownKernel:
        return read_frames(Path(name))
