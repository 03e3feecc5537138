"""VMware's vscsiStats traces (CloudPhysics): binary records of versions 1 and 2, and their CSV.

Times are microseconds in the binary form and whole seconds in the CSV, blocks 512 bytes, lengths
bytes; the command is the first byte of the SCSI CDB (SPC-4, table D.2).
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from blockstack.base.units import SECTOR_BYTES
from blockstack.loads.traces.reading import Reading, Row, RowReader, records, whole
from blockstack.workload.trace import DISCARD, FLUSH, READ, WRITE, Trace

CSV_HEADER = "version,time,op,size,lbn"
_OPS = {
    0x08: READ,
    0x28: READ,
    0xA8: READ,
    0x88: READ,
    0x0A: WRITE,
    0x2A: WRITE,
    0xAA: WRITE,
    0x8A: WRITE,
    0x2E: WRITE,
    0x8E: WRITE,
    0x35: FLUSH,
    0x91: FLUSH,
    0x42: DISCARD,
}
_V1 = np.dtype(
    [
        ("sn", "<u4"),
        ("len", "<u4"),
        ("sg", "<u4"),
        ("cmd", "<u2"),
        ("ver", "<u2"),
        ("lbn", "<u8"),
        ("ts", "<u8"),
    ]
)
_V2 = np.dtype(
    [
        ("cmd", "<u2"),
        ("ver", "<u2"),
        ("sn", "<u4"),
        ("len", "<u4"),
        ("sg", "<u4"),
        ("lbn", "<u8"),
        ("ts", "<u8"),
        ("rt", "<u8"),
    ]
)


def is_version(head: bytes, version: int) -> bool:
    """Whether the first two records (or all of fewer) carry the version in its place."""
    dtype = (_V1, _V2)[version - 1]
    count = min(len(head) // dtype.itemsize, 2)
    found = np.frombuffer(head[: count * dtype.itemsize], dtype)
    return count > 0 and bool((found["ver"] >> 8 == version).all() and (found["cmd"] < 256).all())


def _bio(time_ns: int, command: int, lbn: int, n_bytes: int) -> Row | str:
    op = _OPS.get(command)
    if op is None:
        return f"SCSI commands {command:#04x}"
    if op == DISCARD:  # UNMAP: its ranges are in the data, which no trace has
        return "UNMAP commands, whose ranges are not recorded"
    return Row(time_ns, "disk", op, lbn * SECTOR_BYTES, n_bytes)


def _reader(
    dtype: np.dtype[np.void], version: int
) -> Callable[[BinaryIO, Reading], Iterator[Trace]]:
    names = dtype.names or ()
    place = {name: names.index(name) for name in names}

    def row(values: tuple[int, ...]) -> Row | str:
        if values[place["ver"]] >> 8 != version:
            raise ValueError(f"not of version {version}")
        return _bio(
            values[place["ts"]] * 1000,
            values[place["cmd"]],
            values[place["lbn"]],
            values[place["len"]],
        )

    return records(dtype, row)


read_v1, read_v2 = _reader(_V1, 1), _reader(_V2, 2)


def csv_rows(_: Reading) -> RowReader:
    """``1,5633898,2a,512,42932745``: version, s, command in hex, bytes, block."""

    def row(line: str) -> Row | str:
        if line == CSV_HEADER:
            return ""
        _version, time, command, n_bytes, lbn = line.split(",")
        return _bio(whole(time) * 10**9, int(command, 16), whole(lbn), whole(n_bytes))

    return row
