"""One bio's way through a stack, call by call; and how deep a sample of bios goes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from blockstack.base.errors import ConfigError
from blockstack.base.shown import Shown
from blockstack.engine.depth.simulate import as_kernel
from blockstack.engine.depth.static import StaticTasks, each_deepest
from blockstack.engine.plan.arrays import OP_NAMES, DrawSpec, IrqSpec
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.core import Call, Columns, replay, replays, run
from blockstack.engine.plan.demand import demand_of, source_of
from blockstack.engine.plan.interrupts import irq_spec
from blockstack.engine.plan.model import Plan
from blockstack.kernel import Kernel
from blockstack.results.result import TaskDepth
from blockstack.stack import Stack
from blockstack.workload import Workload

_SEARCHED, _REPLAYED = 20_000, 500  # bios among which the deepest, the longest one is looked for


@dataclass(frozen=True)
class Visit:
    """One make_request or submit_bio call of a bio's journey.

    Attributes
    ----------
    task, device, op : str
    sector, nr_sectors : int
        512 bytes each, on ``device``.
    entry_bytes, peak_bytes : int
        Depth when the block layer is entered for this device, and at the deepest point inside.
    nesting : int
        Calls on this stack at once.
    pending : int
        Bios on the task's list after this call (serialised rules).
    parent : int
        Number of the visit that emitted this bio; -1: the source.
    """

    task: str
    device: str
    op: str
    sector: int
    nr_sectors: int
    entry_bytes: int
    peak_bytes: int
    nesting: int
    pending: int
    parent: int


@dataclass(frozen=True, repr=False)
class Journey(Shown):
    """A bio's visits in the order of the calls, and the completions that they end in.

    Attributes
    ----------
    stack, kernel, submission : str
    bio : int
        Number of the source bio.
    visits : tuple of Visit
    completions : tuple of TaskDepth
        Where the lowest devices complete: one path back up per kind of leaf.
    limit_bytes : int
        Of the tasks' stacks.
    provenance : mapping
    """

    stack: str
    kernel: str
    submission: str
    bio: int
    visits: tuple[Visit, ...]
    completions: tuple[TaskDepth, ...]
    limit_bytes: int
    provenance: dict[str, Any] = field(default_factory=dict)

    def headline(self) -> str:
        """The bio and how far it went."""
        return (
            f"bio {self.bio} of {self.stack} on {self.kernel}, {self.submission}: "
            f"{len(self.visits)} make_request calls, {len(self.completions)} ways back"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"completions": [t.to_dict() for t in self.completions]}


@dataclass(frozen=True)
class DepthSample:
    """The deepest point of each of a sample of bios, with and without interrupts.

    Attributes
    ----------
    stack, kernel, submission : str
    depths_bytes : int array [bios]
        Deepest point of the submitting task, interrupts left out.
    struck_bytes : int array [bios] or None
        The same with interrupts on the task's stack; None: they have stacks of their own.
    limit_bytes : int
    provenance : mapping
    """

    stack: str
    kernel: str
    submission: str
    depths_bytes: NDArray[np.int64]
    struck_bytes: NDArray[np.int64] | None
    limit_bytes: int
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: values and how often each was reached."""

        def counts(depths: NDArray[np.int64]) -> list[list[int]]:
            values, times = np.unique(depths, return_counts=True)
            return [[int(v), int(n)] for v, n in zip(values, times, strict=True)]

        return {
            "stack": self.stack,
            "kernel": self.kernel,
            "submission": self.submission,
            "limit_bytes": self.limit_bytes,
            "depths": counts(self.depths_bytes),
            "struck": None if self.struck_bytes is None else counts(self.struck_bytes),
            "provenance": self.provenance,
        }


@dataclass(frozen=True)
class _Setup:
    plan: Plan
    static: StaticTasks
    source: DrawSpec | Columns
    irq: IrqSpec | None
    provenance: dict[str, Any]


def _setup(
    stack: Stack,
    workload: Workload,
    kernel: Kernel | str | Path,
    submission: str | None,
    seed: int | None,
) -> _Setup:
    chosen = as_kernel(kernel).override(submission=submission)
    demand = demand_of(workload)
    plan = compile_plan(
        stack, chosen, ops=demand.ops, direct=workload.direct, max_sectors=demand.max_sectors
    )
    static = StaticTasks(plan, demand.max_sectors, demand.align_sectors)
    provenance = chosen.provenance() | {
        "seed": workload.seed if seed is None else seed,
        "plan": plan.digest,
        "overrides": list(chosen.overrides),
        "stack": stack.name,
    }
    return _Setup(
        plan,
        static,
        source_of(workload, plan.capacity_sectors, seed),
        irq_spec(static.shared, None),
        provenance,
    )


def journey(
    stack: Stack,
    workload: Workload,
    *,
    kernel: Kernel | str | Path,
    submission: str | None = None,
    seed: int | None = None,
    bio: int | Literal["deepest", "longest"] = "deepest",
) -> Journey:
    """Follow one bio down to the leaves, and its completion back up.

    Parameters
    ----------
    stack : Stack
        Devices and what they stand on.
    workload : Workload
        What arrives; sizes in sectors of 512 bytes.
    kernel : Kernel, str or Path
        A shipped name, or the path of a frame table.
    submission : {None, "recursive", "fifo", "two-list", "lifo"}
        None: the kernel's own rule.
    seed : int or None
        Same inputs and seed give the same answer, bit for bit. None: the workload's own.
    bio : int or {"deepest", "longest"}
        Number of the source bio, or the first of the deepest ones among 20,000, or of those with
        most calls among 500.

    Returns
    -------
    Journey
        Every make_request call in order, with the depth at its entry and its deepest point in
        bytes, and the bound of each completion.

    Raises
    ------
    BlockstackError
        As for `simulate`; a bio that the workload does not have.
    """
    it = _setup(stack, workload, kernel, submission, seed)
    total = demand_of(workload).bios
    number = bio if isinstance(bio, int) else _pick(it, bio, total)
    if not 0 <= number < total:
        raise ConfigError(
            "the workload has no such bio", path="bio", value=bio, hint=f"0 to {total - 1}"
        )
    calls = replay(it.plan.arrays, it.source, number)
    waiting = _pending(it.plan, calls)
    visits = tuple(_visit(it.plan, call, n) for call, n in zip(calls, waiting, strict=True))
    done = each_deepest(t for t in it.static.beyond() if t.direction == "completion")
    return Journey(
        stack.name,
        it.plan.kernel.name,
        it.plan.kernel.rule,
        number,
        visits,
        done,
        it.plan.kernel.platform.limit_bytes,
        it.provenance,
    )


def _pick(it: _Setup, word: str, total: int) -> int:
    if word == "deepest":
        found = run(it.plan.arrays, it.source, first=0, count=min(total, _SEARCHED))
        return int(found.peak_bio[int(np.argmax(found.peak_bytes))])
    if word == "longest":
        bios = range(min(total, _REPLAYED))
        own = [_own_calls(calls) for calls in replays(it.plan.arrays, it.source, bios)]
        return own.index(max(own))
    raise ConfigError("not a bio", path="bio", value=word, hint='a number, "deepest" or "longest"')


def _own_calls(calls: Sequence[Call]) -> int:
    """Calls of the submitting task."""
    return sum(call.task == calls[0].task for call in calls)


def _visit(plan: Plan, call: Call, pending: int) -> Visit:
    return Visit(
        plan.tasks[call.task].name,
        plan.positions[call.position].device.name,
        OP_NAMES[call.op],
        call.sector,
        call.nr,
        call.depth_at_entry,
        call.own_depth,
        call.nesting,
        pending,
        call.parent,
    )


def _pending(plan: Plan, calls: Sequence[Call]) -> list[int]:
    """Bios on the task's list after each call: emitted by then, and not entered yet."""
    waiting = [0] * (len(calls) + 1)
    for number, call in enumerate(calls):
        parent = call.parent
        queued = (
            parent >= 0
            and calls[parent].task == call.task
            and call.nesting == calls[parent].nesting == 1
        )
        if queued and not (parent == number - 1 and plan.arrays.immediate[calls[parent].position]):
            waiting[parent] += 1  # from the call that emitted it ...
            waiting[number] -= 1  # ... to the one that takes it off
    total, found = 0, []
    for change in waiting[:-1]:
        total += change
        found.append(total)
    return found


def sample_depths(
    stack: Stack,
    workload: Workload,
    *,
    kernel: Kernel | str | Path,
    submission: str | None = None,
    seed: int | None = None,
    bios: int = 2000,
) -> DepthSample:
    """How deep each of ``bios`` bios takes its submitter.

    Interrupts strike as in `simulate`: at a random depth of a call, with the same assumed
    probability, from a seeded stream.

    Parameters
    ----------
    stack : Stack
        Devices and what they stand on.
    workload : Workload
        What arrives; sizes in sectors of 512 bytes.
    kernel : Kernel, str or Path
        A shipped name, or the path of a frame table.
    submission : {None, "recursive", "fifo", "two-list", "lifo"}
        None: the kernel's own rule.
    seed : int or None
        Same inputs and seed give the same answer, bit for bit. None: the workload's own.
    bios : int
        How many to follow; at most as many as the workload has.

    Returns
    -------
    DepthSample
        ``depths_bytes`` and, where interrupts run on the task's stack, ``struck_bytes``: int64 of
        shape (bios,).

    Raises
    ------
    BlockstackError
        As for `simulate`.
    """
    it = _setup(stack, workload, kernel, submission, seed)
    draws = np.random.default_rng(it.provenance["seed"])
    bios = min(bios, demand_of(workload).bios)
    depths = np.zeros(bios, np.int64)
    struck = np.zeros(bios, np.int64)
    for bio in range(bios):
        calls = replay(it.plan.arrays, it.source, bio)
        own = [call for call in calls if call.task == calls[0].task]
        depths[bio] = max(call.own_depth for call in own)
        struck[bio] = max(depths[bio], _struck(own, it.irq, draws))
    return DepthSample(
        stack.name,
        it.plan.kernel.name,
        it.plan.kernel.rule,
        depths,
        None if it.irq is None else struck,
        it.plan.kernel.platform.limit_bytes,
        it.provenance,
    )


def _struck(calls: Sequence[Call], irq: IrqSpec | None, draws: np.random.Generator) -> int:
    """Deepest point of the interrupts that strike these calls; 0: none does."""
    if irq is None:
        return 0
    hits = np.flatnonzero(draws.random(len(calls)) < irq.per_hop)
    deepest = 0
    for hit in hits:
        call = calls[int(hit)]
        at = call.depth_at_entry + int(draws.random() * (call.own_depth - call.depth_at_entry + 1))
        kind = int(np.searchsorted(irq.threshold, draws.integers(2**32), side="left"))
        deepest = max(deepest, at + int(irq.bytes[min(kind, len(irq.bytes) - 1)]))
    return deepest
