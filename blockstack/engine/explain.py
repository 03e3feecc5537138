"""`explain`: the static answer, and how deep is safe."""

from dataclasses import dataclass
from pathlib import Path

from blockstack.engine.demand import demand_of
from blockstack.engine.interrupts import ASSUMED_IRQ_PER_HOP
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
    budgets |= {f"interrupt, {k}": p for k, p in static.shared.paths.items()}
    return Explanation(
        stack=stack.name, kernel=the_kernel.name, submission=the_kernel.rule, tasks=static.all(),
        budgets={name: path.bytes for name, path in budgets.items()},
        budget_paths={name: path.frames() for name, path in budgets.items()},
        notes=notes_of(stack, the_kernel), provenance=the_kernel.provenance() | {
            "plan": plan.digest, "overrides": list(the_kernel.overrides)})


def notes_of(stack: Stack, kernel: Kernel) -> tuple[str, ...]:
    """What is assumed or left out for these devices on this kernel, once each."""
    notes = list(stack.warnings())
    for device in stack.devices.values():
        calls = device.kind_entry.calls_for(kernel.generation.name, device.params)
        if calls is not None and calls.note:
            notes.append(f"{device.kind}: {calls.note}")
    if kernel.platform.irq_stacks == "shared":
        notes.append(f"interrupts run on the task's stack; runs assume that one strikes in "
                     f"{1 / ASSUMED_IRQ_PER_HOP:.0f} make_request calls, that half of them raise "
                     "a softirq, and the frames of do_IRQ and its helpers")
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


#: layers at which the growth per layer is measured: deep enough for every path to have its form
_PROBE = 3
#: no answer is looked for beyond so many layers
_MOST = 5000


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
    """Depth grows by the same bytes with every layer, task by task: two probes tell the step, a
    third and a fourth check the answer."""
    def rooms(n: int) -> dict[str, tuple[int, TaskDepth]]:
        _, static = plan_for(with_layers(stack, kind, n), kernel, workload)
        wanted = direction == "completion"
        return {t.task: (t.headroom_bytes - static.on_top(t.context).interrupts_bytes
                         - static.on_top(t.context).struck_bytes, t)
                for t in static.all() if t.task.startswith("completion ") == wanted}

    probes = [rooms(n) for n in (0, _PROBE, _PROBE + 1)]
    if not probes[0]:
        return LayerLimit(kernel.name, kernel.rule, kind, direction, None, 0, 0,
                          kernel.platform.limit_bytes, "completes inline", True)
    steps = {name: probes[1][name][0] - probes[2][name][0]
             for name in probes[1].keys() & probes[2].keys()}
    tightest = min(probes[0].values(), key=lambda r: r[0])
    if tightest[0] < 0:
        return _row(kernel, kind, direction, -1, steps.get(tightest[1].task, 0), tightest[1])
    growing = {name: step for name, step in steps.items() if step > 0}
    if not growing:
        return _row(kernel, kind, direction, None, 0, tightest[1])
    best = min(_PROBE + probes[1][name][0] // step for name, step in growing.items())
    while min(r[0] for r in rooms(best).values()) < 0:  # a path that another one overtakes later
        best -= 1
    while best < _MOST and min(r[0] for r in rooms(best + 1).values()) >= 0:
        best += 1
    room = min(rooms(best).values(), key=lambda r: (r[0] // max(1, steps.get(r[1].task, 0))))
    return _row(kernel, kind, direction, best, max(growing.values()) if room[1].task not in steps
                else steps[room[1].task], room[1])


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
