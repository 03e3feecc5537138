"""The event loop against closed forms: what theory knows exactly must lie in the confidence
interval. Seeds are fixed, so a test that passes goes on passing."""

import math

import numpy as np
import pytest
from queueing import fork_join_2, mg1_sojourn, mmc_sojourn, mva

from blockstack.base.errors import BlockstackError, LimitExceeded
from blockstack.engine.capacity.arrays import (
    BACKGROUND,
    CLOSED,
    CONSTANT,
    DELAY,
    DISK,
    EMPIRICAL,
    EXPONENTIAL,
    OPEN,
    PACED,
    PER_JOB,
    QUEUE,
    RELEASE,
    TOKENS,
    TRACE,
    Load,
)
from blockstack.engine.capacity.build import Builder, Disk, Flow, StationSpec
from blockstack.engine.capacity.core import HISTOGRAM_SLOTS, run

NS = 1000.0  # a service time


def chain(*stations, means=None, general=False):
    """A bio that visits the stations in order. ``general``: a wire of no length at the end, so
    that the loop for every kind of station runs, not the one for plain networks."""
    builder, flow, last = Builder(), Flow(), []
    for spec, mean in zip(stations, means or [NS] * len(stations), strict=True):
        last = [flow.visit(builder.station(spec), mean, after=last)]
    if general:
        flow.visit(builder.station(StationSpec("wire", DELAY, CONSTANT)), after=last)
    builder.template(flow)
    return builder


def mean_and_error(found):
    """Mean latency of the bios and three standard errors, by batch means."""
    per_batch = found.batch_lat_ns / (found.bios / len(found.batch_ns))
    return per_batch.mean(), 3 * per_batch.std(ddof=1) / math.sqrt(len(per_batch))


def laws_hold(found, plan):
    """Little's law and the utilisation law at every queue."""
    for i, row in enumerate(found.stations):
        here, busy, sojourn, waited, left = *row[1:5], row[7]
        if plan.kind[i] == TOKENS:
            continue
        edge = (left + 2) * 50 * NS  # what is still inside has no sojourn yet
        assert here == pytest.approx(sojourn, rel=0.01, abs=edge)
        assert busy <= plan.servers[i] * found.elapsed_ns * (1 + 1e-9) or plan.kind[i] == DELAY
        assert busy == pytest.approx(sojourn - waited, rel=0.01, abs=edge)


def check(builder, load, exact, *, bios=150_000, flying=4096, seed=1):
    plan = builder.build()
    found = run(plan, load, bios=bios, warmup=bios // 10, seed=seed, max_flying=flying)
    assert found.finished
    mean, error = mean_and_error(found)
    assert abs(mean - exact) < error, f"{mean} is not {exact} +- {error}"
    assert error < 0.1 * exact
    assert found.tally[0, 2] / found.bios == pytest.approx(mean, rel=1e-9)
    laws_hold(found, plan)
    return found


@pytest.mark.parametrize("general", [False, True], ids=["plain", "general"])
@pytest.mark.parametrize("servers", [1, 2, 8])
@pytest.mark.parametrize("use", [0.3, 0.8])
def test_mmc(servers, use, general):
    gap = NS / servers / use
    found = check(
        chain(StationSpec("q", servers=servers), general=general),
        Load(OPEN, gap_ns=gap),
        mmc_sojourn(servers, gap, NS),
    )
    busy = found.stations[0, 2] / found.elapsed_ns / servers
    assert busy == pytest.approx(use, rel=0.02)


def test_md1_and_its_deterministic_arrivals():
    gap = NS / 0.7
    check(
        chain(StationSpec("q", dist=CONSTANT)), Load(OPEN, gap_ns=gap), mg1_sojourn(gap, NS, NS**2)
    )
    paced = run(
        chain(StationSpec("q", dist=CONSTANT)).build(),
        Load(PACED, gap_ns=gap),
        bios=1000,
        max_flying=16,
    )
    assert paced.tally[0, 4] == pytest.approx(NS) and paced.tally[0, 5] == pytest.approx(NS)


def test_mg1_with_a_histogram():
    """Two humps: nine short services and a long one. The table's own moments go into the form."""
    builder = Builder()
    table = builder.quantiles([1.0] * 90 + [11.0] * 10)
    q = builder.tables[table]
    # linear between the middles of equal shares: the integral of a piecewise linear function
    segment = (q[:-1] ** 2 + q[:-1] * q[1:] + q[1:] ** 2) / 3
    second = (segment.sum() + (q[0] ** 2 + q[-1] ** 2) / 2) / len(q) * NS**2
    gap = NS / 0.6
    flow = Flow()
    flow.visit(builder.station(StationSpec("q", dist=EMPIRICAL, table=table)), NS)
    builder.template(flow)
    check(builder, Load(OPEN, gap_ns=gap), mg1_sojourn(gap, NS, second), bios=400_000)


@pytest.mark.parametrize("think", [0.0, 7 * NS])
@pytest.mark.parametrize("population", [1, 4, 30])
def test_closed_network_by_mva(population, think):
    means = [NS, 2 * NS, 0.5 * NS, 1.5 * NS]
    servers = [1, 3, 1, 1]
    stations = [StationSpec(f"q{i}", servers=c) for i, c in enumerate(servers)]
    rate, residence, queue = mva(means, population, think, servers)
    found = check(
        chain(*stations, means=means),
        Load(CLOSED, depth=population, think_ns=think),
        sum(residence),
    )
    assert found.bios / found.elapsed_ns == pytest.approx(rate, rel=0.01)
    assert found.stations[:, 1] / found.elapsed_ns == pytest.approx(queue, rel=0.06)


def fork(n, general=True):
    builder, flow = Builder(), Flow()
    for i in range(n):
        flow.visit(builder.station(StationSpec(f"leg {i}")), NS)
    builder.template(flow)
    return builder


def test_fork_join_of_two_is_exact():
    """A mirror's write: the slower of two queues that the same arrivals feed."""
    gap = NS / 0.6
    check(fork(2), Load(OPEN, gap_ns=gap), fork_join_2(gap, NS), bios=300_000)


@pytest.mark.parametrize("n", [4, 12])
def test_fork_join_bounds(n):
    """Nelson and Tantawi 1988: between a lone queue and independent ones (harmonic number)."""
    gap = NS / 0.6
    found = run(fork(n).build(), Load(OPEN, gap_ns=gap), bios=100_000, warmup=5000, max_flying=4096)
    alone = mmc_sojourn(1, gap, NS)
    mean = found.tally[0, 2] / found.bios
    assert alone < mean < alone * sum(1 / k for k in range(1, n + 1))
    laws_hold(found, fork(n).build())


def test_a_phase_waits_for_the_one_before():
    """Read-modify-write with one bio at a time: the largest of two, then of three more."""
    builder, flow = Builder(), Flow()
    reads = [flow.visit(builder.station(StationSpec(f"r{i}")), NS) for i in range(2)]
    for i in range(3):
        flow.visit(builder.station(StationSpec(f"w{i}")), NS, after=reads)
    builder.template(flow)
    exact = NS * (1 + 1 / 2) + NS * (1 + 1 / 2 + 1 / 3)
    check(builder, Load(CLOSED), exact, flying=1)


def test_tokens_limit_the_queue_depth():
    """Four tokens over a pure delay are M/M/4: what is waited for is the token."""
    builder, flow = Builder(), Flow()
    tags = builder.station(StationSpec("tags", TOKENS, CONSTANT, servers=4))
    wire = builder.station(StationSpec("wire", DELAY, EXPONENTIAL))
    last = flow.visit(tags)
    last = flow.visit(wire, NS, after=[last])
    flow.visit(tags, after=[last], flags=RELEASE)
    builder.template(flow)
    gap = NS / 4 / 0.8
    found = check(builder, Load(OPEN, gap_ns=gap), mmc_sojourn(4, gap, NS))
    assert found.stations[0, 2] / found.elapsed_ns / 4 == pytest.approx(0.8, rel=0.02)


def test_tasks_share_cores():
    """Eight tasks with own queues on two cores finish no more than two services at a time; with
    eight cores they do not meet."""
    speeds = {}
    for cores in (2, 8):
        builder, flow = Builder(), Flow()
        pool = builder.pool(cores)
        for i in range(8):
            builder.station(StationSpec(f"task {i}", pool=pool))
        flow.visit(0, NS, flags=PER_JOB)
        builder.template(flow)
        found = run(builder.build(), Load(CLOSED, jobs=8, depth=2), bios=50_000, max_flying=16)
        speeds[cores] = found.bios / found.elapsed_ns * NS
        assert found.stations[:, 2].sum() <= cores * found.elapsed_ns * (1 + 1e-9)
    assert speeds[2] == pytest.approx(2, rel=0.02) and speeds[8] == pytest.approx(8, rel=0.03)


def test_write_behind_is_not_waited_for():
    builder, flow = Builder(), Flow()
    flow.visit(builder.station(StationSpec("near")), NS)
    flow.visit(builder.station(StationSpec("far", servers=2)), NS, flags=BACKGROUND)
    builder.template(flow)
    found = run(builder.build(), Load(OPEN, gap_ns=2 * NS), bios=100_000, max_flying=4096)
    assert found.tally[0, 2] / found.bios == pytest.approx(mmc_sojourn(1, 2 * NS, NS), rel=0.03)
    assert found.stations[1, 0] == pytest.approx(100_000, rel=0.01)


def disk_station(**keys):
    return StationSpec("disk", dist=DISK, disk=Disk(500.0, 1.0, 8000.0, 1e9), **keys)


def at_random(spec, n=4000, sectors=10**6, sequential=False):
    builder = Builder()
    builder.station(spec)
    places = np.random.default_rng(3).integers(0, sectors, n)
    for i, place in enumerate(places):
        flow, at = Flow(), 8 * i if sequential else int(place)
        flow.visit(0, 0.0, 100.0, sector=at, end=at + 8)
        builder.template(flow)
    return builder.build()


def test_disk_seek_and_rotation():
    """One bio at a time: the mean root of the distance of uniform places is 8/15 of the root."""
    found = run(at_random(disk_station()), Load(CLOSED), bios=20_000, max_flying=1)
    exact = 500 + 8 / 15 * 1000 + 4000 + 100
    assert found.elapsed_ns / found.bios == pytest.approx(exact, rel=0.02)
    in_order = run(
        at_random(disk_station(), sequential=True), Load(CLOSED), bios=4000, max_flying=1
    )
    assert in_order.elapsed_ns / in_order.bios == pytest.approx(100, rel=0.05)


def test_a_scheduler_shortens_seeks_and_merges():
    slow = run(at_random(disk_station()), Load(CLOSED, depth=32), bios=5000, max_flying=32)
    fast = run(
        at_random(disk_station(lookahead=32)), Load(CLOSED, depth=32), bios=5000, max_flying=32
    )
    assert 0.2 * slow.elapsed_ns < fast.elapsed_ns < 0.5 * slow.elapsed_ns
    merged = run(
        at_random(disk_station(merge=True, lookahead=32), sequential=True),
        Load(CLOSED, depth=32),
        bios=5000,
        max_flying=32,
    )
    assert merged.stations[0, 6] > 4000 and merged.stations[0, 0] >= 5000


def test_a_trace_is_replayed_on_time():
    builder = chain(StationSpec("q", dist=CONSTANT))
    times = np.array([0.0, 100.0, 5000.0])
    found = run(
        builder.build(), Load(TRACE, times_ns=times), bios=3, batches=1, max_flying=3, record=(0, 3)
    )
    assert found.rows[:, 3].tolist() == [0.0, 100.0, 5000.0]  # arrived
    assert found.rows[:, 4].tolist() == [0.0, 1000.0, 5000.0]  # began
    assert found.rows[:, 5].tolist() == [1000.0, 2000.0, 6000.0]


def test_counts_are_an_hdr_histogram():
    """Every index as HdrHistogram computes it: the counts' values lie within 0.1 %."""
    from blockstack.base.hdr import value_of

    hist = pytest.importorskip(
        "hdrh.histogram", reason="hdrhistogram is not installed (extra: dev)"
    ).HdrHistogram(1, 3600 * 10**9, 3)
    assert hist.counts_len == HISTOGRAM_SLOTS
    values = [0, 1, 2047, 2048, 2049, 10**5, 123_456_789, 3600 * 10**9]
    for value in values:
        index = hist._counts_index_for(value)
        assert value_of(index) == hist.get_value_from_index(index)


def test_same_seed_same_bits_and_overload_is_said():
    plan, load = chain(StationSpec("q"), general=True).build(), Load(OPEN, gap_ns=NS / 0.9)
    one, two = (run(plan, load, bios=20_000, max_flying=4096, seed=5) for _ in range(2))
    assert one.elapsed_ns == two.elapsed_ns and (one.lat == two.lat).all()
    assert run(plan, load, bios=20_000, max_flying=4096, seed=6).elapsed_ns != one.elapsed_ns
    over = run(plan, Load(OPEN, gap_ns=NS / 1.2), bios=20_000, max_flying=64)
    assert not over.finished and over.bios < 20_000


def test_the_door_refuses():
    plan = chain(StationSpec("q", kind=QUEUE, dist=EXPONENTIAL)).build()
    for bad in (
        plan._replace(servers=np.zeros(1, np.int32)),
        plan._replace(station=np.array([7], np.int32)),
        plan._replace(random_ns=np.array([math.nan])),
        plan._replace(flags=np.array([RELEASE], np.uint8)),
        plan._replace(flags=np.array([BACKGROUND], np.uint8)),
        plan._replace(succ=np.zeros(1, np.int32), succ_start=np.array([0, 1], np.int32)),
    ):
        with pytest.raises(BlockstackError, match="service plan"):
            run(bad, Load(CLOSED), bios=100)
    with pytest.raises(BlockstackError, match="memory"):
        run(plan, Load(CLOSED), bios=100, max_flying=2**30)
    with pytest.raises(BlockstackError, match="as many tokens"):
        builder, flow = Builder(), Flow()
        flow.visit(builder.station(StationSpec("tags", TOKENS, CONSTANT)))
        builder.template(flow)
        run(builder.build(), Load(CLOSED), bios=100)


def test_a_deadlock_is_an_error():
    """Two kinds of tokens taken in opposite orders."""
    builder = Builder()
    for name in "ab":
        builder.station(StationSpec(name, TOKENS, CONSTANT))
    wire = builder.station(StationSpec("wire", DELAY))
    for first, second in ((0, 1), (1, 0)):
        flow = Flow()
        last = flow.visit(first)
        last = flow.visit(wire, NS, after=[last])
        last = flow.visit(second, after=[last])
        last = flow.visit(second, after=[last], flags=RELEASE)
        flow.visit(first, after=[last], flags=RELEASE)
        builder.template(flow)
    with pytest.raises(LimitExceeded, match="wait for each other"):
        run(builder.build(), Load(CLOSED, depth=2), bios=1000)


def test_several_tokens_at_once():
    """Nine tokens, two for each of the bios: four are inside, nobody overtakes (M/M/4)."""
    builder, flow = Builder(), Flow()
    room = builder.station(StationSpec("room", TOKENS, CONSTANT, servers=9))
    wire = builder.station(StationSpec("wire", DELAY, EXPONENTIAL))
    last = flow.visit(room, end=2)
    last = flow.visit(wire, NS, after=[last])
    flow.visit(room, after=[last], flags=RELEASE, end=2)
    builder.template(flow)
    found = check(builder, Load(OPEN, gap_ns=NS / 4 / 0.8), mmc_sojourn(4, NS / 4 / 0.8, NS))
    assert found.stations[0, 2] / found.elapsed_ns / 8 == pytest.approx(0.8, rel=0.02)
    plan = builder.build()
    with pytest.raises(BlockstackError, match="more tokens than there are"):
        run(plan._replace(servers=np.array([1, 1], np.int32)), Load(CLOSED), bios=40)
    with pytest.raises(BlockstackError, match="as many tokens as it takes"):
        run(plan._replace(end=np.array([2, 0, 1], np.int64)), Load(CLOSED), bios=40)


def test_loads_at_once_share_the_servers():
    """Two closed loads on the same exponential servers: exact MVA of both, by their shares. An open
    one beside a closed: the rates that they have."""
    builder = Builder()
    cpu, disk = (builder.station(StationSpec(name)) for name in ("cpu", "disk"))
    for op in (0, 1):
        flow = Flow()
        flow.visit(disk, 2 * NS, after=[flow.visit(cpu, NS)])
        builder.template(flow, op=op, n_bytes=512 * (op + 1))
    plan = builder.build()
    loads = [Load(CLOSED, 3, 1, templates=(0, 1)), Load(CLOSED, 1, 2, templates=(1, 1))]
    found = run(plan, loads, bios=100_000, warmup=10_000, max_flying=5)
    rate, residence, _ = mva([NS, 2 * NS], 5)
    assert found.bios / found.elapsed_ns == pytest.approx(rate, rel=0.01)
    for i, (share, n_bytes) in enumerate(((3 / 5, 512), (2 / 5, 1024))):
        tally = found.tallies[i]
        assert tally[i, 0] / found.elapsed_ns == pytest.approx(share * rate, rel=0.01)
        assert tally[1 - i].sum() == 0
        assert tally[i, 1] == n_bytes * tally[i, 0]
        assert tally[i, 2] / tally[i, 0] == pytest.approx(sum(residence), rel=0.02)
        assert found.lats[i, i].sum() == tally[i, 0]
    assert (found.tally == found.tallies[0] + found.tallies[1]).all()
    mixed = run(
        plan,
        [loads[0], Load(PACED, 1, gap_ns=10 * NS, templates=(1, 1))],
        bios=50_000,
        warmup=1000,
        max_flying=64,
    )
    assert mixed.tallies[1, 1, 0] / mixed.elapsed_ns == pytest.approx(1 / (10 * NS), rel=0.01)
    alone, _, _ = mva([NS, 2 * NS], 3)
    assert alone - 1 / (10 * NS) < mixed.tallies[0, 0, 0] / mixed.elapsed_ns < 0.95 * alone
    with pytest.raises(BlockstackError, match="templates: 1, 2 of 2"):
        run(plan, Load(CLOSED, templates=(1, 2)), bios=40)
    with pytest.raises(BlockstackError, match="a trace is alone"):
        run(plan, [loads[0], Load(TRACE, times_ns=np.zeros(1))], bios=40)
