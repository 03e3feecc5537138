"""`explain`: the static answer."""

from pathlib import Path

from blockstack.engine.demand import demand_of
from blockstack.engine.interrupts import ASSUMED_IRQ_PER_HOP
from blockstack.engine.paths import layered
from blockstack.engine.plan import Plan, compile_plan
from blockstack.engine.simulate import as_kernel
from blockstack.engine.static import StaticTasks
from blockstack.kernel import Kernel
from blockstack.result import Explanation
from blockstack.stack import Stack
from blockstack.workload import Workload


def plan_for(stack: Stack, kernel: Kernel, workload: Workload | None) -> tuple[Plan, StaticTasks]:
    """A plan for the workload's operations (reads and writes without one), and its bounds."""
    demand = demand_of(workload or Workload(rw="randrw", bs="4 KiB"))
    plan = compile_plan(stack, kernel, ops=demand.ops,
                        direct=workload is not None and workload.direct,
                        max_sectors=demand.max_sectors)
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
