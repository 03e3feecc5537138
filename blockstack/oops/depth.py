"""The depth that a report proves: by its stack's bounds and pointers, by the bytes left.

A stack pointer and the stack's top give the depth at that moment. The top is stated (a guard
page's report, ``threadinfo=``), or follows from THREAD_SIZE: x86 aligns stacks to it
(arch/x86/include/asm/page_64_types.h, kernel/fork.c: THREAD_ALIGN). Without a size, the stack
pointers of the rows bound the depth from below.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blockstack.base.errors import BlockstackError
from blockstack.kernel import Platform
from blockstack.kernel.choose import build_of
from blockstack.oops.model import Oops, OopsRow
from blockstack.oops.stated import Stated

#: no function's frame is larger than the largest kernel stack (64 KiB, with KASAN)
_LARGEST = 1 << 16
_X86 = ("i386", "x86_64")
#: x86_64 has had 16 KiB since commit 6538b8ea886e
_SIXTEEN = (3, 15)


@dataclass(frozen=True)
class Depth:
    """What a report proves of its depth.

    Attributes
    ----------
    used_bytes : int or None
        None: nothing proves one.
    source : str
        ``reported``, ``stack pointer``, ``bytes left``, ``overflow`` or empty.
    exact : bool
        Not only a lower bound.
    overflowed : bool
        The report states, or its registers show, that the stack was too small.
    stack_high : int or None
        The first byte above the stack.
    size_bytes : int or None
        The stack's size; None: nothing tells.
    notes : tuple of str
    """

    used_bytes: int | None = None
    source: str = ""
    exact: bool = False
    overflowed: bool = False
    stack_high: int | None = None
    size_bytes: int | None = None
    notes: tuple[str, ...] = ()


def prove_depth(oops: Oops, platform: Platform | None, given_bytes: int | None) -> Depth:
    """The depth that a report proves.

    Parameters
    ----------
    oops : Oops
    platform : Platform or None
        Of the kernel beside it, for the size that nothing states.
    given_bytes : int or None
        A thread size that the user gives.

    Raises
    ------
    BlockstackError
        More bytes left than the stack has.
    """
    if oops.form == "frames":
        return Depth()
    size, certain, notes = _size(oops, platform, given_bytes)
    stated = oops.stated
    hit = _guard_page_hit(stated)
    over = Depth(overflowed=bool(stated.overflow) or hit, size_bytes=size)
    if oops.used_bytes is not None:
        found = replace(over, used_bytes=oops.used_bytes, source="reported", exact=True)
    else:
        found = _by_pointers(oops, over, certain)
        if found.used_bytes is None and stated.bytes_left is not None:
            found = _by_bytes_left(stated.bytes_left, over, platform)
        if found.used_bytes is None and over.overflowed and size is not None:
            found = replace(over, used_bytes=size, source="overflow")
    if found.overflowed:
        found = replace(found, exact=False)
    return replace(found, notes=(*notes, *_notes(oops, found, hit)))


def sized_rows(rows: Sequence[OopsRow], stack_high: int | None) -> tuple[OopsRow, ...]:
    """Rows with what each keeps: its stack pointer up to that of the row that called it."""
    found = []
    for row, outer in zip(rows, [*rows[1:], None], strict=True):
        sp, above = row.stack_pointer, None if outer is None else outer.stack_pointer
        size, depth = row.bytes, row.depth_bytes
        if sp is not None and above is not None and 0 <= above - sp < _LARGEST:
            size = above - sp
        if sp is not None and stack_high is not None and 0 <= stack_high - sp <= 2 * _LARGEST:
            depth = stack_high - sp
            size = depth if outer is None else size
        found.append(replace(row, bytes=size, depth_bytes=depth))
    return tuple(found)


def _size(
    oops: Oops, platform: Platform | None, given: int | None
) -> tuple[int | None, bool, list[str]]:
    """The stack's size, whether it is certain, and what was taken for granted."""
    stated = oops.stated
    if stated.stack_low is not None and stated.stack_high is not None:
        return stated.stack_high - stated.stack_low, True, []
    known = given or stated.thread_size_bytes
    if known:
        return known, True, []
    base, sp = stated.thread_info, stated.stack_pointer
    if base is not None and stated.stack_high is not None:
        return stated.stack_high - base, True, []
    x86 = oops.arch in _X86
    if oops.arch == "i386" and base is not None:
        if base & 4096:
            return 4096, True, []  # no stack of 8 KiB begins there
        if sp is not None and 4096 <= sp - base < 8192:
            return 8192, True, []
    version = build_of(stated.kernel, oops.arch).version
    if oops.arch == "x86_64" and (0, 0, 0) < version < _SIXTEEN:
        return 8192, True, []
    size = platform.thread_size_bytes if platform is not None else None
    if size is None or not _needs_size(oops):
        return size, False, []
    certain = oops.arch == "x86_64" and version > (0, 0, 0)
    note = f"the report does not state the size of its stack: taken for {size:,} bytes"
    if not x86 or stated.hashed or not certain:
        return size, False, [note]
    return size, True, [note + ", what x86_64 kernels have had since 3.15 (KASAN's: twice that)"]


def _needs_size(oops: Oops) -> bool:
    stated = oops.stated
    return (
        oops.used_bytes is None
        and oops.arch in ("", "i386", "x86_64")
        and (
            stated.stack_pointer is not None
            or stated.alone
            or any(row.stack_pointer is not None for row in oops.rows)
        )
    )


def _by_pointers(oops: Oops, over: Depth, certain: bool) -> Depth:
    stated, size = oops.stated, over.size_bytes
    pointers = _of_the_task(oops)
    sp = pointers[0] if pointers else stated.stack_pointer
    if stated.stack_high is not None and stated.stack_low is not None:
        return _within(over, stated.stack_low, stated.stack_high, sp, stated.fault_address)
    if sp is None:
        return over
    if stated.stack_high is not None and 0 <= stated.stack_high - sp <= _LARGEST:
        return _pointed(over, stated.stack_high, sp, exact=True)
    if stated.thread_info is not None and size is not None:
        high = stated.thread_info + size
        return _pointed(over, high, sp, certain) if 0 <= high - sp <= _LARGEST else over
    if size is not None and oops.arch in _X86 and (pointers or not oops.switches_stacks):
        base = -(-sp // 4096) * 4096 if over.overflowed else sp // size * size
        if not over.overflowed or base - sp < 4096:
            return _pointed(over, base + size, sp, certain)
    return _span(oops, over)


def _of_the_task(oops: Oops) -> list[int]:
    """Stack pointers of the rows that stand on the task's own stack."""
    return [r.stack_pointer for r in oops.rows if r.stack_pointer is not None and not r.stack]


def _span(oops: Oops, over: Depth) -> Depth:
    """From the innermost row's stack pointer to the outermost's, on one stack."""
    found = _of_the_task(oops)
    if len(found) < 2 or not 0 < found[-1] - found[0] < _LARGEST:
        return over
    return replace(over, used_bytes=found[-1] - found[0], source="stack pointer")


def _within(over: Depth, low: int, high: int, sp: int | None, fault: int | None) -> Depth:
    """On a stack whose bounds are stated; an address below them is as deep as it is told."""
    near = [a for a in (sp, fault) if a is not None and low - _LARGEST <= a <= high]
    if not near:
        return replace(over, stack_high=high)
    return _pointed(replace(over, overflowed=over.overflowed or near[0] < low), high, near[0], True)


def _pointed(over: Depth, high: int, sp: int, exact: bool) -> Depth:
    return replace(over, used_bytes=high - sp, source="stack pointer", exact=exact, stack_high=high)


def _by_bytes_left(left: int, over: Depth, platform: Platform | None) -> Depth:
    size = over.size_bytes
    if size is None:
        return over
    limit = size if platform is None else platform.with_thread_size(size).limit_bytes
    if left > limit:
        raise BlockstackError(
            "more bytes left than the stack has",
            path="bytes left",
            value=left,
            hint="say the stack's size with --thread-size",
        )
    return replace(over, used_bytes=limit - left, source="bytes left", exact=True)


def _guard_page_hit(stated: Stated) -> bool:
    """A fault right below the stack pointer's page: a push on a page that is not there."""
    sp, fault = stated.stack_pointer, stated.fault_address
    if sp is None or fault is None or stated.registers_arch not in _X86:
        return False
    return 0 < sp - fault <= 4096 and fault // 4096 < -(-sp // 4096) and sp % 4096 == 0


def _notes(oops: Oops, found: Depth, hit: bool) -> list[str]:
    stated, notes = oops.stated, []
    if stated.overflow:
        which = f" (the {stated.which} stack, not the task's)" if stated.which else ""
        notes.append(f'the report states: "{stated.overflow}"{which}')
    sp = stated.stack_pointer
    if hit and sp is not None and stated.fault_address is not None:
        notes.append(
            f"the fault's address is {sp - stated.fault_address} bytes below the stack pointer, "
            "which stands at the start of a page: the page below is no part of the stack"
        )
    if stated.hashed:
        notes.append("the report's bounds of the stack are hashed addresses: not used")
    if found.source == "stack pointer" and found.stack_high is None:
        notes.append("from the innermost row's stack pointer to the outermost's: at least")
    elif found.source == "stack pointer" and stated.stack_high is None:
        notes.append(f"the stack's top is {found.stack_high:#x}")
    return notes
