# cython: language_level=3, cdivision=True, autotestdict=False, auto_pickle=False
"""Call graphs: the longest path between two functions, in numbers only.

`Calls` is a frame table's direct calls; `Narrowed` is what one path may follow of them.
"""

import numpy as np

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from calls.state cimport *
from common.numbers cimport i32, i64, u8, u32, u64

include "calls/nodes.pxi"
include "calls/longest.pxi"


cdef const void *_checked(object array, str name, object dtype, Py_ssize_t size) except? NULL:
    """An array's numbers, of this type and length."""
    if array.dtype != dtype or array.ndim != 1 or not array.flags.c_contiguous:
        raise ValueError(f"{name}: not a contiguous {np.dtype(dtype)} array")
    if array.shape[0] != size:
        raise ValueError(f"{name}: {array.shape[0]} numbers instead of {size}")
    return _data(array)


cdef const void *_data(object array) except? NULL:
    cdef const u8[::1] whole = array.view(np.uint8) if array.shape[0] else _NOTHING
    return &whole[0]


_NOTHING = np.zeros(1, np.uint8)


def _rising(rows, name, total):
    if rows[0] != 0 or rows[-1] != total or (np.diff(rows.astype(np.int64)) < 0).any():
        raise ValueError(f"{name}: must rise from 0 to {total}")


def _below(numbers, name, limit):
    if numbers.shape[0] and int(numbers.max()) >= limit:
        raise ValueError(f"{name}: {int(numbers.max())} is not below {limit}")


cdef class Calls:
    """Direct calls of one frame table, and room for one query at a time.

    Parameters
    ----------
    rows : u32[n + 1]
        Where the calls of a function begin.
    callees : u32[m]
        Ascending in each row; functions are numbered by their names.
    kept : i32[m]
        Bytes that the caller keeps during the call.
    """

    cdef Search search
    cdef readonly object rows, callees, kept
    cdef u32 room

    def __cinit__(self):
        memset(&self.search, 0, sizeof(Search))
        self.room = 0

    def __init__(self, rows, callees, kept):
        n, m = rows.shape[0] - 1, callees.shape[0]
        _checked(rows, "rows", np.uint32, n + 1)
        _checked(callees, "callees", np.uint32, m)
        _checked(kept, "kept", np.int32, m)
        _rising(rows, "rows", m)
        _below(callees, "callees", n)
        self.rows, self.callees, self.kept = rows, callees, kept

    def __dealloc__(self):
        cdef Search *s = &self.search
        free(s.nodes)
        free(s.calls)
        free(s.stack)
        free(s.way)
        free(s.steps)
        free(s.cells)
        free(s.heads)
        free(s.stamps)
        free(s.avoided)

    cdef bint begin(self, const View *view, i64 goal, const u32[::1] avoid) except False:
        """Room for a query over a view's functions, with those marked that it does not enter."""
        cdef Search *s = &self.search
        cdef Py_ssize_t i
        if view.n > self.room:
            free(s.heads)
            free(s.stamps)
            free(s.avoided)
            self.room = 0
            s.heads = <i32 *> calloc(view.n, sizeof(i32))
            s.stamps = <u32 *> calloc(view.n, sizeof(u32))
            s.avoided = <u32 *> calloc(view.n, sizeof(u32))
            if s.heads == NULL or s.stamps == NULL or s.avoided == NULL:
                raise MemoryError
            self.room = view.n
            s.stamp = 0
        s.stamp += 1
        if s.stamp == 0:
            memset(s.stamps, 0, self.room * sizeof(u32))
            memset(s.avoided, 0, self.room * sizeof(u32))
            s.stamp = 1
        s.view = view
        s.goal = goal
        s.n_nodes = s.n_calls = s.n_stack = s.n_way = s.n_steps = s.n_cells = 0
        s.group = s.number = 0
        s.tangled = False
        s.no_memory = False
        for i in range(avoid.shape[0]):
            if avoid[i] >= view.n:
                raise ValueError("avoid: no such function")
            s.avoided[avoid[i]] = s.stamp
        return True


cdef class Narrowed:
    """The calls as one path may follow them.

    Parameters
    ----------
    calls : Calls
    cut : u8[m]
        Calls of the table that are not followed.
    how : u8[f]
        Of a function: 1 its calls are followed, 2 it is one of ``callers``. ``f`` may be more than
        the table has: roots come behind.
    ends : i32[f]
        Bytes that count where a path ends; -1: it cannot end there.
    begins, forbids : u64[f], or None
        States that hold from a function on; those under which it is not called.
    callers : u32[x]
        Functions with calls beside the table's, ascending.
    again : i32[x]
        What they keep beside the last round of a recursion.
    rows : u32[x + 1]
    callees : u32[y]
        In the order of their names in each row.
    kept : i32[y]
        -1: the call is the table's.
    order : i64[y]
        The callee's name among the table's: 256 times the number of the one it is, or less.
    states : u64[y]
        States that hold from this call on.
    """

    cdef View view
    cdef Calls calls
    cdef tuple keep

    def __init__(self, Calls calls not None, *, cut, how, ends, begins, forbids, callers, again,
                 rows, callees, kept, order, states):
        cdef View *v = &self.view
        n, m, f = calls.rows.shape[0] - 1, calls.callees.shape[0], how.shape[0]
        x, y = callers.shape[0], callees.shape[0]
        if f < n or f >= 1 << 30:
            raise ValueError("how: fewer functions than the table has")
        _rising(rows, "rows", y)
        _below(callees, "callees", f)
        _below(callers, "callers", f)
        if (np.diff(callers.astype(np.int64)) <= 0).any() or (how[callers] & 2 == 0).any():
            raise ValueError("callers: must rise, and be marked in how")
        if int((how & 2 != 0).sum()) != x:
            raise ValueError("how: marks others than callers")
        self.calls = calls
        self.keep = (cut, how, ends, begins, forbids, callers, again, rows, callees, kept, order,
                     states)
        v.n, v.n_table, v.n_extra = f, n, x
        v.rows = <const u32 *> _data(calls.rows)
        v.callees = <const u32 *> _data(calls.callees)
        v.kept = <const i32 *> _data(calls.kept)
        v.cut = <const u8 *> _checked(cut, "cut", np.uint8, m)
        v.how = <const u8 *> _checked(how, "how", np.uint8, f)
        v.ends = <const i32 *> _checked(ends, "ends", np.int32, f)
        v.begins = v.forbids = NULL
        if begins is not None:
            v.begins = <const u64 *> _checked(begins, "begins", np.uint64, f)
            v.forbids = <const u64 *> _checked(forbids, "forbids", np.uint64, f)
        v.callers = <const u32 *> _checked(callers, "callers", np.uint32, x)
        v.again = <const i32 *> _checked(again, "again", np.int32, x)
        v.extra_rows = <const u32 *> _checked(rows, "rows", np.uint32, x + 1)
        v.extra_callees = <const u32 *> _checked(callees, "callees", np.uint32, y)
        v.extra_kept = <const i32 *> _checked(kept, "kept", np.int32, y)
        v.extra_order = <const i64 *> _checked(order, "order", np.int64, y)
        v.extra_begins = <const u64 *> _checked(states, "states", np.uint64, y)

    def longest(self, u32 start, goal, avoid, walks):
        """The path from ``start`` that keeps most bytes.

        Parameters
        ----------
        start : int
            Its first function.
        goal : int or None
            Where it ends, not counted; None: at the deepest function, counted.
        avoid : u32[k]
            Functions that it does not enter.
        walks : callable
            Asked when a group of functions that call each other has too many simple paths. It gets
            the nodes (function, states), each one's calls in the group (which node, bytes), and
            the bytes of the best end that leaves the group, -1 for none; it returns bytes and
            nodes of a walk from each, or None where no end is reached.

        Returns
        -------
        list of (int, int), or None
            Functions and the bytes that each keeps; None: it cannot be reached.

        Raises
        ------
        ValueError
            No such function.
        MemoryError
            No memory for the search.
        """
        cdef Search *s = &self.calls.search
        cdef u64 states = 0
        cdef int how
        self._ask(start, goal, avoid, False)
        if self.view.begins != NULL:
            states = self.view.begins[start]
        how = search(s) if begin_at(s, start, states) else NO_MEMORY
        while how == TANGLED:
            self._settle(walks(*self._group()))
            how = search(s)
        if how == NO_MEMORY:
            raise MemoryError
        return None if s.nodes[0].best < 0 else self._path()

    cdef list _path(self):
        """The best path from the first node: functions and bytes."""
        cdef Search *s = &self.calls.search
        cdef u32 i, at
        cdef i32 node = 0
        cdef Call *call
        found = []
        while node >= 0:
            at = node
            for i in range(s.nodes[at].n_steps):
                call = &s.calls[s.steps[s.nodes[at].steps + i]]
                found.append((s.nodes[node].function, call.kept))
                node = call.node
            if s.nodes[at].stays:
                found.append((s.nodes[node].function, s.view.ends[s.nodes[node].function]))
                break
        return found

    cdef tuple _group(self):
        """The tangled group, as `longest` gives it to its ``walks``."""
        cdef Search *s = &self.calls.search
        cdef u32 i, at, c
        cdef i32 call, node
        places = {s.stack[i]: i - s.knot for i in range(s.knot, s.n_stack)}
        nodes, calls, ends = [], [], []
        for i in range(s.knot, s.n_stack):
            at = s.stack[i]
            nodes.append((s.nodes[at].function, s.nodes[at].states))
            ends.append(leaving(s, at, &call))
            inner = []
            for c in range(s.nodes[at].first, s.nodes[at].first + s.nodes[at].count):
                node = s.calls[c].node
                if node >= 0 and s.nodes[node].group == s.group:
                    inner.append((places[node], s.calls[c].kept))
            calls.append(inner)
        return nodes, calls, ends

    cdef bint _settle(self, object walks) except False:
        """Take the walks through the tangled group."""
        cdef Search *s = &self.calls.search
        cdef u32 i, at, here, there, c
        cdef i32 path, call
        for i in range(s.knot, s.n_stack):
            at = s.stack[i]
            walk = walks[i - s.knot]
            s.nodes[at].best = -1 if walk is None else walk[0]
            s.n_cells = 0
            path = -1
            if walk is not None:
                nodes = walk[1]
                here = s.stack[s.knot + <u32> nodes[-1]]
                leaving(s, here, &call)
                path = -1 if call < 0 else cell(s, call, -1)
                for one in reversed(nodes[:-1]):
                    there, here = here, s.stack[s.knot + <u32> one]
                    for c in range(s.nodes[here].first, s.nodes[here].first + s.nodes[here].count):
                        if s.calls[c].node == <i32> there:
                            path = cell(s, c, path)
                            break
            settle(s, at, path)
            if s.no_memory:
                raise MemoryError
        s.n_stack = s.knot
        s.tangled = False
        return True

    def reaches(self, u32 start, u32 goal, avoid):
        """Whether some path leads from ``start`` to ``goal``, whatever the states."""
        self._ask(start, goal, avoid, True)
        found = reach(&self.calls.search, start)
        if self.calls.search.no_memory:
            raise MemoryError
        return found

    cdef bint _ask(self, u32 start, object goal, object avoid, bint plain) except False:
        if start >= self.view.n or (goal is not None and not 0 <= goal < self.view.n):
            raise ValueError("no such function")
        self.calls.search.plain = plain
        return self.calls.begin(&self.view, -1 if goal is None else goal, avoid)
