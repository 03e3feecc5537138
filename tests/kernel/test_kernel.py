"""Frame tables, call paths, cuts, platforms, kernel profiles."""

import gzip
import json
import random
from dataclasses import replace
from pathlib import Path as File

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockstack.base.calls import Cut, Path
from blockstack.base.errors import BlockstackError, UnknownFrame
from blockstack.generations import GENERATIONS
from blockstack.kernel import PROFILES, CallPath, FrameTable, load_kernel, load_table, subset
from blockstack.kernel.common_cuts import COMMON_CUTS, RARE_CUTS
from blockstack.kernel.cuts import CutTable
from blockstack.kernel.graph import CallGraph, Step
from blockstack.kernel.rows import RowSource
from blockstack.kinds import KINDS
from blockstack.validation.files import SHIPPED

NO_CUTS = CutTable(())


def table(calls, frames=None, tail=None, indirect=None, file="a.c", meta=None):
    names = set(calls) | {c for d in calls.values() for c in d} | set(frames or {})
    names |= {c for d in (tail or {}).values() for c in d if c != "*"} | set(tail or {})
    functions = {n: (file, (frames or {}).get(n, 8), "static") for n in names}
    return FrameTable(
        {"pointer_bytes": 4, "arch": "i386", "kernel": "test"} | (meta or {}),
        functions,
        calls,
        tail or {},
        indirect or {},
    )


def graph(t, edges=(), cuts=NO_CUTS, files=("a.c",)):
    return CallGraph(t, files, tuple(edges), cuts)


def functions(path):
    return [s.function for s in path.steps]


def test_longest_takes_bytes_not_number_of_functions():
    t = table({"a": {"b": 4, "c": 4}, "b": {"d": 4}, "d": {"e": 4}, "c": {"e": 100}})
    found = graph(t).longest("a", "e")
    assert functions(found) == ["a", "c"]
    assert found.bytes == 104


def test_call_site_depth_beats_the_frame():
    """On i386 arguments are pushed around calls: the depth at the call site counts."""
    t = table({"a": {"b": 20}}, frames={"a": 28, "b": 12})
    assert graph(t).longest("a", "b").bytes == 20
    assert graph(t).longest("a", None).bytes == 32


def test_tail_call_keeps_nothing():
    t = table({"a": {"b": 20}, "c": {}}, tail={"b": {"c": 0}}, frames={"c": 40})
    assert [(s.function, s.bytes) for s in graph(t).longest("a", None).steps] == [
        ("a", 20),
        ("b", 0),
        ("c", 40),
    ]


def test_own_frame_may_be_the_deepest():
    t = table({"a": {"b": 8}}, frames={"a": 300, "b": 4})
    found = graph(t).longest("a", None)
    assert found.steps == (Step("a", 300),)


def test_indirect_calls_need_the_topology():
    t = table({"a": {"x": 4}}, frames={"b": 8}, indirect={"a": [12, 40]})
    assert graph(t).longest("a", "b") is None
    assert graph(t, [("a", "b")]).longest("a", "b").bytes == 40


def test_bio_endio_jumps_to_the_end_io():
    """Its other calls through pointers are no end_ios; another function's deepest one counts."""
    calls = {"bio_endio": {"put": 32}, "other": {"put": 32}, "end": {}}
    t = table(
        calls,
        tail={"bio_endio": {"*": 0}, "other": {"*": 0}},
        indirect={"bio_endio": [32], "other": [32]},
    )
    edges = (("bio_endio", "end"), ("other", "end"))
    assert [graph(t, edges).longest(f, "end").bytes for f in ("bio_endio", "other")] == [0, 32]
    called = table(calls, indirect={"bio_endio": [32]})
    assert graph(called, edges).longest("bio_endio", "end").bytes == 32


def test_cycle_is_solved_over_simple_paths():
    calls = {"a": {"b": 10}, "b": {"c": 10, "d": 1}, "c": {"b": 10, "d": 50}, "d": {}}
    found = graph(table(calls, frames={"d": 5})).longest("a", None)
    assert functions(found) == ["a", "b", "c", "d"]
    assert found.bytes == 10 + 10 + 50 + 5


def test_other_files_count_their_own_frame_only():
    t = table({"a": {"b": 10}, "b": {"c": 500}}, frames={"b": 30})
    fn = dict(t.functions) | {"b": ("other.c", 30, "static")}
    t = FrameTable(t.meta, fn, t.calls, t.tail, t.indirect)
    assert graph(t).longest("a", None).bytes == 40


@given(st.integers(0, 10_000))
def test_edge_order_does_not_matter(seed):
    rng = random.Random(seed)
    names = [f"f{i}" for i in range(8)]
    calls = {
        a: {b: rng.randrange(4, 200, 4) for b in names if a != b and rng.random() < 0.3}
        for a in names
    }
    frames = {n: rng.randrange(4, 100, 4) for n in names}
    shuffled = {
        a: dict(rng.sample(list(calls[a].items()), len(calls[a])))
        for a in rng.sample(names, len(names))
    }
    one = graph(table(calls, frames)).longest("f0", None)
    two = graph(table(shuffled, frames)).longest("f0", None)
    assert one.bytes == two.bytes == _brute(calls, frames, "f0", ())


def _brute(calls, frames, here, seen):
    rest = [
        n + _brute(calls, frames, c, (*seen, here))
        for c, n in calls[here].items()
        if c not in (*seen, here)
    ]
    return max([frames[here], *rest])


def test_find_understands_gcc_clones_and_files():
    t = table({"f.isra.0": {}, "g.constprop.0.isra.0": {}, "h@b.c": {}, "h": {}})
    assert t.find("f") == "f.isra.0"
    assert t.find("g") == "g.constprop.0.isra.0"
    assert t.find("h@a.c") == "h"
    assert t.find("h@b.c") == "h@b.c"
    assert t.find("h@z.c") is None
    assert t.find("nothing") is None
    with pytest.raises(UnknownFrame, match="nothing"):
        t.frame("nothing")


def test_a_module_joins_the_table_of_its_build():
    """Its rows are added; a name that both have gets its file, in the module's own calls too."""
    t = table({"submit_bio": {"__submit_bio": 16}, "__submit_bio": {}}, {"__submit_bio": 32})
    more = table(
        {"f2fs_write": {"__submit_bio": 48}, "__submit_bio": {"submit_bio": 64}},
        file="fs/f2fs/data.c",
        meta={**t.meta, "provenance": "f2fs.ko"},
    )
    own = {name: row for name, row in more.functions.items() if name != "submit_bio"}
    whole = t.joined(replace(more, functions=own))
    own = "__submit_bio@fs/f2fs/data.c"
    assert whole.find("__submit_bio") == "__submit_bio" and whole.frame("__submit_bio") == 32
    assert whole.calls["f2fs_write"] == {own: 48} and whole.calls[own] == {"submit_bio": 64}
    assert "f2fs.ko" in whole.meta["added"][0]
    with pytest.raises(BlockstackError, match="another architecture"):
        t.joined(table({}, meta={**t.meta, "arch": "sparc"}))


def test_one_of_several_builds_is_found_by_its_label_only():
    """Three states of a file system have the same names: none stands for another."""
    t = table({"submit_bio": {}}, {"submit_bio": 8})
    for label, n in (("2005-08", 160), ("2006-08", 24)):
        more = table(
            {"writepage": {"flush.isra.0": n, "submit_bio": n}, "flush.isra.0": {}},
            {"writepage": n, "flush.isra.0": n + 4},
            meta={**t.meta, "provenance": "reiser4", "label": label},
        )
        own = {name: row for name, row in more.functions.items() if name != "submit_bio"}
        t = t.joined(replace(more, functions=own))
    assert t.find("writepage") is None and t.find("flush") is None
    assert t.find("writepage@2005-08") == "writepage@2005-08"
    assert t.find("flush@2006-08") == "flush.isra.0@2006-08"
    assert t.calls["writepage@2006-08"] == {"flush.isra.0@2006-08": 24, "submit_bio": 24}
    assert t.frame("flush.isra.0@2005-08") == 164
    assert sorted(t.named("writepage")) == ["writepage@2005-08", "writepage@2006-08"]


def test_calls_into_what_was_not_extracted_are_added():
    t = table({"wait_on_buffer": {}, "brelse": {}}, {"wait_on_buffer": 8})
    t = replace(t, calls={"wait_on_buffer": {"brelse": 4}})
    more = table(
        {"wait_on_buffer": {"out_of_line": 8, "brelse": 6}},
        {"out_of_line": 48},
        meta={**t.meta, "provenance": "wait.o"},
    )
    own = {"out_of_line": more.functions["out_of_line"]}
    whole = t.joined(replace(more, functions=own))
    assert whole.calls["wait_on_buffer"] == {"brelse": 4, "out_of_line": 8}
    assert whole.frame("wait_on_buffer") == 8 and whole.frame("out_of_line") == 48


def test_a_way_through_a_rare_call_is_not_typical():
    kernel = load_kernel("linux-6.1-x86_64")
    rows = kernel.rows
    typical = RowSource(rows.table, rows.generation, rows.platform, None, RARE_CUTS)
    ways = KINDS["btrfs"].entries["6.1"]
    left = {name for name, path in ways.items() if typical.leaves_out(path)}
    assert left == {name for name in ways if name.endswith(("-csum", "-chunk"))}
    assert not any(rows.leaves_out(path) for path in ways.values())


def test_cuts_match_names_patterns_and_clones():
    cuts = CutTable(
        (
            Cut("*", "printk", "r", "error"),
            Cut("a", "b", "r", "async"),
            Cut("*", "*_warn", "r", "error"),
        )
    )
    assert cuts.is_cut("anything", "printk")
    assert cuts.is_cut("a.isra.0", "b.part.0@x.c")
    assert not cuts.is_cut("c", "b")
    assert cuts.is_cut("c", "dev_warn")


def test_a_cut_below_a_function_holds_wherever_it_is_on_the_stack():
    calls = {
        "a": {"lookup": 10, "search": 4},
        "lookup.part.0": {},
        "lookup": {"step": 10},
        "step": {"search": 10},
        "search": {"split.cold": 50, "read": 20},
        "split.cold": {},
        "read": {},
    }
    cuts = CutTable((Cut("lookup", "split*", "looks up only", "workload", below=True),))
    found = graph(table(calls), cuts=cuts).longest("a", None)
    assert [(s.function, s.bytes) for s in found.steps] == [
        ("a", 4),
        ("search", 50),
        ("split.cold", 8),
    ]  # 62; by lookup: 10 + 10 + 10 + 20 + 8
    at_lookup = graph(table(calls), cuts=cuts).longest("lookup", None)
    assert functions(at_lookup) == ["lookup", "step", "search", "read"]
    assert graph(table(calls), cuts=cuts).longest("lookup", "split.cold") is None
    assert not cuts.is_cut("search", "split")


@given(st.integers(0, 10_000), st.booleans())
def test_cuts_below_functions_against_all_paths(seed, cycles):
    """The longest of all paths that no such cut rules out; with a goal, and what to avoid."""
    rng = random.Random(seed)
    names = [f"f{i}" for i in range(7)]
    calls = {
        a: {b: rng.randint(4, 60) for b in rng.sample(names, 3) if b != a and (cycles or b > a)}
        for a in names
    }
    below = {(rng.choice(names), rng.choice(names)) for _ in range(3)}
    cuts = tuple(Cut(top, b, "reason", "workload", below=True) for top, b in sorted(below))
    goal, avoid = rng.choice([None, "f5"]), rng.sample(["f3", "f4"], rng.randint(0, 1))

    def deepest(function, tops, seen):
        """A function counts once for each set of cuts that hold where it runs."""
        tops |= {top for top, _ in below if top == function}
        if function == goal:
            return 0
        if (function, frozenset(tops)) in seen:
            return None
        seen |= {(function, frozenset(tops))}
        rest = [
            n + more
            for b, n in calls[function].items()
            if (b not in avoid or b == goal) and not any((top, b) in below for top in tops)
            for more in (deepest(b, tops, seen),)
            if more is not None
        ]
        return max([*rest, *([8] if goal is None else [])], default=None)

    shuffled = {a: dict(rng.sample(list(calls[a].items()), len(calls[a]))) for a in names}
    found = graph(table(shuffled, dict.fromkeys(names, 8)), cuts=CutTable(cuts)).longest(
        "f0", goal, avoid
    )
    assert (None if found is None else found.bytes) == deepest("f0", frozenset(), frozenset())


def test_every_cut_has_a_reason():
    assert all(len(cut.reason) > 10 for cut in COMMON_CUTS)


def test_a_missing_anchor_makes_it_at_least():
    t = table({"link": {"drv": 10}, "drv": {"link": 20}})
    gen = GENERATIONS["2.6.18"]
    from dataclasses import replace

    rows = RowSource(
        t,
        replace(gen, submit_link="link", dispatch=("link",), files=("a.c",)),
        PROFILES["linux-2.6.18-i386-4k"].platform,
    )
    exact = rows.layer(Path(("drv",)), "link", nested=True)
    assert exact.through == CallPath((Step("link", 10), Step("drv", 20)))
    lacking = rows.layer(Path(("drv", "gone")), "link", nested=True)
    assert not lacking.through.exact and "gone" in lacking.through.missing
    optional = rows.layer(Path(("drv", "gone?")), "link", nested=True)
    assert optional.through == exact.through


@pytest.mark.parametrize("name", PROFILES)
def test_shipped_kernels_load(name):
    kernel = load_kernel(name)
    assert kernel.rule == kernel.generation.rule
    assert kernel.provenance()["kernel"]
    assert kernel.table.find(kernel.generation.submit_link)
    assert 0 < kernel.platform.limit_bytes <= kernel.platform.thread_size_bytes


def test_published_sums_of_2_6_18():
    """README of the measured tables: 176 bytes per dm-linear level (default flags)."""
    from blockstack.kinds import find_kind

    kernel = load_kernel("linux-2.6.18-i386-4k")
    path = find_kind("dm-linear").calls["2.6.18"].submit
    assert kernel.rows.layer(path, "generic_make_request", nested=True).through.bytes == 176


def test_platform_limits_and_what_ifs():
    four, eight = (load_kernel(f"linux-2.6.18-i386-{k}k") for k in (4, 8))
    assert four.platform.limit_bytes == 4096 - 56  # no STACK_END_MAGIC before 2.6.29
    assert (four.platform.allocation_order, eight.platform.allocation_order) == (0, 1)
    assert eight.platform.memory_bytes(1000) - four.platform.memory_bytes(1000) == 4096 * 1000
    assert four.platform.irq_stacks == "separate"
    assert eight.platform.irq_stacks == "shared"
    what_if = four.override(thread_size_bytes=8192, submission="fifo")
    assert what_if.platform.limit_bytes == 8192 - 56
    assert len(what_if.overrides) == 2
    assert load_kernel("linux-6.1-x86_64").platform.limit_bytes == 16384 - 8
    for size in (0, 3000, 5000, 2048):
        with pytest.raises(BlockstackError, match="power of two"):
            four.override(thread_size_bytes=size)
    with pytest.raises(BlockstackError, match="no such submission rule"):
        four.override(submission="stack")


def test_unknown_kernel_names_the_shipped_ones():
    with pytest.raises(BlockstackError, match=r"linux-2\.6\.18-i386-4k"):
        load_kernel("linux-9.9")


def good_table():
    return {
        "meta": {
            "format": "blockstack-frames-1",
            "pointer_bytes": 8,
            "arch": "x86_64",
            "kernel": "linux 6.5",
            "thread_size": 16384,
        },
        "files": ["a.c"],
        "functions": {"f": [0, 16, "static"]},
        "calls": {},
        "tail": {},
        "indirect": {},
    }


def test_a_table_by_path_gets_generation_and_platform(tmp_path: File):
    path = tmp_path / "mine.json.gz"
    path.write_bytes(gzip.compress(json.dumps(good_table()).encode()))
    kernel = load_kernel(path)
    assert (kernel.name, kernel.generation.name, kernel.rule) == ("mine", "6.1", "two-list")
    assert kernel.platform.thread_size_bytes == 16384


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\x1f\x8bnot gzip",
        b"{}",
        b"[]",
        b"nonsense",
        b"\xff\xfe",
        json.dumps({**good_table(), "functions": {"f": [7, 16, "static"]}}).encode(),
        json.dumps({**good_table(), "functions": {"f": []}}).encode(),
        json.dumps({**good_table(), "functions": {"f": [0, "x", "static"]}}).encode(),
        json.dumps({**good_table(), "meta": {"format": "other"}}).encode(),
        json.dumps({**good_table(), "calls": 3}).encode(),
    ],
)
def test_broken_tables_are_refused_with_their_path(tmp_path: File, broken):
    path = tmp_path / "broken.json"
    path.write_bytes(broken)
    with pytest.raises(BlockstackError, match=r"broken\.json"):
        load_table(path)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["meta", "files", "functions", "calls", "tail", "indirect", "format"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_malformed_tables_never_raise_anything_else(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("t") / "x.json"
    path.write_text(json.dumps(data))
    with pytest.raises(BlockstackError):
        load_table(path)


def test_the_shipped_tables_are_cut_with_the_measured_stacks_at_hand():
    """No file there would cut rows away that `validate` asks for, without a word."""
    assert (
        {path.name for path in subset.MEASURED.glob("*.json.gz")}
        == {path.name for path in SHIPPED.glob("*.json.gz")}
        != set()
    )
