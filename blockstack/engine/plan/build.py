"""Positions to arrays: the last step of compilation, names left behind."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from blockstack.engine.plan.arrays import FLUSH, NOPS, RECURSIVE, RULE_NAMES, PlanArrays
from blockstack.engine.plan.entries import Entries
from blockstack.engine.plan.layers import Layers
from blockstack.engine.plan.limits import NO_ROW, Row
from blockstack.engine.plan.mapping import SPLITS
from blockstack.engine.plan.paths import LayeredPath

if TYPE_CHECKING:
    from blockstack.engine.plan.compile import Key, Position, Task


def build_arrays(
    positions: "Sequence[Position]",
    number: "Mapping[Key, int]",
    layers: Layers,
    tasks: "Sequence[Task]",
    roots: Sequence[int],
    entries: Sequence[Entries],
    limits: Mapping[tuple[str, int], Row],
) -> PlanArrays:
    """Flatten the positions; `PlanArrays` tells the columns."""
    links = [
        [(number[c] if c else -1, number[w] if w else -1, o) for c, w, o in p.children]
        for p in positions
    ]
    child, wchild, offset = _columns(links, 3)
    starts = _starts(links)
    segments = [
        [
            (b, e, first + int(starts[i]), width, chunk)
            for b, e, first, width, chunk in p.shape.segments
        ]
        for i, p in enumerate(positions)
    ]
    begin, end, first, width, chunk = _columns(segments, 5)
    calls = [layers.calls(p.device) for p in positions]
    return PlanArrays(
        op_kind=_array((p.shape.op_kind for p in positions), np.uint8),
        split=_array((SPLITS[c.split] for c in calls), np.uint8),
        immediate=_array((c.immediate for c in calls), np.uint8),
        queue=_queues(positions),
        task=_array((p.task for p in positions), np.int32),
        limit=_array(
            (
                v
                for p in positions
                for op in range(NOPS)
                for v in limits.get((p.device.name, op), NO_ROW)
            ),
            np.int64,
        ),
        context=_array((op in p.in_worker for p in positions for op in range(NOPS)), np.uint8),
        through=_bytes(p.through for p in positions),
        peak=_bytes(p.peak for p in positions),
        self_bytes=_array((layers.self_bytes(p.device) for p in positions), np.int32),
        child_start=starts,
        child=_array(child, np.int32),
        wchild=_array(wchild, np.int32),
        child_offset=_array(offset, np.int64),
        seg_start=_starts(segments),
        seg_begin=_array(begin, np.int64),
        seg_end=_array(end, np.int64),
        seg_first=_array(first, np.int32),
        seg_width=_array(width, np.int32),
        seg_chunk=_array(chunk, np.int64),
        raid=_array((v for p in positions for v in p.shape.raid), np.int64),
        roots=_array(roots, np.int32),
        root_threshold=_shares(len(roots)),
        rule=_rules(layers),
        entry=_array(
            (e.submit[op].bytes if op in e.submit else 0 for e in entries for op in range(NOPS)),
            np.int32,
        ),
        task_entry=_array((t.entry.bytes for t in tasks), np.int32),
        task_limit=_array((t.limit_bytes for t in tasks), np.int32),
    )


def _array(values: Iterable[Any], dtype: type) -> NDArray[Any]:
    return np.array(list(values), dtype)


def _starts(rows: Sequence[Sequence[object]]) -> NDArray[np.int32]:
    """CSR row starts."""
    return np.concatenate(([0], np.cumsum([len(r) for r in rows], dtype=np.int64))).astype(np.int32)


def _columns(rows: Sequence[Sequence[tuple[int, ...]]], n: int) -> list[list[int]]:
    flat = [row for group in rows for row in group]
    return [[row[i] for row in flat] for i in range(n)]


def _bytes(rows: Iterable[Mapping[int, LayeredPath]]) -> NDArray[np.int32]:
    return _array(
        (row[op].bytes if op in row else 0 for row in rows for op in range(NOPS)), np.int32
    )


def _queues(positions: "Sequence[Position]") -> NDArray[np.int32]:
    """Request queues: a partition has none of its own, it shares its disk's."""
    numbers: dict[str, int] = {}
    queue = []
    for p in positions:
        owner = p.device.on[0] if p.device.kind == "partition" else p.device.name
        queue.append(numbers.setdefault(owner, len(numbers)))
    return _array(queue, np.int32)


def _shares(n: int) -> NDArray[np.uint32]:
    """Equal shares of the source bios per root, as cumulative thresholds."""
    return _array((((i + 1) << 32) // n - 1 for i in range(n)), np.uint32)


def _rules(layers: Layers) -> NDArray[np.uint8]:
    """The rule per operation; issue_flush_fn (to 2.6.3x) recurses whatever the rule is."""
    kernel = layers.kernel
    rule = [RULE_NAMES.index(kernel.rule)] * NOPS
    if kernel.generation.flush_link:
        rule[FLUSH] = RECURSIVE
    return _array(rule, np.uint8)
