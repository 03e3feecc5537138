"""How many calls one bio may become, known before it starts: pieces times levels of the plan.

A bound over the compiled plan, linear in its positions: what every engine holds of one bio at a
time is checked against the memory that it may use.
"""

from collections.abc import Iterator
from functools import reduce

from blockstack.base.errors import LimitExceeded
from blockstack.base.units import SECTOR_BYTES, format_bytes, format_count
from blockstack.engine.plan import arrays as arr
from blockstack.engine.plan.arrays import FLUSH, NOPS, READ, LimitRow, PlanArrays
from blockstack.engine.plan.mappings import MIRROR
from blockstack.engine.plan.model import Plan

#: what a run may take for the bios that one bio becomes, unless it is told
MEMORY_LIMIT_BYTES = 1 << 30
#: of a call: in the core's lists of a thread; replayed; as visits that are kept. Measured
CORE_BYTES, REPLAY_BYTES, VISIT_BYTES = 128, 1536, 384
#: a position and the sectors of a bio that is given to it
Visit = tuple[int, int]


def calls_of(plan: Plan, max_sectors: int) -> int:
    """At most so many calls follow from one bio of up to ``max_sectors`` sectors.

    Parameters
    ----------
    plan : Plan
    max_sectors : int

    Returns
    -------
    int
        Of the operation with most; rests that a device is given again are calls, too.
    """
    return max(_Fan(plan, op).most(0 if op == FLUSH else max_sectors) for op in plan.ops)


def check_memory(
    plan: Plan, max_sectors: int, bytes_per_call: int, memory_limit_bytes: int | None
) -> int:
    """Refuse what would not fit into memory, before it starts.

    Parameters
    ----------
    plan : Plan
    max_sectors : int
        The largest bio.
    bytes_per_call : int
        Of all that an engine holds at once, for each call that a bio becomes.
    memory_limit_bytes : int or None
        None: `MEMORY_LIMIT_BYTES`.

    Returns
    -------
    int
        Calls of one bio, at most.

    Raises
    ------
    LimitExceeded
    """
    most = MEMORY_LIMIT_BYTES if memory_limit_bytes is None else memory_limit_bytes
    calls = calls_of(plan, max_sectors)
    needed = calls * bytes_per_call
    if needed > most:
        raise LimitExceeded(
            f"one bio may become {format_count(calls).strip()} calls of drivers: "
            f"{format_bytes(_rounded(needed))} of memory, the limit is {format_bytes(most)}",
            path="workload.bs",
            value=format_bytes(max_sectors * SECTOR_BYTES),
            hint="smaller bios, larger chunks, fewer layers, or --memory-limit",
        )
    return calls


def _rounded(n_bytes: int) -> int:
    """Whole MiB, whole GiB from 10 of them on."""
    unit = 1 << (30 if n_bytes >= 10 << 30 else 20)
    return -(-n_bytes // unit) * unit


class _Fan:
    """Calls of one operation below each position: sizes first, downwards; then sums, upwards."""

    def __init__(self, plan: Plan, op: int) -> None:
        self.arrays: PlanArrays = plan.arrays
        self.shapes = [position.shape for position in plan.positions]
        self.op = op

    def most(self, n_sectors: int) -> int:
        sizes: list[set[int]] = [set() for _ in self.shapes]
        for root in self.arrays.roots.tolist():
            sizes[root] |= {n_sectors, min(1, n_sectors)}
        for at, found in enumerate(sizes):
            for size in tuple(found):
                for _, low, given in self._below(at, size):
                    sizes[low] |= {given, min(1, given)}
        cost: dict[Visit, int] = {}
        for at in range(len(sizes) - 1, -1, -1):
            for size in sorted(sizes[at]):
                cost[at, size] = self._cost(at, size, cost)
        return max(cost[root, n_sectors] for root in self.arrays.roots.tolist())

    def _cost(self, at: int, size: int, cost: dict[Visit, int]) -> int:
        pieces, each = self._cut(at, size)
        times, everyone = self._copies(at, each)
        below: dict[int, int] = {}
        for child, low, given in self._below(at, size):  # in the caller or in the worker
            below[child] = max(below.get(child, 0), cost[low, given])
        last = sum(below.values()) if everyone else max(below.values(), default=0)
        found = pieces * (1 + times * last)
        # cut down to sectors there is no more to cut
        return min(found, size * cost[at, 1]) if size > 1 else found

    def _below(self, at: int, size: int) -> Iterator[tuple[int, int, int]]:
        """Children, the positions that stand for them, and how long a bio each is given."""
        a = self.arrays
        given = self._given(at, self._cut(at, size)[1])
        for child in range(int(a.child_start[at]), int(a.child_start[at + 1])):
            for low in {int(a.child[child]), int(a.wchild[child])} - {-1}:
                yield child, low, given

    def _given(self, at: int, each: int) -> int:
        row = self.shapes[at].row
        return each if row is None else row.given(self.op, each)

    def _cut(self, at: int, size: int) -> tuple[int, int]:
        """Pieces that a position makes of a bio, wherever it begins, and the longest."""
        grains = [g for g in (self._limit(at), *self._grain(at)) if g]
        if size < 2 or not grains:
            return 1, size
        grain = min(grains)
        return min(size, reduce(lambda n, g: n + -(-size // g), grains, 1)), min(size, grain)

    def _limit(self, at: int) -> int:
        first = (at * NOPS + self.op) * arr.NLIMITS
        row = LimitRow(*self.arrays.limit[first : first + arr.NLIMITS].tolist())
        if row.how == arr.NO_LIMIT:
            return 0
        return max(1, min(g for g in (row.most, row.memory, row.chunk) if g) - row.physical + 1)

    def _grain(self, at: int) -> tuple[int, ...]:
        """Sectors at whose multiples a driver cuts."""
        shape = self.shapes[at]
        if self.op == FLUSH:
            return ()
        if shape.row is not None:
            return (shape.row.grain(self.op),)
        chunks = [chunk for *_, chunk in shape.segments if chunk]
        ends = len(shape.segments) > 1
        shortest = min((end - begin for begin, end, *_ in shape.segments), default=0)
        return (*(min(chunks, default=0),), *((shortest,) if ends else ()))

    def _copies(self, at: int, each: int) -> tuple[int, bool]:
        """How often a piece goes down, and whether to all children or to one of them."""
        shape = self.shapes[at]
        if shape.op_kind == MIRROR:
            return 1, self.op != READ
        if shape.row is not None:
            return shape.row.copies(self.op, each)
        return 1, self.op == FLUSH
