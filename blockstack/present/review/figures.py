"""The figures of a design review by name: what each one shows, how it is made, its data.

One registry for ``blockstack plot NAME`` and ``blockstack report``: a new figure is one entry.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from blockstack.base.errors import BlockstackError
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
from blockstack.kernel import Kernel
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
    machine: Machine = field(default_factory=Machine)
    recorded: Callable[[], Sequence[Validation]] = tuple

    @property
    def rules(self) -> tuple[str, str]:
        """The recursive rule beside a serialised one."""
        return "recursive", self.kernel.rule if self.kernel.rule != "recursive" else "fifo"

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
    """A drawn figure and the data behind it."""

    ax: "Axes"
    data: Any


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
        for rule in it.rules
    ]
    return Figure(plots.depth(*results), [_timeless(r.to_dict()) for r in results])


def _timeless(result: dict[str, Any]) -> dict[str, Any]:
    """A run without its wall time: the same inputs give the same file."""
    return {
        k: v
        for k, v in result.items()
        if k not in ("seconds", "bios_per_second", "hops_per_second")
    }


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


#: name: what it shows, how it is made
FIGURES: Mapping[str, tuple[str, Callable[[Subject], Figure]]] = {
    "stack": (
        "What stands on what: bytes per layer, and where bios change to another task.",
        _stack,
    ),
    "depth": ("The deepest path, recursive beside serialised, layer by layer.", _depth),
    "journey": ("The deepest bio's way down and its completions, task by task.", _journey),
    "growth": ("Depth against the number of nested layers: submission and completion.", _growth),
    "heat": ("Headroom on every shipped kernel and thread size.", _heat),
    "distribution": ("How deep the bios go, and what an interrupt adds.", _distribution),
    "pending": (
        "Bios that wait on the task's list, first in first out beside two lists.",
        _pending,
    ),
    "memory": ("What small stacks save over many threads.", _memory),
    "latency": ("How long bios take, to the 99.99th percentile.", _latency),
    "load": ("Throughput and 99th percentile against load, with the knee.", _load),
    "busy": ("What is busy, and the rate at which it is full.", _busy),
    "amplification": (
        "What each layer makes of a bio: bios and sectors out per one in.",
        _amplification,
    ),
    "tornado": ("What helps most against an overflow: one lever at a time.", _tornado),
    "tornado-iops": (
        "What helps most for the rate: every speed and number halved and doubled.",
        _tornado_iops,
    ),
    "validated": (
        "How far to believe the bounds: stacks that were measured on running kernels.",
        _validated,
    ),
}


def draw(name: str, subject: Subject) -> Figure:
    """One figure of `FIGURES`.

    Raises
    ------
    BlockstackError
        The stack has no such figure: a kernel without a kind, a load that cannot be modelled.
    """
    return FIGURES[name][1](subject)
