"""libCacheSim's oracleGeneral: 24-byte records of a cache simulator. They have no operations."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from blockstack.base.units import SECTOR_BYTES
from blockstack.loads.traces.reading import Reading, Row, records
from blockstack.workload.trace import READ, Trace

_DTYPE = np.dtype([("time", "<u4"), ("obj", "<u8"), ("size", "<u4"), ("next", "<i8")])
_LOOKED_AT = 100


def looks(head: bytes) -> bool:
    """Times that do not fall by much, sizes of blocks, next accesses that are -1 or later."""
    count = min(len(head) // _DTYPE.itemsize, _LOOKED_AT)
    found = np.frombuffer(head[: count * _DTYPE.itemsize], _DTYPE)
    return count > 0 and bool(
        (found["next"] >= -1).all()
        and (found["next"] < 2**48).all()
        and (found["size"] > 0).all()
        and (found["size"] <= 2**30).all()
        and (found["size"] % SECTOR_BYTES == 0).all()
        and (found["obj"] < 2**50).all()
        and (np.diff(found["time"].astype(np.int64)) >= 0).all()
    )


def _row(values: tuple[int, ...]) -> Row:
    time, block, size, _next = values
    return Row(time * 10**9, "disk", READ, block * SECTOR_BYTES, size)


_read = records(_DTYPE, _row)


def read(stream: BinaryIO, reading: Reading) -> Iterator[Trace]:
    """Object numbers are taken for sectors, and every row for a read."""
    reading.notes.append(
        "the format has no operations: every row is taken for a read, and "
        "object numbers for sectors"
    )
    return _read(stream, reading)
