"""Shell commands that build devices (``dmsetup``, ``mdadm``, ``mkfs``, ``losetup`` ...), as text.

Nothing is run here. Commands that make no device are passed over.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from blockstack.errors import ConfigError
from blockstack.importers.dm_table import Recipe
from blockstack.importers.shell import options, printed, simple_commands
from blockstack.importers.storage_commands import STORAGE_READERS, written

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
    for origin, store in re.findall(r"\b0 \d+ snapshot (\S+) (\S+) ", command):
        stores.setdefault(origin, []).append(store)


def _command(command: str, recipes: dict[str, Recipe], swaps: list[str],
             formatted: dict[str, str], stores: Mapping[str, list[str]]) -> None:
    """Read one shell command; those that make no device are passed over."""
    if re.match(r"(configfs|modprobe) null_blk", command):
        mode = "bio" if "queue_mode=0" in command else "mq"
        mode += "-memory" if "memory_backed=1" in command else ""
        recipes["null_blk"] = Recipe("null_blk", keys={"mode": mode})
        return
    if command.startswith("configfs "):
        return
    for simple in simple_commands(command):
        storage = STORAGE_READERS.get(simple.tool)
        reader = _READERS.get(simple.tool.partition(".")[0])
        if simple.tool in ("echo", "printf"):
            written(printed(simple), simple.writes_to, recipes)
        elif storage is not None:
            storage[0](simple, options(simple.words, storage[1].split()), recipes, stores)
        elif reader is not None:
            reader([simple.tool, *simple.words], recipes, swaps, formatted)


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


_READERS: Mapping[str, Callable[..., None]] = {
    "mkfs": _mkfs, "mount": _mount, "losetup": _losetup, "swapon": _swapon}
