"""fio job files: fio's units, every option accounted for."""

import contextlib
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from reference_draws import zipf_rank
from typer.testing import CliRunner

from blockstack import Workload
from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.cli import app
from blockstack.loads.fio_job import parse_jobs, read_jobs, waves
from blockstack.loads.fio_options import FOLLOWED, NO_INFLUENCE, NOT_FOLLOWED
from blockstack.loads.fio_sections import parse_bytes, parse_time_us

SAMPLES = Path(os.environ.get("BLOCKSTACK_SAMPLES", ROOT.parent / "shared/samples"))
CONFIG = str(ROOT / "configs/nvme-lvm-luks.toml")
cli = CliRunner()


def job(text, rw="randread"):
    return parse_jobs(f"[a]\nrw={rw}\n{text}")[0]


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("4096", 4096),
        ("4k", 4096),
        ("4K", 4096),
        ("4kb", 4096),
        ("4KiB", 4000),
        ("1m", 1 << 20),
        ("2MiB", 2_000_000),
        ("1g", 1 << 30),
        ("1t", 1 << 40),
        ("1p", 1 << 50),
        ("0x1000", 4096),
        ("1.5k", 1536),
    ],
)
def test_sizes_are_fios(text, n_bytes):
    assert parse_bytes(text, "bs") == n_bytes


@pytest.mark.parametrize(
    ("text", "us"),
    [("7", 7), ("7us", 7), ("7usec", 7), ("7ms", 7000), ("7s", 7 * 10**6), ("2m", 120 * 10**6)],
)
def test_times_are_fios(text, us):
    assert parse_time_us(text, "thinktime") == us


@pytest.mark.parametrize("text", ["", "k", "4x", "4ki", "-1", "1e3", "9" * 30, "8192p", "0.3"])
def test_no_sizes(text):
    with pytest.raises(ConfigError):
        parse_bytes(text, "bs")


def test_a_global_holds_for_what_is_below_it():
    jobs = parse_jobs(
        "; a comment\n[global]\nbs=8k # inline\nioengine=libaio\ndirect=1\n"
        "[one]\nrw=randread\n[global]\niodepth=4\n[two]\nstonewall\nrw=write\nbs=1m\n"
    )
    assert [(j.name, j.workload.bs, j.iodepth, j.wave) for j in jobs] == [
        ("one", 8192, 1, 0),
        ("two", 1 << 20, 4, 1),
    ]
    assert waves(jobs, None) == [[jobs[0]], [jobs[1]]]
    assert waves(jobs, "two") == [[jobs[1]]]


def test_all_words_reach_workload_and_load():
    found = job(
        "bssplit=4k/60:64k/40\nrwmixread=70\niodepth=16\nnumjobs=3\nioengine=io_uring\n"
        "direct=1\nsize=1g\noffset=1m\nrandom_distribution=zipf:1.2\nthinktime=50\n"
        "fsync=8\nrandseed=7\n",
        "randrw",
    )
    assert found.workload == Workload(
        rw="randrw",
        bssplit="4096/60:65536/40",
        rwmixread=70,
        direct=True,
        size=1 << 30,
        offset=1 << 20,
        random_distribution="zipf:1.2",
        fsync=8,
        seed=7,
    )
    assert (found.iodepth, found.numjobs, found.thinktime_ns) == (16, 3, 50_000)
    assert job("bsrange=1k-4k").workload.bs == "1024-4096"
    assert job("bs=4k,8k", "write").workload.bs == 8192
    assert job("rwmixread=60\nrwmixwrite=10", "rw").workload.rwmixread == 90
    assert job("rate_iops=500").rate_iops == 500
    assert job("buffered=0").workload.direct and not job("").workload.direct


def test_what_is_taken_otherwise_is_said():
    assert "waits for every bio" in job("iodepth=32").notes[0]
    assert job("iodepth=32").iodepth == 1
    assert "kernel may queue less" in job("iodepth=32\nioengine=libaio").notes[0]
    assert "sequential stream" in job("numjobs=2", "read").notes[0]
    assert job("runtime=60\ntime_based\nrefill_buffers").notes == (
        "no influence here: runtime, time_based (--bios says how many are simulated)",
        "no influence here: refill_buffers (contents)",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bsz=4k", r"line 3: unknown option .*did you mean \"bs\""),
        ("verify=crc32c", r"line 3: verify: is not followed"),
        ("ioengine=rbd", r"line 3: ioengine: is no engine of the kernel's block layer"),
        ("size=50%", r"line 3: size: a share"),
        ("bs=4k,8k", r"line 3: bs: differs"),
        ("rate_iops=100", r"line 3: rate_iops: limits each direction"),
        (
            "random_distribution=zoned:50/5",
            r"\[a\] line 3: random_distribution: unknown distribution",
        ),
        ("bs=${SIZE}", r"line 3: bs: variables are not replaced"),
        ("direct=yes", r"line 3: direct: must be 0 or 1"),
        ("bs=100", r"line 3: bs: not a bio size"),
        ("fsync=1\nfdatasync=1", r"line 4: fdatasync: .*together"),
        ("rate_process=x\nrate_iops=1", r"line 3: rate_process: unknown process"),
        ("thinktime=1y", r"line 3: thinktime: not a time"),
        ("[b", r"line 3: not a section"),
    ],
)
def test_refused_by_line_and_name(text, words):
    with pytest.raises(ConfigError, match=words):
        job(text, "randrw")


def names(text, section=None):
    return [[job.name for job in wave] for wave in waves(parse_jobs(text), section)]


def test_waves_and_groups_are_fios():
    """stonewall waits for all jobs above, wait_for for one; new_group only ends a group."""
    text = (
        "[a]\nrw=read\n[b]\nrw=write\n[c]\nwait_for=a\n[d]\nnew_group\n[e]\nstonewall\n[f]\n"
        "group_reporting\n[g]\nwait_for=c\n[h]\nwait_for=f\n"
    )
    assert names(text) == [["a", "b", "d"], ["c"], ["e", "f", "g"], ["h"]]
    assert names(text, "f") == [["f"]]
    jobs = parse_jobs(text)
    assert [job.group for job in jobs] == [0, 0, 0, 1, 2, 2, 2, 2]
    assert [job.grouped for job in jobs] == [job.name == "f" for job in jobs]
    assert names("[a]\nstonewall\n[b]\nstonewall=0\n") == [["a", "b"]]
    for wrong, message in (
        ("[a]\nwait_for=b\n[b]\n", "line 2: wait_for: names no job above"),
        ("[a]\n[b]\nwait_for=c\n", "line 3: wait_for: names no job above"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_jobs(wrong)
    with pytest.raises(ConfigError, match="no such section"):
        names("[a]\n", "c")
    with pytest.raises(ConfigError, match="no job section"):
        parse_jobs("[global]\nrw=read\n")
    with pytest.raises(ConfigError, match="before the first section"):
        parse_jobs("rw=read\n")


def test_an_option_is_in_one_table():
    assert not FOLLOWED & set(NO_INFLUENCE) and not FOLLOWED & set(NOT_FOLLOWED)
    assert not set(NO_INFLUENCE) & set(NOT_FOLLOWED)


_LINES = st.one_of(
    st.builds(
        "{}={}".format,
        st.sampled_from(sorted(FOLLOWED)),
        st.sampled_from(
            [
                "1",
                "0",
                "4k",
                "50%",
                "4k-8k",
                "4k/50:8k/50",
                "randrw",
                "zipf:1.1",
                "pareto:.2",
                ",",
                "4k,8k",
                "libaio",
                "",
                "-1",
                "9999999999999999999",
                "a:b:c",
                "1.5",
                "\u0663",
            ]
        ),
    ),
    st.sampled_from(["[global]", "[a]", "[", "stonewall", "; x", "=", "runtime=5"]),
    st.text(max_size=12),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(_LINES, max_size=8))
def test_fuzz_only_blockstack_errors(lines):
    with contextlib.suppress(BlockstackError):
        waves(parse_jobs("\n".join(["[j]", *lines])), None)


@pytest.mark.parametrize("h", [0.05, 0.2, 0.5])
def test_pareto_is_fios(h):
    """A share h of the accesses goes beyond the share 1 - h of the ranks: P(rank < x n) = x**(1/a),
    a = log h / log (1 - h)."""
    spec = Workload(rw="randread", random_distribution=f"pareto:{h}").draw_spec(8 << 20)
    draws = np.random.default_rng(1).integers(0, 2**64, 20_000, np.uint64)
    ranks = np.array([zipf_rank(spec, int(a)) for a in draws]) / spec.zipf_n
    for share in (0.01, 0.2, 0.7):
        expected = share ** (math.log1p(-h) / math.log(h))
        sigma = math.sqrt(expected * (1 - expected) / len(draws))
        assert abs((ranks < share).mean() - expected) < 5 * sigma
    for wrong in ("pareto:0", "pareto:1", "pareto:1.5", "pareto:"):
        with pytest.raises(ConfigError, match="unknown distribution"):
            Workload(rw="randread", random_distribution=wrong)
    with pytest.raises(ConfigError, match="only for random"):
        Workload(rw="read", random_distribution="pareto:0.2")


def capacity(*words, status=0):
    run = cli.invoke(app, ["capacity", CONFIG, "--json", *map(str, words)])
    assert run.exit_code == status, run.output
    return json.loads(run.stdout)


@pytest.mark.slow
def test_capacity_takes_a_job_file(tmp_path):
    path = tmp_path / "job.fio"
    path.write_text(
        "[global]\nioengine=libaio\ndirect=1\nrw=randread\nbs=4k\n[slow]\niodepth=1\n"
        "[fast]\nstonewall\niodepth=8\nnumjobs=2\n[rate]\nstonewall\nrate_iops=1000\n"
        "numjobs=2\n"
    )
    both = capacity("--fio", path, "--bios", 500)
    assert [j["jobname"] for j in both["jobs"]] == ["slow", "fast", "rate"]
    iops = [one["iops"] for one in both["blockstack"]]
    assert iops[1] > 4 * iops[0]
    assert iops[2] == pytest.approx(2000, rel=0.02)  # equal gaps: no noise of arrivals
    assert both["blockstack"][2]["load"] == {
        "mode": "paced",
        "iodepth": 1,
        "numjobs": 2,
        "rate_iops": 2000.0,
        "thinktime_ns": 0.0,
    }
    one = capacity("--fio", path, "--section", "fast", "--bios", 500)
    assert one["blockstack"] == both["blockstack"][1]
    same = capacity(
        "--fio", path, "--section", "slow", "--iodepth", 8, "--numjobs", 2, "--bios", 500
    )
    assert same["blockstack"]["load"] == one["blockstack"]["load"]
    capacity("--section", "fast", status=2)


@pytest.mark.slow
def test_jobs_at_once_share_the_stack(tmp_path):
    path = tmp_path / "two.fio"
    head = "[global]\nioengine=libaio\ndirect=1\nbs=4k\n"
    path.write_text(
        head + "[reader]\nrw=randread\niodepth=64\nnumjobs=4\n[writer]\nrw=randwrite\n"
        "rate_iops=3000\n[seldom]\nrw=randread\nthinktime=1ms\n"
    )
    found = capacity("--fio", path, "--bios", "20k")
    assert [j["jobname"] for j in found["jobs"]] == ["reader", "writer", "seldom"]
    reader, writer, seldom = found["jobs"]
    total = found["blockstack"]
    assert writer["write"]["iops"] == pytest.approx(3000, rel=0.05)
    assert writer["read"]["total_ios"] == reader["write"]["total_ios"] == 0
    assert [s["name"] for s in total["streams"]] == ["reader", "writer", "seldom"]
    assert sum(s["iops"] for s in total["streams"]) == pytest.approx(total["iops"])
    assert sum(j[d]["total_ios"] for j in found["jobs"] for d in ("read", "write")) == total["bios"]
    page = (Path(CONFIG).parent.parent / "docs/json.md").read_text()
    named = [
        *total,
        *total["streams"][0],
        *total["stations"][0],
        *total["ops"][0],
        *total["layers"][0],
        *total["laws"][0],
        *reader,
        *reader["read"],
        *total["load"],
    ]
    assert [key for key in named if key not in page] == []
    # one job alone waits less than beside 256 others
    alone = capacity("--fio", path, "--section", "seldom", "--bios", "2k")["jobs"][0]
    assert seldom["read"]["clat_ns"]["mean"] > 1.2 * alone["read"]["clat_ns"]["mean"]
    assert (
        "streams" not in capacity("--fio", path, "--section", "seldom", "--bios", 200)["blockstack"]
    )
    run = cli.invoke(app, ["capacity", CONFIG, "--fio", str(path), "--bios", "2k"])
    assert "[reader] and [writer] and [seldom]" in run.stdout
    assert [
        line.split()[:2]
        for line in run.stdout.splitlines()
        if line.strip().startswith(("reader ", "writer ", "seldom "))
    ] == [["reader", "read"], ["writer", "write"], ["seldom", "read"]]
    capacity("--fio", path, "--until-knee", status=2)
    log = tmp_path / "x.hdr"
    capacity("--fio", path, "--bios", "2k", "--hdr", log)
    assert "Tag=writer-write" in log.read_text()
    path.write_text(
        head + "group_reporting\nrw=randread\n[a]\n[b]\n[c]\nnew_group\n[d]\nstonewall\n"
    )
    grouped = capacity("--fio", path, "--bios", "2k")
    assert [(j["jobname"], j["groupid"]) for j in grouped["jobs"]] == [("a", 0), ("c", 1), ("d", 2)]
    assert grouped["jobs"][0]["read"]["iops"] == pytest.approx(
        2 * grouped["jobs"][1]["read"]["iops"], rel=0.1
    )


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="needs the outside corpus of samples")
def test_samples():
    refused = {}
    for path in sorted((SAMPLES / "fio").glob("*.fio")):
        try:
            waves(read_jobs(path), None)
        except ConfigError as error:
            refused[path.stem] = error.path.split(": ")[-1]
    assert refused == {
        "example-jesd219": "blockalign",
        "example-latency-profile": "latency_target",
        "example-surface-scan": "verify",
        "example-zbd-rand-write": "zonemode",
    }
