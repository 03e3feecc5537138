"""`blockstack sweep` and `plot sweep` as a user runs them."""

import csv
import json
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from blockstack.cli import app

CONFIG = "raid6-nvme"
RATE = ["--measure", "capacity", "--bios", "200"]
CHUNKS = "devices.md0.chunk=64 KiB,512 KiB"


def call(*words):
    return CliRunner().invoke(app, ["sweep", CONFIG, *map(str, words)])


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_points_for_people_and_for_programs(tmp_path):
    told = call("--over", CHUNKS, "--over", "submission=recursive,two-list")
    assert told.exit_code == 0
    assert told.stdout.startswith("4 points over devices.md0.chunk, submission: 4 fit")
    assert "peak bytes" in told.stdout and "64 KiB" in told.stdout
    file = tmp_path / "points.csv"
    again = call("--over", CHUNKS, "--over", "submission=recursive,two-list", "-o", file)
    assert "4 of 4 points were known" in again.stderr
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [r["submission"] for r in rows] == ["recursive", "two-list"] * 2
    data = json.loads(call("--over", CHUNKS, "--json").stdout)
    assert data["axes"] == ["devices.md0.chunk"] and len(data["points"]) == 2


def test_asked_for_the_best():
    kept = call(
        "--members",
        "md0=nvme0n1..nvme5n1:4,5,6",
        "--measure",
        "depth,cost",
        "--price",
        "nvme=200",
        "--slo",
        "usable_bytes>=3 TiB",
        "--minimise",
        "cost",
    )
    assert (
        kept.exit_code == 1 and "0 of 3 points are left" not in kept.stdout
    ) or kept.exit_code == 0
    assert "1 of 3 points are left" in kept.stdout
    none = call("--over", CHUNKS, "--slo", "headroom>=1 MiB")
    assert none.exit_code == 1 and "0 of 2 points are left" in none.stdout


def test_the_most_that_keeps_a_promise():
    told = call("--most", "iodepth=1..4", "--slo", "p99<=10s", *RATE)
    assert told.exit_code == 0 and told.stdout.startswith("iodepth 4 is the most")
    never = call("--most", "iodepth=1..4", "--slo", "p99<=1ns", *RATE)
    assert never.exit_code == 1 and "No iodepth" in never.stdout
    assert call("--most", "iodepth=1..4").exit_code == 2
    assert "--measure capacity" in call("--most", "iodepth=1..4", "--slo", "p99<=1s").stderr


def test_which_axis_matters():
    """One axis of two changes nothing: the other explains everything."""
    rules, names = "submission=recursive,fifo", "name=a,b"
    asked = ["--over", rules, "--over", names, "--matters", "peak_bytes"]
    told = json.loads(call(*asked, "--json").stdout)
    shares = {one["axis"]: one["total"] for one in told["matters"]}
    assert shares == {"submission": 1.0, "name": 0.0}
    assert "submission: 100% of the variance" in call(*asked).stdout


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--over", "devices.md0.chnk=1"], 'did you mean "chunk"?'),
        (["--over", "iodepth"], "not an axis"),
        ([], "no axis"),
        (["--over", CHUNKS, "--measure", "depht"], 'did you mean "depth"?'),
        (["--over", CHUNKS, "--price", "nvme"], "not a price"),
        (["--over", CHUNKS, "--points", "x.csv"], "has the points already"),
        (["--over", CHUNKS, "--pareto", "deepest_task,peak_bytes"], "neither more nor less"),
        (["--members", "md0=nvme0n1..nvme5n1:3"], "members.md0=3"),
        (["--over", CHUNKS, "-o", "points.xlsx"], "no such format"),
    ],
)
def test_bad_input(words, part):
    told = call(*words)
    assert told.exit_code == 2 and part in told.stderr


def test_pictures(tmp_path):
    pytest.importorskip("pyarrow")
    file = tmp_path / "points.parquet"
    call("--over", CHUNKS, "--over", "submission=recursive,two-list", "-o", file)
    for name, words in {
        "lines.svg": ["--x", "peak_bytes", "--y", "headroom", "--colour", "submission"],
        "facets.svg": ["--x", "peak_bytes", "--y", "headroom", "--facet", "submission"],
        "map.png": ["--x", "submission", "--y", "devices.md0.chunk", "--heat", "headroom"],
        "front.svg": ["--x", "headroom", "--y", "peak_bytes", "--pareto"],
        "page.vl.json": ["--x", "peak_bytes", "--y", "headroom", "--colour", "submission"],
    }.items():
        command = ["plot", "sweep", str(file), *words, "-o", str(tmp_path / name)]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.stderr
        assert (tmp_path / name).stat().st_size > 1000
    spec = json.loads((tmp_path / "page.vl.json").read_text())
    assert len(spec["data"]["values"]) == 4 and spec["encoding"]["color"]["field"] == "submission"
    lost = CliRunner().invoke(app, ["plot", "sweep", str(file), "--x", "iops", "--y", "headroom"])
    assert lost.exit_code == 2 and "no such column" in lost.stderr


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_done(tmp_path):
    run = "from blockstack.cli import main; main()"
    command = [sys.executable, "-P", "-c", run, "sweep", CONFIG]
    words = ["--over", "iodepth=1..5000", "--measure", "capacity", "--bios", "2000"]
    with subprocess.Popen([*command, *words], stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        while "points" not in child.stderr.readline():
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        rest = child.stderr.read()
        assert child.wait() == 130
    assert "the same command goes on from there" in rest
