"""What a run or a static analysis found: frozen, with provenance, to and from JSON."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.results.said import SaysDepth, SaysTask
from blockstack.results.typed import typed

#: of what `Result.to_dict` and `Explanation.to_dict` give; files before it had none
SCHEMA_VERSION = 1
#: sources of a frame that a verdict must own up to
ASSUMED_SOURCES = ("assumed", "published")
#: fields of a task that say in parts what its name and ``why`` say whole: no part of a digest
_PARTS = ("work", "device", "direction", "reasons")


@dataclass(frozen=True)
class Frame:
    """One row of a stack.

    Attributes
    ----------
    function : str
    bytes : int
        Bytes that the function keeps while the next row's function runs.
    layer : str
        Device or task that the function serves.
    source : {"table", "derived", "published", "assumed"}
    """

    function: str
    bytes: int
    layer: str
    source: str = "table"


@dataclass(frozen=True, repr=False)
class TaskDepth(SaysTask):
    """The deepest path of one task.

    Attributes
    ----------
    task : str
        ``"write fs"``, ``"raid1d md0"``, ``"completion sda"`` ...
    context : {"caller", "worker", "private", "softirq", "hardirq", "user", "remote", "unplug"}
    peak_bytes, limit_bytes : int
    fits : bool or None
        None: cannot tell, see ``why``.
    exact : bool
        Every frame on the path is known; False: ``peak_bytes`` is a lower bound ("at least").
    missing : tuple of str
        Functions or links of the path that the frame table lacks.
    why : str
        What the verdict rests on, when it is not the frame table alone.
    path : tuple of Frame
        Outermost first; the bytes sum to ``peak_bytes``.
    how : {"bound", "simulated"}
    interrupts_bytes : int
        What an interrupt may put on top, on the same stack.
    budget_bytes : int
        The largest of what else may come on top (page reclaim, the scheduler); one at a time.
    work : str
        What runs, of the task's name: an entry point, a thread, ``completion``.
    device : str
        The device in the task's name; empty: it serves all.
    direction : {"submission", "completion", ""}
        Which way its bios go: up from a leaf by bio_endio, or down. Empty: read from a file that
        does not say it.
    other_build_bytes : int
        Its depth as the same source was built with the flags of its time (kernels of 2.6); 0: no
        such build.
    published_bytes : tuple of int
        What its depth would be if it were as much deeper as stack dumps that were published at the
        time are than the same chains here (kernels of 2.6); empty: none were.
    reasons : tuple of str
        The parts of ``why``.
    """

    task: str
    context: str
    peak_bytes: int
    limit_bytes: int
    fits: bool | None
    exact: bool
    missing: tuple[str, ...] = ()
    why: str = ""
    path: tuple[Frame, ...] = ()
    how: str = "bound"
    interrupts_bytes: int = 0
    budget_bytes: int = 0
    work: str = field(default="", compare=False)
    device: str = field(default="", compare=False)
    direction: str = field(default="", compare=False)
    reasons: tuple[str, ...] = field(default=(), compare=False)
    other_build_bytes: int = 0
    published_bytes: tuple[int, ...] = ()

    @property
    def published_fits(self) -> bool | None:
        """Whether those depths fit, with what may come on top; None: some do, or there are none."""
        on_top = self.interrupts_bytes + self.budget_bytes
        found = {depth + on_top <= self.limit_bytes for depth in self.published_bytes}
        return found.pop() if len(found) == 1 else None

    @property
    def headroom_bytes(self) -> int:
        """Limit less peak; negative when the stack overflows."""
        return self.limit_bytes - self.peak_bytes

    @property
    def assumed(self) -> tuple[str, ...]:
        """Rows of the path that are assumed or published rather than read from a table."""
        return tuple(
            f"{f.function} ({f.bytes} bytes, {f.source})"
            for f in self.path
            if f.source in ASSUMED_SOURCES
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {
            "headroom_bytes": self.headroom_bytes,
            "assumed": self.assumed,
            "published_fits": self.published_fits,
        }


def check_version(data: Mapping[str, Any], path: str) -> None:
    """Refuse a result of a schema that came after this one.

    Raises
    ------
    BlockstackError
    """
    version = data.get("version", SCHEMA_VERSION)
    if type(version) is not int or version < 1:
        raise BlockstackError(
            "is no schema version", path=f"{path}: version", value=version, hint="a whole number"
        )
    if version > SCHEMA_VERSION:
        raise BlockstackError(
            f"is a result of schema {version}, this blockstack reads {SCHEMA_VERSION}",
            path=f"{path}: version",
            value=version,
            hint="update blockstack, or write the result again with this one",
        )


def judge(peak_bytes: int, limit_bytes: int, exact: bool) -> bool | None:
    """Three answers: False passes the limit for certain, None may, True does not."""
    if peak_bytes > limit_bytes:
        return False
    return True if exact else None


def worst(tasks: tuple[TaskDepth, ...]) -> TaskDepth:
    """The task with the least headroom; the first one wins a tie."""
    return min(tasks, key=lambda t: t.headroom_bytes)


def overall(tasks: tuple[TaskDepth, ...]) -> bool | None:
    """False when any task overflows, else None when any cannot tell, else True."""
    answers = [t.fits for t in tasks]
    return False if False in answers else None if None in answers else True


@dataclass(frozen=True)
class Interrupts:
    """Interrupts that struck a shared stack during a run.

    ``strikes`` of them, ``overflows`` passed the limit, the deepest reached ``peak_bytes``.
    ``per_hop`` is the assumed probability that one strikes during one make_request call.
    """

    per_hop: float
    strikes: int
    overflows: int
    peak_bytes: int


@dataclass(frozen=True, repr=False)
class Result(SaysDepth):
    """What one run under one submission rule measured.

    Attributes
    ----------
    submission : str
    kernel : str
    bios, hops, splits, jobs : int
        Source bios; make_request calls; cuts; bios handed to workers.
    overflows : int
        Hops whose own depth passed the limit of their task.
    peak_nesting, peak_pending : int
        make_request calls on one stack at once; bios on one task's list after a driver call.
    tasks : tuple of TaskDepth
        Simulated tasks and the static ones that their bios set off (completion, transmission).
    leaves : mapping of device to mapping of ``bios`` and ``sectors``
    interrupts : Interrupts or None
    seconds : float
        Wall time of the submission loop; not part of the digest.
    provenance : mapping
        Frame table, compiler, versions, seed, plan digest, overrides.
    """

    submission: str
    kernel: str
    bios: int
    hops: int
    splits: int
    jobs: int
    overflows: int
    peak_nesting: int
    peak_pending: int
    tasks: tuple[TaskDepth, ...]
    leaves: Mapping[str, Mapping[str, int]]
    interrupts: Interrupts | None
    provenance: Mapping[str, Any]
    seconds: float = field(default=0.0, compare=False)

    @property
    def worst(self) -> TaskDepth:
        """The task with the least headroom."""
        return worst(self.tasks)

    @property
    def peak_bytes(self) -> int:
        """Peak of the worst task."""
        return self.worst.peak_bytes

    @property
    def limit_bytes(self) -> int:
        """Limit of the worst task."""
        return self.worst.limit_bytes

    @property
    def headroom_bytes(self) -> int:
        """Headroom of the worst task; negative: it overflows by so much."""
        return self.worst.headroom_bytes

    @property
    def fits(self) -> bool | None:
        """The verdict over all tasks."""
        return overall(self.tasks)

    @property
    def exact(self) -> bool:
        """Whether the worst task's peak is exact (else: at least)."""
        return self.worst.exact

    @property
    def deepest_path(self) -> tuple[Frame, ...]:
        """The worst task's path."""
        return self.worst.path

    @property
    def bios_per_second(self) -> float:
        """Source bios per second of wall time."""
        return self.bios / self.seconds if self.seconds else 0.0

    @property
    def hops_per_second(self) -> float:
        """make_request calls per second of wall time."""
        return self.hops / self.seconds if self.seconds else 0.0

    def digest(self) -> str:
        """A hash of everything but the timing: same inputs and seed, same digest."""
        plain = {k: v for k, v in self.to_dict().items() if k != "version"}
        plain["tasks"] = [{k: v for k, v in t.items() if k not in _PARTS} for t in plain["tasks"]]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_dict(self, *, timing: bool = False) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it back. The same input gives the same bytes
        unless ``timing`` adds how long it took."""
        times = ("seconds", "bios_per_second", "hops_per_second") if timing else ()
        return {
            "version": SCHEMA_VERSION,
            "submission": self.submission,
            "kernel": self.kernel,
            "peak_bytes": self.peak_bytes,
            "limit_bytes": self.limit_bytes,
            "headroom_bytes": self.headroom_bytes,
            "fits": self.fits,
            "exact": self.exact,
            "overflows": self.overflows,
            "peak_nesting": self.peak_nesting,
            "peak_pending": self.peak_pending,
            "bios": self.bios,
            "hops": self.hops,
            "splits": self.splits,
            "jobs": self.jobs,
            **{name: getattr(self, name) for name in times},
            "deepest_path": [asdict(f) for f in self.deepest_path],
            "tasks": [t.to_dict() for t in self.tasks],
            "leaves": {k: dict(v) for k, v in self.leaves.items()},
            "interrupts": None if self.interrupts is None else asdict(self.interrupts),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Result":
        """The inverse of `to_dict`.

        Raises
        ------
        BlockstackError
            A key is missing or has the wrong type; a newer schema.
        """
        check_version(data, "result")
        return typed(dict(data), cls, "result")


@dataclass(frozen=True, repr=False)
class Explanation(SaysDepth):
    """The static answer: the deepest path of every task, without a simulation.

    Attributes
    ----------
    stack, kernel, submission : str
    tasks : tuple of TaskDepth
    budgets : mapping of name to bytes
        What may come on top and is bounded by itself (reclaim, schedule, interrupts).
    budget_paths : mapping of name to tuple of Frame
    notes : tuple of str
        What is assumed, and where it comes from.
    provenance : mapping
    """

    stack: str
    kernel: str
    submission: str
    tasks: tuple[TaskDepth, ...]
    budgets: Mapping[str, int]
    budget_paths: Mapping[str, tuple[Frame, ...]]
    notes: tuple[str, ...]
    provenance: Mapping[str, Any]

    @property
    def worst(self) -> TaskDepth:
        """The task with the least headroom."""
        return worst(self.tasks)

    @property
    def fits(self) -> bool | None:
        """The verdict over all tasks."""
        return overall(self.tasks)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "version": SCHEMA_VERSION,
            "stack": self.stack,
            "kernel": self.kernel,
            "submission": self.submission,
            "fits": self.fits,
            "peak_bytes": self.worst.peak_bytes,
            "limit_bytes": self.worst.limit_bytes,
            "headroom_bytes": self.worst.headroom_bytes,
            "exact": self.worst.exact,
            "tasks": [t.to_dict() for t in self.tasks],
            "budgets": dict(self.budgets),
            "budget_paths": {k: [asdict(f) for f in v] for k, v in self.budget_paths.items()},
            "notes": list(self.notes),
            "provenance": dict(self.provenance),
        }

    def __str__(self) -> str:
        """Plain text in the form of the kernel's own stack_trace file, one table per task."""
        lines = [f"{self.stack} on {self.kernel}, submission {self.submission}"]
        for task in self.tasks:
            at_least = "" if task.exact else "at least "
            lines += [
                "",
                f"{task.task} [{task.context}]: {at_least}{task.peak_bytes} of "
                f"{task.limit_bytes} bytes",
                *stack_trace(task.path),
            ]
        return "\n".join(lines)


def stack_trace(path: tuple[Frame, ...]) -> list[str]:
    """Rows as in /sys/kernel/tracing/stack_trace: deepest first, depth counted from the top."""
    rows = ["        Depth    Size   Location"]
    depth = sum(f.bytes for f in path)
    for i, frame in enumerate(reversed(path)):
        mark = "" if frame.source == "table" else f"  ({frame.source})"
        where = f"{frame.function} [{frame.layer}]{mark}"
        rows.append(f"{i:3d})  {depth:7d} {frame.bytes:7d}   {where}")
        depth -= frame.bytes
    return rows
