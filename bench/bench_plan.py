"""Time to compile a plan by number of devices, and the memory of a run by number of bios."""

import resource
import sys
from typing import Any

import pytest

from bench import topologies
from blockstack.engine.plan import core
from blockstack.engine.plan.arrays import RULE_NAMES
from blockstack.engine.plan.compile import compile_plan
from blockstack.kernel import load_kernel
from blockstack.stack import Stack

KERNEL = "linux-6.1-x86_64"
MIB = 1 << 20


def san(devices: int) -> Stack:
    """Paths to a SAN: disks with a dm-linear on each, every one used raw; `devices` in all."""
    stack = Stack(f"san-{devices}")
    for i in range(max(devices // 3, 1)):
        below = stack.scsi(f"sd{i}", size="1 TiB")
        if devices >= 3:
            below = stack.add(f"lv{i}", "dm-linear", on=below)
        stack.raw(f"raw{i}", on=below)
    return stack


@pytest.mark.parametrize("devices", [1, 100, 1_000, 10_000])
def bench_compile(benchmark: Any, devices: int) -> None:
    """Plan compile time; the plan has one row per path to a device."""
    benchmark.group = "plan-compile"
    stack, kernel = san(devices), load_kernel(KERNEL)
    options = {"args": (stack, kernel), "rounds": 1 if devices > 1_000 else 3, "iterations": 1}
    plan = benchmark.pedantic(compile_plan, **options)
    sources = max(devices // 3, 1)
    assert len(plan.arrays.op_kind) == (2 if devices >= 3 else 1) * sources
    assert len(plan.arrays.roots) == sources


def peak_memory() -> int:
    """Largest resident size of this process so far, bytes (getrusage: KiB on Linux)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@pytest.mark.parametrize("rule", topologies.RULES, ids=RULE_NAMES)
@pytest.mark.parametrize("topology", ["mixed-24", "raid5-5", "unbalanced-rest"])
def bench_memory(benchmark: Any, topology: str, rule: int) -> None:
    """Ten times the bios: the lists do not grow with them."""
    benchmark.group = "run-memory"
    arrays, spec = topologies.plan(topology, rule), topologies.workload()
    bios = 20_000
    core.run(arrays, spec, count=bios)
    before = peak_memory()
    counters = benchmark.pedantic(
        core.run, args=(arrays, spec), kwargs={"count": 10 * bios}, rounds=1, iterations=1
    )
    grown = peak_memory() - before
    assert counters.bios == 10 * bios
    assert grown < 4 * MIB
    benchmark.extra_info["peak_memory_bytes"] = peak_memory()
    benchmark.extra_info["grown_bytes"] = grown
