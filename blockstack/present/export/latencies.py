"""A capacity result's latencies as a table: a row per value that occurred."""

from collections.abc import Iterator
from typing import Any

from blockstack.base import hdr, parquet
from blockstack.engine.capacity.result import CapacityResult, OpLatency

COLUMNS = {
    "job": "string",
    "op": "string",
    "part": "string",
    "latency_ns": "int64",
    "count": "int64",
}


def save_latencies(result: CapacityResult, name: str, path: str) -> None:
    """Write the histograms to a Parquet file.

    ``job`` is ``name``, or of several loads at once their names; ``part`` is fio's ``lat`` (the
    whole of it) or ``clat`` (after submission); ``latency_ns`` is the middle of a bin of 3 digits.

    Raises
    ------
    ParquetError
        No pyarrow, or a file that cannot be written.
    """
    each = [(s.name, op) for s in result.streams for op in s.ops] or [
        (name, op) for op in result.ops
    ]
    parquet.save(
        path,
        COLUMNS,
        (batch for job, op in each for batch in _batches(job, op)),
        {"blockstack": f"latencies of {result.stack} on {result.kernel}"},
    )


def _batches(job: str, op: OpLatency) -> Iterator[dict[str, Any]]:
    for part, counts in (("lat", op.counts), ("clat", op.completion_counts)):
        found = hdr.bins(counts)
        n = len(found)
        yield {
            "job": [job] * n,
            "op": [op.op] * n,
            "part": [part] * n,
            "latency_ns": list(found),
            "count": list(found.values()),
        }
