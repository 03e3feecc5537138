"""Sizes, segments and RAID geometry, derived upward from the lower devices."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockstack.base.errors import ConfigError
from blockstack.stack import Lower, Segment, Stack

MIB = 2048  # sectors


def with_disks(*sizes: str | int, name: str = "s") -> Stack:
    """A stack with SCSI disks sda, sdb ..."""
    stack = Stack(name)
    for letter, size in zip("abcdefghij", sizes, strict=False):
        stack.scsi(f"sd{letter}", size=size)
    return stack


def test_btrfs_profiles() -> None:
    """One device needs no mapping; chunks of several are a tenth of them, 1 GiB at the most."""
    stack = with_disks("1 GiB", "20 GiB", "20 GiB", "20 GiB", "2 GiB", "2 GiB", "2 GiB", "2 GiB")
    one = stack.filesystem("one", kind="btrfs", on="sda")
    assert (one.size_sectors, one.segments, one.geometry, one.maps_itself) == (2**21, (), {}, False)
    three = stack.filesystem("three", kind="btrfs", on=["sdb", "sdc", "sdd"], profile="raid1")
    assert three.maps_itself and three.geometry["near_copies"] == 2
    assert three.geometry["chunk_sectors"] == 2**21 and three.size_sectors == 30 * 2**21
    four = stack.filesystem("four", kind="btrfs", on=["sde", "sdf", "sdg", "sdh"], profile="raid10")
    assert four.geometry["chunk_sectors"] == 128 and four.size_sectors == 4 * 2**21
    with pytest.raises(ConfigError, match=r"devices\.x\.profile: profile raid1c3 needs 3 devices"):
        with_disks("1 GiB").filesystem("x", kind="btrfs", on="sda", profile="raid1c3")
    pair = with_disks("2 GiB", "1 GiB")
    with pytest.raises(ConfigError, match="both copies on one device"):
        pair.filesystem("x", kind="btrfs", on=["sda", "sdb"], profile="dup")
    single = pair.filesystem("x", kind="btrfs", on=["sda", "sdb"])
    chunk = 3 * 2**21 // 10 // 128 * 128
    assert [s.chunk_sectors for s in single.segments] == [chunk, 0]
    twice = with_disks("1 GiB").filesystem("x", kind="btrfs", on="sda", profile="dup")
    assert twice.geometry["dup"] == 2 and twice.size_sectors == 2**20


def test_partition() -> None:
    stack = with_disks("1 GiB")
    one = stack.partition("sda1", on="sda", start="1 MiB", size="10 MiB")
    two = stack.partition("sda2", on="sda", start="11 MiB")
    assert (one.offset_sectors, one.size_sectors) == (MIB, 10 * MIB)
    assert two.size_sectors == (1024 - 11) * MIB
    assert stack.lower("sda2") == (Lower("sda", 11 * MIB),)
    assert stack.graph.edges["sda1", "sda"]["offset_sectors"] == MIB
    with pytest.raises(ConfigError, match=r"devices\.sda3\.size: ends at sector .* beyond"):
        stack.partition("sda3", on="sda", start="1 MiB", size="1 GiB")
    with pytest.raises(ConfigError, match=r"devices\.sda3\.start"):
        stack.partition("sda3", on="sda", start="1 GiB")
    with pytest.raises(ConfigError, match="no partitions"):
        stack.partition("x", on="sda1", start=0)
    assert stack.warnings() == ()
    stack.partition("sda4", on="sda", start="10 MiB", size="2 MiB")
    assert any("overlaps" in text for text in stack.warnings())


def test_dm_linear_stands_on_a_whole_device() -> None:
    stack = with_disks("1 GiB", "2 GiB")
    assert stack.dm("a", target="linear", on="sda").segments == (Segment(0, 2**21, ("sda",), (0,)),)
    both = stack.dm("b", target="linear", on=["sda", "sdb"])
    assert both.segments == (
        Segment(0, 2**21, ("sda",), (0,)),
        Segment(2**21, 3 * 2**21, ("sdb",), (0,)),
    )
    part = stack.dm("c", target="linear", on="sdb", offset="1 GiB", size="1 MiB")
    assert part.segments == (Segment(0, MIB, ("sdb",), (2**21,)),)
    assert stack.lower("c")[0].offset_sectors == 2**21
    with pytest.raises(ConfigError, match="beyond the end"):
        stack.dm("d", target="linear", on="sdb", offset="1 GiB", size="1025 MiB")


def test_dm_table() -> None:
    stack = with_disks("1 GiB", "2 GiB")
    device = stack.dm(
        "v",
        target="linear",
        table=[[0, 100, "sdb", 2048], [100, 50, "sda", 0], [150, 10, "sdb", 8]],
    )
    assert device.on == ("sdb", "sda")
    assert device.size_sectors == 160
    assert [s.offsets[0] for s in device.segments] == [2048, 0, 8]
    assert stack.lower("v") == (Lower("sdb", 2048, "data", 0), Lower("sda", 0, "data", 1))
    assert stack.dm("w", target="linear", table=[[0, "1 MiB", "sda"]]).size_sectors == MIB


@pytest.mark.parametrize(
    ("table", "path", "words"),
    [
        ([[0, 100, "sda", 0], [101, 5, "sda", 0]], "table[1]", "a gap"),
        ([[0, 100, "sda", 0], [99, 5, "sda", 0]], "table[1]", "an overlap"),
        ([[8, 100, "sda", 0]], "table[0]", "a gap"),
        ([[0, 0, "sda", 0]], "table[0]", "no sectors"),
        ([[0, 100, "sda", 2**21 - 50]], "table[0]", "beyond the end"),
        ([[0, 100, "sdx", 0]], "table[0][2]", "no such device"),
        ([[0, 100, 7, 0]], "table[0][2]", "not a device name"),
        ([[0, 100]], "table[0]", "not a row"),
        (["0 100 linear sda 0"], "table[0]", "not a row"),
        ([[0, -1, "sda", 0]], "table[0][1]", "not a number of sectors"),
        ([[0, 1.5, "sda", 0]], "table[0][1]", "not a quantity"),
        ([[0, 2**60, "sda", 0]], "table[0][1]", "not a number of sectors"),
        ([], "table", "not a dm table"),
        ("sda", "table", "not a dm table"),
        (5, "table", "not a dm table"),
    ],
)
def test_bad_tables(table: object, path: str, words: str) -> None:
    stack = with_disks("1 GiB")
    with pytest.raises(ConfigError, match=words) as caught:
        stack.dm("v", target="linear", table=table)
    assert caught.value.path == f"devices.v.{path}"
    assert list(stack.devices) == ["sda"]


def test_table_excludes_other_keys() -> None:
    stack = with_disks("1 GiB")
    for extra in ({"on": "sda"}, {"size": "1 MiB"}, {"offset": 0}):
        with pytest.raises(ConfigError, match="exclude"):
            stack.dm("v", target="linear", table=[[0, 8, "sda", 0]], **extra)


def test_dm_striped() -> None:
    stack = with_disks("1 GiB", "2 GiB")
    one = stack.dm("s", target="striped", on=["sda", "sdb"], chunk="64 KiB")
    assert one.segments == (Segment(0, 2 * 2**21, ("sda", "sdb"), (0, 0), 128),)
    two = stack.dm(
        "t", target="striped", on=["sda", "sdb"], chunk="64 KiB", offsets=[0, 2048], size="128 KiB"
    )
    assert two.segments == (Segment(0, 256, ("sda", "sdb"), (0, 2048), 128),)
    assert stack.lower("t")[1].offset_sectors == 2048
    for size, words in (("64 KiB", "whole number of stripes"), ("4 GiB", "does not fit")):
        with pytest.raises(ConfigError, match=words):
            stack.dm("u", target="striped", on=["sda", "sdb"], chunk="64 KiB", size=size)
    with pytest.raises(ConfigError, match="2 members need 2 offsets"):
        stack.dm("u", target="striped", on=["sda", "sdb"], offsets=[1, 2, 3])
    with pytest.raises(ConfigError, match="no room"):
        stack.dm("u", target="striped", on=["sda", "sdb"], offsets=[2**21, 0])


def test_md_linear_sums_its_members() -> None:
    stack = with_disks("1 GiB", "65 KiB", "2 GiB")
    device = stack.md("m", level="linear", members=["sda", "sdb", "sdc"], chunk="64 KiB")
    assert [(s.begin, s.end) for s in device.segments] == [
        (0, 2**21),
        (2**21, 2**21 + 128),
        (2**21 + 128, 3 * 2**21 + 128),
    ]


def test_md_raid0_zones() -> None:
    """Members of 3, 1 and 2 chunks: all three, then two of them, then the largest alone."""
    stack = with_disks("200 KiB", "64 KiB", "128 KiB")
    device = stack.md("m", level=0, members=["sda", "sdb", "sdc"], chunk="64 KiB")
    assert device.segments == (
        Segment(0, 384, ("sda", "sdb", "sdc"), (0, 0, 0), 128),
        Segment(384, 640, ("sda", "sdc"), (128, 128), 128),
        Segment(640, 768, ("sda",), (256,), 0),
    )
    assert device.size_sectors == (3 + 1 + 2) * 128
    assert stack.lower("m")[0].offset_sectors == 0


def test_md_raid1_is_as_large_as_its_smallest_member() -> None:
    stack = with_disks("1 GiB", "1000 KiB")
    assert stack.md("m", level=1, members=["sda", "sdb"]).size_sectors == 2000


@pytest.mark.parametrize(("level", "parity"), [("raid4", 1), ("raid5", 1), ("raid6", 2)])
def test_md_parity_levels(level: str, parity: int) -> None:
    stack = with_disks("1 GiB", "200 KiB", "1 GiB", "1 GiB")
    device = stack.md("m", level=level, members=["sda", "sdb", "sdc", "sdd"], chunk="64 KiB")
    assert device.size_sectors == (4 - parity) * 3 * 128
    assert device.geometry == {
        "disks": 4,
        "parity_disks": parity,
        "level": int(level[-1]),
        "chunk_sectors": 128,
        "member_sectors": 384,
    }


@pytest.mark.parametrize(
    ("layout", "disks", "chunks", "stride"),
    [
        ("n2", 4, 10 * 4 // 2, 10),
        ("n2", 3, 15, 10),
        ("n3", 3, 10, 10),
        ("f2", 4, 20, 5),
        ("f2", 3, 15, 5),
        ("f3", 3, 9, 3),
        ("o2", 4, 20, 1),
        ("o2", 3, 15, 1),
    ],
)
def test_md_raid10(layout: str, disks: int, chunks: int, stride: int) -> None:
    stack = with_disks(*["640 KiB"] * disks)
    device = stack.md("m", level=10, members=list(stack.devices), chunk="64 KiB", layout=layout)
    assert device.size_sectors == chunks * 128
    assert device.geometry["stride_sectors"] == stride * 128
    assert device.geometry["member_sectors"] <= 1280
    copies = device.geometry["near_copies"] * device.geometry["far_copies"]
    assert device.size_sectors * copies <= disks * 1280


def test_raid10_needs_as_many_members_as_copies() -> None:
    stack = with_disks("1 GiB", "1 GiB")
    with pytest.raises(ConfigError, match="3 copies"):
        stack.md("m", level=10, members=["sda", "sdb"], layout="n3")
    with pytest.raises(ConfigError, match="layout"):
        stack.md("m", level=10, members=["sda", "sdb"], layout="x2")


def test_members_without_room() -> None:
    stack = with_disks("4 KiB", "1 GiB", "1 GiB")
    for level in ("raid0", "raid5", "linear"):
        with pytest.raises(ConfigError, match="no room"):
            stack.md("m", level=level, members=["sda", "sdb", "sdc"], chunk="64 KiB")


def test_snapshots_share_the_real_device_and_the_store() -> None:
    stack = with_disks("1 GiB", "1 GiB")
    stack.dm("real", target="linear", on="sda")
    stack.dm("cow", target="linear", on="sdb")
    stack.dm("origin", target="snapshot-origin", on=["real", "cow"], chunk="16 KiB")
    snap = stack.dm("snap", target="snapshot", on=["real", "cow"], chunk="16 KiB")
    assert [link.role for link in stack.lower("origin")] == ["data", "cow"]
    assert stack.graph.edges["snap", "cow"]["role"] == "cow"
    assert (snap.size_sectors, snap.geometry["chunk_sectors"]) == (2**21, 32)
    assert stack.roots() == ("origin", "snap")


def test_sizes_stay_within_the_kernels() -> None:
    stack = with_disks("8191 PiB", "8191 PiB")
    with pytest.raises(ConfigError, match="8 EiB"):
        stack.md("m", level=0, members=["sda", "sdb"])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(128, 2000), min_size=1, max_size=6))
def test_raid0_zones_cover_every_chunk_once(kib: list[int]) -> None:
    stack = with_disks(*[n * 1024 for n in kib])
    device = stack.md("m", level=0, members=list(stack.devices), chunk="64 KiB")
    assert device.segments[0].begin == 0
    used: set[tuple[str, int]] = set()
    for before, after in pairwise(device.segments):
        assert before.end == after.begin
    for seg in device.segments:
        for sector in range(seg.begin, seg.end, 128):
            chunk = (sector - seg.begin) // 128
            place = chunk % len(seg.members)
            used.add((seg.members[place], seg.offsets[place] + chunk // len(seg.members) * 128))
    assert len(used) == device.size_sectors // 128 == sum(n * 2 // 128 for n in kib)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["n2", "n3", "f2", "f3", "o2", "o3"]), st.integers(3, 7), st.integers(6, 30))
def test_raid10_copies_lie_inside_the_members(layout: str, disks: int, chunks: int) -> None:
    """drivers/md/raid10.c raid10_find_phys: no two copies share a place, none passes the end."""
    stack = with_disks(*[chunks * 65536] * disks)
    device = stack.md("m", level=10, members=list(stack.devices), chunk="64 KiB", layout=layout)
    g = device.geometry
    near, far = g["near_copies"], g["far_copies"]
    places: set[tuple[int, int]] = set()
    for c in range(device.size_sectors // 128):
        stripe, disk = divmod(c * near, disks)
        start = stripe * (far if g["far_offset"] else 1) * 128
        for _ in range(near):
            places.update(
                ((disk + k * near) % disks, start + k * g["stride_sectors"]) for k in range(far)
            )
            disk += 1
            if disk == disks:
                disk, start = 0, start + 128
    assert len(places) == device.size_sectors // 128 * near * far
    assert max(s for _, s in places) + 128 <= g["member_sectors"] <= chunks * 128
