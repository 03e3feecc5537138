"""What helps most, and what layers make of a bio: against figures that can be worked out."""

import json
import math

import pytest

import blockstack as bs
from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.engine.plan.arrays import OP_NAMES
from blockstack.engine.study.levers import weigh

SMALL = bs.Workload(rw="randwrite", bs="4 KiB", direct=True)


@pytest.fixture(scope="module")
def kernel():
    return bs.load_kernel("linux-2.6.18-i386-4k")


def raid5():
    stack = bs.Stack("r5")
    disks = [stack.scsi(f"sd{c}", size="1 TiB") for c in "abcde"]
    stack.dm("lv", target="linear", on=stack.md("md0", level="raid5", members=disks))
    return stack


@pytest.mark.slow
def test_a_lever_is_what_explain_says_of_the_changed_stack(kernel):
    case = bs.load("dm-md-iscsi")
    found = bs.headroom_levers(case.stack, kernel=kernel, workload=case.workload)

    def headroom(**changes):
        return bs.explain(
            case.stack, kernel=kernel.override(**changes), workload=case.workload
        ).worst.headroom_bytes

    levers = {lever.name: {s.setting: s.value for s in lever.swings} for lever in found.levers}
    assert found.base == headroom()
    assert levers["submission recursive"] == {"fifo": headroom(submission="fifo")}
    assert levers["thread size 4 KiB"] == {"8 KiB": headroom(thread_size_bytes=8192)}
    # one dm-linear layer of a recursive 2.6.18: 176 bytes (docs/2005-and-now.md)
    assert levers["dm-linear × 8"] == {
        "none": found.base + 8 * 176,
        "one more on top": found.base - 176,
    }
    gains = [max(s.value for s in lever.swings) for lever in found.levers]
    assert gains == sorted(gains, reverse=True) and gains[0] > found.base
    assert json.loads(json.dumps(found.to_dict()))["quantity"] == "headroom_bytes"


def test_what_cannot_be_changed_is_named(kernel):
    def refused():
        raise BlockstackError("no such thing", path="devices.x")

    levers, idle, left_out = weigh(
        {"a": {"x": refused, "y": lambda: 12.0}, "b": {"z": lambda: 10.5}, "c": {"w": refused}},
        10.0,
        1.0,
    )
    assert [(one.name, len(one.swings)) for one in levers] == [("a", 1)]
    assert idle == ("b",)
    assert [line.split(":")[0] for line in left_out] == ["a, x", "c, w"]
    plain = bs.Stack("plain")
    plain.scsi("sda", size="1 TiB")
    found = bs.headroom_levers(plain, kernel=kernel, workload=SMALL)
    assert not any("partition" in lever.name for lever in found.levers)


@pytest.mark.slow
def test_rates_follow_the_bottleneck():
    """Constant service on one channel: a closed loop is full, its rate one over the latency."""
    stack = bs.Stack("one")
    stack.nvme(
        "nvme0n1",
        size="1 TiB",
        service={
            "read_latency": "100 us",
            "channels": 1,
            "bandwidth": "100 GB/s",
            "distribution": "constant",
        },
    )
    reads = bs.Workload(rw="randread", bs="4 KiB", direct=True)
    base = bs.capacity(stack, reads, kernel="linux-6.1-x86_64", iodepth=8, bios=4000)
    assert base.iops == pytest.approx(10_000, rel=0.01)
    found = bs.iops_levers(stack, reads, base, kernel="linux-6.1-x86_64", bios=4000)
    levers = {lever.name: {s.setting: s.value for s in lever.swings} for lever in found.levers}
    assert levers.keys() == {"nvme0n1: latency 100 µs", "nvme0n1: channels 1"}
    assert levers["nvme0n1: latency 100 µs"] == {
        "half": pytest.approx(20_000, rel=0.01),
        "twice": pytest.approx(5_000, rel=0.01),
    }
    # the address chooses one of two: exponential service would give n / (n + 1) of twice the
    # rate (a balanced closed network, n = 8), constant service gives more and never all of it
    assert 20_000 * 8 / 9 < levers["nvme0n1: channels 1"]["twice"] < 20_000
    assert "iodepth 8" in found.idle and "cores 8" in found.idle
    opened = bs.capacity(stack, reads, kernel="linux-6.1-x86_64", rate_iops=1000, bios=500)
    with pytest.raises(ConfigError, match="closed load"):
        bs.iops_levers(stack, reads, opened, kernel="linux-6.1-x86_64")


@pytest.mark.slow
def test_alike_devices_are_one_lever():
    stack = bs.Stack("two")
    for name in ("a", "b"):
        stack.nvme(name, size="1 TiB")
    stack.md("md0", level="raid0", members=["a", "b"])
    reads = bs.Workload(rw="randread", bs="4 KiB", direct=True)
    base = bs.capacity(stack, reads, kernel="linux-6.1-x86_64", iodepth=4, bios=1000)
    found = bs.iops_levers(stack, reads, base, kernel="linux-6.1-x86_64", bios=1000)
    names = [lever.name for lever in found.levers] + list(found.idle)
    assert any(name.startswith("a × 2: latency") for name in names)
    assert not any(name.startswith("b") for name in names)


def test_a_small_write_on_raid5_is_two_reads_and_two_writes():
    found = bs.amplification(raid5(), SMALL, kernel="linux-6.1-x86_64")
    by_name = {layer.names[0]: layer for layer in found.layers}
    assert by_name["lv"].bios_ratio == by_name["lv"].sectors_ratio == 1
    md0 = by_name["md0"]
    assert md0.bios_ratio == md0.sectors_ratio == 4
    assert md0.out_by_op == {"read": 2 * found.bios, "write": 2 * found.bios}
    assert len(by_name["sda"].names) == 5 and by_name["sda"].is_leaf
    assert found.leaf_bios == 4 * found.bios and found.leaf_sectors == 4 * found.sectors


def test_bios_and_sectors_are_what_a_run_counts():
    case = bs.load("raid10-near")
    found = bs.amplification(case.stack, case.workload, kernel=case.kernel)
    run = bs.simulate(case.stack, case.workload, kernel=case.kernel, bios=found.bios)
    assert found.leaf_bios == sum(leaf["bios"] for leaf in run.leaves.values())
    assert found.leaf_sectors == sum(leaf["sectors"] for leaf in run.leaves.values())
    layer = found.layers[0]
    assert layer.bios_in == found.bios and layer.sectors_in == found.sectors
    assert math.isclose(layer.sectors_ratio, found.leaf_sectors / found.sectors)
    assert json.loads(json.dumps(found.to_dict()))["layers"][0]["bios_ratio"] == layer.bios_ratio


def test_flushes_have_no_sectors():
    stack = bs.Stack("f")
    disks = [stack.scsi(name, size="1 TiB") for name in ("sda", "sdb")]
    stack.md("md0", level="raid1", members=disks)
    flushes = bs.Workload.from_columns([OP_NAMES.index("flush")] * 3, [0] * 3, [0] * 3)
    found = bs.amplification(stack, flushes, kernel="linux-6.1-x86_64")
    assert found.layers[0].bios_ratio == 2 and found.layers[0].sectors_ratio is None
    assert bs.plot.amplification(found).get_xscale() == "log"
