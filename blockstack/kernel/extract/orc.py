"""The kernel's own unwind data (ORC, x86_64 since 4.14) as a second opinion on depths."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from blockstack.kernel.extract.image import Image

#: arch/x86/include/asm/orc_types.h: the register that the depth is counted from, and the entry's
#: type. Both numberings have changed (types in 6.4, registers by 7.3)
_REG_AND_TYPE = 0x070F
_ENTRY = np.dtype([("sp", "<i2"), ("bp", "<i2"), ("flags", "<u2")])


@dataclass
class Orc:
    """Depths by address, and how many functions agree with them.

    Attributes
    ----------
    tables : int
        Binaries that have ORC data at all.
    functions, equal : int
        Functions that ORC covers; those whose every compared point agrees.
    points, points_equal : int
        The same, instruction by instruction (those that move the stack pointer or branch).
    """

    tables: int = 0
    functions: int = 0
    equal: int = 0
    points: int = 0
    points_equal: int = 0
    differ: list[str] = field(default_factory=list)

    def check(self, table: "Table", name: str, points: list[tuple[int, int]]) -> None:
        """Compare one function's depths."""
        ips = np.array([ip for ip, _ in points], np.uint64)
        depths = np.array([depth for _, depth in points], np.int64)
        found = table.depths(ips)
        covered = found > 0
        count = int(covered.sum())
        if not count:
            return
        same = int((found[covered] == depths[covered]).sum())
        self.functions += 1
        self.equal += same == count
        self.points += count
        self.points_equal += same
        if same != count:
            self.differ.append(name)

    def summary(self) -> dict[str, int | float]:
        """For the table's meta."""
        share = self.equal / self.functions if self.functions else 0.0
        return {
            "functions": self.functions,
            "equal": self.equal,
            "percent": round(100 * share, 3),
            "points": self.points,
            "points_equal": self.points_equal,
        }


def orc_sentence(summary: Mapping[str, float] | None) -> str:
    """What a table's ``meta.orc`` says of the comparison; never silent."""
    if summary is None:
        return "no ORC data to compare with"
    if not summary["functions"]:
        return "there are ORC data, and none could be compared: take the depths with care"
    return f"ORC agrees on {summary['percent']:.2f} % of {summary['functions']:,.0f}"


@dataclass(frozen=True)
class Table:
    """One image's ORC entries, sorted by address."""

    ips: npt.NDArray[np.uint64]
    offsets: npt.NDArray[np.int64]

    def depths(self, at: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Depth at each address; 0 where ORC does not count from the stack pointer."""
        index = np.searchsorted(self.ips, at, side="right") - 1
        return np.where(index >= 0, self.offsets[np.maximum(index, 0)], 0)


def orc_table(image: Image) -> Table | None:
    """The image's ORC data, or None."""
    addr, raw_ips = image.table(".orc_unwind_ip")
    _, raw = image.table(".orc_unwind")
    count = min(len(raw_ips) // 4, len(raw) // _ENTRY.itemsize)
    if not count or image.arch != "x86_64":
        return None
    place = np.uint64(addr) + np.arange(count, dtype=np.uint64) * np.uint64(4)
    ips = place + np.frombuffer(raw_ips, "<i4", count).astype(np.int64).view(np.uint64)
    rows = np.frombuffer(raw, _ENTRY, count)
    order = np.argsort(ips, kind="stable")
    ips, rows = ips[order], rows[order]
    kinds = rows["flags"] & _REG_AND_TYPE
    usable = kinds == _at_entry(image, ips, rows["sp"], kinds)
    offsets = np.where(usable, rows["sp"], 0).astype(np.int64)
    return Table(ips, offsets)


def _at_entry(
    image: Image,
    ips: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.int16],
    kinds: npt.NDArray[np.integer[Any]],
) -> int:
    """The kind of entry that counts from the stack pointer: every function begins with it, and
    with nothing but its return address on the stack."""
    starts = np.array([s.addr for s in image.symbols], np.uint64)
    at = np.searchsorted(ips, starts, side="right") - 1
    at = at[at >= 0]
    begun = at[offsets[at] == image.pointer_bytes]
    return int(np.bincount(kinds[begun], minlength=1).argmax())
