"""Small plans, written row by row, and one-bio workloads for the tests of the compiled core."""

import numpy as np
import pytest

from blockstack.engine.plan import core
from blockstack.engine.plan.arrays import (
    FIFO,
    LIFO,
    LIMIT_REST,
    LOOP,
    NLIMITS,
    NOPS,
    READ,
    RECURSIVE,
    TWO_LIST,
    DrawSpec,
    LimitRow,
    PlanArrays,
)
from blockstack.engine.plan.mappings import LEAF, MIRROR, RAID456, REMAP, SEGMENTS, ParityRow, words

RULES = (RECURSIVE, FIFO, TWO_LIST, LIFO)
RULE_IDS = ("recursive", "fifo", "two-list", "lifo")
every_rule = pytest.mark.parametrize("rule", RULES, ids=RULE_IDS)
CHUNK = 8  # sectors
ALL = 0xFFFFFFFF
THROUGH, PEAK, ENTRY, JOB_ENTRY, LIMIT = 100, 150, 1000, 500, 4000


def i32(values):
    return np.ascontiguousarray(values, dtype=np.int32)


def limits(rows) -> np.ndarray:
    """One row of `PlanArrays.limit` per position for all operations; None: no limit."""
    flat = [row or (0,) * NLIMITS for row in rows for _ in range(NOPS)]
    return np.array(flat, dtype=np.int64).reshape(-1)


def at_most(sectors, *, memory=0, chunk=0, physical=1, logical=1, how=LIMIT_REST):
    return LimitRow(sectors, memory, chunk, physical, logical, how)


def make(nodes, *, rule=FIFO, tasks=1, **changes) -> PlanArrays:
    """Plan of (kind, children, options) rows; every row costs the same bytes."""
    count = len(nodes)
    options = [node[2] if len(node) > 2 else {} for node in nodes]
    kids = [kid for node in nodes for kid in node[1]]
    jobs = [job for node, o in zip(nodes, options, strict=True)
            for job in o.get("jobs", [-1] * len(node[1]))]  # fmt: skip
    starts = np.cumsum([0] + [len(node[1]) for node in nodes])
    segments = [
        (begin, end, first + start, width, chunk)
        for o, start in zip(options, starts[:-1], strict=True)
        for begin, end, first, width, chunk in o.get("segments", ())
    ]
    columns = np.array(segments, dtype=np.int64).reshape(-1, 5).T
    arrays = PlanArrays(
        op_kind=np.array([node[0] for node in nodes], dtype=np.uint8),
        split=np.array([o.get("split", LOOP) for o in options], dtype=np.uint8),
        immediate=np.array([o.get("immediate", 0) for o in options], dtype=np.uint8),
        queue=i32([o.get("queue", p) for p, o in enumerate(options)]),
        task=i32([o.get("task", 0) for o in options]),
        limit=limits([o.get("limit") for o in options]),
        context=np.zeros(count * NOPS, dtype=np.uint8),
        through=i32([THROUGH] * count * NOPS),
        peak=i32([PEAK] * count * NOPS),
        self_bytes=i32([o.get("self_bytes", 0) for o in options]),
        child_start=i32(starts),
        child=i32(kids),
        wchild=i32(jobs),
        child_offset=np.zeros(len(kids), dtype=np.int64),
        seg_start=i32(np.cumsum([0] + [len(o.get("segments", ())) for o in options])),
        seg_begin=columns[0].copy(),
        seg_end=columns[1].copy(),
        seg_first=i32(columns[2]),
        seg_width=i32(columns[3]),
        seg_chunk=columns[4].copy(),
        mapping=np.array([words(o.get("row")) for o in options], dtype=np.int64).reshape(-1),
        roots=i32([0]),
        root_threshold=np.array([ALL], dtype=np.uint32),
        rule=np.full(NOPS, rule, dtype=np.uint8),
        entry=i32([ENTRY] * NOPS),
        task_entry=i32([JOB_ENTRY] * tasks),
        task_limit=i32([LIMIT] * tasks),
    )
    return arrays._replace(**changes)


def stripe(kids, *, split=LOOP, **more):
    return (
        SEGMENTS,
        kids,
        {"segments": [(0, 1 << 20, 0, len(kids), CHUNK)], "split": split} | more,
    )


def linear(kid, **more):
    return (SEGMENTS, [kid], {"segments": [(0, 1 << 30, 0, 1, 0)]} | more)


def one(op, sector, nr) -> core.Columns:
    return core.Columns(
        np.array([op], dtype=np.uint8),
        np.array([sector], dtype=np.int64),
        np.array([nr], dtype=np.int64),
        np.array([0], dtype=np.int32),
    )


def drawn(capacity=1 << 30, *, seed=1, **changes) -> DrawSpec:
    spec = DrawSpec(
        seed=seed,
        op_threshold=np.array([ALL // 2, ALL, ALL, ALL, ALL], dtype=np.uint32),
        op_first=READ,
        size_mode=1,
        size_threshold=np.zeros(0, dtype=np.uint32),
        size_sectors=np.zeros(0, dtype=np.uint32),
        size_lo=8,
        size_step=8,
        size_count=16,
        pattern=1,
        align_sectors=8,
        stride_sectors=0,
        span_sectors=1,
        zipf_n=1,
        zipf_theta=0.0,
        zipf_zetan=1.0,
        zipf_eta=0.0,
        zipf_alpha=1.0,
        capacity_sectors=np.array([capacity], dtype=np.int64),
    )
    return spec._replace(**changes)


def chain(depth, **more):
    return [*(linear(p + 1, **more) for p in range(depth)), (LEAF, [])]


def tree(split):
    """Unbalanced: a stripe of a mirror over a stripe, a remapped leaf, and a leaf."""
    return [
        stripe([1, 2, 3], split=split),
        (MIRROR, [4, 5]),
        (REMAP, [6], {"immediate": 1}),
        (LEAF, []),
        stripe([7, 8], split=split),
        (LEAF, []),
        (LEAF, []),
        (LEAF, []),
        linear(9),
        (LEAF, []),
    ]


def raid5(*, flags, failed=0):
    row = ParityRow(disks=4, parity=1, chunk=16, level=5, rmw=1, failed=failed, flags=flags)
    leaves = [(LEAF, [])] * 4 + [(LEAF, [], {"task": 1})] * 4
    return [(RAID456, [1, 2, 3, 4], {"row": row, "jobs": [5, 6, 7, 8]}), *leaves]
