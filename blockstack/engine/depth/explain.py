"""`explain`: the static answer."""

from dataclasses import replace
from pathlib import Path

from blockstack.base.errors import UnsupportedKind
from blockstack.base.hints import listed
from blockstack.engine.depth.drivers import over_drivers, untold_driver
from blockstack.engine.depth.environments import over_environments, worths
from blockstack.engine.depth.simulate import as_kernel
from blockstack.engine.depth.static import StaticTasks, each_deepest
from blockstack.engine.plan.arrays import OP_NAMES
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.demand import demand_of
from blockstack.engine.plan.entries import not_bounded
from blockstack.engine.plan.interrupts import ASSUMED_IRQ_PER_HOP
from blockstack.engine.plan.layers import Layers
from blockstack.engine.plan.model import Plan
from blockstack.engine.plan.paths import layered
from blockstack.kernel import Kernel
from blockstack.results.result import Explanation, TaskDepth
from blockstack.stack import Stack
from blockstack.workload import Workload

#: without a workload: the largest bio of a block layer of any age, aligned to pages
_ANY_SECTORS, _ANY_ALIGN_SECTORS = 2048, 8


def static_tasks(
    stack: Stack, kernel: Kernel, workload: Workload | None
) -> tuple[StaticTasks, ...]:
    """The bounds of a workload's entry points.

    Without a workload: of every operation that the stack takes, with bios of up to 1 MiB,
    buffered and direct.

    Raises
    ------
    UnsupportedKind
        A kind or operation that the kernel does not have.
    """
    if workload is not None:
        demand = demand_of(workload)
        plan = compile_plan(
            stack, kernel, ops=demand.ops, direct=workload.direct, max_sectors=demand.max_sectors
        )
        return (StaticTasks(plan, demand.max_sectors, demand.align_sectors, workload.direct),)
    return tuple(
        StaticTasks(_whole_plan(stack, kernel, direct), _ANY_SECTORS, _ANY_ALIGN_SECTORS, direct)
        for direct in (False, True)
    )


def _whole_plan(stack: Stack, kernel: Kernel, direct: bool) -> Plan:
    """A plan for every operation that the stack takes."""
    ops = list(OP_NAMES)
    while True:
        try:
            return compile_plan(stack, kernel, ops=ops, direct=direct, max_sectors=_ANY_SECTORS)
        except UnsupportedKind as error:
            if error.value not in ops:
                raise
            ops.remove(error.value)  # the operation that it refuses
            if not {"read", "write"} & set(ops):
                raise


def explain(
    stack: Stack,
    *,
    kernel: Kernel | str | Path,
    submission: str | None = None,
    workload: Workload | None = None,
) -> Explanation:
    """The deepest path of every task of a stack, frame by frame, without simulating.

    Parameters
    ----------
    stack : Stack
    kernel : Kernel, str or Path
        A shipped name, or the path of a frame table.
    submission : str or None
        None: the kernel's own rule.
    workload : Workload or None
        Operations, direct or buffered, and the largest bio; None: every operation that the stack
        takes, buffered and direct, up to 1 MiB.

    Returns
    -------
    Explanation
        Bytes on each task's stack; budgets for what may come on top.

    Raises
    ------
    BlockstackError
        A kind or operation that the kernel does not have.
    """
    found, tasks, bounds = _explained(
        stack, as_kernel(kernel).override(submission=submission), workload
    )
    return replace(found, notes=(*found.notes, *worths(tasks, bounds)))


def explain_briefly(stack: Stack, kernel: Kernel) -> Explanation:
    """The same without what each assumption is worth, which takes a bound for each."""
    return _explained(stack, kernel, None)[0]


def _explained(
    stack: Stack, the_kernel: Kernel, workload: Workload | None
) -> tuple[Explanation, tuple[TaskDepth, ...], tuple[StaticTasks, ...]]:
    bounds = static_tasks(stack, the_kernel, workload)
    budgets = {name: layered(name, path) for name, path in the_kernel.rows.budgets().items()}
    budgets |= {f"interrupt, {k}": p for k, p in bounds[0].shared.paths.items()}
    tasks = each_deepest(task for static in bounds for task in static.all())
    found = Explanation(
        stack=stack.name,
        kernel=the_kernel.name,
        submission=the_kernel.rule,
        tasks=over_drivers(over_environments(tasks, bounds), bounds),
        budgets={name: path.bytes for name, path in budgets.items()},
        budget_paths={name: path.frames() for name, path in budgets.items()},
        notes=notes_of(stack, the_kernel),
        provenance=the_kernel.provenance()
        | {"plan": bounds[0].plan.digest, "overrides": list(the_kernel.overrides)},
    )
    return found, tasks, bounds


def notes_of(stack: Stack, kernel: Kernel) -> tuple[str, ...]:
    """What is assumed or left out for these devices on this kernel, once each."""
    notes = [*stack.warnings(), *(f"kernel: {text}" for text in kernel.taken)]
    for device in stack.devices.values():
        calls = device.kind_entry.calls_for(kernel.generation.name, device.params)
        if calls is not None and calls.note:
            notes.append(f"{device.kind}: {calls.note}")
        if untold := untold_driver(kernel, device):
            notes.append(untold)
        by_param = {} if calls is None else calls.notes
        notes += [
            f"{device.kind}: {by_value[device.params[key]]}"
            for key, by_value in by_param.items()
            if device.params[key] in by_value
        ]
    layers = Layers(kernel, stack)
    for root in stack.roots():
        open_ones = not_bounded(stack, root, layers)
        if open_ones:
            notes.append(
                f"{stack.devices[root].kind}: not bounded, the frame table lacks functions of "
                f"them: {listed(open_ones)}"
            )
    if kernel.platform.irq_stacks == "shared":
        notes.append(
            f"interrupts run on the task's stack; runs assume that one strikes in "
            f"{1 / ASSUMED_IRQ_PER_HOP:.0f} make_request calls, that half of them raise "
            "a softirq"
        )
    if kernel.generation.doubt:
        notes.append(f"assumed: {kernel.generation.doubt}")
    if kernel.generation.note:
        notes.append(f"frames: {kernel.generation.note}")
    asked = kernel.generation.environment
    if asked:
        told, words = kernel.environment.told(), kernel.environment.words()
        said = ", ".join(f"{key} {words[key]}{'' if key in told else '*'}" for key in asked)
        notes.append(f"taken for granted (* untold: the deeper way): {said}")
    notes.append(f"an overflow {kernel.platform.overflow_outcome}")
    return tuple(dict.fromkeys(notes))
