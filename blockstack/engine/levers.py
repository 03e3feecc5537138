"""What helps most: one thing changed at a time, and what that does to the stack's headroom."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from blockstack.engine.explain import explain
from blockstack.engine.nesting import with_layers, without_layers
from blockstack.engine.simulate import as_kernel
from blockstack.errors import BlockstackError
from blockstack.kernel import Kernel
from blockstack.stack import Stack
from blockstack.units import format_bytes
from blockstack.workload import Workload

_LARGEST_THREAD_BYTES = 65536


@dataclass(frozen=True)
class Swing:
    """One setting of a lever, and the value that it brings."""

    setting: str
    value: float


@dataclass(frozen=True)
class Lever:
    """One thing that can be changed alone.

    Attributes
    ----------
    name : str
        With its setting now.
    swings : tuple of Swing
        Other settings; one or two.
    """

    name: str
    swings: tuple[Swing, ...]


@dataclass(frozen=True)
class Tornado:
    """Levers, what gains most first.

    Attributes
    ----------
    stack, kernel, condition : str
        The condition is the submission rule or the load.
    quantity : {"headroom_bytes", "iops"}
        Headroom is that of the worst task; negative: it overflows.
    base, error : float
        The value now; of a rate, half the width of its 95 % confidence interval.
    levers : tuple of Lever
    idle : tuple of str
        Levers that change nothing, or no more than the error.
    left_out : tuple of str
        Settings that cannot be, and why.
    provenance : mapping
    """

    stack: str
    kernel: str
    condition: str
    quantity: Literal["headroom_bytes", "iops"]
    base: float
    error: float
    levers: tuple[Lever, ...]
    idle: tuple[str, ...]
    left_out: tuple[str, ...]
    provenance: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


#: lever: setting, and how its value is found
Choices = Mapping[str, Mapping[str, Callable[[], float]]]


def weigh(choices: Choices, base: float, error: float
          ) -> tuple[tuple[Lever, ...], tuple[str, ...], tuple[str, ...]]:
    """Every setting's value: levers by what they gain, idle ones, settings that cannot be."""
    levers, idle, left_out = [], [], []
    for name, settings in choices.items():
        swings = []
        for setting, value in settings.items():
            try:
                swings.append(Swing(setting, value()))
            except BlockstackError as reason:
                left_out.append(f"{name}, {setting}: {reason}")
        if any(abs(s.value - base) > error for s in swings):
            levers.append(Lever(name, tuple(swings)))
        elif swings:
            idle.append(name)
    levers.sort(key=lambda lever: (-max(base, *(s.value for s in lever.swings)),
                                   min(s.value for s in lever.swings)))
    return tuple(levers), tuple(idle), tuple(left_out)


def headroom_levers(stack: Stack, *, kernel: Kernel | str | Path,
                    workload: Workload | None = None) -> Tornado:
    """Headroom of the worst task with another thread size, rule, number of layers, way in.

    Parameters
    ----------
    stack : Stack
    kernel : Kernel, str or Path
    workload : Workload or None
        As for `explain`.

    Returns
    -------
    Tornado
        In bytes.

    Raises
    ------
    BlockstackError
        As for `explain`; a change that the model refuses is left out, with the reason.
    """
    chosen = as_kernel(kernel)

    def headroom(of: Stack = stack, on: Kernel = chosen, by: Workload | None = workload) -> float:
        return explain(of, kernel=on, workload=by).worst.headroom_bytes

    choices = {name: {setting: value for setting, value in settings}
               for name, settings in _choices(stack, chosen, workload, headroom)}
    base = headroom()
    levers, idle, left_out = weigh(choices, base, 0)
    return Tornado(stack.name, chosen.name, chosen.rule, "headroom_bytes", base, 0, levers, idle,
                   left_out, chosen.provenance() | {
                       "stack": stack.name, "overrides": list(chosen.overrides)})


_Settings = Iterable[tuple[str, Callable[[], float]]]


def _choices(stack: Stack, kernel: Kernel, workload: Workload | None,
             headroom: Callable[..., float]) -> Iterator[tuple[str, _Settings]]:
    size = kernel.platform.thread_size_bytes
    yield f"thread size {format_bytes(size)}", [
        (format_bytes(n), lambda n=n: headroom(on=kernel.override(thread_size_bytes=n)))
        for n in (size // 2, size * 2) if 4096 <= n <= _LARGEST_THREAD_BYTES]
    others = ("fifo",) if kernel.rule == "recursive" else ("recursive",)
    yield f"submission {kernel.rule}", [
        (rule, lambda rule=rule: headroom(on=kernel.override(submission=rule)))
        for rule in others]
    if kernel.platform.offset_bytes:
        yield "randomize_kstack_offset on", [
            ("off", lambda: headroom(on=kernel.override(stack_offset=False)))]
    if workload is not None:
        yield "direct I/O" if workload.direct else "buffered I/O", [
            ("buffered" if workload.direct else "direct",
             lambda: headroom(by=replace(workload, direct=not workload.direct)))]
    for kind, count in _layer_kinds(stack).items():
        fewer = partial(headroom, without_layers(stack, kind))
        yield f"{kind}: {count} in the stack", [
            *([("none", fewer)] if count else []),
            ("one more", lambda kind=kind: headroom(with_layers(stack, kind, 1)))]
    for root in stack.roots():
        device = stack.devices[root]
        if device.kind_entry.role == "source" and device.on:
            yield f"{device.kind} {root}", [("raw device", lambda root=root: headroom(
                _without_root(stack, root)))]


def _layer_kinds(stack: Stack) -> dict[str, int]:
    """Stacked kinds on one device, how often each can be taken out; dm-linear in any case."""
    kinds = dict.fromkeys(d.kind for d in stack.devices.values()
                          if d.kind_entry.role == "stacked" and d.kind_entry.arity[0] == 1
                          and len(d.on) == 1)
    return {kind: len(stack.devices) - len(without_layers(stack, kind).devices)
            for kind in (*kinds, "dm-linear") if kind}


def _without_root(stack: Stack, root: str) -> Stack:
    copy = Stack(stack.name)
    for name, device in stack.devices.items():
        if name != root:
            copy.add(name, device.kind, **device.given)
    return copy
