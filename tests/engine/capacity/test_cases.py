"""Stacks that were once answered wrongly, each with its right answer."""

from pathlib import Path

import pytest

import blockstack as bs
from blockstack.base.errors import ConfigError
from blockstack.kernel import load_kernel
from blockstack.scenario.config import load_config

CASES = Path(__file__).parents[2] / "corpus" / "capacity"
KERNEL = load_kernel("linux-6.1-x86_64")


def found(name, *changes, **load):
    case = load_config(CASES / f"{name}.toml", changes)
    return bs.capacity(
        case.stack, case.workload, kernel=KERNEL, machine=case.machine, **{"bios": 2000, **load}
    )


def visits(result, part="bus"):
    return {s.name: s.visits_per_bio for s in result.stations if s.part == part}


@pytest.mark.parametrize("bs_", ["64 KiB", "128 KiB", "256 KiB", "1 MiB"])
def test_both_members_of_a_mirror_are_read(bs_):
    result = found("mirror-reads", f"workload.bs={bs_}", iodepth=32, numjobs=16, bios=3000)
    assert result.bytes_per_second == pytest.approx(2 * 3.2e9, rel=0.06)


@pytest.mark.parametrize("bs_", ["64 KiB", "128 KiB", "256 KiB"])
def test_four_paths_carry_four_links(bs_):
    """470 MB/s are four times what 1 GbE carries."""
    result = found("multipath-4-paths", f"workload.bs={bs_}", iodepth=32, bios=3000)
    assert min(visits(result, "send").values()) > 0.2
    assert result.bytes_per_second == pytest.approx(4 * 117.7e6, rel=0.1)


def test_paths_to_one_unit_share_its_medium():
    same = [f"devices.sd{i}.lun=lun-0" for i in range(4)]
    apart = found("multipath-4-paths", "workload.bs=4 KiB", iodepth=64, bios=3000)
    one = found("multipath-4-paths", "workload.bs=4 KiB", *same, iodepth=64, bios=3000)
    assert len(visits(apart, "media")) == 4 and len(visits(one, "media")) == 1
    assert one.iops < 0.5 * apart.iops


def test_a_bio_that_covers_the_stripe_is_one_request_a_disk():
    result = found("raid5-full-stripe", iodepth=16)
    # what is in flight when the measurement begins and ends may differ by a bio
    assert list(visits(result, "media").values()) == pytest.approx([1.0] * 5, abs=0.001)


def test_a_stream_over_twelve_disks_fills_its_stripes():
    """Nothing is read, and every byte goes to a disk but once, parity apart."""
    result = found("raid5-12-hdd", iodepth=8, bios=400)
    assert 0.5 * 1.167e9 < result.bytes_per_second < 11 * 190e6
    assert {op.op for op in result.ops} == {"write"}


@pytest.mark.parametrize(("mode", "measured"), [("journal", 123e6), ("bitmap", 223e6)])
def test_integrity_on_an_ssd_of_248_mb_s(mode, measured):
    result = found("integrity-ssd", f"devices.int.mode={mode}", bios=500)
    assert result.bytes_per_second == pytest.approx(measured, rel=0.12)


def test_a_bitmap_costs_a_disk():
    without, within = (
        found("bitmap-hdd", f"devices.md0.bitmap={word}", bios=600) for word in ("none", "internal")
    )
    assert within.iops < 0.7 * without.iops


def test_a_new_thin_block_is_zeroed_first():
    rates = [
        found("thin-unmapped", f"devices.pool.block={size}", bios=300).iops
        for size in ("64 KiB", "1 MiB", "16 MiB")
    ]
    assert rates[0] > 5 * rates[1] > 25 * rates[2]


def test_a_cipher_on_one_core_is_that_of_todays_processors():
    """7.1 GB/s were measured; one core at 4.5 GHz does half of that by 512-byte sectors."""
    result = found("luks-nvme", iodepth=8)
    assert 0.5 * 7.1e9 < result.bytes_per_second < 7.45e9
    large = found("luks-nvme", "devices.crypt.sector_size=4096", iodepth=8)
    assert large.bytes_per_second > 1.3 * result.bytes_per_second


def test_a_load_that_goes_to_two_unconnected_disks_says_so():
    result = found("unused-disk", iodepth=32)
    assert any("nothing connects: " in line and "nvme1n1" in line for line in result.assumed)


def test_what_a_run_refuses_capacity_refuses():
    with pytest.raises(ConfigError, match="whole blocks of 4,096 bytes"):
        found("512-on-4k")


def test_drbd_over_a_gigabit_is_the_link():
    result = found("drbd-1gbit", iodepth=64)
    assert result.bottleneck == "eth0 send"
    assert result.iops == pytest.approx(28_400, rel=0.02)


def test_an_fsync_of_a_journalling_file_system_waits_for_its_journal():
    """ext4: journal, flush, commit; xfs: flush, log; on a bare disk the flush alone."""
    times = {}
    for kind in ("raw", "xfs", "ext4"):
        found_ = found(
            "unused-disk",
            f"devices.fs.kind={kind}",
            "workload.fsync=1",
            'devices.nvme0n1.service={flush_latency = "100 us"}',
            bios=600,
        )
        times[kind] = next(op for op in found_.ops if op.op == "flush").total.mean_ns
    assert times["raw"] + 20e3 < times["xfs"] < times["ext4"]


def test_what_is_left_out_is_said():
    result = found("thin-unmapped", bios=100)
    assert any(line.startswith("not counted: dm-thin: ") for line in result.assumed)
