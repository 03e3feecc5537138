"""Cycles of calls: walks that enter a few functions once are never shorter than simple paths."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from blockstack.kernel.tangled import Node, entered_once, longest_walks

_CALLS = st.dictionaries(
    st.tuples(st.integers(0, 6), st.integers(0, 6)), st.integers(1, 40), min_size=1, max_size=16
)


def _node(i: int) -> Node:
    return f"f{i}", 0


def _simple(at: Node, succ: dict[Node, dict[Node, int]], seen: frozenset[Node]) -> int:
    """The longest simple path from a function, where each may be the last and keeps 8 bytes."""
    rests = (n + _simple(to, succ, seen | {to}) for to, n in succ[at].items() if to not in seen)
    return max(rests, default=8)


@given(_CALLS)
def test_no_simple_path_is_longer(calls: dict[tuple[int, int], int]) -> None:
    succ: dict[Node, dict[Node, int]] = {_node(i): {} for i in range(7)}
    for (a, b), n in calls.items():
        if a != b:
            succ[_node(a)][_node(b)] = n
    found = longest_walks(succ.keys(), succ, lambda node: (8, [node]))
    assert found is not None
    for node, walk in found.items():
        assert walk is not None
        n_bytes, nodes = walk
        assert n_bytes >= _simple(node, succ, frozenset([node]))
        # the bytes are those of the functions shown
        assert n_bytes == 8 + sum(succ[a][b] for a, b in pairwise(nodes))
        assert all(nodes.count(one) == 1 for one in entered_once(succ.keys(), succ) if one in nodes)


def test_without_a_cycle_it_is_the_longest_path() -> None:
    succ = {_node(0): {_node(1): 8, _node(2): 16}, _node(1): {_node(2): 24}, _node(2): {}}
    found = longest_walks(succ.keys(), succ, lambda node: (4, [node]))
    assert found is not None
    assert found[_node(0)] == (36, [_node(0), _node(1), _node(2)])
