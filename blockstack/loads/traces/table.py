"""blockstack's own trace: the record as CSV, ns and sectors of 512 bytes, nothing to guess."""

from blockstack.base.registry import OPS
from blockstack.base.units import SECTOR_BYTES
from blockstack.loads.traces.reading import Reading, Row, RowReader, scaled, whole

HEADER = "time_ns,device,op,sector,nr_sectors"


def rows(_: Reading) -> RowReader:
    """``1500,sda,write,2048,8``."""

    def row(line: str) -> Row | str:
        if line == HEADER:
            return ""
        time, device, op, sector, count = line.split(",")
        if op not in OPS:
            raise ValueError(f"not one of {', '.join(OPS)}")
        return Row(
            scaled(time, 0),
            device,
            OPS.index(op),
            whole(sector) * SECTOR_BYTES,
            whole(count) * SECTOR_BYTES,
        )

    return row


def line(time_ns: int, device: str, op: int, sector: int, nr_sectors: int) -> str:
    """One row of the file."""
    return f"{time_ns},{device.replace(',', ':')},{OPS[op]},{sector},{nr_sectors}"
