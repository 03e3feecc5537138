"""A cycle of calls whose simple paths are too many to try: a bound that no path exceeds.

A path over a call graph enters a function once. Over a large cycle that is expensive to demand of
every function, so it is demanded of a few only, without which the rest has no cycle: the longest
walk that enters each of those once at most. Whatever a simple path does, such a walk does, too.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Set

import networkx as nx

#: a function, and the ``below`` cuts that hold there
Node = tuple[str, int]
#: functions entered once, at most: the cost is 2 to this power times the size of the cycle
MOST_ONCE, ENOUGH_ONCE = 12, 8


def entered_once(members: Set[Node], succ: Mapping[Node, Mapping[Node, int]]) -> list[Node]:
    """Functions of a cycle without which it has none (a small set, not the smallest)."""
    rules = (operator.mul, min, operator.add)
    found = min((_broken(members, succ, rule) for rule in rules), key=len)
    # some more than are needed: the more, the nearer is a walk to a simple path
    calls = {a: sum(b in members for b in succ[a]) for a in members}
    often = sorted(members - set(found), key=lambda node: (-calls[node], node))
    return found + often[: max(0, ENOUGH_ONCE - len(found))]


def _broken(
    members: Set[Node],
    succ: Mapping[Node, Mapping[Node, int]],
    rule: Callable[[int, int], int],
) -> list[Node]:
    """A cycle's functions, those with most callers and callees first, until no cycle is left."""
    rest = nx.DiGraph((a, b) for a in members for b in succ[a] if b in members)
    found: list[Node] = []
    while True:
        knots = [c for c in nx.strongly_connected_components(rest) if len(c) > 1]
        if not knots:
            return found
        for knot in knots:
            inner = nx.DiGraph(rest.subgraph(knot))
            _shorten(inner)
            most = max(inner, key=lambda n: (rule(inner.in_degree(n), inner.out_degree(n)), n))
            found.append(most)
            rest.remove_node(most)


def _shorten(knot: nx.DiGraph) -> None:
    """Leave out functions with one caller or one callee: every cycle through them has that one."""
    todo = sorted(knot)
    while todo:
        node = todo.pop()
        if node not in knot:
            continue
        ins, outs = list(knot.predecessors(node)), list(knot.successors(node))
        if node in outs or len(knot) == 1 or min(len(ins), len(outs)) != 1:
            continue
        knot.remove_node(node)
        knot.add_edges_from((a, b) for a in ins for b in outs)
        todo += {*ins, *outs} - {node}


def longest_walks(
    members: Set[Node],
    succ: Mapping[Node, Mapping[Node, int]],
    outside: Callable[[Node], tuple[int, list[Node]] | None],
) -> dict[Node, tuple[int, list[Node]] | None] | None:
    """For each function of a cycle the longest walk from it, out of the cycle, to an end.

    Parameters
    ----------
    members : set of nodes
        One strongly connected component.
    succ : mapping of node to mapping of node to bytes
    outside : callable
        What follows from a node of the cycle without calling into it again: bytes and nodes, the
        node itself first; None: nothing.

    Returns
    -------
    dict or None
        Bytes and nodes, None where no end can be reached; None: more than `MOST_ONCE` functions
        are needed.
    """
    once = entered_once(members, succ)
    if len(once) > MOST_ONCE:
        return None
    bit = {node: 1 << i for i, node in enumerate(once)}
    order = _callees_first(members - bit.keys(), succ)
    best: dict[tuple[int, Node], tuple[int, Node | None] | None] = {}
    ends = {node: outside(node) for node in members}

    def step(node: Node, mask: int) -> tuple[int, Node | None] | None:
        """Bytes from ``node`` on, and which of the cycle it calls; None there: it leaves it."""
        end = ends[node]
        found: tuple[int, Node | None] | None = None if end is None else (end[0], None)
        for callee, n in succ[node].items():
            if callee not in members or mask & bit.get(callee, 0):
                continue
            rest = best[mask | bit.get(callee, 0), callee]
            if rest is not None and (found is None or n + rest[0] > found[0]):
                found = n + rest[0], callee
        return found

    for mask in reversed(range(1 << len(once))):  # what more is taken before what less is
        for node in order:
            best[mask, node] = step(node, mask)
        for node in once:
            if mask & bit[node]:
                best[mask, node] = step(node, mask)

    def walk(start: Node) -> tuple[int, list[Node]] | None:
        mask, here = bit.get(start, 0), start
        nodes: list[Node] = []
        if (top := best[mask, start]) is None:
            return None
        while True:
            found = best[mask, here]
            assert found is not None
            if found[1] is None:
                end = ends[here]
                assert end is not None
                return top[0], nodes + end[1]
            nodes.append(here)
            here = found[1]
            mask |= bit.get(here, 0)

    return {node: walk(node) for node in members}


def _callees_first(nodes: Iterable[Node], succ: Mapping[Node, Mapping[Node, int]]) -> list[Node]:
    """Nodes without a cycle among them, each after those that it calls."""
    kept = set(nodes)
    rest = nx.DiGraph((a, b) for a in kept for b in succ[a] if b in kept)
    rest.add_nodes_from(kept)
    return list(reversed(list(nx.topological_sort(rest))))
