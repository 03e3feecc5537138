"""Plain data as records: what is not of the record's types is refused by place and value."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from blockstack.base.errors import BlockstackError

T = TypeVar("T")
_PLACE = re.compile(r"(?P<what>.*?)(?: - at `\$?\.?(?P<place>.*)`)?", re.DOTALL)


def typed(data: object, kind: type[T], path: str = "") -> T:
    """``data`` as a record of dataclasses or structs; keys that it does not have are passed over.

    Raises
    ------
    BlockstackError
        ``tasks[2].path[0].bytes: expected `int`, got `str` (got 'x')``
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        match = _PLACE.fullmatch(str(error))
        place = (match and match["place"]) or ""
        what = match["what"] if match else str(error)
        raise BlockstackError(
            what[:1].lower() + what[1:],
            path=".".join(filter(None, (path, place))) or "result",
            value=_at(data, place),
        ) from error


def _at(data: Any, place: str) -> object:
    """What stands at ``tasks[2].path``; as far as the place can be followed."""
    for part in re.findall(r"[^.\[\]]+", place):
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:  # [...]: any key of a mapping
            break
    return type(data).__name__ if isinstance(data, Mapping | list) else data
