"""The door of the compiled core: what a wrong plan, workload or range is told."""

import numpy as np
import pytest
from core_plans import (
    ALL,
    at_most,
    drawn,
    i32,
    limits,
    make,
    one,
    raid5,
    stripe,
)

from blockstack.base.errors import BlockstackError
from blockstack.engine.plan import core
from blockstack.engine.plan.arrays import DISCARD, FLUSH, READ
from blockstack.engine.plan.mappings import LEAF, REMAP

TINY = [stripe([1, 2]), (LEAF, []), (LEAF, [])]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("op_kind", np.array([11, 0, 0], dtype=np.uint8), r"op_kind\[0\]"),
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
        ("child_offset", np.array([0, 1, 0, 1], dtype=np.int64)[::2], "C-contiguous"),
        ("limit", limits([at_most(0), None, None]), r"limit\[0\]: the longest piece"),
        ("limit", limits([None, at_most(8, physical=3), None]), r"limit\[30\]: blocks are powers"),
        ("limit", limits([at_most(8, how=4), None, None]), "no such way"),
        ("limit", limits([at_most(8, how=3, chunk=4, physical=4), None, None]), "granularity"),
        ("limit", np.zeros(3, dtype=np.int64), "90 elements"),
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
