"""What sits on top: mountinfo, mounts, swaps; and small helpers' output (losetup, uname)."""

import re

from blockstack.hosts.model.facts import BLOCKDEV, LOSETUP, MOUNTS, Facts
from blockstack.hosts.model.host import Host, SourceError
from blockstack.hosts.readers.common import (
    cells_of,
    columns_of,
    read_json,
    rows_of,
    sectors,
    text_of,
)

#: file systems without a device of their own
_NETWORK = ("nfs", "nfs4")
#: those that the kernel serves with a stack of their own: on others' disks, or on other mounts
_NOT_MODELLED = (
    *("zfs", "glusterfs", "ceph", "cifs", "smb3", "9p", "virtiofs", "gpfs", "lustre", "afs"),
    *("overlay", "aufs", "ecryptfs", "unionfs"),
)
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")  # blanks in a path, as the kernel writes them


def read_mountinfo(text: str, host: Host) -> None:
    """``/proc/self/mountinfo``: ``ID PARENT MAJ:MIN ROOT TARGET OPTIONS ... - TYPE SOURCE``."""
    host.tells_mounts = True
    for line in text.splitlines():
        head, dash, tail = line.partition(" - ")
        before, after = head.split(), tail.split()
        if not dash or len(before) < 5 or len(after) < 2:
            continue
        number = before[2] if re.fullmatch(r"\d{1,8}:\d{1,8}", before[2]) else ""
        options = ",".join((*before[5:6], *after[2:3]))  # the mount's, the file system's
        _mount(
            host, after[0], before[4], after[1], "" if number.startswith("0:") else number, options
        )


def read_mounts(text: str, host: Host) -> None:
    """``/proc/mounts`` or ``mount``'s own form (``SOURCE on TARGET type TYPE``)."""
    host.tells_mounts = True
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 5 and words[1] == "on" and words[3] == "type":
            _mount(host, words[4], words[2], words[0], "", ",".join(words[5:6]))
        elif len(words) >= 4:
            _mount(host, words[2], words[1], words[0], "", words[3])


def _mount(host: Host, fstype: str, target: str, source: str, number: str, options: str) -> None:
    source = _OCTAL.sub(lambda m: chr(int(m[1], 8)), source)
    host.elsewhere.pop(target, None)  # mounted over
    if fstype in _NETWORK:
        host.use("fs", fstype, target, (), MOUNTS, options)
    elif source.startswith("/dev/") and source != "/dev/root":
        members = source.split(":")  # bcachefs names all its members
        names = [m for m in members if m]
        if number:
            host.node(number, names[0]) if len(names) == 1 else host.node(number)
        for one in names:
            host.node(one)
        host.use("fs", fstype, target, names, MOUNTS, options)
    elif number:
        host.node(number)
        host.use("fs", fstype, target, (number,), MOUNTS, options)
    elif fstype in _NOT_MODELLED:
        host.lost[target] = f"{fstype}: no such kind in the registry"
        host.elsewhere[target] = fstype
    else:
        host.elsewhere[target] = fstype


def read_swaps(text: str, host: Host) -> None:
    """``/proc/swaps`` (``swapon -s``), or ``swapon --show``: name and type come first."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith(("Filename", "NAME")):
        raise SourceError("not /proc/swaps", hint="take: cat /proc/swaps")
    for line in lines[1:]:
        words = line.split()
        if len(words) < 3:
            continue
        if words[1] == "partition":
            host.node(words[0])
            host.use("swap", "swap", "[SWAP]", (words[0],), MOUNTS)
        else:
            host.note(
                f"{words[0]}: a swap file is not modelled; its writes go to the device under "
                "the file system"
            )


def read_losetup(text: str, host: Host) -> None:
    """``losetup -a``, ``-l`` or ``--json``: the file under each loop device."""
    if text.lstrip().startswith("{"):
        data = read_json(text, "losetup --json")
        for row in rows_of(data.get("loopdevices") if isinstance(data, dict) else None):
            if text_of(row.get("name")):
                host.node(row["name"]).tell(
                    LOSETUP, Facts(backing_file=text_of(row.get("back-file")))
                )
        return
    head, _, rest = text.partition("\n")
    if "BACK-FILE" in head:
        columns = columns_of(head)
        for line in rest.splitlines():
            cells = cells_of(line, columns)
            if cells.get("NAME"):
                host.node(cells["NAME"]).tell(LOSETUP, Facts(backing_file=cells.get("BACK-FILE")))
        return
    for line in text.splitlines():
        match = re.match(r"(/dev/loop\d+): .*?\((.*?)\)", line)
        if match:
            host.node(match[1]).tell(LOSETUP, Facts(backing_file=match[2]))


def read_blockdev(text: str, host: Host) -> None:
    """``blockdev --report``: exact sizes and starts."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 7 and words[0] in ("ro", "rw") and words[6].startswith("/dev/"):
            node = host.node(words[6])
            size = sectors(words[5], 1)
            node.tell(BLOCKDEV, Facts(size_sectors=size))
            if words[4].isdigit() and int(words[4][:18]):
                node.tell(BLOCKDEV, Facts(start_sectors=sectors(words[4])))


_RELEASE = re.compile(r"[0-9]+\.[0-9]+\S*\Z")
_REAL_TIME = re.compile(r"\bPREEMPT[_ ]RT\b")
#: as ``uname -m`` says them, and as a compiler's name in /proc/version has them
_MACHINES = (
    *("aarch64", "ppc64le", "s390x", "riscv64", "loongarch64", "armv7l", "armv6l", "ppc64"),
    *("x86_64", "amd64", "i686", "i586", "i386"),
)


def read_uname(text: str, host: Host) -> None:
    """``uname -a`` or ``/proc/version``: the kernel's release and the machine."""
    match = re.match(r"Linux version (\S+)", text)
    words = text.split()
    about = words
    if match:
        host.release = host.release or match[1]
    elif len(words) > 2 and words[0] == "Linux":
        host.name, host.release = host.name or words[1], host.release or words[2]
        about = words[2:]  # a host may be called by a machine's name
    elif len(words) == 1 and _RELEASE.match(words[0]):  # uname -r
        host.release = host.release or words[0]
    host.real_time |= bool(_REAL_TIME.search(text))
    host.machine = host.machine or _machine(about)


def _machine(words: list[str]) -> str:
    """The word before ``GNU/Linux``, whatever it is: an unknown machine is another one, not an
    untold one. Without that end: a machine's name in what is said of the build."""
    if len(words) > 2 and words[-1] in ("GNU/Linux", "Linux"):
        told = next((w for w in reversed(words[1:-1]) if w != "unknown"), "")
    else:
        text = " ".join(words)
        told = next((machine for machine in _MACHINES if machine in text), "")
    return {"amd64": "x86_64"}.get(told, told)
