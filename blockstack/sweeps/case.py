"""A point's case: settings applied to a config's table."""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.base.hints import did_you_mean
from blockstack.scenario.config import Config, config_from_dict
from blockstack.sweeps.axes import LOAD_KEYS, MEMBERS

#: one of them says how large bios are; it takes the place of the config's
_SIZES = ("bs", "bsrange", "bssplit")
_DEFAULT_LOAD = {"iodepth": 1, "numjobs": 1}


@dataclass(frozen=True)
class Case:
    """One point, ready to be measured.

    Attributes
    ----------
    table : mapping
        The config's table with the point's settings.
    load : mapping
        Keywords of `blockstack.capacity`.
    """

    table: Mapping[str, Any]
    load: Mapping[str, Any]

    def config(self) -> Config:
        """The case as a config.

        Raises
        ------
        ConfigError
            The point cannot be.
        """
        return config_from_dict(self.table, source=str(self.table.get("name", "")))


def case_of(
    base: Mapping[str, Any], settings: Mapping[str, Any], names: Mapping[str, tuple[str, ...]]
) -> Case:
    """The base with a point's settings.

    Parameters
    ----------
    base : mapping
        A config's table.
    settings : mapping of key to value
    names : mapping of key to tuple of str
        Of ``members.`` axes, the devices in the order in which they are added.

    Raises
    ------
    ConfigError
        A key inside something that is no table, a device that is not there.
    """
    table: dict[str, Any] = copy.deepcopy(dict(base))
    load = dict(_DEFAULT_LOAD)
    for key, value in settings.items():
        if key in LOAD_KEYS:
            load[key] = value
        elif key.startswith(MEMBERS):
            _set_members(table, key.removeprefix(MEMBERS), names[key][:value], names[key])
        else:
            _set(table, key, value)
    return Case(table, load)


def _set(table: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    inner: Any = table
    for i, word in enumerate(path):
        inner = inner.setdefault(word, {})
        if not isinstance(inner, dict):
            raise ConfigError("is no table", path=".".join(path[: i + 1]), value=inner)
        if word == "devices" and i == 0 and len(path) > 1 and path[1] not in inner:
            raise ConfigError(
                "no such device",
                path=key,
                value=path[1],
                hint=did_you_mean(path[1], inner, "devices"),
            )
    inner[last] = copy.deepcopy(value)
    if path == ["workload"] and last in _SIZES:
        for other in set(_SIZES) - {last}:
            inner.pop(other, None)


def _set_members(
    table: dict[str, Any], device: str, members: Collection[str], names: Collection[str]
) -> None:
    """``device`` on ``members``; a new one is like the first, one that nobody needs goes."""
    devices = table.get("devices", {})
    if device not in devices:
        raise ConfigError(
            "no such device", path=MEMBERS + device, hint=did_you_mean(device, devices, "devices")
        )
    like = next((devices[name] for name in names if name in devices), None)
    if like is None:
        raise ConfigError(
            "none of the members is a device", path=MEMBERS + device, value=", ".join(names)
        )
    added = {name: copy.deepcopy(like) for name in members if name not in devices}
    devices[device]["on"] = list(members)
    used = {name for one in devices.values() for name in _lower(one.get("on"))}
    kept = {
        name: one
        for name, one in devices.items()
        if name not in names or name in members or name in used
    }
    table["devices"] = added | kept


def _lower(on: Any) -> list[str]:
    return [on] if isinstance(on, str) else [one for one in on or () if isinstance(one, str)]


def blamed(
    base: Mapping[str, Any],
    settings: Mapping[str, Any],
    names: Mapping[str, tuple[str, ...]],
    error: BlockstackError,
) -> str:
    """The axis and value whose fault an impossible point is; of several, the whole point."""
    for key, value in settings.items():
        try:
            case_of(base, {key: value}, names).config()
        except BlockstackError as alone:
            if alone.message == error.message:
                return f"{key}={value}"
    return ", ".join(f"{key}={value}" for key, value in settings.items())
