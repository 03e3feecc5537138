"""The kernel's own unwind data (ORC, x86_64 since 4.14) as a second opinion on depths."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from blockstack.kernel.extract.elf import Image

_SP_REG = 5  # arch/x86/include/asm/orc_types.h: ORC_REG_SP
_ENTRY = np.dtype([("sp", "<i2"), ("bp", "<i2"), ("flags", "<u2")])


@dataclass
class Orc:
    """Depths by address, and how many functions agree with them.

    Attributes
    ----------
    functions, equal : int
        Functions that ORC covers; those whose every compared point agrees.
    points, points_equal : int
        The same, instruction by instruction (those that move the stack pointer or branch).
    """

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
    kinds = (rows["flags"] >> 8) & 7
    # the number of "an ordinary frame" changed in 6.4: it is by far the most frequent one
    plain = np.bincount(kinds[(rows["flags"] & 15) == _SP_REG], minlength=8).argmax()
    usable = ((rows["flags"] & 15) == _SP_REG) & (kinds == plain)
    offsets = np.where(usable, rows["sp"], 0).astype(np.int64)
    order = np.argsort(ips, kind="stable")
    return Table(ips[order], offsets[order])
