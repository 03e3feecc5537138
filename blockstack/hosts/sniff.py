"""Sources as users give them: what each is, and which reader reads it. A new format is one entry.

A source is a file, a folder, an archive, ``-`` (standard input) or ``/sys`` itself.
"""

import os
import re
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from blockstack.base.errors import BlockstackError
from blockstack.hosts.host import Host, SourceError
from blockstack.hosts.readers import (
    dmsetup,
    drbd,
    folders,
    listing,
    lsblk,
    lvm,
    md,
    mounts,
    plans,
    probert,
    sans,
    sysfs,
    udev,
)
from blockstack.hosts.tree import FolderTree, Tree, bounded, decode, read_archive

_HEAD = 1 << 16  # characters that a format is recognised by
_LINE, _LINES = 500, 1000  # of a text that is not JSON: no pattern meets an endless line
_ARCHIVES = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
MAX_FILES = 2_000
_CONTRADICTS = "has more than one"


@dataclass(frozen=True)
class Format:
    """One text format.

    ``looks`` is asked about the first characters of a text, in the registry's order.
    """

    name: str
    looks: Callable[[str], bool]
    read: Callable[[str, Host], None]
    doc: str


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
    """A table whose first column is NAME, with a column that only lsblk has (zpool, zramctl,
    swapon and losetup print NAME, too)."""
    header = next((line for line in head.split("\n") if line.startswith("NAME ")), "")
    return (
        bool(
            {"MAJ:MIN", "FSTYPE", "MOUNTPOINT", "MOUNTPOINTS", "TYPE", "DISC-GRAN", "PHY-SEC"}
            & set(header.split())
        )
        and "PRIO" not in header.split()
    )


_plan = _has(r'^[ \t]*(?:- *)?"?(storage|config|storage_pools|storage_volumes)"?:(\s|$)')


_json_plan = _json_with("config", "storage_pools", "storage_volumes")


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
    Format("lsblk-json", _json_with("blockdevices"), lsblk.read_json_tree, "lsblk --json -O -b"),
    Format(
        "losetup",
        lambda h: (
            _json_with("loopdevices")(h)
            or h.startswith("/dev/loop")
            or "BACK-FILE" in h.partition("\n")[0]
        ),
        mounts.read_losetup,
        "losetup -a, losetup --json",
    ),
    Format("lvm-json", _json_with("report"), lvm.read_report, "lvs/vgs/pvs --reportformat json"),
    Format(
        "drbd-status",
        _json_with("node-id", "peer-node-id"),
        drbd.read_status,
        "drbdsetup status --json",
    ),
    Format(
        "drbd-config",
        _has(r'^[ \t]*(resource[ \t]+"?[^\s{"]+"?|_this_host)[ \t]*\{'),
        drbd.read_config,
        "drbdsetup show, drbdadm dump",
    ),
    Format("probert", _json_with("blockdev", "DEVPATH"), probert.read_dump, "probert's JSON"),
    Format(
        "nvme-json",
        _json_with("Devices", "hosts", "HostNQN", "hostnqn"),
        sans.read_nvme,
        "nvme list -v -o json",
    ),
    Format(
        "udev",
        _has(r"^E: SUBSYSTEM=block$|\AP: /devices/"),
        udev.read_db,
        "udevadm info --export-db",
    ),
    Format(
        "multipath",
        _has(r"^(\S.* )?dm-\d+ +\S.*\n\[?size=|^={5} paths list ={5}"),
        sans.read_multipath,
        "multipath -ll",
    ),
    Format(
        "iscsiadm",
        _has(r"Attached scsi disk|^[ \t]*Iface Netdev:|^tcp: \[\d+\] "),
        sans.read_iscsi,
        "iscsiadm -m session -P 3",
    ),
    Format(
        "lsscsi",
        _has(r"^\[\d+:\d+:\d+:\d+\]\s+\S+ .*/dev/"),
        sans.read_lsscsi,
        "lsscsi --transport",
    ),
    Format("sysfs-lines", _has(r"\A/sys/\S+(=| -> )"), listing.read_lines, "a capture's sysfs"),
    Format("lsblk-refused", _has(r"^.*lsblk: invalid option"), _refuse_lsblk, "lsblk's usage"),
    Format(
        "lsblk-pairs",
        _has(r'^(?:[A-Z0-9:%_-]+="[^"\n]*" )*K?NAME="'),
        lsblk.read_pairs,
        "lsblk -O -P -b",
    ),
    Format("lsblk-tree", _lsblk_tree, lsblk.read_tree, "lsblk, lsblk -f"),
    Format("mdstat", _has(r"^(Personalities :|unused devices:)"), md.read_mdstat, "/proc/mdstat"),
    Format(
        "mdadm-export",
        _has(r"^MD_(LEVEL|METADATA|UUID|DEVICES)="),
        md.read_export,
        "mdadm --detail --export",
    ),
    Format(
        "mdadm-examine",
        _has(r"^[ \t]+Magic : a92b4efc|\"magic\": ?\"a92b4efc\""),
        md.refuse_examine,
        "mdadm --examine (refused: one member's view)",
    ),
    Format(
        "swaps",
        _has(r"\A(Filename\s+Type\s+Size|NAME +TYPE +SIZE +USED)"),
        mounts.read_swaps,
        "/proc/swaps, swapon --show",
    ),
    Format(
        "mountinfo",
        _has(r"^\d+ \d+ \d+:\d+ \S+ \S+ .* - \S+ \S+"),
        mounts.read_mountinfo,
        "/proc/self/mountinfo",
    ),
    Format(
        "storage-plan",
        lambda h: _plan(h) or _json_plan(h),
        plans.read_yaml,
        "storage config of curtin or subiquity, ansible's storage variables (YAML, JSON)",
    ),
    Format(
        "dmsetup-info",
        _has(r"^[ \t]*Name[ \t]+Maj[ \t]+Min\s"),
        dmsetup.read_info,
        "dmsetup info -c",
    ),
    Format("dmsetup-deps", _has(r": \d+ dependenc(y|ies)\s*:"), dmsetup.read_deps, "dmsetup deps"),
    Format(
        "dmsetup-ls",
        _has(r"\A[^\n:\[]*\S[ \t]+\(\d+(, |:)\d+\)$"),
        dmsetup.read_ls,
        "dmsetup ls --tree",
    ),
    Format("blockdev", _has(r"\ARO +RA +SSZ +BSZ"), mounts.read_blockdev, "blockdev --report"),
    Format("sys-listing", _has(r"\A\s*/sys/block/?:"), listing.read_ls, "ls -lanR /sys/block"),
    Format(
        "dmsetup-status",
        _is_status,
        dmsetup.refuse_status,
        "dmsetup status (refused: says no devices)",
    ),
    Format(
        "dmsetup-table",
        _has(r"^(.+: )?\d+ \d+ [a-z][a-z0-9-]*( |$)|\ANo devices found"),
        dmsetup.read_table,
        "dmsetup table",
    ),
    Format("uname", _has(r"\ALinux (version )?\S+"), mounts.read_uname, "uname -a, /proc/version"),
    Format(
        "mounts",
        _has(r"^\S+ (on )?/\S* (type )?\S+ \S+"),
        mounts.read_mounts,
        "/proc/mounts, mount",
    ),
)


def by_name(name: str) -> Format | None:
    """The registry's entry of that name."""
    return next((f for f in FORMATS if f.name == name), None)


def recognise(text: str) -> Format | None:
    """The format of a text, by its first characters."""
    head = text[:_HEAD]
    if head.lstrip()[:1] not in ("{", "["):
        head = "\n".join(line[:_LINE] for line in head.split("\n")[:_LINES])
    return next((f for f in FORMATS if f.looks(head)), None)


def is_source(path: str | Path) -> bool:
    """Whether a path is a host's description rather than a config."""
    if str(path) == "-":
        return True
    try:
        where = Path(path)
        if where.is_dir():
            return True
        if where.suffix == ".toml" or not where.is_file():
            return False
        with where.open("rb") as stream:
            head = stream.read(_HEAD)
    except (OSError, ValueError):
        return False
    return (
        head.startswith(_ARCHIVES)
        or head[257:262] == b"ustar"
        or recognise(decode(head)) is not None
    )


def read_sources(sources: Iterable[str | Path]) -> Host:
    """Everything that the sources say about one host.

    Parameters
    ----------
    sources : iterable of str or Path
        Files, folders, tar archives, ``/sys``; ``-`` is standard input.

    Raises
    ------
    BlockstackError
        Unreadable, of no known format, damaged, or not of one host.
    """
    host = Host()
    for source in sources:
        try:
            _read(str(source), host)
        except BlockstackError as error:
            raise error.under(str(source)) from error
    if not host.sources:
        raise SourceError(
            "nothing to read",
            path="SOURCE",
            hint="give /sys, a sosreport, or the output of lsblk --json -O -b",
        )
    return host


def _read(source: str, host: Host) -> None:
    if source == "-":
        read_text(decode(bounded(sys.stdin.buffer.read((64 << 20) + 1), "-")), host, "-")
        return
    path = Path(source)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            here = os.path.realpath(path) in ("/sys", "/")
            tree: Tree = FolderTree(Path("/sys") if here else path)
            read_tree(tree, host)
            if here:
                _running(host)
            return
        if not stat.S_ISREG(mode):
            raise SourceError("neither a file nor a folder", hint="give a regular file")
        with path.open("rb") as stream:
            head = stream.read(512)
            if head.startswith(_ARCHIVES) or head[257:262] == b"ustar":
                read_tree(read_archive(path, folders.wanted), host)
                return
            raw = head + stream.read((64 << 20) + 1)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        if isinstance(error, BlockstackError):
            raise
        raise SourceError("not a file name") from error
    read_text(decode(bounded(raw, source)), host, source)


def read_text(text: str, host: Host, source: str, kind: str = "") -> None:
    """One text, recognised by its content, else of the format that its file's name says."""
    found = recognise(text) or by_name(kind)
    if found is None:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        raise SourceError(
            "is of no format that is read here",
            value=first[:80],
            hint="take the output of lsblk --json -O -b, dmsetup table or another "
            "tool that docs/import.md lists; or give /sys, a sosreport, a capture",
        )
    found.read(text, host)
    host.sources.append(f"{found.name}: {source}")


def read_tree(tree: Tree, host: Host) -> None:
    """sysfs in a tree, the files that are known by name, else each file by its content."""
    found = False
    where = sysfs.looks(tree)
    if where is not None:
        sysfs.read(tree.below(where), host)
        host.sources.append(f"sysfs: {tree.name}{'/' + where if where else ''}")
        found = True
    if where != "":  # below /sys itself there are no outputs
        found |= _known(tree, host)
    if where is None:
        found |= _by_content(tree, host)
    if not found:
        raise SourceError(
            "holds nothing that is read here",
            hint="a sosreport, a dump of /sys, a "
            "capture, or a folder with the outputs of lsblk, dmsetup, ...",
        )


def _known(tree: Tree, host: Host) -> bool:
    found = False
    for path, kind in folders.known_files(tree):
        text = tree.text(path)
        if not text:
            continue
        try:
            read_text(text, host, f"{tree.name}/{path}", kind)
            found = True
        except SourceError as error:
            if _CONTRADICTS in error.message:
                raise error.under(path) from error
            host.note(f"{path}: passed over: {error.message}")
    return found


def _by_content(tree: Tree, host: Host) -> bool:
    """Files at the top whose names say nothing."""
    found, first = False, None
    for number, path in enumerate(p for p in tree.files(2) if folders.format_of(p) is None):
        if number >= MAX_FILES:
            raise SourceError("too many files", hint="name the files instead of their folder")
        text = tree.text(path)
        if text and recognise(text):
            try:
                read_text(text, host, f"{tree.name}/{path}")
                found = True
            except SourceError as error:
                if _CONTRADICTS in error.message:
                    raise error.under(path) from error
                first = first or error.under(path)
                host.note(f"{path}: passed over: {error.message}")
        else:
            host.note(f"{path}: of no format that is read here; passed over")
    if first is not None and not found and not host.sources:
        raise first
    return found


def _running(host: Host) -> None:
    """A live /sys: this machine's kernel, mounts and swaps come with it."""
    name = os.uname()
    host.release, host.machine, host.name = name.release, name.machine, name.nodename
    for path, kind in (
        ("proc/self/mountinfo", "mountinfo"),
        ("proc/swaps", "swaps"),
        ("proc/mdstat", "mdstat"),
    ):
        try:
            text = decode(Path("/", path).read_bytes())
        except OSError:
            continue
        if text.strip():
            read_text(text, host, f"/{path}", kind)
