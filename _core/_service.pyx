# cython: language_level=3, cdivision=True, autotestdict=False, auto_pickle=False
"""Bios through stations in time: the event loop of the capacity model, in numbers only.

`run` sends bios, each a graph of visits to stations, and measures latencies and integrals.
"""

import numpy as np

from libc.math cimport floor, sqrt
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from common.mix cimport *
from common.numbers cimport *
from common.ops cimport *
from common.service cimport *
from events.state cimport *

include "events/heap.pxi"
include "events/draw.pxi"
include "events/station.pxi"
include "events/flow.pxi"
include "events/loop.pxi"
include "events/door.pxi"

HISTOGRAM_SLOTS = SLOTS
TABLE_QUANTILES = QUANTILES
cdef tuple WHY = ("running", "finished", "full", "stalled", "beyond")


cdef dict _found(_Sim sim, double began):
    """What a run measured, as arrays."""
    cdef Sim *s = &sim.c
    cdef Station *st
    cdef u32 i
    stations = np.zeros((s.n_stations, 8))
    for i in range(s.n_stations):
        st = &s.stations[i]
        account(st, s.now)
        stations[i] = (st.done, st.area_here, st.area_busy, st.sojourn, st.waited,
                       st.most_waiting, st.merged, st.here)
    tally = np.zeros((s.n_streams * NOPS, 10))
    for i in range(s.n_streams * NOPS):
        t = s.tally[i]
        tally[i] = (t.count, t.bytes, t.lat, t.lat2, t.lat_min if t.count else 0.0, t.lat_max,
                    t.slat, t.slat2, t.slat_min if t.count else 0.0, t.slat_max)
    counts = sim.keep["counts"].reshape(2, s.n_streams, NOPS, SLOTS)
    if s.plain:
        counts[1] = counts[0]
    return {"elapsed_ns": s.now - began, "bios": s.finished, "most_flying": s.most_flying,
            "flying": s.flying, "stations": stations, "lat": counts[0], "clat": counts[1],
            "tally": tally.reshape(s.n_streams, NOPS, 10), "rows": sim.keep["rows"][:s.n_rows]}


def run(plan, loads, *, bios, warmup=0, batches=20, seed=0, max_flying, record=(0, 0)):
    """Send bios through stations until so many are done.

    Parameters
    ----------
    plan : ServicePlan
        Stations and templates (see blockstack.engine.capacity.arrays).
    loads : sequence of Load
        Closed, open, paced or traced; each has jobs and templates of its own. A trace is alone.
    bios, warmup : int
        Bios that are measured, after those that are not.
    batches : int
        The measured bios are cut into so many equal batches, for confidence intervals.
    seed : int
        Same inputs and seed, same result, bit for bit.
    max_flying : int
        Most bios in flight: memory is allocated for them before the run.
    record : (int, int)
        First and number of bios whose visits are written down, counted from the first launched.

    Returns
    -------
    dict
        ``why`` ("finished", "full", "stalled", "beyond"), ``elapsed_ns`` of the measured part,
        ``bios``, ``most_flying``, ``flying``; ``stations`` f64[S, 8] (done, area of the number in
        the station ns, area of busy servers ns, sum of sojourns ns, sum of waits ns, longest queue,
        merged, in the station at the end); ``tally`` f64[L, 5, 10] (count, bytes, latency sum, sum
        of squares, min, max, the same of submission); ``lat``, ``clat`` u64[L, 5, H];
        ``batch_ns`` f64[B] and ``batch_lat_ns`` f64[B]; ``rows`` f64[n, 6] (bio, station, node,
        arrived, began, done).

    Raises
    ------
    ValueError
        An array, a length or an index is wrong.
    MemoryError
        No memory for so many bios in flight.
    """
    if not 1 <= batches <= bios or warmup < 0 or bios >= 1 << 62:
        raise ValueError("bios, warmup, batches: 1 <= batches <= bios, warmup not negative")
    if not 1 <= max_flying < 1 << 31:
        raise ValueError("max_flying: 1 to 2**31")
    cdef _Sim sim = _Sim(plan, loads, seed, max_flying, record)
    cdef Sim *s = &sim.c
    cdef u64 target = warmup
    cdef bint plain = s.plain
    cdef double before, lat
    cdef int i
    with nogil:
        run_some(s, target, plain)
    s.finished = 0
    forget(s)
    began = before = s.now
    spans, sums, lat = [], [], 0.0
    for i in range(batches):
        target = bios * (i + 1) // batches
        if s.why == RUNNING:
            with nogil:
                run_some(s, target, plain)
        total = sum(s.tally[row].lat for row in range(s.n_streams * NOPS))
        spans.append(s.now - before)
        sums.append(total - lat)
        before, lat = s.now, total
    out = _found(sim, began)
    out["why"] = WHY[FINISHED if s.why == RUNNING else s.why]
    out["batch_ns"] = np.array(spans)
    out["batch_lat_ns"] = np.array(sums)
    return out
