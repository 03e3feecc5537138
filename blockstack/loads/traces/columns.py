"""blockstack's own trace as Parquet: the record's columns, in row groups of one chunk each."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from blockstack.base import parquet
from blockstack.base.registry import OPS
from blockstack.base.units import SECTOR_BYTES
from blockstack.loads.traces import reading as chunks
from blockstack.loads.traces.reading import Reading, Row
from blockstack.workload.trace import Trace

COLUMNS = {
    "time_ns": "int64",
    "device": "string",
    "op": "string",
    "sector": "int64",
    "nr_sectors": "int64",
}


def looks(head: bytes) -> bool:
    """Whether a file begins as Parquet does."""
    return head.startswith(parquet.MAGIC)


def read(stream: BinaryIO, reading: Reading) -> Iterator[Trace]:
    """The bios of a file with the record's columns; others are passed over."""
    return reading.rows(_found(stream, reading))


def _found(stream: BinaryIO, reading: Reading) -> Iterator[tuple[str, Row | str]]:
    number = 0
    for batch in parquet.batches(stream, list(COLUMNS), chunks.CHUNK_ROWS):
        for values in zip(*(batch[name] for name in COLUMNS), strict=True):
            number += 1
            time, device, op, sector, count = values
            if (
                op not in OPS
                or not isinstance(device, str)
                or not all(isinstance(x, int) for x in (time, sector, count))
            ):
                reading.malformed(f"row {number}", "not a bio", values)
                continue
            yield (
                f"row {number}",
                Row(time, device, OPS.index(op), sector * SECTOR_BYTES, count * SECTOR_BYTES),
            )


def save(trace: Iterator[Trace], path: str) -> None:
    """Write a trace, chunk by chunk."""
    words = np.array(OPS)
    parquet.save(
        path,
        COLUMNS,
        (
            {
                "time_ns": chunk.time_ns,
                "device": np.array(chunk.devices, object)[chunk.device],
                "op": words[chunk.op],
                "sector": chunk.sector,
                "nr_sectors": chunk.nr_sectors,
            }
            for chunk in trace
        ),
        {"blockstack": "block trace; sectors of 512 bytes"},
    )
