"""One binary, function by function: who calls whom at which depth."""

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from blockstack.kernel.extract import ops
from blockstack.kernel.extract.decode import Decoder
from blockstack.kernel.extract.edges import edges_of, jump_table
from blockstack.kernel.extract.flow import IGNORED, NORETURN, PLAIN, POINTER, RETURN, Flow, Walk
from blockstack.kernel.extract.image import Image, Symbol
from blockstack.kernel.extract.ops import Event

#: ftrace's entry, and the stack protector's end: neither is a call of the C code
_IGNORED = frozenset(
    {"__fentry__", "mcount", "_mcount", "__stack_chk_fail", "__stack_chk_fail_local"}
)
RETURN_THUNKS = frozenset(
    {
        "__x86_return_thunk",
        "zen_return_thunk",
        "srso_return_thunk",
        "srso_alias_return_thunk",
        "retbleed_return_thunk",
        "call_depth_return_thunk",
        "its_return_thunk",
    }
)
_POINTER_PREFIX = ("__x86_indirect_", "__x86.indirect_thunk", "__llvm_retpoline_")
_NORETURN = frozenset(
    {
        "panic",
        "do_exit",
        "make_task_dead",
        "do_group_exit",
        "kthread_exit",
        "nmi_panic_self_stop",
        "__module_put_and_kthread_exit",
        "kthread_complete_and_exit",
        "complete_and_exit",
        "__module_put_and_exit",
        "__reiserfs_panic",
        "fortify_panic",
        "__fortify_panic",
        "usercopy_abort",
        "rewind_stack_and_make_dead",
        "rewind_stack_do_exit",
        "stop_this_cpu",
        "machine_real_restart",
        "cpu_startup_entry",
        "start_kernel",
        "x86_64_start_reservations",
        "lbug_with_loc",
        "sev_es_terminate",
        "snp_abort",
        "ex_handler_msr_mce",
        "__stack_chk_fail",
        "__ubsan_handle_builtin_unreachable",
        "arch_cpu_idle_dead",
        "btrfs_assertfail",
        "__btrfs_panic",
        "abort",
        "exit",
        "_exit",
        "__assert_fail",
        "dump_stack_and_die",
    }
)
#: never functions of their own: padding in front of one, labels of tables
_SKIPPED = ("__pfx_", "__cfi_", "__UNIQUE_ID", "__ksymtab", "__crc_")


@dataclass(slots=True)
class Range:
    """A function's address range and its names, the one to be called by first."""

    start: int
    end: int
    names: list[str]
    is_global: bool
    file: str

    @property
    def cold(self) -> bool:
        """A part that gcc moved away, entered by jumps of its function only."""
        return ".cold" in self.names[0]


@dataclass
class Known:
    """What was learnt of callees, by name, across all binaries."""

    seen: set[str] = field(default_factory=set)
    pops: dict[str, int] = field(default_factory=dict)
    noreturn: set[str] = field(default_factory=lambda: set(_NORETURN))


def text_bounds(image: Image) -> list[tuple[int, int]]:
    """Where a linked kernel's code lies, by the linker script's own labels; empty: not told.

    kallsyms gives data the letter of text where a section of data is linked executable
    (arch/x86/kernel/vmlinux.lds.S, 7.3: ``_sdata``, ``pci_mem_start``), so the letter does not
    decide.
    """
    at = image.markers
    if not {"_stext", "_etext"} <= at.keys():
        return []
    begin = min(at["_stext"], at.get("_text", at["_stext"]))  # a head lies before _stext
    bounds = [(begin, at["_etext"])]
    if {"_sinittext", "_einittext"} <= at.keys():
        bounds.append((at["_sinittext"], at["_einittext"]))
    left = image.section(".exit.text")  # has no labels
    return [*bounds, (left.addr, left.addr + len(left.data))] if left is not None else bounds


def ranges_of(image: Image) -> list[Range]:
    """Functions of an image; without sizes (kallsyms) each ends where the next begins."""
    groups: dict[int, list[Symbol]] = {}
    bounds = text_bounds(image)
    for symbol in image.symbols:
        if bounds and not any(start <= symbol.addr < end for start, end in bounds):
            continue
        if not symbol.name.startswith(_SKIPPED):
            groups.setdefault(symbol.addr, []).append(symbol)
    starts = sorted(groups)
    found: list[Range] = []
    for i, start in enumerate(starts):
        section = image.find(start)
        if section is None or not section.code:
            continue
        limit = section.addr + len(section.data)
        following = starts[i + 1] if i + 1 < len(starts) else limit
        symbols = sorted(groups[start], key=lambda s: (not s.size, not s.is_global))
        end = min(start + symbols[0].size if symbols[0].size else following, limit)
        if end > start:
            found.append(
                Range(start, end, [s.name for s in symbols], symbols[0].is_global, symbols[0].file)
            )
    return found


class Scanner:
    """Interprets the functions of one image.

    Parameters
    ----------
    image : Image
    known : Known
        Shared between the images of one kernel.
    decoder : Decoder
    """

    def __init__(self, image: Image, known: Known, decoder: Decoder) -> None:
        self.image, self.known, self.decoder = image, known, decoder
        self.ranges = ranges_of(image)
        self.starts = [r.start for r in self.ranges]
        edges = edges_of(image).view(np.uint64)
        self.sources = edges[:, 0].tolist()
        self.targets = edges[:, 1].tolist()
        self.classes: dict[int, int] = {}

    def run(self, tick: Callable[[int], None] | None = None) -> Iterator[tuple[Range, Flow]]:
        """Every function's flow; suspects a second time, when the callees are known."""
        again: list[Range] = []
        done: list[tuple[Range, Flow]] = []
        before = set(self.known.pops)
        for r in self.ranges:
            if r.cold:
                continue
            flow = self.flow(r)
            self._learn(r, flow)
            if flow.suspect:
                again.append(r)
            else:
                done.append((r, flow))
            if tick is not None:
                tick(r.end - r.start)
        self.classes.clear()
        popping = self.known.pops.keys() - before
        late = {r.start for r in self.ranges if not popping.isdisjoint(r.names)}
        for r, flow in done:
            if late and not late.isdisjoint(flow.calls):  # read before its callee was
                again.append(r)
            else:
                yield r, flow
        for r in again:
            yield r, self._second_look(r)

    def _second_look(self, r: Range) -> Flow:
        """Explain what does not fit by a callee that cannot be seen.

        One that never returns, or (i386) pops the address of the structure that it returns.
        What explains everything is kept for the functions to come.
        """
        flow = self.flow(r)
        while flow.suspect:
            best: tuple[Flow, str, int] | None = None
            for name in self._unseen(flow):
                for pops in (0, 4) if self.image.arch == "i386" else (0,):
                    trial = self._supposing(r, name, pops)
                    if trial.suspect < (best[0] if best else flow).suspect:
                        best = (trial, name, pops)
            if best is None:
                break
            flow, name, pops = best
            if flow.suspect:
                break
            self._suppose(name, pops)
        return flow

    def _unseen(self, flow: Flow) -> list[str]:
        names = (self.image.externs.get(addr, "") for addr in flow.calls)
        return [
            n
            for n in names
            if n
            and n not in self.known.seen
            and n not in self.known.pops
            and n not in self.known.noreturn
        ]

    def _suppose(self, name: str, pops: int) -> None:
        self.classes.clear()
        if pops:
            self.known.pops[name] = pops
        else:
            self.known.noreturn.add(name)

    def _supposing(self, r: Range, name: str, pops: int) -> Flow:
        self._suppose(name, pops)
        flow = self.flow(r)
        self.known.pops.pop(name, None)
        self.known.noreturn.discard(name)
        self.classes.clear()
        return flow

    def _learn(self, r: Range, flow: Flow) -> None:
        self.known.seen.update(r.names)
        for name in r.names:
            if flow.pops and not flow.suspect:
                self.known.pops[name] = flow.pops
            elif flow.pops:
                self.known.pops.setdefault(name, flow.pops)
            if not flow.returns and flow.calls:
                self.known.noreturn.add(name)

    def flow(self, r: Range) -> Flow:
        """One function."""
        chunks = self._chunks(r)
        low = min(c[0] for c in chunks)
        high = max(c[1] for c in chunks)
        walk = Walk(
            chunks,
            self.image.pointer_bytes,
            self.target_class,
            self._popped,
            lambda table: jump_table(self.image, table, low, high),
        )
        return walk.run()

    def _chunks(self, r: Range) -> list[tuple[int, int, list[Event]]]:
        """The function and the cold parts that it jumps to."""
        chunks: list[tuple[int, int, list[Event]]] = []
        todo = [r]
        taken = {r.start}
        while todo:
            part = todo.pop(0)
            code = self.image.read(part.start, part.end - part.start)
            events = self._with_edges(part, self.decoder.events(code, part.start))
            chunks.append((part.start, part.end, events))
            for _, op, target, _, _ in events:
                if op in (ops.JMP, ops.JCC, ops.EDGE) and not part.start <= target < part.end:
                    other = self._continuation(target)
                    if other is not None and other.start not in taken:
                        taken.add(other.start)
                        todo.append(other)
        return chunks

    def _continuation(self, target: int) -> Range | None:
        """What belongs to the function although it lies elsewhere, if the target is that."""
        other = self.containing(target)
        if other is not None and other.cold:
            return other
        section = self.image.find(target)
        if section is None or section.name != ".altinstr_aux":
            return None
        # static_cpu_has() before alternatives are applied: a test, a jcc and a jmp, both back
        for ip, op, *_ in self.decoder.events(self.image.read(target, 48), target):
            if op == ops.JMP:
                return Range(target, ip + 5, [".altinstr_aux"], False, "")
        return None

    def _with_edges(self, part: Range, events: list[Event]) -> list[Event]:
        low = bisect.bisect_left(self.sources, part.start)
        high = bisect.bisect_left(self.sources, part.end)
        if low == high:
            return events
        extra = {}
        for i in range(low, high):
            extra[self.sources[i]] = self.targets[i]
        # a static key may be a jump as shipped and a nop later: it is not the end of a block
        events = [
            (e[0], ops.JCC, *e[2:]) if e[1] == ops.JMP and e[0] in extra else e for e in events
        ]
        events.extend((ip, ops.EDGE, target, 0, 0) for ip, target in extra.items())
        events.sort()
        return events

    def containing(self, addr: int) -> Range | None:
        """The function that an address lies in."""
        i = bisect.bisect_right(self.starts, addr) - 1
        if i >= 0 and addr < self.ranges[i].end:
            return self.ranges[i]
        return None

    def target_names(self, addr: int) -> list[str]:
        """All names of a call target."""
        if addr in self.image.externs:
            return [self.image.externs[addr]]
        found = self.containing(addr)
        return [] if found is None else found.names

    def target_class(self, addr: int) -> int:
        """How the interpreter is to take a call or jump to an address."""
        kind = self.classes.get(addr)
        if kind is None:
            kind = self.classes[addr] = self._classify(self.target_names(addr))
        return kind

    def _classify(self, names: list[str]) -> int:
        for name in names:
            if name in _IGNORED:
                return IGNORED if name != "__stack_chk_fail" else NORETURN
            if name in RETURN_THUNKS:
                return RETURN
            if name.startswith(_POINTER_PREFIX):
                return POINTER
            if name in self.known.noreturn:
                return NORETURN
        return PLAIN

    def _popped(self, addr: int) -> int:
        pops = self.known.pops
        if not pops:
            return 0
        return max((pops.get(name, 0) for name in self.target_names(addr)), default=0)
