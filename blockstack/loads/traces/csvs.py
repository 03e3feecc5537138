"""Published collections in CSV, each with its own units: MSR Cambridge, systor '17, Tencent,
Alibaba."""

from blockstack.base.units import SECTOR_BYTES
from blockstack.loads.traces.reading import Reading, Row, RowReader, op_of, scaled, whole

SYSTOR_HEADER = "Timestamp,Response,IOType,LUN,Offset,Size"


def msr(_: Reading) -> RowReader:
    """``128166372003061629,hm,1,Read,383496192,32768,413``: Windows file time (100 ns), host, disk,
    type, offset and size in bytes, response time (MSR Cambridge, SNIA IOTTA 388)."""

    def row(line: str) -> Row | str:
        time, host, disk, kind, offset, size, _response = line.split(",")
        return Row(
            whole(time) * 100,
            f"{host}.{disk}",
            op_of(kind.lower(), "read", "write"),
            whole(offset),
            whole(size),
        )

    return row


def systor(_: Reading) -> RowReader:
    """``1455591804.310701000,0.006475000,R,0,203468398592,32768``: Unix time and response time in
    seconds, type, LUN, offset and size in bytes (systor '17, SNIA IOTTA 4928)."""

    def row(line: str) -> Row | str:
        if line == SYSTOR_HEADER:
            return ""
        time, _response, kind, lun, offset, size = line.split(",")
        if not kind:
            return "rows without a type"
        return Row(
            scaled(time, 9), f"lun{whole(lun)}", op_of(kind, "R", "W"), whole(offset), whole(size)
        )

    return row


def tencent(_: Reading) -> RowReader:
    """``1538323200,4247200,128,1,1058``: Unix time in seconds, offset and size in sectors, type
    (0 read, 1 write), volume (Tencent CBS, SNIA IOTTA 27917)."""

    def row(line: str) -> Row | str:
        time, offset, size, kind, volume = line.split(",")
        return Row(
            whole(time) * 10**9,
            volume,
            op_of(kind, "0", "1"),
            whole(offset) * SECTOR_BYTES,
            whole(size) * SECTOR_BYTES,
        )

    return row


def alibaba(_: Reading) -> RowReader:
    """``419,W,8792731648,16384,1577808144360767``: volume, type, offset and size in bytes, Unix
    time in microseconds (github.com/alibaba/block-traces)."""

    def row(line: str) -> Row | str:
        if line == "device_id,opcode,offset,length,timestamp":
            return ""
        volume, kind, offset, size, time = line.split(",")
        return Row(whole(time) * 1000, volume, op_of(kind, "R", "W"), whole(offset), whole(size))

    return row


def msr_line(time_ns: int, device: str, op: int, sector: int, nr_sectors: int) -> str:
    """An MSR row; no response time is known, so it is 0."""
    host, _, disk = device.replace(",", ":").rpartition(".")
    if not host or not disk.isdigit():
        host, disk = device.replace(",", ":"), "0"
    kind = "Write" if op else "Read"
    return (
        f"{time_ns // 100},{host},{disk},{kind},{sector * SECTOR_BYTES},"
        f"{nr_sectors * SECTOR_BYTES},0"
    )
