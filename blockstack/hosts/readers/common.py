"""What readers share: numbers, sizes, decoded JSON with its size bounded."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec

from blockstack.hosts.model.host import SourceError

MAX_DEPTH = 500
MAX_COLUMNS = 200
MAX_SECTORS = 2**54 - 1
_SIZE = re.compile(r"\s*([0-9]{1,18})(?:[.,]([0-9]{1,6}))?\s*([KMGTPE]?)(i?B)?\s*\Z", re.IGNORECASE)
_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


def whole(value: Any, most: int = 2**62) -> int | None:
    """A whole number of at least 0 from text or JSON; None: it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()) if len(value) < 25 else most + 1
    if isinstance(value, float) and value.is_integer() and abs(value) < most:
        value = int(value)
    return value if isinstance(value, int) and 0 <= value <= most else None


def sectors(value: Any, unit_bytes: int = 512) -> int | None:
    """Sectors of 512 bytes from a number of units; None: no such size."""
    number = whole(value)
    return (
        None
        if number is None or number * unit_bytes // 512 > MAX_SECTORS
        else (number * unit_bytes // 512)
    )


def rounded_sectors(text: Any) -> tuple[int, bool] | None:
    """Sectors from a size as tools print it, and whether it is exact: ``61.9M`` is rounded,
    ``64917504`` and ``64917504B`` are bytes. Units are binary, as lsblk and LVM have them."""
    number = whole(text)
    if number is not None:
        return (number // 512, True) if number // 512 <= MAX_SECTORS else None
    match = _SIZE.match(text.strip().lstrip("<")) if isinstance(text, str) else None
    if match is None:
        return None
    factor = 1024 ** _POWER[match[3].upper()]
    digits = match[2] or ""
    value = (int(match[1] + digits) * factor) // 10 ** len(digits) // 512
    return (value, factor == 1) if value <= MAX_SECTORS else None


def read_json(text: str, what: str) -> Any:
    """Decoded JSON.

    Raises
    ------
    BlockstackError
        Damaged or cut off JSON, with the place; JSON nested too deep for a decoder in C.
    """
    if _depth(text) > MAX_DEPTH:
        raise SourceError(f"{what}: nested too deep", hint=f"at most {MAX_DEPTH} levels")
    try:
        return msgspec.json.decode(text.encode("utf-8", "surrogatepass"))
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError) as error:
        raise SourceError(
            f"{what}: not JSON, or cut off: {error}",
            hint="take it again; redirect standard error elsewhere",
        ) from error


def _depth(text: str) -> int:
    """Levels of nesting outside strings; stops counting past the bound."""
    plain = "".join(re.sub(r"\\.", "", text).split('"')[::2])
    depth = deepest = 0
    for char in re.sub(r"[^\[\]{}]+", "", plain):
        depth += 1 if char in "[{" else -1
        deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            break
    return deepest


def text_of(value: Any) -> str:
    """A text field, or empty."""
    return value if isinstance(value, str) else ""


def rows_of(value: Any) -> list[dict[str, Any]]:
    """The objects of a JSON list; anything else is passed over."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def table_of(value: Any) -> dict[str, Any]:
    """A JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def columns_of(header: str) -> dict[str, tuple[int, int]]:
    """Column → where its heading begins and ends, of a table for people."""
    return {m[0]: m.span() for m in islice(re.finditer(r"\S+", header), MAX_COLUMNS)}


def cells_of(line: str, columns: Mapping[str, tuple[int, int]], start: int = 0) -> dict[str, str]:
    """Column → text of one line: a cell lies under its heading, left or right aligned.

    A word that lies under no heading belongs to the cell before it. ``start`` is where the first
    word begins: it is the first column's when it begins before the second heading.
    """
    spans = list(columns.items())
    found: dict[str, str] = {}
    last = spans[0][0]
    end = 0
    for word in re.finditer(r"\S+", line[start:]):
        begin, stop = word.start() + start, word.end() + start
        under = [name for name, (left, right) in spans if begin < right and stop > left]
        if end and begin - end == 1 and not under:
            under = [last]
        if not under:
            under = [next((n for n, (left, _) in reversed(spans) if left <= begin), last)]
        if begin == start and len(spans) > 1 and begin < spans[1][1][0]:
            under = [spans[0][0]]
        last, end = under[0], stop
        found[last] = f"{found[last]} {word[0]}" if last in found else word[0]
    return found
