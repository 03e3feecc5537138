"""What one bio becomes is known before it starts: bounded, refused where it would not fit."""

import sys
from functools import partial

import pytest
from typer.testing import CliRunner

import blockstack as bs
from blockstack.base.errors import BlockstackError, LimitExceeded
from blockstack.cli import app
from blockstack.engine.capacity.run import prepare
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.core import replays
from blockstack.engine.plan.demand import demand_of, source_of
from blockstack.engine.plan.fan_out import calls_of
from blockstack.scenario.config import parse_config
from blockstack.scenario.shipped import scenarios

TWO_DISKS = """kernel = "{kernel}"
[devices.sda]
kind = "scsi"
size = "4 TiB"
[devices.sdb]
kind = "scsi"
size = "4 TiB"
[devices.st]
kind = "dm-striped"
on = ["sda", "sdb"]
chunk = "4 KiB"
[workload]
rw = "randread"
bs = "{bs}"
"""
MODERN, OLD = "linux-6.1-x86_64", "linux-2.6.18-i386-8k"


def diamonds(levels):
    """Mirrors, each over two partitions of the one below: a write doubles at every level."""
    text = [f'kernel = "{MODERN}"', '[devices.m0]\nkind = "scsi"\nsize = "64 TiB"']
    size = 64 << 20
    for i in range(1, levels + 1):
        half = size // 2 - 2
        for side, start in (("a", 1), ("b", half + 2)):
            text.append(
                f'[devices.p{i}{side}]\nkind = "partition"\non = "m{i - 1}"\n'
                f'start = "{start} MiB"\nsize = "{half} MiB"'
            )
        text.append(f'[devices.m{i}]\nkind = "md-raid1"\non = ["p{i}a", "p{i}b"]')
        size = half - 2
    return "\n".join([*text, '[workload]\nrw = "randwrite"\nbs = "4 KiB"\n'])


def planned(case, kernel=None):
    demand = demand_of(case.workload)
    plan = compile_plan(
        case.stack,
        bs.load_kernel(kernel or case.kernel),
        ops=demand.ops,
        direct=case.workload.direct,
        max_sectors=demand.max_sectors,
    )
    return plan, demand


@pytest.mark.slow
@pytest.mark.parametrize(
    "kernel",
    [
        None,
        pytest.param(OLD, marks=pytest.mark.slow),
        pytest.param("linux-6.12-x86_64", marks=pytest.mark.slow),
    ],
)
def test_no_bio_becomes_more_calls_than_the_bound(kernel):
    """Every scenario that ships, on kernels of each rule; and where nothing is cut it is exact."""
    judged = 0
    for name in scenarios():
        case = bs.load(name)
        try:
            plan, demand = planned(case, kernel)
        except BlockstackError:
            continue  # a kernel that lacks a kind
        source = source_of(case.workload, plan.capacity_sectors, 7)
        bound = calls_of(plan, demand.max_sectors)
        seen = max(len(calls) for calls in replays(plan.arrays, source, range(40)))
        assert seen <= bound, name
        judged += 1
    assert judged > 20


def test_the_bound_is_exact_where_nothing_is_cut():
    plan, demand = planned(parse_config(diamonds(5)))
    (calls,) = replays(
        plan.arrays, source_of(parse_config(diamonds(5)).workload, plan.capacity_sectors, 1), [3]
    )
    assert len(calls) == calls_of(plan, demand.max_sectors) == 2 ** (5 + 2) - 3


@pytest.mark.parametrize("kernel", [MODERN, OLD])
def test_a_bio_over_many_chunks_is_refused_before_it_starts(tmp_path, kernel):
    config = tmp_path / "big.toml"
    config.write_text(TWO_DISKS.format(kernel=kernel, bs="512 GiB"))
    for words in (("run", config, "--bios", "10"), ("capacity", config, "--bios", "10")):
        found = CliRunner().invoke(app, [str(word) for word in words])
        assert found.exit_code == 2 and len(found.stderr.splitlines()) == 1, found.output
        for part in ("big.toml: workload.bs", "calls of drivers", "'512 GiB'", "--memory-limit"):
            assert part in found.stderr


def test_nested_mirrors_are_refused_and_a_few_are_not():
    case = parse_config(diamonds(17))
    with pytest.raises(LimitExceeded, match="the limit is 1 GiB"):
        prepare(case.stack, case.workload, kernel=MODERN)
    few = parse_config(diamonds(4))
    assert prepare(few.stack, few.workload, kernel=MODERN).model.sampled >= 64


def test_the_limit_is_given():
    case = parse_config(TWO_DISKS.format(kernel=OLD, bs="1 MiB"))
    asked = {"kernel": OLD, "bios": 20}
    assert bs.simulate(case.stack, case.workload, **asked).hops == 20 * 257
    with pytest.raises(LimitExceeded, match="256 KiB"):
        bs.simulate(case.stack, case.workload, memory_limit_bytes=1 << 18, **asked)
    with pytest.raises(LimitExceeded):
        prepare(case.stack, case.workload, kernel=OLD, memory_limit_bytes=1 << 18)


@pytest.mark.parametrize("text", ["0", "much", "-1 MiB"])
def test_a_limit_is_a_size(text):
    found = CliRunner().invoke(app, ["run", "configs/raid1.toml", "--memory-limit", text])
    assert found.exit_code == 2 and "--memory-limit" in found.stderr


def test_rest_after_rest_ends_in_one_line(request):
    """4 MiB over chunks of 4 KiB: each rest is followed from within the one before.

    Python's own limit, whatever a tool that ran before has made of it.
    """
    request.addfinalizer(partial(sys.setrecursionlimit, sys.getrecursionlimit()))
    sys.setrecursionlimit(1000)
    case = parse_config(TWO_DISKS.format(kernel=MODERN, bs="4 MiB"))
    with pytest.raises(LimitExceeded, match="rest after rest"):
        prepare(case.stack, case.workload, kernel=MODERN)
