"""A config's ``[devices]``, bottom up: each key checked by its device's kind."""

from collections.abc import Mapping, Sequence
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.hints import did_you_mean
from blockstack.kinds import find_kind
from blockstack.stack.checks import find_cycle
from blockstack.stack.model import Stack


def read_devices(
    devices: Mapping[str, Any], name: str = "stack", missing: Mapping[str, str] | None = None
) -> Stack:
    """A stack from the ``[devices]`` table, whose order does not matter.

    ``missing``: what was left out of it, by name, with the reason.

    Raises
    ------
    ConfigError
        Cycles (the names on the cycle), missing devices, and whatever `Stack.add` refuses.
    """
    if not devices:
        raise ConfigError("no devices", path="devices", hint="add a [devices.NAME] table")
    wanted: dict[str, list[str]] = {}
    for device, keys in devices.items():
        path = f"devices.{device}"
        if not isinstance(keys, Mapping):
            raise ConfigError(
                "not a table",
                path=path,
                value=keys,
                hint=f"write [devices.{device}] and its keys below",
            )
        if "kind" not in keys:
            raise ConfigError("needs this key", path=f"{path}.kind", hint='such as kind = "scsi"')
        find_kind(keys["kind"], f"{path}.kind")
        wanted[device] = _lower_names(keys, path, devices)
    cycle = find_cycle(wanted)
    if cycle:
        raise ConfigError(
            "stands on itself: " + " -> ".join(cycle),
            path=f"devices.{cycle[0]}.on",
            hint="take one of these links out",
        )
    stack = Stack(name, missing)
    for device in _bottom_up(wanted):
        keys = dict(devices[device])
        stack.add(device, keys.pop("kind"), keys.pop("on", None), **_verbatim(keys, device))
    return stack


def _verbatim(keys: dict[str, Any], device: str) -> dict[str, Any]:
    for key in ("name", "self"):  # words of Stack.add's own signature
        if key in keys:
            raise ConfigError(
                "unknown key",
                path=f"devices.{device}.{key}",
                hint="the table's name is the device's name",
            )
    return keys


def _lower_names(keys: Mapping[str, Any], path: str, devices: Mapping[str, Any]) -> list[str]:
    """The names that a device stands on, each checked to be defined."""
    named: list[tuple[Any, str]] = []
    on = keys.get("on")
    if isinstance(on, list):
        named += [(one, f"{path}.on[{i}]") for i, one in enumerate(on)]
    elif on is not None:
        named.append((on, f"{path}.on"))
    if isinstance(keys.get("nic"), str):
        named.append((keys["nic"], f"{path}.nic"))
    if isinstance(keys.get("table"), list):
        named += [
            (row[2], f"{path}.table[{i}][2]")
            for i, row in enumerate(keys["table"])
            if isinstance(row, list) and len(row) > 2
        ]
    for one, where in named:
        if not isinstance(one, str):
            raise ConfigError(
                "not a device name", path=where, value=one, hint="write the name of a device"
            )
        if one not in devices:
            raise ConfigError(
                "no such device", path=where, value=one, hint=did_you_mean(one, devices, "devices")
            )
    return [one for one, _ in named]


def _bottom_up(lower_of: Mapping[str, Sequence[str]]) -> list[str]:
    """Every device after those that it stands on, else in the config's order. No cycles here."""
    order: dict[str, None] = {}
    for start in lower_of:
        todo = [(start, False)]
        while todo:
            name, below_done = todo.pop()
            if name in order:
                continue
            if below_done:
                order[name] = None
            else:
                todo.append((name, True))
                todo += [(one, False) for one in reversed(lower_of[name]) if one not in order]
    return list(order)
