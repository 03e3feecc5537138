"""A workload as columns: recorded or hand-made bios, one row each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blockstack.base.errors import ConfigError

_FLUSH = 2
_NOPS = 5
_MAX_SECTORS = 2**31


@dataclass(frozen=True, eq=False)
class Columns:
    """Bios in order of arrival.

    Attributes
    ----------
    op : uint8[n]
        0 read, 1 write, 2 flush, 3 discard, 4 fua (a write with preflush and FUA).
    sector, nr_sectors : int64[n]
        Start and length in sectors of 512 bytes; both 0 for a flush.
    root : int32[n]
        Which of the stack's roots the bio is given to.
    """

    op: NDArray[np.uint8]
    sector: NDArray[np.int64]
    nr_sectors: NDArray[np.int64]
    root: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.op)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and all(
            np.array_equal(one, two) for one, two in zip(self._all(), other._all(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def _all(self) -> tuple[NDArray[Any], ...]:
        return self.op, self.sector, self.nr_sectors, self.root

    def check_capacity(self, capacity_sectors: NDArray[np.int64]) -> None:
        """Every bio must lie inside its root.

        Raises
        ------
        ConfigError
            With the first row that does not.
        """
        roots = len(capacity_sectors)
        if len(self) and int(self.root.max()) >= roots:
            row = int(np.argmax(self.root >= roots))
            raise ConfigError(
                "no such root",
                path=f"workload.root[{row}]",
                value=int(self.root[row]),
                hint=f"roots are 0 to {roots - 1}",
            )
        # sector <= capacity - nr: the sum could pass 63 bits
        beyond = self.sector > capacity_sectors[self.root] - self.nr_sectors
        if beyond.any():
            row = int(np.argmax(beyond))
            end = int(self.sector[row]) + int(self.nr_sectors[row])
            raise ConfigError(
                "ends beyond the device",
                path=f"workload.sector[{row}]",
                value=end,
                hint=f"it has {int(capacity_sectors[self.root[row]])} sectors",
            )


def _column(
    values: object, name: str, dtype: type[np.generic], low: int, high: int
) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as error:
        raise ConfigError("not a column of numbers", path=f"workload.{name}") from error
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ConfigError(
            "not a column of whole numbers",
            path=f"workload.{name}",
            value=f"{array.dtype}{list(array.shape)}",
        )
    bad = (array < low) | (array >= high)
    if bad.any():
        row = int(np.argmax(bad))
        raise ConfigError(
            f"must lie from {low} to {high - 1}",
            path=f"workload.{name}[{row}]",
            value=int(array[row]),
        )
    return np.ascontiguousarray(array, dtype)


def make_columns(op: object, sector: object, nr_sectors: object, root: object = None) -> Columns:
    """Checked columns; a missing ``root`` means root 0.

    Raises
    ------
    ConfigError
        Columns of different lengths, unknown ops, a flush with sectors, another bio without.
    """
    ops = _column(op, "op", np.uint8, 0, _NOPS)
    rows = {
        "sector": _column(sector, "sector", np.int64, 0, 2**62),
        "nr_sectors": _column(nr_sectors, "nr_sectors", np.int64, 0, _MAX_SECTORS),
        "root": _column(
            np.zeros(len(ops), np.int32) if root is None else root,
            "root",
            np.int32,
            0,
            _MAX_SECTORS,
        ),
    }
    for name, column in rows.items():
        if len(column) != len(ops):
            raise ConfigError(f"has {len(column)} rows, op has {len(ops)}", path=f"workload.{name}")
    flush = ops == _FLUSH
    wrong = flush & ((rows["sector"] != 0) | (rows["nr_sectors"] != 0))
    wrong |= ~flush & (rows["nr_sectors"] == 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ConfigError(
            "a flush has sector 0 and no sectors, every other bio has some",
            path=f"workload.nr_sectors[{row}]",
            value=int(rows["nr_sectors"][row]),
        )
    return Columns(ops, rows["sector"], rows["nr_sectors"], rows["root"])
