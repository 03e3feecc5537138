"""A sweep: every point is what one call gives; killed, it goes on; nothing is lost."""

import json
import os
import signal
import subprocess
import sys

import pytest
from places import ROOT

import blockstack as bs
from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.scenario.config import config_to_dict, load_config
from blockstack.sweeps.axes import Axis, parse_members
from blockstack.sweeps.case import case_of
from blockstack.sweeps.run import Running, collected, plan_sweep, points, space_of
from blockstack.sweeps.store import Store
from blockstack.sweeps.work import Job, Spec, local, run_point

CONFIG = "nvme-lvm-luks"
KERNELS = ["linux-6.1-x86_64", "linux-6.12-x86_64"]


def test_a_point_is_what_one_call_gives():
    found = bs.sweep(
        CONFIG,
        over={"kernel": KERNELS, "iodepth": [1, 8]},
        measure=("depth", "capacity"),
        bios=500,
        workers=1,
    )
    case = bs.load(CONFIG)
    rows = list(found.rows())
    assert [(r["kernel"], r["iodepth"]) for r in rows] == [(k, d) for k in KERNELS for d in (1, 8)]
    for row in rows:
        depth = bs.explain(case.stack, kernel=row["kernel"], workload=case.workload)
        rate = bs.capacity(
            case.stack, case.workload, kernel=row["kernel"], iodepth=row["iodepth"], bios=500
        )
        assert row["peak_bytes"] == depth.worst.peak_bytes and row["fits"] == depth.fits
        assert json.loads(row["task_bytes"]) == {t.task: t.peak_bytes for t in depth.tasks}
        assert sum(json.loads(row["layer_bytes"]).values()) == depth.worst.peak_bytes
        assert row["iops"] == rate.iops and row["p99_ns"] == rate.percentile_ns(99.0)


def test_workers_and_order_change_no_byte(tmp_path):
    over = {"iodepth": [1, 4], "submission": ["recursive", "two-list"]}
    for name, workers in (("one", 1), ("two", 2)):
        bs.sweep(CONFIG, over=over, workers=workers).save(tmp_path / f"{name}.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_what_is_known_is_not_computed_again(tmp_path):
    def running(values: list[int], store: Store) -> Running:
        plan = plan_sweep(load_config(CONFIG), space_of({"iodepth": values}), ("depth",))
        return Running(plan, store)

    with Store(tmp_path / "points") as store:
        assert len(list(points(running([1, 2], store), workers=1))) == 2
        more = running([1, 2, 4], store)
        assert [done.number for done in points(more, workers=1)] == [2]
        assert more.known == 2 and len(collected(more)) == 3


def test_a_failed_point_is_a_row_or_the_end(tmp_path):
    over = [parse_members("md0=nvme0n1..nvme5n1:3,4,6")]
    with pytest.raises(ConfigError, match=r"members\.md0=3") as caught:
        bs.sweep("raid6-nvme", over=over, workers=1)
    assert "4 to 63" in str(caught.value)
    found = bs.sweep("raid6-nvme", over=over, workers=1, keep_going=True)
    assert [bool(error) for error in found.data["error"]] == [True, False, False]
    assert found.data["peak_bytes"][0] is None and "1 cannot be" in repr(found)


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ({"devices.luks.sector_sise": [512]}, ["devices.luks.sector_sise=512", "unknown key"]),
        ({"devices.lux.sector_size": [512]}, ["no such device", "luks"]),
        ({"submission": ["fifo", "lilo"]}, ["submission=lilo", "no such submission rule"]),
        ({"kernel": ["linux-6.2"]}, ["linux-6.2"]),
        ({"kernel": [6]}, ["kernel"]),
        ({"devices.luks.sector_size.x": [512]}, ["devices.luks.sector_size.x=512"]),
    ],
)
def test_what_cannot_be_names_the_axis_and_the_value(axis, words):
    with pytest.raises(BlockstackError) as caught:
        bs.sweep(CONFIG, over=axis, workers=1)
    for word in words:
        assert word in str(caught.value)


def test_members_come_and_go():
    base = config_to_dict(load_config("raid6-nvme"))
    axis = parse_members("md0=nvme0n1..nvme9n1:4,8")
    names = {axis.key: axis.names}
    for count in axis.values:
        config = case_of(base, {axis.key: count}, names).config()
        assert config.stack.devices["md0"].on == axis.names[:count]
        assert len(config.stack.leaves()) == count
    new, first = config.stack.devices["nvme7n1"], config.stack.devices["nvme0n1"]
    assert new.size_sectors == first.size_sectors


def test_the_size_of_bios_replaces_the_config_s_own():
    base = config_to_dict(load_config(CONFIG))
    assert "bssplit" in base["workload"]
    assert case_of(base, {"workload.bs": "4k"}, {}).config().workload.to_dict()["bs"] == "4k"


def _spec(**changed: object) -> Spec:
    plan = plan_sweep(load_config(CONFIG), space_of({"iodepth": [1]}), ("depth",))
    return plan.spec


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_own_point_only(monkeypatch):
    """The point that kills its worker fails; those that were under way beside it do not."""

    def deadly(base: object, settings: dict[str, int], names: object) -> object:
        if settings["iodepth"] == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return case_of(base, settings, names)

    monkeypatch.setattr("blockstack.sweeps.work.case_of", deadly)
    jobs = (Job(n, {"iodepth": n}) for n in range(1, 9))
    found = {done.number: done.error for done in local(_spec(), jobs, 2)}
    assert sorted(found) == list(range(1, 9))
    assert "worker died" in found[3] and not any(e for n, e in found.items() if n != 3)


def test_a_bug_in_a_point_is_told_with_its_traceback(monkeypatch):
    def broken(*args: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("blockstack.sweeps.work.case_of", broken)
    done = run_point(_spec(), Job(0, {"iodepth": 1}))
    assert "Traceback" in done.bug and done.error == "ZeroDivisionError: of ours"


SLOW = """
import sys, time
from blockstack.sweeps import run as room, work
from blockstack.sweeps.store import Store
from blockstack.scenario.config import load_config
def slow(spec, job, whole=work.run_point):
    time.sleep(0.05)
    return whole(spec, job)
work.run_point = slow
space = room.space_of({"iodepth": range(1, 400)})
plan = room.plan_sweep(load_config("nvme-lvm-luks"), space, ("depth",))
with Store(sys.argv[1]) as store:
    for done in room.points(room.Running(plan, store), workers=1):
        print(done.number, flush=True)
"""


@pytest.mark.slow
def test_kill_9_loses_no_finished_point(tmp_path):
    file = tmp_path / "points"
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", SLOW, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child:
        told = [int(child.stdout.readline()) for _ in range(5)]
        child.kill()
    plan = plan_sweep(load_config(CONFIG), space_of({"iodepth": range(1, 400)}), ("depth",))
    with Store(file) as store:
        assert all(store.finished(plan.digest(number)) for number in told)


@pytest.mark.slow
def test_dask_gives_the_same_and_survives_a_worker(tmp_path):
    distributed = pytest.importorskip("distributed")
    over = {"iodepth": list(range(1, 13))}
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())
        killed: list[int] = []

        def kill_one(state: Running) -> None:
            if not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        found = bs.sweep(CONFIG, over=over, scheduler=client, progress=kill_one)
    assert killed and found.data == bs.sweep(CONFIG, over=over, workers=1).data


@pytest.mark.slow
def test_a_frame_table_travels_to_the_workers(tmp_path):
    source = ROOT / "blockstack" / "kernel" / "data" / "linux-6.1-x86_64.json.gz"
    table = tmp_path / "mine.json.gz"
    table.write_bytes(source.read_bytes())
    found = bs.sweep(CONFIG, over={"kernel": [str(table), KERNELS[0]]}, workers=1)
    assert found.data["peak_bytes"][0] == found.data["peak_bytes"][1]
    spec = plan_sweep(load_config(CONFIG), space_of({"kernel": [str(table)]}), ("depth",)).spec
    table.unlink()
    assert run_point(spec, Job(0, {"kernel": str(table)})).error == ""


@pytest.mark.slow
def test_files_come_back_as_they_went(tmp_path):
    pytest.importorskip("pyarrow")
    found = bs.sweep(
        CONFIG, over={"iodepth": [1, 2]}, measure=("depth", "layers:dm-linear"), workers=1
    )
    file = tmp_path / "points.parquet"
    found.save(file)
    again = bs.Sweep.load(file)
    assert again.data == found.data and again.columns == found.columns and again.axes == found.axes
    assert again.about["config"]["name"] == CONFIG
    before = file.read_bytes()
    found.save(file)
    assert file.read_bytes() == before
    with pytest.raises(BlockstackError, match="no such format"):
        found.save(tmp_path / "points.xlsx")


def test_sql_over_the_points():
    pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    found = bs.sweep(CONFIG, over={"submission": ["recursive", "two-list"]}, workers=1)
    answer = found.query("select submission from points order by peak_bytes desc limit 1")
    assert answer.to_pydict() == {"submission": ["recursive"]}
    with pytest.raises(BlockstackError):
        found.query("selec 1")


def test_prices():
    found = bs.sweep(
        "raid6-nvme",
        over=[parse_members("md0=nvme0n1..nvme5n1:4,6")],
        measure="cost",
        prices={"nvme": 200.0, "nvme0n1": 50.0},
        workers=1,
    )
    assert found.data["cost"] == [650.0, 1050.0]
    assert found.data["usable_bytes"] == [n * 1024**4 - _md_loss(found, n) for n in (2, 4)]
    with pytest.raises(ConfigError, match="has no price"):
        bs.sweep("raid6-nvme", over={"iodepth": [1]}, measure="cost", workers=1)


def _md_loss(found: bs.Sweep, data_disks: int) -> int:
    """What md's superblock and rounding to chunks take: less than 1 % of a disk each."""
    usable = found.data["usable_bytes"][(data_disks - 2) // 2]
    loss = data_disks * 1024**4 - usable
    assert 0 <= loss < data_disks * 1024**4 // 100
    return loss


def test_a_store_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("no database, but long enough to be looked at" * 100)
    with pytest.raises(BlockstackError, match="cannot be used"):
        Store(tmp_path / "file")


def test_two_stores_share_a_file(tmp_path):
    with Store(tmp_path / "points") as one, Store(tmp_path / "points") as two:
        one.put("a", {"x": 1})
        two.put("b", {"x": 2}, "no")
        assert two.finished("a") and not one.finished("b")
        assert one.get("b") == ({"x": 2}, "no")


def test_the_public_example_holds():
    axes = [Axis("submission", ("recursive", "fifo"))]
    assert len(bs.sweep("crypt", over=axes, workers=1)) == 2
