"""What helps most: one thing changed at a time, and what that does to the stack's headroom."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from blockstack.base.errors import BlockstackError
from blockstack.base.shown import Listing, Shown
from blockstack.base.units import format_bytes
from blockstack.engine.depth.explain import explain
from blockstack.engine.depth.simulate import as_kernel
from blockstack.engine.study.nesting import with_layers, without_layers
from blockstack.kernel import Kernel
from blockstack.stack import Stack
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


@dataclass(frozen=True, repr=False)
class Tornado(Shown):
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

    def headline(self) -> str:
        """The value now, and the setting that gains most."""
        best = max(
            ((s.value, lever.name, s.setting) for lever in self.levers for s in lever.swings),
            default=None,
        )
        now = f"{self.stack} on {self.kernel}: {self.base:,.0f} {self._unit} now"
        if best is None or best[0] <= self.base:
            return f"{now}, no lever gains any"
        value, name, setting = best
        return f"{now}, {value:,.0f} with {setting} for {name}"

    @property
    def _unit(self) -> str:
        return "IOPS" if self.quantity == "iops" else "bytes of headroom"

    def listing(self) -> Listing:
        """Levers, what gains most first."""
        rows = [
            (lever.name, swing.setting, f"{swing.value - self.base:+,.0f}")
            for lever in self.levers
            for swing in lever.swings
        ]
        return Listing(("lever", "setting", self._unit), rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


#: lever: setting, and how its value is found
Choices = Mapping[str, Mapping[str, Callable[[], float]]]


def weigh(
    choices: Choices, base: float, error: float
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
    levers.sort(
        key=lambda lever: (
            -max(base, *(s.value for s in lever.swings)),
            min(s.value for s in lever.swings),
        )
    )
    return tuple(levers), tuple(idle), tuple(left_out)


def headroom_levers(
    stack: Stack, *, kernel: Kernel | str | Path, workload: Workload | None = None
) -> Tornado:
    """Headroom of the worst task with another thread size, rule, number of layers, entry point.

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

    choices = dict(_choices(stack, chosen, workload, headroom))
    base = headroom()
    levers, idle, left_out = weigh(choices, base, 0)
    return Tornado(
        stack.name,
        chosen.name,
        chosen.rule,
        "headroom_bytes",
        base,
        0,
        levers,
        idle,
        left_out,
        chosen.provenance() | {"stack": stack.name, "overrides": list(chosen.overrides)},
    )


_Settings = Mapping[str, Callable[[], float]]


def _choices(
    stack: Stack, kernel: Kernel, workload: Workload | None, headroom: Callable[..., float]
) -> Iterator[tuple[str, _Settings]]:
    size = kernel.platform.thread_size_bytes
    yield (
        f"thread size {format_bytes(size)}",
        {
            format_bytes(n): partial(headroom, on=kernel.override(thread_size_bytes=n))
            for n in (size // 2, size * 2)
            if 4096 <= n <= _LARGEST_THREAD_BYTES
        },
    )
    other = "fifo" if kernel.rule == "recursive" else "recursive"
    yield (
        f"submission {kernel.rule}",
        {other: partial(headroom, on=kernel.override(submission=other))},
    )
    if kernel.platform.offset_bytes:
        yield (
            "randomize_kstack_offset on",
            {"off": partial(headroom, on=kernel.override(stack_offset=False))},
        )
    if workload is not None:
        turned = replace(workload, direct=not workload.direct)
        words = ("direct I/O", "buffered") if workload.direct else ("buffered I/O", "direct")
        yield words[0], {words[1]: partial(headroom, by=turned)}
    yield from _layer_choices(stack, headroom)


def _layer_choices(stack: Stack, headroom: Callable[..., float]) -> Iterator[tuple[str, _Settings]]:
    for kind in _layer_kinds(stack):
        bare = without_layers(stack, kind)
        now, kept = (sum(d.kind == kind for d in s.devices.values()) for s in (stack, bare))
        fewer = {str(kept) if kept else "none": partial(headroom, bare)} if kept < now else {}
        yield (
            f"{kind} × {now}" if now else f"no {kind}",
            fewer | {"one more on top": partial(_with_one_more, stack, kind, headroom)},
        )
    tops: dict[str, list[str]] = {}
    for root in stack.roots():
        if stack.devices[root].kind_entry.role == "source" and stack.devices[root].on:
            tops.setdefault(stack.devices[root].kind, []).append(root)
    for kind, roots in tops.items():
        yield (
            f"{kind} {roots[0]}" if len(roots) == 1 else f"{kind} × {len(roots)}",
            {"raw": partial(_raw, stack, roots, headroom)},
        )


def _with_one_more(stack: Stack, kind: str, headroom: Callable[..., float]) -> float:
    return headroom(with_layers(stack, kind, 1))


def _layer_kinds(stack: Stack) -> list[str]:
    """Kinds of the stack that stand on one device; dm-linear in any case."""
    kinds = dict.fromkeys(
        d.kind
        for d in stack.devices.values()
        if d.kind_entry.role == "stacked"
        and d.kind_entry.arity[0] == 1
        and len(d.on) == 1
        and d.kind != "partition"
    )
    return list(kinds | {"dm-linear": None})


def _raw(stack: Stack, roots: Sequence[str], headroom: Callable[..., float]) -> float:
    """The headroom when what stands on these roots' devices is gone."""
    copy = Stack(stack.name, stack.missing)
    for name, device in stack.devices.items():
        if name not in roots:
            copy.add(name, device.kind, **device.given)
    return headroom(copy)
