"""Queue limits: the rules of stacking, drivers and overrides, config keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockstack.base.errors import ConfigError
from blockstack.base.units import UINT_MAX, USHRT_MAX
from blockstack.generations import limits_read
from blockstack.generations.v2_6_18 import V2_6_18
from blockstack.scenario.config import config_to_dict, parse_config
from blockstack.stack import Stack
from blockstack.stack.queue_limit_tree import queue_limit_tree
from blockstack.stack.queue_limits.numbers import (
    LIMIT_NAMES,
    Limits,
    alignment_offset,
    max_discard_grain,
    max_io_sectors,
    replace,
    segments_sectors,
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


def stacked(*lower, rules=NEW, start=0):
    top = start_limits(rules)
    for one in lower:
        top = stack_limits(top, one, start, rules)
    return top


# --- stacking ------------------------------------------------------------------------------------
def test_a_stack_of_one_has_its_limits():
    disk = Limits(max_hw_sectors=65535, max_sectors=2560, max_segments=168, max_dev_sectors=4096)
    assert stacked(disk) == disk


def test_the_smaller_length_and_the_larger_block_win():
    one = Limits(max_sectors=2560, max_hw_sectors=8192, max_segments=127)
    two = Limits(
        max_sectors=1024,
        max_hw_sectors=1024,
        max_segments=168,
        logical_block_size=4096,
        physical_block_size=4096,
        io_min=4096,
    )
    both = stacked(one, two)
    assert (both.max_sectors, both.max_hw_sectors, both.max_segments) == (1024, 1024, 127)
    assert (both.logical_block_size, both.io_min) == (4096, 4096)


def test_zero_is_no_limit_but_zero_write_zeroes_is_none():
    masks = stacked(Limits(virt_boundary_mask=4095), Limits(max_write_zeroes_sectors=8))
    assert masks.virt_boundary_mask == 4095
    assert masks.max_write_zeroes_sectors == 0


def test_lengths_are_rounded_to_the_logical_block_since_5_10():
    odd, big = (
        Limits(max_sectors=255, max_hw_sectors=255),
        Limits(logical_block_size=4096, physical_block_size=4096),
    )
    assert stacked(odd, big).max_sectors == 248
    assert stacked(odd, big, rules=RULES["4.16"]).max_sectors == 255


def test_preferred_sizes_of_two_stripes_meet_at_their_multiple():
    stripes = [Limits(io_min=65536, io_opt=n * 65536) for n in (4, 6)]
    assert stacked(*stripes).io_opt == 12 * 65536
    assert stacked(stripes[0], Limits()).io_opt == 4 * 65536


@pytest.mark.parametrize(("version", "chunk"), [("6.1", 128), ("4.16", 256), ("3.10", 0)])
def test_chunks_stack_by_kernel(version, chunk):
    """4.10: the smaller one; 5.11: what divides both; before: not at all."""
    lower = [Limits(chunk_sectors=256), Limits(chunk_sectors=384)]
    assert stacked(*lower, rules=RULES[version]).chunk_sectors == chunk


def test_a_chunk_that_cuts_a_block_is_given_up():
    both = stacked(Limits(chunk_sectors=9), Limits(physical_block_size=4096, io_min=4096))
    assert (both.chunk_sectors, both.misaligned) == (0, 1)


def test_a_partition_at_sector_63_is_misaligned_on_a_4k_disk():
    disk = Limits(physical_block_size=4096, io_min=4096)
    assert alignment_offset(disk, 63) == 4096 - 63 * 512 % 4096
    assert stacked(disk, start=63).alignment_offset == 512
    assert stacked(disk, start=63).misaligned == 0
    moved = stack_limits(stacked(disk, start=63), disk, 2048, NEW)
    assert moved.misaligned == 1


def test_discards_need_a_granularity():
    flash = Limits(
        discard_granularity=4096, max_discard_sectors=2**20, max_hw_discard_sectors=2**21
    )
    rough = replace(flash, discard_granularity=2**20, max_discard_sectors=2**19)
    both = stacked(flash, Limits(), rough)
    assert both.discard_granularity == 2**20
    assert both.max_discard_sectors == 2**19


def test_dma_alignment_is_a_limit_since_6_0():
    assert stacked(Limits(dma_alignment=4095)).dma_alignment == 4095
    assert "dma_alignment" not in limit_names(RULES["4.16"])


def test_old_kernels_stack_lengths_and_block_only():
    """2.6.18 blk_queue_stack_limits keeps the smaller segment counts, and a new queue's 255."""
    old = RULES["2.6.18"]
    both = stacked(
        Limits(max_sectors=1024, max_hw_sectors=1024, logical_block_size=2048, max_segments=64),
        rules=old,
    )
    assert (both.max_sectors, both.max_segments, both.logical_block_size) == (255, 64, 2048)
    assert (both.io_min, both.alignment_offset) == (512, 0)


def test_6_12_settles_max_sectors_by_the_preferred_size():
    new = RULES["6.12"]
    wide = Limits(max_hw_sectors=65535, io_opt=4 * 2**20, io_min=4096)
    assert settle_limits(wide, new).max_sectors == 8192
    assert settle_limits(replace(wide, io_opt=0), new).max_sectors == 2560
    assert settle_limits(replace(wide, max_dev_sectors=1000), new).max_sectors == 1000
    assert settle_limits(wide, NEW) == wide


@st.composite
def queues(draw):
    """Limits of one driver: blocks are powers of two, lengths whole blocks."""
    logical = draw(st.sampled_from((512, 4096)))
    physical = max(logical, draw(st.sampled_from((512, 4096, 16384))))
    most = draw(st.sampled_from((8, 128, 2560, 65536, UINT_MAX - 7)))
    return Limits(
        logical_block_size=logical,
        physical_block_size=physical,
        io_min=draw(st.sampled_from((1, 3, 16))) * physical,
        io_opt=draw(st.sampled_from((0, 1, 6, 64))) * physical,
        max_hw_sectors=most,
        max_sectors=min(most, 2560),
        max_segments=draw(st.sampled_from((1, 127, USHRT_MAX))),
        chunk_sectors=draw(st.sampled_from((0, 0, 96, 256))) * (physical // 512),
        virt_boundary_mask=draw(st.sampled_from((0, 4095))),
        discard_granularity=draw(st.sampled_from((0, 512, 2**20))),
        max_discard_sectors=4096,
    )


@given(st.lists(queues(), min_size=1, max_size=4), st.sampled_from((0, 8, 63, 2048)))
def test_a_stack_never_takes_more_than_its_members(lower, start):
    top = stacked(*lower, start=start)
    for one in lower:
        assert top.max_sectors <= one.max_sectors
        assert top.max_segments <= one.max_segments
        assert top.logical_block_size >= one.logical_block_size
        if one.chunk_sectors and top.chunk_sectors:
            assert one.chunk_sectors % top.chunk_sectors == 0
    if not top.misaligned:
        assert top.io_min % top.physical_block_size == 0
    again = top
    for one in lower:
        again = stack_limits(again, one, start, NEW)
    assert again.max_sectors == top.max_sectors
    assert again.logical_block_size == top.logical_block_size


# --- where a bio is split ------------------------------------------------------------------------
@pytest.mark.parametrize(("sector", "most"), [(0, 2560), (1, 2559), (7, 2553), (8, 2560)])
def test_the_end_lies_on_a_physical_block(sector, most):
    disk = Limits(max_sectors=2560, physical_block_size=4096, io_min=4096)
    assert max_io_sectors(disk, sector) == most


def test_a_chunk_is_never_crossed():
    disk = Limits(max_sectors=2560, chunk_sectors=256)
    assert [max_io_sectors(disk, s) for s in (0, 1, 255, 256)] == [256, 255, 1, 256]
    odd = Limits(max_sectors=2560, chunk_sectors=384)
    assert max_io_sectors(odd, 1000) == 152


@given(queues(), st.integers(0, 2**40))
def test_pieces_are_whole_logical_blocks(limits, block):
    sector = block * (limits.logical_block_size // 512)
    most = max_io_sectors(limits, sector)
    assert 0 < most <= limits.max_sectors
    assert most * 512 % limits.logical_block_size == 0
    if limits.chunk_sectors:
        assert sector // limits.chunk_sectors == (sector + most - 1) // limits.chunk_sectors


def test_segments_are_pages_at_worst():
    assert segments_sectors(Limits(max_segments=127)) == 1016
    assert max_discard_grain(Limits(max_discard_sectors=1000, discard_granularity=4096)) == (
        1000,
        8,
        0,
    )
    assert max_discard_grain(Limits(max_discard_sectors=1001, discard_granularity=4096))[0] == 1000


# --- devices -------------------------------------------------------------------------------------
def made(build, generation="6.1"):
    stack = Stack()
    build(stack)
    return queue_limit_tree(stack, generation)


def test_the_table_of_a_disk_says_where_each_limit_comes_from():
    disk = made(lambda s: s.scsi("sda", size="1 GiB", limits={"max_sectors": "512 KiB"}))["sda"]
    assert disk.limits.max_sectors == 1024
    assert disk.limits.max_hw_sectors == 65535
    assert disk.imposed["max_sectors"] == "config"
    assert disk.imposed["max_hw_sectors"] == "scsi driver"
    assert disk.imposed["io_opt"] == "new queue"


def test_larger_logical_blocks_bring_the_others_with_them():
    disk = made(lambda s: s.null_blk("n", size="1 GiB", limits={"logical_block_size": "4 KiB"}))
    limits = disk["n"].limits
    assert (limits.physical_block_size, limits.io_min, limits.max_sectors) == (4096, 4096, 248)


def test_raid0_prefers_stripes_and_takes_chunks():
    def build(s):
        disks = [s.nvme(f"n{i}", size="1 GiB") for i in range(4)]
        s.md("md0", level="raid0", members=disks, chunk="512 KiB")

    md0 = made(build)["md0"]
    assert (md0.limits.io_min, md0.limits.io_opt) == (512 * 1024, 2 * 2**20)
    assert (md0.limits.max_hw_sectors, md0.limits.max_sectors) == (1024, 1024)
    assert md0.limits.max_write_zeroes_sectors == 0
    assert md0.limits.virt_boundary_mask == 4095
    assert md0.imposed["io_opt"] == md0.imposed["max_hw_sectors"] == "raid0 chunk"
    assert md0.imposed["max_segments"] == "n0"
    assert md0.splits


@pytest.mark.parametrize(("layout", "wide"), [("n2", 2), ("f2", 4)])
def test_raid10_prefers_its_data_disks(layout, wide):
    def build(s):
        s.md(
            "md0",
            level=10,
            members=[s.scsi(f"s{i}", size="1 GiB") for i in range(4)],
            layout=layout,
            chunk="64 KiB",
        )

    limits = made(build)["md0"].limits
    assert (limits.io_min, limits.io_opt) == (65536, wide * 65536)


def test_raid5_of_6_1_takes_a_mebibyte_in_any_number_of_segments():
    def build(s):
        s.md(
            "md0",
            level=5,
            members=[s.scsi(f"s{i}", size="1 GiB") for i in range(4)],
            chunk="64 KiB",
        )

    limits = made(build)["md0"].limits
    assert (limits.max_hw_sectors, limits.max_sectors) == (2048, 2048)
    assert limits.max_segments == USHRT_MAX
    assert (limits.io_opt, limits.discard_granularity) == (3 * 65536, 2**18)
    assert limits.max_discard_sectors == 0


def test_crypt_encrypts_sectors_and_keeps_segments_to_a_page():
    def build(s):
        s.dm("c", target="crypt", on=s.nvme("n", size="1 GiB"), sector_size=4096)

    c = made(build)["c"]
    assert (c.limits.logical_block_size, c.limits.dma_alignment) == (4096, 4095)
    assert c.limits.max_segment_size == 4096
    assert c.imposed["max_segment_size"] == "dm-crypt target"
    assert c.imposed["max_segments"] == "n"
    assert not c.splits


def test_thin_pool_divides_its_block():
    def build(s):
        pool = s.dm("pool", target="thin-pool", on=s.scsi("a", size="1 GiB"), block="3 MiB")
        s.dm("thin", target="thin", on=pool)

    tree = made(build)
    pool = tree["pool"].limits
    assert pool.max_sectors == 2048  # 2560 -> the power of two that divides 3 MiB
    assert (pool.io_min, pool.io_opt) == (2**20, 3 * 2**20)
    assert tree["thin"].limits.discard_granularity == 3 * 2**20


def test_dm_gives_discards_up_when_one_disk_has_none():
    def build(s):
        s.dm(
            "lv",
            target="linear",
            table=[
                [0, 100, s.nvme("n", size="1 GiB").name, 0],
                [100, 100, s.scsi("a", size="1 GiB").name, 0],
            ],
        )

    lv = made(build)["lv"]
    assert lv.limits.max_discard_sectors == 0
    assert lv.imposed["max_discard_sectors"] == "a"
    assert lv.imposed["virt_boundary_mask"] == "n"


def test_a_partition_has_its_disks_queue_and_its_own_alignment():
    def build(s):
        disk = s.scsi("a", size="1 GiB", limits={"physical_block_size": 4096})
        s.dm("lv", target="linear", on=s.partition("a1", on=disk, start=63 * 512))

    tree = made(build)
    assert tree["a1"].queue == "a"
    assert tree["a1"].limits.alignment_offset == tree["lv"].limits.alignment_offset == 512
    assert tree["a1"].imposed["alignment_offset"] == "its start"


def test_dm_over_md_of_2_6_is_given_one_page():
    def build(s):
        md0 = s.md("md0", level=0, members=[s.scsi(f"s{i}", size="1 GiB") for i in range(2)])
        s.dm("lv", target="linear", on=md0)
        s.md("md1", level=5, members=[s.scsi(f"t{i}", size="1 GiB") for i in range(3)])
        s.dm("lv5", target="linear", on="md1")

    for version, on_raid5 in (("2.6.18", 255), ("2.6.24", 8)):  # raid5_mergeable_bvec: 2.6.20
        tree = made(build, version)
        assert tree["md0"].limits.max_sectors == 255
        assert tree["lv"].limits.max_sectors == 8
        assert "merge_bvec_fn" in tree["lv"].imposed["max_sectors"]
        assert tree["lv5"].limits.max_sectors == on_raid5


def test_sources_and_cards_have_no_limits():
    tree = made(
        lambda s: (
            s.iscsi("i", nic=s.nic("eth0"), size="1 GiB"),
            s.filesystem("fs", kind="xfs", on="i"),
        )
    )
    assert list(tree) == ["i"]


def test_every_kind_with_a_queue_has_limits_in_every_kernel():
    from blockstack.kinds import KINDS
    from blockstack.kinds.queue_limits import driver_limits
    from blockstack.stack.queue_limits.keys import stands_alone

    for kind in KINDS.values():
        if not stands_alone(kind):
            continue
        words = {kind.variant: word} if (word := next(iter(kind.variants), "")) else {}
        for generation in ("2.6.18", "2.6.24", "6.1"):
            has = kind.calls_for(generation, words) is not None
            limits = driver_limits(kind.name, words, generation)
            assert limits is not None or not has, (kind.name, generation)
            assert limits is None or set(limits.values) <= set(LIMIT_NAMES)


# --- config --------------------------------------------------------------------------------------
CONFIG = """
[devices.sda]
kind = "scsi"
size = "1 GiB"
[devices.sda.limits]
{line}
[devices.lv]
kind = "dm-linear"
on = "sda"
[devices.lv.limits]
{upper}
[workload]
rw = "read"
"""


def test_limits_survive_a_round_trip():
    config = parse_config(
        CONFIG.format(line='max_sectors = "512 KiB"\nmax_segments = 64', upper="max_sectors = 256")
    )
    assert config.stack.devices["sda"].limits == {"max_sectors": 1024, "max_segments": 64}
    assert config.stack.devices["lv"].limits == {"max_sectors": 256}
    again = config_to_dict(config)["devices"]
    assert again["sda"]["limits"] == {"max_sectors": "512 KiB", "max_segments": 64}


@pytest.mark.parametrize(
    ("line", "upper", "path", "text"),
    [
        ("max_sector = 8", "", "devices.sda.limits.max_sector", 'did you mean "max_sectors"'),
        ("max_sectors = 4", "", "devices.sda.limits.max_sectors", "8 to"),
        ('max_sectors = "1000 B"', "", "devices.sda.limits.max_sectors", "512"),
        ("logical_block_size = 1000", "", "devices.sda.limits.logical_block_size", "power of two"),
        ("virt_boundary_mask = 4096", "", "devices.sda.limits.virt_boundary_mask", "one less"),
        ("max_segments = true", "", "devices.sda.limits.max_segments", "whole number"),
        ("max_segments = 0", "", "devices.sda.limits.max_segments", "1 to"),
        (
            "max_sectors = 16\nmax_hw_sectors = 8",
            "",
            "devices.sda.limits.max_sectors",
            "max_hw_sectors",
        ),
        (
            "max_sectors = 9\nlogical_block_size = 4096",
            "",
            "devices.sda.limits.max_sectors",
            "whole",
        ),
        ("", "io_min = 512", "devices.lv.limits.io_min", "lower devices"),
    ],
)
def test_limits_that_cannot_be(line, upper, path, text):
    with pytest.raises(ConfigError) as caught:
        parse_config(CONFIG.format(line=line, upper=upper))
    assert path in str(caught.value)
    assert text in str(caught.value)


def test_a_partition_has_no_limits_of_its_own():
    stack = Stack()
    stack.scsi("a", size="1 GiB")
    with pytest.raises(ConfigError, match="limits"):
        stack.partition("a1", on="a", start=0, limits={"max_sectors": 8})


def test_max_sectors_above_the_hardware():
    def build(s):
        s.dm("lv", target="linear", on=s.null_blk("n", size="1 GiB"), limits={"max_sectors": 512})

    with pytest.raises(ConfigError, match="at most 255 sectors, from n"):
        made(build)


def test_versions():
    assert rules_for("4.16.15-200.fc27.x86_64") is RULES["4.16"]
    assert rules_for("6.1.0-18-amd64") is NEW
    assert limit_names(rules_for("2.6.24")) == V2_6_18.limits.only
    with pytest.raises(ConfigError, match="no queue limits"):
        rules_for("2.4.37")


def test_io_opt_is_an_unsigned_int():
    """6.1 block/blk-settings.c blk_stack_limits: each least common multiple is kept in 32 bits."""
    disk, array = Limits(io_opt=33_553_920), Limits(io_opt=1 << 20)
    first = stack_limits(array, disk, 0, NEW)
    assert first.io_opt == 65_535 * 2**20 % 2**32 == 4_293_918_720
    assert stack_limits(first, disk, 0, NEW).io_opt == 3_823 * 2**20
