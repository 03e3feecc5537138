"""What if: single keys of a config set or taken away, as ``devices.eth0.rtt=1 ms``."""

import copy
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from blockstack.base.errors import ConfigError


def changed(table: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """A copy of a config's table with changes made in their order.

    Parameters
    ----------
    table : mapping
        As TOML gives it.
    changes : iterable of str
        ``KEY=VALUE``: a dotted key, and a value in TOML (``4``, ``true``, ``["a", "b"]``,
        ``{ kind = "nic" }``) or plain text. Nothing behind the ``=`` takes the key away.

    Raises
    ------
    ConfigError
        No pair, a key inside something that is no table, a key to take away that is not there.
    """
    found: dict[str, Any] = copy.deepcopy(dict(table))
    for text in changes:
        key, equals, value = text.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path):
            raise ConfigError(
                "not a change",
                path="--set",
                value=text,
                hint="write devices.eth0.service.rtt='1 ms'",
            )
        inner = found
        for word in path[:-1]:
            inner = inner.setdefault(word, {}) if isinstance(inner, dict) else inner
        if not isinstance(inner, dict):
            raise ConfigError("a key inside something that is no table", path="--set", value=text)
        if value.strip():
            inner[path[-1]] = _value(value.strip())
        elif path[-1] in inner:
            del inner[path[-1]]
        else:
            raise ConfigError("no such key to take away", path="--set", value=text)
    return found


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
