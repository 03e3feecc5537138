"""The capacity model: what a stack's stations are, its costs, its outputs; and against SimPy and
Ciw, which know nothing of it."""

import json
import math
import random
from functools import cache

import numpy as np
import pytest
from queueing import mva
from typer.testing import CliRunner

import blockstack as bs
from blockstack.base import hdr
from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.cli import app
from blockstack.engine.capacity.cost import Costs, layer_functions
from blockstack.engine.capacity.knee import power, until_knee
from blockstack.engine.capacity.model import _own_pieces
from blockstack.engine.capacity.result import PERCENTILES, LoadSpec
from blockstack.engine.capacity.run import prepare
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.core import replays
from blockstack.engine.plan.demand import source_of
from blockstack.kernel import load_kernel
from blockstack.kernel.cost import measured_costs
from blockstack.present.export.fio_json import fio_json
from blockstack.present.export.perfetto import perfetto_events
from blockstack.scenario.config import parse_config

SSD = (
    'media = "ssd", read_latency = "100 us", write_latency = "200 us", program = "0 us", '
    'channels = 4, bandwidth = "1 GB/s", write_bandwidth = "1 GB/s", queue_depth = 64, '
    'distribution = "exponential"'
)
KERNEL = "linux-6.1-x86_64"


@cache
def kernel(name):
    """One object per kernel for all tests: it remembers the paths that it has searched."""
    return load_kernel(name)


def case(text, workload='rw = "randread"\ndirect = true'):
    return parse_config(f'kernel = "{KERNEL}"\n{text}\n[workload]\n{workload}\n')


def leaf(name, service, kind="nvme", more=""):
    return (
        f'[devices.{name}]\nkind = "{kind}"\nsize = "10 GiB"\n{more}\nservice = {{ {service} }}\n'
    )


def found(config, **load):
    return bs.capacity(
        config.stack,
        config.workload,
        kernel=kernel(config.kernel),
        **{"bios": 20_000, "machine": config.machine, **load},
    )


def station(result, label):
    return next(s for s in result.stations if s.label == label)


def test_one_ssd_is_the_network_that_its_figures_say():
    """CPU, four dies with a queue each, bus: exact MVA with exponential dies (CPU and bus are
    constant and nearly idle, so their shape hardly matters)."""
    config = case(leaf("sda", SSD))
    for depth in (1, 8):
        result = found(config, iodepth=depth, bios=60_000)
        demands = [
            station(result, label).demand_ns for label in ("submitting cpu", "sda media", "sda bus")
        ]
        cpu, media, bus = demands
        rate, residence, _ = mva([cpu, *[media / 4] * 4, bus], depth, 0.0, [1] * 6)
        assert result.iops == pytest.approx(rate * 1e9, rel=0.02)
        assert result.latency_ns == pytest.approx(sum(residence), rel=0.02)
        assert demands[1] == pytest.approx(100e3, rel=0.01) and demands[2] == pytest.approx(4096)
    assert result.iops < station(result, "sda media").ceiling_iops
    assert station(result, "sda media").ceiling_iops == pytest.approx(40e3, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "depth"),
    [("nvme-lvm-luks", 16), ("configs/iscsi-6.1.toml", 8), ("snapshot", 2), ("dm-md-iscsi", 4)],
)
def test_laws_hold_on_every_shipped_kind_of_stack(name, depth):
    config = bs.load(name)
    result = found(config, iodepth=depth, bios=4000)
    assert not result.saturated and result.bios == 4000
    for law in result.laws:
        assert law.deviation < 0.02, law
    for s in result.stations:
        assert s.utilisation <= 1 + 1e-9 or not s.limited, s
    # bios in flight = rate x latency, and no station passes its ceiling
    assert result.iops * result.latency_ns / 1e9 == pytest.approx(depth, rel=0.05)
    assert result.iops <= 1.05 * min(s.ceiling_iops for s in result.stations)
    assert any("assumed" in line or "counted" in line for line in result.assumed)
    json.dumps(result.to_dict(), allow_nan=False)


def test_measured_costs_are_the_counts():
    m = measured_costs("x86_64")
    assert m.per_dm_linear("read") == pytest.approx((30659 - 4630) / 15)
    assert m.bare("null-mq", "read") == 4374
    for depth, count in zip(m.depths[1:], m.table["null-bio"]["read"][1:], strict=True):
        assert m.bare("null-bio", "read") + depth * m.per_dm_linear("read") == pytest.approx(
            count, rel=0.005
        )


@pytest.mark.parametrize("layers", [0, 1, 4, 16])
def test_cpu_per_bio_is_what_was_counted(layers):
    """null_blk under 0 to 16 dm-linear layers, in instructions."""
    text, below = '[devices.n]\nkind = "null_blk"\nsize = "1 GiB"\nmode = "bio"\n', "n"
    for i in range(layers):
        text += f'[devices.d{i}]\nkind = "dm-linear"\non = "{below}"\n'
        below = f"d{i}"
    result = found(case(text), bios=1000)
    counted = measured_costs("x86_64").table["null-bio"]["read"]
    exact = counted[measured_costs("x86_64").depths.index(layers)]
    assert sum(layer.instructions for layer in result.layers) == pytest.approx(exact, rel=0.005)
    assert {layer.how for layer in result.layers} == {"measured"}
    assert result.iops == pytest.approx(result.iops_per_core, rel=0.001)
    assert result.iops == pytest.approx(3e9 / exact, rel=0.006)


def test_the_estimate_by_path_length_is_within_a_quarter_of_what_was_counted():
    """And too low, as the model's page says: raid0, raid1, dm-striped reads."""
    text = "".join(f'[devices.b{i}]\nkind = "brd"\nsize = "1 GiB"\n' for i in range(2))
    for kind, extra in (
        ("md-raid0", 'chunk = "64 KiB"'),
        ("md-raid1", ""),
        ("dm-striped", 'chunk = "64 KiB"'),
    ):
        config = case(f'{text}[devices.m]\nkind = "{kind}"\non = ["b0", "b1"]\n{extra}\n')
        plan = compile_plan(config.stack, kernel(KERNEL), ops=("read",), direct=True)
        costs = Costs(plan, config.machine)
        counted = costs.layer(config.stack.devices["m"], 0)
        guess = layer_functions(
            costs._layers, config.stack.devices["m"], "read"
        ) * costs.per_function(0)
        assert counted.how == "measured"
        assert 0.75 < guess / counted.instructions < 1


@pytest.mark.slow
def test_raid5_small_write_reads_and_writes_again():
    """Three members: one other block is read, then data and parity are written."""
    members = "".join(leaf(f"s{i}", SSD) for i in range(3))
    config = case(
        members + '[devices.md0]\nkind = "md-raid5"\non = ["s0", "s1", "s2"]\nchunk = "64 KiB"\n',
        'rw = "randwrite"\ndirect = true',
    )
    result = found(config, iodepth=1)
    visits = sum(station(result, f"s{i} media").visits_per_bio for i in range(3))
    assert visits == pytest.approx(3)
    # a read, then the slower of two writes: 100 + 200 * (1 + 1/2) us, and the transfers
    assert result.latency_ns == pytest.approx(400e3 + 2 * 4096 + _cpu(result), rel=0.03)
    full = case(
        config_text := members + '[devices.md0]\nkind = "md-raid5"\n'
        'on = ["s0", "s1", "s2"]\nchunk = "64 KiB"\n',
        'rw = "write"\nbs = "128 KiB"\ndirect = true',
    )
    whole = found(full, iodepth=1)
    assert sum(station(whole, f"s{i} media").visits_per_bio for i in range(3)) == pytest.approx(
        3, rel=0.05
    ), config_text


def _cpu(result):
    return sum(s.demand_ns for s in result.stations if s.part == "cpu")


def test_a_mirror_waits_for_the_slower_write_and_reads_one():
    text = "".join(leaf(f"s{i}", SSD) for i in range(2))
    text += '[devices.md0]\nkind = "md-raid1"\non = ["s0", "s1"]\n'
    write = found(case(text, 'rw = "randwrite"\ndirect = true'), iodepth=1)
    assert write.latency_ns == pytest.approx(300e3 + 4096 + _cpu(write), rel=0.02)
    read = found(case(text), iodepth=1)
    assert read.latency_ns == pytest.approx(100e3 + 4096 + _cpu(read), rel=0.02)
    assert station(read, "s0 media").visits_per_bio == pytest.approx(0.5, abs=0.05)


def test_queue_depth_and_write_buffer_and_cache():
    shallow = SSD.replace("queue_depth = 64", "queue_depth = 2")
    result = found(case(leaf("sda", shallow)), iodepth=32)
    assert result.bottleneck == "sda queue depth"
    # two requests: on one die in a quarter of the cases, they wait for each other
    rate, _, _ = mva([*[25e3] * 4, 4096], 2, 0.0, [1] * 5)
    assert result.iops == pytest.approx(rate * 1e9, rel=0.03)
    behind = SSD.replace('program = "0 us"', 'program = "1 ms", write_buffer = 8').replace(
        'write_latency = "200 us"', 'write_latency = "10 us"'
    )
    write = 'rw = "randwrite"\ndirect = true'
    quick = found(case(leaf("sda", behind), write), iodepth=1, rate_iops=200)
    assert quick.latency_ns == pytest.approx(10e3 + 4096 + _cpu(quick), rel=0.03)
    full = found(case(leaf("sda", behind), write), iodepth=16)
    assert full.bottleneck == "sda write buffer"
    # eight programs on four dies with a queue each: 8 / (8 + 4 - 1) of 4,000
    assert full.iops == pytest.approx(4000 * 8 / 11, rel=0.03)
    cached = found(case(leaf("sda", SSD + ', hit_ratio = 0.75, hit_latency = "5 us"')))
    assert station(cached, "sda cache").visits_per_bio == pytest.approx(0.75, abs=0.05)


def test_measured_samples_shape_the_latency():
    """A tenth of the reads takes 91 times as long; the mean is what `read_latency` says."""
    text = SSD.replace("channels = 4", "channels = 64") + f", samples = {['1 us'] * 9 + ['91 us']}"
    result = found(case(leaf("sda", text.replace("'", '"'))), bios=40_000)
    assert result.latency_ns == pytest.approx(100e3 + 4096 + _cpu(result), rel=0.03)
    p50, p99 = result.percentiles_ns(50, 99)
    assert p50 == pytest.approx(14e3, rel=0.25) and p99 == pytest.approx(910e3, rel=0.1)


def test_what_cannot_be_modelled_is_said():
    config = bs.load("nfs-client")
    with pytest.raises(ConfigError, match="what answers behind this card is not described"):
        found(config)
    with pytest.raises(ConfigError, match=r"machine\.cpus"):
        parse_config("[machine]\ncpus = 0\n" + leaf("sda", SSD))


def test_jobs_share_the_cores():
    """Four jobs on null_blk are four times as fast as one, until there are fewer cores."""
    text = '[devices.n]\nkind = "null_blk"\nsize = "1 GiB"\n'
    one = found(case(text))
    four = found(case(text), numjobs=4)
    two_cores = found(case(text), numjobs=4, machine=bs.Machine(cpus=2))
    assert four.iops == pytest.approx(4 * one.iops, rel=0.01)
    assert two_cores.iops == pytest.approx(2 * one.iops, rel=0.01)
    assert two_cores.bottleneck == "all cores"


@pytest.mark.slow
def test_network_round_trips_and_bursts():
    nic = '[devices.eth0]\nkind = "nic"\nservice = { rtt = "1 ms", bandwidth = "10 Gbit/s" }\n'
    text = nic + leaf(
        "sda", SSD + ", first_burst = 65536, max_burst = 262144", "iscsi", 'nic = "eth0"'
    )
    read = found(case(text), iodepth=1, bios=2000)
    assert read.latency_ns == pytest.approx(1e6 + 100e3, rel=0.03)
    # 1 MiB: 64 KiB at once, then four bursts, each asked for: five round trips in all
    big = found(case(text, 'rw = "randwrite"\nbs = "1 MiB"\ndirect = true'), iodepth=1, bios=500)
    assert station(big, "eth0 wire").demand_ns == pytest.approx(5e6)


def test_disk_figures_give_the_published_seek():
    text = leaf("sda", 'rpm = 7200, seek = "8 ms", track_seek = "500 us"', "scsi")
    result = found(case(text), iodepth=1, bios=8000)
    assert result.latency_ns == pytest.approx(8.5e6 + 60e9 / 7200 / 2, rel=0.03)
    deep = found(case(text), iodepth=32, bios=8000)
    assert deep.iops > 2 * result.iops


def test_one_more_layer_costs_a_few_per_cent_on_a_fast_device():
    """stratisd's users report 3 to 5 per cent: on a disk that answers in 8 us, at iodepth 1."""
    fast = leaf("sda", 'read_latency = "8 us", distribution = "constant"')
    bare = found(case(fast), bios=2000)
    layered = found(case(fast + '[devices.lv]\nkind = "dm-linear"\non = "sda"\n'), bios=2000)
    assert 0.02 < 1 - layered.iops / bare.iops < 0.06


def test_knee_and_bottleneck():
    config = case(leaf("sda", SSD))
    model = prepare(config.stack, config.workload, kernel=kernel(KERNEL))
    sweep = until_knee(model, LoadSpec("closed"), bios=4000)
    assert sweep.at_knee.load.iodepth in (2, 4)  # as many as there are dies, or fewer: some meet
    assert power(sweep.at_knee) == max(map(power, sweep.points))
    assert sweep.points[-1].bottleneck == "sda media"
    assert sweep.points[-1].next_bottleneck == "sda bus"
    assert sweep.points[0].bottleneck == "iodepth"
    rates = until_knee(model, LoadSpec("open", rate_iops=1.0), bios=4000)
    assert all(a.iops < b.iops for a, b in zip(rates.points, rates.points[1:], strict=False))
    assert not any(p.saturated for p in rates.points)


def test_an_open_load_that_is_too_much_is_said():
    result = found(case(leaf("sda", SSD)), rate_iops=60_000)
    # the dies that are drawn less often still idle at times when bios pile up
    assert result.saturated and result.iops == pytest.approx(40e3, rel=0.1)


def test_same_seed_same_bits():
    config = case(leaf("sda", SSD), 'rw = "randrw"\ndirect = true')
    one, two, other = (found(config, iodepth=4, bios=3000, seed=s).to_dict() for s in (1, 1, 2))
    assert one == two != other


def test_fio_json_has_fios_names_and_percentiles():
    config = case(leaf("sda", SSD), 'rw = "randrw"\nfsync = 4\ndirect = true')
    result = found(config, iodepth=4)
    out = fio_json(result, jobname="j", options={})
    (job,) = out["jobs"]
    for word in ("read", "write"):
        section = job[word]
        clat = section["clat_ns"]
        assert list(map(float, clat["percentile"])) == list(PERCENTILES)
        assert "99.990000" in clat["percentile"]
        assert section["iops"] == pytest.approx(section["bw_bytes"] / 4096, rel=1e-3)
        assert section["total_ios"] == clat["N"] == sum(clat["bins"].values())
        assert section["slat_ns"]["mean"] + clat["mean"] == pytest.approx(section["lat_ns"]["mean"])
        assert clat["min"] <= clat["percentile"]["50.000000"] <= clat["max"]
    assert job["trim"]["total_ios"] == 0 and job["sync"]["total_ios"] > 0
    total = sum(job[w]["iops"] for w in ("read", "write")) + job["sync"]["total_ios"] / (
        result.seconds
    )
    assert total == pytest.approx(result.iops, rel=1e-6)


def test_percentiles_are_those_of_the_latencies():
    counts = np.zeros(33_792, np.uint64)
    for value in (100, 200, 300, 400):
        counts[value] = 1
    assert hdr.percentiles(counts, (0, 25, 50, 75, 99, 100)) == [100, 100, 200, 300, 400, 400]


def test_hdr_log_is_read_by_hdrhistogram(tmp_path):
    log = pytest.importorskip("hdrh.log", reason="hdrhistogram is not installed (extra: dev)")
    from hdrh.histogram import HdrHistogram

    result = found(case(leaf("sda", SSD)), iodepth=4)
    path = tmp_path / "lat.hlog"
    (op,) = result.ops
    path.write_text(hdr.log_text([(op.op, op.counts, int(op.total.max_ns))], result.seconds))
    reader = log.HistogramLogReader(str(path), HdrHistogram(1, 3600 * 10**9, 3))
    read = reader.get_next_interval_histogram()
    reader.close()
    assert read.get_total_count() == op.bios == 20_000
    for wanted in (1.0, 50.0, 99.0, 99.9):
        assert hdr.percentiles(op.counts, [wanted])[0] == pytest.approx(
            read.get_value_at_percentile(wanted), rel=0.001
        )


def test_perfetto_events_follow_a_bio():
    result = found(case(leaf("sda", SSD)), iodepth=2, follow=3)
    events = perfetto_events(result)["traceEvents"]
    spans = [e for e in events if e["ph"] == "X" and e["pid"] == 1]
    assert {e["args"]["bio"] for e in spans} and all(e["dur"] > 0 for e in spans)
    names = {e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert {"sda media", "sda bus", "job 0 cpu"} <= names
    whole = next(e for e in events if e["ph"] == "X" and e["pid"] == 2)
    inside = [e for e in spans if e["args"]["bio"] == whole["args"]["bio"]]
    assert sum(e["dur"] for e in inside) == pytest.approx(whole["dur"], rel=1e-6)
    with pytest.raises(ConfigError, match="no bio was followed"):
        perfetto_events(found(case(leaf("sda", SSD)), bios=100))


def test_command_line(tmp_path):
    def blockstack(*words):
        return CliRunner().invoke(app, ["capacity", *map(str, words)])

    config = tmp_path / "host.toml"
    config.write_text(f'kernel = "{KERNEL}"\n{leaf("sda", SSD)}[workload]\nrw = "randread"\n')
    shown = blockstack(config, "--iodepth", 32, "--bios", "5k", "--cpu")
    assert shown.exit_code == 0 and "Bottleneck: sda media" in shown.output
    assert "Assumed: " in shown.output and "Law of Little" in shown.output
    out = json.loads(blockstack(config, "--bios", "1k", "--json", "--until-knee").stdout)
    assert out["jobs"][0]["read"]["iops"] > 0 and out["sweep"]["points"]
    hlog, trace = tmp_path / "x.hlog", tmp_path / "x.json"
    written = blockstack(
        config, "--rate-iops", 90_000, "--bios", "5k", "--hdr", hlog, "--perfetto", trace
    )
    assert written.exit_code == 1 and "More than the stack can take" in written.output
    assert "HISTF" in hlog.read_text() and json.loads(trace.read_text())["traceEvents"]
    for bad in (
        ["--iodepth", 0],
        ["--rate-iops", -1],
        ["--cpus", 0],
        ["--thinktime", "5"],
        ["--numjobs", 0],
        ["--perfetto", trace, "--until-knee"],
    ):
        assert blockstack(config, "--bios", "1k", *bad).exit_code == 2, bad


@pytest.mark.slow
def test_tables_fit_80_columns():
    """Names wrap, figures do not."""
    for name, words in (("drbd", ["--cpu"]), ("nvme-lvm-luks", ["--until-knee"])):
        run = CliRunner().invoke(
            app,
            ["capacity", name, "--iodepth", "4", "--bios", "500", *words],
            env={"COLUMNS": "80"},
        )
        assert run.exit_code == 0 and max(map(len, run.stdout.splitlines())) <= 80
        assert "…" not in run.stdout.replace("… and", "") and " service " in run.stdout


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ('latency = "1 us"', "service.latency"),
        ('read_latency = "fast"', "service.read_latency"),
        ('rtt = "1 ms"', "service.rtt"),
        ("channels = 0", "service.channels"),
        ('bandwidth = "10"', "service.bandwidth"),
        ("samples = []", "service.samples"),
        ('bandwidth = "0 MB/s"', "service.bandwidth"),
    ],
)
def test_bad_service_figures_are_refused(service, path):
    with pytest.raises(BlockstackError, match="devices.sda." + path.replace(".", r"\.")):
        case(leaf("sda", service))


# --- Independent implementations -----------------------------------------------------------------


@pytest.mark.slow
def test_raid5_beside_simpy():
    """Sixteen bios in flight on md raid5, written down again as SimPy processes: which two or
    three members, how many requests, in which order, is this test's own knowledge of raid5."""
    simpy = pytest.importorskip("simpy", reason="SimPy is not installed (extra: dev)")
    members = "".join(
        leaf(f"s{i}", SSD.replace("queue_depth = 64", "queue_depth = 3")) for i in range(3)
    )
    config = case(
        members + '[devices.md0]\nkind = "md-raid5"\non = ["s0", "s1", "s2"]\nchunk = "64 KiB"\n',
        'rw = "randwrite"\ndirect = true',
    )
    ours = found(config, iodepth=16, bios=40_000)
    caller = station(ours, "submitting cpu").service_ns
    thread_ns = station(ours, "raid5d md0 cpu").demand_ns / 2  # two passes, told apart below
    env, draws = simpy.Environment(), random.Random(4)
    cpu, raid5d = simpy.Resource(env, 1), simpy.Resource(env, 1)
    disks = [
        (
            simpy.Resource(env, 3),
            [simpy.Resource(env, 1) for _ in range(4)],
            simpy.Resource(env, 1),
        )
        for _ in range(3)
    ]
    done, lat = [0], []

    def use(resource, ns):
        with resource.request() as turn:
            yield turn
            yield env.timeout(ns)

    def request(member, mean, write):
        tags, dies, bus = disks[member]
        with tags.request() as tag:
            yield tag
            parts = [(draws.choice(dies), draws.expovariate(1 / mean)), (bus, 4096.0)]
            for resource, ns in reversed(parts) if write else parts:
                yield env.process(use(resource, ns))

    def bio():
        while True:
            start = env.now
            data, parity, other = draws.sample(range(3), 3)
            yield env.process(use(cpu, caller))
            yield env.process(use(raid5d, thread_ns))
            yield env.process(request(other, 100e3, False))
            yield env.process(use(raid5d, thread_ns))
            yield env.all_of([env.process(request(m, 200e3, True)) for m in (data, parity)])
            done[0] += 1
            if done[0] > 500:
                lat.append(env.now - start)

    for _ in range(16):
        env.process(bio())
    env.run(until=0.5e9)
    theirs = sum(lat) / len(lat)
    assert theirs == pytest.approx(ours.latency_ns, rel=0.03)
    assert done[0] / 0.5 == pytest.approx(ours.iops, rel=0.03)


@pytest.mark.slow
def test_iscsi_beside_ciw():
    """An open load on dm-linear over iSCSI, as a Ciw network of nine nodes."""
    ciw = pytest.importorskip("ciw", reason="Ciw is not installed (extra: dev)")
    nic = '[devices.eth0]\nkind = "nic"\nservice = { rtt = "50 us", bandwidth = "1 Gbit/s" }\n'
    config = case(
        nic
        + leaf(
            "sda",
            SSD.replace("channels = 4", "channels = 1").replace("100 us", "25 us"),
            "iscsi",
            'nic = "eth0"',
        )
        + '[devices.lv]\nkind = "dm-linear"\non = "sda"\n'
    )
    rate = 20_000  # of 28,320 that the link allows, 40,000 the die
    ours = found(config, rate_iops=rate, bios=200_000)
    d, inf = ciw.dists.Deterministic, float("inf")
    # ns at a gigabit, 90 bytes around each 1,448
    command, data = (48 + 90) * 8.0, (4096 + 48 + 3 * 90) * 8.0
    cpu = [
        station(ours, label).service_ns
        for label in ("submitting cpu", "iscsi_q sda cpu", "target of sda cpu")
    ]
    stages = [
        (1, d(cpu[0])),
        (1, d(cpu[1])),
        (1, d(command)),
        (inf, d(25e3)),
        (1, d(cpu[2])),
        (1, ciw.dists.Exponential(1 / 25e3)),
        (1, d(4096.0)),
        (1, d(data)),
        (inf, d(25e3)),
    ]
    n = len(stages)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate / 1e9)] + [None] * (n - 1),
        service_distributions=[dist for _, dist in stages],
        number_of_servers=[servers for servers, _ in stages],
        routing=[[1.0 if j == i + 1 else 0.0 for j in range(n)] for i in range(n)],
    )
    ciw.seed(2)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(7000)
    took = {}
    for record in simulation.get_all_records():
        first, last = took.get(record.id_number, (math.inf, 0.0))
        took[record.id_number] = (min(first, record.arrival_date), max(last, record.exit_date))
    sojourns = np.array([b - a for _, (a, b) in sorted(took.items())][500:6900])
    batches = sojourns[:6400].reshape(16, 400).mean(axis=1)
    error = 3 * batches.std(ddof=1) / 4
    assert abs(batches.mean() - ours.latency_ns) < error + 3 * ours.latency_error_ns
    assert error < 0.08 * ours.latency_ns


def test_a_bio_that_the_queue_splits_is_transferred_once():
    """Each piece is counted where it goes, not with the rest that is given to the queue again."""
    stack = bs.Stack("split")
    nic = stack.nic("eth0")
    stack.add("user", "raw", on=stack.iscsi("sda", size="1 TiB", nic=nic))
    workload = bs.Workload(rw="read", bs="4 MiB", direct=True)
    plan = compile_plan(stack, bs.load_kernel("linux-6.1-x86_64"), ops=("read",), direct=True)
    calls = next(replays(plan.arrays, source_of(workload, plan.capacity_sectors, 1), (0,)))
    assert len(calls) > 1 and sum(call.nr for call in calls) > calls[0].nr
    assert sum(call.nr for call in _own_pieces(calls)) == calls[0].nr
