"""A stack on a kernel, compiled: positions from the sources down, then their numbers."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from blockstack.base.errors import ConfigError
from blockstack.engine.plan.arrays import DISCARD, FLUSH, NOPS, OP_NAMES, READ, WRITE, LimitRow
from blockstack.engine.plan.build import build_arrays
from blockstack.engine.plan.entries import (
    Entries,
    block_device,
    entries_of,
    inner_sources,
    source_completion,
    worker_entry,
)
from blockstack.engine.plan.layers import Layers
from blockstack.engine.plan.mapping import Shape, shape_of
from blockstack.engine.plan.model import Key, Plan, Position, Task
from blockstack.engine.plan.paths import LayeredPath, deepest, layered
from blockstack.engine.plan.queue_limits import MOST_SECTORS, limit_rows
from blockstack.kernel import Kernel
from blockstack.stack import Device, Stack
from blockstack.stack.queue_limit_tree import DeviceLimits, queue_limit_tree
from blockstack.stack.queue_limits.rules import (
    rules_for,
)


def compile_plan(
    stack: Stack,
    kernel: Kernel,
    *,
    ops: Iterable[str] = ("read", "write"),
    direct: bool = False,
    max_sectors: int = MOST_SECTORS,
) -> Plan:
    """Compile a stack for a kernel.

    Parameters
    ----------
    stack : Stack
    kernel : Kernel
    ops : iterable of str
        Operations that the workload has, of ``read write flush discard fua``.
    direct : bool
        O_DIRECT: which entry points the sources use.
    max_sectors : int
        Longest bio: queue limits that it does not pass are left out.

    Raises
    ------
    UnsupportedKind
        A kind or an operation that the kernel does not have.
    ConfigError
        A stack without a device that takes bios.
    """
    numbers = tuple(sorted({OP_NAMES.index(op) for op in ops}))
    return _Compiler(stack, kernel, numbers, direct, max_sectors).compile()


def _in_worker(workers: Mapping[str, object], shape: Shape) -> frozenset[int]:
    """Operations whose lower bios are all handed to the worker.

    Where the data decide between caller and worker (raid4/5/6, snapshots) the core does, except
    for what carries no data.
    """
    ops = {OP_NAMES.index(word) for word in workers} if shape.children else set()
    return frozenset(ops & {FLUSH, DISCARD} if shape.both else ops)


@dataclass
class _Compiler:
    stack: Stack
    kernel: Kernel
    ops: tuple[int, ...]
    direct: bool
    max_sectors: int
    tasks: list[Task] = field(default_factory=list)
    found: dict[Key, Position] = field(default_factory=dict)
    todo: deque[Key] = field(default_factory=deque)
    workers: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def compile(self) -> Plan:
        self.layers = Layers(self.kernel, self.stack)
        roots, entries = [], []
        for source in self.stack.roots():
            entry = entries_of(self.stack, source, self.layers, self.ops, self.direct)
            self.tasks.append(
                Task(f"submitter {source}", "caller", self.kernel.platform.limit_bytes)
            )
            roots.append(self._reach(entry.lower, len(self.tasks) - 1, entry.completion, None))
            entries.append(entry)
        if not roots:
            raise ConfigError(
                "nothing here takes bios",
                path="devices",
                hint="add a block device, and a source on top if you like",
            )
        while self.todo:
            self._expand(self.todo.popleft())
        order = self._topological()
        for key in reversed(order):
            self._unplug(self.found[key])
        number = {key: i for i, key in enumerate(order)}
        positions = tuple(self.found[key] for key in order)
        tree = queue_limit_tree(self.stack, self.kernel.generation.name)
        limits = self._limits([self.found[key] for key in order], tree)
        arrays = build_arrays(
            positions, number, self.layers, self.tasks, [number[r] for r in roots], entries, limits
        )
        return Plan(
            self.stack,
            self.kernel,
            arrays,
            positions,
            tuple(self.tasks),
            tuple(entries),
            tuple(self._inner(positions)),
            self.ops,
            tree,
        )

    def _limits(
        self, order: Iterable[Position], tree: Mapping[str, DeviceLimits]
    ) -> Mapping[tuple[str, int], LimitRow]:
        """Where devices split bios; kernels to 2.6.24 build none that passes the limits."""
        if not rules_for(self.kernel.generation.name).topology:
            return {}
        walk = (
            (
                here.device,
                here.shape,
                {
                    self.found[key].device.name
                    for caller, worker, _ in here.children
                    for key in (caller, worker)
                    if key is not None
                },
            )
            for here in order
        )
        return limit_rows(walk, tree, self.ops, self.max_sectors)

    def _inner(self, positions: tuple[Position, ...]) -> Iterator[tuple[Entries, int]]:
        """File systems that no bio of the workload comes from, but that have tasks of their own."""
        where = {p.device.name: i for i, p in reversed(list(enumerate(positions)))}
        for name in inner_sources(self.stack):
            entry = entries_of(self.stack, name, self.layers, self.ops, self.direct, strict=False)
            if entry.lower.name in where:
                yield entry, where[entry.lower.name]

    def _reach(self, device: Device, task: int, completion: LayeredPath, parent: Key | None) -> Key:
        key = (device.name, task, completion.bytes)
        if key not in self.found:
            calls = self.layers.calls(device)
            for op in self.ops:
                self.layers.check_op(device, OP_NAMES[op])
            if device.name not in self.shapes:
                self.shapes[device.name] = shape_of(self.stack, device, calls)
            shape = self.shapes[device.name]
            self.found[key] = Position(
                device, task, completion, shape, _in_worker(calls.worker, shape)
            )
            self.todo.append(key)
        if parent is not None:
            self.found[key].parents.append(parent)
        return key

    def _expand(self, key: Key) -> None:
        here = self.found[key]
        self._rows(here)
        if not here.shape.children:
            return
        below = self.layers.endio(here.device, here.completion)
        if self.stack.devices[here.shape.children[0][0]].kind_entry.role == "source":
            # the bios are the file system's that holds the loop device's file
            below = source_completion(
                self.stack,
                here.shape.children[0][0],
                self.layers,
                bool(here.device.params.get("direct")),
            )
        worker = self.layers.worker(here.device)
        caller = here.shape.both or any(op not in here.in_worker for op in range(NOPS))
        for name, offset in here.shape.children:
            device = block_device(self.stack, name)
            keys: list[Key | None] = [None, None]
            if caller or worker is None:
                keys[0] = self._reach(device, here.task, below, key)
            if worker is not None:
                keys[1] = self._reach(device, self._worker_task(here.device), below, key)
            here.children.append((keys[0], keys[1], offset))

    def _rows(self, here: Position) -> None:
        """Through and peak per operation; a leaf that completes inline completes on this stack."""
        name, through, peak = here.device.name, {}, {}
        for op, word in enumerate(OP_NAMES):
            if op == FLUSH and FLUSH not in self.ops:
                continue
            row = self.layers.row(here.device, word)
            through[op] = LayeredPath(((name, row.through),))
            peak[op] = LayeredPath(((name, row.peak),))
            inline = self.layers.inline(here.device, word)
            if inline is not None:
                done = LayeredPath(((name, inline),)) + here.completion
                peak[op] = deepest((peak[op], done))
        here.through, here.peak = through, peak

    def _unplug(self, here: Position) -> None:
        """unplug_fn recurses through the stack under every rule; raid5 of 2.6 also calls it while
        it waits for a free stripe in make_request."""
        gen, name = self.kernel.generation, here.device.name
        if gen.unplug_link is None:
            return
        calls = self.layers.calls(here.device)
        lower = deepest(self.found[c].unplug for c, _, _ in here.children if c is not None)
        if calls.unplug is not None:
            row = self.kernel.rows.layer(calls.unplug, gen.unplug_link, nested=bool(here.children))
            here.unplug = deepest((layered(name, row.through) + lower, layered(name, row.peak)))
        elif calls.immediate:
            here.unplug = lower
        waiting = None if calls.parity is None else calls.parity.unplug_in_submit
        if waiting is not None:
            path = self.kernel.rows.layer_to(waiting, gen.submit_link, gen.unplug_link)
            for op in (READ, WRITE):
                here.peak[op] = deepest((here.peak[op], layered(name, path) + lower))

    def _worker_task(self, device: Device) -> int:
        worker = self.layers.worker(device)
        assert worker is not None
        whose = device.name if worker.per_device else ""
        name = f"{worker.name} {whose}".rstrip()
        if name not in self.workers:
            self.workers[name] = len(self.tasks)
            entry = worker_entry(self.stack, device, worker, self.layers)
            limit = self.kernel.platform.limit_bytes
            self.tasks.append(Task(name, "worker", limit, entry, worker.name, whose))
        return self.workers[name]

    def _topological(self) -> list[Key]:
        """Parents before children, in order of discovery where that leaves a choice."""
        waiting = {key: len(position.parents) for key, position in self.found.items()}
        ready = deque(key for key, n in waiting.items() if n == 0)
        order: list[Key] = []
        while ready:
            key = ready.popleft()
            order.append(key)
            for caller, worker, _ in self.found[key].children:
                for child in (caller, worker):
                    if child is not None:
                        waiting[child] -= 1
                        if waiting[child] == 0:
                            ready.append(child)
        if len(order) != len(self.found):
            names = sorted({key[0] for key in self.found} - {key[0] for key in order})
            raise ConfigError(
                "devices stand on each other in a circle", path="devices", value=names[:8]
            )
        return order
