"""Host drivers that no source tells: over which a bound goes, and whether all of them overflow.

The row for an untold driver is as deep as any that it may be (`kernel/host_rows.py`), so *fits*
holds whichever it is. *Overflows* needs all: where the shallowest fits, nobody can tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from blockstack.base.hints import listed
from blockstack.engine.depth.static import StaticTasks, each_deepest
from blockstack.kernel import Kernel
from blockstack.kernel.rows import RowSource
from blockstack.kinds.host_drivers import UNTOLD, drivers_of, row_of
from blockstack.results.result import TaskDepth
from blockstack.stack import Device, Stack


def untold_drivers(stack: Stack, kernel: Kernel) -> tuple[str, ...]:
    """Over which host drivers a bound goes where none is told, and which is the deepest."""
    found = (untold_driver(kernel, device) for device in stack.devices.values())
    return tuple(dict.fromkeys(filter(None, found)))


def untold_driver(kernel: Kernel, device: Device) -> str:
    """The same of one device; empty: its driver is told."""
    first, *rest = _ranges(kernel).get(str(device.params.get("driver")), ("", ""))
    if not first:
        return ""
    if first == "unknown":
        return f"{device.kind}: host driver not told; on {kernel.name} unknown: {listed(rest)}"
    which = f"whichever of {rest[0]} host drivers it is (worst: {first})"
    return f"{device.kind}: {which}, {kernel.name}"


def over_drivers(
    tasks: Sequence[TaskDepth], bounds: Sequence[StaticTasks]
) -> tuple[TaskDepth, ...]:
    """Tasks that overflow with some of the drivers that it may be only: cannot tell."""
    plan = bounds[0].plan
    untold = untold_drivers(plan.stack, plan.kernel)
    if not untold or all(task.fits is not False for task in tasks):
        return tuple(tasks)
    least = least_kernel(plan.kernel)
    found = each_deepest(task for static in bounds for task in static.on(least).all())
    shallow = {(task.task, task.context): task.peak_bytes for task in found}
    return tuple(_divided(task, shallow.get((task.task, task.context))) for task in tasks)


def least_kernel(kernel: Kernel) -> Kernel:
    """The kernel whose untold drivers are the shallowest that they may be, on the machine that
    needs least."""
    table = kernel.rows.table
    functions, calls = dict(table.functions), dict(table.calls)
    for word in UNTOLD:
        rows = [row for row in map(row_of, drivers_of(word)) if row in functions]
        if not rows or row_of(word) not in functions:
            continue
        file, _, kind = functions[row_of(word)]
        functions[row_of(word)] = (file, min(functions[row][1] for row in rows), kind)
        calls[row_of(word)] = {}
    rows_of = RowSource(
        replace(table, functions=functions, calls=calls),
        kernel.generation,
        kernel.platform,
        environment=kernel.environment.least(),
    )
    return replace(kernel, rows=rows_of)


def _divided(task: TaskDepth, other_bytes: int | None) -> TaskDepth:
    if task.fits is not False or other_bytes is None or other_bytes > task.limit_bytes:
        return task
    why = f"overflows with some host drivers only: the shallowest needs {other_bytes:,} bytes"
    return replace(
        task,
        fits=None,
        why="; ".join(filter(None, (task.why, why))),
        reasons=(*task.reasons, why),
    )


def _ranges(kernel: Kernel) -> Mapping[str, Sequence[str]]:
    found: Mapping[str, Sequence[str]] = kernel.table.meta.get("untold_drivers", {})
    return found
