"""Traces of simulators: DiskSim (default ascii, validate) and MQSim."""

from blockstack.base.units import SECTOR_BYTES
from blockstack.loads.traces.reading import Reading, Row, RowReader, op_of, scaled, whole


def ascii_rows(_: Reading) -> RowReader:
    """``13.191135 30 0 5 1``: ms, device, block, blocks, flags in hex of which bit 0 is a read
    (DiskSim 4.0 manual, "Default ascii trace")."""

    def row(line: str) -> Row | str:
        time, device, block, count, flags = line.split()
        read = int(flags, 16) & 1
        return Row(
            scaled(time, 6),
            device,
            1 - read,
            whole(block) * SECTOR_BYTES,
            whole(count) * SECTOR_BYTES,
        )

    return row


def validate_rows(_: Reading) -> RowReader:
    """``R Hit 3962268 12 6657.0 64047.0``: type, cache, block, blocks, service time and time to
    the next arrival in us (DiskSim's iotrace_validate_get_ioreq_event)."""
    clock_ns = 0

    def row(line: str) -> Row | str:
        nonlocal clock_ns
        kind, _cache, block, count, _service, gap = line.split()
        found = Row(
            clock_ns,
            "disk",
            op_of(kind, "R", "W"),
            whole(block) * SECTOR_BYTES,
            whole(count) * SECTOR_BYTES,
        )
        clock_ns += scaled(gap, 3)
        return found

    return row


def mqsim(_: Reading) -> RowReader:
    """``938513000 4 264719034 16 0``: ns, device, sector, sectors, 0 a write or 1 a read (MQSim's
    ASCII_Trace_Definition.h)."""

    def row(line: str) -> Row | str:
        time, device, sector, count, kind = line.split()
        return Row(
            whole(time),
            device,
            op_of(kind, "1", "0"),
            whole(sector) * SECTOR_BYTES,
            whole(count) * SECTOR_BYTES,
        )

    return row


def ascii_line(time_ns: int, device: str, op: int, sector: int, nr_sectors: int) -> str:
    """A DiskSim row."""
    return (
        f"{time_ns // 10**6}.{time_ns % 10**6:06d}\t{_number(device)}\t{sector}\t{nr_sectors}"
        f"\t{0 if op else 1}"
    )


def mqsim_line(time_ns: int, device: str, op: int, sector: int, nr_sectors: int) -> str:
    """An MQSim row."""
    return f"{time_ns} {_number(device)} {sector} {nr_sectors} {0 if op else 1}"


def _number(device: str) -> str:
    if not device.isdigit():
        raise ValueError(f"devices are numbers here, not {device!r}")
    return device
