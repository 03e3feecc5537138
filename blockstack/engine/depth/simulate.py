"""The dynamic road: send a workload's bios down a stack and measure depth and throughput."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from time import perf_counter

from blockstack.base.errors import ConfigError
from blockstack.engine.depth.environments import over_environments
from blockstack.engine.depth.static import StaticTasks, each_deepest
from blockstack.engine.depth.verdict import TaskName, task_depth
from blockstack.engine.plan.arrays import NOPS, DrawSpec, IrqSpec
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.core import Call, Columns, RunCounters, replays, run
from blockstack.engine.plan.demand import demand_of, source_of
from blockstack.engine.plan.fan_out import CORE_BYTES, REPLAY_BYTES, check_memory
from blockstack.engine.plan.interrupts import irq_spec
from blockstack.engine.plan.model import Plan
from blockstack.engine.plan.paths import LayeredPath, self_calls
from blockstack.engine.plan.queue_limits import check_blocks
from blockstack.kernel import Kernel, load_kernel
from blockstack.results.result import Interrupts, Result, TaskDepth
from blockstack.stack import Stack
from blockstack.workload import Workload

_SLICE = 1 << 18  # bios between two calls of the progress callback
Progress = Callable[[int, int], None]


def as_kernel(kernel: Kernel | str | Path) -> Kernel:
    """A kernel, or the one that a name or a path stands for."""
    return kernel if isinstance(kernel, Kernel) else load_kernel(kernel)


def simulate(
    stack: Stack,
    workload: Workload,
    *,
    kernel: Kernel | str | Path,
    submission: str | None = None,
    seed: int | None = None,
    bios: int | None = None,
    threads: int = 1,
    irq_per_hop: float | None = None,
    memory_limit_bytes: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Send a workload down a stack and measure depth and throughput.

    Parameters
    ----------
    stack : Stack
        Devices and what they stand on.
    workload : Workload
        What arrives: generator parameters or explicit columns; sizes in sectors of 512 bytes.
    kernel : Kernel, str or Path
        Frame table, submission rule, thread size and interrupt stacks; a name is looked up in the
        shipped ones, a path is read as a frame table.
    submission : {None, "recursive", "fifo", "two-list", "lifo"}
        None: the kernel's own rule. "fifo" serialises nested submissions on a per-task list;
        "recursive" calls down.
    seed : int or None
        Same inputs and seed give the same result, bit for bit. None: the workload's own.
    bios : int or None
        How many bios to send; None: as many as the workload says.
    threads : int
        Threads that share the bios; the result does not depend on it.
    irq_per_hop : float or None
        Probability that an interrupt strikes during one make_request call, on kernels that run
        interrupts on the task's stack. None: `ASSUMED_IRQ_PER_HOP`.
    memory_limit_bytes : int or None
        For the calls that one bio becomes; None: `fan_out.MEMORY_LIMIT_BYTES`.
    progress : callable or None
        Called with (bios done, bios in all) from time to time.

    Returns
    -------
    Result
        ``peak_bytes`` includes the submitting task's own path, not interrupts on their own stack.

    Raises
    ------
    BlockstackError
        A kind or operation that the kernel lacks, a workload that does not fit the stack.
    LimitExceeded
        A bio that becomes more calls than the memory holds.
    """
    the_kernel = as_kernel(kernel).override(submission=submission)
    demand = demand_of(workload)
    plan = compile_plan(
        stack, the_kernel, ops=demand.ops, direct=workload.direct, max_sectors=demand.max_sectors
    )
    check_blocks(
        [e.lower.name for e in plan.entries], plan.limits, demand.align_sectors, "workload.bs"
    )
    total = demand.bios if bios is None else bios
    if total <= 0:
        raise ConfigError("must be a positive number", path="bios", value=total)
    if threads <= 0:
        raise ConfigError("must be a positive number", path="threads", value=threads)
    held = REPLAY_BYTES + CORE_BYTES * threads
    check_memory(plan, demand.max_sectors, held, memory_limit_bytes)
    source = source_of(workload, plan.capacity_sectors, seed)
    static = StaticTasks(plan, demand.max_sectors, demand.align_sectors, workload.direct)
    irq = irq_spec(static.shared, irq_per_hop)
    counters, seconds = _run(plan, source, total, threads, irq, progress)
    used = workload.seed if seed is None else seed
    found = each_deepest((*_simulated(static, source, counters), *static.beside_a_run()))
    tasks = over_environments(found, (static,))
    return _result(plan, tasks, counters, seconds, irq, used)


def _run(
    plan: Plan,
    source: DrawSpec | Columns,
    total: int,
    threads: int,
    irq: IrqSpec | None,
    progress: Progress | None,
) -> tuple[RunCounters, float]:
    counters, done, seconds = None, 0, 0.0
    while done < total:
        count = min(_SLICE * threads, total - done)
        start = perf_counter()
        part = run(plan.arrays, source, first=done, count=count, threads=threads, irq=irq)
        seconds += perf_counter() - start
        counters = part if counters is None else counters.merge(part)
        done += count
        if progress is not None:
            progress(done, total)
    assert counters is not None
    return counters, seconds


def _result(
    plan: Plan,
    tasks: tuple[TaskDepth, ...],
    counters: RunCounters,
    seconds: float,
    irq: IrqSpec | None,
    seed: int,
) -> Result:
    kernel = plan.kernel
    interrupts = (
        None
        if irq is None
        else Interrupts(
            irq.per_hop, counters.irq_strikes, counters.irq_overflows, counters.irq_peak
        )
    )
    provenance = kernel.provenance() | {
        "seed": seed,
        "plan": plan.digest,
        "overrides": list(kernel.overrides),
        "stack": plan.stack.name,
    }
    return Result(
        submission=kernel.rule,
        kernel=kernel.name,
        bios=counters.bios,
        hops=counters.hops,
        splits=counters.splits,
        jobs=counters.jobs,
        overflows=int(counters.overflows.sum()),
        peak_nesting=counters.peak_nesting,
        peak_pending=counters.peak_pending,
        tasks=tasks,
        leaves=_leaves(plan, counters),
        interrupts=interrupts,
        provenance=provenance,
        seconds=seconds,
    )


def _leaves(plan: Plan, counters: RunCounters) -> dict[str, dict[str, int]]:
    leaves: dict[str, dict[str, int]] = {}
    visits = counters.visits.reshape(-1, NOPS).sum(axis=1)
    for i, position in enumerate(plan.positions):
        if not position.shape.children:
            row = leaves.setdefault(position.device.name, {"bios": 0, "sectors": 0})
            row["bios"] += int(visits[i])
            row["sectors"] += int(counters.sectors[i])
    return leaves


def _simulated(
    static: StaticTasks, source: DrawSpec | Columns, counters: RunCounters
) -> Iterable[TaskDepth]:
    """Submitters and workers: the peak that the run reached and the path of the bio that did.

    What the frame table lacks on any path of the task may be deeper than what the run reached.
    """
    plan, bounds = static.plan, static.bound.tasks()
    ran = [number for number in range(len(plan.tasks)) if counters.peak_bio[number] >= 0]
    peaks = [int(counters.peak_bio[number]) for number in ran]
    for number, calls in zip(ran, replays(plan.arrays, source, peaks), strict=True):
        task = plan.tasks[number]
        path = _path(plan, calls, number, int(counters.peak_bytes[number]))
        path = path.lacking(sorted(bounds[number].missing))
        name = TaskName(task.work, task.device)
        if task.context == "caller":  # named as the entry point that this bio took
            entries = plan.entries[number]
            point = next(w for w in entries.points if w.data and w.op == calls[0].op)
            name = TaskName(point.name, entries.source)
        yield task_depth(
            name,
            task.context,
            path,
            task.limit_bytes,
            static.beside(
                name, bounds[number].bytes, static.on_top(task.context), task.limit_bytes
            ),
            reached=True,
            bound_bytes=bounds[number].bytes,
        )


def _path(plan: Plan, calls: list[Call], task: int, peak: int) -> LayeredPath:
    """The frames on ``task``'s stack when one of ``calls`` reached ``peak`` bytes."""
    at = next(i for i, c in enumerate(calls) if c.task == task and c.own_depth == peak)
    chain = [calls[at]]
    while chain[-1].parent >= 0 and calls[chain[-1].parent].task == task:
        upper = calls[chain[-1].parent]
        if upper.depth_at_entry < chain[-1].depth_at_entry:  # still on the stack
            chain.append(upper)
        elif upper.parent >= 0 and calls[upper.parent].task == task:
            chain[-1] = chain[-1]._replace(parent=upper.parent)
        else:
            break
    chain.reverse()
    path = _entry(plan, calls, calls[at])
    for upper, lower in pairwise(chain):
        path = path + _rows(plan, upper, lower.depth_at_entry - upper.depth_at_entry, True)
    last = chain[-1]
    return path + _rows(plan, last, last.own_depth - last.depth_at_entry, False)


def _rows(plan: Plan, call: Call, n_bytes: int, goes_on: bool) -> LayeredPath:
    """One call's own frames; md's self-calls make up what is beyond its row."""
    position = plan.positions[call.position]
    path = (position.through if goes_on else position.peak)[call.op]
    if n_bytes > path.bytes:
        path = path + self_calls(position.device.name, n_bytes - path.bytes)
    return path


def _entry(plan: Plan, calls: list[Call], call: Call) -> LayeredPath:
    task = plan.tasks[call.task]
    if task.context == "worker":
        return task.entry
    outermost = calls[0]
    return plan.entries[call.task].submit[outermost.op]
