"""What a device's name and number say about it.

Names are those of the kernel's drivers; fixed numbers are those of
Documentation/admin-guide/devices.txt.
"""

import re

#: kernel name of a whole disk → kind, where the name alone tells it
NAMED_DISKS: tuple[tuple[str, str], ...] = (
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
            *(p for p, _ in NAMED_DISKS),
        )
    )
