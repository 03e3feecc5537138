"""Interleaved rounds of several programs on one plan, in one process."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median
from typing import Any

from bench import topologies, yardstick
from blockstack.engine.plan import core
from blockstack.engine.plan.arrays import DrawSpec, PlanArrays

Program = Callable[..., Any]
CHECKED = 2_000  # bios in the comparison of answers


@dataclass(frozen=True)
class Rate:
    """One program's rounds: hops per CPU second (best round), and each round's seconds a hop."""

    hops_per_second: float
    seconds: tuple[float, ...]

    def over(self, other: "Rate") -> float:
        """How many times as fast as another program, the median over the rounds."""
        pairs = zip(self.seconds, other.seconds, strict=True)
        return median(theirs / ours for ours, theirs in pairs)


def same_answers(arrays: PlanArrays, spec: DrawSpec, count: int = CHECKED) -> core.RunCounters:
    """Counters of a short run; AssertionError unless core and yardstick agree on all of them."""
    ours = core.run(arrays, spec, count=count)
    theirs = yardstick.run(arrays, spec, count=count)
    for name in ours.__slots__:
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert str(mine) == str(other), f"{name}: core {mine}, yardstick {other}"
    assert ours == theirs
    return ours


def numba_program(arrays: PlanArrays, spec: DrawSpec) -> Program | None:
    """The numba version, compiled and compared; None without numba or for a kind it lacks."""
    if find_spec("numba") is None:
        return None
    from bench import in_numba

    if not in_numba.can_run(arrays):
        return None
    ours = core.run(arrays, spec, count=CHECKED)
    visits, sectors, overflows, peak, peak_bio, counts = in_numba.run(arrays, spec, count=CHECKED)
    found = (visits, sectors, overflows, peak, peak_bio)
    names = ("visits", "sectors", "overflows", "peak_bytes", "peak_bio")
    for name, value in zip(names, found, strict=True):
        assert (getattr(ours, name) == value).all(), name
    assert counts.tolist() == [ours.splits, ours.peak_pending, ours.peak_nesting]
    return in_numba.run


def _bios_for(arrays: PlanArrays, spec: DrawSpec, seconds: float) -> int:
    """How many bios the core runs in about `seconds`."""
    trial, took = CHECKED, 0.0
    while took < seconds / 8:
        trial *= 4
        start = time.process_time()
        core.run(arrays, spec, count=trial)
        took = time.process_time() - start
    return int(trial * seconds / took)


def rates(
    programs: dict[str, Program], topology: str, rule: int, *, rounds: int, seconds: float
) -> dict[str, Rate]:
    """Time every program in turn, round by round, each round about `seconds` long for the core.

    CPU time of the process: what else runs on the machine counts less than on the clock. A call of
    the core has a fixed cost of about half a millisecond (the plan is checked, a thread started):
    rounds of 0.1 s keep it below 1 %. numba runs a 20th of the bios.
    """
    arrays, spec = topologies.plan(topology, rule), topologies.workload()
    full = _bios_for(arrays, spec, seconds)
    counts = {name: full // 20 if name == "numba" else full for name in programs}
    total = {count: core.run(arrays, spec, count=count).hops for count in set(counts.values())}
    found: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(rounds):
        order = list(programs.items())
        for name, program in order if number % 2 else reversed(order):
            start = time.process_time()
            program(arrays, spec, count=counts[name])
            per_hop = (time.process_time() - start) / total[counts[name]]
            found[name].append(per_hop)
    return {name: Rate(1 / min(s), tuple(s)) for name, s in found.items()}


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def scaling(topology: str, rule: int, *, threads: int, rounds: int, seconds: float) -> float:
    """How many times as fast `threads` threads are as one, by the clock (best rounds)."""
    arrays, spec = topologies.plan(topology, rule), topologies.workload()
    count = _bios_for(arrays, spec, seconds)
    best = {1: float("inf"), threads: float("inf")}
    for _ in range(rounds):
        for n, so_far in best.items():
            start = time.perf_counter()
            core.run(arrays, spec, count=count, threads=n)
            best[n] = min(so_far, time.perf_counter() - start)
    return best[1] / best[threads]
