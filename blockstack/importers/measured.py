"""Measured stacks: the commands that built each, read into a `Stack`.

A file of measurements (JSON) names, per stack, the shell commands that built it (``dmsetup``,
``mdadm``, ``mkfs``, ``losetup``, ``iscsiadm`` ...), what the workload ran on (``target``) and the
depth that the kernel's stack tracer reported. Nothing is run here: the commands are text.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from blockstack.errors import BlockstackError, ConfigError
from blockstack.kinds import KINDS
from blockstack.stack import Stack

_DISK = "400 MiB"
#: the guests' disks by device name, where no command makes them
_DISKS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (r"vd[a-z]\d*", "virtio-blk", {}), (r"nvme\d+n\d+", "nvme", {}), (r"ram\d+", "brd", {}),
    (r"zram\d+", "zram", {}), (r"sd[ab]", "scsi", {"driver": "virtio-scsi"}),
    (r"sdc", "scsi", {"driver": "ahci"}), (r"sdd", "scsi", {"driver": "megasas"}),
    (r"sd[e-z]", "iscsi", {"nic": "lo"}), (r"nbd\d+", "nbd", {"nic": "lo"}),
    (r"nullb\d+|gt\d+", "null_blk", {}),
    (r"missing", "virtio-blk", {}))  # mdadm's word for a failed member: never reached
_FILE_SYSTEMS = ("ext3", "ext4", "xfs", "btrfs", "f2fs", "reiser4")


@dataclass(frozen=True)
class Depth:
    """What the stack tracer reported for one pass.

    Attributes
    ----------
    max_bytes : int
    context : str
        ``syscall:fsync``, ``kthread:raid5d``, ``pagefault``; empty: not told.
    block_part_bytes : int or None
        The part below the outermost entry of the block layer.
    functions : tuple of (str, int)
        The trace, outermost first, with the tracer's bytes; may be empty.
    """

    max_bytes: int
    context: str = ""
    block_part_bytes: int | None = None
    functions: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Measured:
    """One measured stack: how it was built, and how deep it was seen.

    Attributes
    ----------
    name : str
    commands : tuple of str
    target : str or None
        Device or mount point of the workload; None: memory pressure on swap.
    block, all : Depth or None
        The pass that traced the block layer only, and the one that traced everything.
    """

    name: str
    commands: tuple[str, ...]
    target: str | None
    block: Depth | None
    all: Depth | None = None


@dataclass(frozen=True)
class Measurements:
    """One file: the kernel that was measured, and its stacks."""

    path: Path
    kernel: str
    arch: str
    meta: Mapping[str, Any]
    stacks: tuple[Measured, ...]


class _Pass(msgspec.Struct):
    max_bytes: int
    context: str | None = None
    block_part_bytes: int | None = None
    frames: list[tuple[str, int]] = []


class _Entry(msgspec.Struct):
    commands: list[str]
    target: str | None = None
    block: _Pass | None = None
    all: _Pass | None = None


class _File(msgspec.Struct):
    meta: dict[str, Any]
    stacks: dict[str, _Entry]


def load_measurements(path: Path) -> Measurements:
    """Read one file of measured stacks.

    Raises
    ------
    BlockstackError
        Unreadable, or not of this form.
    """
    try:
        data = msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, ValueError) as error:
        raise BlockstackError(f"cannot be read as measured stacks: {error}", path=str(path),
                              hint='a JSON object with "meta" and "stacks"') from error
    for key in ("kernel", "arch"):
        if not isinstance(data.meta.get(key), str):
            raise BlockstackError(f"meta lacks {key}", path=str(path))
    stacks = tuple(Measured(name, tuple(e.commands), e.target, _depth(e.block), _depth(e.all))
                   for name, e in data.stacks.items())
    return Measurements(path, data.meta["kernel"], data.meta["arch"], data.meta, stacks)


def _depth(one: _Pass | None) -> Depth | None:
    if one is None:
        return None
    return Depth(one.max_bytes, one.context or "", one.block_part_bytes,
                 tuple(reversed(one.frames)))


@dataclass(frozen=True)
class _Recipe:
    """A device that a command makes: kind, paths of what it stands on, its other keys."""

    kind: str
    on: tuple[str, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)


def stack_of(measured: Measured) -> Stack:
    """The stack that the commands build, from the workload's target down, with active swap.

    Raises
    ------
    ConfigError
        A command, a target or a kind that the registry does not have; the message names it.
    """
    recipes, swaps = _read(measured)
    builder = _Builder(Stack(measured.name), recipes)
    if measured.target is not None:
        builder.build(measured.target)
    for i, area in enumerate(swaps):
        builder.stack.add(f"swap{i}", "swap", on=builder.build(area))
    if not builder.stack.devices:
        raise ConfigError("no command makes what the workload ran on", path=measured.name)
    return builder.stack


def _read(measured: Measured) -> tuple[dict[str, _Recipe], list[str]]:
    recipes: dict[str, _Recipe] = {}
    swaps: list[str] = []
    formatted: dict[str, str] = {}
    stores: dict[str, list[str]] = {}
    for command in measured.commands:
        _note_store(command, stores)
    for number, command in enumerate(measured.commands):
        try:
            _command(command, recipes, swaps, formatted, stores)
        except (ValueError, LookupError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"cannot be understood: {error}", value=command,
                              path=f"{measured.name}.commands[{number}]") from error
    return recipes, swaps


def _note_store(command: str, stores: dict[str, list[str]]) -> None:
    """Stores of an origin's snapshots: the origin's own table does not name them."""
    match = re.match(r"echo '0 \d+ snapshot (\S+) (\S+) ", command)
    if match:
        stores.setdefault(match[1], []).append(match[2])


def _command(command: str, recipes: dict[str, _Recipe], swaps: list[str],
             formatted: dict[str, str], stores: Mapping[str, list[str]]) -> None:
    """Read one shell command; those that make no device are passed over."""
    table = re.match(r"(?:echo|printf)(?: -e)? '(.*)' \| dmsetup create (\S+)", command, re.DOTALL)
    if table:
        rows = [line.split() for line in re.split(r"\n|\\n", table[1]) if line.strip()]
        recipes[f"/dev/mapper/{table[2]}"] = _dm(rows[0], stores) if len(rows) == 1 else (
            _linear(rows))
        return
    if re.match(r"(configfs|modprobe) null_blk", command):
        mode = "bio" if "queue_mode=0" in command else "mq"
        mode += "-memory" if "memory_backed=1" in command else ""
        recipes["null_blk"] = _Recipe("null_blk", keys={"mode": mode})
        return
    words = shlex.split(command)
    reader = _READERS.get(Path(words[0]).name.partition(".")[0]) if words else None
    if reader is not None:
        reader(words, recipes, swaps, formatted)


def _mdadm(words: list[str], recipes: dict[str, _Recipe], *_: object) -> None:
    if "--create" not in words:
        return
    options = dict(w.removeprefix("--").split("=", 1) for w in words if re.match(r"--\w.*=", w))
    members = [w for w in words[words.index("--create") + 2:] if not w.startswith("-")]
    level = options["level"].removeprefix("raid")
    missing = [i for i, m in enumerate(members) if m == "missing"]
    keys: dict[str, Any] = {}
    if "chunk" in options and level != "1":
        keys["chunk"] = f"{options['chunk']} KiB"
    if options.get("bitmap", "none") != "none":
        keys["bitmap"] = "internal"
    if options.get("layout") and level == "10":
        keys["layout"] = options["layout"]
    if missing and level in ("4", "5", "6"):  # a mirror simply has fewer members
        keys["failed"] = missing
    present = tuple(m for m in members if m != "missing" or "failed" in keys)
    kind = f"md-raid{level}" if level.isdigit() else f"md-{level}"
    recipes[words[words.index("--create") + 1]] = _Recipe(kind, present, keys)


def _mkfs(words: list[str], _: object, __: object, formatted: dict[str, str]) -> None:
    kind = words[0].partition(".")[2] or (words[words.index("-t") + 1] if "-t" in words else "")
    devices = [w for w in words[1:] if w.startswith("/dev/")]
    if len(devices) > 1:
        kind = f"{kind} over several devices"
    for device in devices:
        formatted[device] = kind


def _mount(words: list[str], recipes: dict[str, _Recipe], _: object, formatted: dict[str, str]
           ) -> None:
    kind = words[words.index("-t") + 1] if "-t" in words else ""
    where = words[-1]
    device = next((w for w in words[1:] if w.startswith("/dev/")), None)
    if kind == "nfs":
        recipes[where] = _Recipe("nfs version 4" if "vers=4" in " ".join(words) else "nfs",
                                 keys={"nic": "lo", "size": _DISK})
    elif device is not None:
        place = next((w for w in reversed(words) if w.startswith("/") and w != device), where)
        recipes[place] = _Recipe(kind or formatted[device], (device,))
        if formatted.get(device, "").endswith("devices"):
            recipes[place] = _Recipe(formatted[device], (device,))


def _losetup(words: list[str], recipes: dict[str, _Recipe], *_: object) -> None:
    file = next(w for w in words[1:] if w.startswith("/") and not w.startswith("/dev/loop"))
    name = next((w for w in words[1:] if w.startswith("/dev/loop")), None)
    number = sum(path.startswith("/dev/loop") for path in recipes)
    direct = {"direct": True} if "--direct-io=on" in words else {}
    recipes[name or f"/dev/loop{number}"] = _Recipe("loop", (str(Path(file).parent),), direct)


def _swapon(words: list[str], _: object, swaps: list[str], *__: object) -> None:
    swaps.append(words[-1])


def _integritysetup(words: list[str], recipes: dict[str, _Recipe], *_: object) -> None:
    if words[1] == "open":
        device, name = [w for w in words[2:] if not w.startswith("-")][:2]
        mode = {"mode": "bitmap"} if "--integrity-bitmap-mode" in words else {}
        recipes[f"/dev/mapper/{name}"] = _Recipe("dm-integrity", (device,), mode)


def _cryptsetup(words: list[str], recipes: dict[str, _Recipe], *_: object) -> None:
    if "open" in words or "luksOpen" in words or "plainOpen" in words:
        action = next(i for i, w in enumerate(words) if w in ("open", "luksOpen", "plainOpen"))
        device, name = [w for w in words[action + 1:] if not w.startswith("-")][:2]
        flags = [w.removeprefix("--perf-") for w in words]
        recipes[f"/dev/mapper/{name}"] = _Recipe("dm-crypt", (device,),
                                                 {"workqueue": _workqueue(flags)})


def _bcache(words: list[str], recipes: dict[str, _Recipe], *_: object) -> None:
    devices = [words[words.index(option) + 1] for option in ("-C", "-B") if option in words]
    recipes["/dev/bcache0"] = _Recipe("bcache", tuple(devices))


def _drbd(_: list[str], recipes: dict[str, _Recipe], *__: object) -> None:
    recipes["/dev/drbd0"] = _Recipe("drbd", ("/dev/vdb",))


_READERS: Mapping[str, Callable[..., None]] = {
    "mdadm": _mdadm, "mkfs": _mkfs, "mount": _mount, "losetup": _losetup, "swapon": _swapon,
    "integritysetup": _integritysetup, "make-bcache": _bcache, "drbdadm": _drbd,
    "cryptsetup": _cryptsetup}


def _workqueue(flags: Sequence[str]) -> str:
    """dm-crypt's sides that still use kcryptd."""
    sides = [side for side in ("read", "write") if f"no_{side}_workqueue" not in flags]
    return "+".join(sides) or "none"


def _linear(rows: list[list[str]]) -> _Recipe:
    """A table of several lines, which must all be linear."""
    if any(row[2] != "linear" for row in rows):
        raise ValueError("a table of several lines that are not all linear")
    table = [[int(r[0]), int(r[1]), r[3], int(r[4])] for r in rows]
    return _Recipe("dm-linear", tuple(dict.fromkeys(r[3] for r in rows)), {"table": table})


def _dm(table: list[str], stores: Mapping[str, list[str]]) -> _Recipe:
    """One line of a device mapper table: start, length, target, arguments."""
    length, target, args = table[1], table[2], table[3:]
    size = {"size": f"{int(length) * 512} B"}
    devices = tuple(a for a in args if a.startswith("/dev/"))
    if target == "striped":
        return _Recipe("dm-striped", devices, {"chunk": f"{int(args[1]) * 512} B"})
    # "copied": chunks are written more than once, so that some are copied by then
    if target == "snapshot-origin":
        return _Recipe("dm-snapshot-origin", (args[0], *stores.get(args[0], ())),
                       {"chunk": "8 KiB", "copied": 0.5})
    if target == "snapshot":
        return _Recipe("dm-snapshot", devices, {"chunk": f"{int(args[3]) * 512} B",
                                                 "copied": 0.5})
    if target == "crypt":
        return _Recipe("dm-crypt", devices, {"workqueue": _workqueue(args)})
    if target == "multipath":
        rq = " ".join(args[:4]).find("queue_mode bio") < 0
        return _Recipe("dm-multipath, request-based" if rq else "dm-multipath", devices[:1])
    if target == "raid":
        members = tuple(d for d in devices if d != "-")
        return _Recipe(f"dm-{args[0]}", members)
    if target == "thin-pool":
        return _Recipe("dm-thin-pool", (args[1],))
    if target == "thin":
        return _Recipe("dm-thin", (args[0],), {"blocks": "unmapped"})
    if target == "linear":
        return _Recipe("dm-linear", devices, {"table": [[0, int(length), args[0], int(args[1])]]})
    return _Recipe(f"dm-{target}", devices, {} if target in ("mirror", "delay") else size)


@dataclass
class _Builder:
    """Adds devices to a stack, what they stand on first."""

    stack: Stack
    recipes: Mapping[str, _Recipe]
    names: dict[str, str] = field(default_factory=dict)

    def build(self, path: str) -> str:
        """The name in the stack of the device or mount point ``path``."""
        if path not in self.names:
            self.names[path] = self._add(path, self._recipe(path))
        return self.names[path]

    def _recipe(self, path: str) -> _Recipe:
        if path in self.recipes:
            return self.recipes[path]
        name = Path(path).name
        for pattern, kind, keys in _DISKS:
            if re.fullmatch(pattern, name):
                made = self.recipes.get(kind)
                return _Recipe(kind, (), {"size": _DISK, **keys, **(made.keys if made else {})})
        raise ConfigError("no command makes this device", path="commands", value=path)

    def _add(self, path: str, recipe: _Recipe) -> str:
        if recipe.kind not in KINDS:
            raise ConfigError(f"no kind in the registry for {recipe.kind}", path=path)
        keys = dict(recipe.keys)
        if keys.get("nic") == "lo" and "lo" not in self.stack.devices:
            self.stack.add("lo", "nic", driver="loopback")
        on = [self.build(one) for one in recipe.on]
        name = Path(path).name or "root"
        if name in self.stack.devices:
            name = path.strip("/").replace("/", "-")
        if "table" in keys:
            keys["table"] = [[*row[:2], self.build(row[2]), row[3]] for row in keys["table"]]
            self.stack.add(name, recipe.kind, **keys)
        else:
            self.stack.add(name, recipe.kind, on=on or None, **keys)
        return name
