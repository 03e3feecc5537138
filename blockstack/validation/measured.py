"""Measured stacks: the commands that built each, read into a `Stack`.

A file of measurements (JSON) names, per stack, the shell commands that built it (``dmsetup``,
``mdadm``, ``mkfs``, ``losetup``, ``iscsiadm`` ...), what the workload ran on (``target``) and the
depth that the kernel's stack tracer reported. Nothing is run here: the commands are text.
"""

import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from blockstack.base.environment import BARE, Environment
from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.commands.dm_table import DeviceSpec
from blockstack.commands.parse import DISK_SIZE, read_commands
from blockstack.kinds import KINDS
from blockstack.stack import Stack

#: the guests' disks by device name, where no command makes them
_DISKS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (r"vd[a-z]\d*", "virtio-blk", {}),
    (r"nvme\d+n\d+", "nvme", {}),
    (r"ram\d+", "brd", {}),
    (r"zram\d+", "zram", {}),
    (r"sd[ab]", "scsi", {"driver": "virtio-scsi"}),
    (r"sdc", "scsi", {"driver": "ahci"}),
    (r"sdd", "scsi", {"driver": "megasas"}),
    (r"sd[e-z]", "iscsi", {"nic": "lo"}),
    (r"nbd\d+", "nbd", {"nic": "lo"}),
    (r"nullb\d+|gt\d+", "null_blk", {}),
    (r"missing", "virtio-blk", {}),
)  # mdadm's word for a failed member: never reached


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
        The call chain, outermost first, with the tracer's bytes; may be empty.
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
    """One file: the kernel that was measured, its stacks, and the machine (`meta.environment`;
    what it does not say is as in bench/guest: no IOMMU, nothing cached, nothing synced)."""

    path: Path
    kernel: str
    arch: str
    meta: Mapping[str, Any]
    stacks: tuple[Measured, ...]
    environment: Environment = BARE

    @property
    def name(self) -> str:
        """The file's name without its endings."""
        return self.path.name.removesuffix(".gz").removesuffix(".json")


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
    """Read one file of measured stacks: ``*.json``, or gzip'ed.

    Raises
    ------
    BlockstackError
        Unreadable, or not of this form.
    """
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        data = msgspec.json.decode(text, type=_File)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise BlockstackError(
            f"cannot be read as measured stacks: {error}",
            path=str(path),
            hint='a JSON object with "meta" and "stacks"',
        ) from error
    for key in ("kernel", "arch"):
        if not isinstance(data.meta.get(key), str):
            raise BlockstackError(f"meta lacks {key}", path=str(path))
    for name, entry in data.stacks.items():
        _sound(path, name, entry)
    stacks = tuple(
        Measured(name, tuple(e.commands), e.target, _depth(e.block), _depth(e.all))
        for name, e in data.stacks.items()
    )
    return Measurements(
        path,
        data.meta["kernel"],
        data.meta["arch"],
        data.meta,
        stacks,
        _environment(path, data.meta),
    )


def _environment(path: Path, meta: Mapping[str, Any]) -> Environment:
    """On which machine and files a set was measured.

    Raises
    ------
    ConfigError
        A key or a value that there is not: it contradicts what can be measured.
    """
    said = meta.get("environment", {})
    if not isinstance(said, Mapping):
        raise ConfigError("not a table", path=f"{path}: meta.environment", value=said)
    try:
        return Environment.from_dict(said, "meta.environment", BARE)
    except BlockstackError as error:
        raise error.under(str(path)) from error


def _sound(path: Path, name: str, entry: _Entry) -> None:
    """A depth is a positive number of bytes."""
    for word, one in (("block", entry.block), ("all", entry.all)):
        if one is not None and one.max_bytes <= 0:
            raise BlockstackError(
                "a measured depth is a positive number of bytes",
                path=f"{path}: stacks.{name}.{word}.max_bytes",
                value=one.max_bytes,
            )


def _depth(one: _Pass | None) -> Depth | None:
    if one is None:
        return None
    return Depth(
        one.max_bytes, one.context or "", one.block_part_bytes, tuple(reversed(one.frames))
    )


def stack_of(measured: Measured) -> Stack:
    """The stack that the commands build, from the workload's target down, with active swap.

    Raises
    ------
    ConfigError
        A command, a target or a kind that the registry does not have; the message names it.
    """
    machine = read_commands(measured.name, measured.commands)
    builder = _Builder(Stack(measured.name), machine.specs)
    if measured.target is not None:
        builder.build(measured.target)
    for exported in dict.fromkeys(machine.served):
        name = builder.build(exported)
        builder.stack.add(
            f"nfsd-{name}",
            "nfsd",
            on=name,
            nic="lo",
            version=machine.specs[measured.target or ""].keys.get("version", 3),
        )
    for i, area in enumerate(machine.swaps):
        builder.stack.add(f"swap{i}", "swap", on=builder.build(area))
    if not builder.stack.devices:
        raise ConfigError("no command makes what the workload ran on", path=measured.name)
    return builder.stack


@dataclass
class _Builder:
    """Adds devices to a stack, what they stand on first."""

    stack: Stack
    specs: Mapping[str, DeviceSpec]
    names: dict[str, str] = field(default_factory=dict)

    def build(self, path: str) -> str:
        """The name in the stack of the device or mount point ``path``."""
        if path not in self.names:
            self.names[path] = self._add(path, self._spec(path))
        return self.names[path]

    def _spec(self, path: str) -> DeviceSpec:
        if path in self.specs:
            return self.specs[path]
        name = Path(path).name
        for pattern, kind, keys in _DISKS:
            if re.fullmatch(pattern, name):
                made = self.specs.get(kind)
                return DeviceSpec(
                    kind, (), {"size": DISK_SIZE, **keys, **(made.keys if made else {})}
                )
        raise ConfigError("no command makes this device", path="commands", value=path)

    def _add(self, path: str, spec: DeviceSpec) -> str:
        if spec.kind not in KINDS:
            raise ConfigError(f"no kind in the registry for {spec.kind}", path=path)
        keys = dict(spec.keys)
        if keys.get("nic") == "lo" and "lo" not in self.stack.devices:
            self.stack.add("lo", "nic", driver="loopback")
        on = [self.build(one) for one in spec.on]
        name = Path(path).name or "root"
        if name in self.stack.devices:
            name = path.strip("/").replace("/", "-")
        if "table" in keys:
            keys["table"] = [[*row[:2], self.build(row[2]), row[3]] for row in keys["table"]]
            self.stack.add(name, spec.kind, **keys)
        else:
            self.stack.add(name, spec.kind, on=on or None, **keys)
        return name
