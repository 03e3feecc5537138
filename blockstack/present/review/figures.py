"""The figures of a design review by name: what each one shows, how it is made, what it takes.

One registry for ``blockstack plot NAME`` and ``blockstack report``: a new figure is one row, with
its options; an option that no figure had is a field of `Subject` and a row of `OPTIONS`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from blockstack.base.errors import BlockstackError, ConfigError, UnsupportedKind
from blockstack.base.units import parse_count
from blockstack.engine.capacity.knee import until_knee
from blockstack.engine.capacity.levers import iops_levers
from blockstack.engine.capacity.result import CapacityResult, LoadSpec
from blockstack.engine.capacity.run import capacity, prepare
from blockstack.engine.depth.simulate import simulate
from blockstack.engine.study.amplification import amplification
from blockstack.engine.study.journey import journey, sample_depths
from blockstack.engine.study.levers import headroom_levers
from blockstack.engine.study.stackmap import alike_devices, stack_map
from blockstack.engine.study.survey import growth, headroom_grid
from blockstack.engine.study.words import by_words, parameter_of
from blockstack.kernel import PROFILES, Kernel, load_kernel
from blockstack.present import plots
from blockstack.results.validation import Validation
from blockstack.stack import Stack
from blockstack.stack.machine import Machine
from blockstack.workload import Workload

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: layers up to which depth is drawn against their number
_MOST_LAYERS = 24
_IODEPTH, _CAPACITY_BIOS = 32, 20_000


@dataclass(frozen=True)
class Subject:
    """What a figure is about.

    Attributes
    ----------
    bios : int
        Bios of each run.
    kind : str
        The kind whose number of layers grows.
    threads : int
        For the memory of many stacks.
    iodepth : int
    submissions : tuple of str
        Rules, one column each; none: the recursive rule beside a serialised one.
    kernels : tuple of str
        For what shows several; none: all shipped ones that can run the stack.
    parameter : str
        ``DEVICE.KEY`` whose words stand beside each other; empty: the first that chooses a source's
        call path, if there is one.
    words : tuple of str
        Of them; none: all that the kernel has.
    machine : Machine
    recorded : callable
        What is recorded of measured stacks: ``blockstack.validation.files.recorded``.
    """

    stack: Stack
    workload: Workload
    kernel: Kernel
    bios: int = 20_000
    kind: str = "dm-linear"
    threads: int = 10_000
    iodepth: int = _IODEPTH
    submissions: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    parameter: str = ""
    words: tuple[str, ...] = ()
    machine: Machine = field(default_factory=Machine)
    recorded: Callable[[], Sequence[Validation]] = tuple

    @property
    def rules(self) -> tuple[str, str]:
        """The recursive rule beside a serialised one."""
        return _beside(self.kernel.rule)

    @cached_property
    def loaded(self) -> CapacityResult:
        """The stack under a closed load: what several figures show, run once."""
        return capacity(
            self.stack,
            self.workload,
            kernel=self.kernel,
            iodepth=self.iodepth,
            machine=self.machine,
            bios=_CAPACITY_BIOS,
        )


@dataclass(frozen=True)
class Figure:
    """A drawn figure and the data behind it.

    Attributes
    ----------
    ax : Axes
    data : object
        Plain data for JSON.
    notes : tuple of str
        What it could not show, and why.
    runs : bool
        ``data`` are simulated runs.
    """

    ax: "Axes"
    data: Any
    notes: tuple[str, ...] = ()
    runs: bool = False


@dataclass(frozen=True)
class Option:
    """An option of figures on the command line.

    Attributes
    ----------
    flag, help : str
    type : object
        Of what the command line gives.
    default : object
    least : int or None
    read : callable or None
        From what is given to the field of `Subject`; None: as it is.
    """

    flag: str
    help: str
    type: Any
    default: Any = None
    least: int | None = None
    read: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Row:
    """A figure of the registry: what it shows, how it is made, the names of its `OPTIONS`."""

    shows: str
    make: Callable[[Subject], Figure]
    options: tuple[str, ...] = ()


def _beside(own: str) -> tuple[str, str]:
    """The recursive rule beside a serialised one."""
    return "recursive", own if own != "recursive" else "fifo"


def _stack(it: Subject) -> Figure:
    found = stack_map(it.stack, kernel=it.kernel, workload=it.workload)
    try:
        busy = {
            name: share
            for name, share in it.loaded.utilisation().items()
            if name in it.stack.devices
        }
    except BlockstackError as error:  # a stack that capacity cannot model is drawn all the same
        return Figure(
            plots.stack(found), found.to_dict() | {"utilisation": None, "why": str(error)}
        )
    return Figure(
        plots.stack(found, utilisation=busy, load=f"iodepth {it.iodepth}"),
        found.to_dict() | {"utilisation": busy},
    )


def _depth(it: Subject) -> Figure:
    results = [
        simulate(it.stack, it.workload, kernel=it.kernel, submission=rule, bios=it.bios)
        for rule in it.submissions or it.rules
    ]
    return Figure(plots.depth(*results), [r.to_dict() for r in results], runs=True)


def _headroom(it: Subject) -> Figure:
    results, notes = [], []
    for name in it.kernels or PROFILES:
        kernel = load_kernel(name)
        try:
            results += [
                simulate(it.stack, it.workload, kernel=kernel, submission=rule, bios=it.bios)
                for rule in _beside(kernel.rule)
            ]
        except UnsupportedKind as error:
            if it.kernels:
                raise
            notes.append(f"left out: {error}")
    if not results:
        raise ConfigError("no shipped kernel can run this stack", path=it.stack.name)
    drawn = plots.headroom(results)
    return Figure(drawn, [r.to_dict() for r in results], tuple(notes), runs=True)


def _journey(it: Subject) -> Figure:
    found = journey(it.stack, it.workload, kernel=it.kernel, bio="deepest")
    return Figure(plots.journey(found), found.to_dict())


def _pending(it: Subject) -> Figure:
    found = [
        journey(it.stack, it.workload, kernel=it.kernel, submission=rule, bio="longest")
        for rule in ("fifo", "two-list")
    ]
    return Figure(plots.pending(found), [one.to_dict() for one in found])


def _distribution(it: Subject) -> Figure:
    found = sample_depths(it.stack, it.workload, kernel=it.kernel)
    return Figure(plots.distribution(found), found.to_dict())


def _growth(it: Subject) -> Figure:
    found = growth(
        it.stack, it.kind, kernel=it.kernel, rules=it.rules, most=_MOST_LAYERS, workload=it.workload
    )
    return Figure(plots.growth(found), found.to_dict())


def _tasks(it: Subject) -> Figure:
    found = by_words(
        it.stack,
        kernel=it.kernel,
        parameter=it.parameter or parameter_of(it.stack),
        words=it.words,
        submission=it.submissions[0] if it.submissions else None,
        workload=it.workload,
    )
    return Figure(plots.tasks(found), found.to_dict())


def _heat(it: Subject) -> Figure:
    cells = headroom_grid(it.stack, workload=it.workload)
    return Figure(plots.heat(cells, it.stack.name), [asdict(cell) for cell in cells])


def _memory(it: Subject) -> Figure:
    return Figure(plots.memory(it.threads), {"threads": it.threads})


def _latency(it: Subject) -> Figure:
    return Figure(plots.latency(it.loaded), it.loaded.to_dict())


def _busy(it: Subject) -> Figure:
    return Figure(plots.busy(it.loaded, alike=alike_devices(it.stack)), it.loaded.to_dict())


def _load(it: Subject) -> Figure:
    model = prepare(it.stack, it.workload, kernel=it.kernel, machine=it.machine)
    found = until_knee(model, LoadSpec("closed"), bios=_CAPACITY_BIOS)
    return Figure(plots.load(found), found.to_dict())


def _amplification(it: Subject) -> Figure:
    found = amplification(it.stack, it.workload, kernel=it.kernel)
    return Figure(plots.amplification(found), found.to_dict())


def _tornado(it: Subject) -> Figure:
    found = headroom_levers(it.stack, kernel=it.kernel, workload=it.workload)
    return Figure(plots.tornado(found), found.to_dict())


def _tornado_iops(it: Subject) -> Figure:
    found = iops_levers(
        it.stack, it.workload, it.loaded, kernel=it.kernel, machine=it.machine, bios=_CAPACITY_BIOS
    )
    return Figure(plots.tornado(found), found.to_dict())


def _validated(it: Subject) -> Figure:
    found = it.recorded()
    if not found:
        raise BlockstackError("no measured stacks were given", path="validated")
    return Figure(plots.validated(found), [one.to_dict() for one in found])


#: by the field of `Subject` that it sets; ``kernel`` and ``thread_size`` choose its kernel
OPTIONS: Mapping[str, Option] = {
    "kernel": Option(
        "--kernel",
        "A shipped kernel (`blockstack kernel list`) or the path of a frame table.",
        str | None,
    ),
    "thread_size": Option("--thread-size", 'What if: "4 KiB", "8 KiB", "16 KiB".', str | None),
    "kernels": Option(
        "--kernel",
        "Kernels; all shipped ones that can run the stack.",
        list[str] | None,
        read=lambda given: tuple(given or ()),
    ),
    "submissions": Option(
        "--submission",
        "Columns; recursive beside a serialised rule unless given.",
        list[str] | None,
        read=lambda given: tuple(given or ()),
    ),
    "bios": Option("--bios", "Of each run.", str, "20k", read=parse_count),
    "kind": Option("--kind", "Whose layers.", str, "dm-linear"),
    "parameter": Option(
        "--parameter",
        "DEVICE.KEY whose words stand side by side; the source's, if one chooses its call path.",
        str | None,
        read=lambda given: given or "",
    ),
    "words": Option(
        "--word",
        "Of the parameter, in order; all that the kernel has.",
        list[str] | None,
        read=lambda given: tuple(given or ()),
    ),
    "threads": Option("--threads", "How many stacks.", int, 10_000, least=1),
    "iodepth": Option("--iodepth", "Bios in flight.", int, _IODEPTH, least=1),
}
_OWN = ("kernel", "thread_size")

#: a figure's name is that of its command and of its files in a report
FIGURES: Mapping[str, Row] = {
    "stack": Row(
        "What stands on what: bytes per layer, and where bios change to another task.",
        _stack,
        (*_OWN, "iodepth"),
    ),
    "depth": Row(
        "The deepest path, recursive beside serialised, layer by layer.",
        _depth,
        (*_OWN, "submissions", "bios"),
    ),
    "headroom": Row(
        "What is left of the stack on each kernel, recursive beside the kernel's own rule.",
        _headroom,
        ("kernels", "bios"),
    ),
    "journey": Row("The deepest bio's way down and its completions, task by task.", _journey, _OWN),
    "growth": Row(
        "Depth against the number of nested layers: submission and completion.",
        _growth,
        (*_OWN, "kind"),
    ),
    "tasks": Row(
        "What each task needs of its stack, and what a word of a parameter takes off it.",
        _tasks,
        (*_OWN, "parameter", "words", "submissions"),
    ),
    "heat": Row("Headroom on every shipped kernel and thread size.", _heat),
    "distribution": Row("How deep the bios go, and what an interrupt adds.", _distribution, _OWN),
    "pending": Row(
        "Bios that wait on the task's list, first in first out beside two lists.", _pending, _OWN
    ),
    "memory": Row("What small stacks save over many threads.", _memory, ("threads",)),
    "latency": Row("How long bios take, to the 99.99th percentile.", _latency, (*_OWN, "iodepth")),
    "load": Row("Throughput and 99th percentile against load, with the knee.", _load, _OWN),
    "busy": Row("What is busy, and the rate at which it is full.", _busy, (*_OWN, "iodepth")),
    "amplification": Row(
        "What each layer makes of a bio: bios and sectors out per one in.", _amplification, _OWN
    ),
    "tornado": Row("What helps most against an overflow: one lever at a time.", _tornado, _OWN),
    "tornado-iops": Row(
        "What helps most for the rate: every speed and number halved and doubled.",
        _tornado_iops,
        (*_OWN, "iodepth"),
    ),
    "validated": Row(
        "How far to believe the bounds: stacks that were measured on running kernels.", _validated
    ),
}


def draw(name: str, subject: Subject) -> Figure:
    """One figure of `FIGURES`.

    Raises
    ------
    BlockstackError
        The stack has no such figure: a kernel without a kind, a load that cannot be modelled.
    """
    return FIGURES[name].make(subject)
