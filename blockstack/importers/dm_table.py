"""Device mapper tables, as ``dmsetup`` takes and prints them, to what blockstack calls a device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """A device that a command makes: kind, paths of what it stands on, its other keys."""

    kind: str
    on: tuple[str, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)


def kcryptd_sides(flags: Sequence[str]) -> str:
    """dm-crypt's sides that still use kcryptd."""
    sides = [side for side in ("read", "write") if f"no_{side}_workqueue" not in flags]
    return "+".join(sides) or "none"


def linear_recipe(rows: list[list[str]]) -> Recipe:
    """A table of several lines, which must all be linear."""
    if any(row[2] != "linear" for row in rows):
        raise ValueError("a table of several lines that are not all linear")
    table = [[int(r[0]), int(r[1]), r[3], int(r[4])] for r in rows]
    return Recipe("dm-linear", tuple(dict.fromkeys(r[3] for r in rows)), {"table": table})


def target_recipe(table: list[str], stores: Mapping[str, list[str]]) -> Recipe:
    """One line of a device mapper table: start, length, target, arguments."""
    length, target, args = table[1], table[2], table[3:]
    size = {"size": f"{int(length) * 512} B"}
    devices = tuple(a for a in args if a.startswith("/dev/"))
    if target == "striped":
        return Recipe("dm-striped", devices, {"chunk": f"{int(args[1]) * 512} B"})
    # "copied": chunks are written more than once, so that some are copied by then
    if target == "snapshot-origin":
        return Recipe("dm-snapshot-origin", (args[0], *stores.get(args[0], ())),
                       {"chunk": "8 KiB", "copied": 0.5})
    if target == "snapshot":
        return Recipe("dm-snapshot", devices, {"chunk": f"{int(args[3]) * 512} B",
                                                 "copied": 0.5})
    if target == "crypt":
        return Recipe("dm-crypt", devices, {"workqueue": kcryptd_sides(args)})
    if target == "multipath":
        rq = " ".join(args[:4]).find("queue_mode bio") < 0
        return Recipe("dm-multipath", devices, {"queue_mode": "rq" if rq else "bio"})
    if target == "raid":
        members = tuple(d for d in devices if d != "-")
        return Recipe(f"dm-{args[0]}", members)
    if target == "thin-pool":
        return Recipe("dm-thin-pool", (args[1],))
    if target == "thin":
        return Recipe("dm-thin", (args[0],), {"blocks": "unmapped"})
    if target == "linear":
        return Recipe("dm-linear", devices, {"table": [[0, int(length), args[0], int(args[1])]]})
    return Recipe(f"dm-{target}", devices, {} if target in ("mirror", "delay") else size)
