"""Stacks to measure: the commands that build each, as `blockstack validate` reads them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Built:
    """One stack.

    Attributes
    ----------
    target : str or None
        Device or mount point of the workload; None: memory pressure on swap.
    commands : tuple of str
    load : {"blk", "fs", "mem"}
        What runs on it (work.c).
    before : tuple of str
        Commands of the guest that are no part of the stack's description.
    """

    target: str | None
    commands: tuple[str, ...] = ()
    load: Literal["blk", "fs", "mem"] = "blk"
    before: tuple[str, ...] = ()


SECTORS = 817152
_KEY = "ab" * 32
_CLEAR = "dd if=/dev/zero of={} bs=1M count=2 conv=fsync 2>/dev/null"


def _table(name: str, target: str, sectors: int = SECTORS) -> str:
    return f"echo '0 {sectors} {target}' | dmsetup create {name}"


def _linear(depth: int, on: str, sectors: int = SECTORS) -> tuple[str, ...]:
    lower = [on, *(f"/dev/mapper/g{i}" for i in range(1, depth))]
    return tuple(
        _table(f"g{i + 1}", f"linear {device} 0", sectors) for i, device in enumerate(lower)
    )


def _crypt(name: str, on: str, sectors: int = SECTORS) -> str:
    return _table(name, f"crypt aes-xts-plain64 {_KEY} 0 {on} 0", sectors)


def _md(level: int, disks: str, *more: str) -> str:
    members = [word if word == "missing" else f"/dev/vd{word}" for word in disks.split()]
    return (
        f"mdadm --create /dev/md0 --run --force --metadata=1.2 --level={level} "
        f"{' '.join(more)} --assume-clean --raid-devices={len(members)} " + " ".join(members)
    )


_MKFS = {
    "ext4": "mkfs.ext4 -q -F -E lazy_itable_init=0,nodiscard",
    "xfs": "mkfs.xfs -q -f -K",
    "btrfs": "mkfs.btrfs -q -f -K",
    "f2fs": "mkfs.f2fs -q -f -t 0",
    "vfat": "mkfs.vfat",
}


def _fs(kind: str, on: str, place: str = "") -> tuple[str, ...]:
    place = place or f"/mnt/{kind}"
    return (f"{_MKFS[kind]} {on}", f"mkdir -p {place}", f"mount -t {kind} {on} {place}")


def _image(kind: str, options: str = "", size: str = "200M") -> tuple[str, ...]:
    return (
        *_fs(kind, "/dev/vdb"),
        f"truncate -s {size} /mnt/{kind}/img",
        f"losetup {options} -f --show /mnt/{kind}/img",
    )


_THIN = (
    _CLEAR.format("/dev/vdb"),
    _table("g1", "thin-pool /dev/vdb /dev/vdc 128 0"),
    'dmsetup message /dev/mapper/g1 0 "create_thin 0"',
    _table("g2", "thin /dev/mapper/g1 0"),
)
_BCACHE = ("wipefs -a /dev/vdb /dev/vdc", "make-bcache --writeback -C /dev/vdb -B /dev/vdc")
_ZRAM = ("echo 300M > /sys/block/zram0/disksize",)

_DEVICES = {
    "virtio-blk": Built("/dev/vdb"),
    "virtio-scsi": Built("/dev/sdb"),
    "ahci": Built("/dev/sdc"),
    "megasas": Built("/dev/sdd"),
    "nvme": Built("/dev/nvme0n1"),
    "brd": Built("/dev/ram0"),
    "zram": Built("/dev/zram0", before=_ZRAM),
}
_MAPPED = {
    **{
        f"dm-linear-x{n}_virtio-blk": Built(f"/dev/mapper/g{n}", _linear(n, "/dev/vdb"))
        for n in (1, 2, 4, 8, 16)
    },
    **{
        f"dm-linear-x{n}_brd": Built(f"/dev/mapper/g{n}", _linear(n, "/dev/ram0", 800000))
        for n in (1, 2, 4, 8)
    },
    "dm-crypt_virtio-blk": Built("/dev/mapper/g1", (_crypt("g1", "/dev/vdb"),)),
    "dm-delay_virtio-blk": Built("/dev/mapper/g1", (_table("g1", "delay /dev/vdb 0 1"),)),
    "dm-flakey_virtio-blk": Built("/dev/mapper/g1", (_table("g1", "flakey /dev/vdb 0 60 0"),)),
    "dm-striped_virtio-blk": Built(
        "/dev/mapper/g1", (_table("g1", "striped 2 128 /dev/vdb 0 /dev/vdc 0"),)
    ),
    "dm-mirror_virtio-blk": Built(
        "/dev/mapper/g1", (_table("g1", "mirror core 2 1024 nosync 2 /dev/vdb 0 /dev/vdc 0"),)
    ),
    "dm-snapshot_virtio-blk": Built(
        "/dev/mapper/g1", (_table("g1", "snapshot /dev/vdb /dev/vdc P 8", 409600),)
    ),
    "dm-thin_virtio-blk": Built("/dev/mapper/g2", _THIN),
    "dm-cache_virtio-blk": Built(
        "/dev/mapper/g1",
        (
            _CLEAR.format("/dev/vdd"),
            _table("g1", "cache /dev/vdd /dev/vdc /dev/vdb 128 1 writeback smq 0"),
        ),
    ),
    "dm-writecache_virtio-blk": Built(
        "/dev/mapper/g1",
        (_CLEAR.format("/dev/vdc"), _table("g1", "writecache s /dev/vdb /dev/vdc 4096 0")),
    ),
    "dm-integrity_virtio-blk": Built(
        "/dev/mapper/gint",
        (
            _CLEAR.format("/dev/vdb"),
            "integritysetup format -q /dev/vdb",
            "integritysetup open /dev/vdb gint",
        ),
    ),
    "dm-multipath-rq_virtio-scsi": Built(
        "/dev/mapper/g1", (_table("g1", "multipath 0 0 1 1 round-robin 0 1 1 /dev/sdb 100"),)
    ),
    "dm-multipath-bio_virtio-scsi": Built(
        "/dev/mapper/g1",
        (_table("g1", "multipath 2 queue_mode bio 0 1 1 round-robin 0 1 1 /dev/sdb 100"),),
    ),
    "dm-raid1_virtio-blk": Built(
        "/dev/mapper/g1",
        (_table("g1", "raid raid1 3 0 region_size 1024 2 - /dev/vdb - /dev/vdc", 815104),),
    ),
}
_ARRAYS = {
    "md-raid0_virtio-blk": Built("/dev/md0", (_md(0, "b c", "--chunk=64"),)),
    "md-raid1_virtio-blk": Built("/dev/md0", (_md(1, "b c"),)),
    "md-raid1-bitmap_virtio-blk": Built("/dev/md0", (_md(1, "b c", "--bitmap=internal"),)),
    "md-raid10_virtio-blk": Built("/dev/md0", (_md(10, "b c d e", "--chunk=64"),)),
    "md-raid5_virtio-blk": Built("/dev/md0", (_md(5, "b c d", "--chunk=64"),)),
    "md-raid5-degraded_virtio-blk": Built("/dev/md0", (_md(5, "missing b c", "--chunk=64"),)),
    "md-raid6_virtio-blk": Built("/dev/md0", (_md(6, "b c d e", "--chunk=64"),)),
    "dm-linear_md-raid5_virtio-blk": Built(
        "/dev/mapper/g1", (_md(5, "b c d", "--chunk=64"), *_linear(1, "/dev/md0"))
    ),
    "bcache_virtio-blk": Built("/dev/bcache0", _BCACHE),
}
_FILES = {
    **{
        f"{kind}_{name}": Built(f"/mnt/{kind}", _fs(kind, device), "fs")
        for kind in ("ext4", "xfs", "btrfs")
        for name, device in (
            ("virtio-blk", "/dev/vdb"),
            ("nvme", "/dev/nvme0n1"),
            ("virtio-scsi", "/dev/sdb"),
        )
    },
    "f2fs_virtio-blk": Built("/mnt/f2fs", _fs("f2fs", "/dev/vdb"), "fs"),
    "vfat_virtio-blk": Built("/mnt/vfat", _fs("vfat", "/dev/vdb"), "fs"),
    "ext4_megasas": Built("/mnt/ext4", _fs("ext4", "/dev/sdd"), "fs"),
    "xfs_ahci": Built("/mnt/xfs", _fs("xfs", "/dev/sdc"), "fs"),
    "btrfs-raid1_virtio-blk": Built(
        "/mnt/btrfs",
        (
            f"{_MKFS['btrfs']} -d raid1 -m raid1 /dev/vdb /dev/vdc",
            "mkdir -p /mnt/btrfs",
            "mount -t btrfs /dev/vdb /mnt/btrfs",
        ),
        "fs",
    ),
    "ext4_dm-linear_md-raid1_virtio-blk": Built(
        "/mnt/ext4",
        (_md(1, "b c"), *_linear(1, "/dev/md0", 813056), *_fs("ext4", "/dev/mapper/g1")),
        "fs",
    ),
    "xfs_dm-linear_md-raid10_virtio-blk": Built(
        "/mnt/xfs",
        (
            _md(10, "b c d e", "--chunk=64"),
            *_linear(1, "/dev/md0", 1600000),
            *_fs("xfs", "/dev/mapper/g1"),
        ),
        "fs",
    ),
    "xfs_dm-crypt_dm-linear_md-raid5_virtio-blk": Built(
        "/mnt/xfs",
        (
            _md(5, "b c d", "--chunk=64"),
            *_linear(1, "/dev/md0", 1600000),
            _crypt("g2", "/dev/mapper/g1", 1600000),
            *_fs("xfs", "/dev/mapper/g2"),
        ),
        "fs",
    ),
    "xfs_dm-thin_virtio-blk": Built("/mnt/xfs", (*_THIN, *_fs("xfs", "/dev/mapper/g2")), "fs"),
    "f2fs_dm-crypt_virtio-blk": Built(
        "/mnt/f2fs", (_crypt("g1", "/dev/vdb"), *_fs("f2fs", "/dev/mapper/g1")), "fs"
    ),
    "ext4_bcache_virtio-blk": Built("/mnt/ext4", (*_BCACHE, *_fs("ext4", "/dev/bcache0")), "fs"),
    "loop_ext4_virtio-blk": Built("/dev/loop0", _image("ext4")),
    "loop-dio_ext4_virtio-blk": Built("/dev/loop0", _image("ext4", "--direct-io=on")),
    "loop_xfs_virtio-blk": Built("/dev/loop0", _image("xfs")),
    "loop_btrfs_virtio-blk": Built("/dev/loop0", _image("btrfs")),
    "ext4_loop_ext4_virtio-blk": Built(
        "/mnt/upper", (*_image("ext4", size="300M"), *_fs("ext4", "/dev/loop0", "/mnt/upper")), "fs"
    ),
    "xfs_loop_xfs_virtio-blk": Built(
        "/mnt/upper", (*_image("xfs", size="320M"), *_fs("xfs", "/dev/loop0", "/mnt/upper")), "fs"
    ),
}
_SWAP = {
    "swap_virtio-blk": Built(None, ("mkswap -f /dev/vdb", "swapon /dev/vdb"), "mem"),
    "swap_nvme": Built(None, ("mkswap -f /dev/nvme0n1", "swapon /dev/nvme0n1"), "mem"),
    "swap_zram": Built(None, ("mkswap -f /dev/zram0", "swapon /dev/zram0"), "mem", _ZRAM),
    "swap_dm-crypt_virtio-blk": Built(
        None, (_crypt("g1", "/dev/vdb"), "mkswap -f /dev/mapper/g1", "swapon /dev/mapper/g1"), "mem"
    ),
    "swap_dm-linear_md-raid1_virtio-blk": Built(
        None,
        (
            _md(1, "b c"),
            *_linear(1, "/dev/md0", 813056),
            "mkswap -f /dev/mapper/g1",
            "swapon /dev/mapper/g1",
        ),
        "mem",
    ),
}

STACKS: dict[str, Built] = {**_DEVICES, **_MAPPED, **_ARRAYS, **_FILES, **_SWAP}
