"""Disks, what drives them, and what stands for one: one registry."""

from blockstack.kinds.disks.bcache import BCACHE
from blockstack.kinds.disks.loop import LOOP
from blockstack.kinds.disks.null_blk import NULL_BLK
from blockstack.kinds.disks.nvme import NVME
from blockstack.kinds.disks.partition import PARTITION
from blockstack.kinds.disks.ram import BRD, ZRAM
from blockstack.kinds.disks.scsi import SCSI
from blockstack.kinds.disks.virtio import VIRTIO_BLK
from blockstack.kinds.model import Kind

DISK_KINDS: tuple[Kind, ...] = (
    SCSI,
    NVME,
    VIRTIO_BLK,
    BRD,
    NULL_BLK,
    ZRAM,
    PARTITION,
    LOOP,
    BCACHE,
)
