"""HdrHistogram: values of the counts' slots, percentiles, and the log that its tools read.

Gil Tene's format V2 (hdrhistogram.github.io): 3 significant digits, 1 ns to 1 hour.
"""

import base64
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

HALF = 1024  # half of the 2048 sub-buckets
HIGHEST_NS = 3600 * 10**9
DIGITS = 3
_COOKIE, _COMPRESSED = 0x1C849303 | 0x10, 0x1C849304 | 0x10


def value_of(slot: int) -> int:
    """The lowest value in ns that is counted in a slot."""
    bucket = max(slot // HALF - 1, 0)
    return (slot - bucket * HALF) << bucket


def values_of(slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """The middle of each slot's values in ns, as HdrHistogram's medianEquivalentValue."""
    bucket = np.maximum(slots // HALF - 1, 0)
    middle: NDArray[np.int64] = ((slots - bucket * HALF) << bucket) + ((1 << bucket) >> 1)
    return middle


def percentiles(counts: NDArray[np.uint64], wanted: Iterable[float]) -> list[int]:
    """Latency in ns below or at which each per cent of the values lies; empty counts give 0."""
    total = int(counts.sum())
    if not total:
        return [0 for _ in wanted]
    reached = np.cumsum(counts)
    # rounded first: 99.9 / 100 * 20,000 is a little more than 19,980
    ranks = np.ceil(np.round(np.array(list(wanted)) / 100 * total, 6)).clip(1)
    return [int(v) for v in values_of(np.searchsorted(reached, ranks))]


def bins(counts: NDArray[np.uint64]) -> dict[int, int]:
    """Values in ns and how often each was counted."""
    slots = np.flatnonzero(counts)
    return {int(v): int(c) for v, c in zip(values_of(slots), counts[slots], strict=True)}


def _zigzag(value: int) -> bytes:
    """LEB128 of the zigzag form: at most 9 bytes, the ninth with all 8 bits."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F and len(out) < 8:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(counts: NDArray[np.uint64]) -> str:
    """A histogram as V2 compressed base64 text. Runs of empty slots are their negative length."""
    payload, at = bytearray(), 0
    for slot in np.flatnonzero(counts):
        if slot > at:
            payload += _zigzag(-(int(slot) - at))
        payload += _zigzag(int(counts[slot]))
        at = int(slot) + 1
    head = struct.pack(">iiiiqqd", _COOKIE, len(payload), 0, DIGITS, 1, HIGHEST_NS, 1.0)
    packed = zlib.compress(head + bytes(payload))
    return base64.b64encode(struct.pack(">ii", _COMPRESSED, len(packed)) + packed).decode()


def log_text(histograms: Iterable[tuple[str, NDArray[np.uint64], int]], seconds: float) -> str:
    """A histogram log (version 1.3): one tagged line each of (tag, counts, longest ns)."""
    lines = [
        "#[Histogram log format version 1.3]",
        "#[latencies in ns, from a simulation]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    lines += [
        f"Tag={tag},0.000,{seconds:.3f},{most / 1e6:.3f},{encode(counts)}"
        for tag, counts, most in histograms
    ]
    return "\n".join(lines) + "\n"
