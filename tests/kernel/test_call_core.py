"""The core's longest paths and the slow twin's are the same, bit for bit: random graphs, and every
question that the kinds ask of the shipped kernels."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slow_calls import SlowGraph

from blockstack._calls import Calls, Narrowed
from blockstack.base.calls import Cut
from blockstack.base.errors import BlockstackError
from blockstack.kernel import PROFILES, load_kernel, rows
from blockstack.kernel.cuts import CutTable
from blockstack.kernel.graph import CallGraph, Entered
from blockstack.kernel.subset import calls_of
from blockstack.kernel.table import FrameTable
from blockstack.kinds import KINDS

NAMES = [f"f{i}" for i in range(7)] + ["f1.part.0", "f2@b.c", "g0", "g1"]
ROOTS = ["@root", "@flush"]
FILES = ["a.c", "dir/b.c", "dir/[m.ko]", "other/c.c"]
names = st.sampled_from(NAMES)
sizes = st.integers(0, 3).map(lambda n: 8 * n)
patterns = st.one_of(names, st.sampled_from(["*", "f*", "*1", "g*", "f1", "old"]))


@st.composite
def tables(draw):
    """Few functions that call each other much: cycles, jumps, equal paths."""
    calls = draw(st.dictionaries(names, st.dictionaries(names, sizes, max_size=5), max_size=9))
    tail = draw(st.dictionaries(names, st.dictionaries(names, sizes, max_size=2), max_size=3))
    pointers = draw(st.dictionaries(names, st.lists(sizes, max_size=2), max_size=4))
    known = draw(st.sets(names, min_size=3))
    functions = {
        name: (draw(st.sampled_from(FILES)), draw(sizes), "static") for name in sorted(known)
    }
    calls = {name: row for name, row in calls.items() if name in functions}
    meta = {"pointer_bytes": 4, "arch": "i386", "kernel": "test"}
    return FrameTable(
        meta,
        functions,
        calls,
        {name: row for name, row in tail.items() if name in functions},
        {name: row for name, row in pointers.items() if name in functions},
    )


@st.composite
def cut_tables(draw):
    """Cuts of one path and those of all, below functions and calls, and what is wanted anyhow."""
    classes = st.sampled_from(["topology", "budget"])
    plain = st.builds(Cut, patterns, patterns, st.just("reason"), classes)
    below = st.builds(
        Cut,
        names,
        patterns,
        st.just("reason"),
        below=st.just(True),
        site=st.one_of(st.just(""), names),
    )
    some = st.lists(st.one_of(plain, below), max_size=3).map(tuple)
    once = draw(st.sampled_from([{}, {"f3": ("old",), "g0": ("f4", "old")}]))
    wanted = draw(st.sets(st.tuples(names, names), max_size=3))
    common = draw(st.one_of(st.none(), some.map(lambda cuts: CutTable(cuts, once=once))))
    return CutTable(draw(some), frozenset(wanted), once, common)


entered = st.one_of(
    st.none(),
    st.builds(
        Entered,
        st.sampled_from([("a.c",), ("dir/",), ("a.c", "other/c.c")]),
        st.sets(st.sampled_from(["f1", "g0"])).map(frozenset),
        st.just(12),
    ),
)
ends = st.one_of(names, st.sampled_from([*ROOTS, "unknown"]))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    tables(),
    st.lists(st.sampled_from([*FILES, "dir/", "other/"]), min_size=1, max_size=3, unique=True),
    st.lists(st.tuples(ends, ends), max_size=5),
    cut_tables(),
    entered,
    st.dictionaries(names, sizes, max_size=2),
    st.lists(st.tuples(ends, st.one_of(st.none(), ends), st.sets(ends, max_size=3)), min_size=1),
)
def test_random_graphs(table, files, edges, cuts, tracer, climbs, questions):
    given_ = table, tuple(files), tuple(edges), cuts, tracer, climbs
    core, twin = CallGraph(*given_), SlowGraph(*given_)
    for start, goal, avoid in questions:
        assert core.longest(start, goal, avoid) == twin.longest(start, goal, avoid)
        if goal is not None:
            assert core.reaches(start, goal, avoid) == twin.reaches(start, goal, avoid)


def test_tangled_cycles_are_the_same_walks():
    many = [f"h{i}" for i in range(11)]
    calls = {
        a: {b: 8 * ((3 * i + 5 * j) % 7) for j, b in enumerate(many) if a != b}
        for i, a in enumerate(many)
    }
    meta = {"pointer_bytes": 4, "arch": "i386", "kernel": "test"}
    functions = dict.fromkeys([*many, "end"], ("a.c", 16, "static"))
    calls["h3"]["end"] = 4
    table = FrameTable(meta, functions, calls, {}, {})
    given_ = table, ("a.c",), (), CutTable(())
    for goal in (None, "end"):
        found = CallGraph(*given_).longest("h0", goal)
        assert found == SlowGraph(*given_).longest("h0", goal)
        assert found.steps[0].function == "h0"
    wide = [f"h{i}" for i in range(40)]
    calls = {a: {b: 8 for b in wide if a != b} for a in wide}
    table = replace(table, functions=dict.fromkeys(wide, ("a.c", 16, "static")), calls=calls)
    with pytest.raises(BlockstackError, match="too tangled"):
        CallGraph(table, ("a.c",), (), CutTable(())).longest("h0", None)


class Both(CallGraph):
    """Asks both, and counts the questions."""

    asked = 0

    @cached_property
    def twin(self):
        """The slow one of the same arguments."""
        given_ = self.table, self.files, self.edges, self.cuts, self.entered, self.climbs
        return SlowGraph(*given_)

    def longest(self, start, goal, avoid=()):
        found = super().longest(start, goal, avoid)
        assert found == self.twin.longest(start, goal, avoid), (start, goal)
        Both.asked += 1
        return found

    def reaches(self, start, goal, avoid=()):
        found = super().reaches(start, goal, avoid)
        assert found == self.twin.reaches(start, goal, avoid), (start, goal)
        return found


def ask_everything(kernel, kinds):
    """Every path of these kinds, as a layer, a spine, and under both links."""
    gen = kernel.generation
    for budgets in ((), tuple(gen.budgets)):
        source = replace(kernel.rows, _layers={}, _spines={}, _tails={}, _to={}, _following={})
        source = source.following(frozenset(budgets)) if budgets else source
        every = [calls for kind in kinds for calls in calls_of(kind, gen.name)]
        for path in dict.fromkeys(path for calls in every for path in calls.paths()):
            source.layer(path, gen.submit_link, nested=True)
            source.spine(path)
            source.spine(path, gen.submit_link)
        for path in dict.fromkeys(calls.endio for calls in every if calls.endio):
            source.layer(path, gen.endio_link, nested=True)


@pytest.mark.parametrize("name", ["linux-2.6.18-i386-4k", list(PROFILES)[-1]])
def test_some_kinds_of_two_kernels(name, monkeypatch):
    monkeypatch.setattr(rows, "CallGraph", Both)
    monkeypatch.setattr(Both, "asked", 0)
    ask_everything(load_kernel(name), [KINDS[k] for k in ("dm-linear", "md-raid1")])
    assert Both.asked > 20


#: the twin is through with these kernels within a minute; with later ones it takes half an hour
TWIN = [name for name in PROFILES if name.startswith("linux-2.6")]


@pytest.mark.slow
@pytest.mark.parametrize("name", TWIN)
def test_every_kind_of_every_kernel(name, monkeypatch):
    monkeypatch.setattr(rows, "CallGraph", Both)
    monkeypatch.setattr(Both, "asked", 0)
    ask_everything(load_kernel(name), KINDS.values())
    assert Both.asked > 1000


def core_arguments(**changes):
    """A graph of two functions, one calling the other; ``changes`` break it."""
    plain = {
        "cut": np.zeros(1, np.uint8),
        "how": np.array([1, 0], np.uint8),
        "ends": np.array([8, 16], np.int32),
        "begins": None,
        "forbids": None,
        "callers": np.zeros(0, np.uint32),
        "again": np.zeros(0, np.int32),
        "rows": np.zeros(1, np.uint32),
        "callees": np.zeros(0, np.uint32),
        "kept": np.zeros(0, np.int32),
        "order": np.zeros(0, np.int64),
        "states": np.zeros(0, np.uint64),
    }
    return plain | changes


def two_functions():
    return Calls(np.array([0, 1, 1], np.uint32), np.array([1], np.uint32), np.array([32], np.int32))


NOBODY = np.zeros(0, np.uint32)


def test_the_door_takes_what_is_right():
    found = Narrowed(two_functions(), **core_arguments())
    assert found.longest(0, None, NOBODY, None) == [(0, 32), (1, 16)]
    assert found.longest(0, 1, NOBODY, None) == [(0, 32)]
    assert found.longest(1, 0, NOBODY, None) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"cut": np.zeros(2, np.uint8)},
        {"cut": np.zeros(1, np.int32)},
        {"how": np.zeros(1, np.uint8)},
        {"how": np.array([1, 2], np.uint8)},
        {"ends": np.zeros(3, np.int32)},
        {"callers": np.array([0], np.uint32)},
        {"callers": np.array([5], np.uint32)},
        {"rows": np.array([0, 1], np.uint32)},
        {"callees": np.array([2], np.uint32)},
        {"begins": np.zeros(2, np.uint64)},
    ],
)
def test_the_door_refuses_what_is_wrong(changes):
    with pytest.raises((ValueError, AttributeError)):
        Narrowed(two_functions(), **core_arguments(**changes))


def test_the_door_refuses_functions_that_are_not_there():
    found = Narrowed(two_functions(), **core_arguments())
    for start, goal in ((2, None), (0, 2)):
        with pytest.raises(ValueError, match="no such function"):
            found.longest(start, goal, NOBODY, None)
    with pytest.raises(ValueError, match="no such function"):
        found.longest(0, None, np.array([9], np.uint32), None)
    with pytest.raises(ValueError, match="must rise"):
        Calls(np.array([0, 2, 1], np.uint32), np.array([1], np.uint32), np.array([1], np.int32))
    with pytest.raises(ValueError, match="not below"):
        Calls(np.array([0, 1], np.uint32), np.array([1], np.uint32), np.array([1], np.int32))
