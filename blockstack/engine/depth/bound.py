"""The static road: the deepest stack that any bio of a size could reach, without a simulation.

`Bound` walks the compiled positions and never runs a bio: per task, the entry plus the longest
path over nested submissions (recursive rule) or plus the heaviest single layer (serialised rules).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd

from blockstack.engine.plan import arrays as arr
from blockstack.engine.plan.arrays import FLUSH, FUA, READ, RECURSIVE, WRITE, LimitRow
from blockstack.engine.plan.mappings import (
    ALIGNED_READ,
    DRAINED,
    FILLED,
    FULL_STRIPE_IN_CALLER,
    READ_IN_CALLER,
    REMAP,
    SEGMENTS,
    SNAPSHOT_ORIGIN,
    WRITE_BACK,
    WRITE_THROUGH,
    CacheRow,
    MappingRow,
    ParityRow,
    SnapshotRow,
)
from blockstack.engine.plan.model import Plan
from blockstack.engine.plan.paths import LayeredPath, self_calls

_BLOCK = 8  # sectors: raid4/5/6 work in pages
_State = tuple[int, int, int, int]  # position, op, sectors, alignment


@dataclass(frozen=True)
class Visit:
    """One make_request call of a longest path: the position, the operation, whether the path
    goes on below it (its `through`) or ends in it (its `peak`), and the bytes of the driver's
    calls of itself beyond the one that its rows hold."""

    position: int
    op: int
    goes_on: bool
    self_bytes: int = 0


@dataclass(frozen=True)
class TaskBound:
    """Deepest stack of one task: bytes, the calls on it, the operation that it was entered with,
    and what the frame table lacks on any of the task's paths."""

    bytes: int
    visits: tuple[Visit, ...]
    op: int
    missing: frozenset[str]


@dataclass(frozen=True)
class _Choice:
    """How the deepest path goes on: ``levels`` of this position (a remainder resubmits itself),
    then the state below, or its end here; ``self_bytes`` of calls of itself at one level."""

    bytes: int
    levels: int
    below: _State | None
    ends: bool
    self_bytes: int = 0


@dataclass
class Bound:
    """Deepest stack per task.

    Parameters
    ----------
    plan : Plan
    max_sectors : int
        Largest bio.
    align_sectors : int
        Alignment of its first sector.
    beside : tuple of (position, op)
        What enters beside the workload's operations: a write of a part of a block reads it, a
        journal writes below a read. Workers get these bios, too.
    """

    plan: Plan
    max_sectors: int
    align_sectors: int = 1
    beside: tuple[tuple[int, int], ...] = ()
    _memo: dict[_State, _Choice] = field(default_factory=dict)
    _missing: dict[_State, frozenset[str]] = field(default_factory=dict)
    _emitted: dict[_State, tuple[tuple[_State, bool], ...]] = field(default_factory=dict)

    def tasks(self) -> dict[int, TaskBound]:
        """Task number -> its deepest stack; tasks that no bio reaches are absent."""
        best: dict[int, tuple[int, _State]] = {}
        missing: dict[int, frozenset[str]] = {}
        for state, entry in self._starts().items():
            task = int(self.plan.arrays.task[state[0]])
            depth = entry + self._memo[state].bytes
            missing[task] = missing.get(task, frozenset()) | self._missing[state]
            if task not in best or depth > best[task][0]:
                best[task] = (depth, state)
        return {
            task: TaskBound(depth, self._visits(state), state[1], missing[task])
            for task, (depth, state) in best.items()
        }

    def below(self, position: int, op: int, nr_sectors: int, align_sectors: int = 1) -> LayeredPath:
        """The deepest path from a position on; what any path from there lacks is missing."""
        state = (position, op, nr_sectors, align_sectors)
        self._reach([state])
        return self.path(self._visits(state)).lacking(sorted(self._missing[state]))

    def path(self, visits: tuple[Visit, ...]) -> LayeredPath:
        """The frames of a path's calls, without the task's entry."""
        total = LayeredPath()
        for visit in visits:
            position = self.plan.positions[visit.position]
            rows = position.through if visit.goes_on else position.peak
            total = total + rows.get(visit.op, LayeredPath())
            if visit.self_bytes:
                total = total + self_calls(position.device.name, visit.self_bytes)
        return total

    def _starts(self) -> dict[_State, int]:
        """Where tasks begin: the workload's bios, and whatever is handed to a worker; bytes."""
        a, starts = self.plan.arrays, {}
        for r, root in enumerate(a.roots):
            for op in self.plan.ops:
                starts[self._entered(int(root), op)] = int(a.entry[r * arr.NOPS + op])
        todo = [*starts, *(self._entered(*one) for one in self.beside)]
        self._reach(todo)
        seen = set(todo)
        while todo:
            for below, job in self._emitted[todo.pop()]:
                if job:
                    starts[below] = int(a.task_entry[a.task[below[0]]])
                if below not in seen:
                    seen.add(below)
                    todo.append(below)
        return starts

    def _entered(self, position: int, op: int) -> _State:
        size = 0 if op == FLUSH else self.max_sectors
        return position, op, size, self.align_sectors

    def _reach(self, todo: list[_State]) -> None:
        """Evaluate every call that a bio can lead to."""
        fresh, todo = set(), list(todo)
        while todo:
            state = todo.pop()
            if state in fresh or state in self._memo:
                continue
            fresh.add(state)
            p, op, nr, align = state
            lower = self._aligned(p, align)
            self._emitted[state] = tuple(
                ((child, child_op, size, lower), job)
                for child_op, child, size, job in self._children(p, op, nr)
            )
            todo += [below for below, _ in self._emitted[state]]
        for state in sorted(fresh, reverse=True):  # from the leaves up: parents come first
            self._memo[state] = self._best(*state)
            self._missing[state] = self._lacks(state)

    def _lacks(self, state: _State) -> frozenset[str]:
        """What the frame table lacks anywhere on this task's stack from the call on."""
        position, op = self.plan.positions[state[0]], state[1]
        own = {
            name
            for rows in (position.through, position.peak)
            if op in rows
            for name in rows[op].missing
        }
        return frozenset(own).union(
            *(self._missing[below] for below, job in self._emitted[state] if not job)
        )

    def _children(self, p: int, op: int, nr: int) -> Iterator[tuple[int, int, int, bool]]:
        """(op, position, sectors, handed to a worker) of all that one call may emit."""
        a = self.plan.arrays
        lo, hi = int(a.child_start[p]), int(a.child_start[p + 1])
        worker = bool(a.context[p * arr.NOPS + op])
        kind, row = int(a.op_kind[p]), self._row(p)
        if isinstance(row, ParityRow):
            yield from self._parity(p, row, op, nr, worker)
            return
        size = self._piece(p, op, nr) if op != FLUSH else 0
        for i in range(lo, hi):
            child = int(a.wchild[i] if worker else a.child[i])
            if child >= 0 and self._takes(p, op, i - lo):
                yield op, child, size, worker
            if isinstance(row, SnapshotRow) and op in (WRITE, FUA):
                for job_op, job_nr in ((READ, row.chunk), (WRITE, row.chunk), (op, size)):
                    if a.wchild[i] >= 0 and self._copies(kind, job_op, op, i - lo):
                        yield job_op, int(a.wchild[i]), job_nr, True
            if isinstance(row, CacheRow):
                for job_op in self._cached(row, op, i - lo):
                    yield job_op, int(a.wchild[i]), size, True

    def _row(self, p: int) -> MappingRow | None:
        return self.plan.positions[p].shape.row

    @staticmethod
    def _cached(row: CacheRow, op: int, member: int) -> tuple[int, ...]:
        """What a cache's worker does at a member after a bio: it fills, or it drains."""
        if op == READ:
            return (WRITE,) if member == 1 and row.worker & FILLED else ()
        if op in (WRITE, FUA) and row.writes == WRITE_BACK and row.worker & DRAINED:
            return (READ,) if member == 1 else (WRITE,)
        return ()

    def _takes(self, p: int, op: int, member: int) -> bool:
        """Whether a snapshot's member gets the bio itself (all members of other kinds may)."""
        kind, row = int(self.plan.arrays.op_kind[p]), self._row(p)
        if isinstance(row, SnapshotRow):
            if kind == SNAPSHOT_ORIGIN:
                return member == 0 and (op not in (WRITE, FUA) or row.copied > 0)
            if op == READ:
                return member == 0 or row.copied > 0
            return member == 1 and (op == FLUSH or row.copied > 0)
        if kind == REMAP:
            return member == 0  # a further one holds metadata
        if isinstance(row, CacheRow) and op != FLUSH:
            if member > 1:
                return False  # its metadata's device: flushes only
            if op in (WRITE, FUA):
                if row.writes == WRITE_BACK:
                    return member == 1
                return member == 0 or row.writes == WRITE_THROUGH
            return member == 0 or (op == READ and row.hits > 0)
        return True

    @staticmethod
    def _copies(kind: int, job_op: int, op: int, member: int) -> bool:
        """Whether a member takes part in a snapshot's copy-out with this operation."""
        if kind == SNAPSHOT_ORIGIN:
            return (
                (job_op == READ and member == 0)
                or (job_op == WRITE and member > 0)
                or (job_op == op and member == 0)
            )
        return (job_op == READ and member == 0) or (job_op in (WRITE, op) and member == 1)

    def _parity(
        self, p: int, row: ParityRow, op: int, nr: int, worker: bool
    ) -> Iterator[tuple[int, int, int, bool]]:
        a = self.plan.arrays
        flags = row.flags
        ways: list[tuple[int, int, bool]] = []  # (op, sectors, job)
        if op == FLUSH:
            ways.append((op, 0, worker))
        elif op == READ:
            if flags & ALIGNED_READ:
                ways.append((READ, min(nr, row.chunk), worker))
            if row.failed or not flags & ALIGNED_READ:
                ways.append((READ, _BLOCK, not flags & READ_IN_CALLER or worker))
        else:
            # a bio that alone covers a stripe, or completes one whose other blocks are there
            if (
                flags & FULL_STRIPE_IN_CALLER
                or (row.disks - row.parity - 1) * row.chunk + _BLOCK <= nr
            ):
                ways.append((op, _BLOCK, not flags & FULL_STRIPE_IN_CALLER or worker))
            ways += [(READ, _BLOCK, True), (op, _BLOCK, True)]
        lo, hi = int(a.child_start[p]), int(a.child_start[p + 1])
        for i in range(lo, hi):
            if row.failed >> (i - lo) & 1:
                continue
            for way_op, size, job in ways:
                child = int(a.wchild[i] if job else a.child[i])
                if child >= 0:
                    yield way_op, child, size, job

    def _limit(self, p: int, op: int) -> LimitRow:
        """The queue's limits, as `PlanArrays.limit` has them."""
        at = (p * arr.NOPS + op) * arr.NLIMITS
        return LimitRow(*self.plan.arrays.limit[at : at + arr.NLIMITS].tolist())

    def _piece(self, p: int, op: int, nr: int) -> int:
        """Largest piece that one call hands on."""
        chunks = self._chunks(p, op)
        if len(chunks) == max(1, self._rows(p)):
            nr = min(nr, max(chunks, default=nr)) if chunks else nr
        most, memory, *_, how = self._limit(p, op)
        return min(nr, most, memory or most) if how != arr.NO_LIMIT else nr

    def _rows(self, p: int) -> int:
        a = self.plan.arrays
        return int(a.seg_start[p + 1] - a.seg_start[p])

    def _chunks(self, p: int, op: int) -> list[int]:
        """Chunk sizes at which the driver of ``p`` cuts a bio."""
        a = self.plan.arrays
        if int(a.op_kind[p]) == SEGMENTS:
            rows = a.seg_chunk[a.seg_start[p] : a.seg_start[p + 1]]
            return [int(c) for c in rows if c > 0]
        row = self._row(p)
        if isinstance(row, ParityRow):  # while members are missing, too
            return [row.chunk] if row.flags & ALIGNED_READ and op == READ else []
        return [row.grain(op)] if row is not None and row.grain(op) else []

    def _pieces(self, p: int, op: int, nr: int, align: int) -> int:
        """Most pieces into which the driver of ``p`` itself can cut a bio of ``nr`` sectors."""
        if op == FLUSH or nr <= 1:
            return 1
        a = self.plan.arrays
        cuts = 0
        chunks = self._chunks(p, op)
        if chunks:
            chunk = min(chunks)
            step = gcd(align, chunk)
            cuts += -(-(nr - step) // chunk)
        ends = a.seg_end[a.seg_start[p] : a.seg_start[p + 1] - 1]
        if len(ends):
            inside = [int(((ends > e) & (ends < e + nr - 1)).sum()) for e in ends[:256]]
            cuts += 1 + max(inside) if len(ends) <= 256 else len(ends)
        return 1 + cuts

    def _limit_cuts(self, p: int, op: int, nr: int) -> int:
        """Most cuts that the queue's limits make: every piece as short as alignment can make it,
        and one more at every multiple of the chunk."""
        most, memory, chunk, physical, _, how = self._limit(p, op)
        if how == arr.NO_LIMIT:
            return 0
        if how == arr.LIMIT_DISCARD:
            return -(-nr // max(1, most - chunk + 1)) - 1
        least = max(1, most - physical + 1) if how == arr.LIMIT_REST else most
        return -(-nr // min(least, memory or least)) - 1 + (nr // chunk + 1 if chunk else 0)

    def _best(self, p: int, op: int, nr: int, align: int) -> _Choice:
        """Bytes from the entry of the call on, and how the deepest path goes on."""
        a = self.plan.arrays
        through, peak = int(a.through[p * arr.NOPS + op]), int(a.peak[p * arr.NOPS + op])
        serial = int(a.rule[op]) != RECURSIVE
        pieces = self._pieces(p, op, nr, align)
        loops = int(a.split[p]) in (arr.LOOP, arr.REST_MAPPED)
        rests = self._limit_cuts(p, op, nr)  # each is resubmitted, whatever the driver does
        extra = int(a.self_bytes[p]) * max(0, pieces - 2) if loops and not serial else 0
        levels = 1 if serial else rests + (1 if loops else pieces)
        best = _Choice((levels - 1) * through + peak + extra, levels, None, True, extra)
        for state, job in self._emitted[p, op, nr, align]:
            if job:
                continue
            below = self._memo[state].bytes
            same_frame = serial or bool(a.immediate[p])
            if same_frame and below > best.bytes:
                best = _Choice(below, 0, state, False)
            if not serial and not (a.immediate[p] and pieces + rests == 1):
                depth = levels * through + extra + below
                if depth > best.bytes:
                    best = _Choice(depth, levels, state, False, extra)
        return best

    def _visits(self, state: _State) -> tuple[Visit, ...]:
        """The calls of the deepest path from ``state``."""
        visits: list[Visit] = []
        here: _State | None = state
        while here is not None:
            choice = self._memo[here]
            levels = max(choice.levels, int(choice.ends))
            visits += [
                Visit(
                    here[0],
                    here[1],
                    not choice.ends or i < levels - 1,
                    choice.self_bytes if i == levels - 1 else 0,
                )
                for i in range(levels)
            ]
            here = choice.below
        return tuple(visits)

    def _aligned(self, p: int, align: int) -> int:
        """Alignment of what lies below ``p``."""
        a = self.plan.arrays
        for offset in a.child_offset[a.child_start[p] : a.child_start[p + 1]]:
            align = gcd(align, int(offset))
        for begin in a.seg_begin[a.seg_start[p] : a.seg_start[p + 1]]:
            align = gcd(align, int(begin))
        for chunk in self._chunks(p, READ):  # which has every cut that another has
            align = gcd(align, chunk)
        return max(1, align)
