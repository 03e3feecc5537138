"""One stack on many kernels, sizes and numbers of layers: the figures behind review charts."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blockstack.base.errors import UnsupportedKind
from blockstack.base.shown import Listing, Shown
from blockstack.engine.depth.explain import explain
from blockstack.engine.depth.simulate import as_kernel
from blockstack.engine.study.nesting import with_layers, without_layers
from blockstack.kernel import PROFILES, Kernel
from blockstack.results.result import judge, overall
from blockstack.results.said import at_least
from blockstack.stack import Stack
from blockstack.workload import Workload


@dataclass(frozen=True)
class GrowthPoint:
    """Deepest task of one direction with ``layers`` nested layers of a kind.

    ``exact`` False: ``peak_bytes`` is a lower bound. ``interrupts_bytes`` may come on top of the
    deepest task that submits, on the same stack; 0 for a completion.
    """

    layers: int
    submission: str
    direction: str
    peak_bytes: int
    limit_bytes: int
    exact: bool
    interrupts_bytes: int = 0


@dataclass(frozen=True, repr=False)
class Growth(Shown):
    """Depth against the number of stacked layers of a kind."""

    stack: str
    kernel: str
    kind: str
    points: tuple[GrowthPoint, ...]
    provenance: dict[str, Any]

    def headline(self) -> str:
        """The stack, the kind and how many of it were tried."""
        most = max((p.layers for p in self.points), default=0)
        return f"{self.stack} on {self.kernel} with 0 to {most} layers of {self.kind}"

    def listing(self) -> Listing:
        """Points in the order in which they were found."""
        rows = [
            (
                str(p.layers),
                p.submission,
                p.direction,
                f"{at_least(p.exact)}{p.peak_bytes:,}",
                f"{p.limit_bytes:,}",
            )
            for p in self.points
        ]
        shares = [p.peak_bytes / p.limit_bytes for p in self.points]
        return Listing(
            ("layers", "rule", "direction", "bytes", "limit"),
            rows,
            shares,
            [judge(p.peak_bytes, p.limit_bytes, p.exact) for p in self.points],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def growth(
    stack: Stack,
    kind: str,
    *,
    kernel: Kernel | str | Path,
    rules: Sequence[str],
    most: int,
    workload: Workload | None = None,
) -> Growth:
    """Peak depth for 0 to ``most`` nested layers of a kind, submission and completion.

    Layers of the kind that the stack has are taken out first (see `max_layers`).

    Parameters
    ----------
    stack : Stack
        Devices and what they stand on.
    kind : str
        A stacked kind that stands on one device (``dm-linear`` ...).
    kernel : Kernel, str or Path
        A shipped name, or the path of a frame table.
    rules : sequence of str
        Submission rules, of `RULES`.
    most : int
        Largest number of layers; about eight numbers up to it are looked at.
    workload : Workload or None
        Operations, direct or buffered, and the largest bio; None: every operation that the stack
        takes, buffered and direct, up to 1 MiB.

    Returns
    -------
    Growth
        A point per rule, direction and number of layers, in bytes.

    Raises
    ------
    BlockstackError
        As for `explain`.
    """
    bare = without_layers(stack, kind)
    step = max(1, most // 8)
    points = []
    chosen = as_kernel(kernel)
    for rule in rules:
        for n in sorted({*range(0, most + 1, step), most}):
            found = explain(
                with_layers(bare, kind, n), kernel=chosen, submission=rule, workload=workload
            )
            for direction in ("submission", "completion"):
                tasks = [t for t in found.tasks if t.direction == direction]
                if tasks:
                    worst = max(tasks, key=lambda t: t.peak_bytes)
                    points.append(
                        GrowthPoint(
                            n,
                            rule,
                            direction,
                            worst.peak_bytes,
                            worst.limit_bytes,
                            worst.exact,
                            worst.interrupts_bytes if direction == "submission" else 0,
                        )
                    )
    return Growth(
        stack.name, chosen.name, kind, tuple(points), chosen.provenance() | {"stack": stack.name}
    )


@dataclass(frozen=True)
class Cell:
    """Headroom of the worst task on one kernel with one thread size.

    ``headroom_bytes`` None: the kernel lacks a kind of the stack (``why``). ``fits`` None:
    cannot tell.
    """

    kernel: str
    irq_stacks: str
    submission: str
    thread_size_bytes: int
    own_size: bool
    headroom_bytes: int | None
    fits: bool | None
    task: str
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


#: thread sizes that x86 kernels have shipped
THREAD_SIZES_BYTES = (4096, 8192, 16384)


def headroom_grid(
    stack: Stack,
    *,
    kernels: Iterable[Kernel | str | Path] | None = None,
    sizes_bytes: Sequence[int] = THREAD_SIZES_BYTES,
    workload: Workload | None = None,
) -> tuple[Cell, ...]:
    """Headroom for kernels × thread sizes × {recursive, the kernel's own rule}.

    Profiles that differ in the thread size only share their rows: the first one stands for them.

    Parameters
    ----------
    stack : Stack
        Devices and what they stand on.
    kernels : iterable of Kernel, str or Path, or None
        None: all that ship.
    sizes_bytes : sequence of int
        Thread sizes (THREAD_SIZE), powers of two.
    workload : Workload or None
        Operations, direct or buffered, and the largest bio; None: every operation that the stack
        takes, buffered and direct, up to 1 MiB.

    Returns
    -------
    tuple of Cell
        Headroom in bytes, kernel by kernel, rule by rule, in order of ``sizes_bytes``; a kernel
        that lacks a kind of the stack has cells without headroom, and the reason.

    Raises
    ------
    BlockstackError
        A name that no kernel has, a size that no stack can have.
    """
    cells: list[Cell] = []
    everyone = [as_kernel(name) for name in PROFILES]
    for chosen in _one_per_table(everyone if kernels is None else map(as_kernel, kernels)):
        shipped = {k.platform.thread_size_bytes for k in (chosen, *everyone) if _same(k, chosen)}
        for rule in dict.fromkeys(("recursive", chosen.rule)):
            cells += [
                _cell(stack, chosen, rule, size, size in shipped, workload) for size in sizes_bytes
            ]
    return tuple(cells)


def _one_per_table(kernels: Iterable[Kernel]) -> list[Kernel]:
    """The kernels, those with the same frame table and interrupt stacks once."""
    found: list[Kernel] = []
    for kernel in kernels:
        if not any(_same(kernel, one) for one in found):
            found.append(kernel)
    return found


def _same(a: Kernel, b: Kernel) -> bool:
    return (a.rows.table.digest, a.platform.irq_stacks) == (
        b.rows.table.digest,
        b.platform.irq_stacks,
    )


def _cell(
    stack: Stack, kernel: Kernel, rule: str, size_bytes: int, own: bool, workload: Workload | None
) -> Cell:
    resized = kernel.override(thread_size_bytes=size_bytes)
    try:
        found = explain(stack, kernel=resized, submission=rule, workload=workload)
    except UnsupportedKind as error:
        return Cell(
            kernel.name,
            kernel.platform.irq_stacks,
            rule,
            size_bytes,
            own,
            None,
            None,
            "",
            str(error),
        )
    return Cell(
        kernel.name,
        kernel.platform.irq_stacks,
        rule,
        size_bytes,
        own,
        found.worst.headroom_bytes,
        overall(found.tasks),
        found.worst.task,
    )
