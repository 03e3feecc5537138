"""What a device's driver sets its queue limits to, by kind and kernel generation.

Only what differs from a new queue's limits is written down, in the kernel's units (sectors of 512
bytes, bytes, masks). Limits that a host or a disk reports are taken as it is said here, and a
config can say otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blockstack.kinds.host_drivers import GROUPS

_UINT_MAX = 2**32 - 1
_USHRT_MAX = 2**16 - 1


@dataclass(frozen=True)
class DriverLimits:
    """The limits that a driver sets.

    Attributes
    ----------
    source : str
        Where the kernel says so.
    values : mapping of str to int
        By the names of `struct queue_limits`. ``max_hw_sectors`` also sets ``max_sectors``.
    assumed : str
        What is not in the kernel's code but in the host's or the disk's answer; empty: nothing.
    splits : bool
        The queue splits bios that pass its limits (blk-mq, md); a driver that takes bios
        itself (brd, zram) does not.
    """

    source: str
    values: Mapping[str, int] = field(default_factory=dict)
    assumed: str = ""
    splits: bool = True


def _sd(source: str, assumed: str = "", **values: int) -> DriverLimits:
    """A SCSI disk: sd.c sd_revalidate_disk and scsi_lib.c __scsi_init_queue of 6.1."""
    # SD_MAX_XFER_BLOCKS: a disk with 16-byte commands that reports no maximum of its own
    common = {"max_dev_sectors": _UINT_MAX, "dma_alignment": 3}
    return DriverLimits(f"scsi_lib.c __scsi_init_queue, {source}", common | values, assumed)


_DISK = "the disk reports neither block limits nor unmap (VPD pages B0, B2)"
_QEMU = "seg_max 254 (QEMU's queue of 256)"
_V6_1 = {
    "scsi/ahci": _sd(
        "ahci.h AHCI_SHT, libata-scsi.c ata_scsi_dev_config",
        _DISK,
        max_hw_sectors=65535,
        max_segments=168,
        dma_alignment=511,
    ),
    "scsi/generic": _sd(
        "scsi_host.h SCSI_DEFAULT_MAX_SECTORS, SG_ALL",
        f"the host driver sets none; {_DISK}",
        max_hw_sectors=1024,
        max_segments=128,
    ),
    "scsi/megasas": _sd(
        "scsi_host.h SCSI_DEFAULT_MAX_SECTORS, megaraid_sas_base.c",
        f"the firmware's max_num_sge and stripe as the middle layer's defaults; {_DISK}",
        max_hw_sectors=1024,
        max_segments=128,
        max_segment_size=_UINT_MAX,
    ),
    "scsi/virtio-scsi": _sd(
        "virtio_scsi.c virtscsi_probe", f"{_QEMU}; {_DISK}", max_hw_sectors=65535, max_segments=254
    ),
    # sg_tablesize 4096, cut to SG_MAX_SEGMENTS; dma_boundary one page
    "iscsi": _sd(
        "iscsi_tcp.c iscsi_sw_tcp_sht",
        _DISK,
        max_hw_sectors=65535,
        max_segments=2048,
        seg_boundary_mask=4095,
        dma_alignment=0,
    ),
    "nvme": DriverLimits(
        "pci.c NVME_MAX_KB_SZ and NVME_MAX_SEGS, core.c nvme_set_queue_limits and "
        "nvme_config_discard",
        {
            "max_hw_sectors": 8192,
            "max_segments": 127,
            "max_segment_size": _UINT_MAX,
            "virt_boundary_mask": 4095,
            "dma_alignment": 3,
            "discard_granularity": 512,
            "max_discard_sectors": _UINT_MAX,
            "max_discard_segments": 256,
        },
        "no MDTS below 4 MiB, no preferred sizes; Dataset Management, no Write Zeroes",
    ),
    "nvme-tcp": DriverLimits(
        "core.c nvme_init_ctrl_finish, nvme_set_queue_limits and nvme_config_discard; tcp.c sets "
        "none of its own",
        {
            "max_hw_sectors": _UINT_MAX,
            "max_segments": _USHRT_MAX,
            "max_segment_size": _UINT_MAX,
            "virt_boundary_mask": 4095,
            "dma_alignment": 3,
            "discard_granularity": 512,
            "max_discard_sectors": _UINT_MAX,
            "max_discard_segments": 256,
        },
        "the target sets no MDTS and no preferred sizes",
    ),
    "virtio-blk": DriverLimits(
        "virtio_blk.c virtblk_probe",
        {"max_hw_sectors": _UINT_MAX, "max_segments": 254, "max_segment_size": _UINT_MAX},
        f"{_QEMU}; no topology, no discard",
    ),
    "brd": DriverLimits("brd.c brd_alloc", {"physical_block_size": 4096}, splits=False),
    "dm-zero": DriverLimits("dm-table.c dm_calculate_queue_limits: nothing below", splits=False),
    "zram": DriverLimits(
        "zram_drv.c zram_add",
        {
            "logical_block_size": 4096,
            "io_opt": 4096,
            "discard_granularity": 4096,
            "max_discard_sectors": _UINT_MAX,
            "max_write_zeroes_sectors": _UINT_MAX,
        },
        splits=False,
    ),
    "null_blk/mq": DriverLimits("null_blk/main.c null_add_dev"),
    "null_blk/mq-memory": DriverLimits("null_blk/main.c null_add_dev"),
    "null_blk/bio": DriverLimits("null_blk/main.c null_add_dev", splits=False),
    "null_blk/bio-memory": DriverLimits("null_blk/main.c null_add_dev", splits=False),
    "nbd": DriverLimits(
        "nbd.c nbd_dev_add, NBD_DEF_BLKSIZE_BITS",
        {
            "logical_block_size": 1024,
            "max_hw_sectors": 65536,
            "max_segments": _USHRT_MAX,
            "max_segment_size": _UINT_MAX,
        },
        "the server takes no trim",
    ),
    "loop": DriverLimits(
        "loop.c loop_add and loop_config_discard",
        {
            "max_hw_sectors": 2560,
            "discard_granularity": 4096,
            "max_discard_sectors": 8388607,
            "max_write_zeroes_sectors": 8388607,
        },
        "the file system punches holes of 4 KiB blocks",
    ),
}
_DISK_V2_6 = DriverLimits(
    "scsi_host.h SCSI_DEFAULT_MAX_SECTORS",
    {"max_hw_sectors": 1024},
    "the host driver sets no limits of its own",
    splits=False,
)
_QUEUE_V2_6 = DriverLimits("ll_rw_blk.c blk_queue_make_request", splits=False)
_V2_6 = {
    name: _DISK_V2_6 if name.startswith("scsi") or name == "iscsi" else _QUEUE_V2_6
    for name in (
        "scsi/ahci",
        "scsi/generic",
        "scsi/megasas",
        "scsi/virtio-scsi",
        "iscsi",
        "brd",
        "nbd",
        "loop",
        "dm-zero",
    )
}
_BY_GENERATION: Mapping[str, Mapping[str, DriverLimits]] = {
    "2.6.18": _V2_6,
    "2.6.24": _V2_6,
    "6.1": _V6_1,
}
_VARIANT = {"scsi": "driver", "null_blk": "mode"}


def driver_limits(kind: str, params: Mapping[str, Any], generation: str) -> DriverLimits | None:
    """The limits of a device with a queue of its own; None: this kernel has no such driver.

    Parameters
    ----------
    kind : str
        ``"scsi"``, ``"nvme"``, ``"loop"`` ...
    params : mapping
        The kind's parameters: the host driver, null_blk's mode.
    generation : str
    """
    name = f"{kind}/{params[_VARIANT[kind]]}" if kind in _VARIANT else kind
    known = _BY_GENERATION.get(generation, _V6_1)
    if kind == "scsi" and name not in known:  # libata's are alike; of the others none was read
        ata = params["driver"] in (*GROUPS["ata"], "generic-ata")
        name = "scsi/ahci" if ata else "scsi/generic"
    return known.get(name)
