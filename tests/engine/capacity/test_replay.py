"""Traces replayed: arrival times reach the event loop, devices their roots."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import blockstack as bs
from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.cli import app
from blockstack.engine.capacity.run import prepare
from blockstack.loads.traces.reading import TraceError
from blockstack.loads.traces.replay import as_workload, first_bios
from blockstack.workload.trace import Trace

cli = CliRunner()
KERNEL = "linux-6.1-x86_64"


def trace_of(times, device=None, op=0, sector=None, names=("sda",)):
    n = len(times)
    return Trace(
        np.array(times, np.int64),
        np.zeros(n, np.int32) if device is None else np.array(device, np.int32),
        np.full(n, op, np.uint8),
        np.arange(n, dtype=np.int64) * 8 if sector is None else np.array(sector, np.int64),
        np.full(n, 8, np.int64),
        names,
    )


CONFIG = """
kernel = "linux-6.1-x86_64"
[devices.sda]
kind = "scsi"
size = "1 GiB"
[devices.sda.service]
media = "ssd"
channels = 1
read_latency = "100 us"
distribution = "constant"
[workload]
rw = "randread"
direct = true
"""


def replay(tmp_path, lines, *words, command="capacity", status=0, config=CONFIG):
    (tmp_path / "host.toml").write_text(config)
    (tmp_path / "t.csv").write_text(
        "time_ns,device,op,sector,nr_sectors\n" + "".join(f"{line}\n" for line in lines)
    )
    run = cli.invoke(
        app,
        [
            command,
            str(tmp_path / "host.toml"),
            "--trace",
            str(tmp_path / "t.csv"),
            "--json",
            *words,
        ],
    )
    assert run.exit_code == status, run.output
    return json.loads(run.stdout), run.stderr


def test_times_decide_who_waits(tmp_path):
    """One channel of 100 us: bios far apart never wait; a burst of n waits (n - 1) / 2 services."""
    apart = [f"{i * 10**6},x,read,{8 * i},8" for i in range(50)]
    found, stated = replay(tmp_path, apart)
    result = found["blockstack"]
    assert result["load"]["mode"] == "trace"
    assert result["bios"] == 50
    alone = result["latency_ns"]
    assert 100_000 < alone < 130_000
    assert result["iops"] == pytest.approx(50 / (49e-3 + alone / 1e9), rel=1e-6)
    assert "mean 1 k IOPS" in stated
    burst = [f"{i // 10 * 10**7},x,read,{8 * i},8" for i in range(50)]
    waited = replay(tmp_path, burst)[0]["blockstack"]["latency_ns"]
    assert waited - alone == pytest.approx(4.5 * 100_000, rel=0.1)


def test_every_bio_is_its_own(tmp_path):
    """More bios than the sample of a drawn workload has: the last ones are replayed, too."""
    lines = [f"{i * 10**6},x,{'read' if i < 2060 else 'write'},{8 * i},8" for i in range(2100)]
    jobs = replay(tmp_path, lines)[0]["jobs"][0]
    assert (jobs["read"]["total_ios"], jobs["write"]["total_ios"]) == (2060, 40)
    found, stated = replay(tmp_path, lines, "--bios", "10")
    assert found["blockstack"]["bios"] == 10
    assert "the first 10 bios of the file" in stated


def test_out_of_order_rows_are_sorted(tmp_path):
    lines = ["5000000,x,read,0,8", "0,x,write,8,8", "9000000,x,read,16,8"]
    assert replay(tmp_path, lines)[0]["blockstack"]["bios"] == 3


def test_run_takes_a_trace(tmp_path):
    lines = [f"{i},x,{op},{8 * i},8" for i, op in enumerate(("read", "write", "discard"))]
    found, _ = replay(tmp_path, lines, command="run")
    assert {run["bios"] for run in found["runs"]} == {3}


@pytest.mark.parametrize(
    ("lines", "words", "message"),
    [
        (["0,x,read,0,8", "0,x,read,8,8"], (), "has no arrival times"),
        (["0,x,read,0,8", "1,y,read,8,8"], (), "--map x=ROOT"),
        (["0,x,read,0,8", "1,x,read,8,8"], ("--map", "z=sda"), "no such device"),
        (["0,x,read,0,8", "1,x,read,8,8"], ("--map", "z"), "not a pair"),
        (["0,x,read,0,8", "1,x,read,99999999,8"], (), "ends beyond the device"),
        (["0,x,read,0,8", "1,x,read,8,8"], ("--iodepth", "4"), "leave --iodepth out"),
        (["0,x,read,0,8", "1,x,read,8,8"], ("--until-knee",), "leave --until-knee out"),
        (["0,x,read,0,8", "1,x,raed,8,8"], (), "line 3"),
    ],
)
def test_refused_with_a_way_out(tmp_path, lines, words, message):
    _, stderr = replay(tmp_path, lines, *words, status=2)
    assert message in " ".join(stderr.split())


def test_map_and_names(tmp_path):
    lines = ["0,x,read,0,8", "1000,y,read,8,8", "2000,sda,read,8,8"]
    found, _ = replay(tmp_path, lines, "--map", "x=sda", "--map", "y=sda")
    assert found["blockstack"]["bios"] == 3
    rest, _ = replay(tmp_path, lines, "--map", "*=sda")
    assert rest["blockstack"]["iops"] == found["blockstack"]["iops"]
    lines[1] = "nonsense"
    found, stated = replay(tmp_path, lines, "--map", "x=sda", "--skip-bad", "1")
    assert found["blockstack"]["bios"] == 2
    assert "malformed, skipped: 1" in stated
    (tmp_path / "host.toml").write_text(CONFIG)
    run = cli.invoke(app, ["capacity", str(tmp_path / "host.toml"), "--skip-bad", "1"])
    assert run.exit_code == 2 and "--trace" in run.stderr


def test_roots_by_name():
    trace = trace_of([0, 1, 2], device=[0, 1, 0], names=("b", "a"))
    workload, times = as_workload(trace, ("a", "b"), {}, direct=True)
    assert workload.columns.root.tolist() == [1, 0, 1]
    assert times.tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(TraceError, match="without a root"):
        as_workload(trace, ("a", "c"), {}, direct=True)


def test_first_bios_stops_reading():
    def endless():
        while True:
            yield trace_of([3, 2])

    trace, more = first_bios(endless(), 3)
    assert trace.time_ns.tolist() == [0, 1, 1] and more


def test_replay_wants_a_time_per_bio(tmp_path):
    (tmp_path / "host.toml").write_text(CONFIG)
    case = bs.load(tmp_path / "host.toml")
    workload, times = as_workload(trace_of([0, 10, 20]), ("sda",), {}, direct=True)
    model = prepare(case.stack, workload, kernel=KERNEL, every=True)
    assert model.replay(times).bios == 3
    with pytest.raises(ConfigError, match="2 rows"):
        model.replay(times[:2])
    with pytest.raises(BlockstackError):
        model.replay(times[::-1].copy())
