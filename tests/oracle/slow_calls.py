"""Longest paths over a call graph, slowly: what `blockstack._calls` must agree with, bit for bit.

`SlowGraph` has the interface of `blockstack.kernel.graph.CallGraph`: names and dicts, one query at
a time, nothing shared between queries but the callees of a function.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import networkx as nx

from blockstack.base.errors import BlockstackError
from blockstack.kernel.cuts import CutTable
from blockstack.kernel.graph import CallPath, Entered, Step
from blockstack.kernel.table import ASSUMED, FrameTable
from blockstack.kernel.tangled import Node, longest_walks

_JUMPS = frozenset(("bio_endio",))
_STEPS = 50_000  # simple paths inside one cycle; real kernels need a few hundred


@dataclass
class SlowGraph:
    """What `CallGraph` does, of the same arguments, in dicts."""

    table: FrameTable
    files: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    cuts: CutTable
    entered: "Entered | None" = None
    climbs: Mapping[str, int] = field(default_factory=dict)
    _extra: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    _exact: frozenset[str] = frozenset()
    _dirs: tuple[str, ...] = ()
    _folders: frozenset[str] = frozenset()
    _callees: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._exact = frozenset(f for f in self.files if not f.endswith("/"))
        self._dirs = tuple(f for f in self.files if f.endswith("/"))
        self._folders = frozenset(f.rpartition("/")[0] for f in self._exact)
        for caller, callee in self.edges:
            self._add_edge(caller, callee)

    def _add_edge(self, caller: str, callee: str) -> None:
        key, target = self._key(caller), self._key(callee)
        if key is None or target is None:
            return
        depth = 0 if key.startswith("@") else self._pointer_site(key)
        if depth is None:  # the pointer call was inlined away or turned into a direct one
            depth = self.table.site(key, target)
        if depth is None:
            depth = self.table.frame(key)
        self._extra.setdefault(key, []).append((target, depth))

    def _pointer_site(self, key: str) -> int | None:
        jump = self.table.tail.get(key, {}).get("*")
        return self.table.indirect_site(key) if jump is None or key not in _JUMPS else jump

    def _key(self, name: str) -> str | None:
        return name if name.startswith("@") else self.table.find(name)

    def followed(self, function: str) -> bool:
        """Whether calls made by ``function`` are looked at."""
        if function.startswith("@") or function in self._extra:
            return True
        file = self.table.functions.get(function, ("",))[0]
        return (
            file in self._exact
            or file.startswith(self._dirs)
            or (file.endswith(".ko]") and file.rpartition("/")[0] in self._folders)
        )

    def callees(self, function: str) -> dict[str, int]:
        """Callees of ``function``, by name, and the bytes it keeps during each call."""
        if function not in self._callees:
            self._callees[function] = self._find_callees(function)
        return self._callees[function]

    def _find_callees(self, function: str) -> dict[str, int]:
        found: dict[str, int] = {}
        if not self.followed(function):
            return found
        direct = (self.table.calls.get(function, {}), self.table.tail.get(function, {}))
        pairs = [(callee, n) for d in direct for callee, n in d.items() if callee != "*"]
        for callee, n in [*pairs, *self._extra.get(function, [])]:
            # what starts a context (softirq, hardirq) is cut from everything but its own root
            if function.startswith("@") or not self.cuts.is_cut(function, callee):
                found[callee] = max(n, found.get(callee, 0))
        found.pop(function, None)  # direct recursion is bounded by its caller, never counted here
        again = self.climbs.get(function, 0)
        return {callee: n + again for callee, n in sorted(found.items())}

    def frame(self, function: str) -> int:
        """Own frame; a function without an entry (assembly) counts its return address."""
        row = self.table.functions.get(function)
        if row is not None:
            return row[1]
        return 0 if function.startswith("@") else self.table.pointer_bytes

    def end(self, function: str) -> int | None:
        """What a path that ends at ``function`` counts for it; None: it cannot end there."""
        if self.entered is None:
            return self.frame(function) + self.climbs.get(function, 0)
        row = self.table.functions.get(function)
        seen = row is not None and self.entered.sees(function, row[0])
        return self.entered.leaf_bytes if seen else None

    def reaches(self, start: str, goal: str, avoid: Iterable[str] = ()) -> bool:
        """Whether some path leads from ``start`` to ``goal``."""
        seen, todo = {start, *avoid} - {goal}, [start]
        while todo:
            for callee in self.callees(todo.pop()):
                if callee == goal:
                    return True
                if callee not in seen:
                    seen.add(callee)
                    todo.append(callee)
        return False

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
        """
        return _Longest(self, start, goal, frozenset(avoid)).path()


class _TangledError(Exception):
    """Too many simple paths in one cycle."""


class _Longest:
    """Longest path from cycle to cycle, callees first; inside a cycle, over its simple paths or,
    where those are too many, over walks (`longest_walks`)."""

    def __init__(self, graph: SlowGraph, start: str, goal: str | None, avoid: frozenset[str]):
        self.graph, self.avoid = graph, avoid
        self.start: Node = (start, graph.cuts.begins(start))
        self.goal: Node | None = None if goal is None else (goal, 0)
        self.succ: dict[Node, dict[Node, int]] = {}
        todo = [self.start]
        while todo:
            node = todo.pop()
            if node in self.succ:
                continue
            ends = node == self.goal and node != self.start
            self.succ[node] = {} if ends else self._callees(*node)
            todo.extend(c for c in self.succ[node] if c not in self.succ)
        self.inner: dict[Node, tuple[int, list[Node]] | None] = {}

    def _callees(self, function: str, below: int) -> dict[Node, int]:
        cuts, found = self.graph.cuts, {}
        goal = None if self.goal is None else self.goal[0]
        for callee, n in self.graph.callees(function).items():
            if not below & cuts.forbids(callee) and (callee == goal or callee not in self.avoid):
                bits = below | cuts.begins(callee) | cuts.begins_call(function, callee)
                found[callee, 0 if callee == goal else bits] = n
        return found

    def path(self) -> CallPath | None:
        # the goal is where a path ends: from a layer's link to the next link it is another one
        digraph = nx.DiGraph(
            [(a, b) for a, callees in self.succ.items() for b in callees if b != self.goal]
        )
        digraph.add_node(self.start)
        if self.goal is not None:
            self.inner[self.goal] = 0, []
        for members in nx.strongly_connected_components(digraph):  # Tarjan's: callees come first
            self.inner.update(self._of_cycle(members))
        found = self.inner[self.start]
        return None if found is None else self._steps(found[1])

    def _end(self, function: str) -> int | None:
        return self.graph.end(function) if self.goal is None else None

    def _of_cycle(self, members: set[Node]) -> Mapping[Node, tuple[int, list[Node]] | None]:
        """Best (bytes, nodes) from every function of a cycle; of most there is one only."""
        try:
            return {node: self._within(node, members) for node in members}
        except _TangledError:
            found = longest_walks(members, self.succ, lambda node: self._leaving(node, members))
        if found is None:
            raise BlockstackError(
                "a cycle of calls is too tangled for a longest path",
                value=sorted(f for f, _ in members)[:12],
                hint="add a cut, with its reason, to the cut table",
            )
        return found

    def _leaving(self, node: Node, members: set[Node]) -> tuple[int, list[Node]] | None:
        """The best end from ``node`` on that calls no other function of the cycle."""
        end = self._end(node[0])
        best = None if end is None else (end, [node])
        for callee, n in self.succ[node].items():
            rest = self.inner[callee] if callee not in members or callee == self.goal else None
            if rest is not None and (best is None or n + rest[0] > best[0]):
                best = (n + rest[0], [node, *rest[1]])
        return best

    def _within(self, node: Node, members: set[Node]) -> tuple[int, list[Node]] | None:
        """Best (bytes, nodes) from ``node``; paths stay simple inside ``members``, and of equal
        ones the first by name is taken."""
        budget = [_STEPS]

        def visit(at: Node, seen: frozenset[Node]) -> tuple[int, list[Node]] | None:
            budget[0] -= 1
            if budget[0] < 0:
                raise _TangledError
            best = self._leaving(at, members)
            for callee, n in self.succ[at].items():
                if callee in seen or callee not in members or callee == self.goal:
                    continue
                rest = visit(callee, seen | {callee})
                if rest is not None and (best is None or n + rest[0] > best[0]):
                    best = (n + rest[0], [at, *rest[1]])
            return best

        return visit(node, frozenset([node]))

    def _steps(self, nodes: list[Node]) -> CallPath:
        chain = [*nodes, *([self.goal] if self.goal is not None else [])]
        steps = [self._step(a[0], self.succ[a][b]) for a, b in pairwise(chain)]
        if self.goal is None:
            last, _ = nodes[-1]
            steps.append(self._step(last, self.graph.end(last) or 0))
        return CallPath(tuple(steps))

    def _step(self, function: str, n_bytes: int) -> Step:
        row = self.graph.table.functions.get(function)
        return Step(function, n_bytes, "assumed" if row and row[0] == ASSUMED else "table")
