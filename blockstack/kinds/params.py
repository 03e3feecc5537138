"""Parsers for the parameters of kinds: each takes (value, path) and returns a checked value."""

from collections.abc import Callable
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.units import parse_bytes, parse_ns, parse_sectors


def sectors(
    least: int = 1, most: int = 2**55, multiple: int = 1, power_of_two: bool = False
) -> Callable[[Any, str], int]:
    """A size in text or bytes, kept as sectors of 512 bytes."""

    def parse(value: Any, path: str) -> int:
        n = parse_sectors(value, path)
        if not least <= n <= most:
            raise ConfigError(
                f"must lie between {least * 512} and {most * 512} bytes", path=path, value=value
            )
        if n % multiple:
            raise ConfigError(
                f"must be a multiple of {multiple * 512} bytes", path=path, value=value
            )
        if power_of_two and n & (n - 1):
            raise ConfigError("must be a power of two", path=path, value=value)
        return n

    return parse


def size_bytes(least: int = 1, most: int = 2**62) -> Callable[[Any, str], int]:
    """A size in text or bytes, kept in bytes."""

    def parse(value: Any, path: str) -> int:
        n = parse_bytes(value, path)
        if not least <= n <= most:
            raise ConfigError(f"must lie between {least} and {most} bytes", path=path, value=value)
        return n

    return parse


def duration_ns(value: Any, path: str) -> int:
    """A time span with a unit, kept in nanoseconds."""
    return parse_ns(value, path)


def integer(least: int, most: int) -> Callable[[Any, str], int]:
    """A whole number within bounds."""

    def parse(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError("must be a whole number", path=path, value=value)
        if not least <= value <= most:
            raise ConfigError(f"must lie between {least} and {most}", path=path, value=value)
        return value

    return parse


def fraction(value: Any, path: str) -> float:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError("must be a number from 0 to 1", path=path, value=value)
    return float(value)


def choice(*words: str) -> Callable[[Any, str], str]:
    """One of the given words."""

    def parse(value: Any, path: str) -> str:
        if value not in words:
            raise ConfigError(
                "unknown word", path=path, value=value, hint="one of: " + ", ".join(words)
            )
        return str(value)

    return parse


def boolean(value: Any, path: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ConfigError("must be true or false", path=path, value=value)
    return value


def text(value: Any, path: str) -> str:
    """A non-empty string."""
    if not isinstance(value, str) or not value:
        raise ConfigError("must be a non-empty text", path=path, value=value)
    return value


def indices(value: Any, path: str) -> tuple[int, ...]:
    """A list of distinct member numbers, from 0."""
    if not isinstance(value, list | tuple) or not all(
        isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in value
    ):
        raise ConfigError("must be a list of member numbers (from 0)", path=path, value=value)
    if len(set(value)) != len(value):
        raise ConfigError("names a member twice", path=path, value=value)
    return tuple(value)
