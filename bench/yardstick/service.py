"""The yardstick of the event loop: tandem networks of exponential c-server queues, in C."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench import yardstick
from blockstack.engine.capacity.core import HISTOGRAM_SLOTS

_FIELDS = ("elapsed_ns", "sojourn", "here", "busy", "lat")


class _Result(ctypes.Structure):
    _fields_ = (*((name, ctypes.c_double) for name in _FIELDS), ("visits", ctypes.c_uint64))


def run(
    means_ns: Sequence[float],
    servers: Sequence[int],
    *,
    bios: int,
    depth: int = 0,
    gap_ns: float = 0.0,
    seed: int = 0,
    cap: int = 4096,
) -> dict[str, Any]:
    """Bios visit every station in order: ``depth`` of them for ever, or Poisson arrivals."""
    mean, c = np.array(means_ns, np.float64), np.array(servers, np.int32)
    lat, out = np.zeros(HISTOGRAM_SLOTS, np.uint64), _Result()
    library = yardstick.build("service", (), ("service.c",), "-lm")
    status = library.service_run(
        ctypes.c_uint32(len(mean)),
        ctypes.c_void_p(mean.ctypes.data),
        ctypes.c_void_p(c.ctypes.data),
        ctypes.c_uint32(depth),
        ctypes.c_double(gap_ns),
        ctypes.c_uint64(seed),
        ctypes.c_uint64(bios),
        ctypes.c_uint32(cap),
        ctypes.c_void_p(lat.ctypes.data),
        ctypes.byref(out),
    )
    if status:
        raise MemoryError("more bios in flight than were allowed for")
    return {name: getattr(out, name) for name in (*_FIELDS, "visits")} | {"counts": lat}
