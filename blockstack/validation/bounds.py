"""One measured stack against its bounds: what the kernel's stack tracer saw, and what the model
allows.

The figure compared is that of the ``block`` pass: the deepest stack at the entry of a function of
the block layer or a driver. A bound holds when it is not below it. A stack that cannot be
modelled is refused with the reason; it never gets a small number.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from blockstack.base.errors import BlockstackError
from blockstack.engine.depth.explain import static_tasks
from blockstack.engine.depth.static import each_deepest
from blockstack.generations import Generation
from blockstack.kernel import Kernel
from blockstack.kernel.call_chain import call_chain
from blockstack.kernel.common_cuts import RARE_CUTS
from blockstack.kernel.graph import Entered
from blockstack.kernel.names import base_name, plain_name
from blockstack.kernel.rows import RowSource
from blockstack.kinds.shared.dma import IOMMU_NAMES
from blockstack.results.call_chain import CallChain
from blockstack.results.result import TaskDepth
from blockstack.results.validation import Comparison
from blockstack.stack import Stack
from blockstack.validation.measured import Measured, stack_of

#: system calls that go one way; the first keeps no less than the others before they meet
_CALLS = (
    ("pread64", "read"),
    ("pwrite64", "write"),
    ("preadv", "preadv2", "readv"),
    ("pwritev", "pwritev2", "writev"),
    ("fsync", "fdatasync"),
    ("openat", "open", "creat"),
    ("mkdirat", "mkdir"),
    ("mknodat", "mknod"),
    ("symlinkat", "symlink"),
    ("linkat", "link"),
    ("unlinkat", "unlink", "rmdir"),
    ("renameat2", "renameat", "rename"),
    ("fchmodat", "chmod", "fchmod"),
    ("fchownat", "chown", "lchown", "fchown"),
    ("utimensat", "utime", "utimes", "futimesat"),
    ("setxattr", "lsetxattr"),
    ("removexattr", "lremovexattr", "fremovexattr"),
    ("getxattr", "lgetxattr", "fgetxattr"),
    ("listxattr", "llistxattr", "flistxattr"),
    ("newfstatat", "stat", "newstat", "lstat", "newlstat"),
    ("statfs", "fstatfs"),
    ("faccessat", "faccessat2", "access"),
    ("readlinkat", "readlink"),
    ("execveat", "execve"),
    ("getdents64", "getdents"),
    ("exit_group", "exit"),
)
#: a call's function by what is left of it: the entry, the call itself, what that jumps to
_ENTRIES = ("__x64_sys_", "__ia32_sys_", "__do_sys_", "ksys_", "do_")
_ENTRY = re.compile(r"\A(__(x64|ia32|se|do)_sys_|ksys_|do_)?(ia32_)?")
#: the ``block`` pass traced the block layer, its pools and the drivers; not slab, page allocator,
#: scheduler or the page cache.
_BLOCK_PASS_FILES = (
    "block/",
    "drivers/",
    "fs/",
    "crypto/async_tx/",
    "mm/mempool.c",
    "lib/sg_pool.c",
    "lib/scatterlist.c",
    "lib/sbitmap.c",
    "kernel/dma/",
    "mm/dmapool.c",
)
_BLOCK_PASS_NAMES = frozenset(
    (
        "swap_writepage",
        "__swap_writepage",
        "swap_readpage",
        "tcp_sendmsg",
        "tcp_sendmsg_locked",
        "__tcp_transmit_skb",
        "tcp_write_xmit",
        "ip_queue_xmit",
        "__ip_queue_xmit",
        "__dev_queue_xmit",
    )
) | set(IOMMU_NAMES)
#: its return address (8; 4) and the row that the tracer gives it (48; 8, and 8 more in the row
#: above it, since it copies the return address)
_LEAF_BYTES = {"x86_64": 8 + 48, "i386": 4 + 16}
#: rows of the entry code: its bytes are the root's
_ENTRY_CODE = (
    "entry_",
    "asm_",
    "ret_from",
    "handle_exception",
    "do_SYSENTER",
    "do_fast",
    "__do_fast",
    "copy_user",
)
#: rows from the top of the stack within which a task's own function is found
_NEAR_ROOT = 10


def bounds_of(stack: Stack, kernel: Kernel) -> tuple[TaskDepth, ...]:
    """The deepest path of every task, for every operation, buffered and direct."""
    return each_deepest(
        task for static in static_tasks(stack, kernel, None) for task in static.all()
    )


def as_the_tracer_saw(kernel: Kernel, *, rare: bool = True) -> Kernel:
    """``kernel`` as the ``block`` pass saw it: depths at the entry of the traced functions.

    Parameters
    ----------
    rare : bool
        False: without the calls of `RARE_CUTS`.
    """
    seen = Entered(_BLOCK_PASS_FILES, _BLOCK_PASS_NAMES, _LEAF_BYTES[kernel.platform.arch])
    rows = RowSource(
        kernel.rows.table,
        kernel.generation,
        kernel.platform,
        seen,
        () if rare else RARE_CUTS,
        kernel.environment,
    )
    return replace(kernel, rows=rows)


def compare(measured: Measured, kernel: Kernel, typical: Kernel | None = None) -> Comparison:
    """Bound one measured stack on ``kernel`` and put both side by side.

    Parameters
    ----------
    typical : Kernel or None
        The same kernel without rare calls, for `typical_bytes`.
    """
    block = measured.block
    assert block is not None
    base = Comparison(
        measured.name,
        block.context,
        block.max_bytes,
        chain_in(kernel, [name for name, _ in block.functions]),
        None if measured.all is None else measured.all.max_bytes,
    )
    try:
        stack = stack_of(measured)
        tasks = bounds_of(stack, kernel)
        seldom = (
            _told(bounds_of(stack, typical), block.context, typical.generation) if typical else []
        )
    except BlockstackError as error:
        return _refuse(base, str(error))
    on_tasks = [t for t in tasks if t.context in ("caller", "worker")]
    worst = max(on_tasks, key=lambda t: t.peak_bytes)
    told = _told(tasks, block.context, kernel.generation)
    if not told:
        return _refuse(base, f"no entry point of the model is {block.context}", worst)
    task = max(told, key=lambda t: t.peak_bytes)
    if not task.exact:
        return _refuse(base, "the frame table lacks " + ", ".join(task.missing), worst)
    return replace(
        base,
        predicted_bytes=task.peak_bytes,
        worst_bytes=worst.peak_bytes,
        worst_task=worst.task,
        typical_bytes=max((t.peak_bytes for t in seldom), default=None),
        exact=task.exact,
        task=task.task,
        path=task.path,
        parting=_parting([name for name, _ in block.functions], [f.function for f in task.path]),
    )


def chain_in(kernel: Kernel, functions: Sequence[str]) -> CallChain:
    """A measured call chain (function names, outermost first) in the kernel's frame table.

    The tracer sees the innermost function at its entry: its own row stands for that frame.
    """
    arch = kernel.platform.arch
    roots = {name: root for (a, name), root in kernel.generation.roots.items() if a == arch}
    return call_chain(kernel.rows.table, functions, roots, leaf_bytes=_LEAF_BYTES[arch])


def _refuse(base: Comparison, why: str, worst: TaskDepth | None = None) -> Comparison:
    return replace(
        base,
        refused=why,
        worst_bytes=worst.peak_bytes if worst else None,
        worst_task=worst.task if worst else "",
    )


def _told(tasks: Iterable[TaskDepth], context: str, gen: Generation) -> list[TaskDepth]:
    """The tasks of a context."""
    return [t for t in tasks if t.context in ("caller", "worker") and _matches(t, context, gen)]


def _matches(task: TaskDepth, context: str, gen: Generation) -> bool:
    if not context:
        return True
    wanted = _functions(context, gen)
    top = [plain_name(f.function) for f in task.path[:_NEAR_ROOT]]
    if context == "pagefault" and {"do_syscall_64", "ia32_sys_call"} & set(top):
        return False  # a fault of the kernel's own copy to user memory
    return any(name in wanted for name in top)


def _functions(context: str, gen: Generation) -> tuple[str, ...]:
    """What a task of the context has near the top of its stack."""
    kind, _, word = context.partition(":")
    if kind != "syscall":
        return gen.contexts.get(context, (word,))
    call = _ENTRY.sub("", word)
    calls = next((same for same in _CALLS if call in same), (call,))
    return (word, *(entry + name for name in calls for entry in _ENTRIES))


def _parting(measured: Sequence[str], path: Sequence[str]) -> tuple[str, str] | None:
    """The first measured function that is not on the path, and what the path has there."""
    plain = [plain_name(name) for name in path]
    at = 0
    for name in measured:
        function = base_name(name)
        if function.startswith(_ENTRY_CODE):
            continue
        if function in plain[at:]:
            at = plain.index(function, at) + 1
        else:
            return function, plain[at] if at < len(plain) else "end"
    return None
