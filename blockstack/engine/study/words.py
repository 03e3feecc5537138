"""One stack with each word of a parameter: a state of a driver's history, a mode, a transport."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blockstack.base.errors import ConfigError, UnsupportedKind
from blockstack.base.shown import Listing, Shown
from blockstack.engine.depth.explain import explain
from blockstack.engine.depth.simulate import as_kernel
from blockstack.kernel import Kernel
from blockstack.results.said import at_least
from blockstack.stack import Stack
from blockstack.workload import Workload


@dataclass(frozen=True)
class TaskPoint:
    """A task's bound with one word of the parameter.

    ``needs_bytes``: the deeper of the kernel's two builds, with what an interrupt adds on the same
    stack. ``fits`` is the verdict: it knows of page reclaim, too.
    """

    task: str
    word: str
    peak_bytes: int
    needs_bytes: int
    limit_bytes: int
    fits: bool | None
    exact: bool


@dataclass(frozen=True, repr=False)
class Words(Shown):
    """Every task of a stack, word by word of a parameter; of none, there is one word, empty."""

    stack: str
    kernel: str
    parameter: str
    words: tuple[str, ...]
    points: tuple[TaskPoint, ...]
    provenance: dict[str, Any]

    def headline(self) -> str:
        """The stack, the kernel, the parameter and its words."""
        what = f": {self.parameter} = {', '.join(self.words)}" if self.parameter else ""
        return f"{self.stack} on {self.kernel}{what}"

    def listing(self) -> Listing:
        """Task by task."""
        rows = [
            (
                p.task,
                p.word,
                f"{at_least(p.exact)}{p.peak_bytes:,}",
                f"{at_least(p.exact)}{p.needs_bytes:,}",
                f"{p.limit_bytes:,}",
                {True: "fits", False: "overflows", None: "cannot tell"}[p.fits],
            )
            for p in self.points
        ]
        return Listing(("task", "word", "peak B", "needs B", "limit B", "verdict"), rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "stack": self.stack,
            "kernel": self.kernel,
            "parameter": self.parameter,
            "words": list(self.words),
            "points": [asdict(point) for point in self.points],
            "provenance": self.provenance,
        }


def by_words(
    stack: Stack,
    *,
    kernel: Kernel | str | Path,
    parameter: str = "",
    words: Sequence[str] = (),
    submission: str | None = None,
    workload: Workload | None = None,
) -> Words:
    """Every task's bound with each word of a device's parameter.

    Parameters
    ----------
    stack : Stack
    kernel : Kernel, str or Path
    parameter : str
        ``DEVICE.KEY``; empty: the stack as it is.
    words : sequence of str
        Words of the parameter, in the order of the picture; none: those of its kind that the
        kernel has.
    submission : str or None
        Another rule than the kernel's own.
    workload : Workload or None
        What is asked of it; None: every operation.

    Returns
    -------
    Words

    Raises
    ------
    ConfigError
        No such device, key or word.
    """
    the_kernel = as_kernel(kernel).override(submission=submission)
    device, _, key = parameter.rpartition(".")
    wanted = tuple(words) if parameter else ("",)
    points: list[TaskPoint] = []
    found: list[str] = []
    provenance: dict[str, Any] = {}
    for word in wanted or words_of(stack, device, key):
        changed = with_word(stack, device, key, word) if parameter else stack
        try:
            answer = explain(changed, kernel=the_kernel, workload=workload)
        except UnsupportedKind:
            if words:
                raise
            continue
        found.append(word)
        provenance = provenance or dict(answer.provenance)
        points += [
            TaskPoint(
                t.task,
                word,
                t.peak_bytes,
                max(t.peak_bytes, t.other_build_bytes) + t.interrupts_bytes,
                t.limit_bytes,
                t.fits,
                t.exact,
            )
            for t in answer.tasks
        ]
    if not points:
        raise ConfigError("the kernel has none of its words", path=parameter, value=str(wanted))
    return Words(stack.name, the_kernel.name, parameter, tuple(found), tuple(points), provenance)


def words_of(stack: Stack, device: str, key: str) -> tuple[str, ...]:
    """The words of a device's parameter that choose its call path.

    Raises
    ------
    ConfigError
        There is no such device, or the key chooses no call path.
    """
    if device not in stack.devices:
        raise ConfigError("no such device", path="parameter", value=f"{device}.{key}")
    kind = stack.devices[device].kind_entry
    names = (kind.variant,) if isinstance(kind.variant, str) else kind.variant
    if key not in names:
        raise ConfigError(
            "chooses no call path",
            path=f"devices.{device}",
            value=key,
            hint="one of: " + (", ".join(filter(None, names)) or "none"),
        )
    at = names.index(key)
    keys = [key if isinstance(key, tuple) else (key,) for key in kind.variants]
    return tuple(dict.fromkeys(str(one[at]) for one in keys))


def parameter_of(stack: Stack) -> str:
    """The first parameter of a stack's sources whose words choose their call path; or none."""
    for name, device in stack.devices.items():
        kind = device.kind_entry
        first = kind.variant if isinstance(kind.variant, str) else kind.variant[0]
        if kind.role == "source" and first and isinstance(device.params.get(first), str):
            return f"{name}.{first}"
    return ""


def with_word(stack: Stack, device: str, key: str, word: str) -> Stack:
    """A copy of a stack with another word of one device's parameter."""
    copy = Stack(stack.name, stack.missing)
    for name, one in stack.devices.items():
        copy.add(name, one.kind, **({**one.given, key: word} if name == device else one.given))
    return copy
