"""Hypothesis strategies: random unbalanced plans, workloads and interrupts for the engines."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from grow_plans import U32_MAX, Grower, Node, Pick, Shape, arrays_of, cumulative, integers
from hypothesis import strategies as st

from blockstack.engine.plan.arrays import (
    DISCARD,
    FLUSH,
    FRONT,
    FUA,
    LOOP,
    NOPS,
    READ,
    REST_MAPPED,
    WRITE,
    DrawSpec,
    IrqSpec,
    PlanArrays,
)
from blockstack.engine.plan.mappings import MIRROR, RAID10, RAID456, REMAP, SEGMENTS

Draw = Callable[[st.SearchStrategy[Any]], Any]
LONGEST_BIO = 512  # sectors
ANYTHING = Shape()


def picker(draw: Draw) -> Pick:
    """Half of the examples are drawn by hypothesis number by number, so that they shrink; the
    other half come whole from one seed, which spreads them far more evenly."""
    if draw(st.booleans()):
        return random.Random(draw(st.integers(0, U32_MAX))).randint
    return lambda low, high: int(draw(st.integers(low, high)))


class DrawnPlan(NamedTuple):
    """A plan and what a workload has to know about it."""

    arrays: PlanArrays
    capacity: list[int]  # sectors per root
    discards: bool  # False: a raid4/5/6 somewhere (the compiler refuses discards there)


@st.composite
def plans(draw: Draw, shape: Shape = ANYTHING, rule: int | None = None) -> DrawnPlan:
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
    g = Grower(picker(draw), ANYTHING)
    thresholds, first = ([U32_MAX] * NOPS, READ) if read_only else op_shares(g, plan.discards)
    offset = g.one_of((0, 0, g.pick(0, min(plan.capacity) - 1)))
    smallest = min(plan.capacity) - offset
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
        capacity_sectors=integers([c - offset for c in plan.capacity], np.int64),
        offset_sectors=offset,
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
    g = Grower(picker(draw), ANYTHING)
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
    g = Grower(picker(draw), ANYTHING)
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
    limits=False,
)
