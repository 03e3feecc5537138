"""Which loop devices stand on a file that commands made without fallocate(2)."""

import re
from collections.abc import Mapping, Sequence

from blockstack.commands.shell import Simple

#: they make a file, sparse or written
_MAKERS = frozenset(("dd", "truncate"))
#: beside these, mkfs's and losetup, the tools that touch no file inside a file system
_QUIET = frozenset(
    (
        "cryptsetup",
        "dmsetup",
        "echo",
        "integritysetup",
        "iscsiadm",
        "iscsid",
        "lvcreate",
        "make-bcache",
        "mdadm",
        "mkdir",
        "mount",
        "mountpoint",
        "nbd-client",
        "nbd-server",
        "pidof",
        "pvcreate",
        "sleep",
        "sync",
        "umount",
        "vgcreate",
        "wipefs",
    )
)
_PARTITIONS = re.compile(r"-[a-zA-Z]*P|--partscan")
#: a device by its numbers: 7 is loop's major
_NUMBERS = re.compile(r"\b7:\d")


def never_preallocated(commands: Sequence[Simple], files: Mapping[str, str]) -> set[str]:
    """Loop devices whose file no command can have given an unwritten extent.

    Only what the commands tell for certain: ``truncate`` or ``dd`` made the file, nothing else
    names it or the device (``mkfs`` zeroes ranges), and no tool ran that could do so unnamed.

    Parameters
    ----------
    commands : sequence of Simple
    files : mapping of str to str
        The file below each loop device.
    """
    if not all(map(_is_quiet, commands)):
        return set()
    named: dict[str, set[str]] = {}
    for command in commands:
        for word in command.words:
            named.setdefault(word.removeprefix("of="), set()).add(command.tool)
    if any(word.startswith("/dev/loop") and word not in files for word in named):
        return set()  # a partition, or another name of one of them
    owners = list(files.values())
    return {
        loop
        for loop, file in files.items()
        if owners.count(file) == 1
        and named.get(file, set()) & _MAKERS
        and named[file] <= _MAKERS | {"losetup"}
        and named.get(loop, set()) <= {"losetup"}
    }


def _is_quiet(command: Simple) -> bool:
    if command.tool == "losetup":
        return not any(map(_PARTITIONS.match, command.words))
    text = " ".join((command.text_in, *command.words))
    return not (command.tool == "dmsetup" and _NUMBERS.search(text)) and (
        command.tool in _QUIET | _MAKERS or command.tool.startswith("mkfs")
    )
