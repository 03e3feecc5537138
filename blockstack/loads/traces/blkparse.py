"""blkparse's default text: the bios that were queued (action Q).

``fill_rwbs()`` of blktrace's blkparse_fmt.c and ``blk_fill_rwbs()`` of the kernel's
kernel/trace/blktrace.c write the RWBS field: F (preflush), one of W R D E N, F (FUA), A, S, M.
"""

import re
from collections import Counter

from blockstack.base.units import SECTOR_BYTES
from blockstack.loads.traces.reading import Reading, Row, RowReader, scaled, whole
from blockstack.workload.trace import DISCARD, FLUSH, FUA, READ, WRITE

EVENT = re.compile(
    r"\s*(\d+,\d+)\s+\d+\s+\d+\s+(\d+\.\d+)\s+\d+\s+([A-Z]+)\s+([A-Z]+)"
    r"(?:\s+(\d+)(?:\s+\+\s+(\d+))?)?(?:\s|$)",
    re.ASCII,
)
_MESSAGE = re.compile(r"\s*\d+,\d+\s+\d+\s+\d+\s+\d+\.\d+\s+\d+\s+m\s", re.ASCII)
_SUMMARY = re.compile(
    r"CPU\d+ \(|Total \(|Throughput \(|Events \(|Skips:|Input file|"
    r"(?:Reads|Read|PC Reads|IO unplugs|Writes|Write|PC Writes|Timer|Read depth)"
)
QUEUED = "Q"


def op_of(rwbs: str, nr_sectors: int) -> int | None:
    """The operation of an RWBS field; None: no bio of data (a passthrough command)."""
    if not nr_sectors:
        return FLUSH if "F" in rwbs else None
    if "D" in rwbs or "E" in rwbs:
        return DISCARD
    if "W" in rwbs:
        return FUA if "F" in rwbs else WRITE
    return READ if "R" in rwbs else None


def rows(_: Reading) -> RowReader:
    """``8,0 3 1 0.000000000 697 Q W 223490 + 8 [kjournald]``."""
    summary = False

    def row(line: str) -> Row | str:
        nonlocal summary
        event = EVENT.match(line)
        if event is None:
            summary = summary or _SUMMARY.match(line) is not None
            if summary or _MESSAGE.match(line):
                return ""
            raise ValueError("neither an event nor blkparse's summary")
        summary = False
        device, time, action, rwbs, sector, count = event.groups()
        if action != QUEUED:
            return f"events of action {action}"
        sectors = whole(count) if count else 0
        op = op_of(rwbs, sectors)
        if op is None:
            return f"Q events of {rwbs}"
        return Row(
            scaled(time, 9), device, op, whole(sector or "0") * SECTOR_BYTES, sectors * SECTOR_BYTES
        )

    return row


def none_queued(left_out: Counter[str]) -> str:
    """Why a trace that was read to its end has no bios."""
    if any(reason.startswith("events of action") for reason in left_out):
        return "has no Q events: record them with `blktrace -a queue` or without -a"
    return ""
