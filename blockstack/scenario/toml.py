"""A TOML writer for what configs hold: tables of text, numbers, booleans and lists.

The standard library reads TOML and does not write it.
"""

import re
from collections.abc import Mapping
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.harmless import for_terminal

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\b": "\\b",
    "\f": "\\f",
}


def _quoted(text: str) -> str:
    out = []
    for char in text:
        if char in _ESCAPES:
            out.append(_ESCAPES[char])
        elif char != for_terminal(char):
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def _key(text: str) -> str:
    return text if _BARE.match(text) else _quoted(text)


def _value(value: Any, path: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text or "e" in text or "n" in text else text + ".0"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one, path) for one in value) + "]"
    raise ConfigError("cannot be written as TOML", path=path, value=value)


def write_toml(tables: Mapping[str, Any]) -> str:
    """TOML text of nested mappings: plain keys first, then one ``[a.b]`` section per mapping.

    Raises
    ------
    ConfigError
        A value that is no text, number, boolean, list or mapping.
    """
    lines: list[str] = []
    _write_table(tables, (), lines)
    return "\n".join(lines).lstrip("\n") + "\n"


def _write_table(table: Mapping[str, Any], above: tuple[str, ...], lines: list[str]) -> None:
    plain = {k: v for k, v in table.items() if not isinstance(v, Mapping)}
    if above and (plain or not table):
        lines += ["", f"[{'.'.join(_key(k) for k in above)}]"]
    for key, value in plain.items():
        lines.append(f"{_key(key)} = {_value(value, '.'.join((*above, key)))}")
    for key, value in table.items():
        if isinstance(value, Mapping):
            _write_table(value, (*above, key), lines)
