"""Measured stacks of real kernels against their bounds: recorded figures, and that they matter."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blockstack import validate as val
from blockstack.cli import app
from blockstack.errors import BlockstackError, ConfigError
from blockstack.importers.commands import read_commands
from blockstack.importers.measured import Depth, Measured, load_measurements, stack_of
from blockstack.importers.shell import options, simple_commands
from blockstack.kernel import load_kernel
from blockstack.kernel.cuts import RARE_CUTS
from blockstack.kernel.generation import GENERATIONS
from blockstack.present import validation

GOLDEN = Path(__file__).parent / "golden"
#: what may stay unmodelled: kinds that the registry lacks
REFUSED = {"bcache", "dm-multipath-rq", "dm-writecache", "drbd"}
FILES = {path.stem: path for path in sorted(GOLDEN.glob("linux-6.1-*.json"))}


@pytest.fixture(scope="module", params=FILES)
def golden(request):
    """One file's measurements, its report, and the figures recorded beside them."""
    measured = load_measurements(FILES[request.param])
    report = val.validate(measured, val.kernel_for(measured))
    return measured, report, json.loads(FILES[request.param].read_text())["stacks"]


def test_every_bound_holds(golden):
    _, report, _ = golden
    assert [r.name for r in report.modelled if not r.holds] == []
    assert report.holds_all
    assert {r.name for r in report.rows if r.refused and not any(
        r.name.startswith(word) for word in REFUSED)} == set()


def test_figures_are_the_recorded_ones(golden):
    _, report, recorded = golden
    changed = {r.name: (r.predicted_bytes, recorded[r.name]["predicted_bytes"])
               for r in report.rows if r.predicted_bytes != recorded[r.name]["predicted_bytes"]
               or r.typical_bytes != recorded[r.name]["typical_bytes"]}
    assert changed == {}, "bounds changed: look why, then record them anew"


def test_summary_within_limits(golden):
    _, report, _ = golden
    summary = report.summary()
    assert summary["modelled"] + summary["refused"] == summary["stacks"]
    assert summary["holds"] == summary["modelled"] >= 67
    assert 1 <= summary["median_ratio"] <= 1.20
    assert summary["p90_ratio"] <= 1.60
    assert summary["typical_median_ratio"] <= summary["median_ratio"]
    assert summary["typical_p90_ratio"] <= 1.40


def test_typical_is_never_above_the_bound(golden):
    _, report, _ = golden
    for row in report.modelled:
        assert row.typical_bytes <= row.predicted_bytes <= row.worst_bytes, row.name


def test_refused_stacks_have_no_number(golden):
    _, report, _ = golden
    for row in report.rows:
        if row.refused:
            assert row.predicted_bytes is None and row.ratio is None and row.typical_bytes is None


def test_linear_is_flat_in_submission_and_grows_in_completion(golden):
    """64 bytes per dm level on x86_64, 88 on i386, where the lowest device completes inline."""
    _, report, _ = golden
    by_name = {r.name: r for r in report.rows}
    flat = {by_name[f"dm-linear-x{n}_virtio-blk"].worst_bytes for n in (1, 2, 4, 8, 16)}
    assert len(flat) == 1
    step = 64 if "x86_64" in report.kernel else 88
    x4, x8 = (by_name[f"dm-linear-x{n}_brd"].predicted_bytes for n in (4, 8))
    assert x8 - x4 == 4 * step


def test_without_one_edge_a_bound_breaks():
    """Take the pool's allocator away and the virtio path is too short for what was measured."""
    measured = load_measurements(FILES["linux-6.1-i386"])
    one = next(m for m in measured.stacks if m.name == "virtio-blk")
    kernel = val.as_traced(load_kernel("linux-6.1-i386").override(stack_offset=False))
    assert val.compare(one, kernel).holds
    gen = GENERATIONS["6.1"]
    less = replace(gen, edges=tuple(e for e in gen.edges if e[0] != "mempool_alloc"))
    poorer = replace(kernel, generation=less,
                     rows=replace(kernel.rows, generation=less, _layers={}, _spines={}, _tails={},
                                  _to={}))
    assert val.compare(one, poorer).holds is False


def test_a_missing_anchor_is_refused_by_name():
    kernel = load_kernel("linux-6.1-x86_64").override(stack_offset=False)
    table = kernel.rows.table
    functions = {k: v for k, v in table.functions.items() if k != "virtio_queue_rq"}
    poorer = val.as_traced(replace(kernel, rows=replace(
        kernel.rows, table=replace(table, functions=functions))))
    measured = load_measurements(FILES["linux-6.1-x86_64"])
    one = next(m for m in measured.stacks if m.name == "virtio-blk")
    row = val.compare(one, poorer)
    assert "virtio_queue_rq" in row.refused and row.predicted_bytes is None


def test_an_unknown_context_is_refused():
    one = Measured("x", (), "/dev/vdb", Depth(100, "kthread:nobody"))
    kernel = val.as_traced(load_kernel("linux-6.1-x86_64"))
    row = val.compare(one, kernel)
    assert "kthread:nobody" in row.refused and row.worst_bytes > 0


def test_untold_context_takes_the_worst():
    one = Measured("x", (), "/dev/vdb", Depth(100))
    row = val.compare(one, val.as_traced(load_kernel("linux-6.1-x86_64")))
    assert row.predicted_bytes == row.worst_bytes


def test_rare_cuts_have_reasons():
    for cut in RARE_CUTS:
        assert cut.cls == "rare" and cut.reason


@pytest.mark.parametrize(("commands", "target", "kinds"), [
    ((), "/dev/sdb", ["scsi"]),
    ((), "/dev/sde", ["nic", "iscsi"]),
    (("echo '0 8192 linear /dev/vdb 0' | dmsetup create a",), "/dev/mapper/a",
     ["virtio-blk", "dm-linear"]),
    (("mdadm --create /dev/md0 --run --level=5 --chunk=64 --raid-devices=3 missing /dev/vdb "
      "/dev/vdc", "mkfs.xfs -q -f /dev/md0", "mount -t xfs /dev/md0 /mnt/a"), "/mnt/a",
     ["virtio-blk", "virtio-blk", "virtio-blk", "md-raid5", "xfs"]),
    (("mkfs.ext4 /dev/vdb", "mount -t ext4 /dev/vdb /mnt/a", "truncate -s 1M /mnt/a/img",
      "losetup -f --show /mnt/a/img"), "/dev/loop0", ["virtio-blk", "ext4", "loop"]),
    (("printf '0 8192 linear /dev/vdb 0\\n8192 8192 linear /dev/vdc 0\\n' | dmsetup create a",),
     "/dev/mapper/a", ["virtio-blk", "virtio-blk", "dm-linear"]),
    (("cryptsetup luksFormat -q /dev/vdb -", "cryptsetup open --perf-no_read_workqueue /dev/vdb c"),
     "/dev/mapper/c", ["virtio-blk", "dm-crypt"]),
    (("mkswap /dev/ram0", "swapon /dev/ram0"), None, ["brd", "swap"]),
    (("swapon -p 5 /dev/ram0", "swapon /dev/vdb", "swapoff /dev/vdb"), None, ["brd", "swap"]),
    (("mkfs.btrfs -f --data raid0 -m raid1 /dev/vdb /dev/vdc",
      "mount -o noatime,compress-force=zstd:3 /dev/vdc /m"), "/m",
     ["virtio-blk", "virtio-blk", "btrfs"]),
    (("mkfs -t xfs -f /dev/vdb", "mount -o nosuid /dev/vdb /m", "fsfreeze -f /m", "sync",
      "losetup --direct-io=on -b 4096 /dev/loop3 /m/dir/img"), "/dev/loop3",
     ["virtio-blk", "xfs", "loop"]),
    (("mkfs.ext4 -q -L x /dev/vdb", "mount /dev/vdb /m", "exportfs -o rw localhost:/m",
      "mount -t nfs4 127.0.0.1:/m /n", "losetup -f --show /n/img"), "/dev/loop0",
     ["nic", "nfs", "loop", "virtio-blk", "ext4", "nfsd"]),
    (("mkfs.f2fs -q -f -t 0 /dev/vdb && mount -t f2fs /dev/vdb /m",), "/m",
     ["virtio-blk", "f2fs"]),
    (("mkfs.ext4 /dev/vdb", "mount /dev/vdb /m", "mkfs.xfs /m/a.img",
      "mount -o loop /m/a.img /n"), "/n", ["virtio-blk", "ext4", "loop", "xfs"]),
    (("dmsetup create a --table '0 8192 linear /dev/vdb 0'", "dmsetup message a 0 hello"),
     "/dev/mapper/a", ["virtio-blk", "dm-linear"]),
    (("dmsetup create a <<< '0 8192 linear /dev/vdb 0'",), "/dev/mapper/a",
     ["virtio-blk", "dm-linear"]),
    (("yes | mdadm -C /dev/md0 -R -l raid5 -c 64K -n 3 /dev/vd[b-d] 2>/dev/null".replace(
        "/dev/vd[b-d]", "/dev/vdb /dev/vdc /dev/vdd"), "mdadm /dev/md0 --fail /dev/vdc"),
     "/dev/md0", ["virtio-blk", "virtio-blk", "virtio-blk", "md-raid5"]),
    (("cryptsetup open --type plain --key-file /k -c aes-xts-plain64 /dev/vdb c",),
     "/dev/mapper/c", ["virtio-blk", "dm-crypt"]),
    (("configfs null_blk size=1 memory_backed=1 queue_mode=0",), "/dev/gt0", ["null_blk"]),
])
def test_commands_to_stack(commands, target, kinds):
    stack = stack_of(Measured("x", commands, target, None))
    assert [d.kind for d in stack.devices.values()] == kinds


@pytest.mark.parametrize(("commands", "target", "words"), [
    ((), "/dev/hda", "no command makes this device"),
    (("zpool create p /dev/vdb",), "/dev/vdb", "zpool is not known"),
    (("mkfs.ext4 -O inline_data /dev/vdb",), "/dev/vdb", "ext4 with inline_data"),
    (("mkfs.xfs -l logdev=/dev/vdc,size=64m /dev/vdb",), "/dev/vdb", "logdev=/dev/vdc"),
    (("mkfs.btrfs -d raid5 /dev/vdb /dev/vdc /dev/vdd",), "/dev/vdb", "profile raid5"),
    (("mkfs.f2fs -c /dev/vdc /dev/vdb",), "/dev/vdb", "over several devices"),
    (("mkfs.ext4 /dev/vdb", "mount -o data=journal /dev/vdb /m"), "/m", "data=journal"),
    (("mkfs.btrfs /dev/vdb", "mount -o device=/dev/vdc /dev/vdb /m"), "/m", "/dev/vdc"),
    (("mount /dev/vdb /m",), "/m", "no command formats /dev/vdb"),
    (("mount -t nfs -o vers=2 a:/x /m",), "/m", "NFS version 2"),
    (("mount -t nfs -o sec=krb5 a:/x /m",), "/m", "with security"),
    (("mount -t nfs localhost:/x /m",), "/m", "no command mounts a file system that holds /x"),
    (("losetup -f /m/img",), "/dev/loop0", "no command mounts a file system that holds /m/img"),
    (("echo none > /sys/block/vdb/queue/scheduler",), "/dev/vdb", "queue/scheduler"),
    (("cryptsetup luksFormat --integrity hmac-sha256 /dev/vdb",), "/dev/vdb", "dm-integrity"),
    (("mdadm --grow /dev/md0 --raid-devices=3",), "/dev/md0", "changed while it runs"),
    (("swapon /m/swapfile",), None, "swap file"), (("dmsetup create a",), "/dev/vdb", "table"),
    (("mkfs.ext4 '/dev/vdb",), "/dev/vdb", "No closing quotation"),
    (("make-bcache -C /dev/vdb -B /dev/vdc",), "/dev/bcache0", "bcache"),
    (("echo '0 8 era /dev/vdb /dev/vdc 8' | dmsetup create a",), "/dev/mapper/a", "dm-era"),
    (("mdadm --create /dev/md0 /dev/vdb",), "/dev/md0", "level"),
])
def test_commands_that_are_refused(commands, target, words):
    with pytest.raises(BlockstackError, match=words):
        stack_of(Measured("x", commands, target, None))


def test_options_that_the_path_depends_on():
    machine = read_commands("x", (
        "mkfs.btrfs -d raid1 /dev/vdb /dev/vdc", "mount -o compress /dev/vdb /m",
        "losetup --direct-io -f /m/a", "losetup -f /m/b", "losetup --direct-io=on /dev/loop1",
        "mdadm -C /dev/md0 -l5 -n3 /dev/vdd missing /dev/vde", "mdadm --fail /dev/md0 /dev/vde",
        "mount -t nfs -o vers=3 far:/x /n", "modprobe null_blk queue_mode=0", "umount /n"))
    recipes = machine.recipes
    assert recipes["/m"].on == ("/dev/vdb", "/dev/vdc")
    assert recipes["/m"].keys == {"profile": "raid1", "compress": "zlib"}
    assert recipes["/dev/loop0"].keys == recipes["/dev/loop1"].keys == {"direct": True}
    assert recipes["/dev/md0"].keys["failed"] == [1, 2]
    assert recipes["null_blk"].keys == {"mode": "bio"} and "/n" not in recipes


def test_simple_commands():
    found = list(simple_commands("X=1 sudo /sbin/mkfs -t xfs /dev/a 2>&1 | cat; echo hi > /f"))
    assert [c.tool for c in found] == ["mkfs", "cat", "echo"]
    assert found[0].words == ("-t", "xfs", "/dev/a") and found[2].writes_to == "/f"
    given = options(("-qft", "ext4", "-Lname", "--x=1", "--y", "2", "--", "-z"),
                    ("-t", "-L", "--y"))
    assert given.get("-t") == "ext4" and given.get("-L") == "name" and given.has("-f")
    assert given.get("--x") == "1" and given.get("--y") == "2" and given.words == ("-z",)


def test_no_target_and_no_swap():
    with pytest.raises(ConfigError, match="no command makes"):
        stack_of(Measured("x", (), None, None))


def test_bad_files(tmp_path):
    with pytest.raises(BlockstackError, match="no files"):
        list(val.measured_files(tmp_path))
    bad = tmp_path / "a.json"
    bad.write_text('{"meta": {}, "stacks": {}}')
    with pytest.raises(BlockstackError, match="meta lacks kernel"):
        load_measurements(bad)
    bad.write_text("{")
    with pytest.raises(BlockstackError, match="cannot be read"):
        load_measurements(bad)
    bad.write_text('{"meta": {"kernel": "7.9", "arch": "sparc"}, "stacks": {}}')
    with pytest.raises(BlockstackError, match="no frame table"):
        val.kernel_for(load_measurements(bad))


def _small(tmp_path, **change):
    data = json.loads(FILES["linux-6.1-x86_64"].read_text())
    stacks = {name: data["stacks"][name] for name in ("virtio-blk", "drbd_virtio-blk")}
    stacks["virtio-blk"]["block"] |= change
    path = tmp_path / "small.json"
    path.write_text(json.dumps({"meta": data["meta"], "stacks": stacks}))
    return path


def test_command_line(tmp_path):
    picture = tmp_path / "a.svg"
    path = _small(tmp_path)
    found = CliRunner().invoke(app, ["validate", str(path), "--json", "--plot", str(picture)])
    assert found.exit_code == 0, found.output
    data = json.loads(found.stdout)
    assert data["summary"]["stacks"] == 2 and data["summary"]["refused"] == 1
    assert data["stacks"]["virtio-blk"]["ratio"] >= 1
    assert "drbd" in data["stacks"]["drbd_virtio-blk"]["refused"]
    assert picture.read_text().startswith("<?xml")
    shown = CliRunner().invoke(app, ["validate", str(path)])
    assert "1 bounds hold" in shown.output and "refused: drbd" in shown.output


def test_command_line_fails_when_a_bound_does_not_hold(tmp_path):
    found = CliRunner().invoke(app, ["validate", str(_small(tmp_path, max_bytes=9000))])
    assert found.exit_code == 1


def test_picture_of_reports(golden):
    _, report, _ = golden
    ax = validation.predicted_against_measured([report])
    assert len(ax.collections) == 3
