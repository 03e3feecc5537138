"""The registry of text formats: a row each, in the order in which a text is asked what it looks
like. A new format is a reader in `readers/` and a row here."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from blockstack.hosts.model.host import Host
from blockstack.hosts.readers import (
    dmsetup,
    drbd,
    installer,
    listing,
    lsblk,
    lsblk_tree,
    lvm,
    machine,
    md,
    mounts,
    probert,
    sans,
    udev,
)

HEAD = 1 << 16  # characters that a format is recognised by
_LINE, _LINES = 500, 1000  # of a text that is not JSON: no pattern meets an endless line


@dataclass(frozen=True)
class Format:
    """One text format.

    Attributes
    ----------
    name : str
    looks : callable
        Asked about the first characters of a text, in the registry's order.
    read : callable
        The reader: tells the host's nodes what the text says.
    doc, gives, lacks : str
        For docs/import.md: what writes such a text, and what it tells; a format that only is
        recognised to be refused gives nothing.
    files : str
        A pattern of what sos or a capture calls such a file; empty: known by content only.
    """

    name: str
    looks: Callable[[str], bool]
    read: Callable[[str, Host], None]
    doc: str
    gives: str = ""
    lacks: str = ""
    files: str = ""


def _has(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.MULTILINE)
    return lambda head: compiled.search(head) is not None


def _json_with(*keys: str) -> Callable[[str], bool]:
    def looks(head: str) -> bool:
        return head.lstrip()[:1] in ("{", "[") and any(f'"{k}"' in head for k in keys)

    return looks


def _refuse_lsblk(text: str, host: Host) -> None:
    raise lsblk.usage_error(text)


def _lsblk_tree(head: str) -> bool:
    return any(lsblk_tree.is_heading(line) for line in head.split("\n"))


_config = _has(r'^[ \t]*(?:- *)?"?(storage|config|storage_pools|storage_volumes)"?:(\s|$)')


_json_config = _json_with("config", "storage_pools", "storage_volumes")


def _is_status(head: str) -> bool:
    """``dmsetup status`` has a table's form, with figures instead of devices."""
    rows = re.findall(
        r"^.+: \d+ \d+ (linear|thin-pool|thin|snapshot|crypt)( .*)?$", head, re.MULTILINE
    )
    return any(
        (target == "linear" and not args.strip())
        or (target == "crypt" and not args.strip())
        or (target == "snapshot" and re.match(r" (\d+/\d+ \d+|Invalid)", args))
        for target, args in rows
    )


FORMATS: tuple[Format, ...] = (
    Format(
        "lsblk-json",
        _json_with("blockdevices"),
        lsblk.read_json_tree,
        "`lsblk --json -O -b`, or fewer columns",
        gives="the tree, sizes, levels of md arrays, file systems, transport, some queue limits",
        lacks="max_segments, chunk_sectors, dm targets, loop files, bcache's roles, mostly starts",
        files=r"lsblk_.*(--json|-J).*",
    ),
    Format(
        "losetup",
        lambda h: (
            _json_with("loopdevices")(h)
            or h.startswith("/dev/loop")
            or "BACK-FILE" in h.partition("\n")[0]
        ),
        mounts.read_losetup,
        "`losetup -a`, `-l`, `--json`",
        gives="loop files",
        files=r"losetup_(-a|--all|-l|--json)",
    ),
    Format(
        "lvm-json",
        _json_with("report"),
        lvm.read_report,
        "`lvs`/`vgs`/`pvs --reportformat json`",
        gives="volumes, segment types, hidden volumes; PVs with `-o +devices`",
        lacks="without `devices`: which PV holds a volume",
        files=r"(lvs|vgs|pvs)_.*json.*|(lvs|vgs|pvs)\.json",
    ),
    Format(
        "drbd-status",
        _json_with("node-id", "peer-node-id"),
        drbd.read_status,
        "`drbdsetup status --json`",
        gives="minors, sizes, peers",
        lacks="mostly the backing disks; the protocol",
        files=r"drbdsetup_status_--json.*",
    ),
    Format(
        "drbd-config",
        _has(r'^[ \t]*(resource[ \t]+"?[^\s{"]+"?|_this_host)[ \t]*\{'),
        drbd.read_config,
        "`drbdsetup show`, `drbdadm dump`",
        gives="DRBD's backing and metadata disks, protocol, peers",
        lacks="in a dump: which host this is, unless `uname` or its comments tell",
        files=r"drbdsetup_show.*|drbdadm_dump",
    ),
    Format(
        "probert",
        _json_with("blockdev", "DEVPATH"),
        probert.read_dump,
        "probert's dump (JSON)",
        gives="udev's view; bcache by UUID",
        lacks="which PV holds a volume",
    ),
    Format(
        "nvme-json",
        _json_with("Devices", "hosts", "HostNQN", "hostnqn"),
        sans.read_nvme,
        "`nvme list -o json` (1.x and 2.x), libnvme's tree",
        gives="transport, size",
        files=r"nvme_list.*json.*|nvme_list\.json",
    ),
    Format(
        "udev",
        _has(r"^E: SUBSYSTEM=block$|\AP: /devices/"),
        udev.read_db,
        "`udevadm info --export-db`",
        gives="starts and transport; md arrays",
        files=r"udevadm_info_--export-db|udevadm_info_-e",
    ),
    Format(
        "multipath",
        _has(r"^(\S.* )?dm-\d+ +\S.*\n\[?size=|^={5} paths list ={5}"),
        sans.read_multipath,
        "`multipath -ll` (any version)",
        gives="maps, paths, bio or request mode",
        files=r"multipath_(-v4_)?-ll",
    ),
    Format(
        "iscsiadm",
        _has(r"Attached scsi disk|^[ \t]*Iface Netdev:|^tcp: \[\d+\] "),
        sans.read_iscsi,
        "`iscsiadm -m session -P 3`",
        gives="which disks are iSCSI, over which interface",
        files=r"iscsiadm_-m_session_-P_3",
    ),
    Format(
        "lsscsi",
        _has(r"^\[\d+:\d+:\d+:\d+\]\s+\S+ .*/dev/"),
        sans.read_lsscsi,
        "`lsscsi --transport`",
        gives="transport",
        files=r"lsscsi(_.*)?",
    ),
    Format(
        "sysfs-lines",
        _has(r"\A/sys/\S+(=| -> )"),
        listing.read_lines,
        "a capture's sysfs",
        gives="as `/sys`",
        lacks="which dm target a device has",
        files=r"blockstack-sysfs",
    ),
    Format("lsblk-refused", _has(r"^.*lsblk: invalid option"), _refuse_lsblk, "lsblk's usage"),
    Format(
        "lsblk-pairs",
        _has(r'^(?:[A-Z0-9:%_-]+="[^"\n]*" )*K?NAME="'),
        lsblk.read_pairs,
        "`lsblk -O -P -b`, or fewer columns",
        gives="as JSON",
        lacks="as JSON; names one parent only",
        files=r"lsblk_.*(-O.*-P|-P.*-O).*|lsblk_-P.*",
    ),
    Format(
        "lsblk-tree",
        _lsblk_tree,
        lsblk_tree.read_tree,
        "`lsblk` with any columns in any order (`-f`, `-o ...`), upside down (`-s`), indented",
        gives="as JSON, for the columns that it has",
        lacks="as JSON; without `-b` exact sizes",
        files=r"lsblk",
    ),
    Format(
        "mdstat",
        _has(r"^(Personalities :|unused devices:)"),
        md.read_mdstat,
        "`/proc/mdstat`",
        gives="level, members, spares, chunk, raid10 layout, bitmap",
        lacks="exact member offsets",
        files=r"proc/mdstat",
    ),
    Format(
        "mdadm-export",
        _has(r"^MD_(LEVEL|METADATA|UUID|DEVICES)="),
        md.read_export,
        "`mdadm --detail --export`",
        gives="level, members by slot",
        lacks="chunk, layout; with old mdadm the members",
        files=r"mdadm_--detail_--export.*|mdadm_-D.*_--export.*",
    ),
    Format(
        "mdadm-examine",
        _has(r"^[ \t]+Magic : a92b4efc|\"magic\": ?\"a92b4efc\""),
        md.refuse_examine,
        "`mdadm --examine`: one member's view",
    ),
    Format(
        "swaps",
        _has(r"\A(Filename\s+Type\s+Size|NAME +TYPE +SIZE +USED)"),
        mounts.read_swaps,
        "`/proc/swaps`, `swapon --show`",
        gives="which swap area sits on top",
        files=r"proc/swaps|swapon(_-s|_--summary.*)?",
    ),
    Format(
        "mountinfo",
        _has(r"^\d+ \d+ \d+:\d+ \S+ \S+ .* - \S+ \S+"),
        mounts.read_mountinfo,
        "`/proc/self/mountinfo`",
        gives="which file system sits on top, with its options",
        files=r"proc/self/mountinfo|(sos_commands/.*)?mountinfo",
    ),
    Format(
        "storage-plan",
        lambda h: _config(h) or _json_config(h),
        installer.read_yaml,
        "curtin's or subiquity's storage config; ansible's `storage_pools`, `storage_volumes`",
        gives="what a host will be; bcache",
        lacks="which PV holds a volume; sizes and drivers of disks; disks that are templates",
    ),
    Format(
        "dmsetup-info",
        _has(r"^[ \t]*Name[ \t]+Maj[ \t]+Min\s"),
        dmsetup.read_info,
        "`dmsetup info -c`",
        gives="names and numbers",
        lacks="the rest",
        files=r"dmsetup_info_-c(_.*)?",
    ),
    Format(
        "dmsetup-deps",
        _has(r": \d+ dependenc(y|ies)\s*:"),
        dmsetup.read_deps,
        "`dmsetup deps`",
        gives="what stands on what",
        lacks="the rest",
        files=r"dmsetup_deps(_.*)?",
    ),
    Format(
        "dmsetup-ls",
        _has(r"\A[^\n:\[]*\S[ \t]+\(\d+(, |:)\d+\)$"),
        dmsetup.read_ls,
        "`dmsetup ls`, `--tree`",
        gives="names and numbers; what stands on what",
        lacks="the rest",
        files=r"dmsetup_ls(_--tree)?",
    ),
    Format(
        "blockdev",
        _has(r"\ARO +RA +SSZ +BSZ"),
        mounts.read_blockdev,
        "`blockdev --report`",
        gives="exact sizes and starts",
        files=r"blockdev_--report",
    ),
    Format(
        "sys-listing",
        _has(r"\A\s*/sys/block/?:"),
        listing.read_ls,
        "`ls -lanR /sys/block`",
        gives="what stands on what",
        lacks="every figure",
        files=r"sysblock_listing|ls_-lanR_\.sys\.block",
    ),
    Format("dmsetup-status", _is_status, dmsetup.refuse_status, "`dmsetup status`: no devices"),
    Format(
        "dmsetup-table",
        _has(r"^(.+: )?\d+ \d+ [a-z][a-z0-9-]*( |$)|\ANo devices found"),
        dmsetup.read_table,
        "`dmsetup table`",
        gives="target, order, offsets, chunks",
        lacks="names of the numbers: add `dmsetup info -c`, lsblk or `/sys`",
        files=r"dmsetup_table(_--showkeys)?",
    ),
    Format(
        "xfs_info",
        _has(r"^meta-data=\S+ +isize="),
        machine.read_xfs_info,
        "`xfs_info`",
        gives="whether XFS keeps a reverse map, and whether its files may share extents",
        files=r"xfs_info.*",
    ),
    Format(
        "cmdline",
        _has(r"\A(BOOT_IMAGE=|\S*vmlinuz\S* )|\A(\S+ )*root=\S+"),
        machine.read_cmdline,
        "`/proc/cmdline`",
        gives="`iommu=off`: no IOMMU translates",
        files=r"proc/cmdline",
    ),
    Format(
        "dmesg",
        _has(r"\A\[ *\d+\.\d+\] |^(DMAR: |AMD-Vi: )"),
        machine.read_boot_log,
        "`dmesg`",
        gives="which IOMMU was set up",
        lacks="that there is none: a log may be cut",
        files=r"dmesg.*|.*/dmesg.*",
    ),
    Format(
        "uname",
        _has(r"\ALinux (version )?\S+"),
        mounts.read_uname,
        "`uname -a`, `/proc/version`",
        gives="the kernel's release, the machine, the host's name",
        files=r"proc/version|uname_-a|uname",
    ),
    Format(
        "mounts",
        _has(r"^\S+ (on )?/\S* (type )?\S+ \S+"),
        mounts.read_mounts,
        "`/proc/mounts`, `mount`",
        gives="which file system sits on top, with its options",
        files=r"proc/(self/)?mounts|mount_-l|(.*/)?findmnt_mounts|proc/1/mounts",
    ),
)


def by_name(name: str) -> Format | None:
    """The registry's entry of that name."""
    return next((f for f in FORMATS if f.name == name), None)


def recognise(text: str) -> Format | None:
    """The format of a text, by its first characters."""
    head = text[:HEAD]
    if head.lstrip()[:1] not in ("{", "["):
        head = "\n".join(line[:_LINE] for line in head.split("\n")[:_LINES])
    return next((f for f in FORMATS if f.looks(head)), None)
