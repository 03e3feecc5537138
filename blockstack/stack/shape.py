"""Sizes, segments and RAID geometry, derived upward from the lower devices.

Sizes are those of arrays without superblocks (``mdadm --build``): a superblock takes a few
KiB to MiB of each member and changes no mapping.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.units import SECTOR_BYTES, format_bytes
from blockstack.kinds import Kind
from blockstack.stack.device import Device, Segment

MAX_SECTORS = 2**54 - 1  # loff_t counts bytes in 63 bits
_THIN_BLOCK_SECTORS = 128  # on anything but a pool: LVM's 64 KiB
_LAYOUT = re.compile(r"([nfo])([1-9]\d?)\Z")


@dataclass(frozen=True)
class Shape:
    """What follows from the lower devices: size, segments, RAID figures, offset below."""

    size_sectors: int
    segments: tuple[Segment, ...] = ()
    geometry: Mapping[str, int] = field(default_factory=dict)
    offset_sectors: int = 0


@dataclass(frozen=True)
class Draft:
    """A device whose keys are checked and whose shape is not known yet.

    ``ranges`` are the rows of a dm table as (start, length, device, offset) in sectors;
    ``size``, ``start`` and ``offsets`` are in sectors, None when not given.
    """

    path: str
    kind: Kind
    params: Mapping[str, Any]
    lower: Sequence[Device]
    size: int | None = None
    start: int | None = None
    ranges: Sequence[tuple[int, int, Device, int]] = ()
    offsets: Sequence[int] | None = None


def text_of(sectors: int) -> str:
    """A size for people."""
    return format_bytes(sectors * SECTOR_BYTES)


def check_fits(path: str, begin: int, length: int, lower: Device) -> None:
    """A range must end where its lower device ends, at the latest."""
    if length <= 0:
        raise ConfigError("has no sectors", path=path, value=length)
    if begin + length > lower.size_sectors:
        raise ConfigError(
            f'ends at sector {begin + length}, beyond the end of "{lower.name}"',
            path=path,
            value=length,
            hint=f"{lower.name} has {lower.size_sectors} sectors ({text_of(lower.size_sectors)})",
        )


def positive(size: int, draft: Draft, why: str) -> int:
    """A derived size must leave something."""
    if size <= 0:
        raise ConfigError(
            f"has no room: {why}",
            path=draft.path,
            hint="make the lower devices larger or the chunk smaller",
        )
    return size


def remap(draft: Draft) -> Shape:
    """Partition, crypt, loop, filesystem: one range of one lower device."""
    if not draft.lower:
        return Shape(draft.size or 0)
    lower = draft.lower[0]
    start = draft.start or 0
    if start >= lower.size_sectors > 0:
        raise ConfigError(
            f'is beyond the end of "{lower.name}"',
            path=f"{draft.path}.start",
            value=start,
            hint=f"{lower.name} has {lower.size_sectors} sectors ({text_of(lower.size_sectors)})",
        )
    key = "start" if draft.size is None else "size"
    length = lower.size_sectors - start if draft.size is None else draft.size
    check_fits(f"{draft.path}.{key}", start, length, lower)
    return Shape(length, offset_sectors=start)


def linear(draft: Draft) -> Shape:
    """dm-linear: the rows of its table, or its lower devices one after the other."""
    rows = list(draft.ranges)
    if not rows:
        offsets = draft.offsets or [draft.start or 0] + [0] * (len(draft.lower) - 1)
        begin = 0
        for offset, lower in zip(offsets, draft.lower, strict=True):
            length = lower.size_sectors - offset
            if draft.size is not None and len(draft.lower) == 1:
                length = draft.size
            check_fits(f"{draft.path}.on", offset, length, lower)
            rows.append((begin, length, lower, offset))
            begin += length
    begin = 0
    segments = []
    for i, (start, length, lower, offset) in enumerate(rows):
        where = f"{draft.path}.table[{i}]"
        if start != begin:
            word = "a gap" if start > begin else "an overlap"
            raise ConfigError(
                f"{word}: the row starts at sector {start}, the one before ends at {begin}",
                path=where,
                value=start,
                hint=f"start the row at {begin}",
            )
        check_fits(where, offset, length, lower)
        segments.append(Segment(start, start + length, (lower.name,), (offset,)))
        begin += length
    return Shape(begin, tuple(segments))


def striped(draft: Draft) -> Shape:
    """dm-striped: drivers/md/dm-stripe.c stripe_ctr wants whole chunks on every stripe."""
    chunk = int(draft.params["chunk"])
    width = len(draft.lower)
    offsets = tuple(draft.offsets or (0,) * width)
    if len(offsets) != width:
        raise ConfigError(
            f"{width} members need {width} offsets",
            path=f"{draft.path}.offsets",
            value=list(offsets),
        )
    room = min(d.size_sectors - o for d, o in zip(draft.lower, offsets, strict=True))
    size = positive(room // chunk * chunk * width, draft, "no whole chunk fits on every stripe")
    if draft.size is not None:
        if draft.size % (chunk * width):
            raise ConfigError(
                "is not a whole number of stripes",
                path=f"{draft.path}.size",
                value=draft.size,
                hint=f"a stripe is {text_of(chunk * width)}",
            )
        if not 0 < draft.size <= size:
            raise ConfigError(
                "does not fit on the members",
                path=f"{draft.path}.size",
                value=draft.size,
                hint=f"at most {text_of(size)}",
            )
        size = draft.size
    names = tuple(d.name for d in draft.lower)
    return Shape(size, (Segment(0, size, names, offsets, chunk if width > 1 else 0),))


def concatenated(draft: Draft) -> Shape:
    """md-linear: the sum of its members, each rounded down to the rounding chunk, if any."""
    chunk = int(draft.params.get("chunk") or 1)
    begin = 0
    segments = []
    for lower in draft.lower:
        length = lower.size_sectors // chunk * chunk
        positive(length, draft, f'"{lower.name}" is smaller than a chunk')
        segments.append(Segment(begin, begin + length, (lower.name,), (0,)))
        begin += length
    return Shape(begin, tuple(segments))


def zoned_stripes(draft: Draft) -> Shape:
    """md-raid0: drivers/md/raid0.c create_strip_zones.

    Zone 0 stripes over all members up to the smallest one's end; each further zone over the
    members that go on, in member order. Chunks are counted from the zone's start (the
    "alternate" layout of 3.14 and later); the older layout numbers the members of the zones
    after the first one differently, with the same paths.
    """
    chunk = int(draft.params["chunk"])
    rooms = [d.size_sectors // chunk * chunk for d in draft.lower]
    positive(min(rooms), draft, "a member is smaller than a chunk")
    below = begin = 0
    segments = []
    for level in sorted(set(rooms)):
        members = [i for i, room in enumerate(rooms) if room > below]
        end = begin + (level - below) * len(members)
        names = tuple(draft.lower[i].name for i in members)
        segments.append(
            Segment(begin, end, names, (below,) * len(members), chunk if len(members) > 1 else 0)
        )
        begin, below = end, level
    return Shape(begin, tuple(segments))


def mirror(draft: Draft) -> Shape:
    """md-raid1, dm-mirror: the smallest member, or the given size."""
    room = min(d.size_sectors for d in draft.lower)
    size = room if draft.size is None else draft.size
    if not 0 < size <= room:
        raise ConfigError(
            "does not fit on the members",
            path=f"{draft.path}.size",
            value=draft.size,
            hint=f"at most {text_of(room)}",
        )
    return Shape(size, geometry={"disks": len(draft.lower), "member_sectors": room})


def parse_layout(layout: object, path: str) -> tuple[int, int, int]:
    """(near copies, far copies, 1 for "offset") of mdadm's ``n2``, ``f2``, ``o2``."""
    match = _LAYOUT.match(layout) if isinstance(layout, str) else None
    if match is None:
        raise ConfigError(
            "not a RAID 10 layout",
            path=path,
            value=layout,
            hint='write "n2" (near), "f2" (far) or "o2" (offset), 2 copies each',
        )
    copies = int(match[2])
    return (copies, 1, 0) if match[1] == "n" else (1, copies, int(match[1] == "o"))


def raid10(draft: Draft) -> Shape:
    """md-raid10: drivers/md/raid10.c run() of 2.6.18 and calc_sectors() of 6.1."""
    chunk = int(draft.params["chunk"])
    near, far, offset = parse_layout(draft.params["layout"], f"{draft.path}.layout")
    disks = len(draft.lower)
    if near * far > disks:
        raise ConfigError(
            f"{near * far} copies need as many members",
            path=f"{draft.path}.layout",
            value=draft.params["layout"],
            hint=f"there are {disks} members",
        )
    room = min(d.size_sectors for d in draft.lower) // chunk
    chunks = room // far * disks // near
    used = -(-chunks * near * far // disks)
    positive(chunks, draft, "no whole chunk fits on every member")
    stride = 1 if offset else used // far
    return Shape(
        chunks * chunk,
        geometry={
            "disks": disks,
            "near_copies": near,
            "far_copies": far,
            "far_offset": offset,
            "chunk_sectors": chunk,
            "stride_sectors": stride * chunk,
            "member_sectors": used * chunk,
        },
    )


def parity(draft: Draft) -> Shape:
    """md-raid4, 5, 6: the data disks, each rounded down to the chunk."""
    chunk = int(draft.params["chunk"])
    disks = len(draft.lower)
    parities = 2 if draft.kind.name.endswith("raid6") else 1
    room = min(d.size_sectors for d in draft.lower) // chunk * chunk
    size = positive(room * (disks - parities), draft, "no whole chunk fits on every member")
    level = int(draft.kind.name[-1])
    return Shape(
        size,
        geometry={
            "disks": disks,
            "parity_disks": parities,
            "level": level,
            "chunk_sectors": chunk,
            "member_sectors": room,
        },
    )


def paths(draft: Draft) -> Shape:
    """Several ways to one disk: as large as any of them."""
    sizes = {d.size_sectors for d in draft.lower}
    if len(sizes) > 1:
        raise ConfigError(
            "the paths lead to disks of different sizes",
            path=f"{draft.path}.on",
            value=sorted(sizes),
            hint="all paths of a multipath device are one disk",
        )
    return remap(draft)


def snapshot(draft: Draft) -> Shape:
    """dm-snapshot, its origin, and caches: as large as the real device under them."""
    real = draft.lower[0]
    size = real.size_sectors if draft.size is None else draft.size
    check_fits(f"{draft.path}.size", 0, size, real)
    chunk = int(draft.params["chunk"]) if "chunk" in draft.params else 0
    return Shape(size, geometry={"chunk_sectors": chunk})


def thin(draft: Draft) -> Shape:
    """dm-thin: its pool's block is its own."""
    shape = remap(draft)
    block = int(draft.lower[0].params.get("block", _THIN_BLOCK_SECTORS))
    return Shape(
        shape.size_sectors, geometry={"block_sectors": block}, offset_sectors=shape.offset_sectors
    )


#: btrfs stripes by BTRFS_STRIPE_LEN (fs/btrfs/volumes.h), 64 KiB
_BTRFS_STRIPE_SECTORS = 128
_COPIES = {"raid1": 2, "raid10": 2, "raid1c3": 3, "raid1c4": 4}


def btrfs(draft: Draft) -> Shape:
    """btrfs: where its data chunks lie, by profile.

    A chunk takes at most 1 GiB of a device, and a tenth of them all (fs/btrfs/volumes.c 6.1
    init_alloc_chunk_ctl_policy_regular); the emptiest devices are taken first, so that chunks go
    round devices of one size in turn.
    """
    profile, disks = draft.params["profile"], len(draft.lower)
    copies = _COPIES.get(profile, 1)
    least = {"raid10": 4, "raid0": 2}.get(profile, copies)
    if disks < least:
        raise ConfigError(
            f"profile {profile} needs {least} devices, not {disks}",
            path=f"{draft.path}.profile",
            value=profile,
            hint="name more devices, or a profile of one",
        )
    room = min(d.size_sectors for d in draft.lower)
    if profile == "dup":
        if disks > 1:
            raise ConfigError(
                "dup keeps both copies on one device",
                path=f"{draft.path}.profile",
                value=profile,
                hint='on several devices: "raid1"',
            )
        return Shape(room // 2, geometry={"dup": 2, "member_sectors": room // 2})
    if disks == 1:
        return remap(draft)
    tenth = sum(d.size_sectors for d in draft.lower) // 10
    chunk = _BTRFS_STRIPE_SECTORS
    if profile in ("single", "raid1", "raid1c3", "raid1c4"):
        chunk = max(chunk, min(2**21, tenth) // chunk * chunk)
    keys = {**draft.params, "chunk": chunk, "layout": f"n{copies}"}
    mapped = replace(draft, params=keys)
    return raid10(mapped) if copies > 1 else zoned_stripes(mapped)


_BY_KIND: dict[str, Callable[[Draft], Shape]] = {
    "dm-thin": thin,
    "dm-linear": linear,
    "dm-striped": striped,
    "md-linear": concatenated,
    "md-raid0": zoned_stripes,
    "btrfs": btrfs,
}
_BY_MAPPING: dict[str, Callable[[Draft], Shape]] = {
    "leaf": remap,
    "remap": remap,
    "segments": linear,
    "stripe": zoned_stripes,
    "mirror": mirror,
    "raid10": raid10,
    "raid456": parity,
    "snapshot-origin": snapshot,
    "snapshot": snapshot,
    "paths": paths,
    "cache": snapshot,
}


def derive_shape(draft: Draft) -> Shape:
    """Size, segments and geometry of a device.

    Raises
    ------
    ConfigError
        Ranges that gap, overlap or pass a lower device's end; members without room.
    """
    rule = _BY_KIND.get(draft.kind.name) or _BY_MAPPING.get(draft.kind.mapping, remap)
    shape = rule(draft)
    if shape.size_sectors > MAX_SECTORS:
        raise ConfigError(
            "is larger than 8 EiB, the kernel's largest device",
            path=draft.path,
            value=shape.size_sectors,
            hint="use smaller or fewer lower devices",
        )
    return shape
