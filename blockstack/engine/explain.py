"""`explain`: the static answer, and how deep is safe."""

from dataclasses import dataclass
from pathlib import Path

from blockstack.engine.demand import demand_of
from blockstack.engine.interrupts import ASSUMED_IRQ_PER_HOP, interrupt_bytes, shared_interrupts
from blockstack.engine.paths import layered
from blockstack.engine.plan import Plan, compile_plan
from blockstack.engine.simulate import as_kernel
from blockstack.engine.static import StaticTasks
from blockstack.errors import ConfigError
from blockstack.kernel import Kernel
from blockstack.kinds import find_kind
from blockstack.result import Explanation, TaskDepth
from blockstack.stack import Device, Stack
from blockstack.workload import Workload


def plan_for(stack: Stack, kernel: Kernel, workload: Workload | None) -> tuple[Plan, StaticTasks]:
    """A plan for the workload's operations (reads and writes without one), and its bounds."""
    demand = demand_of(workload or Workload(rw="randrw", bs="4 KiB"))
    plan = compile_plan(stack, kernel, ops=demand.ops,
                        direct=workload is not None and workload.direct)
    return plan, StaticTasks(plan, demand.max_sectors, demand.align_sectors)


def explain(stack: Stack, *, kernel: Kernel | str | Path, submission: str | None = None,
            workload: Workload | None = None) -> Explanation:
    """The deepest path of every task of a stack, frame by frame, without simulating.

    Parameters
    ----------
    stack : Stack
    kernel : Kernel, str or Path
        A shipped name, or the path of a frame table.
    submission : str or None
        None: the kernel's own rule.
    workload : Workload or None
        Operations, direct or buffered, and the largest bio; None: reads and writes of 4 KiB.

    Returns
    -------
    Explanation
        Bytes on each task's stack; budgets for what may come on top.

    Raises
    ------
    BlockstackError
        A kind or operation that the kernel does not have.
    """
    the_kernel = as_kernel(kernel).override(submission=submission)
    plan, static = plan_for(stack, the_kernel, workload)
    budgets = {name: layered(name, path) for name, path in the_kernel.rows.budgets().items()}
    budgets |= {f"interrupt, {k}": p for k, p in shared_interrupts(the_kernel).items()}
    return Explanation(
        stack=stack.name, kernel=the_kernel.name, submission=the_kernel.rule, tasks=static.all(),
        budgets={name: path.bytes for name, path in budgets.items()},
        budget_paths={name: path.frames() for name, path in budgets.items()},
        notes=notes_of(stack, the_kernel), provenance=the_kernel.provenance() | {
            "plan": plan.digest, "overrides": list(the_kernel.overrides)})


def notes_of(stack: Stack, kernel: Kernel) -> tuple[str, ...]:
    """What is assumed or left out for these devices on this kernel, once each."""
    notes = []
    for device in stack.devices.values():
        calls = device.kind_entry.calls_for(kernel.generation.name, device.params)
        if calls is not None and calls.note:
            notes.append(f"{device.kind}: {calls.note}")
    if kernel.platform.irq_stacks == "shared":
        notes.append(f"interrupts run on the task's stack and may add "
                     f"{interrupt_bytes(kernel, 'caller')} bytes; runs assume one in "
                     f"{1 / ASSUMED_IRQ_PER_HOP:.0f} make_request calls is struck (assumed)")
    if kernel.generation.note:
        notes.append(f"frames: {kernel.generation.note}")
    notes.append(f"an overflow {kernel.platform.overflow_outcome}")
    return tuple(dict.fromkeys(notes))


@dataclass(frozen=True)
class LayerLimit:
    """How many nested layers of a kind fit.

    Attributes
    ----------
    kernel, submission, kind : str
    direction : {"submission", "completion"}
    layers : int or None
        Largest number that fits, beside those that the stack has; None: no number of layers
        makes it deeper. -1: the stack overflows already without.
    bytes_per_layer : int
    peak_bytes : int
        Depth of the deepest task with that many layers.
    limit_bytes : int
    task : str
        The task that decides.
    exact : bool
    """

    kernel: str
    submission: str
    kind: str
    direction: str
    layers: int | None
    bytes_per_layer: int
    peak_bytes: int
    limit_bytes: int
    task: str
    exact: bool


def max_layers(stack: Stack, kind: str, *, kernel: Kernel | str | Path,
               submission: str | None = None, workload: Workload | None = None
               ) -> tuple[LayerLimit, ...]:
    """How deep is safe: the largest number of further layers of a kind that still fits.

    Parameters
    ----------
    kind : str
        A stacked kind that stands on one device (``dm-linear``, ``dm-crypt`` ...).

    Returns
    -------
    tuple of LayerLimit
        For submission and completion.

    Raises
    ------
    ConfigError
        A kind that does not stand on exactly one device, or is not a stacked kind.
    """
    the_kernel = as_kernel(kernel).override(submission=submission)
    return tuple(_limit(stack, kind, the_kernel, workload, direction)
                 for direction in ("submission", "completion"))


def _limit(stack: Stack, kind: str, kernel: Kernel, workload: Workload | None,
           direction: str) -> LayerLimit:
    def worst(n: int) -> TaskDepth | None:
        _, static = plan_for(with_layers(stack, kind, n), kernel, workload)
        wanted = direction == "completion"
        side = [t for t in static.all() if t.task.startswith("completion ") == wanted]
        return min(side, key=lambda t: t.headroom_bytes - interrupt_bytes(kernel, t.context),
                   default=None)

    def room(task: TaskDepth) -> int:
        return task.headroom_bytes - interrupt_bytes(kernel, task.context)

    none = worst(0)
    if none is None:
        return LayerLimit(kernel.name, kernel.rule, kind, direction, None, 0, 0,
                          kernel.platform.limit_bytes, "completes inline", True)
    # a layer may cost nothing until its path overtakes another: look where growth is certain
    far, farther = worst(256), worst(257)
    assert far is not None and farther is not None
    step = room(far) - room(farther)
    if step == 0:
        return _row(kernel, kind, direction, None, 0, far)
    best = -1
    if room(none) >= 0:
        low, high = 0, max(1, (room(far) // step) + 257)
        while low < high:  # depth grows with the layers: bisect the last that fits
            middle = (low + high + 1) // 2
            task = worst(middle)
            assert task is not None
            low, high = (middle, high) if room(task) >= 0 else (low, middle - 1)
        best = low
    at = worst(max(best, 0))
    assert at is not None
    return _row(kernel, kind, direction, best, step, at)


def _row(kernel: Kernel, kind: str, direction: str, layers: int | None, step: int,
         task: TaskDepth) -> LayerLimit:
    return LayerLimit(kernel.name, kernel.rule, kind, direction, layers, step, task.peak_bytes,
                      task.limit_bytes, task.task, task.exact)


def with_layers(stack: Stack, kind: str, count: int) -> Stack:
    """A copy of ``stack`` with ``count`` more layers of a kind right under its roots.

    Raises
    ------
    ConfigError
        The kind does not stand on exactly one device.
    """
    entry = find_kind(kind, "kind")
    if entry.role != "stacked" or entry.arity[0] != 1:
        raise ConfigError("cannot be nested: it must stand on one device", path="max_layers",
                          value=kind, hint="try dm-linear")
    copy = Stack(stack.name)
    roots = stack.roots()
    for name, device in stack.devices.items():
        keys = dict(device.given)
        if name in roots and device.kind_entry.role == "source" and "on" in keys:
            keys["on"] = _pile(copy, str(keys["on"]), kind, count)
        copy.add(name, device.kind, **keys)
    for name in roots:
        if stack.devices[name].kind_entry.role != "source":
            _pile(copy, name, kind, count)
    return copy


def _pile(stack: Stack, bottom: str, kind: str, count: int) -> str:
    """Put ``count`` layers on a device; the topmost one's name."""
    below: Device | str = bottom
    for i in range(count):
        below = stack.add(f"{bottom}+{kind}-{i + 1}", kind, on=below)
    return below if isinstance(below, str) else below.name
