"""Queue limits of captured machines, attribute by attribute, and of one made by hand."""

import os
import shlex
from pathlib import Path

import pytest
import sysfs_queue
from places import ROOT

from blockstack.generations import limits_read
from blockstack.stack import Stack
from blockstack.stack.queue_limit_tree import queue_limit_tree
from blockstack.stack.queue_limits.numbers import (
    Limits,
)
from blockstack.stack.queue_limits.rules import (
    limit_names,
    rules_for,
)
from blockstack.stack.queue_limits.stacking import (
    settle_limits,
    stack_limits,
    start_limits,
)

RULES = limits_read()
NEW = RULES["6.1"]
SHARED = Path(os.environ.get("BLOCKSTACK_SHARED", ROOT.parent / "shared"))
SAMPLES = SHARED / "samples"


def stacked(*lower, rules=NEW):
    top = start_limits(rules)
    for one in lower:
        top = stack_limits(top, one, 0, rules)
    return top


def test_a_made_tree_of_6_1_agrees():
    """lv over two disks, as 6.1 would show it: computed by hand from blk_stack_limits."""
    disk = {
        "logical_block_size": "512",
        "physical_block_size": "4096",
        "minimum_io_size": "4096",
        "optimal_io_size": "0",
        "max_hw_sectors_kb": "32767",
        "max_sectors_kb": "1280",
        "max_segments": "168",
        "max_segment_size": "65536",
        "virt_boundary_mask": "0",
        "discard_granularity": "0",
        "discard_max_bytes": "0",
        "chunk_sectors": "0",
        "write_zeroes_max_bytes": "0",
        "dma_alignment": "511",
        "alignment_offset": "0",
    }
    flash = disk | {
        "max_sectors_kb": "128",
        "max_hw_sectors_kb": "128",
        "max_segments": "33",
        "max_segment_size": "4294967295",
        "virt_boundary_mask": "4095",
        "optimal_io_size": "131072",
        "dma_alignment": "3",
    }
    upper = disk | {
        "max_sectors_kb": "128",
        "max_hw_sectors_kb": "128",
        "max_segments": "33",
        "virt_boundary_mask": "4095",
        "optimal_io_size": "131072",
    }
    lower = [sysfs_queue.limits_of(sysfs_queue.read_files(one)) for one in (disk, flash)]
    assert sysfs_queue.compare(stacked(*lower), sysfs_queue.read_files(upper), NEW) == {}


def captured(name):
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"no {name} beside the checkout")
    return path


@pytest.mark.parametrize("name", ["simple-lvm", "simple-nvme", "multi-devs-bcachefs"])
def test_captured_trees_agree(name):
    """Every stacked device's limits follow from those of its slaves, attribute by attribute."""
    version, devices, slaves = sysfs_queue.read_tar(captured(f"lsblk-sysfs/{name}.tar.xz"))
    rules = rules_for(version)
    checked = 0
    for device, lower in slaves.items():
        values = sysfs_queue.read_files(devices[device])
        top = start_limits(rules)
        for low in lower:
            one = sysfs_queue.limits_of(sysfs_queue.read_files(devices[low]))
            top = settle_limits(stack_limits(top, one, 0, rules), rules)
        assert sysfs_queue.compare(top, values, rules) == {}, device
        checked += len([n for n in values if n in limit_names(rules)])
    assert checked == {"simple-lvm": 17}.get(name, 0)


def test_drivers_limits_are_those_of_captured_disks():
    """An AHCI disk and a loop device of 4.16: what the code sets is what sysfs shows."""
    _, devices, _ = sysfs_queue.read_tar(captured("lsblk-sysfs/simple-lvm.tar.xz"))

    stack = Stack()
    stack.filesystem("fs", kind="ext4", on=stack.scsi("sda", size="1 GiB"))
    stack.loop("loop0", on="fs")
    tree = queue_limit_tree(stack, "6.1")
    of_the_disk = {"discard_granularity", "max_discard_sectors", "max_hw_discard_sectors"}
    for name, but_for in (("sda", of_the_disk), ("loop0", set())):  # sda is an SSD: it has TRIM
        values = sysfs_queue.read_files(devices[name])
        values["max_hw_sectors"] |= tree[name].limits.max_hw_sectors & 1  # shown in KiB
        assert set(sysfs_queue.compare(tree[name].limits, values, RULES["4.16"])) == but_for


def test_a_multipath_namespace_agrees_but_for_what_its_driver_sets():
    """nvme head over two paths: 6.x nvme_update_ns_info sets some limits on the head itself."""
    path = next(iter(sorted((SAMPLES / "nvme").glob("libnvme-*.tar*"))), None)
    if path is None:
        pytest.skip("no libnvme trees beside the checkout")
    for archive in sorted((SAMPLES / "nvme").glob("libnvme-*.tar*")):
        _, devices, _ = sysfs_queue.read_tar(archive)
        if "nvme1n1" in devices and "nvme1c1n1" in devices:
            break
    else:
        pytest.skip("no tree with a multipath namespace")
    values = sysfs_queue.read_files(devices["nvme1n1"])
    paths = [
        sysfs_queue.limits_of(sysfs_queue.read_files(devices[p]))
        for p in ("nvme1c1n1", "nvme1c2n1")
    ]
    for rules, differs in (
        (NEW, {"dma_alignment": (511, 3)}),
        (RULES["6.12"], {"dma_alignment": (511, 3)}),
    ):
        top = start_limits(rules)
        for one in paths:
            top = stack_limits(top, one, 0, rules)
        found = sysfs_queue.compare(settle_limits(top, rules), values, rules)
        # nvme_mpath_alloc_disk: the head begins with an alignment of 3, not with 511
        assert found == differs


def test_the_sosreports_crypt_and_lvm_agree():
    """lsblk -t of a Ceph node (5.4): dm-crypt and dm-linear above bcache."""
    path = captured("sosreport/openstack-compute/block/lsblk_-O_-P")
    names = {
        "MIN-IO": "io_min",
        "OPT-IO": "io_opt",
        "PHY-SEC": "physical_block_size",
        "LOG-SEC": "logical_block_size",
        "ALIGNMENT": "alignment_offset",
    }
    rows = {}
    for line in path.read_text().splitlines():
        row = dict(word.split("=", 1) for word in shlex.split(line))
        rows.setdefault(row["KNAME"], row)
    checked = 0
    for row in rows.values():
        if not row["KNAME"].startswith("dm-"):
            continue
        low = rows[row["PKNAME"]]
        one = Limits(**{limit: int(low[word]) for word, limit in names.items()})
        top = stacked(one, rules=RULES["4.16"])
        assert {limit: getattr(top, limit) for limit in names.values()} == {
            limit: int(row[word]) for word, limit in names.items()
        }
        # the LV takes no discards as its dm-crypt takes none; that one was opened without
        # allow_discards, though the bcache under it takes them
        assert row["DISC-MAX"] == "0B"
        assert (low["DISC-MAX"] == "0B") == (row["TYPE"] == "lvm")
        checked += 1
    assert checked == 3
