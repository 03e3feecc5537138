"""What a sosreport, a capture or a folder of outputs holds, by the names of its files.

sos names a file after the command that wrote it: ``sos_commands/devicemapper/dmsetup_table``.
"""

import re
from collections.abc import Iterator

from blockstack.hosts.tree import Tree

#: path's end → format; the first that matches counts. Paths without an entry are passed over.
FILES: tuple[tuple[str, str], ...] = (
    (r"proc/self/mountinfo|(sos_commands/.*)?mountinfo", "mountinfo"),
    (r"proc/(self/)?mounts|mount_-l|(.*/)?findmnt_mounts|proc/1/mounts", "mounts"),
    (r"proc/swaps|swapon(_-s|_--summary.*)?", "swaps"),
    (r"proc/mdstat", "mdstat"),
    (r"proc/version|uname_-a|uname", "uname"),
    (r"dmsetup_table(_--showkeys)?", "dmsetup-table"),
    (r"dmsetup_info_-c(_.*)?", "dmsetup-info"),
    (r"dmsetup_deps(_.*)?", "dmsetup-deps"),
    (r"dmsetup_ls(_--tree)?", "dmsetup-ls"),
    (r"lsblk_.*(-O.*-P|-P.*-O).*|lsblk_-P.*", "lsblk-pairs"),
    (r"lsblk_.*(--json|-J).*", "lsblk-json"),
    (r"lsblk", "lsblk-tree"),
    (r"losetup_(-a|--all|-l|--json)", "losetup"),
    (r"blockdev_--report", "blockdev"),
    (r"mdadm_--detail_--export.*|mdadm_-D.*_--export.*", "mdadm-export"),
    (r"multipath_(-v4_)?-ll", "multipath"),
    (r"drbdsetup_status_--json.*", "drbd-status"),
    (r"drbdsetup_show.*|drbdadm_dump", "drbd-config"),
    (r"iscsiadm_-m_session_-P_3", "iscsiadm"),
    (r"lsscsi(_.*)?", "lsscsi"),
    (r"udevadm_info_--export-db|udevadm_info_-e", "udev"),
    (r"(lvs|vgs|pvs)_.*json.*|(lvs|vgs|pvs)\.json", "lvm-json"),
    (r"nvme_list.*json.*|nvme_list\.json", "nvme-json"),
    (r"sysblock_listing|ls_-lanR_\.sys\.block", "sys-listing"),
    (r"blockstack-sysfs", "sysfs-lines"),
)
_ENTRIES = tuple(
    (re.compile(rf"(?:.*/)?(?:{pattern})(?:\.txt|\.json)?\Z"), name) for pattern, name in FILES
)
#: what an archive's reader must keep
_SYSFS = re.compile(
    r"(?:.*/)?sys/(?:block|class|dev|devices|fs)/.*(?:/(?:size|dev|start|partition|hidden|name|uuid|"
    r"alignment_offset|discard_alignment|level|raid_disks|chunk_size|layout|location|"
    r"metadata_version|backing_file|proc_name|cache_mode|transport)|/queue/[a-z_]+)\Z"
)


def format_of(path: str) -> str | None:
    """The format of a file in a folder of outputs, by its name."""
    for pattern, name in _ENTRIES:
        if pattern.match(path):
            return name
    return None


def wanted(path: str) -> bool:
    """Whether a member of an archive is read at all."""
    return (
        bool(_SYSFS.match(path))
        or format_of(path) is not None
        or (path.count("/") <= 1 and "." in path.rpartition("/")[2])
    )


def known_files(tree: Tree) -> Iterator[tuple[str, str]]:
    """(path, format) of what is known by its name."""
    extra = (
        "proc/self/mountinfo",
        "proc/self/mounts",
        "proc/mounts",
        "proc/swaps",
        "proc/mdstat",
        "proc/version",
        "sos_commands/block/lsblk",
    )
    tops = ["", *(f"{top}/" for top in tree.names("")[:50])]
    found = [f"{top}{name}" for top in tops for name in extra if tree.has(f"{top}{name}")]
    for path in dict.fromkeys((*found, *tree.files())):
        kind = format_of(path)
        if kind is not None:
            yield path, kind
