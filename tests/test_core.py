"""The compiled core by itself: hand-computed counters, the worked example, threads, the door."""

import numpy as np
import pytest

from blockstack.engine import core
from blockstack.engine.arrays import (
    DISCARD,
    FIFO,
    FLUSH,
    FRONT,
    LEAF,
    LIFO,
    LOOP,
    MIRROR,
    NOPS,
    RAID456,
    READ,
    RECURSIVE,
    REMAP,
    REST,
    REST_MAPPED,
    SEGMENTS,
    TWO_LIST,
    WRITE,
    DrawSpec,
    IrqSpec,
    PlanArrays,
)
from blockstack.errors import BlockstackError, LimitExceeded

RULES = (RECURSIVE, FIFO, TWO_LIST, LIFO)
RULE_IDS = ("recursive", "fifo", "two-list", "lifo")
every_rule = pytest.mark.parametrize("rule", RULES, ids=RULE_IDS)
CHUNK = 8  # sectors
ALL = 0xFFFFFFFF
THROUGH, PEAK, ENTRY, JOB_ENTRY, LIMIT = 100, 150, 1000, 500, 4000


def i32(values):
    return np.ascontiguousarray(values, dtype=np.int32)


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
        max_sectors=np.array([o.get("max_sectors", 0) for o in options], dtype=np.int64),
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
        raid=np.array([o.get("raid", [0] * 8) for o in options], dtype=np.int64).reshape(-1),
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


# --- hand-computed ---


@every_rule
def test_chain(rule):
    got = core.run(make(chain(3), rule=rule), one(WRITE, 0, 16), count=1)
    assert got.hops == 4
    assert got.visits.reshape(-1, NOPS)[:, WRITE].tolist() == [1, 1, 1, 1]
    assert got.sectors.tolist() == [0, 0, 0, 16]
    nested = rule == RECURSIVE
    assert got.peak_nesting == (4 if nested else 1)
    assert got.peak_bytes.tolist() == [ENTRY + PEAK + (3 * THROUGH if nested else 0)]
    assert got.peak_bio.tolist() == [0]
    assert got.peak_pending == (0 if nested else 1)
    assert (got.splits, got.jobs, got.overflows.tolist()) == (0, 0, [0])


@every_rule
def test_return_1_remaps_add_neither_nesting_nor_pending(rule):
    got = core.run(make(chain(3, immediate=1), rule=rule), one(READ, 0, 8), count=1)
    assert (got.hops, got.peak_nesting, got.peak_pending) == (4, 1, 0)
    assert got.peak_bytes.tolist() == [ENTRY + PEAK]


@pytest.mark.parametrize("split", [FRONT, REST])
@every_rule
def test_a_cut_bio_is_never_immediate(rule, split):
    nodes = [stripe([1, 2], split=split, immediate=1), (LEAF, []), (LEAF, [])]
    got = core.run(make(nodes, rule=rule), one(READ, 0, 2 * CHUNK), count=1)
    assert (got.hops, got.splits) == (4, 1)
    # The rest is a call of its own and uncut, so its leaf runs in the rest's frame.
    assert got.peak_nesting == (2 if rule == RECURSIVE else 1)


def test_self_calls_of_a_looping_driver():
    """Four pieces: pieces 0, 1, 2, 3 are given below 0, 1, 2, 2 self-calls."""
    nodes = [stripe([1, 2, 3, 4], self_bytes=40), *[(LEAF, [])] * 4]
    plan = make(nodes, rule=RECURSIVE)
    calls = core.replay(plan, one(READ, 0, 4 * CHUNK), 0)
    assert [c.depth_at_entry - ENTRY for c in calls] == [0, 100, 140, 180, 180]
    assert calls[0].own_depth == ENTRY + PEAK + 80
    got = core.run(plan, one(READ, 0, 4 * CHUNK), count=1)
    assert got.peak_bytes.tolist() == [ENTRY + 180 + PEAK]


@every_rule
def test_max_sectors_gives_the_rest_back_first(rule):
    nodes = [(REMAP, [1], {"max_sectors": 16}), (LEAF, [])]
    calls = core.replay(make(nodes, rule=rule), one(WRITE, 0, 40), 0)
    got = core.run(make(nodes, rule=rule), one(WRITE, 0, 40), count=1)
    assert (got.splits, got.sectors.tolist()) == (2, [0, 40])
    leaves = [c.sector for c in calls if c.position == 1]
    assert leaves == {RECURSIVE: [32, 16, 0], TWO_LIST: [0, 16, 32], LIFO: [0, 16, 32]}.get(
        rule, [0, 16, 32]
    )


@every_rule
def test_overflows_and_the_first_bio_at_the_peak(rule):
    plan = make([stripe([1, 3]), linear(2), (LEAF, []), (LEAF, [])], rule=rule)
    plan = plan._replace(task_limit=i32([ENTRY + THROUGH + PEAK]))
    bios = core.Columns(
        np.array([READ] * 4, dtype=np.uint8),
        np.array([CHUNK, 0, CHUNK, 0], dtype=np.int64),
        np.array([CHUNK] * 4, dtype=np.int64),
        np.zeros(4, dtype=np.int32),
    )
    got = core.run(plan, bios, count=4)
    nested = rule == RECURSIVE
    assert got.overflows.tolist() == [2 if nested else 0]
    assert got.peak_bio.tolist() == [1 if nested else 0]


@every_rule
def test_flush_goes_to_every_child_once(rule):
    nodes = [stripe([1, 2, 3]), *[(LEAF, [])] * 3]
    plan = make(nodes, rule=rule)
    got = core.run(plan, one(FLUSH, 0, 0), count=1)
    assert got.visits.reshape(-1, NOPS)[:, FLUSH].tolist() == [1, 1, 1, 1]
    assert got.splits == 0
    assert {(c.sector, c.nr) for c in core.replay(plan, one(FLUSH, 0, 0), 0)} == {(0, 0)}


def raid5(*, flags, failed=0):
    numbers = [4, 1, 16, 5, 1, failed, flags, 0]
    leaves = [(LEAF, [])] * 4 + [(LEAF, [], {"task": 1})] * 4
    return [(RAID456, [1, 2, 3, 4], {"raid": numbers, "jobs": [5, 6, 7, 8]}), *leaves]


@every_rule
def test_raid5_small_write_reads_then_writes_in_the_worker(rule):
    """One 4 KiB block: rmw costs 2 reads, rcw 2; a tie is a reconstruct-write."""
    plan = make(raid5(flags=1), rule=rule, tasks=2)
    calls = core.replay(plan, one(WRITE, 0, 8), 0)
    # Stripe 0: parity on member 3, data on 0, 1, 2; the bio overwrites member 0.
    assert [(c.position, c.op) for c in calls] == [
        (0, WRITE), (7, READ), (6, READ), (8, WRITE), (5, WRITE),
    ]  # fmt: skip
    got = core.run(plan, one(WRITE, 0, 8), count=1)
    assert (got.jobs, got.peak_jobs) == (4, 4)
    assert got.peak_bytes.tolist() == [ENTRY + PEAK, JOB_ENTRY + PEAK]


@every_rule
def test_raid5_full_stripe_in_the_caller_and_degraded_read(rule):
    full = core.replay(make(raid5(flags=1), rule=rule, tasks=2), one(WRITE, 0, 48), 0)
    assert sum(c.task == 1 for c in full) == 0
    assert len(full) == 1 + 2 * 4  # two rows of 4 KiB in a chunk of 8 KiB
    degraded = make(raid5(flags=2, failed=1), rule=rule, tasks=2)
    calls = core.replay(degraded, one(READ, 0, 8), 0)
    assert [c.position for c in calls] == [0, 8, 7, 6]


# --- the worked example ---

# R = stripe over [L0, c]; L0 cuts every bio at a|b; one bio of three chunks.
WORKED = [
    ("loop", LOOP, LOOP, {
        RECURSIVE: ("a0 b0 c1 a2 b2", 3, 0), FIFO: ("c1 a0 b0 a2 b2", 1, 4),
        TWO_LIST: ("a0 b0 c1 a2 b2", 1, 4)}),
    ("mapped", REST_MAPPED, LOOP, {TWO_LIST: ("c1 a2 b2 a0 b0", 1, 3)}),
    ("rest", REST, LOOP, {
        RECURSIVE: ("a2 b2 c1 a0 b0", 5, 0), FIFO: ("c1 a0 b0 a2 b2", 1, 4),
        TWO_LIST: ("a0 b0 c1 a2 b2", 1, 3)}),
    ("front", FRONT, LOOP, {
        RECURSIVE: ("a0 b0 c1 a2 b2", 5, 0), FIFO: ("a0 b0 c1 a2 b2", 1, None),
        TWO_LIST: ("a0 b0 c1 a2 b2", 1, None)}),
]  # fmt: skip


def worked_plan(split, inner, rule):
    half = CHUNK // 2
    member = {
        "segments": [(s * half, (s + 1) * half, s, 1, 0) for s in range(4)],
        "split": inner,
    }
    nodes = [stripe([1, 2], split=split), (SEGMENTS, [3, 4, 3, 4], member), *[(LEAF, [])] * 3]
    # The leaves keep L0's addresses, so that a leaf's sector names the chunk.
    offsets = np.array([0, 0, 0, half, CHUNK, CHUNK + half], dtype=np.int64)
    return make(nodes, rule=rule)._replace(child_offset=offsets)


@pytest.mark.parametrize(
    ("split", "inner", "rule", "order", "nesting", "pending"),
    [
        pytest.param(split, inner, rule, *row, id=f"{name}-{RULE_IDS[rule]}")
        for name, split, inner, rows in WORKED
        for rule, row in rows.items()
    ],
)
def test_worked_example(split, inner, rule, order, nesting, pending):
    plan = worked_plan(split, inner, rule)
    bio = one(READ, 0, 3 * CHUNK)
    calls = core.replay(plan, bio, 0)
    # A leaf's chunk: chunk 1 is the second member's; L0's first chunk is 0, its second is 2.
    name = {2: "c", 3: "a", 4: "b"}
    chunk = [(name[c.position], 1 if c.position == 2 else 2 * (c.sector // CHUNK))
             for c in calls if c.position in name]  # fmt: skip
    assert " ".join(f"{leaf}{number}" for leaf, number in chunk) == order
    got = core.run(plan, bio, count=1)
    assert got.peak_nesting == nesting
    assert max(c.nesting for c in calls) == nesting
    if pending is not None:
        assert got.peak_pending == pending


# --- replay, threads, ranges ---


@pytest.mark.parametrize("split", [LOOP, FRONT, REST, REST_MAPPED])
@every_rule
def test_replay_adds_up_to_run(rule, split):
    plan, spec, count = make(tree(split), rule=rule), drawn(1 << 16), 60
    got = core.run(plan, spec, count=count)
    visits = np.zeros_like(got.visits)
    calls = [call for i in range(count) for call in core.replay(plan, spec, i)]
    for call in calls:
        visits[call.position * NOPS + call.op] += 1
    assert np.array_equal(visits, got.visits)
    assert max(c.own_depth for c in calls) == got.peak_bytes[0]
    assert max(c.nesting for c in calls) == got.peak_nesting


@every_rule
def test_threads_and_ranges_do_not_change_the_counters(rule):
    plan, spec = make(tree(REST), rule=rule), drawn(1 << 16)
    irq = IrqSpec(0.01, i32([100, 900]), np.array([ALL // 2, ALL], dtype=np.uint32))
    whole = core.run(plan, spec, count=1000, irq=irq)
    assert whole.irq_strikes > 0
    assert core.run(plan, spec, count=1000, threads=3, irq=irq) == whole
    parts = [core.run(plan, spec, first=f, count=250, irq=irq) for f in (500, 0, 750, 250)]
    assert core.merged(parts) == whole


def test_interrupts_change_no_other_counter():
    plan, spec = make(tree(LOOP), rule=RECURSIVE), drawn(1 << 16)
    irq = IrqSpec(0.5, i32([10]), np.array([ALL], dtype=np.uint32))
    quiet, struck = core.run(plan, spec, count=100), core.run(plan, spec, count=100, irq=irq)
    assert np.array_equal(quiet.visits, struck.visits)
    assert struck.irq_strikes == pytest.approx(struck.hops / 2, rel=0.2)
    assert struck.irq_peak <= quiet.peak_bytes[0] + 10


# --- limits ---


def test_lists_grow():
    """One bio of 32 MiB in 4 KiB chunks: 8192 pieces at once, far above the first buffer."""
    nodes = [stripe([1, 2]), (LEAF, []), (LEAF, [])]
    for rule in RULES:
        got = core.run(make(nodes, rule=rule), one(READ, 0, 8192 * CHUNK), count=1)
        assert got.splits == 8191
        assert got.hops == 8193
        assert got.peak_pending == (0 if rule == RECURSIVE else 8192)


def test_nesting_limit_fails_loudly():
    """A rest that is resubmitted within the call nests once per piece."""
    nodes = [stripe([1, 2], split=REST), (LEAF, []), (LEAF, [])]
    bio = one(READ, 0, 100_010 * CHUNK)
    with pytest.raises(LimitExceeded, match="100000 nested"):
        core.run(make(nodes, rule=RECURSIVE), bio, count=1)
    assert core.run(make(nodes, rule=TWO_LIST), bio, count=1).splits == 100_009
    deep = core.run(make(nodes, rule=RECURSIVE), one(READ, 0, 99_990 * CHUNK), count=1)
    assert deep.peak_nesting == 99_991


# --- the door ---

TINY = [stripe([1, 2]), (LEAF, []), (LEAF, [])]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("op_kind", np.array([9, 0, 0], dtype=np.uint8), r"op_kind\[0\]"),
        ("op_kind", np.array([2, 0, 0], dtype=np.int64), "dtype uint8"),
        ("peak", i32([0]), "15 elements"),
        ("peak", [1, 2], "numpy array"),
        ("child", i32([1, 3]), r"child\[1\]"),
        ("child", i32([1, 0]), "parents before children"),
        ("child", i32([1, -1]), "link that is -1"),
        ("child_start", i32([0, 3, 2, 2]), "must not fall"),
        ("child_offset", np.array([0, -1], dtype=np.int64), "child_offset"),
        ("seg_chunk", np.array([0], dtype=np.int64), "a stripe needs a chunk"),
        ("seg_begin", np.array([8], dtype=np.int64), "contiguous from 0"),
        ("seg_width", i32([3]), "children out of range"),
        ("task", i32([0, 0, 1]), r"task\[2\]"),
        ("rule", np.array([0, 0, 0, 0, 4], dtype=np.uint8), r"rule\[4\]"),
        ("roots", i32([3]), "roots"),
        ("root_threshold", np.array([5], dtype=np.uint32), "root_threshold"),
        ("through", i32([1 << 25] * 15), "through"),
        ("max_sectors", np.array([1, 2, 3, 4, 5, 6], dtype=np.int64)[::2], "C-contiguous"),
    ],
)
def test_a_wrong_plan_is_refused(field, value, message):
    with pytest.raises(BlockstackError, match=message):
        core.run(make(TINY)._replace(**{field: value}), drawn(), count=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size_count": 1 << 28}, "larger than a device"),
        ({"pattern": 3}, "pattern"),
        ({"align_sectors": 0}, "align_sectors"),
        ({"op_threshold": np.array([9, 3, 3, 3, ALL], dtype=np.uint32)}, "must not fall"),
        ({"capacity_sectors": np.array([8, 8], dtype=np.int64)}, "capacity_sectors"),
        ({"pattern": 0, "stride_sectors": 1 << 62}, "stride_sectors"),
    ],
)
def test_a_wrong_workload_is_refused(changes, message):
    with pytest.raises(BlockstackError, match=message):
        core.run(make(TINY), drawn()._replace(**changes), count=10)


@pytest.mark.parametrize(
    ("bio", "message"),
    [
        (one(READ, 0, 0), "only a flush"),
        (one(FLUSH, 0, 8), "a flush has"),
        (one(READ, -8, 8), "sector"),
        (one(READ, 0, 1 << 31), "nr_sectors"),
        (one(7, 0, 8), r"op\[0\]"),
    ],
)
def test_wrong_columns_are_refused(bio, message):
    with pytest.raises(BlockstackError, match=message):
        core.run(make(TINY), bio, count=1)


def test_ranges_and_threads_are_checked():
    with pytest.raises(BlockstackError, match=r"bios 0\.\.2 of 1"):
        core.run(make(TINY), one(READ, 0, 8), count=2)
    with pytest.raises(BlockstackError, match="threads"):
        core.run(make(TINY), drawn(), count=1, threads=0)
    assert core.run(make(TINY), drawn(), count=0).hops == 0


def test_a_discard_on_raid5_is_refused():
    with pytest.raises(BlockstackError, match="takes no discard"):
        core.run(make(raid5(flags=0), tasks=2), one(DISCARD, 0, 8), count=1)


def test_a_child_in_another_task_needs_a_worker():
    nodes = [(REMAP, [1]), (LEAF, [], {"task": 1})]
    with pytest.raises(BlockstackError, match="another task"):
        core.run(make(nodes, tasks=2), drawn(), count=1)
