"""Measured stacks against bounds: what the kernel's stack tracer saw, and what the model allows.

The figure compared is that of the ``block`` pass: the deepest stack at the entry of a function of
the block layer or a driver. A bound holds when it is not below it. A stack that cannot be
modelled is refused with the reason; it never gets a small number.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from blockstack.engine.arrays import OP_NAMES
from blockstack.engine.plan import Plan, compile_plan
from blockstack.engine.static import StaticTasks
from blockstack.errors import BlockstackError, UnsupportedKind
from blockstack.importers.measured import Measured, Measurements, load_measurements, stack_of
from blockstack.kernel import PROFILES, Kernel, load_kernel
from blockstack.kernel.cuts import RARE_CUTS
from blockstack.kernel.paths import Entered
from blockstack.kernel.rows import RowSource
from blockstack.kernel.table import base_name
from blockstack.result import Frame, TaskDepth
from blockstack.stack import Stack

#: the workload's largest bio (1 MiB) and its alignment (4 KiB), in sectors
_MAX_SECTORS, _ALIGN_SECTORS = 2048, 8
_LOOP = ("loop_workfn", "loop_rootcg_workfn", "loop_process_work")
#: functions that only a task of that context has on its stack; another word: itself
_CONTEXTS: dict[str, tuple[str, ...]] = {
    "syscall:fsync": ("__x64_sys_fsync", "__ia32_sys_fsync"),
    "syscall:pread64": ("__x64_sys_pread64", "__ia32_sys_read"),
    "syscall:pwrite64": ("__x64_sys_pwrite64", "__ia32_sys_write"),
    "syscall:do_preadv": ("do_preadv",), "syscall:preadv2": ("do_preadv",),
    "syscall:do_pwritev": ("do_pwritev",), "syscall:pwritev2": ("do_pwritev",),
    "syscall:io_submit": ("__x64_sys_io_submit", "__ia32_sys_io_submit"),
    "syscall:__do_sys_msync": ("__x64_sys_msync", "__ia32_sys_msync"),
    "syscall:msync": ("__x64_sys_msync", "__ia32_sys_msync"),
    "syscall:openat": ("__x64_sys_openat", "__ia32_sys_openat"),
    "pagefault": ("exc_page_fault",),
    "kthread:loop_process_work": _LOOP, "kthread:loop_rootcg_workfn": _LOOP,
    "kthread:loop_workfn": _LOOP}
#: the ``block`` pass traced the block layer, its pools and the drivers; not slab, page allocator,
#: scheduler or the page cache.
_TRACED_FILES = ("block/", "drivers/", "fs/", "crypto/async_tx/", "mm/mempool.c",
                 "lib/sg_pool.c", "lib/scatterlist.c", "lib/sbitmap.c", "kernel/dma/",
                 "mm/dmapool.c")
_TRACED_NAMES = frozenset((
    "swap_writepage", "__swap_writepage", "swap_readpage", "tcp_sendmsg", "tcp_sendmsg_locked",
    "__tcp_transmit_skb", "tcp_write_xmit", "ip_queue_xmit", "__ip_queue_xmit",
    "__dev_queue_xmit"))
#: its return address (8; 4) and the row that the tracer gives it (48; 8, and 8 more in the row
#: above it, since it copies the return address)
_LEAF_BYTES = {"x86_64": 8 + 48, "i386": 4 + 16}
#: rows of the entry code: its bytes are the root's
_ENTRY_CODE = ("entry_", "asm_", "ret_from", "handle_exception", "do_SYSENTER", "do_fast",
               "__do_fast", "copy_user")
#: rows from the top of the stack within which a task's own function is found
_NEAR_ROOT = 10


@dataclass(frozen=True)
class Comparison:
    """One measured stack beside its bounds.

    Attributes
    ----------
    name, context : str
    measured_bytes : int or None
        The ``block`` pass; ``all_bytes`` is the pass that traced every function.
    predicted_bytes : int or None
        The bound for the traced context; of all contexts when none was told or none matches.
    worst_bytes : int or None
        The bound of all contexts, that of the task ``worst_task``.
    typical_bytes : int or None
        The bound without the calls that are real but rare.
    exact : bool
    task : str
        Task that the bound is for.
    refused : str
        Why there is no bound; empty otherwise.
    differs : str
        The first traced function that the predicted path does not have, outermost first.
    """

    name: str
    context: str
    measured_bytes: int
    all_bytes: int | None = None
    predicted_bytes: int | None = None
    worst_bytes: int | None = None
    worst_task: str = ""
    typical_bytes: int | None = None
    exact: bool = False
    task: str = ""
    refused: str = ""
    differs: str = ""
    path: tuple[Frame, ...] = field(default=(), repr=False)

    @property
    def ratio(self) -> float | None:
        """Predicted over measured."""
        return None if self.predicted_bytes is None else (
            self.predicted_bytes / self.measured_bytes)

    @property
    def holds(self) -> bool | None:
        """Whether the bound is not below what was measured; None: refused."""
        return None if self.predicted_bytes is None else (
            self.predicted_bytes >= self.measured_bytes)


def bounds_of(stack: Stack, kernel: Kernel) -> tuple[TaskDepth, ...]:
    """The deepest path of every task, for every operation, buffered and direct."""
    found: dict[tuple[str, str], TaskDepth] = {}
    for direct in (False, True):
        plan = _plan(stack, kernel, direct)
        for task in StaticTasks(plan, _MAX_SECTORS, _ALIGN_SECTORS).all():
            key = (task.task, task.context)
            if key not in found or task.peak_bytes > found[key].peak_bytes:
                found[key] = task
    return tuple(found.values())


def as_traced(kernel: Kernel, *, rare: bool = True) -> Kernel:
    """``kernel`` as the ``block`` pass saw it: depths at the entry of the traced functions.

    Parameters
    ----------
    rare : bool
        False: without the calls of `RARE_CUTS`.
    """
    seen = Entered(_TRACED_FILES, _TRACED_NAMES, _LEAF_BYTES[kernel.platform.arch])
    rows = RowSource(kernel.rows.table, kernel.generation, kernel.platform, seen,
                     () if rare else RARE_CUTS)
    return replace(kernel, rows=rows)


def _plan(stack: Stack, kernel: Kernel, direct: bool) -> Plan:
    """A plan for every operation that the stack takes."""
    ops, refused = [], None
    for op in OP_NAMES:
        try:
            compile_plan(stack, kernel, ops=(op,), direct=direct)
            ops.append(op)
        except UnsupportedKind as error:
            refused = error
    if not {"read", "write"} & set(ops) and refused is not None:
        raise refused
    return compile_plan(stack, kernel, ops=ops, direct=direct)


def compare(measured: Measured, kernel: Kernel, typical: Kernel | None = None) -> Comparison:
    """Bound one measured stack on ``kernel`` and put both side by side.

    Parameters
    ----------
    typical : Kernel or None
        The same kernel without rare calls, for `typical_bytes`.
    """
    block = measured.block
    assert block is not None
    base = Comparison(measured.name, block.context, block.max_bytes,
                      None if measured.all is None else measured.all.max_bytes)
    try:
        stack = stack_of(measured)
        tasks = bounds_of(stack, kernel)
        seldom = _told(bounds_of(stack, typical), block.context) if typical else []
    except BlockstackError as error:
        return _refuse(base, str(error))
    on_tasks = [t for t in tasks if t.context in ("caller", "worker")]
    worst = max(on_tasks, key=lambda t: t.peak_bytes)
    told = _told(tasks, block.context)
    if not told:
        return _refuse(base, f"no way in of the model is {block.context}", worst)
    task = max(told, key=lambda t: t.peak_bytes)
    if not task.exact:
        return _refuse(base, "the frame table lacks " + ", ".join(task.missing), worst)
    return Comparison(
        base.name, base.context, base.measured_bytes, base.all_bytes, task.peak_bytes,
        worst.peak_bytes, worst.task, max((t.peak_bytes for t in seldom), default=None),
        task.exact, task.task, "",
        _differs([name for name, _ in block.functions], [f.function for f in task.path]), task.path)


def _refuse(base: Comparison, why: str, worst: TaskDepth | None = None) -> Comparison:
    return Comparison(base.name, base.context, base.measured_bytes, base.all_bytes, refused=why,
                      worst_bytes=worst.peak_bytes if worst else None,
                      worst_task=worst.task if worst else "")


def _told(tasks: Iterable[TaskDepth], context: str) -> list[TaskDepth]:
    """The tasks of a context."""
    return [t for t in tasks if t.context in ("caller", "worker") and _matches(t, context)]


def _matches(task: TaskDepth, context: str) -> bool:
    if not context:
        return True
    wanted = _CONTEXTS.get(context, (context.partition(":")[2],))
    top = [base_name(f.function).partition("@")[0] for f in task.path[:_NEAR_ROOT]]
    if context == "pagefault" and {"do_syscall_64", "ia32_sys_call"} & set(top):
        return False  # a fault of the kernel's own copy to user memory
    return any(name in wanted for name in top)


def _differs(traced: Sequence[str], path: Sequence[str]) -> str:
    """The first traced function that is not on the path, and what the path has there."""
    plain = [base_name(name).partition("@")[0] for name in path]
    at = 0
    for name in traced:
        function = base_name(name)
        if function.startswith(_ENTRY_CODE):
            continue
        if function in plain[at:]:
            at = plain.index(function, at) + 1
        else:
            return f"{function} | {plain[at] if at < len(plain) else 'end'}"
    return ""


@dataclass(frozen=True)
class Report:
    """All comparisons of one file."""

    kernel: str
    measured_kernel: str
    rows: tuple[Comparison, ...]
    budgets: dict[str, int] = field(default_factory=dict)
    table: str = ""

    @property
    def modelled(self) -> tuple[Comparison, ...]:
        """Stacks that have a bound."""
        return tuple(r for r in self.rows if not r.refused)

    @property
    def holds_all(self) -> bool:
        """No bound is below what was measured."""
        return all(r.holds for r in self.modelled)

    def summary(self) -> dict[str, Any]:
        """Counts and ratios, with the keys of ``--json``."""
        ratios = [r.ratio for r in self.modelled if r.ratio is not None]
        typical = [r.typical_bytes / r.measured_bytes for r in self.modelled
                   if r.typical_bytes is not None]
        untold = [r.worst_bytes / r.measured_bytes for r in self.modelled
                  if r.worst_bytes is not None]
        return {"stacks": len(self.rows), "modelled": len(self.modelled),
                "refused": len(self.rows) - len(self.modelled),
                "holds": sum(bool(r.holds) for r in self.rows),
                "median_ratio": _round(_quantile(ratios, 0.5)),
                "p90_ratio": _round(_quantile(ratios, 0.9)),
                "typical_median_ratio": _round(_quantile(typical, 0.5)),
                "typical_p90_ratio": _round(_quantile(typical, 0.9)),
                "untold_median_ratio": _round(_quantile(untold, 0.5)),
                "untold_p90_ratio": _round(_quantile(untold, 0.9))}

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        stacks = {r.name: {
            "measured_bytes": r.measured_bytes, "all_bytes": r.all_bytes,
            "predicted_bytes": r.predicted_bytes, "typical_bytes": r.typical_bytes,
            "ratio": _round(r.ratio), "context": r.context, "exact": r.exact, "task": r.task,
            "holds": r.holds, "refused": r.refused or None, "differs": r.differs,
            "worst_bytes": r.worst_bytes, "worst_task": r.worst_task} for r in self.rows}
        return {"kernel": self.kernel, "measured_kernel": self.measured_kernel,
                "table": self.table, "budgets_bytes": self.budgets, "summary": self.summary(),
                "stacks": stacks}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of them do not exceed (0.5: the median)."""
    if not values:
        return None
    if share == 0.5:
        return median(values)
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def validate(measurements: Measurements, kernel: Kernel) -> Report:
    """Compare every stack of a file that has a ``block`` figure.

    The guests were booted with randomize_kstack_offset=off, so it is left out of the bounds.
    """
    plain = as_traced(kernel.override(stack_offset=False))
    typical = as_traced(plain, rare=False)
    rows = tuple(compare(m, plain, typical) for m in measurements.stacks if m.block is not None)
    budgets = {name: path.bytes for name, path in kernel.rows.budgets().items()}
    return Report(plain.name, measurements.kernel, rows, budgets, kernel.table.digest)


def merged(reports: Sequence[Report]) -> dict[str, Any]:
    """Plain data of all files: ``summary`` and ``stacks`` over all of them, ``kernels`` each.

    A stack that several files have is named ``NAME (ARCH)`` from the second on.
    """
    whole = Report("", "", tuple(row for report in reports for row in report.rows))
    stacks: dict[str, Any] = {}
    for report in reports:
        for name, row in report.to_dict()["stacks"].items():
            key = name if name not in stacks else f"{name} ({report.kernel})"
            stacks[key] = {"kernel": report.kernel, **row}
    return {"summary": whole.summary(), "stacks": stacks,
            "kernels": {r.kernel: r.to_dict() for r in reports}}


def measured_files(where: Path) -> Iterator[Measurements]:
    """The files of measured stacks in a folder.

    Raises
    ------
    BlockstackError
        There is none.
    """
    paths = sorted(where.glob("*.json")) if where.is_dir() else [where]
    if not paths:
        raise BlockstackError("no files of measured stacks", path=str(where),
                              hint="give a folder of *.json files, or one of them")
    yield from (load_measurements(path) for path in paths)


def kernel_for(measurements: Measurements, kernels: Iterable[str] = ()) -> Kernel:
    """The kernel to compare with: of those named, the one of the same architecture; else the
    shipped one of the same version and architecture.

    Raises
    ------
    BlockstackError
        There is none.
    """
    named = [load_kernel(name) for name in kernels]
    fit = [k for k in named if k.platform.arch == measurements.arch]
    version = re.match(r"\d+\.\d+", measurements.kernel)
    name = f"linux-{version[0] if version else '?'}-{measurements.arch}"
    if fit or (not named and name in PROFILES):
        return fit[0] if fit else load_kernel(name)
    raise BlockstackError("no frame table for the measured kernel", path=str(measurements.path),
                          value=f"{measurements.kernel}, {measurements.arch}",
                          hint="name one with --kernel (blockstack kernel extract makes it)")
