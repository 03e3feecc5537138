"""The compiled core against its slow twin, and properties that hold whatever the plan."""

from dataclasses import asdict
from typing import Any

import core_engine
import numpy as np
import pytest
import reference
import strategies
from grow_plans import Node, Shape, plain
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pace import one_quick
from strategies import DEPTH_FIRST, TREES, DrawnPlan, as_columns

from blockstack.engine.plan.arrays import (
    FIFO,
    LIFO,
    LOOP,
    NOPS,
    READ,
    RECURSIVE,
    REST,
    REST_MAPPED,
    TWO_LIST,
    WRITE,
    PlanArrays,
)
from blockstack.engine.plan.mappings import (
    ALIGNED_READ,
    FULL_STRIPE_IN_CALLER,
    LEAF,
    MIRROR,
    RAID10,
    RAID456,
    READ_IN_CALLER,
    REMAP,
    SEGMENTS,
    CopiesRow,
    ParityRow,
)

RULES = (RECURSIVE, FIFO, TWO_LIST, LIFO)
ENGINES = (reference, core_engine)
BUDGET = 20_000  # hops of the twin per example
BIOS = 6

COPYING = (REMAP, SEGMENTS, MIRROR, RAID10)
NO_RESUBMIT = Shape(
    kinds=COPYING,
    splits=(LOOP, REST_MAPPED),
    immediate=False,
    workers=False,
    limits=False,
    dag=False,
    max_roots=1,
)


def examples(count: int) -> settings:
    """Same examples every time: a failure in CI is a failure at the desk."""
    unhealthy = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(
        max_examples=count, deadline=None, derandomize=True, suppress_health_check=unhealthy
    )


def under(rule: int, drawn: DrawnPlan) -> PlanArrays:
    """The same plan under one rule for all ops."""
    return drawn.arrays._replace(rule=np.full(NOPS, rule, dtype=np.uint8))


def twin_run(arrays: PlanArrays, workload: Any, **options: Any) -> reference.Counters:
    """Counters of the twin; examples whose bios multiply too much are thrown away."""
    try:
        return reference.run(arrays, workload, budget=BUDGET, **options)
    except reference.TooManyHopsError:
        assume(False)
        raise


def workloads(drawn: DrawnPlan) -> st.SearchStrategy[Any]:
    return st.one_of(strategies.specs(drawn), strategies.columns(drawn, rows=BIOS))


def same(twin: reference.Counters, core: reference.Counters) -> None:
    """Compare field by field, so that a failure names the counter."""
    ours, theirs = asdict(twin), asdict(core)
    assert {k: v for k, v in theirs.items() if v != ours[k]} == {
        k: v for k, v in ours.items() if v != theirs[k]
    }


# --- core == twin ----------------------------------------------------------------------------


@examples(150)
@given(st.data())
def test_counters(data: st.DataObject) -> None:
    drawn = data.draw(strategies.plans())
    workload = data.draw(workloads(drawn))
    irq = data.draw(st.none() | strategies.interrupts())
    for rule in RULES:
        arrays = under(rule, drawn)
        twin = twin_run(arrays, workload, count=BIOS, irq=irq)
        same(twin, core_engine.run(arrays, workload, count=BIOS, irq=irq))


@pytest.mark.slow
@examples(100)
@given(st.data())
def test_counters_with_a_rule_per_op(data: st.DataObject) -> None:
    """Flushes of 2.6 kernels recurse while everything else is queued."""
    drawn = data.draw(strategies.plans())
    workload = data.draw(workloads(drawn))
    irq = data.draw(strategies.interrupts())
    twin = twin_run(drawn.arrays, workload, count=BIOS, irq=irq)
    same(twin, core_engine.run(drawn.arrays, workload, count=BIOS, irq=irq))


@pytest.mark.slow
@examples(100)
@given(st.data(), st.sampled_from(RULES))
def test_calls(data: st.DataObject, rule: int) -> None:
    """The list of driver calls of a bio, one by one."""
    drawn = data.draw(strategies.plans())
    workload = data.draw(workloads(drawn))
    arrays = under(rule, drawn)
    twin_run(arrays, workload, count=BIOS)
    for index in range(BIOS):
        assert core_engine.replay(arrays, workload, index) == reference.replay(
            arrays, workload, index
        )


@examples(50)
@given(st.data())
def test_generator_far_out(data: st.DataObject) -> None:
    """Bio numbers around 2**32 and more: the counter is 64 bits wide everywhere."""
    drawn = data.draw(strategies.plans(Shape(kinds=(REMAP, SEGMENTS), max_positions=4)))
    spec = data.draw(strategies.specs(drawn))
    first = data.draw(st.sampled_from((2**31 - 2, 2**32 - 2, 2**40 - 2, 2**43 - 9)))
    irq = data.draw(strategies.interrupts())
    twin = twin_run(drawn.arrays, spec, first=first, count=4, irq=irq)
    same(twin, core_engine.run(drawn.arrays, spec, first=first, count=4, irq=irq))


@pytest.mark.slow
@examples(25)
@given(st.data())
def test_generator(data: st.DataObject) -> None:
    """Root, op, sector and size of many draws on bare leaves."""
    drawn = data.draw(strategies.plans(Shape(kinds=(), limits=False)))
    spec = data.draw(strategies.specs(drawn))
    for index in range(60):
        twin = reference.replay(drawn.arrays, spec, index)
        assert core_engine.replay(drawn.arrays, spec, index) == twin


@pytest.mark.slow
@examples(40)
@given(st.data())
def test_limit_is_usable_to_the_last_byte(data: st.DataObject) -> None:
    """A call that ends exactly on the limit fits; one byte less, and it overflows."""
    drawn = data.draw(strategies.plans())
    workload = data.draw(workloads(drawn))
    peaks = np.array(twin_run(drawn.arrays, workload, count=BIOS).peak_bytes, dtype=np.int32)
    for less in (0, 1):
        arrays = drawn.arrays._replace(task_limit=peaks - less)
        twin = reference.run(arrays, workload, count=BIOS)
        same(twin, core_engine.run(arrays, workload, count=BIOS))
        assert [n > 0 for n in twin.overflows] == [less == 1 and bio >= 0 for bio in twin.peak_bio]


@pytest.mark.slow
@examples(40)
@given(st.data())
def test_threads_and_ranges(data: st.DataObject) -> None:
    """How the bios are shared out does not matter, and a second run is the first again."""
    drawn = data.draw(strategies.plans())
    spec = data.draw(strategies.specs(drawn))
    irq = data.draw(strategies.interrupts())
    count = 40
    whole = twin_run(drawn.arrays, spec, count=count, irq=irq)
    for threads in (1, 1, 2, 3):
        same(whole, core_engine.run(drawn.arrays, spec, count=count, irq=irq, threads=threads))
    cut = data.draw(st.integers(0, count))
    parts = [(0, cut), (cut, count - cut)]
    same(whole, core_engine.run_in_parts(drawn.arrays, spec, parts, irq=irq))


@pytest.mark.parametrize("rule", one_quick(RULES))
@pytest.mark.parametrize("worker", one_quick([0, 1]))
@pytest.mark.parametrize(("split", "pieces"), [(LOOP, 3000), (REST_MAPPED, 3000), (REST, 300)])
def test_long_lists(rule: int, worker: int, split: int, pieces: int) -> None:
    """One bio in thousands of pieces: lists and stacks grow far beyond what a drawn plan needs."""
    top = Node(0, 0, pieces, SEGMENTS)
    top.segments = [[0, pieces, 0, 2, 1]]
    top.children = [[1, 3, 0], [2, 4, 0]]
    arrays = plain([top, *[Node(0, 1, pieces) for _ in range(4)]], rule)
    arrays.split[0] = split
    arrays.context[:NOPS] = worker
    bio = as_columns([(READ, 0, pieces, 0)])
    twin = reference.run(arrays, bio, count=1)
    assert twin.splits == pieces - 1
    same(twin, core_engine.run(arrays, bio, count=1))


# --- properties ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@examples(60)
@given(data=st.data(), rule=st.sampled_from(RULES))
def test_sectors_are_conserved(engine: Any, data: st.DataObject, rule: int) -> None:
    """Linear and striped trees: what the source gives arrives at the leaves, no more, no less."""
    drawn = data.draw(strategies.plans(TREES, rule))
    spec = data.draw(strategies.specs(drawn, read_only=True))
    plan = reference.Twin(drawn.arrays).plan
    sent = sum(reference.source_bio(plan, spec, i)[1].nr for i in range(BIOS))
    assert sum(engine.run(drawn.arrays, spec, count=BIOS).sectors) == sent


@pytest.mark.parametrize("engine", ENGINES)
@examples(60)
@given(data=st.data())
def test_two_lists_keep_the_order_of_recursion(engine: Any, data: st.DataObject) -> None:
    """Leaf order under two lists == depth first.

    Holds for drivers that emit nothing before the front's children (LOOP, FRONT) or map the rest
    at once (REST_MAPPED), when every position has a queue of its own; immediate remaps and workers
    change nothing. It does not hold where the rest is resubmitted first (REST, limits):
    recursion then serves the rest before the front, while the lists put the rest, being of the
    same queue, behind the front. Nor where a child shares its parent's queue (a partition and its
    disk) and its siblings do not. raid4/5/6 and snapshots are left out: one call can both submit
    and hand over, and then its jobs queue up before or after those of the calls that it nests.
    """
    drawn = data.draw(strategies.plans(DEPTH_FIRST))
    spec = data.draw(strategies.specs(drawn))
    twin_run(drawn.arrays, spec, count=1)
    orders = []
    for rule in (RECURSIVE, TWO_LIST):
        calls = engine.replay(under(rule, drawn), spec, 0)
        leaves = [c for c in calls if drawn.arrays.op_kind[c.position] == LEAF]
        orders.append([(c.position, c.op, c.sector, c.nr) for c in leaves])
    assert orders[0] == orders[1]


@pytest.mark.parametrize("engine", ENGINES)
@examples(60)
@given(data=st.data(), rule=st.sampled_from((FIFO, TWO_LIST, LIFO)))
def test_serialised_peak(engine: Any, data: st.DataObject, rule: int) -> None:
    """One driver at a time: nesting 1, peak = entry + the largest single call."""
    drawn = data.draw(strategies.plans(Shape(workers=False, max_roots=1, kinds=COPYING)))
    spec = data.draw(strategies.specs(drawn))
    arrays = under(rule, drawn)
    twin_run(arrays, spec, count=BIOS)
    counters = engine.run(arrays, spec, count=BIOS)
    assert counters.peak_nesting == 1
    peak, entry = arrays.peak.tolist(), arrays.entry.tolist()
    visited = [at for at, n in enumerate(counters.visits) if n]
    assert counters.peak_bytes[0] == max(entry[at % NOPS] + peak[at] for at in visited)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@examples(60)
@given(data=st.data())
def test_recursive_peak(engine: Any, data: st.DataObject) -> None:
    """True recursion: the sum of the frames on the heaviest visited path, never above the bound."""
    drawn = data.draw(strategies.plans(NO_RESUBMIT))
    flat = np.zeros_like(drawn.arrays.self_bytes)
    arrays = under(RECURSIVE, drawn)._replace(self_bytes=flat)
    spec = data.draw(strategies.specs(drawn))
    twin_run(arrays, spec, count=BIOS)
    counters = engine.run(arrays, spec, count=BIOS)
    depth, levels = path_depths(arrays)
    visited = [at for at, n in enumerate(counters.visits) if n]
    assert counters.peak_bytes[0] == max(depth[at] for at in visited)
    assert counters.peak_nesting == max(levels[at // NOPS] for at in visited)
    ops = {at % NOPS for at in visited}
    assert counters.peak_bytes[0] <= max(d for at, d in enumerate(depth) if at % NOPS in ops)


def path_depths(arrays: PlanArrays) -> tuple[list[int], list[int]]:
    """Bytes at the deepest point of each (position, op) of a tree, and levels per position."""
    positions = len(arrays.op_kind)
    below = arrays.entry.tolist() * positions
    levels = [1] * positions
    for p in range(positions):
        for c in arrays.child[arrays.child_start[p] : arrays.child_start[p + 1]].tolist():
            levels[c] = levels[p] + 1
            for op in range(NOPS):
                at = p * NOPS + op
                below[c * NOPS + op] = below[at] + int(arrays.through[at])
    return [sp + int(peak) for sp, peak in zip(below, arrays.peak, strict=True)], levels


@examples(60)
@given(st.data())
def test_same_bios_under_every_rule(data: st.DataObject) -> None:
    """The rule moves bios in time and stack, it does not change what the leaves get."""
    drawn = data.draw(strategies.plans())
    spec = data.draw(strategies.specs(drawn))
    runs = [twin_run(under(rule, drawn), spec, count=BIOS) for rule in RULES]
    for run in runs[1:]:
        for name in ("visits", "sectors", "splits", "jobs", "bios"):
            assert getattr(run, name) == getattr(runs[0], name)


# --- layouts ---------------------------------------------------------------------------------

EVERY_FLAG = FULL_STRIPE_IN_CALLER | ALIGNED_READ | READ_IN_CALLER


def array_of(kind: int, row: CopiesRow | ParityRow) -> PlanArrays:
    """One md array over leaves, and nothing else."""
    disks = row.disks
    top = Node(0, 0, 10_000, kind, row)
    top.children = [[d + 1, d + 1, 0] for d in range(disks)]
    return plain([top, *[Node(0, 1, 10_000) for _ in range(disks)]], RECURSIVE)


def places(engine: Any, arrays: PlanArrays, op: int, sector: int, nr: int) -> list[Any]:
    """(disk, sector) of the leaf bios of one bio."""
    calls = engine.replay(arrays, as_columns([(op, sector, nr, 0)]), 0)[1:]
    return [(c.position - 1, c.sector) for c in calls]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("disks", "near", "far", "offset"),
    [
        (2, 2, 1, 0),
        (4, 2, 1, 0),
        (5, 2, 1, 0),
        (3, 1, 2, 0),
        (4, 1, 2, 1),
        (5, 2, 2, 0),
        (4, 2, 2, 1),
    ],
)
def test_raid10_copies(engine: Any, disks: int, near: int, far: int, offset: int) -> None:
    """Each chunk has near*far copies on as many disks, and no place is used twice."""
    chunk, stride = 8, 1024
    arrays = array_of(RAID10, CopiesRow(disks, near, far, offset, chunk, stride))
    used: list[tuple[int, int]] = []
    for number in range(3 * disks):
        copies = places(engine, arrays, WRITE, number * chunk, chunk)
        assert len({disk for disk, _ in copies}) == near * far
        assert places(engine, arrays, READ, number * chunk, chunk)[0] in copies
        used += copies
    assert len(set(used)) == len(used) == 3 * disks * near * far


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("level", "disks"), [(4, 2), (4, 4), (5, 3), (5, 5), (6, 4), (6, 6)])
def test_raid456_layout(engine: Any, level: int, disks: int) -> None:
    """A full-stripe write covers every disk once, at the row where its chunks are read."""
    parity, chunk = 2 if level == 6 else 1, 8
    arrays = array_of(RAID456, ParityRow(disks, parity, chunk, level, 1, 0, EVERY_FLAG))
    data = disks - parity
    for stripe in range(2 * disks):
        first = stripe * data
        row = places(engine, arrays, WRITE, first * chunk, data * chunk)
        assert row == [(disk, stripe * chunk) for disk in reversed(range(disks))]
        read = [places(engine, arrays, READ, (first + d) * chunk, 8)[0] for d in range(data)]
        assert len(set(read)) == data
        assert set(read) < set(row)


def test_left_symmetric() -> None:
    """The usual picture: parity walks down from the last disk, data goes on behind it."""
    arrays = array_of(RAID456, ParityRow(4, 1, 8, 5, 1, 0, EVERY_FLAG))
    disks = [places(reference, arrays, READ, chunk * 8, 8)[0][0] for chunk in range(12)]
    assert disks == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]
    arrays = array_of(RAID456, ParityRow(5, 2, 8, 6, 1, 0, EVERY_FLAG))
    disks = [places(reference, arrays, READ, chunk * 8, 8)[0][0] for chunk in range(6)]
    assert disks == [1, 2, 3, 0, 1, 2]
