"""The slow twin: the submission engines in plain Python.

An independent reading of the same rules as the compiled core: it walks the plan bio by bio with
ordinary lists and recursion and keeps every counter the long way round. No trick in here is meant
to be fast; the core has to agree with it bit for bit (``test_twin.py``).
"""

import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

from reference_draws import Bio, Interrupts, draw_bio
from reference_mapping import Call, Emission, driver_call

from blockstack.engine.plan.arrays import (
    FIFO,
    LIFO,
    LOOP,
    NOPS,
    RECURSIVE,
    TWO_LIST,
    DrawSpec,
    IrqSpec,
    PlanArrays,
)
from blockstack.engine.plan.mappings import LEAF

# True recursion needs one Python frame per level of nesting.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 50_000))


class TooManyHopsError(Exception):
    """The budget of hops is used up (the twin's own brake; the core has none)."""


class Hop(NamedTuple):
    """One driver call as ``replay`` lists it."""

    task: int
    position: int
    op: int
    sector: int
    nr: int
    depth: int  # bytes in use when the call was entered
    own_depth: int
    nesting: int
    parent: int  # index of the call that emitted it, -1 for the source


@dataclass
class Counters:
    """Everything that a run counts; lists are indexed like the plan's arrays."""

    visits: list[int]
    sectors: list[int]  # leaves only
    peak_bytes: list[int]
    peak_bio: list[int]
    overflows: list[int]
    splits: int = 0
    jobs: int = 0
    peak_pending: int = 0
    peak_jobs: int = 0
    peak_nesting: int = 0
    bios: int = 0
    irq_strikes: int = 0
    irq_overflows: int = 0
    irq_peak: int = 0


@dataclass
class Twin:
    """One machine: a plan, its counters, the job queue and the list of calls."""

    arrays: PlanArrays
    irq: IrqSpec | None = None
    seed: int = 0  # of the interrupts
    budget: int = sys.maxsize  # hops
    trace: list[Hop] = field(default_factory=list)
    keep_trace: bool = False

    def __post_init__(self) -> None:
        columns = {name: column.tolist() for name, column in self.arrays._asdict().items()}
        self.plan = SimpleNamespace(**columns)
        plan, tasks = self.plan, len(self.plan.task_limit)
        positions = len(plan.op_kind)
        self.count = Counters(
            visits=[0] * positions * NOPS,
            sectors=[0] * positions,
            peak_bytes=[0] * tasks,
            peak_bio=[-1] * tasks,
            overflows=[0] * tasks,
        )
        self.jobs: deque[tuple[Bio, int]] = deque()
        self.hops, self.bio_index = 0, 0
        self.strikes: Interrupts | None = None

    def source(self, i: int, root: int, bio: Bio) -> None:
        """Source bio number *i*: its own call, then all the jobs that come of it."""
        self.bio_index = i
        if self.irq is not None and self.irq.per_hop > 0.0:
            self.strikes = Interrupts(self.irq, self.seed, i)
        self.count.bios += 1
        self.outermost(bio, self.plan.entry[root * NOPS + bio.op], -1)
        while self.jobs:
            job, parent = self.jobs.popleft()
            self.outermost(job, self.plan.task_entry[self.plan.task[job.position]], parent)

    def outermost(self, bio: Bio, sp: int, parent: int) -> None:
        rule = self.plan.rule[bio.op]
        if rule == RECURSIVE:
            self.recursive(bio, sp, 1, parent)
        else:
            self.serialised(bio, sp, rule, parent)

    def recursive(self, bio: Bio, sp: int, nesting: int, parent: int) -> None:
        """A nested submission runs at once, on top of the caller's frames (<= 2.6.21)."""
        while True:
            call = driver_call(self.plan, bio)
            loops = call.pieces - 2 if self.plan.split[bio.position] == LOOP else 0
            extra = self.plan.self_bytes[bio.position] * max(loops, 0)
            me = self.hop(bio, call, sp, extra=extra, nesting=nesting, parent=parent)
            if not call.immediate:
                break
            bio, parent = self.hand_over(call.emissions, me)[0], me
        below = sp + self.plan.through[bio.position * NOPS + bio.op]
        for lower, worker, piece in call.emissions:
            if worker:
                self.add_job(lower, me)
                continue
            levels = min(piece, max(loops, 0))
            depth = below + self.plan.self_bytes[bio.position] * levels
            self.recursive(lower, depth, nesting + 1, me)

    def serialised(self, bio: Bio, sp: int, rule: int, parent: int) -> None:
        """One driver at a time: nested submissions wait on the task's list (2.6.22 and later)."""
        waiting = [(bio, parent)]
        while waiting:
            bio, parent = waiting.pop(0)
            while True:
                call = driver_call(self.plan, bio)
                me = self.hop(bio, call, sp, parent=parent)
                new = self.hand_over(call.emissions, me)
                if not call.immediate:
                    break
                bio, parent = new[0], me
            fresh = [(b, me) for b in new]
            if rule == FIFO:
                waiting += fresh
            elif rule == TWO_LIST:
                queue = self.plan.queue
                here = queue[bio.position]
                same = [e for e in fresh if queue[e[0].position] == here]
                lower = [e for e in fresh if queue[e[0].position] != here]
                waiting = lower + same + waiting
            else:
                assert rule == LIFO
                waiting = fresh[::-1] + waiting
            self.count.peak_pending = max(self.count.peak_pending, len(waiting))

    def hand_over(self, emissions: Sequence[Emission], me: int) -> list[Bio]:
        """Enqueue the jobs among the emissions; the rest is the caller's own work."""
        for e in emissions:
            if e.worker:
                self.add_job(e.bio, me)
        return [e.bio for e in emissions if not e.worker]

    def add_job(self, bio: Bio, parent: int) -> None:
        self.jobs.append((bio, parent))
        self.count.jobs += 1
        self.count.peak_jobs = max(self.count.peak_jobs, len(self.jobs))

    def hop(
        self, bio: Bio, call: Call, sp: int, *, extra: int = 0, nesting: int = 1, parent: int
    ) -> int:
        """Account for one driver call; returns its number."""
        if self.hops == self.budget:
            raise TooManyHopsError
        plan, count, p = self.plan, self.count, bio.position
        here, task = p * NOPS + bio.op, plan.task[p]
        own = sp + plan.peak[here] + extra
        count.visits[here] += 1
        if plan.op_kind[p] == LEAF:
            count.sectors[p] += call.served
        count.splits += call.splits
        count.peak_nesting = max(count.peak_nesting, nesting)
        count.overflows[task] += own > plan.task_limit[task]
        if count.peak_bio[task] < 0 or own > count.peak_bytes[task]:
            count.peak_bytes[task], count.peak_bio[task] = own, self.bio_index
        if self.strikes and (d := self.strikes.strike(sp, plan.peak[here])) is not None:
            count.irq_strikes += 1
            count.irq_overflows += d > plan.task_limit[task]
            count.irq_peak = max(count.irq_peak, d)
        if self.keep_trace:
            self.trace.append(Hop(task, *bio, sp, own, nesting, parent))
        self.hops += 1
        return self.hops - 1


def source_bio(plan: SimpleNamespace, workload: Any, i: int) -> tuple[int, Bio]:
    """Bio *i* of a DrawSpec or of explicit columns (op, sector, nr, root)."""
    if isinstance(workload, DrawSpec):
        return draw_bio(plan, workload, i)
    op, sector, nr, root = (int(column[i]) for column in workload)
    return root, Bio(plan.roots[root], op, sector, nr)


def run(
    arrays: PlanArrays,
    workload: Any,
    *,
    first: int = 0,
    count: int,
    irq: IrqSpec | None = None,
    budget: int = sys.maxsize,
) -> Counters:
    """Counters of source bios ``first`` .. ``first + count - 1``."""
    seed = workload.seed if isinstance(workload, DrawSpec) else 0
    twin = Twin(arrays, irq, seed, budget)
    for i in range(first, first + count):
        twin.source(i, *source_bio(twin.plan, workload, i))
    return twin.count


def replay(
    arrays: PlanArrays, workload: Any, index: int, *, budget: int = sys.maxsize
) -> list[Hop]:
    """Every driver call of one source bio and its jobs, in the order they are entered."""
    twin = Twin(arrays, budget=budget, keep_trace=True)
    twin.source(index, *source_bio(twin.plan, workload, index))
    return twin.trace
