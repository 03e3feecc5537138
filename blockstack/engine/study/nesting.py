"""How deep is safe: the largest number of nested layers of a kind that still fits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.units import parse_sectors
from blockstack.engine.depth.explain import static_tasks
from blockstack.engine.depth.simulate import as_kernel
from blockstack.engine.depth.static import each_deepest
from blockstack.kernel import Kernel
from blockstack.kinds import find_kind
from blockstack.results.result import TaskDepth
from blockstack.stack import Device, Stack
from blockstack.workload import Workload

#: what a task is under any number of layers: what runs, the device of the bare stack that it
#: serves, what its name says beside, and the context
_Task = tuple[str, str, str, str]


@dataclass(frozen=True)
class LayersThatFit:
    """How many nested layers of a kind fit.

    Attributes
    ----------
    kernel, submission, kind : str
    direction : {"submission", "completion"}
    layers : int or None
        Largest number of nested layers of the kind that fits for certain, as `explain` judges,
        those that the stack has included; None: any number fits, no layer makes it deeper. -1: it
        does not fit without any.
    may_fit : int or None
        The same while neither page reclaim nor the scheduler needs stack on top.
    present_layers : int
        How many the stack nests now.
    bytes_per_layer : int
    peak_bytes : int
        Depth of the task that decides, with that many layers.
    on_top_bytes : int
        What an interrupt and reclaim or the scheduler may put on top of it on the same stack.
    limit_bytes : int
    task : str
        The task that decides.
    exact : bool
        False: a frame of its path is not known, or something was left out of the stack.
    """

    kernel: str
    submission: str
    kind: str
    direction: str
    layers: int | None
    may_fit: int | None
    present_layers: int
    bytes_per_layer: int
    peak_bytes: int
    on_top_bytes: int
    limit_bytes: int
    task: str
    exact: bool


#: layers at which the growth per layer is measured: deep enough for every path to have its form
_PROBE = 3
#: no answer is looked for beyond so many layers
_MOST = 5000


def max_layers(
    stack: Stack,
    kind: str,
    *,
    kernel: Kernel | str | Path,
    submission: str | None = None,
    workload: Workload | None = None,
) -> tuple[LayersThatFit, ...]:
    """How deep is safe: the largest number of nested layers of a kind that still fits.

    Layers of the kind that the stack has are taken out first, as far as they stand on one device
    that nothing else uses; then layers are put in right under the roots, under a server's export.

    Parameters
    ----------
    stack : Stack
        Devices and what they stand on.
    kind : str
        A stacked kind that stands on one device (``dm-linear``, ``dm-crypt`` ...).
    kernel : Kernel, str or Path
        A shipped name, or the path of a frame table.
    submission : {None, "recursive", "fifo", "two-list", "lifo"}
        None: the kernel's own rule.
    workload : Workload or None
        Operations, direct or buffered, and the largest bio; None: every operation that the stack
        takes, buffered and direct, up to 1 MiB.

    Returns
    -------
    tuple of LayersThatFit
        For submission and completion; sizes in bytes.

    Raises
    ------
    ConfigError
        A kind that does not stand on exactly one device, or is not a stacked kind.
    """
    the_kernel = as_kernel(kernel).override(submission=submission)
    entry = find_kind(kind, "kind")
    if entry.role != "stacked" or entry.arity[0] != 1:
        raise ConfigError(
            "cannot be nested: it must stand on one device",
            path="max_layers",
            value=kind,
            hint="try dm-linear",
        )
    bare = without_layers(stack, kind)
    kept, present = min(_nested(bare, kind)), max(_nested(stack, kind))
    limits = []
    tasks = _tasks_of(bare, kind, the_kernel, workload)
    for direction in ("submission", "completion"):
        found = _limit(tasks, kind, the_kernel, direction)
        limits.append(
            replace(
                found,
                layers=_plus(found.layers, kept),
                may_fit=_plus(found.may_fit, kept),
                present_layers=present,
                exact=found.exact and not stack.missing and not the_kernel.doubt,
            )
        )
    return tuple(limits)


def _plus(layers: int | None, kept: int) -> int | None:
    """Layers in all; ``kept`` of them were never taken out."""
    return layers if layers in (None, -1) else layers + kept


def _nested(stack: Stack, kind: str) -> list[int]:
    """The largest number of nested devices of a kind under each root."""
    deepest: dict[str, int] = {}
    for name, device in stack.devices.items():
        below = max((deepest[one] for one in device.on), default=0)
        deepest[name] = below + (device.kind == kind)
    return [deepest[root] for root in stack.roots()]


def _tasks_of(
    stack: Stack, kind: str, kernel: Kernel, workload: Workload | None
) -> Callable[[int], dict[_Task, TaskDepth]]:
    """Every task's bound under so many layers; each number is compiled once."""

    @cache
    def tasks(n: int) -> dict[_Task, TaskDepth]:
        grown = with_layers(stack, kind, n)
        own = _under(stack, grown)
        named = (
            _served(t, own.get(t.device, t.device))
            for static in static_tasks(grown, kernel, workload)
            for t in static.all()
        )
        return {_identity(t): t for t in each_deepest(named)}

    return tasks


def _served(task: TaskDepth, device: str) -> TaskDepth:
    """A task under the name of the device that it serves in the bare stack."""
    if device == task.device:
        return task
    return replace(task, task=f"{task.work} {device}{_beside(task)}", device=device)


def _beside(task: TaskDepth) -> str:
    """What a task's name says beside its work and its device: ``" (plug of md0)"``."""
    return task.task.removeprefix(f"{task.work} {task.device}".rstrip())


def _identity(task: TaskDepth) -> _Task:
    return task.work, task.device, _beside(task), task.context


def _under(stack: Stack, grown: Stack) -> dict[str, str]:
    """Per layer put in: the device of ``stack`` that it stands on. A raw device's tasks have the
    uppermost one's name."""
    found: dict[str, str] = {}
    for name, device in grown.devices.items():
        if name not in stack.devices:
            found[name] = found.get(device.on[0], device.on[0])
    return found


def _limit(
    every: Callable[[int], Mapping[_Task, TaskDepth]], kind: str, kernel: Kernel, direction: str
) -> LayersThatFit:
    """What fits for certain, and what fits while no budget is needed."""

    def tasks(n: int) -> dict[_Task, TaskDepth]:
        return {name: task for name, task in every(n).items() if task.direction == direction}

    if not tasks(0):
        return LayersThatFit(
            kernel.name,
            kernel.rule,
            kind,
            direction,
            None,
            None,
            0,
            0,
            0,
            0,
            kernel.platform.limit_bytes,
            "completes inline",
            True,
        )
    layers, task, step = _most_layers(tasks, _sure_room)
    may_fit, _, _ = _most_layers(tasks, _room)
    return LayersThatFit(
        kernel.name,
        kernel.rule,
        kind,
        direction,
        layers,
        may_fit,
        0,
        step,
        task.peak_bytes,
        task.interrupts_bytes + task.budget_bytes,
        task.limit_bytes,
        task.task,
        task.exact,
    )


def _room(task: TaskDepth) -> int:
    return task.headroom_bytes - task.interrupts_bytes


def _sure_room(task: TaskDepth) -> int:
    """Room in either build of the kernel, whatever its budgets need."""
    deeper = max(0, task.other_build_bytes - task.peak_bytes)
    return _room(task) - task.budget_bytes - deeper


def _most_layers(
    tasks: Callable[[int], Mapping[_Task, TaskDepth]], room: Callable[[TaskDepth], int]
) -> tuple[int | None, TaskDepth, int]:
    """The largest number with room for every task, the task that decides, its bytes per layer.

    Depth grows by the same bytes with every layer, task by task: two probes tell the step, more
    check the answer.
    """
    first, second = tasks(_PROBE), tasks(_PROBE + 1)
    steps = {name: room(first[name]) - room(second[name]) for name in first.keys() & second.keys()}
    tightest = min(tasks(0).values(), key=room)
    if room(tightest) < 0:
        return -1, tightest, steps.get(_identity(tightest), 0)
    growing = {name: step for name, step in steps.items() if step > 0}
    if not growing:
        return None, tightest, 0
    guess = min(_PROBE + room(first[name]) // step for name, step in growing.items())
    best = _last_that_fits(lambda n: min(map(room, tasks(n).values())), guess)
    decides = min(tasks(best).values(), key=lambda t: room(t) // max(1, steps.get(_identity(t), 0)))
    return best, decides, steps.get(_identity(decides), max(growing.values()))


def _last_that_fits(room: Callable[[int], int], guess: int) -> int:
    """The largest number of layers with room, from a guess on; without layers there is room.

    A bound is the largest of straight lines, so the room falls ever faster: the secant between one
    number that fits and one that does not never leads past the answer.
    """
    fits, fails, stride, n = 0, _MOST + 1, 1, max(1, min(guess, _MOST))
    while fails - fits > 1:
        if room(n) >= 0:
            fits = n
        else:
            fails = n
        if fails > _MOST:
            n = min(fits + stride, _MOST)
            stride *= 2
        else:
            spare, short = room(fits), -room(fails)
            n = fits + max(1, min(fails - fits - 1, spare * (fails - fits) // (spare + short)))
    return fits


def with_layers(stack: Stack, kind: str, count: int) -> Stack:
    """A copy of ``stack`` with ``count`` more layers of a kind right under its roots.

    Under a server, right under the file system that it exports.
    """
    copy = Stack(stack.name, stack.missing)
    roots = [_exported(stack, name) for name in stack.roots()]
    for name, device in stack.devices.items():
        keys = dict(device.given)
        if name in roots and device.kind_entry.role == "source" and "on" in keys:
            on = keys["on"]
            keys["on"] = (
                _pile(copy, on, kind, count)
                if isinstance(on, str)
                else [_pile(copy, one, kind, count) for one in on]
            )
        copy.add(name, device.kind, **keys)
    for name in roots:
        if stack.devices[name].kind_entry.role != "source":
            _pile(copy, name, kind, count)
    return copy


def _exported(stack: Stack, name: str) -> str:
    """A root or, where it is a file system's server, that file system."""
    while (
        stack.devices[name].kind_entry.role == "source"
        and (on := stack.devices[name].on)
        and stack.devices[on[0]].kind_entry.role == "source"
    ):
        name = on[0]
    return name


def without_layers(stack: Stack, kind: str) -> Stack:
    """A copy of ``stack`` without its layers of a kind.

    A layer stays where taking it out would let two devices claim what is under it, and where it
    stands on several devices.
    """
    copy = Stack(stack.name, stack.missing)
    gone: dict[str, tuple[str, int]] = {}
    users = dict(stack.graph.in_degree())
    for name, device in stack.devices.items():
        if device.kind == kind and len(device.on) == 1 and users[device.on[0]] == 1:
            start = device.segments[0].offsets[0] if device.segments else device.offset_sectors
            below, offset = gone.get(device.on[0], (device.on[0], 0))
            gone[name] = (below, offset + start)
        else:
            copy.add(name, device.kind, **_relinked(device.given, gone))
    return copy


def _relinked(given: Mapping[str, Any], gone: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    """A device's keys, with what stood under the devices that are gone."""
    keys = dict(given)
    on = keys.get("on")
    if isinstance(on, str):
        keys["on"] = gone.get(on, (on, 0))[0]
    elif on is not None:
        keys["on"] = [gone.get(one, (one, 0))[0] for one in on]
    if "table" in keys:
        keys["table"] = [_moved(row, gone) for row in keys["table"]]
    return keys


def _moved(row: list[Any], gone: Mapping[str, tuple[str, int]]) -> list[Any]:
    if row[2] not in gone:
        return row
    below, offset = gone[row[2]]
    was = (
        parse_sectors(row[3], "table")
        if len(row) == 4 and isinstance(row[3], str)
        else (row[3] if len(row) == 4 else 0)
    )
    return [*row[:2], below, was + offset]


def _pile(stack: Stack, bottom: str, kind: str, count: int) -> str:
    """Put ``count`` layers on a device; the topmost one's name."""
    below: Device | str = bottom
    for i in range(count):
        below = stack.add(f"{bottom}+{kind}-{i + 1}", kind, on=below)
    return below if isinstance(below, str) else below.name
