"""The way out of a mistyped word: the nearest known one, or the list."""

import difflib
from collections.abc import Iterable

from blockstack.base.errors import ConfigError

_SHOWN = 20


def listed(words: Iterable[str]) -> str:
    """``a, b, c``; long lists are cut with their length."""
    known = list(words)
    if len(known) <= _SHOWN:
        return ", ".join(known)
    return ", ".join(known[:_SHOWN]) + f" ... ({len(known)} in all)"


def did_you_mean(word: object, known: Iterable[str], what: str) -> str:
    """A hint that names the nearest of the known words, else all of them."""
    words = list(known)
    if isinstance(word, str) and len(word) <= 200:
        near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
        if near:
            return f'did you mean "{near[0]}"?'
    return f"{what}: {listed(words)}" if words else f"there are no {what} here"


def check_keys(given: Iterable[str], known: Iterable[str], path: str) -> None:
    """Refuse the first key that is not known.

    Raises
    ------
    ConfigError
        With the key's path and the nearest known key.
    """
    allowed = list(known)
    for key in given:
        if key not in allowed:
            where = f"{path}.{key}" if path else str(key)
            raise ConfigError("unknown key", path=where, hint=did_you_mean(key, allowed, "keys"))
