"""Depths that need no simulation: every task of a stack, its deepest path, and the verdict."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from blockstack.base.calls import Path
from blockstack.engine.depth.bound import Bound
from blockstack.engine.depth.verdict import OnTop, TaskName, task_depth
from blockstack.engine.plan.arrays import FLUSH, FUA, OP_NAMES, WRITE
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.entries import Entries, EntryPoint
from blockstack.engine.plan.interrupts import SharedInterrupts, shared_interrupts
from blockstack.engine.plan.layers import Layers
from blockstack.engine.plan.mappings import LEAF
from blockstack.engine.plan.model import Plan, Position
from blockstack.engine.plan.paths import LayeredPath, deepest, layered
from blockstack.kernel import Kernel
from blockstack.results.result import TaskDepth
from blockstack.stack import Device

#: md writes its superblock by pages (drivers/md/md.c md_super_write)
SUPERBLOCK_SECTORS = 8


class _Row(NamedTuple):
    """A task of one device."""

    what: str
    context: str
    path: LayeredPath
    limit_bytes: int
    direction: str = "submission"


def each_deepest(tasks: Iterable[TaskDepth]) -> tuple[TaskDepth, ...]:
    """Every task once, where it is deepest."""
    found: dict[tuple[str, str], TaskDepth] = {}
    for task in tasks:
        key = (task.task, task.context)
        if key not in found or task.peak_bytes > found[key].peak_bytes:
            found[key] = task
    return tuple(found.values())


@dataclass(frozen=True)
class StaticTasks:
    """Every task of a compiled plan, bounded.

    Parameters
    ----------
    plan : Plan
    max_sectors, align_sectors : int
        Largest bio of the workload and the alignment of its first sector.
    direct : bool
        What the plan was compiled for.
    """

    plan: Plan
    max_sectors: int
    align_sectors: int = 1
    direct: bool = False

    @cached_property
    def bound(self) -> Bound:
        """Longest paths over the plan's positions."""
        beside = {
            (position, op)
            for entries, position in (*self._roots(), *self.plan.inner)
            for point in entries.points
            for op in self._ops(position, point)
        }
        return Bound(self.plan, self.max_sectors, self.align_sectors, tuple(sorted(beside)))

    def _ops(self, position: int, point: EntryPoint) -> list[int]:
        """Operations that an entry point's bios can be, of those that the device below takes."""
        layers = Layers(self.plan.kernel, self.plan.stack)
        taken = layers.calls(self.plan.positions[position].device).ops
        return sorted({point.op, *(op for op in point.bios if OP_NAMES[op] in taken)})

    def all(self) -> tuple[TaskDepth, ...]:
        """Submitters by entry point, workers, unplug, transmission, completion."""
        return (
            *self.points(data=True),
            *self.points(data=False),
            *self.workers(),
            *self.plugs(),
            *self.unplug(),
            *self.beyond(),
        )

    def beside_a_run(self) -> tuple[TaskDepth, ...]:
        """What a run's bios set off beside the simulated tasks."""
        return (*self.points(data=False), *self.plugs(), *self.unplug(), *self.beyond())

    def points(self, *, data: bool) -> Iterator[TaskDepth]:
        """Each source's entry points: the deepest path over the operations that take it."""
        inner = () if data else self.plan.inner
        found: dict[tuple[str, str], tuple[str, list[LayeredPath]]] = {}
        for i, (entries, position) in enumerate((*self._roots(), *inner)):
            for point in entries.points:
                if i < len(self.plan.entries) and point.data != data:
                    continue
                paths = found.setdefault((point.name, entries.source), (point.context, []))[1]
                paths.append(point.submit + self._below(position, point))
        for (name, source), (context, paths) in found.items():
            yield self._depth(TaskName(name, source), context, deepest(paths))

    def _below(self, position: int, point: EntryPoint) -> LayeredPath:
        """The deepest path below a source's submit, of whichever operation its bios are."""
        return deepest(
            self.bound.below(
                position, op, 0 if op == FLUSH else self.max_sectors, self.align_sectors
            )
            for op in self._ops(position, point)
        )

    def workers(self) -> Iterator[TaskDepth]:
        """Tasks that go on with bios that others handed over."""
        tasks = self.bound.tasks()
        for number, task in enumerate(self.plan.tasks):
            if task.context == "worker" and number in tasks:
                path = task.entry + self.bound.path(tasks[number].visits)
                path = path.lacking(sorted(tasks[number].missing))
                yield self._depth(TaskName(task.work, task.device), "worker", path)

    def plugs(self) -> Iterator[TaskDepth]:
        """Writes that a driver keeps in the task's plug (md's raid1 and raid10 with a bitmap):
        submitted below blk_finish_plug, wherever the entry point or the worker ends its plug."""
        rows, layers = self.plan.kernel.rows, Layers(self.plan.kernel, self.plan.stack)
        for number, position in enumerate(self.plan.positions):
            callback = layers.calls(position.device).plugged
            members = _children(self.plan, number)
            if callback is None or not members or not {WRITE, FUA} & set(self.plan.ops):
                continue
            below = deepest(
                self.bound.below(c, WRITE, self.max_sectors, self.align_sectors) for c in members
            )
            more = f" (plug of {position.device.name})"
            for name, context, path in self._plugging[position.task]:
                flush = rows.plug_flush(path, callback)
                if flush is not None:
                    ended = layered(name.device, flush) + below
                    yield self._depth(name._replace(more=more), context, ended)

    @cached_property
    def _plugging(self) -> Mapping[int, list[tuple[TaskName, str, Path]]]:
        """Per task: entry points and workers on whose stack its bios are submitted."""
        found: dict[int, list[tuple[TaskName, str, Path]]] = {}
        for entries, root in (*self._roots(), *self.plan.inner):
            users = found.setdefault(self.plan.positions[root].task, [])
            users += [
                (TaskName(point.name, entries.source), point.context, point.path)
                for point in dict.fromkeys(entries.points)
                if point.path is not None and point.op in (WRITE, FUA, FLUSH)
            ]
        layers = Layers(self.plan.kernel, self.plan.stack)
        for position in self.plan.positions:
            device, worker = position.device, layers.worker(position.device)
            for task in {key[1] for _, key, _ in position.children if key is not None}:
                if worker is not None:
                    name = TaskName(worker.name, device.name)
                    found.setdefault(task, []).append((name, "worker", worker.path))
        return found

    def unplug(self) -> Iterator[TaskDepth]:
        """unplug_fn of kernels to 2.6.3x: recursion through the stack under every rule."""
        for entries, position in (*self._roots(), *self.plan.inner):
            if entries.unplug is not None:
                yield self._depth(
                    TaskName("unplug", entries.source),
                    "caller",
                    entries.unplug + self.plan.positions[position].unplug,
                )

    def _roots(self) -> Iterator[tuple[Entries, int]]:
        """Each source on top and the position that its bios are given to."""
        return zip(self.plan.entries, (int(r) for r in self.plan.arrays.roots), strict=True)

    def beyond(self) -> Iterator[TaskDepth]:
        """Completion, transmission and the arrays' own writes; one row for devices alike."""
        layers = Layers(self.plan.kernel, self.plan.stack)
        groups: dict[tuple[object, ...], tuple[dict[str, None], _Row]] = {}
        for device, row in self._rows_beyond(layers):
            key = (row.what, row.context, row.path.bytes, row.path.missing, device.kind)
            groups.setdefault(key, ({}, row))[0][device.name] = None
        for names, row in groups.values():
            more = f" (and {len(names) - 1} alike)" if len(names) > 1 else ""
            name = TaskName(row.what, next(iter(names)), more)
            yield self._depth(name, row.context, row.path, row.limit_bytes, row.direction)

    def _rows_beyond(self, layers: Layers) -> Iterator[tuple[Device, _Row]]:
        """Rows of devices that serve as positions, and of whatever has a network card."""
        for i, position in enumerate(self.plan.positions):
            if position.device.kind_entry.role != "nic":
                for row in (*self._completion(layers, position), *self._own_writes(layers, i)):
                    yield position.device, row
        for device in self.plan.stack.devices.values():
            source = device.kind_entry.role == "source"  # a server's thread is no position
            if source and not device.maps_itself:
                for row in self._beside(layers, device):
                    yield device, row
            for name, path, limit, context in layers.receptions(device):
                yield device, _Row(name, context, layered(device.name, path), limit)

    def _completion(self, layers: Layers, position: Position) -> Iterator[_Row]:
        """Where a leaf (or an array whose thread ends bios) calls bio_endio; what sends."""
        kernel, device = self.plan.kernel, position.device
        calls, platform = layers.calls(device), kernel.platform
        peer = calls.peer if device.nic else None
        ends = (calls.completion, None if peer is None else peer.completion)
        for path in ends:
            if path is None:
                continue
            start = kernel.rows.spine(path, kernel.generation.endio_link)
            context = _context(path)
            yield _Row(
                "completion",
                context,
                layered(device.name, start) + position.completion,
                platform.limit_of(context),
                "completion",
            )
        yield from self._beside(layers, device)

    def _beside(self, layers: Layers, device: Device) -> Iterator[_Row]:
        """Further tasks of a device that submit nothing, and what sends."""
        kernel = self.plan.kernel
        for name, work in layers.calls(device).tasks.items():
            yield _Row(
                name,
                _context(work),
                layered(device.name, kernel.rows.spine(work)),
                kernel.platform.limit_of(_context(work)),
            )
        if device.nic:
            for name, sent, limit, context in layers.transmissions(device):
                yield _Row(name, context, layered(device.name, sent), limit)

    def _own_writes(self, layers: Layers, number: int) -> Iterator[_Row]:
        """What a device's own threads write: an array its superblock, dm-integrity its journal."""
        position, kernel = self.plan.positions[number], self.plan.kernel
        calls = layers.calls(position.device)
        peer = calls.peer.threads if calls.peer is not None and position.device.nic else {}
        threads = {**calls.threads, **peer}
        members = _children(self.plan, number)
        if not threads or not members:
            return
        below = deepest(
            self.bound.below(c, op, SUPERBLOCK_SECTORS)
            for c in members
            for op in (WRITE, FUA)
            if OP_NAMES[op] in layers.calls(self.plan.positions[c].device).ops
        )
        for name, path in threads.items():
            start = layered(
                position.device.name, kernel.rows.spine(path, kernel.generation.submit_link)
            )
            yield _Row(name, "worker", start + below, kernel.platform.limit_bytes)

    def _depth(
        self,
        name: TaskName,
        context: str,
        path: LayeredPath,
        limit: int | None = None,
        direction: str = "submission",
    ) -> TaskDepth:
        limit = self.plan.kernel.platform.limit_bytes if limit is None else limit
        on_top = self.beside(name, path.bytes, self.on_top(context), limit)
        return task_depth(name, context, path, limit, on_top, direction=direction)

    def beside(self, name: TaskName, depth: int, on_top: OnTop, limit: int) -> OnTop:
        """What comes on top of a task, with its depth in the other build and what its budgets add.

        Reclaim and the scheduler are followed where their budgets would leave the verdict open.
        """
        other = self._other.get(str(name), 0)
        on_top = replace(on_top, other_bytes=other)
        if name.what == "reclaim":  # PF_MEMALLOC: reclaim does not reclaim (mm/page_alloc.c)
            budgets = {k: n for k, n in on_top.budgets.items() if k != "reclaim"}
            on_top = replace(on_top, budgets=budgets)
        budget = max(on_top.budgets.values(), default=0)
        if (
            not budget
            or not self.plan.kernel.generation.allocations
            or max(depth, other) + on_top.interrupts_bytes + budget <= limit
        ):
            return on_top
        ours, theirs = self._scheduled if name.what == "reclaim" else self._reclaimed
        deeper = max(depth, ours.get(str(name), depth + budget))
        in_other = max(other, theirs.get(str(name), other + budget)) if other else 0
        return replace(on_top, budgets={}, budgeted_bytes=deeper, other_budgeted_bytes=in_other)

    @cached_property
    def _other(self) -> Mapping[str, int]:
        """Every task's depth in the kernel's other build."""
        other = self.plan.kernel.other_build
        return {} if other is None else self.on(other).depths()

    @cached_property
    def _reclaimed(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Every task's depth with page reclaim below the allocations that may wait, in the kernel
        and in its other build."""
        return self._followed("reclaim", "schedule")

    @cached_property
    def _scheduled(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """The same for what runs under reclaim: it sleeps and wakes, too."""
        return self._followed("schedule")

    def _followed(self, *budgets: str) -> tuple[Mapping[str, int], Mapping[str, int]]:
        kernel, other = self.plan.kernel, self.plan.kernel.other_build
        ours = self.on(replace(kernel.following(*budgets), other_data="")).depths()
        theirs = {} if other is None else self.on(other.following(*budgets)).depths()
        return ours, theirs

    def on(self, kernel: Kernel) -> "StaticTasks":
        """The same tasks on another form of the kernel."""
        ops = [OP_NAMES[op] for op in self.plan.ops]
        plan = compile_plan(
            self.plan.stack, kernel, ops=ops, direct=self.direct, max_sectors=self.max_sectors
        )
        return replace(self, plan=plan)

    def depths(self) -> dict[str, int]:
        """Bytes of every task, where it submits and where it does not."""
        rows, layers = self.plan.kernel.rows, Layers(self.plan.kernel, self.plan.stack)
        found = {task.task: task.peak_bytes for task in self.all()}
        local = [
            (TaskName(point.name, entries.source), point.path)
            for entries, _ in (*self._roots(), *self.plan.inner)
            for point in entries.points
        ]
        for position in self.plan.positions:
            worker = layers.worker(position.device)
            if worker is not None:
                local.append((TaskName(worker.name, position.device.name), worker.path))
        for name, path in local:
            if path is not None and str(name) in found:
                found[str(name)] = max(found[str(name)], rows.spine(path).bytes)
        return found

    def on_top(self, context: str) -> OnTop:
        """What may come on top of a task of this plan."""
        kernel = self.plan.kernel
        found = replace(self._on_top(context), doubt=kernel.doubt)
        return replace(found, factor=kernel.generation.published_factor)

    def _on_top(self, context: str) -> OnTop:
        kernel, platform = self.plan.kernel, self.plan.kernel.platform
        missing = tuple(self.plan.stack.missing)
        if context == "private":
            return OnTop()
        if context in ("softirq", "hardirq"):
            struck = 0 if platform.irq_limit_bytes else self._deepest_task
            return OnTop(struck_bytes=struck, missing=missing)
        builds = [kernel.rows] + ([] if kernel.other_build is None else [kernel.other_build.rows])
        found = [rows.budgets() for rows in builds]
        budgets = {name: max(one[name].bytes for one in found) for name in found[0]}
        if platform.irq_stacks == "separate":
            missing += platform.irq_entry_missing
            return OnTop(platform.irq_entry_bytes, budgets, missing=missing)
        missing += self.shared.missing
        return OnTop(self.shared.worst_bytes, budgets, missing=missing)

    @cached_property
    def shared(self) -> SharedInterrupts:
        """Interrupts on the task's stack; a block softirq runs this stack's completion chains."""
        return shared_interrupts(self.plan.kernel, self._longest_completion)

    @cached_property
    def _longest_completion(self) -> LayeredPath:
        """The deepest chain of end_io functions above a leaf."""
        return deepest(p.completion for p in self.plan.positions if p.shape.op_kind == LEAF)

    @cached_property
    def _deepest_task(self) -> int:
        """Bytes of the deepest task that an interrupt may strike."""
        tasks = self.bound.tasks()
        entered = max((t.bytes for t in tasks.values()), default=0)
        points = (
            point.submit + self._below(position, point)
            for entries, position in (*self._roots(), *self.plan.inner)
            for point in entries.points
        )
        return max([entered, *(path.bytes for path in points)])


def _context(path: Path) -> str:
    """The context that a path's root stands for."""
    root = path.root.removeprefix("@")
    return {"kthread": "worker", "syscall": "caller"}.get(root, root)


def _children(plan: Plan, p: int) -> Sequence[int]:
    a = plan.arrays
    lo, hi = int(a.child_start[p]), int(a.child_start[p + 1])
    return [int(c) for c in a.child[lo:hi] if c >= 0]
