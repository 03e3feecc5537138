"""Grows random plans, position by position, from any source of integers.

A plan grows from its roots: every open position gets a kind, and its children are new positions
or, now and then, positions of the same task that are still open, so the drawing is a DAG whose
positions are numbered parents before children. ``need`` is the number of sectors that a position
must be able to serve.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from blockstack.engine.plan.arrays import (
    DISCARD,
    FRONT,
    LIMIT_DISCARD,
    LIMIT_FRONT,
    LIMIT_REST,
    LOOP,
    NLIMITS,
    NO_LIMIT,
    NOPS,
    REST,
    REST_MAPPED,
    PlanArrays,
)
from blockstack.engine.plan.mappings import (
    CACHE,
    LEAF,
    MIRROR,
    PATHS,
    RAID10,
    RAID456,
    REMAP,
    SEGMENTS,
    SNAPSHOT,
    SNAPSHOT_ORIGIN,
    CacheRow,
    CopiesRow,
    MappingRow,
    ParityRow,
    SnapshotRow,
    words,
)

Pick = Callable[[int, int], int]  # an integer between two bounds, both included
ALL_KINDS = (REMAP, SEGMENTS, MIRROR, RAID10, RAID456, SNAPSHOT_ORIGIN, SNAPSHOT, PATHS, CACHE)
ALL_SPLITS = (LOOP, FRONT, REST, REST_MAPPED)
U32_MAX = 2**32 - 1


@dataclass(frozen=True)
class Shape:
    """What a drawn plan may contain."""

    kinds: tuple[int, ...] = ALL_KINDS
    splits: tuple[int, ...] = ALL_SPLITS
    immediate: bool = True
    shared_queues: bool = True
    workers: bool = True
    limits: bool = True
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
    row: MappingRow | None = None
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
            REMAP: lambda n: [n.need] * (2 if self.rarely() else 1),
            SEGMENTS: self.segments,
            MIRROR: lambda n: [n.need] * self.pick(1, 3),
            RAID10: self.raid10,
            RAID456: self.raid456,
            SNAPSHOT_ORIGIN: self.snapshot,
            SNAPSHOT: self.snapshot,
            PATHS: lambda n: [n.need] * self.pick(1, 3),
            CACHE: self.cache,
        }[node.kind](node)
        task = self.worker_task() if self.shape.workers else node.task
        # Stripe and copy-on-write kinds need both; the others a worker's child only when the
        # position hands jobs over (context).
        both = node.kind in (RAID456, SNAPSHOT_ORIGIN, SNAPSHOT, CACHE)
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
        node.row = CopiesRow(disks, near, far, offset, chunk, stride)
        return [rows * far * chunk + far * stride] * disks

    def raid456(self, node: Node) -> list[int]:
        level = self.one_of((4, 5, 6))
        parity = 2 if level == 6 else 1
        disks, chunk = self.pick(parity + 1, 6), 8 * self.pick(1, 9)
        dead = {self.pick(0, disks - 1) for _ in range(self.pick(0, parity))}
        failed = sum(1 << d for d in dead)
        flags, rmw = self.pick(0, 7), self.pick(0, 1)
        node.row = ParityRow(disks, parity, chunk, level, rmw, failed, flags)
        return [(node.need // chunk // (disks - parity) + 1) * chunk] * disks

    def cache(self, node: Node) -> list[int]:
        threshold = self.one_of((0, U32_MAX, U32_MAX // 2, U32_MAX // 10))
        node.row = CacheRow(self.pick(5, 130), threshold, self.pick(0, 2), self.pick(0, 3))
        return [node.need] * self.pick(2, 3)

    def snapshot(self, node: Node) -> list[int]:
        chunk = self.pick(5, 130)
        threshold = self.one_of((0, U32_MAX, U32_MAX // 2, U32_MAX // 10))
        node.row = SnapshotRow(chunk, threshold)
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


def limit_row(g: Grower, op: int) -> list[int]:
    if op == DISCARD:
        grain = g.pick(1, 40)
        return [g.pick(7, 300), 0, grain, g.pick(0, grain - 1), 1, LIMIT_DISCARD]
    how = g.one_of([NO_LIMIT, LIMIT_REST, LIMIT_REST, LIMIT_FRONT])
    chunk = g.one_of([0, 0, 8, 24, 64])
    return [
        g.pick(7, 300),
        g.one_of([0, 0, 8, 16]),
        chunk,
        1 << g.pick(0, 4),
        1 << g.pick(0, 3),
        how,
    ]


def cumulative(g: Grower, n: int) -> list[int]:
    """*n* cumulative u32 thresholds; the last one is the top."""
    cuts = [g.pick(0, U32_MAX) for _ in range(n - 1)]
    return [*sorted(cuts), U32_MAX]


def integers(values: list[int], dtype: type) -> Any:
    return np.array(values, dtype=dtype)


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
    shape, positions = g.shape, len(g.nodes)
    queue = list(range(positions))
    if shape.shared_queues:
        queue = [g.pick(0, positions - 1) if g.rarely() else p for p in queue]

    def limit() -> list[int]:
        """A limit per operation, rarely."""
        if not shape.limits or not g.rarely():
            return [0] * NLIMITS * NOPS
        return [x for op in range(NOPS) for x in limit_row(g, op)]

    rules = [rule] * NOPS if rule is not None else [g.pick(0, 3) for _ in range(NOPS)]
    maybe = [0, 1] if shape.immediate else [0]
    return PlanArrays(
        split=integers([g.one_of(shape.splits) for _ in g.nodes], np.uint8),
        immediate=integers([g.one_of(maybe) for _ in g.nodes], np.uint8),
        queue=integers(queue, np.int32),
        limit=integers([x for _ in g.nodes for x in limit()], np.int64),
        context=integers([c for n in g.nodes for c in contexts(g, n)], np.uint8),
        roots=integers(list(range(roots)), np.int32),
        root_threshold=integers(cumulative(g, roots), np.uint32),
        rule=integers(rules, np.uint8),
        **links(g.nodes),
        **costs(g, roots),
    )


def links(nodes: list[Node]) -> dict[str, Any]:
    """Kinds, tasks, children and segments as columns."""
    positions = range(len(nodes) + 1)
    first_child = [sum(len(n.children) for n in nodes[:p]) for p in positions]
    first_seg = [sum(len(n.segments) for n in nodes[:p]) for p in positions]
    slots = [slot for n in nodes for slot in n.children]
    segs = [(p, seg) for p, n in enumerate(nodes) for seg in n.segments]
    return {
        "op_kind": integers([n.kind for n in nodes], np.uint8),
        "task": integers([n.task for n in nodes], np.int32),
        "child_start": integers(first_child, np.int32),
        "child": integers([slot[0] for slot in slots], np.int32),
        "wchild": integers([slot[1] for slot in slots], np.int32),
        "child_offset": integers([slot[2] for slot in slots], np.int64),
        "seg_start": integers(first_seg, np.int32),
        "seg_begin": integers([seg[0] for _, seg in segs], np.int64),
        "seg_end": integers([seg[1] for _, seg in segs], np.int64),
        "seg_first": integers([first_child[p] + seg[2] for p, seg in segs], np.int32),
        "seg_width": integers([seg[3] for _, seg in segs], np.int32),
        "seg_chunk": integers([seg[4] for _, seg in segs], np.int64),
        "mapping": integers([x for n in nodes for x in words(n.row)], np.int64),
    }


def costs(g: Grower, roots: int) -> dict[str, Any]:
    """Bytes, all from one seed: nothing is gained by shrinking them one by one."""
    dice, positions = random.Random(g.pick(0, U32_MAX)), len(g.nodes)

    def between(low: int, high: int, n: int) -> Any:
        return integers([dice.randint(low, high) for _ in range(n)], np.int32)

    return {
        "through": between(0, 400, positions * NOPS),
        "peak": between(0, 600, positions * NOPS),
        "self_bytes": between(0, 90, positions),
        "entry": between(0, 900, roots * NOPS),
        "task_entry": between(0, 900, g.tasks),
        "task_limit": between(500, 4000, g.tasks),
    }
