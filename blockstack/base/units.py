"""Text with units from config files to integers, and back for people to read.

Inside the program every number is an integer in the unit that its name says
(``_bytes``, ``_sectors``, ``_ns``). Only config files and the command line carry text.
"""

import re
from decimal import Decimal

from blockstack.base.errors import ConfigError

SECTOR_BYTES = 512
UINT_MAX = 2**32 - 1
USHRT_MAX = 2**16 - 1

_BYTES = {"": 1, "B": 1}
_BYTES |= {f"{p}iB": 1024**n for n, p in enumerate("KMGTPE", 1)}
_BYTES |= {f"{p}B": 1000**n for n, p in enumerate("kMGTPE", 1)} | {"KB": 1000}
# fio's own short forms are binary (kb_base=1024 is its default)
_BYTES |= {p: 1024**n for n, p in enumerate("kmgtpe", 1)}
_BYTES |= {p: 1024**n for n, p in enumerate("KMGTPE", 1)}
_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60 * 10**9}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-zµ]*)\s*\Z")
_MAX = 2**63 - 1


def _parse(text: str | int, units: dict[str, int], path: str, example: str) -> int:
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise ConfigError("not a quantity", path=path, value=text, hint=f"write {example}")
    if isinstance(text, int):
        if abs(text) > _MAX:
            raise ConfigError("too large for 63 bits", path=path, value=text)
        text = str(text)
    match = _NUMBER.match(text)
    if match is None or match[2] not in units:
        hint = f"write {example}; units: {', '.join(u for u in units if u)}"
        raise ConfigError("not a quantity with a known unit", path=path, value=text, hint=hint)
    exact = Decimal(match[1]) * units[match[2]]
    if exact != int(exact):
        raise ConfigError("not a whole number of the base unit", path=path, value=text)
    if exact > _MAX:
        raise ConfigError("too large for 63 bits", path=path, value=text)
    return int(exact)


def parse_bytes(text: str | int, path: str = "") -> int:
    """Bytes from ``"4 KiB"``, ``"1.5 GiB"``, ``"4k"`` (fio: binary) or a plain number of bytes."""
    return _parse(text, _BYTES, path, '"4 KiB"')


def parse_sectors(text: str | int, path: str = "") -> int:
    """Sectors of 512 bytes from a size with a unit; the size must be whole sectors."""
    n_bytes = parse_bytes(text, path)
    if n_bytes % SECTOR_BYTES:
        raise ConfigError("not a multiple of 512 bytes", path=path, value=text)
    return n_bytes // SECTOR_BYTES


def parse_ns(text: str | int, path: str = "") -> int:
    """Nanoseconds from ``"70 us"``, ``"1.5 ms"`` or ``"2 s"``; a bare number has no unit here."""
    units = _NS if isinstance(text, str) else {"": 1}
    return _parse(text, units, path, '"70 us"')


def parse_rate(text: str | int, path: str = "") -> int:
    """Bytes per second from ``"3.2 GB/s"``, ``"10 Gbit/s"`` or a plain number."""
    example = '"3.2 GB/s" or "10 Gbit/s"'
    if not isinstance(text, str):
        return _parse(text, {"": 1}, path, example)
    amount = text.strip().removesuffix("/s")
    if amount == text.strip():
        raise ConfigError("not a rate", path=path, value=text, hint=f"write {example}")
    if amount.endswith("bit"):
        bits = {f"{p}bit": 1000**n for n, p in enumerate("kMGT", 1)}
        return _parse(amount, bits, path, example) // 8
    units = {unit: size for unit, size in _BYTES.items() if unit.endswith("B")}
    return _parse(amount, units, path, example)


def format_bytes(n_bytes: int) -> str:
    """``4096`` as ``"4 KiB"``: the largest binary unit that keeps the value whole."""
    for power, prefix in ((6, "E"), (5, "P"), (4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if n_bytes and n_bytes % 1024**power == 0:
            return f"{n_bytes // 1024**power} {prefix}iB"
    return f"{n_bytes:,} B"


def format_count(value: float) -> str:
    """``2.1e6`` as ``"2.10 M"``: three significant digits with a decimal prefix."""
    for power, prefix in ((9, "G"), (6, "M"), (3, "k")):
        if abs(value) >= 10**power:
            return f"{value / 10**power:.3g} {prefix}"
    return f"{value:.3g} "


def parse_count(text: str) -> int:
    """A number of bios: ``50M``, ``2.5k`` or ``1000000``.

    Raises
    ------
    ConfigError
        Not a positive whole number.
    """
    scale = {"k": 10**3, "m": 10**6, "g": 10**9}
    number, unit = (
        (text[:-1], scale[text[-1].lower()]) if text and (text[-1].lower() in scale) else (text, 1)
    )
    try:
        value = float(number) * unit
    except ValueError as error:
        raise ConfigError(
            "not a number of bios", path="--bios", value=text, hint="write 50M, 200k or 1000000"
        ) from error
    if not 0 < value < 2**53 or value != int(value):
        raise ConfigError("must be a positive whole number", path="--bios", value=text)
    return int(value)
