"""The event loop: a closed network beside the same algorithm in C, M/M/8 beside SimPy.

``pytest bench`` times; ``pytest bench --benchmark-disable`` only compares the answers.
"""

import random
import time
from collections.abc import Generator
from importlib.util import find_spec
from statistics import median
from typing import Any

import pytest

from bench import networks, yardstick
from bench.yardstick import service
from blockstack.engine.capacity.arrays import CLOSED, OPEN, Load
from blockstack.engine.capacity.core import Counters, run

needs_gcc = pytest.mark.skipif(yardstick.compiler() is None, reason="no C compiler")
DEPTHS = (8, 32, 128)
MM8_GAP_NS = 100.0 / 8 / 0.8  # utilisation 0.8


def same_answers(depth: int, bios: int = 20_000) -> Counters:
    """Core and yardstick, with the same streams, agree bit for bit."""
    ours = run(
        networks.tandem(*networks.CLOSED_8),
        Load(CLOSED, 1, depth),
        bios=bios,
        batches=1,
        max_flying=depth,
        seed=7,
    )
    theirs = service.run(*networks.CLOSED_8, depth=depth, bios=bios, cap=depth, seed=7)
    assert ours.elapsed_ns == theirs["elapsed_ns"] and ours.visits == theirs["visits"]
    assert (ours.lat[0] == theirs["counts"]).all()
    assert ours.tally[0, 2] == theirs["lat"]
    return ours


def closed_ratio(depth: int, *, rounds: int = 5, bios: int = 60_000) -> tuple[float, float]:
    """(visits per CPU second of the core, how many times as fast as C), interleaved rounds."""
    plan, load = networks.tandem(*networks.CLOSED_8), Load(CLOSED, 1, depth)
    ratios, best = [], float("inf")
    for _ in range(rounds):
        start = time.process_time()
        visits = run(plan, load, bios=bios, batches=1, max_flying=depth).visits
        ours = time.process_time() - start
        start = time.process_time()
        service.run(*networks.CLOSED_8, depth=depth, bios=bios, cap=depth)
        ratios.append((time.process_time() - start) / ours)
        best = min(best, ours / visits)
    return 1 / best, median(ratios)


def mm8_in_simpy(customers: int, seed: int) -> float:
    """M/M/8 at utilisation 0.8 the way SimPy's own examples write it; mean sojourn in ns."""
    import simpy

    draws, env = random.Random(seed), simpy.Environment()
    desk = simpy.Resource(env, 8)
    took: list[float] = []

    def customer() -> Generator[Any, Any, Any]:
        start = env.now
        with desk.request() as turn:
            yield turn
            yield env.timeout(draws.expovariate(1 / 100))
        took.append(env.now - start)

    def source() -> Generator[Any, Any, Any]:
        for _ in range(customers):
            yield env.timeout(draws.expovariate(1 / MM8_GAP_NS))
            env.process(customer())

    env.process(source())
    env.run()
    return sum(took) / len(took)


def mm8_ratio(
    *, rounds: int = 3, customers: int = 5_000, times: int = 100
) -> tuple[float, float, float, float]:
    """(customers per CPU second of the core, how many times as fast as SimPy, both means)."""
    plan, load = networks.tandem(*networks.MM8), Load(OPEN, gap_ns=MM8_GAP_NS)
    ratios: list[float] = []
    best = ours_ns = theirs_ns = 0.0
    for seed in range(rounds):
        start = time.process_time()
        theirs_ns += mm8_in_simpy(customers, seed) / rounds
        theirs = (time.process_time() - start) / customers
        start = time.process_time()
        found = run(plan, load, bios=times * customers, seed=seed, max_flying=4096)
        ours = (time.process_time() - start) / found.bios
        ours_ns += found.tally[0, 2] / found.bios / rounds
        ratios.append(theirs / ours)
        best = max(best, 1 / ours)
    return best, median(ratios), ours_ns, theirs_ns


@needs_gcc
@pytest.mark.parametrize("depth", DEPTHS)
def bench_closed_network(benchmark: Any, depth: int) -> None:
    """Eight exponential single servers: visits per second, and the ratio to C."""
    benchmark.group = "service-closed"
    same_answers(depth)
    plan, load = networks.tandem(*networks.CLOSED_8), Load(CLOSED, 1, depth)
    bios = 100_000 if benchmark.enabled else 2_000
    found = benchmark(run, plan, load, bios=bios, max_flying=depth)
    assert found.bios == bios
    if benchmark.enabled:
        speed, ratio = closed_ratio(depth)
        benchmark.extra_info |= {"visits_per_second": speed, "ratio_to_c": ratio}


def bench_mm8(benchmark: Any) -> None:
    """M/M/8: customers per second, and the ratio to SimPy."""
    benchmark.group = "service-open"
    plan, load = networks.tandem(*networks.MM8), Load(OPEN, gap_ns=MM8_GAP_NS)
    bios = 500_000 if benchmark.enabled else 20_000
    found = benchmark(run, plan, load, bios=bios, max_flying=4096)
    assert found.finished
    if benchmark.enabled:
        if find_spec("simpy") is None:
            pytest.skip("SimPy is not installed (extra: dev)")
        speed, ratio, ours_ns, theirs_ns = mm8_ratio()
        assert ours_ns == pytest.approx(theirs_ns, rel=0.1)
        benchmark.extra_info |= {"customers_per_second": speed, "ratio_to_simpy": ratio}
