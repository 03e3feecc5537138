"""`explain --limits`: each device's queue limits, who imposed them, and where one bio is split.

The pieces are those of the core itself: one bio is replayed, and each call is asked why it went on
with a part only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from blockstack.base.errors import ConfigError
from blockstack.base.units import SECTOR_BYTES, format_bytes, parse_sectors
from blockstack.engine.depth.simulate import as_kernel
from blockstack.engine.plan import arrays as arr
from blockstack.engine.plan.arrays import OP_NAMES
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.core import Call, Columns, replay
from blockstack.engine.plan.demand import demand_of, source_of
from blockstack.engine.plan.mapping import next_boundary
from blockstack.engine.plan.model import Plan
from blockstack.engine.plan.queue_limits import CRYPT_WRITE_SECTORS, check_blocks, limit_row
from blockstack.kernel import Kernel
from blockstack.kinds.queue_limits import driver_limits
from blockstack.stack import Stack
from blockstack.stack.queue_limit_tree import DeviceLimits, queue_limit_tree
from blockstack.stack.queue_limits.rules import (
    limit_names,
    rules_for,
)
from blockstack.workload import Columns as Bios
from blockstack.workload import Workload

_PAGES_APART = (
    "max_segments counts every 4 KiB page of a bio as a segment of its own (assumed: "
    "contiguous memory takes fewer)"
)


@dataclass(frozen=True)
class DeviceRow:
    """One device: its kind, limits by name, and who imposed each of them."""

    device: str
    kind: str
    limits: Mapping[str, int]
    imposed: Mapping[str, str]


@dataclass(frozen=True)
class Piece:
    """One make_request call on a bio's way.

    Attributes
    ----------
    number, parent : int
        In the order of the calls; the parent is the call that emitted this bio, -1 the source.
    device, task, op : str
    sector, nr_sectors : int
    taken_sectors : int
        How much of it the call went on with at once.
    why : str
        What cut it; empty when all of it went on.
    """

    number: int
    parent: int
    device: str
    task: str
    op: str
    sector: int
    nr_sectors: int
    taken_sectors: int
    why: str


@dataclass(frozen=True)
class LimitsExplanation:
    """Limits of a stack on a kernel, and the ways of its bios.

    Attributes
    ----------
    stack, kernel, rules : str
        ``rules`` is the source that the stacking follows.
    devices : tuple of DeviceRow
        Lower devices first.
    pieces : tuple of Piece
        Empty without a bio.
    notes : tuple of str
    """

    stack: str
    kernel: str
    rules: str
    devices: tuple[DeviceRow, ...]
    pieces: tuple[Piece, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def explain_limits(
    stack: Stack,
    *,
    kernel: Kernel | str | Path,
    workload: Workload | None = None,
    bs: str | int | None = None,
    offset_sectors: int = 0,
) -> LimitsExplanation:
    """The queue limits of every device, and why a bio is split where it is.

    Parameters
    ----------
    stack : Stack
    kernel : Kernel, str or Path
    workload : Workload or None
        Its first operation with data is the bio's; None: a read.
    bs : str, int or None
        Size of a bio, bytes or text with a unit; None: limits only.
    offset_sectors : int
        Where it begins on the topmost device.

    Returns
    -------
    LimitsExplanation

    Raises
    ------
    ConfigError
        A bio that does not fit, or that is no whole number of logical blocks.
    """
    the_kernel = as_kernel(kernel)
    generation = the_kernel.generation.name
    tree, rules = queue_limit_tree(stack, generation), rules_for(generation)
    rows = tuple(
        DeviceRow(
            name,
            stack.devices[name].kind,
            {n: getattr(found.limits, n) for n in limit_names(rules)},
            {n: found.imposed[n] for n in limit_names(rules)},
        )
        for name, found in tree.items()
    )
    pieces: tuple[Piece, ...] = ()
    if bs is not None:
        demand = demand_of(workload or Workload(rw="randread", bs="4 KiB"))
        op = next((word for word in demand.ops if word != "flush"), "read")
        pieces = _pieces(stack, the_kernel, tree, op, bio_sectors(bs), offset_sectors)
    return LimitsExplanation(
        stack.name,
        the_kernel.name,
        rules.source,
        rows,
        pieces,
        tuple(_notes(stack, tree, generation)),
    )


def _notes(stack: Stack, tree: Mapping[str, DeviceLimits], generation: str) -> Iterator[str]:
    """Where the drivers' limits are from, once each, and what is assumed."""
    seen: set[str] = set()
    for name in tree:
        device = stack.devices[name]
        driver = driver_limits(device.kind, device.params, generation)
        if driver is not None and driver.source not in seen:
            seen.add(driver.source)
            yield f"{device.kind} driver: {driver.source}" + (
                f"; assumed: {driver.assumed}" if driver.assumed else ""
            )
    yield (
        _PAGES_APART
        if rules_for(generation).topology
        else (
            f"{generation} never builds a bio that passes the limits (bio_add_page): it keeps its "
            "size"
        )
    )


def bio_sectors(bs: str | int) -> int:
    """A bio's size in sectors.

    Raises
    ------
    ConfigError
        Not whole sectors, none, or more than a bio's 32-bit size holds.
    """
    n_sectors = parse_sectors(bs, "--bs")
    if not 1 <= n_sectors <= (2**32 - 1) // SECTOR_BYTES:
        raise ConfigError(
            "not the size of a bio",
            path="--bs",
            value=bs,
            hint="512 bytes to less than 4 GiB: bi_size has 32 bits",
        )
    return n_sectors


def _pieces(
    stack: Stack,
    kernel: Kernel,
    tree: Mapping[str, DeviceLimits],
    op: str,
    n_sectors: int,
    offset: int,
) -> tuple[Piece, ...]:
    """One bio for each root, call by call."""
    plan = compile_plan(stack, kernel, ops=(op,), direct=True, max_sectors=n_sectors)
    check_blocks([e.lower.name for e in plan.entries], tree, gcd(n_sectors, offset), "--bs")
    found: list[Piece] = []
    for root in range(len(plan.entries)):
        bio = Bios(
            np.array([OP_NAMES.index(op)], np.uint8),
            np.array([offset], np.int64),
            np.array([n_sectors], np.int64),
            np.array([root], np.int32),
        )
        source = source_of(Workload(columns=bio), plan.capacity_sectors, None)
        assert isinstance(source, Columns)
        calls = replay(plan.arrays, source, 0)
        first = len(found)
        found += [_piece(plan, tree, calls, i, first) for i in range(len(calls))]
    return tuple(found)


def _piece(
    plan: Plan, tree: Mapping[str, DeviceLimits], calls: Sequence[Call], number: int, first: int
) -> Piece:
    call = calls[number]
    position = plan.positions[call.position]
    name = position.device.name
    rests = [
        c
        for c in calls[number + 1 :]
        if c.parent == number and c.position == call.position and c.sector > call.sector
    ]
    taken = rests[0].sector - call.sector if rests else call.nr
    boundary = next_boundary(position.shape, call.op, call.sector)
    why = ""
    if rests:
        why = _why(plan, tree[name], call, taken, boundary)
    if boundary is not None and call.sector < boundary < call.sector + taken:
        why = "; then ".join(text for text in (why, _own_cut(plan, call)) if text)
    return Piece(
        first + number,
        call.parent + first if call.parent >= 0 else -1,
        name,
        plan.tasks[call.task].name,
        OP_NAMES[call.op],
        call.sector,
        call.nr,
        taken,
        why,
    )


def _own_cut(plan: Plan, call: Call) -> str:
    """The driver's own boundary: a chunk, a block of a snapshot, the end of a table's row."""
    device = plan.positions[call.position].device
    chunk = device.geometry.get("chunk_sectors", 0) or int(device.params.get("chunk") or 0)
    if chunk:
        return f"{device.kind} cuts at its chunk of {_size(chunk)}"
    return f"{device.kind} cuts where its next member begins"


def _why(plan: Plan, found: DeviceLimits, call: Call, taken: int, boundary: int | None) -> str:
    """Which limit left a bio of `taken` sectors."""
    gives_back = int(plan.arrays.split[call.position]) in (arr.FRONT, arr.REST)
    if gives_back and boundary is not None and call.sector + taken == boundary:
        return _own_cut(plan, call)
    device, limits = plan.positions[call.position].device, found.limits
    most, memory, chunk, physical, _, how = limit_row(device, found, call.op)
    if how == arr.LIMIT_DISCARD:
        return f"max_discard_sectors {most}" + (
            f", end on a granule of {_size(chunk)}" if taken != most else ""
        )
    if device.kind == "dm-crypt" and how == arr.LIMIT_FRONT and most == CRYPT_WRITE_SECTORS:
        return f"dm-crypt takes {_size(most)} of a write at a time"
    if chunk and taken != most and taken == chunk - call.sector % chunk:
        word = "chunk_sectors" if how == arr.LIMIT_REST else f"{device.kind} block"
        return f"{word} {chunk}: the next multiple"
    if memory and taken == memory:
        return f"max_segments {limits.max_segments}, a page each"
    text = f"max_sectors {limits.max_sectors}, from {found.imposed['max_sectors']}"
    if taken != most and how == arr.LIMIT_REST:
        text += f"; the end on a physical block of {_size(physical)}"
    return text


def _size(n_sectors: int) -> str:
    return format_bytes(n_sectors * SECTOR_BYTES)
