"""What a device's name, number and transport say about its kind.

Names are those of the kernel's drivers; fixed numbers are those of
Documentation/admin-guide/devices.txt.
"""

import re
from collections.abc import Mapping
from typing import Any

from blockstack.hosts.host import Host, Node

#: kernel name of a whole disk → kind, where the name alone tells it
_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"vd[a-z]+", "virtio-blk"),
    (r"ram\d+", "brd"),
    (r"zram\d+", "zram"),
    (r"nullb\d+", "null_blk"),
    (r"nbd\d+", "nbd"),
    (r"sr\d+|scd\d+|hdc", "optical drive"),
    (r"fd\d+", "floppy drive"),
    (r"dasd[a-z]+", "dasd"),
    (r"mmcblk\d+(boot\d+|rpmb)?", "mmc"),
    (r"pmem\d+(\.\d+)?s?", "pmem"),
    (r"rbd\d+", "rbd"),
    (r"xvd[a-z]+", "xen-blkfront"),
    (r"hd[a-z]", "ide"),
    (r"drbd\d+", "drbd"),
    (r"zd\d+", "zvol"),
    (r"bcache\d+", "bcache"),
    (r"cciss!.*", "cciss"),
    (r"mtdblock\d+", "mtdblock"),
    (r"ublkb\d+", "ublk"),
    (r"rnbd\d+", "rnbd"),
    (r"etherd!.*", "aoe"),
)
#: SCSI host drivers (scsi_host/hostN/proc_name) that the registry knows by another name
_HOST_DRIVERS: Mapping[str, str] = {
    "ahci": "ahci",
    "megaraid_sas": "megasas",
    "virtio_scsi": "virtio-scsi",
    "Virtio SCSI HBA": "virtio-scsi",
}
_TRANSPORT_DRIVERS: Mapping[str, str] = {"ata": "ahci", "virtio-scsi": "virtio-scsi"}
_PARTITION = re.compile(
    r"((?:sd|vd|hd|xvd|dasd)[a-z]+|(?:nvme\d+n|mmcblk|md|loop|nbd|nullb|bcache|"
    r"pmem|rbd|cciss!c\d+d|zram|ram)\d+p|md_d\d+p)(\d+)\Z"
)
_SD_MAJORS = (8, *range(65, 72), *range(128, 136))


def name_of_number(number: str) -> tuple[str, str] | None:
    """(kernel name, disk's name if it is a partition) of a fixed major:minor; None: dynamic."""
    major, minor = (int(part) for part in number.split(":"))
    if major in _SD_MAJORS:
        index = _SD_MAJORS.index(major) * 16 + minor // 16
        disk = "sd" + _letters(index)
        return (disk, "") if minor % 16 == 0 else (f"{disk}{minor % 16}", disk)
    for fixed, prefix in (
        (1, "ram"),
        (7, "loop"),
        (9, "md"),
        (11, "sr"),
        (43, "nbd"),
        (147, "drbd"),
    ):
        if major == fixed:
            return f"{prefix}{minor}", ""
    return None


def _letters(index: int) -> str:
    """``a`` ... ``z``, ``aa`` ... as sd_format_disk_name() has them (drivers/scsi/sd.c)."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def disk_of_partition(kname: str) -> str | None:
    """The disk whose partition has this name; None: not a partition's name."""
    match = _PARTITION.match(kname)
    if match is None:
        return None
    letters = match[1].startswith(("sd", "vd", "hd", "xvd", "dasd"))
    return match[1] if letters else match[1][:-1]


def is_kernel_name(name: str) -> bool:
    """Whether a name is one that the kernel gives (``sda``, ``dm-0``), not device mapper's."""
    return disk_of_partition(name) is not None or any(
        re.fullmatch(pattern, name)
        for pattern in (
            r"sd[a-z]+|nvme\d+(c\d+)?n\d+|md[_d]*\d+|dm-\d+|loop\d+",
            *(p for p, _ in _BY_NAME),
        )
    )


def leaf(node: Node, host: Host) -> tuple[str, dict[str, Any]] | None:
    """Kind and keys of a disk that stands on nothing; None: nothing tells what it is."""
    name = node.kname or ""
    transport = str(node.get("transport", ""))
    if re.fullmatch(r"nvme\d+(c\d+)?n\d+", name):
        over = str(node.get("nvme_transport", "pcie"))
        if transport == "nvme-fabrics" and over == "pcie":
            over = "fabrics"
        return ("nvme", {}) if over in ("pcie", "apple-nvme") else (f"nvme-{over}", {})
    if re.fullmatch(r"sd[a-z]+", name):
        if transport == "iscsi":
            return "iscsi", {}
        return "scsi", {"driver": _scsi_driver(node, name, transport, host)}
    for pattern, kind in _BY_NAME:
        if re.fullmatch(pattern, name):
            return kind, {}
    return None


def _scsi_driver(node: Node, name: str, transport: str, host: Host) -> str:
    told = str(node.get("host_driver", ""))
    driver = _HOST_DRIVERS.get(told) or (None if told else _TRANSPORT_DRIVERS.get(transport))
    if driver == "ahci" and not told:
        host.note("SATA disks: the host driver is not told; ahci is assumed")
    if driver is None:
        host.note(
            f"SCSI disks behind {told or transport or 'an unknown driver'}: the registry has "
            'no such host driver; modelled as "generic", whose depth is a lower bound'
        )
    return driver or "generic"


def dm_kind(node: Node) -> str | None:
    """A dm device's kind by its UUID's prefix or lsblk's type; None: neither tells.

    LVM and others put a prefix before the UUID (dm-uuid-PREFIX-...); it says who made the device,
    and only for crypt and multipath which target it has.
    """
    uuid, kind = str(node.get("dm_uuid", "")), str(node.get("type", ""))
    if uuid.startswith("CRYPT-") or kind == "crypt":
        return "dm-crypt"
    if uuid.startswith("mpath-") or kind == "mpath":
        return "dm-multipath"
    if re.match(r"part\d+-", uuid) or kind == "part":
        return "dm-linear"
    return None
