"""Indirect calls that kinds resolve: what a table lacks of them is told, unless it may lack it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass

import pytest
from shipped import KERNELS
from typer.testing import CliRunner

import blockstack.kinds.dm.common as dm
from blockstack.base.calls import Path
from blockstack.cli import app
from blockstack.generations import in_generation
from blockstack.kernel import load_kernel
from blockstack.kernel.subset import paths_of
from blockstack.kinds import KINDS, Calls, Kind

#: 2.6.24's nfs_pageio_doio calls it for a wsize below a page only (fs/nfs/write.c)
UNUSED = ("nfs_flush_list -> nfs_flush_multi",)
CONFIG = """
kernel = "linux-6.1-x86_64"
[devices.sda]
kind = "nvme"
size = "10 GiB"
[devices.top]
kind = "dm-two-lines"
on = "sda"
"""


def test_a_target_whose_map_function_no_table_has(tmp_path, monkeypatch):
    """Two lines make a dm target; without its frames the tool cannot tell, and says why."""
    calls = {"6.1": dm.remapping("two_lines_map", "dm-two-lines.c")}
    kind = Kind("dm-two-lines", "stacked", "remap", (1, 1), "a test", verb="dm", calls=calls)
    monkeypatch.setitem(KINDS, kind.name, kind)
    (tmp_path / "case.toml").write_text(CONFIG)
    found = CliRunner().invoke(app, ["explain", str(tmp_path / "case.toml"), "--json"])
    assert found.exit_code == 3, found.output
    told = json.loads(found.output)
    assert told["fits"] is None
    assert "__map_bio -> two_lines_map" in json.dumps(told)


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
def test_what_a_shipped_table_lacks_is_an_anchor_or_optional(name):
    rows = load_kernel(name).rows
    beside = {
        path
        for kind in KINDS.values()
        for ways in (kind.entries, *kind.entry_variants.values())
        for name, path in (in_generation(ways, rows.generation.name) or {}).items()
        if name in kind.beside  # where a table lacks any of it, such a way is left out and named
    }
    for path in paths_of(rows.generation):
        if path not in beside:
            assert rows.lacking(path) == rows._anchors(path)[1], path.via


@pytest.mark.parametrize("name", KERNELS)
def test_an_optional_caller_that_is_absent_has_a_stand_in(name):
    """Where gcc inlined the caller of an edge, another call leads to the same function."""
    kernel = load_kernel(name)
    table, gen = kernel.rows.table, kernel.generation
    called = {c for side in (table.calls, table.tail) for callees in side.values() for c in callees}
    for path in paths_of(gen):
        if kernel.rows.lacking(path):
            continue
        edges = (*gen.indirect_calls, *path.indirect_calls)
        led_to = {edge.callee for edge in edges if table.find(edge.caller)}
        led_to |= {name for anchor in path.anchors for name in anchor.names}
        for edge in edges:
            if str(edge) in UNUSED or not edge.caller_optional:
                continue
            if table.find(edge.caller) is None:
                key = table.find(edge.callee)
                assert key is None or edge.callee in led_to or key in called, (path.via, edge)


def test_an_edge_is_lost_by_the_end_that_is_required():
    rows = load_kernel("linux-6.1-x86_64").rows
    known = ("mempool_alloc", "bio_endio")
    for edge, told in (
        (("mempool_alloc", "no_such"), ("mempool_alloc -> no_such",)),
        (("mempool_alloc", "no_such?"), ()),
        (("no_such", "bio_endio"), ("no_such -> bio_endio",)),
        (("no_such?", "bio_endio"), ()),
        (("no_such?", "neither"), ("no_such -> neither",)),
    ):
        assert rows._follow(Path(known[:1], (edge,)), None)[1] == told


def _held(value):
    """Every path that a value holds, however deep."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _held(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from _held(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _held(getattr(value, field.name))


def every_calls():
    for kind in KINDS.values():
        for word, rows in ((None, kind.calls), *kind.variants.items()):
            for generation, calls in rows.items():
                yield pytest.param(calls, id=f"{kind.name}-{word}-{generation}")


@pytest.mark.parametrize("calls", [*every_calls()])
def test_no_path_of_a_kind_is_lost(calls):
    assert set(_held(calls)) == set(calls.paths())


def test_a_new_record_has_its_paths_told():
    @dataclass(frozen=True)
    class Journal:
        replay: Path

        def paths(self):
            yield self.replay

    @dataclass(frozen=True)
    class Journalled(Calls):
        journal: Journal | None = None

    path = Path(("@kthread", "replay_journal", "submit_bio"))
    calls = Journalled(submit=None, journal=Journal(path))
    assert list(calls.paths()) == [path]
