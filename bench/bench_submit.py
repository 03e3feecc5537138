"""Submission engines: rules x topologies, the answers compared with the C yardstick's.

``pytest bench`` times; ``pytest bench --benchmark-disable`` only compares.
"""

from typing import Any

import pytest

from bench import measure, topologies, yardstick
from blockstack.engine.plan import core
from blockstack.engine.plan.arrays import RECURSIVE, RULE_NAMES, TWO_LIST

pytestmark = pytest.mark.skipif(yardstick.compiler() is None, reason="no C compiler")
HOPS = 2_000_000


@pytest.mark.parametrize("rule", topologies.RULES, ids=RULE_NAMES)
@pytest.mark.parametrize("topology", topologies.TOPOLOGIES)
def bench_rule(benchmark: Any, topology: str, rule: int) -> None:
    """Hops per second of one rule on one topology, and the ratio to C in `extra_info`."""
    arrays, spec = topologies.plan(topology, rule), topologies.workload()
    benchmark.group = f"submit-{RULE_NAMES[rule]}"
    checked = measure.same_answers(arrays, spec)
    assert (checked.peak_nesting > 1) == (rule == RECURSIVE)
    count = max(HOPS * checked.bios // checked.hops, 1) if benchmark.enabled else checked.bios
    counters = benchmark(core.run, arrays, spec, count=count)
    assert counters.bios == count
    if benchmark.enabled:
        programs: dict[str, measure.Program] = {"core": core.run, "c": yardstick.run}
        found = measure.rates(programs, topology, rule, rounds=3, seconds=0.1)
        benchmark.extra_info["hops_per_second"] = counters.hops / benchmark.stats.stats.min
        benchmark.extra_info["ratio_to_c"] = found["core"].over(found["c"])


@pytest.mark.parametrize("bios", [1_000, 10_000, 100_000])
def bench_workload_length(benchmark: Any, bios: int) -> None:
    """Time by number of bios: the lists do not grow with it."""
    arrays, spec = topologies.plan("mixed-24", TWO_LIST), topologies.workload()
    benchmark.group = "submit-bios"
    count = bios if benchmark.enabled else min(bios, 10_000)
    counters = benchmark(core.run, arrays, spec, count=count)
    assert counters.peak_pending <= 64


@pytest.mark.parametrize("rule", topologies.RULES, ids=RULE_NAMES)
def bench_two_threads(benchmark: Any, rule: int) -> None:
    """Two threads give the counters of one; how much faster is in `extra_info`."""
    arrays, spec = topologies.plan("linear-8", rule), topologies.workload()
    benchmark.group = "submit-threads"
    count = 1_000_000 if benchmark.enabled else 10_000
    counters = benchmark(core.run, arrays, spec, count=count, threads=2)
    assert counters == core.run(arrays, spec, count=count)
    if benchmark.enabled:
        if measure.processors() < 2:
            pytest.skip("one processor: two threads cannot be faster than one")
        times = measure.scaling("linear-8", rule, threads=2, rounds=5, seconds=0.2)
        benchmark.extra_info["two_threads"] = times
