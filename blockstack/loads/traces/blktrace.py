"""blktrace's binary files, one per CPU: struct blk_io_trace of uapi/linux/blktrace_api.h."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from blockstack.base.units import SECTOR_BYTES
from blockstack.loads.traces.reading import Reading, Row
from blockstack.workload.trace import DISCARD, FLUSH, FUA, READ, WRITE, Trace

_MAGIC, _VERSION = 0x65617400, 7
# magic, sequence, time, sector, bytes, action, pid, device, cpu, error, bytes of payload
_FIELDS = "IIQQIIIIIHH"
_BYTES = struct.calcsize("<" + _FIELDS)
_ACT_MASK, _TA_QUEUE, _TC_SHIFT = 0xFFFF, 1, 16
_TC_WRITE, _TC_FLUSH, _TC_PC, _TC_NOTIFY = 1 << 1, 1 << 2, 1 << 9, 1 << 10
_TC_READ, _TC_DISCARD, _TC_FUA = 1 << 0, 1 << 13, 1 << 15
_MINOR_BITS = 20


def order(head: bytes) -> str:
    """``<`` or ``>`` by the magic number, "" where it is none."""
    for sign in "<>":
        if len(head) >= 4 and struct.unpack(sign + "I", head[:4])[0] == _MAGIC | _VERSION:
            return sign
    return ""


def _row(values: tuple[int, ...]) -> Row | str:
    _, _, time, sector, n_bytes, action, _, device, _, _, _ = values
    category = action >> _TC_SHIFT
    if category & _TC_NOTIFY:
        return ""
    if action & _ACT_MASK != _TA_QUEUE:
        return "events other than Q"
    if category & _TC_PC:
        return "Q events of passthrough commands"
    name = f"{device >> _MINOR_BITS},{device & ((1 << _MINOR_BITS) - 1)}"
    if not n_bytes:
        if category & (_TC_FLUSH | _TC_FUA):
            return Row(time, name, FLUSH, 0, 0)
        return "Q events without data"
    if category & _TC_DISCARD:
        op = DISCARD
    elif category & _TC_WRITE:
        op = FUA if category & (_TC_FLUSH | _TC_FUA) else WRITE
    elif category & _TC_READ:
        op = READ
    else:
        return "Q events that neither read nor write"
    return Row(time, name, op, sector * SECTOR_BYTES, n_bytes)


def _records(stream: BinaryIO, reading: Reading) -> Iterator[tuple[str, Row | str]]:
    number, sign = 0, ""
    while raw := stream.read(_BYTES):
        number += 1
        where = f"record {number}"
        if len(raw) < _BYTES:
            reading.malformed(where, f"has {len(raw)} of {_BYTES} bytes", raw.hex())
            return
        sign = sign or order(raw) or "<"
        values = struct.unpack(sign + _FIELDS, raw)
        pdu_bytes = values[-1]
        if values[0] != _MAGIC | _VERSION:
            # lengths are in the records: after a wrong one nothing can be found again
            reading.malformed(
                where,
                "has not blktrace's magic number of version 7; the rest cannot be read",
                hex(values[0]),
            )
            return
        if len(stream.read(pdu_bytes)) < pdu_bytes:
            reading.malformed(where, f"ends inside its {pdu_bytes} bytes of payload", raw.hex())
            return
        yield where, _row(values)


def read(stream: BinaryIO, reading: Reading) -> Iterator[Trace]:
    """The Q events of one file, or of the files of several CPUs one behind the other."""
    return reading.rows(_records(stream, reading))
