"""The registry of device kinds: one entry each, found by name."""

from collections.abc import Mapping

from blockstack.base.errors import ConfigError
from blockstack.base.hints import did_you_mean
from blockstack.generations import in_generation
from blockstack.kinds.disks import DISK_KINDS
from blockstack.kinds.dm import DM_KINDS
from blockstack.kinds.filesystems import SOURCE_KINDS
from blockstack.kinds.md import MD_KINDS
from blockstack.kinds.model import Calls, Kind, Param, Worker
from blockstack.kinds.network import NETWORK_KINDS

KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (*DM_KINDS, *MD_KINDS, *DISK_KINDS, *NETWORK_KINDS, *SOURCE_KINDS)
}

__all__ = [
    "KINDS",
    "Calls",
    "Kind",
    "Param",
    "Worker",
    "find_kind",
    "served_by",
    "served_hint",
]


def find_kind(name: object, path: str = "kind") -> Kind:
    """The registry's entry for ``name``.

    Raises
    ------
    ConfigError
        No such kind; the hint lists those that there are.
    """
    if not isinstance(name, str) or name not in KINDS:
        raise ConfigError(
            "no such device kind",
            path=path,
            value=name,
            hint=f"the model does not have {name}"
            if isinstance(name, str) and name in _NOT_MODELLED
            else did_you_mean(name, sorted(KINDS), "kinds"),
        )
    return KINDS[name]


#: words that the kernel has, and that are no misspelling of what the model has
_NOT_MODELLED = frozenset(
    (
        *("rbd", "ublk", "rnbd", "aoe", "mmc", "dasd", "pmem", "xen-blkfront", "mtdblock", "ide"),
        *("cciss", "zvol", "zfs", "bcachefs", "jfs", "reiserfs", "gfs2", "ocfs2", "cifs", "ceph"),
        *(
            "exfat",
            "ntfs3",
            "nilfs2",
            "squashfs",
            "erofs",
            "iso9660",
            "udf",
            "overlay",
            "overlayfs",
        ),
        *("ecryptfs", "9p", "virtiofs", "dm-vdo", "dm-clone", "dm-era", "dm-zoned", "dm-dust"),
        *("dm-ebs", "dm-unstriped", "nvme-rdma", "nvme-fc", "nvme-loop", "optical drive"),
    )
)


#: 6.1 fs/ext4/super.c register_as_ext3, register_as_ext2: one driver for all three
_SERVED_BY: Mapping[str, str] = {"ext2": "ext4", "ext3": "ext4"}


def served_by(name: str, generation: str) -> str:
    """The kind whose driver serves a file system that a generation has no own one for; or empty."""
    other = _SERVED_BY.get(name, "")
    return other if other and in_generation(KINDS[other].calls, generation) is not None else ""


def served_hint(name: str, generation: str) -> str:
    """What to write instead of a file system that has no driver of its own; or empty."""
    other = served_by(name, generation)
    return f'; there {other}\'s driver serves {name}: write kind = "{other}"' if other else ""
