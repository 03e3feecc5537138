"""Where a run splits bios on 6.1, and `explain --limits`."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import blockstack as bs
from blockstack.base.errors import ConfigError
from blockstack.cli import app
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.core import run
from blockstack.engine.plan.demand import demand_of, source_of
from blockstack.engine.study.splits import explain_limits
from blockstack.kernel import load_kernel
from blockstack.stack.queue_limits.keys import LIMIT_KEYS
from blockstack.stack.queue_limits.numbers import (
    max_io_sectors,
)
from blockstack.workload import Workload

NEW = load_kernel("linux-6.1-x86_64")
OLD = load_kernel("linux-2.6.18-i386-4k")


def way(build, size, offset=0, *, rw="read", kernel=NEW):
    stack = bs.Stack()
    build(stack)
    found = explain_limits(
        stack, kernel=kernel, bs=size, offset_sectors=offset, workload=Workload(rw=rw)
    )
    return found.pieces


def lengths(pieces, device):
    """(sector, sectors that the device goes on with) in the order of the calls."""
    return [(p.sector, p.taken_sectors) for p in pieces if p.device == device]


def test_a_disk_is_given_pieces_of_max_sectors():
    pieces = way(lambda s: s.scsi("a", size="1 GiB", limits={"max_sectors": 256}), "512 KiB")
    assert lengths(pieces, "a") == [(0, 256), (256, 256), (512, 256), (768, 256)]
    assert pieces[0].why == "max_sectors 256, from config"
    assert pieces[-1].why == ""


def test_the_first_piece_ends_on_a_physical_block():
    limits = {"max_sectors": 256, "physical_block_size": 4096}
    pieces = way(lambda s: s.scsi("a", size="1 GiB", limits=limits), "256 KiB", 1)
    assert lengths(pieces, "a") == [(1, 255), (256, 256), (512, 1)]
    assert "physical block of 4 KiB" in pieces[0].why


def test_a_partition_counts_from_the_disks_start():
    limits = {"max_sectors": 256, "physical_block_size": 4096}
    pieces = way(
        lambda s: s.partition("a1", on=s.scsi("a", size="1 GiB", limits=limits), start=63 * 512),
        "256 KiB",
    )
    assert lengths(pieces, "a") == [(63, 249), (312, 256), (568, 7)]


def test_chunk_sectors_are_not_crossed():
    pieces = way(
        lambda s: s.nvme("n", size="1 GiB", limits={"chunk_sectors": "128 KiB"}), "256 KiB", 200
    )
    assert lengths(pieces, "n") == [(200, 56), (256, 256), (512, 200)]
    assert pieces[0].why == "chunk_sectors 256: the next multiple"


def test_segments_of_a_page_each():
    """127 segments: the 508 KiB that everybody sees on NVMe."""
    pieces = way(lambda s: s.nvme("n", size="1 GiB"), "1 MiB")
    assert lengths(pieces, "n") == [(0, 1016), (1016, 1016), (2032, 16)]
    assert pieces[0].why == "max_segments 127, a page each"


def test_dm_linear_leaves_it_to_the_disk():
    pieces = way(lambda s: s.dm("lv", target="linear", on=s.nvme("n", size="1 GiB")), "1 MiB")
    assert lengths(pieces, "lv") == [(0, 2048)]
    assert len(lengths(pieces, "n")) == 3


def test_dm_striped_takes_no_more_than_max_sectors_of_a_chunk():
    def build(s):
        disks = [s.scsi(f"s{i}", size="1 GiB") for i in range(2)]
        s.dm("lv", target="striped", on=disks, chunk="4 MiB", limits={"max_sectors": "1 MiB"})

    pieces = way(build, "3 MiB", 7 * 1024)
    assert lengths(pieces, "lv") == [(7168, 1024), (8192, 2048), (10240, 2048), (12288, 1024)]
    assert "chunk of 4 MiB" in pieces[0].why
    assert [p.why for p in pieces if p.device == "lv"][1] == "max_sectors 2048, from config"


def test_dm_crypt_takes_a_mebibyte_of_a_write():
    def build(s):
        s.dm("c", target="crypt", on=s.brd("r", size="1 GiB"))

    assert lengths(way(build, "3 MiB", rw="write"), "c") == [(0, 2048), (2048, 2048), (4096, 2048)]
    assert lengths(way(build, "3 MiB"), "c") == [(0, 6144)]


def test_dm_thin_cuts_at_its_pools_blocks():
    def build(s):
        s.dm("t", target="thin", on=s.dm("p", target="thin-pool", on=s.brd("r", size="1 GiB")))

    assert lengths(way(build, "128 KiB", 8), "t") == [(8, 120), (128, 128), (256, 8)]


def test_md_raid0_is_given_a_chunk_and_maps_its_rest_first():
    def build(s):
        s.md(
            "md0", level=0, members=[s.brd(f"r{i}", size="1 GiB") for i in range(2)], chunk="64 KiB"
        )

    pieces = way(build, "128 KiB", 8)
    assert lengths(pieces, "md0") == [(8, 128), (136, 128)]
    below = [(p.device, p.sector, p.nr_sectors) for p in pieces if p.device != "md0"]
    assert below[:2] == [("r1", 0, 8), ("r0", 8, 120)]


def test_md_raid5_is_given_a_mebibyte():
    def build(s):
        s.md("md0", level=5, members=[s.scsi(f"s{i}", size="1 GiB") for i in range(3)])

    assert lengths(way(build, "3 MiB", rw="write"), "md0") == [
        (0, 2048),
        (2048, 2048),
        (4096, 2048),
    ]


def test_discards_end_on_their_granularity():
    limits = {"max_discard_sectors": "64 KiB", "discard_granularity": "16 KiB"}
    pieces = way(lambda s: s.scsi("a", size="1 GiB", limits=limits), "128 KiB", 8, rw="trim")
    assert lengths(pieces, "a") == [(8, 120), (128, 128), (256, 8)]
    assert "end on a granule of 16 KiB" in pieces[0].why


def test_drivers_that_take_bios_split_nothing():
    assert len(way(lambda s: s.brd("r", size="1 GiB"), "8 MiB")) == 1
    assert len(way(lambda s: s.null_blk("n", size="1 GiB", mode="bio"), "8 MiB")) == 1
    assert len(way(lambda s: s.null_blk("n", size="1 GiB"), "1 MiB")) == 9  # 255 sectors


def test_bios_of_2_6_keep_their_size():
    pieces = way(
        lambda s: s.scsi("a", size="1 GiB", limits={"max_sectors": 16}), "1 MiB", kernel=OLD
    )
    assert lengths(pieces, "a") == [(0, 2048)]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5000),
    st.integers(0, 5000),
    st.sampled_from((8, 64, 255, 1000)),
    st.sampled_from((512, 4096)),
    st.sampled_from((0, 96, 256)),
    st.integers(1, 40),
)
def test_pieces_are_those_of_get_max_io_size(n_sectors, offset, most, physical, chunk, segments):
    """The core's pieces, one by one, against the rule; nothing is lost between them."""
    stack = bs.Stack()
    limits = {"max_sectors": most, "physical_block_size": physical, "max_segments": segments}
    stack.scsi("a", size="1 GiB", limits=limits | ({"chunk_sectors": chunk} if chunk else {}))
    found = explain_limits(stack, kernel=NEW, bs=n_sectors * 512, offset_sectors=offset)
    queue = compile_plan(stack, NEW).limits["a"].limits
    at, end = offset, offset + n_sectors
    for piece in found.pieces:
        assert piece.sector == at
        assert piece.taken_sectors == min(end - at, max_io_sectors(queue, at), 8 * segments)
        assert (piece.why == "") == (piece.taken_sectors == end - at)
        at += piece.taken_sectors
    assert at == end


def test_a_run_splits_what_passes_the_limits():
    stack = bs.Stack()
    stack.nvme("n", size="1 GiB")
    for size, pieces in (("508 KiB", 1), ("1 MiB", 3)):
        result = bs.simulate(
            stack, Workload(rw="randread", bs=size, direct=True), kernel=NEW, bios=100
        )
        assert result.leaves["n"]["bios"] == 100 * pieces
        assert result.splits == 100 * (pieces - 1)


def test_limits_that_no_bio_passes_cost_nothing():
    """Rows that cannot split are left out: the core keeps its short cuts, the plan its digest."""
    stack = bs.Stack()
    stack.dm("lv", target="linear", on=stack.nvme("n", size="1 GiB"))
    assert not compile_plan(stack, NEW, max_sectors=1016).arrays.limit.any()
    assert compile_plan(stack, NEW, max_sectors=1017).arrays.limit.any()
    old = bs.Stack()
    old.scsi("a", size="1 GiB")
    assert not compile_plan(old, OLD).arrays.limit.any()


_VALUES = st.one_of(
    st.sampled_from(
        (
            0,
            1,
            8,
            96,
            127,
            255,
            256,
            512,
            1024,
            4095,
            4096,
            65535,
            2**20,
            2**31,
            2**32 - 1,
            -1,
            2**40,
            1.5,
            True,
            "4 KiB",
            [],
            {},
            None,
        )
    ),
    st.integers(0, 2**33),
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(LIMIT_KEYS)), _VALUES, max_size=5),
    st.sampled_from(("scsi", "nvme", "nbd", "zram")),
    st.sampled_from(("randrw", "randtrim")),
)
def test_any_limits_are_refused_or_run(limits, kind, rw):
    """No table of limits makes anything but a BlockstackError or a run that ends."""
    stack = bs.Stack()
    try:
        nic = {"nic": stack.nic("eth0")} if kind == "nbd" else {}
        disks = [stack.add(f"d{i}", kind, size="1 GiB", limits=limits, **nic) for i in range(2)]
        stack.dm("top", target="linear", on=stack.md("m", level=0, members=disks, chunk="32 KiB"))
        plan = compile_plan(stack, NEW, ops=demand_of(Workload(rw=rw)).ops)
        source = source_of(Workload(rw=rw, bs="4 KiB-64 KiB"), plan.capacity_sectors, 1)
        assert run(plan.arrays, source, count=20).bios == 20
    except bs.BlockstackError as error:
        assert error.path, error


def test_a_bio_of_half_a_block_is_refused():
    stack = bs.Stack()
    stack.nvme("n", size="1 GiB", limits={"logical_block_size": 4096})
    with pytest.raises(ConfigError, match="whole blocks of 4,096 bytes"):
        bs.simulate(stack, Workload(rw="read", bs="512 B"), kernel=NEW, bios=10)
    with pytest.raises(ConfigError, match="whole blocks of 4,096 bytes"):
        explain_limits(stack, kernel=NEW, bs="4 KiB", offset_sectors=1)


@pytest.mark.parametrize(
    ("size", "offset", "text"),
    [("1000", 0, "512"), ("8 GiB", 0, "not the size of a bio"), ("4k", 2**50, "beyond")],
)
def test_bios_that_cannot_be(size, offset, text):
    with pytest.raises(ConfigError, match=text):
        way(lambda s: s.nvme("n", size="1 GiB"), size, offset)


# --- command line --------------------------------------------------------------------------------
def call(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def test_explain_limits_in_json():
    result = call("explain", "configs/raid6-nvme.toml", "--limits", "--bs", "2 MiB", "--json")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert data.keys() >= {"config", "stack", "kernel", "rules", "devices", "pieces", "notes"}
    md0 = next(d for d in data["devices"] if d["device"] == "md0")
    assert md0["limits"]["max_sectors"] == 2048
    assert md0["imposed"]["max_sectors"] == "md-raid6 level"
    assert data["pieces"][0]["taken_sectors"] == 2048
    assert data["pieces"][0].keys() >= {"number", "parent", "device", "sector", "nr_sectors", "why"}


def test_explain_limits_as_tables():
    result = call("explain", "configs/raid6-nvme.toml", "--limits", "--bs", "32 MiB")
    assert result.exit_code == 0
    for text in ("md-raid6 level", "2,048 sectors (1 MiB)", "cut by", "more calls (--all)"):
        assert text in result.stdout
    assert "max_integrity_segments" not in result.stdout
    whole = call("explain", "configs/raid6-nvme.toml", "--limits", "--all")
    assert "max_integrity_segments" in whole.stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--bs", "4k"), "goes with --limits"),
        (("--limits", "--offset", "8"), "goes with --bs"),
        (("--limits", "--max-layers", "dm-linear"), "does not go with --max-layers"),
        (("--limits", "--submission", "none"), "no such submission rule"),
    ],
)
def test_explain_limits_refuses(words, text):
    result = call("explain", "configs/raid6-nvme.toml", *words)
    assert result.exit_code == 2
    assert text in result.stderr
