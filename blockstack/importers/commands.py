"""Shell commands that build devices (``dmsetup``, ``mdadm``, ``mkfs``, ``losetup`` ...), as text.

Nothing is run here. Commands that make no device are passed over.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from blockstack.errors import ConfigError
from blockstack.importers.dm_table import Recipe, kcryptd_sides, linear_recipe, target_recipe

DISK_SIZE = "400 MiB"


def read_commands(name: str, commands: Sequence[str]) -> tuple[dict[str, Recipe], list[str]]:
    """Devices by path, and the areas that are swapped on.

    Parameters
    ----------
    name : str
        What the commands build; named in errors.
    commands : sequence of str

    Raises
    ------
    ConfigError
        A command of a known tool that cannot be understood.
    """
    recipes: dict[str, Recipe] = {}
    swaps: list[str] = []
    formatted: dict[str, str] = {}
    stores: dict[str, list[str]] = {}
    for command in commands:
        _note_store(command, stores)
    for number, command in enumerate(commands):
        try:
            _command(command, recipes, swaps, formatted, stores)
        except (ValueError, LookupError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"cannot be understood: {error}", value=command,
                              path=f"{name}.commands[{number}]") from error
    return recipes, swaps


def _note_store(command: str, stores: dict[str, list[str]]) -> None:
    """Stores of an origin's snapshots: the origin's own table does not name them."""
    match = re.match(r"echo '0 \d+ snapshot (\S+) (\S+) ", command)
    if match:
        stores.setdefault(match[1], []).append(match[2])


def _command(command: str, recipes: dict[str, Recipe], swaps: list[str],
             formatted: dict[str, str], stores: Mapping[str, list[str]]) -> None:
    """Read one shell command; those that make no device are passed over."""
    table = re.match(r"(?:echo|printf)(?: -e)? '(.*)' \| dmsetup create (\S+)", command, re.DOTALL)
    if table:
        rows = [line.split() for line in re.split(r"\n|\\n", table[1]) if line.strip()]
        recipes[f"/dev/mapper/{table[2]}"] = target_recipe(rows[0], stores) if len(rows) == 1 else (
            linear_recipe(rows))
        return
    if re.match(r"(configfs|modprobe) null_blk", command):
        mode = "bio" if "queue_mode=0" in command else "mq"
        mode += "-memory" if "memory_backed=1" in command else ""
        recipes["null_blk"] = Recipe("null_blk", keys={"mode": mode})
        return
    words = shlex.split(command)
    reader = _READERS.get(Path(words[0]).name.partition(".")[0]) if words else None
    if reader is not None:
        reader(words, recipes, swaps, formatted)


def _mdadm(words: list[str], recipes: dict[str, Recipe], *_: object) -> None:
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
    recipes[words[words.index("--create") + 1]] = Recipe(kind, present, keys)


def _mkfs(words: list[str], _: object, __: object, formatted: dict[str, str]) -> None:
    kind = words[0].partition(".")[2] or (words[words.index("-t") + 1] if "-t" in words else "")
    devices = [w for w in words[1:] if w.startswith("/dev/")]
    if len(devices) > 1:
        kind = f"{kind} over several devices"
    for device in devices:
        formatted[device] = kind


def _mount(words: list[str], recipes: dict[str, Recipe], _: object, formatted: dict[str, str]
           ) -> None:
    kind = words[words.index("-t") + 1] if "-t" in words else ""
    where = words[-1]
    device = next((w for w in words[1:] if w.startswith("/dev/")), None)
    if kind == "nfs":
        recipes[where] = Recipe("nfs version 4" if "vers=4" in " ".join(words) else "nfs",
                                 keys={"nic": "lo", "size": DISK_SIZE})
    elif device is not None:
        place = next((w for w in reversed(words) if w.startswith("/") and w != device), where)
        recipes[place] = Recipe(kind or formatted[device], (device,))
        if formatted.get(device, "").endswith("devices"):
            recipes[place] = Recipe(formatted[device], (device,))


def _losetup(words: list[str], recipes: dict[str, Recipe], *_: object) -> None:
    file = next(w for w in words[1:] if w.startswith("/") and not w.startswith("/dev/loop"))
    name = next((w for w in words[1:] if w.startswith("/dev/loop")), None)
    number = sum(path.startswith("/dev/loop") for path in recipes)
    direct = {"direct": True} if "--direct-io=on" in words else {}
    recipes[name or f"/dev/loop{number}"] = Recipe("loop", (str(Path(file).parent),), direct)


def _swapon(words: list[str], _: object, swaps: list[str], *__: object) -> None:
    swaps.append(words[-1])


def _integritysetup(words: list[str], recipes: dict[str, Recipe], *_: object) -> None:
    if words[1] == "open":
        device, name = [w for w in words[2:] if not w.startswith("-")][:2]
        mode = {"mode": "bitmap"} if "--integrity-bitmap-mode" in words else {}
        recipes[f"/dev/mapper/{name}"] = Recipe("dm-integrity", (device,), mode)


def _cryptsetup(words: list[str], recipes: dict[str, Recipe], *_: object) -> None:
    if "open" in words or "luksOpen" in words or "plainOpen" in words:
        action = next(i for i, w in enumerate(words) if w in ("open", "luksOpen", "plainOpen"))
        device, name = [w for w in words[action + 1:] if not w.startswith("-")][:2]
        flags = [w.removeprefix("--perf-") for w in words]
        recipes[f"/dev/mapper/{name}"] = Recipe("dm-crypt", (device,),
                                                 {"workqueue": kcryptd_sides(flags)})


def _bcache(words: list[str], recipes: dict[str, Recipe], *_: object) -> None:
    devices = [words[words.index(option) + 1] for option in ("-B", "-C") if option in words]
    recipes["/dev/bcache0"] = Recipe("bcache", tuple(devices), {
        "mode": "writeback" if "--writeback" in words else "writethrough"})


def _drbd(_: list[str], recipes: dict[str, Recipe], *__: object) -> None:
    recipes["/dev/drbd0"] = Recipe("drbd", ("/dev/vdb",))


_READERS: Mapping[str, Callable[..., None]] = {
    "mdadm": _mdadm, "mkfs": _mkfs, "mount": _mount, "losetup": _losetup, "swapon": _swapon,
    "integritysetup": _integritysetup, "make-bcache": _bcache, "drbdadm": _drbd,
    "cryptsetup": _cryptsetup}
