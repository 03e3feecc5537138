"""Shell commands that build devices (``dmsetup``, ``mdadm``, ``mkfs``, ``losetup`` ...), as text.

Nothing is run here. A command that changes the stack and is not understood is an error that names
it; commands known to make no device and to change no path are passed over.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.commands.dm_table import DeviceSpec
from blockstack.commands.loop_files import never_preallocated
from blockstack.commands.mkfs import mkfs_spec, mount_keys, nfs_keys
from blockstack.commands.shell import Options, Simple, options, printed, simple_commands
from blockstack.commands.storage import STORAGE_READERS, followed, written

DISK_SIZE = "400 MiB"


@dataclass
class Machine:
    """What a run of commands has built so far.

    Attributes
    ----------
    specs : dict of str to DeviceSpec
        Devices and mounted file systems, by path.
    swaps : list of str
        Areas that are swapped on.
    formatted : dict of str to DeviceSpec
        What each device was formatted with, by any of its devices.
    stores : dict of str to list of str
        Stores of an origin's snapshots: the origin's own table does not name them.
    served : list of str
        File systems that a server in the same machine exports to a client there.
    files : dict of str to str
        The file below each loop device.
    done : list of Simple
        The commands, in order.
    """

    specs: dict[str, DeviceSpec] = field(default_factory=dict)
    swaps: list[str] = field(default_factory=list)
    formatted: dict[str, DeviceSpec] = field(default_factory=dict)
    stores: dict[str, list[str]] = field(default_factory=dict)
    served: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    done: list[Simple] = field(default_factory=list)

    def mounted_at(self, path: str) -> str:
        """The mount point that holds a path.

        Raises
        ------
        LookupError
            None does.
        """
        for parent in (Path(path), *Path(path).parents):
            if str(parent) in self.specs and not str(parent).startswith("/dev"):
                return str(parent)
        raise LookupError(f"no command mounts a file system that holds {path}")


def read_commands(name: str, commands: Sequence[str]) -> Machine:
    """Devices by path, and the areas that are swapped on.

    Parameters
    ----------
    name : str
        What the commands build; named in errors.
    commands : sequence of str

    Raises
    ------
    ConfigError
        A command that cannot be understood and may change the stack.
    """
    machine = Machine()
    for command in commands:
        for origin, store in re.findall(r"\b0 \d+ snapshot (\S+) (\S+) ", command):
            machine.stores.setdefault(origin, []).append(store)
    for number, command in enumerate(commands):
        try:
            if not command.lstrip().startswith("configfs "):
                for simple in simple_commands(command):
                    _command(simple, machine)
                    machine.done.append(simple)
            else:
                _configfs(command, machine)
        except (ValueError, LookupError, TypeError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(
                f"cannot be understood: {error}", value=command, path=f"{name}.commands[{number}]"
            ) from error
    stood_on = {device for spec in machine.specs.values() for device in spec.on}
    for loop in never_preallocated(machine.done, machine.files) - stood_on:
        old = machine.specs[loop]
        machine.specs[loop] = DeviceSpec(old.kind, old.on, {**old.keys, "preallocated": False})
    return machine


def _command(simple: Simple, machine: Machine) -> None:
    tool = simple.tool
    if tool in ("echo", "printf"):
        _written(simple, machine)
    elif tool.startswith("mkfs") or tool in ("mke2fs", "mkswap"):
        _mkfs(simple, machine)
    elif tool in STORAGE_READERS:
        storage, valued = STORAGE_READERS[tool]
        storage(simple, options(simple.words, valued.split()), machine.specs, machine.stores)
    elif tool in _READERS:
        reader, valued = _READERS[tool]
        reader(simple, options(simple.words, valued.split()), machine)
    elif tool not in _HARMLESS and "/dev/" in " ".join((*simple.words, simple.writes_to)):
        raise ValueError(f"{tool} is not known; if it changes no device, leave it out")


def _written(simple: Simple, machine: Machine) -> None:
    """``echo ... > file``: some files in /sys change the path of every bio."""
    target = simple.writes_to
    if followed(target):
        written(printed(simple), target, machine.specs)
    elif re.match(r"/sys/(block|module|class/block|kernel/config)/", target):
        raise ValueError(f"writes {printed(simple)!r} to {target}, which the model does not follow")


def _configfs(command: str, machine: Machine) -> None:
    if "null_blk" in command:
        machine.specs["null_blk"] = _null_blk(command)


def _null_blk(words: str) -> DeviceSpec:
    mode = "bio" if "queue_mode=0" in words else "mq"
    return DeviceSpec("null_blk", keys={"mode": mode + "-memory" * ("memory_backed=1" in words)})


def _modprobe(simple: Simple, given: Options, machine: Machine) -> None:
    if given.words[:1] == ("null_blk",):
        machine.specs["null_blk"] = _null_blk(" ".join(given.words))
    elif given.words[:1] == ("scsi_debug",):
        raise ValueError("the disks of scsi_debug are not modelled")


def _mkfs(simple: Simple, machine: Machine) -> None:
    if simple.tool == "mkswap":
        return
    spec = mkfs_spec(simple)
    for device in spec.on:
        machine.formatted[device] = spec


def _mount(simple: Simple, given: Options, machine: Machine) -> None:
    kind, said = given.get("-t", "--types"), given.listed("-o", "--options")
    if kind in _PSEUDO or given.has("-a", "--bind", "-B", "--make-private") or "remount" in said:
        return
    source, place = given.words
    if kind in ("nfs", "nfs4") or (not kind and ":" in source and not source.startswith("/")):
        host, _, path = source.rpartition(":")
        machine.specs[place] = DeviceSpec(
            "nfs", keys={"nic": "lo", "size": DISK_SIZE, **nfs_keys(kind, said)}
        )
        if host in ("127.0.0.1", "localhost", "[::1]", "::1"):
            machine.served.append(machine.mounted_at(path))
        return
    made = machine.formatted.get(source)
    if made is None and kind in ("", "auto"):
        raise ValueError(f"no command formats {source}")
    if not source.startswith("/dev/"):  # an image
        device = _loop(machine, source, "", {})
        made = DeviceSpec(made.kind if made else kind, (device,), made.keys if made else {})
    made = made or DeviceSpec(kind, (source,))
    machine.specs[place] = DeviceSpec(
        made.kind, made.on, {**made.keys, **mount_keys(made.kind, said, made.on)}
    )


def _losetup(simple: Simple, given: Options, machine: Machine) -> None:
    if given.has(
        "-d",
        "--detach",
        "-D",
        "--detach-all",
        "-a",
        "--all",
        "-l",
        "--list",
        "-c",
        "-j",
        "--associated",
    ):
        return
    words = list(given.words)
    name = words.pop(0) if words and words[0].startswith("/dev/loop") else ""
    flag = [value for option, value in given.pairs if option == "--direct-io"]
    if not words and flag:  # a running loop device: losetup --direct-io=on /dev/loop0
        old = machine.specs[name]
        machine.specs[name] = DeviceSpec(old.kind, old.on, _direct(flag))
        return
    (file,) = words
    _loop(machine, file, name, _direct(flag))


def _direct(values: Sequence[str]) -> dict[str, Any]:
    return {"direct": True} if values and values[-1] in ("", "on") else {}


def _loop(machine: Machine, file: str, name: str, keys: Mapping[str, Any]) -> str:
    number = sum(path.startswith("/dev/loop") for path in machine.specs)
    name = name or f"/dev/loop{number}"
    holder = file if file.startswith("/dev/") else machine.mounted_at(file)
    machine.specs[name] = DeviceSpec("loop", (holder,), keys)
    machine.files[name] = file
    return name


def _swapon(simple: Simple, given: Options, machine: Machine) -> None:
    for area in given.words:
        if not area.startswith("/dev/"):
            raise ValueError("a swap file is not modelled")
        machine.swaps.append(area)


def _swapoff(simple: Simple, given: Options, machine: Machine) -> None:
    machine.swaps = (
        [] if given.has("-a") else [area for area in machine.swaps if area not in given.words]
    )


def _umount(simple: Simple, given: Options, machine: Machine) -> None:
    for place in given.words:
        machine.specs.pop(place, None)


#: tool: reader, and its options that are followed by a value
_READERS: Mapping[str, tuple[Callable[[Simple, Options, Machine], None], str]] = {
    "mount": (_mount, "-t --types -o --options -L -U"),
    "umount": (_umount, "-t -O"),
    "losetup": (
        _losetup,
        """-o --offset --sizelimit -b --sector-size -j --associated -d --detach
        -c --set-capacity""",
    ),
    "swapon": (_swapon, "-p --priority -L -U"),
    "swapoff": (_swapoff, "-L -U"),
    "modprobe": (_modprobe, ""),
}
_PSEUDO = frozenset(
    (
        "nfsd",
        "rpc_pipefs",
        "proc",
        "sysfs",
        "tmpfs",
        "devtmpfs",
        "debugfs",
        "tracefs",
        "configfs",
        "cgroup",
        "cgroup2",
        "devpts",
        "securityfs",
    )
)
#: they make no device and change no path to one
_HARMLESS = frozenset(
    (
        ":",
        "[",
        "blkdiscard",
        "blkid",
        "blockdev",
        "cat",
        "cd",
        "chmod",
        "chown",
        "cp",
        "dd",
        "depmod",
        "df",
        "drbdsetup",
        "dumpe2fs",
        "e2fsck",
        "e2label",
        "export",
        "exportfs",
        "fallocate",
        "false",
        "file",
        "findmnt",
        "fio",
        "fsck",
        "fsfreeze",
        "fstrim",
        "grep",
        "hdparm",
        "head",
        "hostname",
        "ifconfig",
        "ip",
        "iscsiadm",
        "iscsid",
        "kill",
        "ls",
        "lsblk",
        "lvdisplay",
        "lvs",
        "mkdir",
        "mknod",
        "mountpoint",
        "mv",
        "nbd-client",
        "nbd-server",
        "nfsdcld",
        "nvme",
        "parted",
        "partprobe",
        "pidof",
        "pvcreate",
        "pvs",
        "resize2fs",
        "rm",
        "rmdir",
        "rmmod",
        "rpc.idmapd",
        "rpc.mountd",
        "rpc.nfsd",
        "rpc.statd",
        "rpcbind",
        "sed",
        "seq",
        "service",
        "set",
        "sfdisk",
        "sg_inq",
        "sgdisk",
        "sleep",
        "smartctl",
        "stat",
        "swaplabel",
        "sync",
        "sysctl",
        "systemctl",
        "targetcli",
        "tee",
        "test",
        "touch",
        "true",
        "truncate",
        "tune2fs",
        "udevadm",
        "umask",
        "vgs",
        "wait",
        "wipefs",
        "xfs_admin",
        "xfs_growfs",
        "xfs_info",
        "xfs_io",
        "yes",
        "zramctl",
    )
)
