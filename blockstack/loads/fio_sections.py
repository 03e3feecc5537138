"""fio's job files as text: sections, options with their places, numbers in fio's own units.

What follows fio 3.3x: ``strip_blank_end()`` cuts a line at ``;`` or ``#``; a ``[global]`` holds for
the sections below it; ``__get_mult_bytes()`` (parse.c) takes ``4k`` and ``4kb`` for 4,096 bytes
and, with the default kb_base=1024, ``4KiB`` for 4,000; ``get_mult_time()`` takes m for minutes.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from blockstack.base.errors import ConfigError
from blockstack.base.hints import did_you_mean
from blockstack.loads.fio_options import ALIASES, FOLLOWED, NO_INFLUENCE, NOT_FOLLOWED
from blockstack.workload.words import RW_WORDS

_NUMBER = re.compile(r"(0x[0-9a-f]+|[0-9]{1,19}(?:\.[0-9]{1,9})?)\s*([a-z%]*)\Z")
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_TIME_US = {
    "us": 1,
    "usec": 1,
    "ms": 1000,
    "msec": 1000,
    "s": 10**6,
    "m": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86400 * 10**6,
}
_DIRECTION = {"r": 0, "w": 1, "d": 2}
Options = dict[str, tuple[str, str]]  # option -> value, place


def sections(text: str) -> list[tuple[str, Options]]:
    shared: Options = {}
    found: list[tuple[str, Options]] = []
    here: Options | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        line = re.split("[;#]", raw, maxsplit=1)[0].strip()
        place = f"line {number}"
        if not line:
            continue
        if line.startswith("["):
            if not line.endswith("]") or len(line) < 3:
                raise ConfigError("not a section", path=place, value=line, hint="write [name]")
            name = line[1:-1]
            here = shared if name == "global" else dict(shared)
            if name != "global":
                found.append((name, here))
            continue
        if here is None:
            raise ConfigError(
                "stands before the first section",
                path=place,
                value=line,
                hint="write [global] or [name] above it",
            )
        key, equals, value = (part.strip() for part in line.partition("="))
        key = ALIASES.get(key, key)
        _check_known(key, line, place)
        if "$" in value and key in FOLLOWED:
            raise ConfigError(
                "variables are not replaced",
                path=f"{place}: {key}",
                value=value,
                hint="write the value",
            )
        here.pop(key, None)  # the last one counts, also its order (rwmixread, rwmixwrite)
        here[key] = (value if equals else "1", f"{place}: {key}")
    return found


def _check_known(key: str, line: str, place: str) -> None:
    if key in NOT_FOLLOWED:
        raise ConfigError(
            f"is not followed: {NOT_FOLLOWED[key]}",
            path=f"{place}: {key}",
            hint="leave it out to model the job without it",
        )
    if key not in FOLLOWED and key not in NO_INFLUENCE:
        raise ConfigError(
            "unknown option",
            path=place,
            value=line,
            hint=did_you_mean(key, [*FOLLOWED, *NO_INFLUENCE, *NOT_FOLLOWED], "options"),
        )


def parse_bytes(text: str, path: str) -> int:
    """fio's sizes: ``4k``, ``4kb`` and ``4K`` are 4,096 bytes, ``4KiB`` is 4,000."""
    number, unit = _split(text, path)
    plain = unit.removesuffix("b") if unit != "b" else ""
    base = 1000 if plain.endswith("i") else 1024
    plain = plain.removesuffix("i")
    if plain not in _POWER or (unit.endswith("i") and plain):
        raise ConfigError("not a size", path=path, value=text, hint='write "4k" or "1m"')
    exact = number * base ** _POWER[plain]
    if exact != int(exact) or exact >= 2**63:
        raise ConfigError("not a whole number of bytes", path=path, value=text)
    return int(exact)


def parse_time_us(text: str, path: str) -> int:
    """fio's times, of which a plain number is microseconds here."""
    number, unit = _split(text, path)
    if unit and unit not in _TIME_US:
        raise ConfigError("not a time", path=path, value=text, hint='write "100us" or "2ms"')
    exact = number * (_TIME_US[unit] if unit else 1)
    if exact != int(exact) or exact >= 2**53:
        raise ConfigError("not a whole number of microseconds", path=path, value=text)
    return int(exact)


def _split(text: str, path: str) -> tuple[Decimal, str]:
    match = _NUMBER.match(text.strip().lower())
    if match is None:
        raise ConfigError("not a number", path=path, value=text)
    return Decimal(int(match[1], 16) if match[1].startswith("0x") else match[1]), match[2]


class Section:
    """Typed access to one section's options, with their places in errors."""

    def __init__(self, options: Mapping[str, tuple[str, str]]) -> None:
        self.options = options
        self.rw = self.word("rw", "read")
        if self.rw not in RW_WORDS:
            raise ConfigError(
                "unknown word",
                path=self.place("rw"),
                value=self.rw,
                hint=did_you_mean(self.rw, RW_WORDS, "words"),
            )

    def place(self, key: str) -> str:
        return self.options[key][1] if key in self.options else key

    def word(self, key: str, default: str = "") -> str:
        return self.options[key][0] if key in self.options else default

    def whole(self, key: str, default: int) -> int:
        return parse_bytes(self.word(key), self.place(key)) if key in self.options else default

    def flag(self, key: str, default: bool) -> bool:
        value = self.word(key, str(int(default))).lower()
        if value not in ("0", "1", "true", "false"):
            raise ConfigError("must be 0 or 1", path=self.place(key), value=value)
        return value in ("1", "true")

    def directed(self, key: str) -> str:
        """One value out of ``reads,writes,trims``: that of the directions which the job has."""
        parts = [part.strip() for part in self.word(key).split(",")]
        # fio's parse: what is left out is as the one before it
        full = [parts[min(i, len(parts) - 1)] or parts[0] for i in range(3)]
        wanted = {full[_DIRECTION[d]] for d in RW_WORDS[self.rw]}
        if len(wanted) != 1 or len(parts) > 3:
            raise ConfigError(
                "differs for reads and writes",
                path=self.place(key),
                value=self.word(key),
                hint="one value for both is followed",
            )
        return wanted.pop()

    def extent(self, key: str) -> int | None:
        """A size or an offset in bytes; None: all of the device."""
        value = self.word(key)
        if value.endswith("%"):
            if key == "size" and value == "100%":
                return None
            raise ConfigError(
                "a share of a file is not followed",
                path=self.place(key),
                value=value,
                hint="write bytes",
            )
        return parse_bytes(value, self.place(key)) or None

    def pair(self, low_high: str, key: str) -> str:
        low, dash, high = low_high.partition("-")
        if not dash:
            raise ConfigError(
                "not a range", path=self.place(key), value=low_high, hint='write "4k-64k"'
            )
        return f"{parse_bytes(low, self.place(key))}-{parse_bytes(high, self.place(key))}"

    def split(self) -> str:
        parts = []
        for entry in self.directed("bssplit").split(":"):
            size, slash, share = entry.partition("/")
            parts.append(f"{parse_bytes(size, self.place('bssplit'))}{slash}{share.rstrip('%')}")
        return ":".join(parts)
