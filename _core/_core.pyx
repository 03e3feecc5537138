# cython: language_level=3, cdivision=True, autotestdict=False, auto_pickle=False
"""Bios through a plan: the submission engines, in numbers only.

`run` counts, `replay` shows one bio call by call. Semantics: the rules of
``generic_make_request`` from 2.6.20 to 6.1; see ARCHITECTURE.md.
"""

from collections import deque

import numpy as np

from libc.math cimport floor, log, log1p, pow
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

from common.mappings cimport *
from common.mix cimport *
from common.numbers cimport *
from common.ops cimport *
from common.plan cimport *
from submit.state cimport *

cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **, size_t, size_t)

include "submit/draw.pxi"
include "submit/emit.pxi"
include "submit/raid456.pxi"
include "submit/segments.pxi"
include "submit/map.pxi"
include "submit/mappings.pxi"
include "submit/build.pxi"
include "submit/irq.pxi"
include "submit/jobs.pxi"
include "submit/one_child.pxi"
include "submit/recursive.pxi"
include "submit/serialised.pxi"
include "submit/engine.pxi"
include "submit/threads.pxi"
include "submit/door.pxi"
include "submit/source.pxi"
include "submit/open.pxi"
include "submit/replay.pxi"


cdef dict _merge(Worker *workers, int threads, const Plan *p):
    """Add up the parts; of equal peaks the one with the lower bio wins."""
    cdef State *s
    cdef size_t i
    cdef int w
    cdef Py_ssize_t t
    visits = np.zeros(p.P * NOPS, dtype=np.uint64)
    sectors = np.zeros(p.P, dtype=np.uint64)
    overflows = np.zeros(p.T, dtype=np.uint64)
    peak = np.zeros(p.T, dtype=np.int64)
    peak_bio = np.full(p.T, -1, dtype=np.int64)
    cdef u64 *v = <u64 *>_at(visits)
    cdef u64 *c = <u64 *>_at(sectors)
    cdef u64 *o = <u64 *>_at(overflows)
    cdef i64 *d = <i64 *>_at(peak)
    cdef i64 *b = <i64 *>_at(peak_bio)
    out = {"splits": 0, "jobs": 0, "peak_pending": 0, "peak_jobs": 0, "peak_nesting": 0,
           "irq_strikes": 0, "irq_overflows": 0, "irq_peak": 0}
    for w in range(threads):
        s = &workers[w].state
        settle(s)
        for i in range(s.count):
            v[NOPS * <size_t>s.keys[i].pos + s.keys[i].op] += s.nodes[i].visits + 1
            c[s.keys[i].pos] += s.nodes[i].sectors
        for t in range(p.T):
            o[t] += s.overflows[t]
            if s.peak_bio[t] >= 0 and (b[t] < 0 or s.peak[t] > d[t]):
                d[t] = s.peak[t]
                b[t] = s.peak_bio[t]
        for name, value in (("splits", s.splits), ("jobs", s.njobs),
                            ("irq_strikes", s.irq.strikes), ("irq_overflows", s.irq.overflows)):
            out[name] += value
        for name, value in (("peak_pending", s.peak_pending), ("peak_jobs", s.peak_jobs),
                            ("peak_nesting", s.peak_nesting), ("irq_peak", s.irq.peak)):
            out[name] = max(out[name], value)
    out.update(visits=visits, sectors=sectors, overflows=overflows, peak_bytes=peak,
               peak_bio=peak_bio)
    return out


def run(arrays, source, *, first=0, count, threads=1, irq=None):
    """Send source bios [first, first + count) down a plan and count.

    Parameters
    ----------
    arrays : PlanArrays
        The plan: C-contiguous arrays (see blockstack.engine.plan.arrays).
    source : DrawSpec or (op u8[n], sector i64[n], nr_sectors i64[n], root i32[n])
        Drawn bios, or explicit ones; bio ``i`` is row ``i``.
    first, count : int
        Range of bios. Consecutive ranges can be merged.
    threads : int
        The range is cut in this many parts; the result does not depend on it.
    irq : IrqSpec or None
        Interrupts on the running stack.

    Returns
    -------
    dict
        ``bios, splits, jobs, peak_pending, peak_jobs, peak_nesting, irq_strikes, irq_overflows``
        and ``irq_peak`` (bytes) as int; ``visits`` u64[P*5], ``sectors`` u64[P], ``overflows``
        u64[T], ``peak_bytes`` i64[T] and ``peak_bio`` i64[T] (-1: the task never ran).

    Raises
    ------
    ValueError
        An array, a length or an index is wrong.
    MemoryError
        A list of bios cannot grow.
    RecursionError
        More than 100,000 nested calls.
    """
    if not 1 <= threads <= 1024:
        raise ValueError(f"threads: must be in [1, 1024], got {threads}")
    cdef _Source src
    cdef _Plan plan
    src, plan = _open(arrays, source, first, count)
    cdef bint irqs = _check_irq(irq)
    cdef int n = max(1, min(threads, count)), i, failed = 0
    cdef Worker *workers = <Worker *>calloc(n, sizeof(Worker))
    if workers == NULL:
        raise MemoryError
    try:
        for i in range(n):
            workers[i].source = &src.c
            workers[i].first = first + count * i // n
            workers[i].count = first + count * (i + 1) // n - workers[i].first
            workers[i].rule = uniform_rule(&plan.c, src.ops)
            workers[i].irq = irqs
            if not state_init(&workers[i].state, &plan.c, src.ops):
                _fail(&workers[i].state)
            if irqs:
                _irq_from(&workers[i].state.irq, irq)
        with nogil:
            failed = run_workers(workers, n)
        if failed:
            raise MemoryError(f"no thread could be started (error {failed})")
        for i in range(n):
            _fail(&workers[i].state)
        out = _merge(workers, n, &plan.c)
        out["bios"] = count
        return out
    finally:
        for i in range(n):
            state_free(&workers[i].state)
        free(workers)
