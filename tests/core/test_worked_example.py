"""The worked example: one bio, two small unbalanced trees, every rule and every split style.

Tree one: R = stripe over [L0, c], L0 = linear over (a, b), and every bio that L0 gets straddles
a|b. Tree two: L0 = linear over (L1, x), L1 = linear over (a, b). One bio covers three chunks of
R: chunks 0 and 2 go to L0, chunk 1 to c. A leaf bio is named by its leaf and R's chunk.
"""

from collections.abc import Callable
from typing import Any

import core_engine
import pytest
import reference
from grow_plans import Node, plain
from strategies import as_columns

from blockstack.engine.plan.arrays import (
    FIFO,
    FRONT,
    LIFO,
    LOOP,
    NOPS,
    READ,
    RECURSIVE,
    REST,
    REST_MAPPED,
    TWO_LIST,
    PlanArrays,
)
from blockstack.engine.plan.mappings import LEAF, SEGMENTS

Engine = Any  # run(arrays, columns, count=) and replay(arrays, columns, index)


def tree(levels: int, top_split: int, rule: int) -> tuple[PlanArrays, Callable[[int, int], str]]:
    """The tree with one or two linear levels below R, and a function that names leaf bios.

    A chunk of L0 ends on ``levels + 1`` leaves, one sector on each: that is R's chunk.
    """
    chunk = levels + 1
    if levels == 1:
        names = ["R", "L0", "c", "a", "b"]
        below = {1: [(3, 1), (4, 1)]}  # position: (child, sectors) of one chunk, in order
    else:
        names = ["R", "L0", "c", "L1", "x", "a", "b"]
        below = {1: [(3, 2), (4, 1)], 3: [(5, 1), (6, 1)]}
    nodes = [Node(task=0, level=0, need=4 * chunk) for _ in names]
    top = nodes[0]
    top.kind, top.children, top.segments = (
        SEGMENTS,
        [[1, -1, 0], [2, -1, 0]],
        [[0, top.need, 0, 2, chunk]],
    )
    for p, parts in below.items():
        nodes[p].kind, begin = SEGMENTS, 0
        for turn in range(2):  # twice: for chunk 0 and for chunk 2
            for child, sectors in parts:
                slot = len(nodes[p].children)
                nodes[p].segments.append([begin, begin + sectors, slot, 1, 0])
                nodes[p].children.append([child, -1, turn * sectors])
                begin += sectors
    arrays = plain(nodes, rule)
    arrays.split[0] = top_split

    def name(position: int, sector: int) -> str:
        turn = 1 if names[position] == "c" else 2 * sector
        return f"{names[position]}{turn}"

    return arrays, name


def one_bio(levels: int) -> tuple[Any, ...]:
    return as_columns([(READ, 0, 3 * (levels + 1), 0)])


def leaf_order(engine: Engine, levels: int, split: int, rule: int) -> str:
    arrays, name = tree(levels, split, rule)
    calls = engine.replay(arrays, one_bio(levels), 0)
    leaves = [c for c in calls if arrays.op_kind[c.position] == LEAF]
    return " ".join(name(c.position, c.sector) for c in leaves)


DEPTH_FIRST = "a0 b0 c1 a2 b2"
DEEP_FIRST = "a0 b0 x0 c1 a2 b2 x2"

# (linear levels, split style of R, rule): order at the leaves
ORDERS = {
    (1, LOOP, RECURSIVE): DEPTH_FIRST,
    (1, REST, RECURSIVE): "a2 b2 c1 a0 b0",
    (1, FRONT, RECURSIVE): DEPTH_FIRST,
    (1, LOOP, FIFO): "c1 a0 b0 a2 b2",
    (1, REST, FIFO): "c1 a0 b0 a2 b2",
    (1, FRONT, FIFO): DEPTH_FIRST,
    (1, LOOP, TWO_LIST): DEPTH_FIRST,
    (1, REST, TWO_LIST): DEPTH_FIRST,
    (1, FRONT, TWO_LIST): DEPTH_FIRST,
    (2, LOOP, RECURSIVE): DEEP_FIRST,
    (2, LOOP, FIFO): "c1 x0 x2 a0 b0 a2 b2",
    (2, REST, FIFO): "c1 x0 a0 b0 x2 a2 b2",
    (2, FRONT, FIFO): "x0 c1 a0 b0 x2 a2 b2",
    (2, LOOP, TWO_LIST): DEEP_FIRST,
    (2, REST, TWO_LIST): DEEP_FIRST,
    (2, FRONT, TWO_LIST): DEEP_FIRST,
    # Worked out by hand, not in the table: the newest first, and the rest mapped in one go.
    (1, LOOP, LIFO): "b2 a2 c1 b0 a0",
    (1, REST, LIFO): "b0 a0 c1 b2 a2",
    (1, FRONT, LIFO): "b2 a2 c1 b0 a0",
    (1, REST_MAPPED, RECURSIVE): "c1 a2 b2 a0 b0",
    (1, REST_MAPPED, TWO_LIST): "c1 a2 b2 a0 b0",
    (1, REST_MAPPED, FIFO): "c1 a2 b2 a0 b0",
}

NESTING = {
    (1, LOOP): 3,
    (1, REST): 5,
    (1, FRONT): 5,
    (1, REST_MAPPED): 3,
    (2, LOOP): 4,
}

PENDING = {
    (LOOP, FIFO): 4,
    (REST, FIFO): 4,
    (LOOP, TWO_LIST): 4,
    (REST, TWO_LIST): 3,
}


@pytest.fixture(params=[reference, core_engine], ids=["twin", "core"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param


@pytest.mark.parametrize(("levels", "split", "rule"), ORDERS)
def test_leaf_order(engine: Engine, levels: int, split: int, rule: int) -> None:
    assert leaf_order(engine, levels, split, rule) == ORDERS[levels, split, rule]


@pytest.mark.parametrize(("levels", "split"), NESTING)
def test_recursion_nests(engine: Engine, levels: int, split: int) -> None:
    arrays, _ = tree(levels, split, RECURSIVE)
    counters = engine.run(arrays, one_bio(levels), count=1)
    nesting = NESTING[levels, split]
    assert counters.peak_nesting == nesting
    assert counters.peak_bytes[0] == 1000 + (nesting - 1) * 100 + 150
    assert counters.peak_pending == 0


@pytest.mark.parametrize("rule", [FIFO, TWO_LIST, LIFO])
@pytest.mark.parametrize(("levels", "split"), NESTING)
def test_serialised_does_not_nest(engine: Engine, levels: int, split: int, rule: int) -> None:
    arrays, _ = tree(levels, split, rule)
    counters = engine.run(arrays, one_bio(levels), count=1)
    assert counters.peak_nesting == 1
    assert counters.peak_bytes[0] == 1000 + 150


@pytest.mark.parametrize(("split", "rule"), PENDING)
def test_peak_pending(engine: Engine, split: int, rule: int) -> None:
    arrays, _ = tree(1, split, rule)
    assert engine.run(arrays, one_bio(1), count=1).peak_pending == PENDING[split, rule]


@pytest.mark.parametrize("rule", [RECURSIVE, FIFO, TWO_LIST, LIFO])
@pytest.mark.parametrize("split", [LOOP, FRONT, REST, REST_MAPPED])
def test_counts(engine: Engine, split: int, rule: int) -> None:
    """R is cut twice, each bio at L0 once; the resubmitted rest visits R again."""
    arrays, _ = tree(1, split, rule)
    counters = engine.run(arrays, one_bio(1), count=1)
    visits = [int(sum(counters.visits[p * NOPS : (p + 1) * NOPS])) for p in range(5)]
    assert visits == [3 if split in (FRONT, REST) else 1, 2, 1, 2, 2]
    assert counters.splits == 4
    assert [int(n) for n in counters.sectors[2:]] == [2, 2, 2]
