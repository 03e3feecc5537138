"""A call chain in a frame table: what each function of it keeps for the next one.

A report of a kernel names functions only. Between two neighbours the table gives the bytes of the
outer one at its call of the inner one. A tail jump leaves no frame and no row (x86_64), so that
the outer one may have called a third function that jumped on to the inner one; a call through a
pointer is in no list of callees, but its depth is known. What the table lacks counts what every
call of that build keeps at least, and is named.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from blockstack.base.calls import split_place
from blockstack.generations import Root
from blockstack.kernel.names import base_name
from blockstack.kernel.table import FrameTable
from blockstack.results.call_chain import CallChain, ChainFrame

#: entry code by the name that a report shows for it, and the root that it stands for
_ROOTS = {
    "@syscall": (
        "entry_SYSCALL_64_after_hwframe",
        "entry_SYSCALL_64",
        "entry_SYSENTER_32",
        "entry_INT80_32",
        "system_call_fastpath",
        "sysenter_past_esp",
        "syscall_call",
        "sysenter_do_call",
        "system_call_done",
    ),
    "@fault": (
        "asm_exc_page_fault",
        "handle_exception_return",
        "handle_exception",
        "page_fault",
        "error_code",
    ),
    "@kthread": ("ret_from_fork", "ret_from_fork_asm", "kernel_thread_helper"),
}
_ROOT_OF = {name: root for root, names in _ROOTS.items() for name in names}
#: the kernel's own copies to and from user memory, where a page fault strikes (arch/x86/lib)
_COPIES = ("copy_user_", "__copy_user", "rep_movs", "__get_user", "__put_user", "__clear_user")
#: tail jumps in a row between two neighbours of a chain
_MOST_TAILS = 8


def call_chain(
    table: FrameTable,
    functions: Sequence[str],
    roots: Mapping[str, Root],
    *,
    leaf_bytes: int | None = None,
) -> CallChain:
    """What a frame table has for a chain of functions.

    Parameters
    ----------
    table : FrameTable
    functions : sequence of str
        Outermost first, as a report names them (``blk_mq_flush_plug_list.part.0``).
    roots : mapping of ``"@syscall"``, ``"@fault"``, ``"@kthread"``, ``"@copy"`` to Root
        What lies on the stack before the first C function; may lack any.
    leaf_bytes : int or None
        What stands for the last function's frame: a stack tracer that stops at its entry does not
        see it. None: its frame.
    """
    return CallChain(tuple(_frames(table, functions, roots, leaf_bytes)))


def _frames(
    table: FrameTable, functions: Sequence[str], roots: Mapping[str, Root], leaf_bytes: int | None
) -> Iterator[ChainFrame]:
    copying, before = False, ""
    for outer, inner in pairwise(functions):
        root = roots.get("@copy" if copying else _ROOT_OF.get(outer, ""))
        keys = _keys(table, outer)
        is_root = outer in _ROOT_OF and before != f"{outer}_asm"  # ret_from_fork: C since 6.6
        if root is not None and is_root:
            pushed = table.site(outer, inner) if (outer, inner) == root.entry else None
            more = 0 if pushed is None else pushed - table.pointer_bytes
            yield ChainFrame(outer, sum(n for _, n in root.rows) + more, "root")
        elif outer.startswith(_COPIES) and inner in _ROOT_OF:
            yield ChainFrame(outer, 0, "root")  # its return address is the first row of @copy
        elif not keys:
            yield ChainFrame(outer, table.least_call_bytes, "missing")
        else:
            yield _site(table, outer, keys, _keys(table, inner))
        copying, before = outer.startswith(_COPIES), outer
    if not functions:
        return
    last, keys = functions[-1], _keys(table, functions[-1])
    file = table.functions[keys[0]][0] if keys else ""
    if leaf_bytes is not None:
        yield ChainFrame(last, leaf_bytes, "root", file)
    elif keys:
        yield ChainFrame(last, table.frame(keys[0]), "frame", file)
    else:
        yield ChainFrame(last, table.least_call_bytes, "missing")


def _keys(table: FrameTable, name: str) -> list[str]:
    """The table's functions that a report calls ``name``: same-named ones of several files, and
    what gcc split off; the best match first."""
    found = table.named(name)
    exact = [k for k in found if split_place(k)[0] == name]
    return exact or sorted(found, key=lambda k: (base_name(k) != k, -table.functions[k][1]))


def _site(table: FrameTable, name: str, outer: Sequence[str], inner: Sequence[str]) -> ChainFrame:
    """Bytes of ``outer`` at its call of ``inner``; both may be several functions of one name."""
    goals = set(inner)
    direct = [(table.calls[a][b], a) for a in outer for b in goals if b in table.calls.get(a, {})]
    if direct:
        n, a = max(direct)
        return ChainFrame(name, n, "call", table.functions[a][0])
    by_tail = [(n, a) for a in outer for n in _by_tail(table, a, goals)]
    if by_tail:
        n, a = max(by_tail)
        return ChainFrame(name, n, "tail", table.functions[a][0])
    # of several functions of one name the kernel's own: a report marks those of modules
    outer = [a for a in outer if not table.functions[a][0].endswith(".ko]")] or outer
    pointers = [(n, a) for a in outer for n in table.indirect.get(a, ())]
    if pointers:
        n, a = max(pointers)
        return ChainFrame(name, n, "pointer", table.functions[a][0])
    return ChainFrame(name, table.frame(outer[0]), "frame", table.functions[outer[0]][0])


def _by_tail(table: FrameTable, caller: str, goals: set[str]) -> Iterator[int]:
    """Depths at which ``caller`` calls what jumps on to one of ``goals``."""
    ring = dict(table.calls.get(caller, {}))
    seen = set(ring)
    for _ in range(_MOST_TAILS):
        after: dict[str, int] = {}
        for function, depth in ring.items():
            for callee, more in table.tail.get(function, {}).items():
                if callee in goals:
                    yield depth + more
                elif callee not in seen:
                    after[callee] = max(depth + more, after.get(callee, 0))
        if not after:
            return
        seen |= after.keys()
        ring = after
