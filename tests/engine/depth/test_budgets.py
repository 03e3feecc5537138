"""Page reclaim where an allocation lets it start, and a verdict over two builds of one kernel."""

from functools import cache

import pytest

from blockstack.base.calls import Cut
from blockstack.engine.depth.explain import explain
from blockstack.kernel import load_kernel
from blockstack.kernel.cuts import CutTable
from blockstack.kinds import find_kind
from blockstack.results.result import TaskDepth
from blockstack.scenario.config import load_config

FOUR, EIGHT = "linux-2.6.18-i386-4k", "linux-2.6.18-i386-8k"


@cache
def tasks(config: str, kernel: str) -> dict[str, TaskDepth]:
    case = load_config(f"configs/{config}.toml")
    return {t.task: t for t in explain(case.stack, kernel=kernel, workload=case.workload).tasks}


def test_a_cut_below_a_call_holds_from_that_call_on() -> None:
    cuts = CutTable(
        (
            Cut.read(("below f->alloc", "reclaim", "GFP_ATOMIC")),
            Cut.read(("below g->alloc", "reclaim", "GFP_ATOMIC")),
        )
    )
    bit = cuts.begins_call("f", "alloc")
    assert bit and bit == cuts.begins_call("g", "alloc") == cuts.forbids("reclaim")
    assert cuts.begins_call("h", "alloc") == 0 == cuts.begins("f")


@pytest.mark.parametrize(("name", "params"), [("dm-linear", {}), ("scsi", {"driver": "ahci"})])
def test_reclaim_starts_where_the_flags_allow_it(name: str, params: dict[str, str]) -> None:
    """dm's clone and the request are GFP_NOIO, and reclaim once their pool is empty; sd's command
    and scatter list are GFP_ATOMIC; nothing reclaims under reclaim."""
    kernel = load_kernel(FOUR)
    calls = find_kind(name).calls_for("2.6.18", params)
    assert calls is not None and calls.submit is not None
    plain = kernel.rows.layer(calls.submit, "generic_make_request", nested=False).peak
    rows = kernel.following("reclaim").rows
    peak = rows.layer(calls.submit, "generic_make_request", nested=False).peak
    found = [step.function for step in peak.steps]
    assert found.count("try_to_free_pages") == 1 and "mempool_alloc" in found
    assert not {"scsi_get_command", "scsi_prep_fn"} & set(found)
    assert peak.bytes > plain.bytes
    # what lies below it is what the budget has
    at = found.index("try_to_free_pages")
    assert sum(s.bytes for s in peak.steps[at:]) == kernel.rows.budgets()["reclaim"].bytes


@pytest.mark.slow
def test_nbd_answers() -> None:
    """It sends in the submitter with GFP_NOIO: reclaim strikes at the socket, not at the card."""
    found = tasks("nbd", FOUR)
    assert all(t.fits is not None or "flags of 2005" in t.why for t in found.values())
    write = found["write fs"]
    kernel = load_kernel(FOUR)
    assert kernel.other_build is not None
    budgets = [k.rows.budgets()["reclaim"].bytes for k in (kernel, kernel.other_build)]
    assert write.budget_bytes <= max(budgets)
    assert all(t.fits for t in tasks("nbd", EIGHT).values())


@pytest.mark.parametrize(("build", "level"), [("gcc 11", 176), ("flags of 2005", 184)])
def test_bytes_per_level_of_either_build(build: str, level: int) -> None:
    """dm-linear nested, generic_make_request included: the figures that came with the tables."""
    kernel = load_kernel(FOUR)
    other = kernel.other_build
    assert other is not None
    rows = kernel.rows if build == "gcc 11" else other.rows
    submit = find_kind("dm-linear").calls["2.6.18"].submit
    assert submit is not None
    assert rows.layer(submit, "generic_make_request", nested=True).through.bytes == level


@pytest.mark.slow
def test_a_stack_fits_only_if_it_fits_in_both_builds() -> None:
    found = tasks("reiser4-4k", EIGHT)
    divided = [t for t in found.values() if "with the flags of 2005" in t.why]
    assert divided and all(t.fits is None for t in divided)
    assert all(t.other_build_bytes > 0 for t in found.values())
    assert load_kernel("linux-6.1-x86_64").other_build is None
