"""How deep is safe: the largest number of nested layers of a kind that still fits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blockstack.engine.explain import plan_for
from blockstack.engine.simulate import as_kernel
from blockstack.errors import ConfigError
from blockstack.kernel import Kernel
from blockstack.kinds import find_kind
from blockstack.result import TaskDepth
from blockstack.stack import Device, Stack
from blockstack.units import parse_sectors
from blockstack.workload import Workload


@dataclass(frozen=True)
class LayerLimit:
    """How many nested layers of a kind fit.

    Attributes
    ----------
    kernel, submission, kind : str
    direction : {"submission", "completion"}
    layers : int or None
        Largest number of nested layers of the kind that fits, those that the stack has included;
        None: any number fits, no layer makes it deeper. -1: it overflows without any.
    present_layers : int
        How many the stack nests now.
    bytes_per_layer : int
    peak_bytes : int
        Depth of the task that decides, with that many layers.
    on_top_bytes : int
        What an interrupt may put on top of it on the same stack.
    limit_bytes : int
    task : str
        The task that decides.
    exact : bool
    """

    kernel: str
    submission: str
    kind: str
    direction: str
    layers: int | None
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


def max_layers(stack: Stack, kind: str, *, kernel: Kernel | str | Path,
               submission: str | None = None, workload: Workload | None = None
               ) -> tuple[LayerLimit, ...]:
    """How deep is safe: the largest number of nested layers of a kind that still fits.

    Layers of the kind that the stack has are taken out first, as far as they stand on one device
    that nothing else uses; then layers are put in right under the roots.

    Parameters
    ----------
    kind : str
        A stacked kind that stands on one device (``dm-linear``, ``dm-crypt`` ...).

    Returns
    -------
    tuple of LayerLimit
        For submission and completion.

    Raises
    ------
    ConfigError
        A kind that does not stand on exactly one device, or is not a stacked kind.
    """
    the_kernel = as_kernel(kernel).override(submission=submission)
    entry = find_kind(kind, "kind")
    if entry.role != "stacked" or entry.arity[0] != 1:
        raise ConfigError("cannot be nested: it must stand on one device", path="max_layers",
                          value=kind, hint="try dm-linear")
    bare = without_layers(stack, kind)
    kept, present = min(_nested(bare, kind)), max(_nested(stack, kind))
    limits = []
    for direction in ("submission", "completion"):
        found = _limit(bare, kind, the_kernel, workload, direction)
        fit = found.layers if found.layers in (None, -1) else found.layers + kept
        limits.append(replace(found, layers=fit, present_layers=present))
    return tuple(limits)


def _nested(stack: Stack, kind: str) -> list[int]:
    """The largest number of nested devices of a kind under each root."""
    deepest: dict[str, int] = {}
    for name, device in stack.devices.items():
        below = max((deepest[one] for one in device.on), default=0)
        deepest[name] = below + (device.kind == kind)
    return [deepest[root] for root in stack.roots()]


def _limit(stack: Stack, kind: str, kernel: Kernel, workload: Workload | None,
           direction: str) -> LayerLimit:
    """Depth grows by the same bytes with every layer, task by task: two probes tell the step, a
    third and a fourth check the answer."""
    def rooms(n: int) -> dict[str, tuple[int, TaskDepth]]:
        _, static = plan_for(with_layers(stack, kind, n), kernel, workload)
        wanted = direction == "completion"
        return {t.task: (t.headroom_bytes - static.on_top(t.context).interrupts_bytes
                         - static.on_top(t.context).struck_bytes, t)
                for t in static.all() if t.task.startswith("completion ") == wanted}

    probes = [rooms(n) for n in (0, _PROBE, _PROBE + 1)]
    if not probes[0]:
        return LayerLimit(kernel.name, kernel.rule, kind, direction, None, 0, 0, 0, 0,
                          kernel.platform.limit_bytes, "completes inline", True)
    steps = {name: probes[1][name][0] - probes[2][name][0]
             for name in probes[1].keys() & probes[2].keys()}
    tightest = min(probes[0].values(), key=lambda r: r[0])
    if tightest[0] < 0:
        return _row(kernel, kind, direction, -1, steps.get(tightest[1].task, 0), tightest)
    growing = {name: step for name, step in steps.items() if step > 0}
    if not growing:
        return _row(kernel, kind, direction, None, 0, tightest)
    best = min(_PROBE + probes[1][name][0] // step for name, step in growing.items())
    while min(r[0] for r in rooms(best).values()) < 0:  # a path that another one overtakes later
        best -= 1
    while best < _MOST and min(r[0] for r in rooms(best + 1).values()) >= 0:
        best += 1
    room = min(rooms(best).values(), key=lambda r: (r[0] // max(1, steps.get(r[1].task, 0))))
    return _row(kernel, kind, direction, best, max(growing.values()) if room[1].task not in steps
                else steps[room[1].task], room)


def _row(kernel: Kernel, kind: str, direction: str, layers: int | None, step: int,
         tightest: tuple[int, TaskDepth]) -> LayerLimit:
    room, task = tightest
    return LayerLimit(kernel.name, kernel.rule, kind, direction, layers, 0, step, task.peak_bytes,
                      task.headroom_bytes - room, task.limit_bytes, task.task, task.exact)


def with_layers(stack: Stack, kind: str, count: int) -> Stack:
    """A copy of ``stack`` with ``count`` more layers of a kind right under its roots."""
    copy = Stack(stack.name)
    roots = stack.roots()
    for name, device in stack.devices.items():
        keys = dict(device.given)
        if name in roots and device.kind_entry.role == "source" and "on" in keys:
            on = keys["on"]
            keys["on"] = _pile(copy, on, kind, count) if isinstance(on, str) else [
                _pile(copy, one, kind, count) for one in on]
        copy.add(name, device.kind, **keys)
    for name in roots:
        if stack.devices[name].kind_entry.role != "source":
            _pile(copy, name, kind, count)
    return copy


def without_layers(stack: Stack, kind: str) -> Stack:
    """A copy of ``stack`` without its layers of a kind.

    A layer stays where taking it out would let two devices claim what is under it, and where it
    stands on several devices.
    """
    copy = Stack(stack.name)
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
    was = parse_sectors(row[3], "table") if len(row) == 4 and isinstance(row[3], str) else (
        row[3] if len(row) == 4 else 0)
    return [*row[:2], below, was + offset]


def _pile(stack: Stack, bottom: str, kind: str, count: int) -> str:
    """Put ``count`` layers on a device; the topmost one's name."""
    below: Device | str = bottom
    for i in range(count):
        below = stack.add(f"{bottom}+{kind}-{i + 1}", kind, on=below)
    return below if isinstance(below, str) else below.name
