"""Abstract interpretation of the stack pointer over one function's events.

The state at an instruction is the depth (bytes from the caller's frame down to the stack
pointer, the return address included) and an environment: what is known of other registers.
"""

import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from blockstack.kernel.extract import ops
from blockstack.kernel.extract.ops import BP, SP, Event

#: how a call target is to be taken
PLAIN, IGNORED, POINTER, RETURN, NORETURN = range(5)
_MAX_CONFLICTS = 16
#: below any depth that 32-bit displacements of one function can add up to
_UNSEEN = -(1 << 62)
#: what may stand between functions' blocks as filling; what leaves the depth alone
_PADDING = frozenset({ops.STOP, ops.CLOBBER, ops.LOAD, ops.STORE})
_HARMLESS = frozenset({ops.CALL, ops.CALLI, ops.EDGE, ops.CLOBBER, ops.LOAD, ops.STORE})


@dataclass(frozen=True, slots=True)
class Env:
    """Registers and stack slots that hold a known depth; the last realignment.

    A register's value is the depth at which it points: the stack pointer's own, if it was
    copied from there.
    """

    regs: Mapping[int, int] = field(default_factory=dict)
    slots: Mapping[int, int] = field(default_factory=dict)
    align: int = 0
    aligned_at: int = 0
    saved: int = -1

    def with_reg(self, reg: int, value: int | None) -> "Env":
        """One register changed; None: unknown."""
        if value is None and reg not in self.regs:
            return self
        regs = {r: v for r, v in self.regs.items() if r != reg}
        if value is not None:
            regs[reg] = value
        return replace(self, regs=regs)


@dataclass(slots=True)
class Flow:
    """What one function does to the stack.

    ``calls`` and ``tails`` go by target address. ``suspect`` counts joins with differing depths
    and returns at a wrong one: reason to look again when the callees are known.
    """

    frame: int
    calls: dict[int, int] = field(default_factory=dict)
    tails: dict[int, int] = field(default_factory=dict)
    indirect: set[int] = field(default_factory=set)
    tail_pointer: int = -1
    pops: int = 0
    returns: bool = False
    aligned: bool = False
    dynamic: bool = False
    switches: bool = False
    pushes: bool = False
    suspect: int = 0
    guessed: int = 0
    points: list[tuple[int, int]] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The table's word for how the frame is known."""
        if self.switches:
            return "stack-switch"
        if self.dynamic:
            return "dynamic"
        return "aligned" if self.aligned else "bounded" if self.pushes else "static"


class Walk:
    """One function under interpretation.

    Parameters
    ----------
    chunks : list of (start, end, events)
        The function and its cold parts; the first is the entry.
    target_class : callable
        Of a call target's address: `PLAIN`, `IGNORED` ...
    popped : callable
        Bytes of arguments that a callee pops, by address.
    read_table : callable
        Addresses in the jump table at an address.
    """

    def __init__(
        self,
        chunks: list[tuple[int, int, list[Event]]],
        pointer_bytes: int,
        target_class: Callable[[int], int],
        popped: Callable[[int], int],
        read_table: Callable[[int], list[int]],
    ) -> None:
        self.word = pointer_bytes
        self.target_class, self.popped, self.read_table = target_class, popped, read_table
        self.events: list[Event] = []
        self.ranges: list[tuple[int, int, int, int]] = []
        for start, end, events in chunks:
            self.ranges.append((start, end, len(self.events), len(self.events) + len(events)))
            self.events.extend(events)
        self.ips = [e[0] for e in self.events]
        self.seen = [_UNSEEN] * len(self.events)
        self.work: list[tuple[int, int, Env]] = []
        self.weak: list[tuple[int, int, Env]] = []
        self.jumps: list[tuple[int, int, Env]] = []
        self.out = Flow(pointer_bytes)
        self.guessing = False
        self.below = 0
        self.called = 0

    def run(self) -> Flow:
        """Follow every path, then look at what no path reached."""
        self.work.append((0, self.word, Env()))
        self._drain()
        while self.weak:
            i, depth, env = self.weak.pop()
            if self.seen[i] < 0:
                self.work.append((i, depth, env))
                self._drain()
        tables = self._unreached()
        if self.jumps and not tables:
            self.out.tail_pointer = max(d for _, d, _ in self.jumps) - self.word
            self.out.returns = True
        self.out.pushes = self._pushes_arguments()
        ends = {high - 1 for *_, high in self.ranges}  # the next function's first byte
        self.out.points = [
            (self.ips[i], d) for i, d in enumerate(self.seen) if d >= 0 and i not in ends
        ]
        return self.out

    def _pushes_arguments(self) -> bool:
        """Whether arguments are pushed around calls: constants, or cleaned up and gone on."""
        events, last = self.events, len(self.events) - 1
        for i, event in enumerate(events):
            if event[1] == ops.PUSH and event[3] < 0:
                return True
            if (
                event[1] == ops.ADD
                and event[2] < 0
                and events[min(i + 1, last)][1]
                not in (ops.POP, ops.RET, ops.JMP, ops.LEAVE, ops.STOP)
            ):
                return True
        return False

    def index(self, addr: int) -> int:
        """First event at or behind an address of this function, or -1."""
        for start, end, low, high in self.ranges:
            if start <= addr < end:
                return bisect.bisect_left(self.ips, addr, low, high)
        return -1

    def _drain(self) -> None:
        while self.work:
            self._follow(*self.work.pop())

    def _follow(self, i: int, depth: int, env: Env) -> None:
        """Straight on from event i until control leaves.

        It ends, whatever the bytes are: an event that was passed is passed again only at a
        greater depth, at most `_MAX_CONFLICTS` times in a function, and as often again where the
        depth before was below zero: there the stack is not this function's (its entry's registers
        are popped by hand, or data are read as code).
        """
        seen, events, out = self.seen, self.events, self.out
        while True:
            before = seen[i]
            if before >= 0:
                if before == depth:
                    return
                if self.guessing:
                    return
                out.suspect += 1
                if before > depth or out.suspect > _MAX_CONFLICTS:
                    return
            elif before > _UNSEEN:
                self.below += 1
                if before >= depth or self.below > _MAX_CONFLICTS:
                    return
            seen[i] = depth
            event = events[i]
            op = event[1]
            if op in (ops.PUSH, ops.ADD):
                depth += event[2]
            elif op == ops.POP:
                depth -= event[2]
            elif op <= ops.STOP:
                depth = self._control(i, event, depth, env)
                if depth < 0:
                    return
            else:
                depth, env = self._special(event, depth, env)
            if env.slots or op in (ops.PUSH, ops.POP):
                env = self._spill(event, depth, env)
            out.frame = max(out.frame, depth)
            i += 1

    def _spill(self, event: Event, depth: int, env: Env) -> Env:
        """Registers saved by push, restored by pop."""
        _, op, _, reg, _ = event
        if op == ops.PUSH and reg in env.regs:
            return replace(env, slots={**env.slots, depth: env.regs[reg]})
        if op == ops.POP and reg >= 0 and (reg in env.regs or env.slots):
            return env.with_reg(reg, env.slots.get(depth + event[2]))
        return env

    def _control(self, i: int, event: Event, depth: int, env: Env) -> int:
        """Depth behind a call or a branch not taken; -1: control does not come here."""
        _, op, a, b, _ = event
        if op == ops.CALL:
            return self._call(i, a, depth)
        if op == ops.CALLI:
            self.out.indirect.add(depth)
            self.called = max(self.called, depth)
            return depth
        if op in (ops.JMP, ops.JCC, ops.EDGE):
            self._branch(a, depth, env)
            return -1 if op == ops.JMP else depth
        if op == ops.RET:
            self._return(depth, a)
        elif op == ops.JMPI:
            self._computed(i, a, b, depth, env)
        elif a and i + 1 < len(self.events):  # ud2: WARN() goes on behind it, BUG() does not
            self.weak.append((i + 1, depth, env))
        return -1

    def _call(self, i: int, target: int, depth: int) -> int:
        kind = self.target_class(target)
        if kind == IGNORED:
            return depth
        self.called = max(self.called, depth)
        if kind == POINTER:
            self.out.indirect.add(depth)
            return depth
        own = self.index(target)
        if own == i + 1:  # call 1f; 1: pop: only the return address is wanted
            return depth + self.word
        calls = self.out.calls
        if depth > calls.get(target, -1):
            calls[target] = depth
        return -1 if kind == NORETURN else depth - self.popped(target)

    def _return(self, depth: int, popped: int) -> None:
        self.out.returns = True
        self.out.pops = max(self.out.pops, popped)
        if depth != self.word:
            self.out.suspect += 1

    def _branch(self, target: int, depth: int, env: Env) -> None:
        i = self.index(target)
        if i >= 0:
            if self.seen[i] != depth:
                self.work.append((i, depth, env))
            return
        kind = self.target_class(target)
        if kind == RETURN:
            self._return(depth, 0)
        elif kind == POINTER and depth != self.word:  # computed goto through a thunk
            self.jumps.append((-1, depth, env))
        elif kind == POINTER:
            self.out.returns = True
            self.out.tail_pointer = max(self.out.tail_pointer, depth - self.word)
        else:
            self.out.returns |= kind != NORETURN
            left = max(depth - self.word, 0)
            self.out.tails[target] = max(self.out.tails.get(target, 0), left)

    def _computed(self, i: int, table: int, register: int, depth: int, env: Env) -> None:
        targets = self.read_table(table) if table else []
        found = [t for t in targets if self.index(t) >= 0]
        for target in found:
            self._branch(target, depth, env)
        if not found:
            if register or table:
                self.jumps.append((i, depth, env))
            else:
                self.out.returns = True
                self.out.tail_pointer = max(self.out.tail_pointer, depth - self.word)

    def _special(self, event: Event, depth: int, env: Env) -> tuple[int, Env]:
        _, op, a, b, c = event
        if op == ops.MOV:
            return self._move(a, b, c, depth, env)
        if op == ops.LEAVE:
            base = env.regs.get(BP, depth)
            return base - self.word, env.with_reg(BP, env.slots.get(base))
        if op == ops.AND:
            return self._align(a, depth, env)
        if op == ops.CLOBBER:
            return depth, env.with_reg(a, None)
        if op in (ops.LOAD, ops.STORE):
            base = depth if b == SP else env.regs.get(b, -1)
            if op == ops.LOAD:
                return depth, env.with_reg(a, env.slots.get(base - c) if base >= 0 else None)
            if base >= 0 and a in env.regs:
                env = replace(env, slots={**env.slots, base - c: env.regs[a]})
            return depth, env
        if op == ops.DYNAMIC:
            self.out.dynamic = True
            return depth, env
        self.out.switches = True
        if op == ops.POPSP:  # back from the other stack
            return (env.saved if env.saved >= 0 else depth), env
        return depth, replace(env, saved=depth)

    def _move(self, target: int, source: int, offset: int, depth: int, env: Env) -> tuple[int, Env]:
        value = depth if source == SP else env.regs.get(source)
        value = None if value is None else value - offset
        if target != SP:
            return depth, env.with_reg(target, value)
        if value is None or value < 0:  # not derived from this stack
            self.out.switches = True
            return depth, replace(env, saved=depth)
        return value, env

    def _align(self, align: int, depth: int, env: Env) -> tuple[int, Env]:
        """Worst-case padding, or the exact one when an earlier alignment is known."""
        if align <= self.word or align & (align - 1):
            return depth, env
        self.out.aligned = True
        if env.align >= align:
            padded = depth + (env.aligned_at - depth) % align
        else:
            padded = depth + align - self.word
        return padded, replace(env, align=max(align, env.align), aligned_at=padded)

    def _unreached(self) -> bool:
        """Interpret what no path reached; True: a register jump leads there (a jump table)."""
        self.guessing = True
        through_table = False
        for i, event in enumerate(self.events):
            if (
                self.seen[i] >= 0
                or event[1] in _PADDING
                or (event[1:] == (ops.MOV, event[3], event[3], 0))
            ):
                continue
            if i > 2 and event[1] == ops.CALL and self.target_class(event[2]) == IGNORED:
                break  # ftrace's entry: a function that kallsyms does not name begins here
            depth = self._backwards(i)
            if depth < self.word and self.jumps:
                through_table = True
                depth = self.jumps[-1][1]
            if depth < self.word:
                behind = (
                    i > 0
                    and self.seen[i - 1] >= 0
                    and self.events[i - 1][1] in (ops.CALL, ops.STOP)
                )
                depth = self.seen[i - 1] if behind else max(self.called, self.word)
            through_table |= bool(self.jumps)
            self.out.guessed += 1
            self.work.append((i, depth, self.jumps[-1][2] if self.jumps else self._frame_env()))
            self._drain()
        return through_table

    def _frame_env(self) -> Env:
        """The frame pointer as the prologue set it, for code entered from nowhere."""
        depth = self.word
        for event in self.events[:12]:
            if event[1] == ops.PUSH:
                depth += event[2]
            elif event[1] == ops.MOV and event[2:4] == (BP, SP):
                return Env({BP: depth - event[4]})
        return Env()

    def _backwards(self, first: int) -> int:
        """The depth at which code must be entered to fit what it jumps to; -1: unknown."""
        delta = 0
        for i in range(first, len(self.events)):
            if self.seen[i] >= 0:
                return self.seen[i] - delta
            _, op, a, _, _ = self.events[i]
            if op in (ops.PUSH, ops.ADD):
                delta += a
            elif op == ops.POP:
                delta -= a
            elif op in (ops.JMP, ops.JCC):
                j = self.index(a)
                if j >= 0 and self.seen[j] >= 0:
                    return self.seen[j] - delta
                if op == ops.JMP:
                    return self.word - delta if j < 0 else -1
            elif op == ops.RET:
                return self.word - delta
            elif op not in _HARMLESS or (op == ops.CALL and self.target_class(a) == NORETURN):
                return -1
        return -1
