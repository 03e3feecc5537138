"""Hypothesis strategies: random unbalanced plans, workloads and interrupts for the engines.

A plan grows from its roots: every open position gets a kind, and its children are new positions
or, now and then, positions of the same task that are still open, so the drawing is a DAG whose
positions are numbered parents before children. ``need`` is the number of sectors that a position
must be able to serve.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from blockstack.engine.arrays import (
    DISCARD,
    FLUSH,
    FRONT,
    FUA,
    LEAF,
    LOOP,
    MIRROR,
    NOPS,
    RAID10,
    RAID456,
    READ,
    REMAP,
    REST,
    REST_MAPPED,
    SEGMENTS,
    SNAPSHOT,
    SNAPSHOT_ORIGIN,
    WRITE,
    DrawSpec,
    IrqSpec,
    PlanArrays,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]
Pick = Callable[[int, int], int]  # an integer between two bounds, both included
ALL_KINDS = (REMAP, SEGMENTS, MIRROR, RAID10, RAID456, SNAPSHOT_ORIGIN, SNAPSHOT)
ALL_SPLITS = (LOOP, FRONT, REST, REST_MAPPED)
U32_MAX = 2**32 - 1
LONGEST_BIO = 512  # sectors


def picker(draw: Draw) -> Pick:
    """Half of the examples are drawn by hypothesis number by number, so that they shrink; the
    other half come whole from one seed, which spreads them far more evenly."""
    if draw(st.booleans()):
        return random.Random(draw(st.integers(0, U32_MAX))).randint
    return lambda low, high: int(draw(st.integers(low, high)))


@dataclass(frozen=True)
class Shape:
    """What a drawn plan may contain."""

    kinds: tuple[int, ...] = ALL_KINDS
    splits: tuple[int, ...] = ALL_SPLITS
    immediate: bool = True
    shared_queues: bool = True
    workers: bool = True
    max_sectors: bool = True
    dag: bool = True
    max_roots: int = 3
    max_positions: int = 24


@dataclass
class Node:
    """One position while the plan grows."""

    task: int
    level: int
    need: int  # sectors
    kind: int = LEAF
    raid: list[int] = field(default_factory=lambda: [0] * 8)
    children: list[list[int]] = field(default_factory=list)  # [child, wchild, offset]
    segments: list[list[int]] = field(default_factory=list)  # [begin, end, first, width, chunk]


@dataclass
class Grower:
    """Grows the positions of one plan, oldest first."""

    pick: Pick
    shape: Shape
    nodes: list[Node] = field(default_factory=list)
    tasks: int = 1
    now: int = 0  # the position that is being given a kind

    def one_of(self, options: Any) -> Any:
        return options[self.pick(0, len(options) - 1)]

    def rarely(self) -> bool:
        return self.pick(0, 5) == 5

    def position(self, task: int, need: int) -> int:
        """A lower position that serves *need* sectors: a new one or an open one."""
        level = self.nodes[self.now].level + 1
        open_ones = [
            j
            for j in range(self.now + 1, len(self.nodes))
            if self.nodes[j].task == task and self.nodes[j].level >= level
        ]
        if open_ones and self.shape.dag and self.pick(0, 2) == 2:
            j = int(self.one_of(open_ones))
            self.nodes[j].need = max(self.nodes[j].need, need)
            return j
        self.nodes.append(Node(task, level, need))
        return len(self.nodes) - 1

    def worker_task(self) -> int:
        """A task other than the one that hands the job over, or (a loop of jobs) the same."""
        task = self.pick(0, self.tasks) if self.rarely() else self.tasks
        self.tasks = max(self.tasks, task + 1)
        return task

    def add_child(self, need: int, worker_task: int, *, caller: bool, worker: bool) -> None:
        offset = self.pick(0, 99) if self.rarely() else 0
        node = self.nodes[self.now]
        child = self.position(node.task, need + offset) if caller else -1
        wchild = self.position(worker_task, need + offset) if worker else -1
        node.children.append([child, wchild, offset])

    def grow(self) -> None:
        while self.now < len(self.nodes):
            node = self.nodes[self.now]
            full = len(self.nodes) >= self.shape.max_positions or not self.shape.kinds
            if not full and (node.level == 0 or (node.level < 8 and self.pick(0, 2) > 0)):
                self.give_kind(node)
            self.now += 1

    def give_kind(self, node: Node) -> None:
        simple = [kind for kind in (REMAP, SEGMENTS) if kind in self.shape.kinds]
        node.kind = self.one_of(simple if simple and self.pick(0, 1) else self.shape.kinds)
        needs = {
            REMAP: lambda n: [n.need],
            SEGMENTS: self.segments,
            MIRROR: lambda n: [n.need] * self.pick(1, 3),
            RAID10: self.raid10,
            RAID456: self.raid456,
            SNAPSHOT_ORIGIN: self.snapshot,
            SNAPSHOT: self.snapshot,
        }[node.kind](node)
        task = self.worker_task() if self.shape.workers else node.task
        # Stripe and copy-on-write kinds need both; the others a worker's child only when the
        # position hands jobs over (context).
        both = node.kind in (RAID456, SNAPSHOT_ORIGIN, SNAPSHOT)
        worker = self.shape.workers and (both or self.rarely())
        caller = both or not worker or not self.rarely()
        for need in needs:
            self.add_child(need, task, caller=caller, worker=worker)

    def segments(self, node: Node) -> list[int]:
        needs: list[int] = []
        count, begin = self.pick(1, 3), 0
        for s in range(count):
            end = begin + self.pick(1, max(1, node.need // 2))
            if s == count - 1 and not self.rarely():
                end = max(node.need, begin + 1)  # else the last segment has to go on by itself
            width = self.pick(1, 3)
            chunk = self.pick(5, 130) if width > 1 or self.rarely() else 0
            node.segments.append([begin, end, len(needs), width, chunk])
            length = end - begin
            stripe = -(-length // (width * chunk)) * chunk if width > 1 else length
            needs += [stripe] * width
            begin = end
        return needs

    def raid10(self, node: Node) -> list[int]:
        disks = self.pick(1, 5)
        near = self.pick(1, disks)
        far = self.pick(1, disks // near)
        offset, chunk = self.pick(0, 1), self.pick(5, 130)
        rows = (-(-node.need // chunk) * near) // disks + 2
        stride = rows * chunk + self.pick(0, 9)
        node.raid = [disks, near, far, offset, chunk, stride, 0, 0]
        return [rows * far * chunk + far * stride] * disks

    def raid456(self, node: Node) -> list[int]:
        level = self.one_of((4, 5, 6))
        parity = 2 if level == 6 else 1
        disks, chunk = self.pick(parity + 1, 6), 8 * self.pick(1, 9)
        dead = {self.pick(0, disks - 1) for _ in range(self.pick(0, parity))}
        failed = sum(1 << d for d in dead)
        flags, rmw = self.pick(0, 7), self.pick(0, 1)
        node.raid = [disks, parity, chunk, level, rmw, failed, flags, 0]
        return [(node.need // chunk // (disks - parity) + 1) * chunk] * disks

    def snapshot(self, node: Node) -> list[int]:
        chunk = self.pick(5, 130)
        threshold = self.one_of((0, U32_MAX, U32_MAX // 2, U32_MAX // 10))
        node.raid = [chunk, threshold, 0, 0, 0, 0, 0, 0]
        count = 2 if node.kind == SNAPSHOT else self.pick(1, 3)
        return [(node.need // chunk + 1) * chunk] * count


def contexts(g: Grower, node: Node) -> list[int]:
    """Per op: caller or worker, as far as the position's children allow."""
    if not node.children:
        return [0] * NOPS
    child, wchild, _ = node.children[0]
    if wchild < 0:
        return [0] * NOPS
    if child < 0:
        return [1] * NOPS
    return [g.pick(0, 1) for _ in range(NOPS)]


class DrawnPlan(NamedTuple):
    """A plan and what a workload has to know about it."""

    arrays: PlanArrays
    capacity: list[int]  # sectors per root
    discards: bool  # False: a raid4/5/6 somewhere (the compiler refuses discards there)


def cumulative(g: Grower, n: int) -> list[int]:
    """*n* cumulative u32 thresholds; the last one is the top."""
    cuts = [g.pick(0, U32_MAX) for _ in range(n - 1)]
    return [*sorted(cuts), U32_MAX]


def integers(values: list[int], dtype: type) -> Any:
    return np.array(values, dtype=dtype)


@st.composite
def plans(draw: Draw, shape: Shape = Shape(), rule: int | None = None) -> DrawnPlan:
    """Random unbalanced plan; *rule* None: a rule of its own for every op."""
    g = Grower(picker(draw), shape)
    g.shape = replace(shape, max_positions=g.pick(2, shape.max_positions))
    roots = g.pick(1, shape.max_roots)
    for _ in range(roots):
        task = g.pick(0, g.tasks) if shape.workers else 0
        g.tasks = max(g.tasks, task + 1)
        need = g.one_of((LONGEST_BIO, 1000, 10_007, 2**41 + 99))
        g.nodes.append(Node(task, 0, need))
    g.grow()
    capacity = [node.need for node in g.nodes[:roots]]
    discards = all(node.kind != RAID456 for node in g.nodes)
    return DrawnPlan(arrays_of(g, roots, rule), capacity, discards)


def plain(nodes: list[Node], rule: int) -> PlanArrays:
    """The plan of hand-made positions: one root, caller's context, loops, queues of their own."""
    g = Grower(lambda low, high: low, Shape(shared_queues=False), nodes)
    flat = arrays_of(g, 1, rule)
    return flat._replace(
        through=np.full_like(flat.through, 100),
        peak=np.full_like(flat.peak, 150),
        self_bytes=np.zeros_like(flat.self_bytes),
        entry=np.full_like(flat.entry, 1000),
    )


def arrays_of(g: Grower, roots: int, rule: int | None) -> PlanArrays:
    nodes, shape, positions = g.nodes, g.shape, len(g.nodes)
    first_child = [sum(len(n.children) for n in nodes[:p]) for p in range(positions + 1)]
    first_seg = [sum(len(n.segments) for n in nodes[:p]) for p in range(positions + 1)]
    slots = [slot for n in nodes for slot in n.children]
    segs = [(p, seg) for p, n in enumerate(nodes) for seg in n.segments]
    queue = list(range(positions))
    if shape.shared_queues:
        queue = [g.pick(0, positions - 1) if g.rarely() else p for p in queue]

    def limit(node: Node) -> int:
        return g.pick(7, 300) if shape.max_sectors and g.rarely() else 0

    # Bytes come from one seed: nothing is gained by shrinking them one by one.
    dice = random.Random(g.pick(0, U32_MAX))

    def upto(high: int, n: int) -> list[int]:
        return [dice.randint(0, high) for _ in range(n)]

    rules = [rule] * NOPS if rule is not None else [g.pick(0, 3) for _ in range(NOPS)]
    maybe = [0, 1] if shape.immediate else [0]
    i32 = np.int32
    return PlanArrays(
        op_kind=integers([n.kind for n in nodes], np.uint8),
        split=integers([g.one_of(shape.splits) for _ in nodes], np.uint8),
        immediate=integers([g.one_of(maybe) for _ in nodes], np.uint8),
        queue=integers(queue, i32),
        task=integers([n.task for n in nodes], i32),
        max_sectors=integers([limit(n) for n in nodes], np.int64),
        context=integers([c for n in nodes for c in contexts(g, n)], np.uint8),
        through=integers(upto(400, positions * NOPS), i32),
        peak=integers(upto(600, positions * NOPS), i32),
        self_bytes=integers(upto(90, positions), i32),
        child_start=integers(first_child, i32),
        child=integers([slot[0] for slot in slots], i32),
        wchild=integers([slot[1] for slot in slots], i32),
        child_offset=integers([slot[2] for slot in slots], np.int64),
        seg_start=integers(first_seg, i32),
        seg_begin=integers([seg[0] for _, seg in segs], np.int64),
        seg_end=integers([seg[1] for _, seg in segs], np.int64),
        seg_first=integers([first_child[p] + seg[2] for p, seg in segs], i32),
        seg_width=integers([seg[3] for _, seg in segs], i32),
        seg_chunk=integers([seg[4] for _, seg in segs], np.int64),
        raid=integers([x for n in nodes for x in n.raid], np.int64),
        roots=integers(list(range(roots)), i32),
        root_threshold=integers(cumulative(g, roots), np.uint32),
        rule=integers(rules, np.uint8),
        entry=integers(upto(900, roots * NOPS), i32),
        task_entry=integers(upto(900, g.tasks), i32),
        task_limit=integers([500 + x for x in upto(3500, g.tasks)], i32),
    )


def op_shares(g: Grower, discards: bool) -> tuple[list[int], int]:
    """Cumulative op thresholds with zero shares among them, and the first op in use."""
    ops = [READ, WRITE, FLUSH, DISCARD, FUA] if discards else [READ, WRITE, FLUSH, FUA]
    used = sorted({g.one_of(ops) for _ in range(g.pick(1, 6))})
    shares = dict(zip(used, cumulative(g, len(used)), strict=True))
    thresholds, reached = [], 0
    for op in range(NOPS):
        reached = shares.get(op, reached)
        thresholds.append(reached)
    return thresholds, used[0]


@st.composite
def specs(draw: Draw, plan: DrawnPlan, *, read_only: bool = False) -> DrawSpec:
    """Synthetic workload that fits the roots of *plan*."""
    g = Grower(picker(draw), Shape())
    thresholds, first = ([U32_MAX] * NOPS, READ) if read_only else op_shares(g, plan.discards)
    smallest = min(plan.capacity)
    largest = min(smallest, LONGEST_BIO)
    sizes = [g.pick(1, largest) for _ in range(g.pick(1, 4))]
    low = g.pick(1, largest)
    step = g.pick(1, 16)
    return DrawSpec(
        seed=g.one_of((0, 1, 2**64 - 1, g.pick(0, 2**64 - 1))),
        op_threshold=integers(thresholds, np.uint32),
        op_first=first,
        size_mode=g.pick(0, 1),
        size_threshold=integers(cumulative(g, len(sizes)), np.uint32),
        size_sectors=integers(sizes, np.uint32),
        size_lo=low,
        size_step=step,
        size_count=(largest - low) // step + 1,
        pattern=g.pick(0, 2),
        align_sectors=g.pick(1, 16),
        stride_sectors=g.pick(1, 200),
        span_sectors=g.pick(1, smallest),
        **zipf(g),
        capacity_sectors=integers(plan.capacity, np.int64),
    )


def zipf(g: Grower) -> dict[str, Any]:
    """Parameters of Gray et al. 1994 (beyond 1000 ranges zeta by its integral: near enough)."""
    theta, n = g.one_of((0.5, 0.9, 1.2)), g.one_of((2, 3, 40, 1000, 2**33))
    exact = min(n, 1000)
    zetan = sum(math.pow(1.0 / rank, theta) for rank in range(1, exact + 1))
    zetan += (math.pow(n, 1.0 - theta) - math.pow(exact, 1.0 - theta)) / (1.0 - theta)
    zeta2 = 1.0 + math.pow(0.5, theta)
    eta = (1.0 - math.pow(2.0 / n, 1.0 - theta)) / (1.0 - zeta2 / zetan) if n > 2 else 0.0
    return {
        "zipf_n": n,
        "zipf_theta": theta,
        "zipf_zetan": zetan,
        "zipf_eta": eta,
        "zipf_alpha": 1.0 / (1.0 - theta),
    }


@st.composite
def columns(draw: Draw, plan: DrawnPlan, *, rows: int) -> tuple[Any, Any, Any, Any]:
    """The same as explicit columns: op u8, sector i64, nr i64, root i32."""
    g = Grower(picker(draw), Shape())
    out: list[tuple[int, int, int, int]] = []
    ops = [READ, WRITE, FLUSH, DISCARD, FUA] if plan.discards else [READ, WRITE, FLUSH, FUA]
    for _ in range(rows):
        op, root = g.one_of(ops), g.pick(0, len(plan.capacity) - 1)
        nr = g.pick(1, min(plan.capacity[root], LONGEST_BIO))
        sector = g.pick(0, plan.capacity[root] - nr)
        out.append((op, 0, 0, root) if op == FLUSH else (op, sector, nr, root))
    return as_columns(out)


def as_columns(bios: list[tuple[int, int, int, int]]) -> tuple[Any, Any, Any, Any]:
    """(op, sector, nr, root) of each bio, column by column."""
    op, sector, nr, root = (list(column) for column in zip(*bios, strict=True))
    return (
        integers(op, np.uint8),
        integers(sector, np.int64),
        integers(nr, np.int64),
        integers(root, np.int32),
    )


@st.composite
def interrupts(draw: Draw) -> IrqSpec:
    g = Grower(picker(draw), Shape())
    n = g.pick(1, 3)
    return IrqSpec(
        per_hop=g.one_of((0.0, 1e-3, 0.1, 0.5, 0.99)),
        bytes=integers([g.pick(0, 2000) for _ in range(n)], np.int32),
        threshold=integers(cumulative(g, n), np.uint32),
    )


# Linear and striped devices in the caller's context: no bio is copied, dropped or made longer.
TREES = Shape(kinds=(REMAP, SEGMENTS), workers=False)
# Without what lets the two-list rule leave the depth-first order.
DEPTH_FIRST = Shape(
    kinds=(REMAP, SEGMENTS, MIRROR, RAID10),
    splits=(LOOP, FRONT, REST_MAPPED),
    shared_queues=False,
    max_sectors=False,
)
