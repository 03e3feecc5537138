"""Call paths: which functions lie on top of each other, and how many bytes each keeps.

`CallGraph` is the direct-call graph of a frame table, narrowed to the files that a device's path
can enter, closed by the indirect calls that the topology resolves, and freed of the cuts. Its
longest path between two anchors is one layer's share of the stack.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from blockstack._calls import Narrowed
from blockstack.base.calls import Cut, Path, is_root
from blockstack.base.errors import BlockstackError
from blockstack.kernel.cuts import CutTable
from blockstack.kernel.names import base_name
from blockstack.kernel.numbered import EXTRA, FOLLOWED, Ids
from blockstack.kernel.table import ASSUMED, FrameTable
from blockstack.kernel.tangled import Node, longest_walks

Source = Literal["table", "derived", "published", "assumed"]
#: block/bio.c bio_endio calls ->bi_end_io last: where gcc made that a jump, its other calls through
#: pointers are other pointers' (6.12: blkg_put's percpu_ref)
_JUMPS = frozenset(("bio_endio",))
#: beside a call that the table has: what follows is of that call
_OF_TABLE = -1


@dataclass(frozen=True)
class Step:
    """One row of a stack: a function and the bytes it keeps while the next one runs.

    ``source``: ``table`` (frame table of a real build), ``derived`` (summed from the kernel's own
    structs), ``published`` or ``assumed``.
    """

    function: str
    bytes: int
    source: Source = "table"


@dataclass(frozen=True)
class CallPath:
    """Functions from the outermost in, with their bytes.

    ``missing`` names anchors that the table lacks: then the path is a lower bound.
    """

    steps: tuple[Step, ...] = ()
    missing: tuple[str, ...] = ()

    @cached_property
    def bytes(self) -> int:
        """Sum over the steps."""
        return sum(step.bytes for step in self.steps)

    @property
    def exact(self) -> bool:
        """Nothing on the path is unknown."""
        return not self.missing

    def __add__(self, other: "CallPath") -> "CallPath":
        return CallPath(
            self.steps + other.steps, tuple(dict.fromkeys(self.missing + other.missing))
        )


@dataclass(frozen=True)
class Entered:
    """What a stack tracer sees: the depth at the entry of the functions that it was told of.

    Attributes
    ----------
    files : tuple of str
        Source files (directories end in ``/``) of these functions.
    names : tuple of str
        Functions elsewhere that are among them.
    leaf_bytes : int
        What the tracer counts for the entered function instead of its own frame.
    """

    files: tuple[str, ...]
    names: frozenset[str]
    leaf_bytes: int

    def sees(self, function: str, file: str) -> bool:
        """Whether the tracer looks at the entry of ``function``."""
        return (
            base_name(function) in self.names
            or file in self.files
            or any(file.startswith(f) for f in self.files if f.endswith("/"))
        )


@dataclass
class CallGraph:
    """A frame table's calls as one path may follow them.

    The search is the core's (`blockstack._calls`); here names become numbers.

    Parameters
    ----------
    table : FrameTable
    files : tuple of str
        Followed source files; an entry that ends in ``/`` is a directory, one that ends in ``()`` a
        function of whatever file. A call to a function
        elsewhere counts that function's own frame and goes no further. A function of which only
        the module is known (``drivers/md/[raid1.ko]``) is followed with any file of its folder.
    edges : tuple of (caller, callee)
        Indirect calls that the topology resolves; both names as `FrameTable.find` takes them.
    cuts : CutTable
    entered : Entered or None
        Where a tracer looks; None: at every function, its own frame counted.
    climbs : mapping of function to bytes
        What functions that call themselves keep beside their last round.
    """

    table: FrameTable
    files: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    cuts: CutTable
    entered: "Entered | None" = None
    climbs: Mapping[str, int] = field(default_factory=dict)
    _roots: dict[str, int] = field(default_factory=dict)

    def reaches(self, start: str, goal: str, avoid: Iterable[str] = ()) -> bool:
        """Whether some path leads from ``start`` to ``goal``."""
        narrowed, first, last = self._narrowed, self._id(start), self._id(goal)
        if first is None or last is None:
            return False
        return narrowed.reaches(first, last, self._ids(avoid))

    def longest(self, start: str, goal: str | None, avoid: Iterable[str] = ()) -> CallPath | None:
        """The path from ``start`` that keeps most bytes.

        Parameters
        ----------
        start : str
            First function (counted).
        goal : str or None
            Where the path ends, not counted; None: at the deepest function, its frame counted.
        avoid : iterable of str
            Functions that the path must not enter.

        Returns
        -------
        CallPath or None
            None: ``goal`` cannot be reached.

        Raises
        ------
        BlockstackError
            Functions that call each other in more ways than are tried.
        """
        narrowed, first = self._narrowed, self._id(start)
        last = None if goal is None else self._id(goal)
        if first is None:  # nothing is known of it: assembly, a function of an unread module
            own = self._end_of_unknown(start) if goal is None else None
            return None if own is None else CallPath((self._step(start, own),))
        if goal is not None and last is None:
            return None
        found = narrowed.longest(first, last, self._ids(avoid), self._walks)
        if found is None:
            return None
        return CallPath(tuple(self._step(self._name(i), n) for i, n in found))

    def _step(self, function: str, n_bytes: int) -> Step:
        row = self.table.functions.get(function)
        return Step(function, n_bytes, "assumed" if row and row[0] == ASSUMED else "table")

    def _walks(
        self,
        numbers: Sequence[tuple[int, int]],
        calls: Sequence[Sequence[tuple[int, int]]],
        ends: Sequence[int],
    ) -> list[tuple[int, list[int]] | None]:
        """The longest walks through functions that call each other in too many ways to try all."""
        nodes = [(self._name(function), states) for function, states in numbers]
        places = {node: i for i, node in enumerate(nodes)}
        succ = {node: {nodes[i]: n for i, n in calls[at]} for node, at in places.items()}

        def outside(node: Node) -> tuple[int, list[Node]] | None:
            end = ends[places[node]]
            return None if end < 0 else (end, [node])

        walks = longest_walks(set(nodes), succ, outside)
        if walks is None:
            raise BlockstackError(
                "a cycle of calls is too tangled for a longest path",
                value=sorted(name for name, _ in nodes)[:12],
                hint="add a cut, with its reason, to the cut table",
            )
        found = [walks[node] for node in nodes]
        return [walk and (walk[0], [places[node] for node in walk[1]]) for walk in found]

    def _end_of_unknown(self, function: str) -> int | None:
        own = 0 if is_root(function) else self.table.pointer_bytes
        return own + self.climbs.get(function, 0) if self.entered is None else None

    def _id(self, name: str) -> int | None:
        return self.table.numbered.ids.get(name, self._roots.get(name))

    def _ids(self, names: Iterable[str]) -> Ids:
        return np.array([i for i in map(self._id, names) if i is not None], np.uint32)

    def _name(self, number: int) -> str:
        names = self.table.numbered.names
        return names[number] if number < len(names) else list(self._roots)[number - len(names)]

    def _edge(self, caller: str, callee: str) -> tuple[str, str, int] | None:
        """An indirect call by the table's names, with the bytes that its caller keeps."""
        known = self.table.numbered.indirect_calls
        if (caller, callee) not in known:
            known[caller, callee] = self._find_edge(caller, callee)
        return known[caller, callee]

    def _find_edge(self, caller: str, callee: str) -> tuple[str, str, int] | None:
        key, target = self._key(caller), self._key(callee)
        if key is None or target is None:
            return None
        depth = 0 if is_root(key) else self._pointer_site(key)
        if depth is None:  # the pointer call was inlined away or turned into a direct one
            depth = self.table.site(key, target)
        return key, target, self.table.frame(key) if depth is None else depth

    def _key(self, name: str) -> str | None:
        return name if is_root(name) else self.table.find(name)

    def _pointer_site(self, key: str) -> int | None:
        jump = self.table.tail.get(key, {}).get("*")
        return self.table.indirect_site(key) if jump is None or key not in _JUMPS else jump

    @cached_property
    def _narrowed(self) -> Narrowed:
        numbered = self.table.numbered
        edges = [edge for edge in (self._edge(*pair) for pair in self.edges) if edge]
        n = len(numbered.names)
        roots = sorted({name for edge in edges for name in edge[:2] if is_root(name)})
        self._roots = {name: n + i for i, name in enumerate(roots)}
        below = self.cuts.below(numbered, len(roots))
        extra = self._extra_calls(edges, below is not None)
        how = np.concatenate((numbered.followed(self.files), np.ones(len(roots), np.uint8)))
        how[[self._number(caller) for caller, *_ in edges]] |= FOLLOWED
        how[list(extra)] |= EXTRA
        callers = sorted(extra)
        calls = [[*extra[caller].items()] for caller in callers]
        for row in calls:
            row.sort(key=lambda call: self._order(call[0]))
        flat = [(callee, *more) for row in calls for callee, more in row]
        return Narrowed(
            numbered.calls,
            cut=self.cuts.stopped(numbered),
            how=how,
            ends=self._ends(len(roots)),
            begins=below and below[0],
            forbids=below and below[1],
            callers=np.array(callers, np.uint32),
            again=np.array([self.climbs.get(self._name(i), 0) for i in callers], np.int32),
            rows=np.cumsum([0, *map(len, calls)], dtype=np.uint32),
            callees=np.array([callee for callee, *_ in flat], np.uint32),
            kept=np.array([kept for _, kept, _ in flat], np.int32),
            order=np.array([self._order(callee) for callee, *_ in flat], np.int64),
            states=np.array([states for *_, states in flat], np.uint64),
        )

    def _number(self, name: str) -> int:
        found = self._id(name)
        assert found is not None, name
        return found

    def _extra_calls(
        self, edges: list[tuple[str, str, int]], below: bool
    ) -> dict[int, dict[int, tuple[int, int]]]:
        """By caller and callee: bytes, and the states that begin with the call."""
        extra: dict[int, dict[int, tuple[int, int]]] = {}
        for caller, callee, kept in edges:
            row = extra.setdefault(self._number(caller), {})
            # what starts a context (softirq, hardirq) is cut from everything but its own root
            if is_root(caller) or not self.cuts.is_cut(caller, callee):
                at = self._number(callee)
                row[at] = max(kept, row.get(at, (0, 0))[0]), 0
        for name in self.climbs:
            if (at_climb := self._id(name)) is not None:
                extra.setdefault(at_climb, {})
        if below:
            for one, other in self.cuts.calls_with_states(self.table.numbered):
                row = extra.setdefault(one, {})
                states = self.cuts.begins_call(self._name(one), self._name(other))
                row[other] = row.get(other, (_OF_TABLE, 0))[0], states
        return extra

    def _order(self, number: int) -> int:
        """A place among the names of the table's functions, 256 apart."""
        names = self.table.numbered.names
        if number < len(names):
            return number << 8
        return (
            (bisect_left(names, self._name(number)) << 8) - len(names) - len(self._roots) + number
        )

    def _ends(self, roots: int) -> NDArray[np.int32]:
        numbered = self.table.numbered
        if self.entered is not None:
            own = numbered.seen(self.entered)
            return np.concatenate((own, np.full(roots, -1, np.int32)))
        ends = np.concatenate((numbered.ends, np.zeros(roots, np.int32)))
        for name, again in self.climbs.items():
            at = self._id(name)
            if at is not None:
                ends[at] += again
        return ends


def one_more_round(table: FrameTable, path: Path, left_out: tuple[Cut, ...]) -> CallPath:
    """The path's cycles (`Path.again`) once more than the longest simple path has them."""
    steps = []
    cuts = CutTable(left_out)
    for names in path.again:
        if cuts.is_cut(names[0], names[1 % len(names)]):
            continue
        keys = [table.find(name) for name in names]
        for caller, callee in zip(keys, keys[1:] + keys[:1], strict=True):
            n = table.site(caller, callee) if caller and callee else None
            if caller and n is None:  # inlined into the other, or called through a pointer
                n = table.indirect_site(caller) or 0
            if caller and n:
                steps.append(Step(f"{caller} (again)", n))
    return CallPath(tuple(steps))
