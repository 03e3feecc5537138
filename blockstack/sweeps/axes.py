"""An axis: a key of a config, or of the load, and the values that it takes."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blockstack.base.errors import ConfigError

#: keys of the load rather than of the config, as `blockstack.capacity` calls them
LOAD_KEYS = ("iodepth", "numjobs", "rate_iops", "thinktime_ns")
#: the key of an axis that adds or takes away members starts with it
MEMBERS = "members."
#: values of one axis
MOST_VALUES = 100_000
_DOTS = ("…", "...")
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")


@dataclass(frozen=True)
class Axis:
    """One thing that varies.

    Attributes
    ----------
    key : str
        A dotted key of a config (``devices.md0.chunk``, ``kernel``), one of `LOAD_KEYS`, or
        ``members.md0``.
    values : tuple
        As TOML would give them.
    names : tuple of str
        Of ``members.`` axes: the devices, in the order in which they are added.
    """

    key: str
    values: tuple[Any, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.values:
            raise ConfigError("an axis without values", path=self.key)
        if len(self.values) > MOST_VALUES:
            raise ConfigError(
                f"an axis of more than {MOST_VALUES:,} values",
                path=self.key,
                value=len(self.values),
            )

    @property
    def is_load(self) -> bool:
        """It changes how bios arrive, and neither the stack nor the kernel."""
        return self.key in LOAD_KEYS

    @property
    def column(self) -> str:
        """Its column's name in the result: as the key, which carries the unit."""
        return self.key


def plain_key(key: str) -> str:
    """``workload.iodepth`` is the load's ``iodepth``; others are as they are."""
    bare = key.removeprefix("workload.")
    return bare if bare in LOAD_KEYS else key


def parse_axis(text: str) -> Axis:
    """``devices.md0.chunk=64 KiB,512 KiB`` or ``iodepth=1,2,4…256``.

    Raises
    ------
    ConfigError
        No key, no value, a row of values that has no next one.
    """
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise ConfigError("not an axis", path="--over", value=text, hint="write iodepth=1,2,4…256")
    return Axis(plain_key(key.strip()), tuple(parse_values(values, key.strip())))


def parse_members(text: str) -> Axis:
    """``md0=sda..sdx:4,8,12,24``: the first 4, 8 … of the named devices below md0."""
    device, equals, rest = text.partition("=")
    names, colon, counts = rest.partition(":")
    if not equals or not colon or not device.strip():
        raise ConfigError(
            "not a number of members",
            path="--members",
            value=text,
            hint="write md0=sda..sdx:4,8,12,24",
        )
    key = MEMBERS + device.strip()
    values = tuple(parse_values(counts, key))
    found = tuple(one for part in names.split(",") for one in _names(part.strip(), key))
    for value in values:
        if type(value) is not int or not 1 <= value <= len(found):
            raise ConfigError(f"from 1 to {len(found)} members", path=key, value=value)
    return Axis(key, values, found)


def _names(text: str, path: str) -> list[str]:
    """``sda..sdx`` or ``nvme0n1..nvme7n1`` in full."""
    first, dots, last = text.partition("..")
    if not first:
        raise ConfigError("a member without a name", path=path)
    if not dots:
        return [text]
    numbers = re.fullmatch(r"(\D*)(\d+)(.*)", first), re.fullmatch(r"(\D*)(\d+)(.*)", last)
    if numbers[0] and numbers[1] and numbers[0].group(1, 3) == numbers[1].group(1, 3):
        head, tail = numbers[0].group(1, 3)
        return [f"{head}{n}{tail}" for n in range(int(numbers[0][2]), int(numbers[1][2]) + 1)]
    if first[:-1] == last[:-1] and first[-1:] <= last[-1:] and (first + last).isascii():
        return [f"{first[:-1]}{chr(c)}" for c in range(ord(first[-1]), ord(last[-1]) + 1)]
    raise ConfigError("no row of names", path=path, value=text, hint="sda..sdx, nvme0n1..nvme7n1")


def parse_values(text: str, path: str = "") -> list[Any]:
    """Values between commas, in TOML or plain text; ``…`` goes on to what stands behind it."""
    found: list[Any] = []
    parts = _split(text)
    for i, part in enumerate(parts):
        head, dots, last = _ellipsis(part)
        if dots:
            if head:
                found.append(parse_value(head))
            found += _going_on(found, parse_value(last), path)
        elif (span := _RANGE.fullmatch(part)) is not None:
            found += range(int(span[1]), int(span[2]) + 1)
        elif part:
            found.append(parse_value(part))
        else:
            raise ConfigError("no value between two commas", path=path, value=",".join(parts[:i]))
    return found


def parse_value(text: str) -> Any:
    """One value: TOML where it is some, else the text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, ValueError, RecursionError):
        return text


def _split(text: str) -> list[str]:
    """At commas outside quotes and brackets."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        if letter == "," and not quote and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _ellipsis(part: str) -> tuple[str, bool, str]:
    for dots in _DOTS:
        head, found, last = part.partition(dots)
        if found:
            return head.strip(), True, last.strip()
    return part, False, ""


def _going_on(first: Sequence[Any], last: Any, path: str) -> list[Any]:
    """The values between: by the last step, a factor where three values make one."""
    given = [*first, last]
    if len(first) < 2 or not all(type(one) in (int, float) for one in given):
        raise ConfigError(
            "no row of numbers before the dots", path=path, value=last, hint="1,2,4…256"
        )
    *_, a, b = first
    geometric = len(first) >= 3 and first[-3] and first[-2] / first[-3] == b / a
    found: list[Any] = []
    value = b
    while len(found) <= MOST_VALUES:
        value = value * b / a if geometric else value + (b - a)
        value = int(value) if float(value).is_integer() and type(last) is int else value
        if (value > last) if b > a else (value < last) or b == a:
            break
        found.append(value)
    if not found or found[-1] != last:
        raise ConfigError("the row does not come to its last value", path=path, value=last)
    return found
