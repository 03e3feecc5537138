"""Device mapper tables, as ``dmsetup`` takes and prints them, to what blockstack calls a device.

The arguments are those of Documentation/admin-guide/device-mapper (6.1).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any


class NotModelled(ValueError):
    """A table that is read, and asks for what the model does not have."""


@dataclass(frozen=True)
class DeviceSpec:
    """A device that a command makes: kind, paths of what it stands on, its other keys."""

    kind: str
    on: tuple[str, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)


Stores = Mapping[str, list[str]]


class Arguments:
    """A target's arguments, taken from the front."""

    def __init__(self, target: str, words: Sequence[str]):
        self.target, self.words = target, list(words)

    def word(self, what: str) -> str:
        """The next argument.

        Raises
        ------
        ValueError
            There is none; the message says what it would be.
        """
        if not self.words:
            raise ValueError(f"{self.target}: {what} is missing")
        return self.words.pop(0)

    def number(self, what: str) -> int:
        """The next argument, a whole number."""
        word = self.word(what)
        if not re.fullmatch(r"\d{1,19}", word):
            raise ValueError(f"{self.target}: {what} must be a whole number, not {word!r}")
        return int(word)

    def counted(self, what: str) -> list[str]:
        """A number, and as many arguments: features, a path selector's arguments."""
        return [self.word(what) for _ in range(self.number(f"the number of {what}s"))]

    def devices(self, count: int) -> tuple[str, ...]:
        """``count`` pairs of device and offset. Offsets change no path."""
        found = []
        for _ in range(count):
            found.append(self.word("a device"))
            self.number("an offset")
        return tuple(found)

    def refuse(self, feature: str) -> ValueError:
        """An error for what the model does not follow."""
        return NotModelled(f"{self.target}: {feature} is not modelled")


def kcryptd_sides(flags: Sequence[str]) -> str:
    """dm-crypt's sides that still use kcryptd."""
    sides = [side for side in ("read", "write") if f"no_{side}_workqueue" not in flags]
    return "+".join(sides) or "none"


def linear_spec(rows: list[list[str]]) -> DeviceSpec:
    """A table of several lines, which must all be linear."""
    other = sorted({row[2] if len(row) > 2 else "?" for row in rows} - {"linear"})
    if other:
        raise ValueError(
            "a table of several lines that are not all linear: it also has " + ", ".join(other)
        )
    table = [[int(r[0]), int(r[1]), r[3], int(r[4])] for r in rows]
    return DeviceSpec("dm-linear", tuple(dict.fromkeys(r[3] for r in rows)), {"table": table})


def target_spec(table: list[str], stores: Stores) -> DeviceSpec:
    """One line of a device mapper table: start, length, target, arguments.

    Raises
    ------
    ValueError
        Arguments that the target does not take, or that the model does not follow.
    """
    if len(table) < 3:
        raise ValueError("a table's line is: start, length, target, arguments")
    start, length, target = table[:3]
    if start != "0" or not re.fullmatch(r"\d{1,19}", length):
        raise ValueError(f"a table begins at 0 and has a length: not {start} {length}")
    reader = _TARGETS.get(target)
    args = Arguments(target, table[3:])
    if reader is None:  # the registry may know the word, else it is refused there
        return DeviceSpec(f"dm-{target}", tuple(a for a in args.words if a.startswith("/dev/")))
    return reader(args, int(length), stores)


def _size(length: int) -> dict[str, str]:
    return {"size": f"{length * 512} B"}


def _linear(args: Arguments, length: int, _: Stores) -> DeviceSpec:
    device, offset = args.word("a device"), args.number("an offset")
    return DeviceSpec("dm-linear", (device,), {"table": [[0, length, device, offset]]})


def _striped(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    width, chunk = args.number("the number of stripes"), args.number("the chunk")
    return DeviceSpec("dm-striped", args.devices(width), {"chunk": f"{chunk * 512} B"})


def _mirror(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    log = args.word("the log")
    if log != "core":
        raise args.refuse(f"a log of type {log} (the region log is kept in memory)")
    args.counted("log argument")
    return DeviceSpec("dm-mirror", args.devices(args.number("the number of mirrors")))


# "copied": chunks are written more than once, so that some are copied by then
def _origin(args: Arguments, _: int, stores: Stores) -> DeviceSpec:
    origin = args.word("the origin")
    return DeviceSpec(
        "dm-snapshot-origin", (origin, *stores.get(origin, ())), {"chunk": "8 KiB", "copied": 0.5}
    )


def _snapshot(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    devices = (args.word("the origin"), args.word("the store"))
    if args.word("P or N")[0].upper() != "P":
        raise args.refuse("a store that is not persistent")
    chunk = args.number("the chunk")
    return DeviceSpec("dm-snapshot", devices, {"chunk": f"{chunk * 512} B", "copied": 0.5})


def _crypt(args: Arguments, length: int, _: Stores) -> DeviceSpec:
    args.word("the cipher"), args.word("the key"), args.word("the IV's offset")
    device = args.word("a device")
    args.number("an offset")
    options = args.counted("option") if args.words else []
    if any(option.startswith("integrity:") for option in options):
        raise args.refuse("authenticated encryption")
    return DeviceSpec("dm-crypt", (device,), {"workqueue": kcryptd_sides(options)})


def _multipath(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    features = args.counted("feature")
    mode = dict(pairwise(features)).get("queue_mode", "rq")
    args.counted("hardware handler argument")
    groups, _first = args.number("the number of groups"), args.number("the first group")
    paths: list[str] = []
    for _group in range(groups):
        args.word("a path selector")
        args.counted("selector argument")
        count, width = args.number("the number of paths"), args.number("arguments per path")
        for _path in range(count):
            paths.append(args.word("a path"))
            for _argument in range(width):
                args.word("a path's argument")
    if not paths:
        raise args.refuse("a device without paths")
    return DeviceSpec("dm-multipath", tuple(paths), {"queue_mode": {"mq": "rq"}.get(mode, mode)})


def _raid(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    word = args.word("the level")
    level = re.match(r"raid(0|10|1|4|5|6)(_|\Z)", word)
    if level is None:
        raise args.refuse(f"level {word}")
    params = args.counted("parameter")
    for feature in (
        "journal_dev",
        "data_offset",
        "delta_disks",
        "write_mostly",
        "max_write_behind",
    ):
        if feature in params:
            raise args.refuse(feature)
    pairs = [
        (args.word("a metadata device"), args.word("a device"))
        for _pair in range(args.number("the number of devices"))
    ]
    keys: dict[str, Any] = {}
    if level[1] != "1" and params[:1] > ["0"]:
        keys["chunk"] = f"{int(params[0]) * 512} B"
    missing = [i for i, (_meta, device) in enumerate(pairs) if device == "-"]
    if missing and level[1] in "456":  # a mirror simply has fewer members
        keys["failed"] = missing
    elif level[1] == "10":
        copies = params[params.index("raid10_copies") + 1] if "raid10_copies" in params else "2"
        layout = params[params.index("raid10_format") + 1] if "raid10_format" in params else "near"
        keys["layout"] = f"{layout[0]}{copies}"
    if level[1] != "0":  # the bitmap lies on the metadata devices
        with_bitmap = any(meta != "-" for meta, _device in pairs)
        keys["bitmap"] = "internal" if with_bitmap else "none"
    devices = [device if device != "-" else "missing" for _meta, device in pairs]
    return DeviceSpec(
        f"dm-raid{level[1]}", tuple(d for d in devices if d != "missing" or "failed" in keys), keys
    )


def _thin_pool(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    metadata, data = args.word("the metadata device"), args.word("the data device")
    return DeviceSpec("dm-thin-pool", (data, metadata))


def _thin(args: Arguments, length: int, _: Stores) -> DeviceSpec:
    pool = args.word("the pool")
    args.number("the device's number")
    if args.words:
        raise args.refuse("an external origin")
    return DeviceSpec("dm-thin", (pool,), {"blocks": "unmapped"})


def _writecache(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    if args.word("p or s") != "s":
        raise args.refuse("a cache in persistent memory")
    devices = (args.word("the origin"), args.word("the cache"))
    return DeviceSpec("dm-writecache", devices, {"block": f"{args.number('the block size')} B"})


def _cache(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    metadata, cache, origin = (
        args.word(f"the {what} device") for what in ("metadata", "cache", "origin")
    )
    block = args.number("the block size")
    features = args.counted("feature")
    if "passthrough" in features:
        raise args.refuse("passthrough mode")
    return DeviceSpec(
        "dm-cache",
        (origin, cache, metadata),
        {
            "block": f"{block * 512} B",
            "mode": "writeback" if "writeback" in features else "writethrough",
        },
    )


def _integrity(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    device = args.word("a device")
    args.number("the reserved sectors"), args.word("the tag size")
    mode = args.word("the mode")
    options = args.counted("option") if args.words else []
    if not any(option.startswith("internal_hash:") for option in options):
        raise args.refuse("a target without internal_hash (below dm-crypt)")
    if any(option.startswith("meta_device:") for option in options):
        raise args.refuse("a separate metadata device")
    if mode not in _INTEGRITY_MODES:
        raise args.refuse(f"mode {mode}")
    return DeviceSpec("dm-integrity", (device,), {"mode": _INTEGRITY_MODES[mode]})


def _delay(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    devices = [args.word("a device")]
    args.number("an offset"), args.number("the delay")
    while args.words:
        devices.append(args.word("a device"))
        args.number("an offset"), args.number("the delay")
    if len(set(devices)) > 1:
        raise args.refuse("a delay with different devices for reads, writes and flushes")
    return DeviceSpec("dm-delay", (devices[0],))


def _verity(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    args.word("the version")
    devices = (args.word("the data device"), args.word("the hash device"))
    if "use_fec_from_device" in args.words:
        raise args.refuse("forward error correction")
    return DeviceSpec("dm-verity", tuple(dict.fromkeys(devices)))


def _switch(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    count = args.number("the number of paths")
    args.number("the region size"), args.counted("option")
    return DeviceSpec("dm-switch", args.devices(count))


def _first_device(args: Arguments, _: int, __: Stores) -> DeviceSpec:
    return DeviceSpec(f"dm-{args.target}", (args.word("a device"),))


def _nothing(args: Arguments, length: int, _: Stores) -> DeviceSpec:
    return DeviceSpec(f"dm-{args.target}", (), _size(length))


_INTEGRITY_MODES = {"J": "journal", "B": "bitmap", "D": "direct"}
_TARGETS: Mapping[str, Callable[[Arguments, int, Stores], DeviceSpec]] = {
    "linear": _linear,
    "striped": _striped,
    "mirror": _mirror,
    "snapshot-origin": _origin,
    "snapshot": _snapshot,
    "crypt": _crypt,
    "multipath": _multipath,
    "raid": _raid,
    "thin-pool": _thin_pool,
    "thin": _thin,
    "writecache": _writecache,
    "cache": _cache,
    "integrity": _integrity,
    "delay": _delay,
    "verity": _verity,
    "switch": _switch,
    "flakey": _first_device,
    "zero": _nothing,
}
