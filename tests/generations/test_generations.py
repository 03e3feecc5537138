"""Generations: what stands on another one loses nothing of it, however long the chain."""

from itertools import combinations

import pytest

from blockstack.base.errors import BlockstackError
from blockstack.generations import (
    GENERATIONS,
    generation,
    generation_of,
    generations_with,
    in_generation,
    lineage,
)
from blockstack.kernel import PROFILES, RowSource, load_kernel
from blockstack.kernel.choose import Build, shipped_like
from blockstack.kinds import KINDS
from blockstack.kinds.queue_limits import driver_limits
from blockstack.stack.queue_limits.rules import rules_for

NEWEST = list(GENERATIONS)[-1]
RENAME = {"bio_endio_was": ("bio_endio",)}


@pytest.fixture(params=["child", "grandchild"])
def later(request, monkeypatch):
    """A generation that stands on the newest one, by itself or by one between."""
    parent = GENERATIONS[NEWEST]
    if request.param == "grandchild":
        parent = parent.child("8.1", spans=(((8, 1), (8, 5)),))
        monkeypatch.setitem(GENERATIONS, "8.1", parent)
    made = parent.child(
        "8.5",
        spans=(((8, 5), (9,)),),
        renames=RENAME,
        edges=(("a", "b"),),
        cuts=(("a", "c", "never"),),
        assumed={"f": 8},
    )
    monkeypatch.setitem(GENERATIONS, "8.5", made)
    return made


def test_a_child_has_every_kind_of_the_newest_generation(later):
    checked = 0
    for kind in KINDS.values():
        tables = [
            kind.calls,
            kind.entries,
            *kind.variants.values(),
            *kind.entry_variants.values(),
        ]
        for rows in tables:
            assert in_generation(rows, later.name) is in_generation(rows, NEWEST)
            assert (later.name in generations_with(rows)) is (NEWEST in generations_with(rows))
            checked += in_generation(rows, later.name) is not None
        params = {p.name: p.default for p in kind.params}
        assert kind.calls_for(later.name, params) is kind.calls_for(NEWEST, params)
        assert driver_limits(kind.name, params, later.name) == driver_limits(
            kind.name, params, NEWEST
        )
    assert checked >= len(KINDS) / 2


def test_a_child_has_every_rule_of_the_newest_generation(later):
    newest = GENERATIONS[NEWEST]
    assert rules_for(later.name) is newest.limits and later.rule == newest.rule
    assert later.roots == newest.roots and later.budgets == newest.budgets
    assert later.edges == (*newest.edges, ("a", "b"))
    assert later.cuts == (*newest.cuts, ("a", "c", "never"))
    assert later.renames == {**newest.renames, **RENAME}
    assert later.assumed == {**newest.assumed, "f": 8}
    assert later.gone == newest.gone and later.uncut == newest.uncut
    assert generation(later.name) is later and generation_of((8, 6)).name == later.name
    assert generation_of((8, 5, 1)).doubt == ""
    assert shipped_like(later.name, "x86_64") == shipped_like(NEWEST, "x86_64") != ()


def test_paths_of_the_newest_table_are_the_same_under_a_child(later):
    """One file is enough: a kernel of the child runs the parent's kinds on its own table."""
    kernel = load_kernel(shipped_like(NEWEST, "x86_64")[0])
    rows = RowSource(kernel.rows.table, later, kernel.platform)
    compared = 0
    for name in ("dm-linear", "dm-crypt", "md-raid1", "nvme"):
        kind = KINDS[name]
        params = {p.name: p.default for p in kind.params}
        calls = kind.calls_for(later.name, params)
        assert calls is not None and calls.submit is not None
        found = rows.layer(calls.submit, later.submit_link, nested=False)
        assert found == kernel.rows.layer(calls.submit, later.submit_link, nested=False)
        compared += found.peak.bytes
    assert compared


def test_the_nearest_row_wins_along_the_chain(later):
    assert lineage(later.name)[0] == later.name and lineage(later.name)[-2:] == ("6.12", "6.1")
    assert in_generation({"6.1": 1}, later.name) == 1
    assert in_generation({"6.1": 1, "6.12": 2}, later.name) == 2
    assert in_generation({"6.1": 1, later.name: 3}, later.name) == 3
    assert in_generation({"2.6.18": 0}, later.name) is None
    assert in_generation({"6.12": 2}, "6.1") is None


def test_spans_overlap_only_in_a_child_and_hold_what_ships():
    """A child begins within its parent's open span, and what follows is the child's."""
    spans = [(span, gen) for gen in GENERATIONS.values() for span in gen.spans]
    for ((a, b), one), ((c, d), other) in combinations(spans, 2):
        apart = b <= c or d <= a
        assert apart or one.name in other.lineage or other.name in one.lineage, (one, other)
    assert len({span[0] for span, _ in spans}) == len(spans)
    for profile in PROFILES.values():
        found = generation_of(Build(profile.release).version)
        assert found is GENERATIONS[profile.generation]


def test_a_child_may_begin_in_its_parents_open_span(monkeypatch):
    """Nothing in the parent's file need change for it."""
    newest = GENERATIONS[NEWEST]
    (_, end), begin = newest.spans[-1], (newest.spans[-1][0][0] + 1, 1)
    made = newest.child(".".join(map(str, begin)), spans=((begin, end),))
    monkeypatch.setitem(GENERATIONS, made.name, made)
    assert generation_of((*begin, 4)) is made
    assert generation_of((begin[0], 0)).name == NEWEST


def test_an_unknown_generation_names_those_that_there_are():
    with pytest.raises(BlockstackError, match=NEWEST):
        generation("4.19")
    assert lineage("4.19") == ("4.19",)
