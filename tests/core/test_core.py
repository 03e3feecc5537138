"""The compiled core by itself: hand-computed counters, the worked example, threads, limits."""

from dataclasses import asdict

import core_engine
import numpy as np
import pytest
import reference
from core_plans import (
    ALL,
    CHUNK,
    ENTRY,
    JOB_ENTRY,
    PEAK,
    RULE_IDS,
    RULES,
    THROUGH,
    at_most,
    chain,
    drawn,
    every_rule,
    i32,
    linear,
    make,
    one,
    raid5,
    stripe,
    tree,
)

from blockstack.base.errors import BlockstackError, LimitExceeded
from blockstack.engine.plan import core
from blockstack.engine.plan.arrays import (
    FIFO,
    FLUSH,
    FRONT,
    LIFO,
    LIMIT_FRONT,
    LIMIT_REST,
    LOOP,
    NOPS,
    READ,
    RECURSIVE,
    REST,
    REST_MAPPED,
    TWO_LIST,
    WRITE,
    IrqSpec,
)
from blockstack.engine.plan.mappings import (
    ALIGNED_READ,
    FULL_STRIPE_IN_CALLER,
    LEAF,
    REMAP,
    SEGMENTS,
)

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
def test_a_limit_gives_the_rest_back_first(rule):
    nodes = [(REMAP, [1], {"limit": at_most(16)}), (LEAF, [])]
    calls = core.replay(make(nodes, rule=rule), one(WRITE, 0, 40), 0)
    got = core.run(make(nodes, rule=rule), one(WRITE, 0, 40), count=1)
    assert (got.splits, got.sectors.tolist()) == (2, [0, 40])
    leaves = [c.sector for c in calls if c.position == 1]
    assert leaves == {RECURSIVE: [32, 16, 0], TWO_LIST: [0, 16, 32], LIFO: [0, 16, 32]}.get(
        rule, [0, 16, 32]
    )


@every_rule
@pytest.mark.parametrize("split", [LOOP, FRONT, REST, REST_MAPPED])
@pytest.mark.parametrize("how", [LIMIT_REST, LIMIT_FRONT])
def test_limits_and_a_drivers_own_cuts_agree_with_the_twin(rule, split, how):
    """A striped device whose limits fall inside and outside its chunks, over a limited leaf."""
    limit = at_most(20, memory=17, chunk=44, physical=4, logical=2, how=how)
    top = stripe([1, 2, 3], split=split, limit=limit)
    nodes = [top, (LEAF, [], {"limit": at_most(5)}), (LEAF, []), linear(4), (LEAF, [])]
    spec = drawn(1 << 12, size_lo=3, size_step=3, size_count=40, align_sectors=1)
    plan = make(nodes, rule=rule)
    twin = reference.run(plan, spec, count=50)
    assert twin.splits > 300
    assert asdict(core_engine.run(plan, spec, count=50)) == asdict(twin)


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


@every_rule
def test_raid5_small_write_reads_then_writes_in_the_worker(rule):
    """One 4 KiB block: rmw costs 2 reads, rcw 2; a tie is a reconstruct-write."""
    plan = make(raid5(flags=FULL_STRIPE_IN_CALLER), rule=rule, tasks=2)
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
    full = core.replay(
        make(raid5(flags=FULL_STRIPE_IN_CALLER), rule=rule, tasks=2), one(WRITE, 0, 48), 0
    )
    assert sum(c.task == 1 for c in full) == 0
    assert len(full) == 1 + 2 * 4  # two rows of 4 KiB in a chunk of 8 KiB
    degraded = make(raid5(flags=ALIGNED_READ, failed=1), rule=rule, tasks=2)
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
def test_bios_are_replayed_in_any_order_as_one_by_one(rule):
    plan, spec, bios = make(tree(REST), rule=rule), drawn(1 << 16), [41, 3, 3, 1000, 0]
    assert list(core.replays(plan, spec, bios)) == [core.replay(plan, spec, i) for i in bios]
    columns = core.Columns(*(np.repeat(column, 4) for column in one(WRITE, 0, 8)))
    assert list(core.replays(plan, columns, (3, 1))) == 2 * [core.replay(plan, columns, 0)]
    assert list(core.replays(plan, columns, ())) == []
    for wrong in ((0, 4), (-1, 0)):
        with pytest.raises(BlockstackError, match="first, count"):
            list(core.replays(plan, columns, wrong))


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
