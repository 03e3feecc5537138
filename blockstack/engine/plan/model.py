"""The records of a compiled plan: positions, tasks, and the numbers that stand for them.

Devices become *positions*: a device as it is reached on one path prefix, in one task. Two
prefixes share a position when a completion costs the same below both, so every depth that does
not depend on a bio's size is a constant of its position.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from blockstack.engine.plan.arrays import PlanArrays
from blockstack.engine.plan.entries import Entries
from blockstack.engine.plan.mapping import Shape
from blockstack.engine.plan.paths import LayeredPath
from blockstack.kernel import Kernel
from blockstack.stack import Device, Stack
from blockstack.stack.queue_limit_tree import DeviceLimits

#: a position's device, task, and bytes of completion above it
Key = tuple[str, int, int]


@dataclass(frozen=True)
class Task:
    """A thread of execution with a stack of its own.

    ``entry`` is what lies on it when the block layer is entered (workers); submitters have one
    entry per operation, in `Plan.entries`. ``work`` is the worker's name, ``device`` the one device
    that it serves (empty: all).
    """

    name: str
    context: str
    limit_bytes: int
    entry: LayeredPath = field(default_factory=LayeredPath)
    work: str = ""
    device: str = ""


@dataclass
class Position:
    """A device on one path prefix.

    Attributes
    ----------
    device : Device
    task : int
    completion : LayeredPath
        From bio_endio of a bio given to this device to the deepest end_io above it.
    children : list of (caller position key, worker position key, offset in sectors)
    parents : list of Key
        Positions that may hand bios down to this one.
    unplug : LayeredPath
        From a call of this device's unplug_fn to the deepest one below (kernels to 2.6.3x).
    """

    device: Device
    task: int
    completion: LayeredPath
    shape: Shape
    in_worker: frozenset[int] = frozenset()
    children: list[tuple[Key | None, Key | None, int]] = field(default_factory=list)
    parents: list[Key] = field(default_factory=list)
    through: Mapping[int, LayeredPath] = field(default_factory=dict)
    peak: dict[int, LayeredPath] = field(default_factory=dict)
    unplug: LayeredPath = field(default_factory=LayeredPath)


@dataclass(frozen=True)
class Plan:
    """Everything that the engines need, and the names to read their numbers with.

    Attributes
    ----------
    stack, kernel : Stack, Kernel
    arrays : PlanArrays
    positions : tuple of Position
        Parents before children.
    tasks : tuple of Task
        One submitter per root, in the order of `entries`; then the workers.
    entries : tuple of Entries
        Per root: the source and its entry points.
    inner : tuple of (Entries, position)
        File systems in the middle of the stack: their own entry points, and where these lead.
    ops : tuple of int
        Operations of the workload that the plan was compiled for.
    limits : mapping of str to DeviceLimits
        Queue limits of the stack's devices on the kernel.
    """

    stack: Stack
    kernel: Kernel
    arrays: PlanArrays
    positions: tuple[Position, ...]
    tasks: tuple[Task, ...]
    entries: tuple[Entries, ...]
    inner: tuple[tuple[Entries, int], ...]
    ops: tuple[int, ...]
    limits: Mapping[str, DeviceLimits]

    @property
    def capacity_sectors(self) -> tuple[int, ...]:
        """Size of each source (a network file system has one of its own)."""
        return tuple(self.stack.devices[e.source].size_sectors for e in self.entries)

    @property
    def digest(self) -> str:
        """A hash of every array: same plan, same digest."""
        sha = hashlib.sha256()
        for column in self.arrays:
            sha.update(column.tobytes())
        return sha.hexdigest()[:16]
