"""Plans and workloads to measure, made by hand: only the submission engines are under test.

The bytes per row are round numbers of a plausible size. They are no kernel's, and no verdict
is drawn from them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from blockstack.engine.plan.arrays import (
    FIFO,
    FRONT,
    LIFO,
    LIMIT_REST,
    LOOP,
    NO_LIMIT,
    NOPS,
    RECURSIVE,
    REST,
    REST_MAPPED,
    TWO_LIST,
    DrawSpec,
    PlanArrays,
)
from blockstack.engine.plan.mappings import (
    ALIGNED_READ,
    LEAF,
    MIRROR,
    RAID10,
    RAID456,
    REMAP,
    SEGMENTS,
    CopiesRow,
    MappingRow,
    ParityRow,
    words,
)

RULES = (RECURSIVE, FIFO, TWO_LIST, LIFO)
DEVICE_SECTORS = 1 << 31  # 1 TiB
KIB = 2  # sectors
WORST = 0xFFFFFFFF


@dataclass
class Device:
    """A position and what is below it: a tree, so that every path is its own."""

    kind: int
    below: list["Device"] = field(default_factory=list)
    segments: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    split: int = LOOP
    immediate: int = 0
    offset: int = 2048  # sectors added by the device above
    row: MappingRow | None = None
    worker: bool = False  # `below` is reached by a worker too
    max_sectors: int = 0


def leaf() -> Device:
    return Device(LEAF)


def linear(below: Device, **kw: Any) -> Device:
    return Device(SEGMENTS, [below], [(0, DEVICE_SECTORS, 0, 1, 0)], **kw)


def lvm(below: list[Device], segments: int, **kw: Any) -> Device:
    """A logical volume in equal segments, dealt out over physical volumes in turn."""
    size = DEVICE_SECTORS // segments
    rows = [(i * size, (i + 1) * size, i, 1, 0) for i in range(segments)]
    members = [below[i % len(below)] for i in range(segments)]
    return Device(SEGMENTS, members, rows, **kw)


def stripe(below: list[Device], chunk: int, **kw: Any) -> Device:
    return Device(SEGMENTS, below, [(0, DEVICE_SECTORS * len(below), 0, len(below), chunk)], **kw)


def mirror(below: list[Device]) -> Device:
    return Device(MIRROR, below)


def partition(below: Device) -> Device:
    return Device(REMAP, [below], immediate=1)


def raid10(below: list[Device], chunk: int) -> Device:
    row = CopiesRow(disks=len(below), near=2, far=1, offset=0, chunk=chunk, stride=0)
    return Device(RAID10, below, row=row)


def raid5(below: list[Device], chunk: int) -> Device:
    """Aligned reads go past the stripe cache; all else is the worker's."""
    row = ParityRow(len(below), 1, chunk, level=5, rmw=1, failed=0, flags=ALIGNED_READ)
    return Device(RAID456, below, row=row, worker=True)


def chain(depth: int) -> Device:
    device = leaf()
    for _ in range(depth):
        device = linear(device)
    return device


def mixed() -> Device:
    """dm over raid0 over raid1 over dm: about 24 hops for a bio of half a MiB."""
    pairs = [mirror([linear(leaf()), linear(leaf())]) for _ in range(4)]
    return linear(stripe(pairs, 128 * KIB))


def unbalanced(split: int) -> Device:
    """A stripe whose members are unlike each other; every bio is cut at several levels."""
    deep = stripe([linear(leaf()), linear(linear(leaf()))], 32 * KIB, split=split)
    return linear(stripe([deep, leaf(), linear(leaf())], 128 * KIB, split=split))


def md_2_6() -> Device:
    """md raid0 and linear as 2.6.2x had them: an uncut bio is remapped in the same frame."""
    member = [partition(leaf()) for _ in range(4)]
    return linear(stripe(member, 64 * KIB, immediate=1))


TOPOLOGIES: dict[str, Callable[[], Device]] = {
    "linear-1": lambda: chain(1),
    "linear-8": lambda: chain(8),
    "linear-32": lambda: chain(32),
    "lvm-4x8": lambda: lvm([linear(leaf()) for _ in range(4)], 8),
    "raid0-8": lambda: stripe([leaf() for _ in range(8)], 64 * KIB),
    "raid0-3-front": lambda: stripe([leaf() for _ in range(3)], 64 * KIB, split=FRONT),
    "raid1-2": lambda: linear(mirror([linear(leaf()), linear(leaf())])),
    "raid10-4": lambda: linear(raid10([leaf() for _ in range(4)], 64 * KIB)),
    "raid5-5": lambda: linear(raid5([linear(leaf()) for _ in range(5)], 64 * KIB)),
    "md-2.6": md_2_6,
    "mixed-24": mixed,
    "unbalanced-loop": lambda: unbalanced(LOOP),
    "unbalanced-rest": lambda: unbalanced(REST),
    "unbalanced-mapped": lambda: unbalanced(REST_MAPPED),
}
QUICK = ("linear-8", "raid0-8", "raid5-5", "mixed-24", "unbalanced-rest")


@dataclass
class _Row:
    device: Device
    task: int
    children: list[int] = field(default_factory=list)
    jobs: list[int] = field(default_factory=list)


def _numbered(root: Device) -> list[_Row]:
    """Positions, parents before children; the worker reaches a device at a position of its own."""
    rows = [_Row(root, 0)]
    for row in rows:
        for child in row.device.below:
            row.children.append(len(rows))
            rows.append(_Row(child, row.task))
        for child in row.device.below if row.device.worker else ():
            row.jobs.append(len(rows))
            rows.append(_Row(child, row.task + 1))
    return rows


def _i32(values: object) -> NDArray[np.int32]:
    return np.ascontiguousarray(values, dtype=np.int32)


def _starts(counts: list[int]) -> NDArray[np.int32]:
    return _i32(np.cumsum([0, *counts]))


def _segments(rows: list[_Row]) -> dict[str, NDArray[np.int32] | NDArray[np.int64]]:
    starts = _starts([len(row.children) for row in rows])
    flat = [
        (begin, end, first + start, width, chunk)
        for row, start in zip(rows, starts[:-1].tolist(), strict=True)
        for begin, end, first, width, chunk in row.device.segments
    ]
    begin, end, first, width, chunk = np.array(flat, dtype=np.int64).reshape(-1, 5).T
    return {
        "seg_start": _starts([len(row.device.segments) for row in rows]),
        "seg_begin": begin.copy(),
        "seg_end": end.copy(),
        "seg_first": _i32(first),
        "seg_width": _i32(width),
        "seg_chunk": chunk.copy(),
    }


def _links(rows: list[_Row]) -> dict[str, NDArray[np.int32] | NDArray[np.int64]]:
    child = [k for row in rows for k in row.children]
    jobs = [k for row in rows for k in (row.jobs or [-1] * len(row.children))]
    return {
        "child_start": _starts([len(row.children) for row in rows]),
        "child": _i32(child),
        "wchild": _i32(jobs),
        "child_offset": np.array([rows[k].device.offset for k in child], dtype=np.int64),
    }


def _limits(devices: list[Device]) -> NDArray[np.int64]:
    """The rest is given back first, by no other limit than a length."""
    rows = [(d.max_sectors, 0, 0, 1, 1, LIMIT_REST if d.max_sectors else NO_LIMIT)
            for d in devices for _ in range(NOPS)]  # fmt: skip
    return np.array(rows, dtype=np.int64).reshape(-1)


def plan_of(root: Device, rule: int) -> PlanArrays:
    """Compile a tree; every op follows one rule."""
    rows = _numbered(root)
    devices = [row.device for row in rows]
    count, tasks = len(rows), max(row.task for row in rows) + 1
    numbers = range(count)
    return PlanArrays(
        op_kind=np.array([d.kind for d in devices], dtype=np.uint8),
        split=np.array([d.split for d in devices], dtype=np.uint8),
        immediate=np.array([d.immediate for d in devices], dtype=np.uint8),
        queue=np.arange(count, dtype=np.int32),
        task=_i32([row.task for row in rows]),
        limit=_limits(devices),
        context=np.zeros(count * NOPS, dtype=np.uint8),
        through=_i32(np.repeat([200 + 8 * (p % 7) for p in numbers], NOPS)),
        peak=_i32(np.repeat([300 + 8 * (p % 5) for p in numbers], NOPS)),
        self_bytes=np.zeros(count, dtype=np.int32),
        **cast(Any, _links(rows)),
        **cast(Any, _segments(rows)),
        mapping=np.array([words(d.row) for d in devices], dtype=np.int64).reshape(-1),
        roots=_i32([0]),
        root_threshold=np.array([WORST], dtype=np.uint32),
        rule=np.full(NOPS, rule, dtype=np.uint8),
        entry=np.full(NOPS, 800, dtype=np.int32),
        task_entry=np.full(tasks, 500, dtype=np.int32),
        task_limit=np.full(tasks, 4096 - 60, dtype=np.int32),
    )


@cache
def plan(topology: str, rule: int) -> PlanArrays:
    return plan_of(TOPOLOGIES[topology](), rule)


def workload(seed: int = 1) -> DrawSpec:
    """Random places, 4 KiB to 1 MiB in steps of 4 KiB, half of it writes."""
    return DrawSpec(
        seed=seed,
        op_threshold=np.array([WORST // 2, WORST, WORST, WORST, WORST], dtype=np.uint32),
        op_first=0,
        size_mode=1,
        size_threshold=np.zeros(0, dtype=np.uint32),
        size_sectors=np.zeros(0, dtype=np.uint32),
        size_lo=4 * KIB,
        size_step=4 * KIB,
        size_count=256,
        pattern=1,
        align_sectors=4 * KIB,
        stride_sectors=0,
        span_sectors=1,
        zipf_n=1,
        zipf_theta=0.0,
        zipf_zetan=1.0,
        zipf_eta=0.0,
        zipf_alpha=1.0,
        capacity_sectors=np.array([DEVICE_SECTORS], dtype=np.int64),
    )
