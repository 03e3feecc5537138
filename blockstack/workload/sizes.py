"""Bio sizes in fio's words: one size, a range, or a table of shares."""

import re
from dataclasses import dataclass
from fractions import Fraction

from blockstack.base.errors import ConfigError
from blockstack.base.units import SECTOR_BYTES, parse_bytes

MAX_BIO_SECTORS = 2**31 - 1
MAX_CHOICES = 2**20
_RANGE = re.compile(r"\s*([^-]+?)\s*-\s*([^-]+?)\s*\Z")


@dataclass(frozen=True)
class Sizes:
    """How bio sizes are drawn.

    Attributes
    ----------
    low_sectors, high_sectors : int
        Smallest and largest size.
    table : tuple of (int, Fraction)
        Sizes in sectors with their shares, which sum to 1; empty for "every multiple of the
        smallest size up to the largest, all alike" (fio's ``bsrange``).
    """

    low_sectors: int
    high_sectors: int
    table: tuple[tuple[int, Fraction], ...] = ()

    @property
    def count(self) -> int:
        """Number of different sizes of a range."""
        return (self.high_sectors - self.low_sectors) // self.low_sectors + 1

    @property
    def mean_sectors(self) -> Fraction:
        """Expected size."""
        if self.table:
            return sum((size * share for size, share in self.table), Fraction(0))
        return Fraction(self.low_sectors + self.high_sectors, 2)


def _size(text: str | int, path: str) -> int:
    n_bytes = parse_bytes(text, path)
    sectors, rest = divmod(n_bytes, SECTOR_BYTES)
    if rest or not 0 < sectors <= MAX_BIO_SECTORS:
        raise ConfigError(
            "not a bio size",
            path=path,
            value=text,
            hint=f"a multiple of 512 bytes, at most {MAX_BIO_SECTORS} sectors",
        )
    return sectors


def parse_bs(text: object, path: str = "bs") -> Sizes:
    """fio's ``bs`` and ``bsrange``: ``"4 KiB"`` or ``"4 KiB-1 MiB"`` (in steps of the low end).

    Raises
    ------
    ConfigError
        No multiple of 512 bytes; a range whose high end is no multiple of its low end.
    """
    if isinstance(text, str) and "," in text:
        raise ConfigError(
            "one size for reads and writes alike",
            path=path,
            value=text,
            hint='write "4 KiB" or a range "4 KiB-1 MiB"',
        )
    match = _RANGE.match(text) if isinstance(text, str) else None
    if match is None:
        if not isinstance(text, str | int) or isinstance(text, bool):
            raise ConfigError("not a bio size", path=path, value=text, hint='write "4 KiB"')
        low = _size(text, path)
        return Sizes(low, low, ((low, Fraction(1)),))
    low, high = _size(match[1], path), _size(match[2], path)
    if high < low:
        raise ConfigError(
            "the range ends before it begins",
            path=path,
            value=text,
            hint="write the smaller size first",
        )
    if high % low:
        raise ConfigError(
            "the high end is no multiple of the low end, which is the step",
            path=path,
            value=text,
            hint="make it one, or write a bssplit",
        )
    return Sizes(low, high)


def parse_bssplit(text: object, path: str = "bssplit") -> Sizes:
    """fio's ``bssplit``: ``"4k/60:64k/40"``; entries without a percentage share what is left.

    Raises
    ------
    ConfigError
        Percentages that do not sum to 100, sizes that are no multiple of 512 bytes.
    """
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(
            "not a table of sizes", path=path, value=text, hint='write "4k/60:64k/40"'
        )
    entries: list[tuple[int, Fraction | None]] = []
    for entry in text.split(":"):
        size, _, percent = (part.strip() for part in entry.partition("/"))
        entries.append((_size(size, path), _percent(percent, text, path)))
    if len(entries) > MAX_CHOICES:
        raise ConfigError(f"more than {MAX_CHOICES} sizes", path=path)
    given = sum((share for _, share in entries if share is not None), Fraction(0))
    open_entries = sum(share is None for _, share in entries)
    if given > 1 or (given < 1 and not open_entries):
        raise ConfigError(
            f"the percentages sum to {float(100 * given):g}, not 100",
            path=path,
            value=text,
            hint="leave one percentage out, it takes the rest",
        )
    rest = (1 - given) / open_entries if open_entries else Fraction(0)
    shares: dict[int, Fraction] = {}
    for sectors, share in entries:
        shares[sectors] = shares.get(sectors, Fraction(0)) + (rest if share is None else share)
    table = tuple(sorted((s, share) for s, share in shares.items() if share))
    return Sizes(table[0][0], table[-1][0], table)


def _percent(text: str, whole: str, path: str) -> Fraction | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", text):
        raise ConfigError("not a percentage", path=path, value=whole, hint='write "4k/60:64k/40"')
    return Fraction(text) / 100
