"""Queue limits of a host: from /sys and lsblk into the stack, limit by limit."""

import json
import os
from pathlib import Path

import pytest
from host_sources import PCI, stack, tree_host, write_sysfs
from places import ROOT

from blockstack.engine.study.splits import explain_limits
from blockstack.hosts.build import build
from blockstack.hosts.queue_limits import release_of
from blockstack.hosts.readers import queue
from blockstack.hosts.sniff import read_sources, read_text
from blockstack.scenario.config import Config, config_from_dict, config_to_dict
from blockstack.stack.queue_limit_tree import queue_limit_tree
from blockstack.stack.queue_limits.rules import (
    limit_names,
    rules_for,
)
from blockstack.workload import Workload

SHARED = Path(os.environ.get("BLOCKSTACK_SHARED", ROOT.parent / "shared"))
DISK = {
    "dev": "8:0",
    "size": "209715200",
    "queue/logical_block_size": "512",
    "queue/physical_block_size": "4096",
    "queue/minimum_io_size": "4096",
    "queue/max_hw_sectors_kb": "512",
    "queue/max_sectors_kb": "256",
    "queue/max_segments": "64",
    "queue/chunk_sectors": "256",
    "queue/max_segment_size": "65536",
    "queue/discard_max_bytes": "0",
    "queue/discard_granularity": "0",
}
UPPER = {
    "dev": "253:0",
    "size": "2000896",
    "dm/name": "vg-lv",
    "dm/uuid": "LVM-x",
    "slaves/sda": "->../../../../x/sda",
    "queue/physical_block_size": "4096",
    "queue/max_sectors_kb": "256",
    "queue/max_segments": "64",
    "queue/chunk_sectors": "256",
}


def host_of(root, disk=DISK, upper=UPPER):
    write_sysfs(root / "sys", {f"{PCI}/sda": disk, "virtual/block/dm-0": upper})
    return tree_host(root)


def test_limits_of_sysfs_reach_the_stack_and_split_a_bio(tmp_path):
    found = build(host_of(tmp_path))
    given = found.stack.devices["sda"].limits
    assert {
        k: given[k]
        for k in (
            "max_hw_sectors",
            "max_sectors",
            "max_segments",
            "chunk_sectors",
            "physical_block_size",
        )
    } == {
        "max_hw_sectors": 1024,
        "max_sectors": 512,
        "max_segments": 64,
        "chunk_sectors": 256,
        "physical_block_size": 4096,
    }
    assert "io_min" not in given  # follows from the physical block
    assert "max_discard_sectors" not in given  # the driver's own
    assert found.stack.devices["vg-lv"].limits == {}  # follows from below
    way = explain_limits(found.stack, kernel="linux-6.1-x86_64", bs="256 KiB", offset_sectors=8)
    on_disk = [p for p in way.pieces if p.device == "sda"]
    assert on_disk[0].taken_sectors == 248 and "chunk_sectors" in on_disk[0].why


def test_limits_are_written_and_read_back(tmp_path):
    host = host_of(tmp_path)
    case = Config(build(host).stack, Workload(), None)
    again = config_from_dict(config_to_dict(case))
    assert again.stack.devices["sda"].limits == case.stack.devices["sda"].limits != {}


def test_what_an_administrator_set_above_is_kept_and_what_no_rule_gives_is_named(tmp_path):
    found = build(
        host_of(
            tmp_path, upper=UPPER | {"queue/max_sectors_kb": "64", "queue/optimal_io_size": "65536"}
        )
    )
    assert found.stack.devices["vg-lv"].limits == {"max_sectors": 128}
    note = next(n for n in found.notes if "queue limits that /sys shows" in n)
    assert "vg-lv io_opt 65536 (by the rules 0)" in note and "max_sectors" not in note


def test_sysfs_wins_over_lsblk_limit_by_limit(tmp_path):
    host = host_of(tmp_path)
    read_text(
        json.dumps(
            {
                "blockdevices": [
                    {
                        "name": "sda",
                        "maj:min": "8:0",
                        "size": 107374182400,
                        "type": "disk",
                        "phy-sec": 512,
                        "log-sec": 512,
                        "min-io": 512,
                        "opt-io": 131072,
                        "disc-max": 1048576,
                        "disc-gran": 512,
                    }
                ]
            }
        ),
        host,
        "lsblk",
    )
    told = queue.told(host.find("sda"))
    assert told["physical_block_size"] == 4096 and told["max_discard_sectors"] == 0
    assert told["io_opt"] == 131072  # which this dump does not tell


@pytest.mark.parametrize(("size", "limit"), [("0B", 0), ("4G", None), (4294966784, 8388607)])
def test_a_rounded_discard_size_of_lsblk_tells_nothing(size, limit):
    text = json.dumps(
        {
            "blockdevices": [
                {"name": "sda", "maj:min": "8:0", "size": 1 << 30, "type": "disk", "disc-max": size}
            ]
        }
    )
    limits = stack(text).stack.devices["sda"].limits
    assert limits.get("max_discard_sectors") == (limit or None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"queue/max_segments": "0"},
        {"queue/physical_block_size": "3000"},
        {"queue/max_sectors_kb": "99999999"},
        {"queue/max_hw_sectors_kb": "1"},
        {"queue/logical_block_size": "8192", "queue/physical_block_size": "512"},
        {"queue/max_segment_size": "99999999999999999999999"},
    ],
)
def test_limits_that_no_queue_has_are_named_and_the_rest_holds(tmp_path, wrong):
    found = build(host_of(tmp_path, disk=DISK | wrong))
    queue_limit_tree(found.stack, "6.1")
    if "99999999999999999999999" not in wrong.values():
        assert any("sda" in n and "passed over" in n for n in found.notes), found.notes


@pytest.mark.parametrize(
    "name",
    [
        "lsblk-sysfs/simple-lvm.tar.xz",
        "lsblk-sysfs/simple-nvme.tar.xz",
        "lsblk-sysfs/multi-devs-bcachefs.tar.xz",
        "nvme/libnvme-tree-apple-nvme.tar.xz",
    ],
)
def test_imported_hosts_have_the_limits_that_their_sysfs_shows(name):
    path = SHARED / "samples" / name
    if not path.exists():
        pytest.skip(f"no {name} beside the checkout")
    host = read_sources([path])
    found = build(host, skip=["unknown"])
    release = release_of(host)
    names, tree = limit_names(rules_for(release)), queue_limit_tree(found.stack, release)
    compared = 0
    for device, made in tree.items():
        node = host.find(device)
        if found.stack.devices[device].kind == "partition" or node is None:
            continue
        for limit, value in queue.told(node).items():
            if limit in names:  # sysfs has whole KiB: an odd number of sectors is cut
                assert value in (getattr(made.limits, limit), getattr(made.limits, limit) // 2 * 2)
                compared += 1
    assert compared >= 36
