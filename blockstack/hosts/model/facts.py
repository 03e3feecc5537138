"""What can be known of one block device of a host, each fact with its unit, and whose word counts.

A reader tells a `Facts` (and a `QueueFacts`) of what one source says; `Node.tell` keeps each field
from the source that stands nearer to the kernel. ``None`` means that no source tells it. The
tables of docs/import.md are made from the docs of the fields and from `SOURCES`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """Who told a fact; of two that tell the same, the higher rank counts."""

    name: str
    rank: int
    doc: str = ""


USER = Source("user", 80, "`--driver`, `--fstype`")
# what the kernel itself says
DMSETUP = Source("dmsetup", 70, "the kernel's own dm tables, dependencies, names")
SYSFS = Source("sysfs", 60, "`/sys`, live or dumped")
CAPTURE = Source("capture", 60, "`/sys` as `blockstack capture` writes it")
# the tools that configured it
MDADM = Source("mdadm", 56, "`mdadm --detail --export`")
DRBD = Source("drbd", 56, "`drbdsetup`, `drbdadm`")
MDSTAT = Source("mdstat", 55, "`/proc/mdstat`")
BLOCKDEV = Source("blockdev", 54, "`blockdev --report`")
LOSETUP = Source("losetup", 52, "`losetup`")
MULTIPATH = Source("multipath", 50, "`multipath -ll`")
LVM = Source("lvm", 48, "`lvs`, `vgs`, `pvs`")
NVME = Source("nvme", 46, "`nvme list`")
ISCSIADM = Source("iscsiadm", 46, "`iscsiadm -m session`")
LSSCSI = Source("lsscsi", 44, "`lsscsi`")
MOUNTS = Source("mounts", 42, "mountinfo, mounts, swaps")
# those that collect from others
UDEV = Source("udev", 40, "udev's database")
LSBLK = Source("lsblk", 30, "`lsblk`")
PROBERT = Source("probert", 28, "probert's dump")
# storage configs, for a host that may not exist yet
CURTIN = Source("curtin", 10, "storage config of curtin or subiquity")
ANSIBLE = Source("ansible", 10, "variables of ansible's storage role")

#: by rank, the highest first; a reader of another tool makes a `Source` of its own beside these
SOURCES: tuple[Source, ...] = (
    USER,
    DMSETUP,
    SYSFS,
    CAPTURE,
    MDADM,
    DRBD,
    MDSTAT,
    BLOCKDEV,
    LOSETUP,
    MULTIPATH,
    LVM,
    NVME,
    ISCSIADM,
    LSSCSI,
    MOUNTS,
    UDEV,
    LSBLK,
    PROBERT,
    CURTIN,
    ANSIBLE,
)
#: taken off a rank when the tool rounds (lsblk without -b)
ROUNDED = 25


def _fact(doc: str) -> Any:
    """A field that no source has told yet, with its line of documentation."""
    return field(default=None, metadata={"doc": doc})


@dataclass(slots=True, kw_only=True)
class Facts:
    """What sources tell of one block device; names of devices are as the sources write them."""

    size_sectors: int | None = _fact("length, in sectors of 512 bytes")
    size_rounded: bool | None = _fact("the size is one that lsblk printed without `-b`")
    start_sectors: int | None = _fact("where a partition begins on its disk, in 512-byte sectors")
    parent: str | None = _fact("the disk of a partition")
    slaves: Sequence[str] | None = _fact("the devices that it stands on, in order")
    device_type: str | None = _fact("lsblk's word: `part`, `lvm`, `crypt`, `mpath`, `raid1` …")
    is_disk: bool | None = _fact("a storage config names it as a disk")
    transport: str | None = _fact("how a disk is reached: `ata`, `sas`, `fc`, `iscsi`, `nvme` …")
    nvme_transport: str | None = _fact("an NVMe controller's own: `pcie`, `tcp`, `rdma` …")
    host_driver: str | None = _fact("the driver of the SCSI host or the NVMe controller")
    netdev: str | None = _fact("the network interface of an iSCSI session")
    fstype: str | None = _fact("the signature on it: a file system, `LVM2_member` …")
    mount_told: bool | None = _fact("a source tells what is mounted on it, if only that nothing is")
    fs_members: Sequence[str] | None = _fact("all devices of its btrfs or bcachefs")
    backing_file: str | None = _fact("the file under a loop device")

    dm_uuid: str | None = _fact("device mapper's UUID, whose prefix tells who made the device")
    dm_empty: bool | None = _fact("a dm device without a table")
    table: Sequence[Sequence[str]] | None = _fact(
        "the dm table: words of each row, starts and lengths in 512-byte sectors, no keys"
    )
    queue_mode: str | None = _fact("of a multipath device: `bio`; else requests")

    lvm_group: str | None = _fact("the volume group, where the physical volumes are not told")
    lvm_segtype: str | None = _fact("LVM's segment type: `linear`, `striped`, `thin`, `raid5` …")
    lvm_stripe_bytes: int | None = _fact("LVM's stripe size, in bytes")
    lvm_problem: str | None = _fact("why the report does not tell what a volume stands on")

    md_level: str | None = _fact("`raid0` … `raid10`, `linear`")
    md_members: Mapping[int, str] | None = _fact("member by slot; spares and failed ones left out")
    md_disks: int | None = _fact("slots of the array")
    md_chunk_bytes: int | None = _fact("chunk, in bytes")
    md_layout: int | None = _fact("the layout as md's number")
    md_raid10: str | None = _fact("raid10's layout as mdadm's word: `n2`, `f2`, `o2`")
    md_bitmap: bool | None = _fact("a write-intent bitmap is on")
    md_container: str | None = _fact("the container of an array with external metadata")
    md_inactive: bool | None = _fact("an array without a level, or a container")

    bcache_backing: str | None = _fact("the backing device")
    bcache_caches: Sequence[str] | None = _fact("the cache devices of its set")
    bcache_mode: str | None = _fact("`writethrough`, `writeback` …")

    drbd_disks: Sequence[str] | None = _fact("backing disk, then the metadata's; none: diskless")
    drbd_hosts: Mapping[str, Sequence[str] | None] | None = _fact(
        "each host's disks, where nothing tells yet which host this is"
    )
    drbd_backing: str | None = _fact("the backing disk, of a status that tells it")
    drbd_peers: int | None = _fact("connections to other hosts")
    drbd_protocol: str | None = _fact("`A`, `B` or `C`")


@dataclass(slots=True, kw_only=True)
class QueueFacts:
    """A device's queue limits, in the names and units of the kernel's ``struct queue_limits``: a
    fact each, so that sysfs wins limit by limit."""

    logical_block_size: int | None = _fact("bytes")
    physical_block_size: int | None = _fact("bytes")
    io_min: int | None = _fact("bytes")
    io_opt: int | None = _fact("bytes")
    max_hw_sectors: int | None = _fact("sectors of 512 bytes")
    max_sectors: int | None = _fact("sectors of 512 bytes")
    max_segments: int | None = _fact("scatter-gather entries")
    max_segment_size: int | None = _fact("bytes")
    virt_boundary_mask: int | None = _fact("a mask of addresses")
    chunk_sectors: int | None = _fact("sectors of 512 bytes")
    dma_alignment: int | None = _fact("a mask of addresses")
    discard_granularity: int | None = _fact("bytes")
    max_discard_sectors: int | None = _fact("sectors of 512 bytes")
    max_discard_segments: int | None = _fact("scatter-gather entries")
    max_integrity_segments: int | None = _fact("scatter-gather entries")
    max_write_zeroes_sectors: int | None = _fact("sectors of 512 bytes")
    alignment_offset: int | None = _fact("bytes")
    discard_alignment: int | None = _fact("bytes")
