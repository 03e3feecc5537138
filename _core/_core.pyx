# cython: language_level=3, cdivision=True, autotestdict=False, auto_pickle=False
"""Bios through a plan: the submission engines, in numbers only.

`run` counts, `replay` shows one bio call by call. Semantics: the rules of
``generic_make_request`` from 2.6.20 to 6.1; see ARCHITECTURE.md.
"""

from collections import deque

import numpy as np

from libc.math cimport floor, log, log1p, pow
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **, size_t, size_t)

include "types.pxi"
include "mix.pxi"
include "draw.pxi"
include "emit.pxi"
include "raid456.pxi"
include "segments.pxi"
include "map.pxi"
include "build.pxi"
include "irq.pxi"
include "jobs.pxi"
include "one_child.pxi"
include "recursive.pxi"
include "serialised.pxi"
include "engine.pxi"
include "threads.pxi"
include "door.pxi"
include "source.pxi"
include "replay.pxi"


cdef void _fail(State *s) except *:
    """Raise what stopped a state."""
    if s.why == BAD_MEMORY:
        raise MemoryError(f"a list of bios could not grow (at most {int(MAX_QUEUE)} bios)")
    if s.why == BAD_NESTING:
        raise RecursionError(f"more than {int(MAX_NESTING)} nested make_request calls")
    if s.why == BAD_LINK:
        raise ValueError(f"child, wchild: position {s.bad_pos} needs a link that is -1 "
                         f"for op {s.bad_op}")
    if s.why == BAD_DISCARD:
        raise ValueError(f"op_kind[{s.bad_pos}]: a raid4/5/6 takes no discard")


cdef tuple _open(arrays, source, first, count):
    """Both doors: a checked source and a checked plan for bios [first, first + count)."""
    if first < 0 or count < 0 or first + count > 1 << 62:
        raise ValueError(f"first, count: must be in [0, 2**62], got {first}, {count}")
    threshold = _column("root_threshold", arrays.root_threshold, "uint32", len(arrays.roots))
    cdef _Source src = _Source(source, len(threshold), threshold, first, count)
    return src, _Plan(arrays, src.most)


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
            v[5 * <size_t>s.keys[i].pos + s.keys[i].op] += s.nodes[i].visits + 1
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
