"""The same rules as a straightforward numba program: arrays in, arrays out, no tricks.

For the plans of `bench.topologies` without raid levels that need workers. Imported where numba is
installed.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blockstack.engine.plan.arrays import (
    FIFO,
    FRONT,
    LIFO,
    LOOP,
    NOPS,
    READ,
    RECURSIVE,
    REST,
    DrawSpec,
    PlanArrays,
)
from blockstack.engine.plan.mappings import LEAF, MIRROR, REMAP, SEGMENTS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from numba import njit

KINDS = (LEAF, REMAP, SEGMENTS, MIRROR)
KIND, SPLIT, IMMEDIATE, QUEUE, TASK, LIMIT, KID, KID_END, SEG, SEG_END, PEAK = range(11)
THROUGH = PEAK + NOPS
ROOM = 1 << 16  # bios in a list
SPLITS, PENDING, NESTING, TOP, CUT = range(5)
OVERFLOWS, DEEPEST, DEEPEST_BIO = range(3)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
U = np.uint64


@njit
def mix64(z: Any) -> Any:
    z = (z ^ (z >> U(30))) * U(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> U(27))) * U(0x94D049BB133111EB)
    return z ^ (z >> U(31))


@njit
def mulhi(a: Any, b: Any) -> Any:
    low, high = U(0xFFFFFFFF), U(32)
    a0, a1, b0, b1 = a & low, a >> high, b & low, b >> high
    middle = a1 * b0 + ((a0 * b0) >> high)
    return a1 * b1 + (middle >> high) + (((middle & low) + a0 * b1) >> high)


@njit
def picked(sector: int, count: int) -> Any:
    """One of `count` for a region of 64 KiB."""
    return mulhi(mix64(U(sector >> 7) + U(1)), U(count))


@njit
def piece_end(rows: Any, segs: Any, p: int, sector: int, end: int) -> int:
    if rows[p, KIND] != SEGMENTS:
        return end
    s = rows[p, SEG]
    while s + 1 < rows[p, SEG_END] and sector >= segs[s, 1]:
        s += 1
    if s + 1 < rows[p, SEG_END]:
        end = min(end, segs[s, 1])
    chunk = segs[s, 4]
    if chunk:
        end = min(end, segs[s, 0] + ((sector - segs[s, 0]) // chunk + 1) * chunk)
    return end


@njit
def put(bios: Any, n: int, p: int, sector: int, nr: int) -> int:
    bios[n, 0] = p
    bios[n, 1] = sector
    bios[n, 2] = nr
    return n + 1


@njit
def piece(
    rows: Any, segs: Any, kids: Any, p: int, op: int, sector: int, nr: int, bios: Any, n: int
) -> int:
    kind, first = rows[p, KIND], rows[p, KID]
    if kind == SEGMENTS:
        s = rows[p, SEG]
        while s + 1 < rows[p, SEG_END] and sector >= segs[s, 1]:
            s += 1
        k, lower, chunk = segs[s, 2], sector - segs[s, 0], segs[s, 4]
        if segs[s, 3] > 1:
            number = lower // chunk
            k += number % segs[s, 3]
            lower = number // segs[s, 3] * chunk + lower % chunk
        return put(bios, n, kids[k, 0], lower + kids[k, 1], nr)
    if kind == REMAP:
        return put(bios, n, kids[first, 0], sector + kids[first, 1], nr)
    if kind == MIRROR:
        count = rows[p, KID_END] - first
        for k in range(count):
            if op != READ or U(k) == picked(sector, count):
                n = put(bios, n, kids[first + k, 0], sector + kids[first + k, 1], nr)
    return n


@njit
def emissions(
    rows: Any, segs: Any, kids: Any, p: int, op: int, sector: int, nr: int, bios: Any, n: int,
    counts: Any,
) -> int:  # fmt: skip
    """Append what one driver call submits."""
    end = sector + nr
    stop = piece_end(rows, segs, p, sector, end)
    split = rows[p, SPLIT]
    counts[CUT] = stop < end
    if stop == end:
        return piece(rows, segs, kids, p, op, sector, nr, bios, n)
    if split in (FRONT, REST):
        counts[SPLITS] += 1
        if split == REST:
            n = put(bios, n, p, stop, end - stop)
        n = piece(rows, segs, kids, p, op, sector, stop - sector, bios, n)
        return n if split == REST else put(bios, n, p, stop, end - stop)
    if split == LOOP:
        n = piece(rows, segs, kids, p, op, sector, stop - sector, bios, n)
    at = stop
    while at < end:
        edge = piece_end(rows, segs, p, at, end)
        n = piece(rows, segs, kids, p, op, at, edge - at, bios, n)
        counts[SPLITS] += 1
        at = edge
    return n if split == LOOP else piece(rows, segs, kids, p, op, sector, stop - sector, bios, n)


@njit
def hop(rows: Any, p: int, op: int, nr: int, sp: int, bio: int, tally: Any, tasks: Any) -> None:
    tally[p, op] += 1
    if rows[p, KIND] == LEAF:
        tally[p, NOPS] += nr
    depth = sp + rows[p, PEAK + op]
    task = rows[p, TASK]
    tasks[task, OVERFLOWS] += depth > rows[p, LIMIT]
    if depth > tasks[task, DEEPEST]:
        tasks[task, DEEPEST] = depth
        tasks[task, DEEPEST_BIO] = bio


@njit
def recurse(
    rows: Any,
    segs: Any,
    kids: Any,
    p: int,
    op: int,
    sector: int,
    nr: int,
    sp: int,
    nesting: int,
    bio: int,
    bios: Any,
    counts: Any,
    tally: Any,
    tasks: Any,
) -> None:
    counts[NESTING] = max(counts[NESTING], nesting)
    base = counts[TOP]
    while True:
        hop(rows, p, op, nr, sp, bio, tally, tasks)
        n = emissions(rows, segs, kids, p, op, sector, nr, bios, base, counts)
        if not (rows[p, IMMEDIATE] and n - base == 1 and not counts[CUT]):
            break
        p, sector, nr = bios[base, 0], bios[base, 1], bios[base, 2]
    counts[TOP] = n
    lower = sp + rows[p, THROUGH + op]
    for i in range(base, n):
        q, s, m = bios[i, 0], bios[i, 1], bios[i, 2]
        recurse(rows, segs, kids, q, op, s, m, lower, nesting + 1, bio, bios, counts, tally, tasks)
    counts[TOP] = base


@njit
def serialised(
    rows: Any, segs: Any, kids: Any, rule: int, p: int, op: int, sector: int, nr: int, sp: int,
    bio: int, bios: Any, spare: Any, counts: Any, tally: Any, tasks: Any,
) -> None:  # fmt: skip
    counts[NESTING] = 1
    head = tail = 0
    while True:
        hop(rows, p, op, nr, sp, bio, tally, tasks)
        n = emissions(rows, segs, kids, p, op, sector, nr, bios, tail, counts)
        if rows[p, IMMEDIATE] and n - tail == 1 and not counts[CUT]:
            p, sector, nr = bios[tail, 0], bios[tail, 1], bios[tail, 2]
            continue
        counts[PENDING] = max(counts[PENDING], n - head)
        if rule not in (FIFO, LIFO):
            for i in range(n - tail):  # field by field: a view costs a reference count
                for k in range(3):
                    spare[i, k] = bios[tail + i, k]
            at = tail
            for same in range(1, -1, -1):
                for i in range(n - tail - 1, -1, -1):
                    if (rows[spare[i, 0], QUEUE] == rows[p, QUEUE]) == same:
                        at = put(bios, at, spare[i, 0], spare[i, 1], spare[i, 2])
        tail = n
        if head == tail:
            return
        if rule == FIFO:
            p, sector, nr = bios[head, 0], bios[head, 1], bios[head, 2]
            head += 1
            if head == tail:
                head = tail = 0
        else:
            tail -= 1
            p, sector, nr = bios[tail, 0], bios[tail, 1], bios[tail, 2]


@njit
def loop(rows: Any, segs: Any, kids: Any, entry: Any, d: Any, rule: int, first: int, count: int,
         bios: Any, spare: Any, counts: Any, tally: Any,
         tasks: Any) -> None:  # fmt: skip
    seed, lo, step, sizes, align, capacity, threshold = d
    key = mix64(U(seed) + GOLDEN)
    for i in range(first, first + count):
        x = mix64(key + U(2 * i + 1) * GOLDEN)
        y = mix64(key + U(2 * i + 2) * GOLDEN)
        op = 0
        while U(y) & U(0xFFFFFFFF) > U(threshold[op]):
            op += 1
        nr = lo + np.int64(((y >> U(32)) * U(sizes)) >> U(32)) * step
        sector = np.int64(mulhi(x, U((capacity - nr) // align + 1))) * align
        p = 0
        if rule == RECURSIVE:
            counts[TOP] = 0
            recurse(
                rows, segs, kids, p, op, sector, nr, entry[op], 1, i, bios, counts, tally, tasks
            )
        else:
            serialised(
                rows,
                segs,
                kids,
                rule,
                p,
                op,
                sector,
                nr,
                entry[op],
                i,
                bios,
                spare,
                counts,
                tally,
                tasks,
            )


def can_run(arrays: PlanArrays) -> bool:
    """Whether this program knows every kind of the plan."""
    return bool(np.isin(arrays.op_kind, KINDS).all())


def packed(arrays: PlanArrays) -> tuple[NDArray[np.int64], ...]:
    """The plan as three tables: positions, segments, children."""
    a = arrays
    columns = (a.op_kind, a.split, a.immediate, a.queue, a.task, a.task_limit[a.task])
    ranges = (a.child_start[:-1], a.child_start[1:], a.seg_start[:-1], a.seg_start[1:])
    peak, through = a.peak.reshape(-1, NOPS), a.through.reshape(-1, NOPS)
    segments = (a.seg_begin, a.seg_end, a.seg_first, a.seg_width, a.seg_chunk)
    tables = (
        np.column_stack([*columns, *ranges, peak, through]),
        np.column_stack(segments),
        np.column_stack((a.child, a.child_offset)),
    )
    return tuple(np.ascontiguousarray(table, dtype=np.int64) for table in tables)


def run(
    arrays: PlanArrays, spec: DrawSpec, *, first: int = 0, count: int
) -> tuple[NDArray[np.int64], ...]:
    """(visits, sectors, overflows, peak_bytes, peak_bio, [splits, peak_pending, peak_nesting])."""
    tally = np.zeros((len(arrays.op_kind), NOPS + 1), dtype=np.int64)
    tasks = np.zeros((len(arrays.task_limit), 3), dtype=np.int64)
    tasks[:, DEEPEST:] = -1
    counts = np.zeros(5, dtype=np.int64)
    bios = np.empty((ROOM, 3), dtype=np.int64)
    draw = (
        spec.seed,
        spec.size_lo,
        spec.size_step,
        spec.size_count,
        spec.align_sectors,
        int(spec.capacity_sectors[0]),
        spec.op_threshold,
    )
    rule = int(arrays.rule[0])
    spare = np.empty_like(bios)
    loop(*packed(arrays), arrays.entry, draw, rule, first, count, bios, spare, counts, tally, tasks)
    if rule == RECURSIVE:
        counts[PENDING] = 0
    return (tally[:, :NOPS].reshape(-1), tally[:, NOPS], *tasks.T, counts[:3])
