"""Positions to arrays: the last step of compilation, names left behind."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from blockstack.engine.plan.arrays import FLUSH, NOPS, RECURSIVE, RULE_NAMES, LimitRow, PlanArrays
from blockstack.engine.plan.entries import Entries
from blockstack.engine.plan.layers import Layers
from blockstack.engine.plan.mapping import SPLITS
from blockstack.engine.plan.mappings import words
from blockstack.engine.plan.model import Key, Position, Task
from blockstack.engine.plan.paths import LayeredPath
from blockstack.engine.plan.queue_limits import NO_ROW

#: every column's type: of ``NDArray[type]``, which is ``ndarray[shape, dtype[type]]``
_TYPES = {name: get_args(get_args(hint)[1])[0] for name, hint in get_type_hints(PlanArrays).items()}


class _Child(NamedTuple):
    child: int
    wchild: int
    child_offset: int


class _Segment(NamedTuple):
    seg_begin: int
    seg_end: int
    seg_first: int
    seg_width: int
    seg_chunk: int


def build_arrays(
    positions: Sequence[Position],
    number: Mapping[Key, int],
    layers: Layers,
    tasks: Sequence[Task],
    roots: Sequence[int],
    entries: Sequence[Entries],
    limits: Mapping[tuple[str, int], LimitRow],
) -> PlanArrays:
    """Flatten the positions; `PlanArrays` tells the columns."""
    calls = [layers.calls(p.device) for p in positions]
    columns: dict[str, Iterable[int]] = {
        "op_kind": (p.shape.op_kind for p in positions),
        "split": (SPLITS[c.split] for c in calls),
        "immediate": (c.immediate for c in calls),
        "queue": _queues(positions),
        "task": (p.task for p in positions),
        "limit": (
            word
            for p in positions
            for op in range(NOPS)
            for word in limits.get((p.device.name, op), NO_ROW)
        ),
        "context": (op in p.in_worker for p in positions for op in range(NOPS)),
        "through": _bytes(p.through for p in positions),
        "peak": _bytes(p.peak for p in positions),
        "self_bytes": (layers.self_bytes(p.device) for p in positions),
        "mapping": (word for p in positions for word in words(p.shape.row)),
        "roots": roots,
        "root_threshold": _shares(len(roots)),
        "rule": _rules(layers),
        "entry": _bytes(e.submit for e in entries),
        "task_entry": (t.entry.bytes for t in tasks),
        "task_limit": (t.limit_bytes for t in tasks),
        **_children(positions, number),
        **_segments(positions),
    }
    return PlanArrays(**{name: _array(name, column) for name, column in columns.items()})


def _array(name: str, column: Iterable[int]) -> NDArray[Any]:
    return np.array(list(column), _TYPES[name])


def _rows(
    record: type[_Child] | type[_Segment], start: str, groups: Sequence[Sequence[Sequence[int]]]
) -> dict[str, Iterable[int]]:
    """Rows of each position as the record's columns, and where each position's begin (CSR)."""
    flat = [row for group in groups for row in group]
    starts = np.cumsum([0, *(len(group) for group in groups)])
    return {start: starts.tolist()} | {
        name: [row[i] for row in flat] for i, name in enumerate(record._fields)
    }


def _children(positions: Sequence[Position], number: Mapping[Key, int]) -> dict[str, Iterable[int]]:
    """Child links: positions in the caller's task and in the worker's, -1 where there is none."""
    return _rows(
        _Child,
        "child_start",
        [
            [
                _Child(number[c] if c else -1, number[w] if w else -1, offset)
                for c, w, offset in p.children
            ]
            for p in positions
        ],
    )


def _segments(positions: Sequence[Position]) -> dict[str, Iterable[int]]:
    """Segments, whose first child is counted from the plan's first."""
    groups, before = [], 0
    for p in positions:
        groups.append(
            [
                _Segment(begin, end, before + first, width, chunk)
                for begin, end, first, width, chunk in p.shape.segments
            ]
        )
        before += len(p.children)
    return _rows(_Segment, "seg_start", groups)


def _bytes(rows: Iterable[Mapping[int, LayeredPath]]) -> Iterable[int]:
    return (row[op].bytes if op in row else 0 for row in rows for op in range(NOPS))


def _queues(positions: Sequence[Position]) -> Iterable[int]:
    """Request queues: a partition has none of its own, it shares its disk's."""
    numbers: dict[str, int] = {}
    for p in positions:
        owner = p.device.on[0] if p.device.kind == "partition" else p.device.name
        yield numbers.setdefault(owner, len(numbers))


def _shares(n: int) -> Iterable[int]:
    """Equal shares of the source bios per root, as cumulative thresholds."""
    return (((i + 1) << 32) // n - 1 for i in range(n))


def _rules(layers: Layers) -> list[int]:
    """The rule per operation; issue_flush_fn (to 2.6.3x) recurses whatever the rule is."""
    kernel = layers.kernel
    rule = [RULE_NAMES.index(kernel.rule)] * NOPS
    if kernel.generation.flush_link:
        rule[FLUSH] = RECURSIVE
    return rule
