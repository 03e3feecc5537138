"""Machine code to events, with iced-x86.

Almost all functions are decoded in the quick mode, which looks at the stack and frame pointers
only. Where the stack pointer is loaded from any other register (realigned frames with a saved
base, variable-length arrays, stack switches), the function is decoded once more in full, with
every register that changes.
"""

from functools import cache
from types import ModuleType
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.kernel.extract import ops
from blockstack.kernel.extract.ops import BP, NO_REGISTER, SP, Event

# classes of instruction codes; 0 is of no interest
_STACK, _FLOW, _REG, _END = 1, 2, 3, 4
_STACK_NAMES = frozenset(
    {
        "PUSH",
        "POP",
        "PUSHF",
        "PUSHFD",
        "PUSHFQ",
        "POPF",
        "POPFD",
        "POPFQ",
        "PUSHA",
        "PUSHAD",
        "POPA",
        "POPAD",
        "LEAVE",
        "ENTER",
    }
)
_END_NAMES = frozenset(
    {
        "UD0",
        "UD1",
        "UD2",
        "INT3",
        "IRET",
        "IRETD",
        "IRETQ",
        "SYSEXIT",
        "SYSEXITQ",
        "SYSRET",
        "SYSRETQ",
        "ERETU",
        "ERETS",
    }
)
_REG_NAMES = frozenset(
    {"MOV", "LEA", "ADD", "SUB", "AND", "XCHG", "INC", "DEC", "OR", "XOR", "CMOVE", "CMOVNE"}
)


def iced() -> ModuleType:
    """The decoder's module.

    Raises
    ------
    BlockstackError
        The extra is not installed.
    """
    try:
        import iced_x86
    except ImportError as error:
        raise BlockstackError(
            "needs the decoder iced-x86",
            path="kernel extract",
            hint="in the checkout: pip install '.[frames]'",
        ) from error
    module: ModuleType = iced_x86
    return module


@cache
def _tables() -> tuple[bytes, dict[int, int]]:
    """Class of every instruction code; machine number of every general register."""
    ix = iced()
    mnemonics = {v: k for k, v in vars(ix.Mnemonic).items() if isinstance(v, int)}
    codes = [v for v in vars(ix.Code).values() if isinstance(v, int)]
    kinds = bytearray(max(codes) + 1)
    for code in codes:
        info = ix.OpCodeInfo(code)
        name = mnemonics.get(info.mnemonic, "")
        if name in _STACK_NAMES:
            kinds[code] = _STACK
        elif name in _END_NAMES:
            kinds[code] = _END
        elif name in ("CALL", "RET", "RETF") or name[0] == "J" or name.startswith("LOOP"):
            kinds[code] = _FLOW
        elif name in _REG_NAMES:
            kinds[code] = _REG
    numbers = {}
    names = ("AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI")
    for i, name in enumerate(names):
        numbers[getattr(ix.Register, "R" + name)] = i
        numbers[getattr(ix.Register, "E" + name)] = i
    for i in range(8, 16):
        numbers[getattr(ix.Register, f"R{i}")] = i
        numbers[getattr(ix.Register, f"R{i}D")] = i
    return bytes(kinds), numbers


class Decoder:
    """Events of functions of one architecture."""

    def __init__(self, pointer_bytes: int) -> None:
        self.ix = iced()
        self.bits = 8 * pointer_bytes
        self.pointer_bytes = pointer_bytes
        self.kinds, self.numbers = _tables()
        reg = self.ix.Register
        self.sp = reg.RSP if pointer_bytes == 8 else reg.ESP
        self.watched = frozenset({self.sp, reg.RBP if pointer_bytes == 8 else reg.EBP})
        flow = self.ix.FlowControl
        self.direct = {
            flow.CALL: ops.CALL,
            flow.UNCONDITIONAL_BRANCH: ops.JMP,
            flow.CONDITIONAL_BRANCH: ops.JCC,
        }
        self.used = self.ix.InstructionInfoFactory()
        access = self.ix.OpAccess
        self.writes = frozenset(
            {access.WRITE, access.COND_WRITE, access.READ_WRITE, access.READ_COND_WRITE}
        )
        self.instructions = 0

    def events(self, code: bytes, addr: int) -> list[Event]:
        """Decode one range of code; the list ends with a stop."""
        found: list[Event] = []
        if not self._quick(code, addr, found):
            found.clear()
            self._full(code, addr, found)
        found.append((addr + len(code), ops.STOP, 0, 0, 0))
        return found

    def _quick(self, code: bytes, addr: int, out: list[Event]) -> bool:
        """False: the stack pointer comes from a register that must be followed."""
        kinds, watched = self.kinds, self.watched
        n = 0
        for n, ins in enumerate(self.ix.Decoder(self.bits, code, ip=addr), 1):  # noqa: B007
            kind = kinds[ins.code]
            if not kind:
                continue
            if kind == _REG:
                if ins.op0_register in watched or (
                    ins.op1_register == self.sp and ins.mnemonic == self.ix.Mnemonic.XCHG
                ):
                    event = self._register(ins)
                    if event is None:
                        continue
                    if event[1] in (ops.AND, ops.DYNAMIC, ops.SWITCH) or (
                        event[1] == ops.MOV and event[2] == SP and event[3] not in (SP, BP)
                    ):
                        return False
                    out.append(event)
            elif kind == _STACK:
                event = self._stack(ins)
                if event[1] == ops.POPSP:
                    return False
                out.append(event)
            else:
                out.append(self._flow(ins) if kind == _FLOW else self._end(ins))
        self.instructions += n
        return True

    def _full(self, code: bytes, addr: int, out: list[Event]) -> None:
        for ins in self.ix.Decoder(self.bits, code, ip=addr):
            self.instructions += 1
            kind = self.kinds[ins.code]
            event = None
            if kind == _STACK:
                event = self._stack(ins)
            elif kind == _FLOW:
                event = self._flow(ins)
            elif kind == _END:
                event = self._end(ins)
            elif kind == _REG:
                event = self._register(ins) or self._memory(ins)
            if event is not None:
                out.append(event)
            else:
                out.extend((ins.ip, ops.CLOBBER, r, 0, 0) for r in self._changed(ins))

    def _changed(self, ins: Any) -> set[int]:
        rows = self.used.info(ins).used_registers()
        found = {
            self.numbers[self.ix.RegisterExt.full_register(u.register)]
            for u in rows
            if u.access in self.writes
            and self.ix.RegisterExt.full_register(u.register) in self.numbers
        }
        return found - {SP}

    def _stack(self, ins: Any) -> Event:
        mnemonic, names = ins.mnemonic, self.ix.Mnemonic
        delta = -ins.stack_pointer_increment
        if mnemonic == names.LEAVE:
            return (ins.ip, ops.LEAVE, 0, 0, 0)
        if mnemonic == names.PUSH:
            return (ins.ip, ops.PUSH, delta, self.numbers.get(ins.op0_register, NO_REGISTER), 0)
        if mnemonic == names.POP:
            register = self.numbers.get(ins.op0_register, NO_REGISTER)
            if register == SP:
                return (ins.ip, ops.POPSP, 0, 0, 0)
            return (ins.ip, ops.POP, -delta, register, 0)
        return (ins.ip, ops.ADD, delta, 0, 0)

    def _flow(self, ins: Any) -> Event:
        flow, kinds = ins.flow_control, self.ix.FlowControl
        if flow in self.direct:
            return (ins.ip, self.direct[flow], ins.near_branch_target, 0, 0)
        if flow == kinds.RETURN:
            popped = ins.immediate(0) if ins.op_count else 0
            return (ins.ip, ops.RET, popped, 0, 0)
        if flow == kinds.INDIRECT_CALL:
            return (ins.ip, ops.CALLI, 0, 0, 0)
        if flow == kinds.INDIRECT_BRANCH:
            register = ins.op0_kind == self.ix.OpKind.REGISTER
            table = (
                0
                if register
                or ins.memory_index == self.ix.Register.NONE
                or (ins.memory_base != self.ix.Register.NONE)
                else ins.memory_displacement
            )
            return (ins.ip, ops.JMPI, table, int(register), 0)
        return (ins.ip, ops.JCC, ins.near_branch_target, 0, 0)  # jrcxz, loop, xbegin

    def _end(self, ins: Any) -> Event:
        return (ins.ip, ops.STOP, int(ins.mnemonic == self.ix.Mnemonic.UD2), 0, 0)

    def _register(self, ins: Any) -> Event | None:
        """An instruction whose first operand is a register, as far as it matters."""
        names, mnemonic = self.ix.Mnemonic, ins.mnemonic
        target = self.numbers.get(ins.op0_register, NO_REGISTER)
        source = self.numbers.get(ins.op1_register, NO_REGISTER)
        wide = self.ix.RegisterExt.size(ins.op0_register) == self.pointer_bytes
        if target == NO_REGISTER or not wide:
            return None
        if mnemonic == names.MOV and source != NO_REGISTER:
            return (ins.ip, ops.MOV, target, source, 0)
        if (
            mnemonic == names.LEA
            and ins.memory_index == self.ix.Register.NONE
            and (base := self.numbers.get(ins.memory_base, NO_REGISTER)) != NO_REGISTER
        ):
            return (ins.ip, ops.MOV, target, base, _signed(ins.memory_displacement, self.bits))
        if (
            mnemonic in (names.ADD, names.SUB)
            and ins.op_count == 2
            and (ins.op1_kind not in (self.ix.OpKind.REGISTER, self.ix.OpKind.MEMORY))
        ):
            value = _signed(ins.immediate(1), self.bits)
            value = -value if mnemonic == names.SUB else value
            if target == SP:
                return (ins.ip, ops.ADD, -value, 0, 0)
            return (ins.ip, ops.MOV, target, target, value)
        if target == SP:
            return self._odd(ins, mnemonic)
        if mnemonic == names.XCHG and source == SP:
            return (ins.ip, ops.SWITCH, 0, 0, 0)
        return None

    def _odd(self, ins: Any, mnemonic: int) -> Event:
        names = self.ix.Mnemonic
        if mnemonic == names.AND and ins.op1_kind not in (
            self.ix.OpKind.REGISTER,
            self.ix.OpKind.MEMORY,
        ):
            return (ins.ip, ops.AND, -_signed(ins.immediate(1), self.bits), 0, 0)
        if mnemonic in (names.SUB, names.ADD, names.LEA, names.AND):
            return (ins.ip, ops.DYNAMIC, 0, 0, 0)
        return (ins.ip, ops.SWITCH, 0, 0, 0)

    def _memory(self, ins: Any) -> Event | None:
        """Spills and reloads, in the full mode."""
        if ins.mnemonic != self.ix.Mnemonic.MOV or ins.memory_index != self.ix.Register.NONE:
            return None
        base = self.numbers.get(ins.memory_base, NO_REGISTER)
        offset = _signed(ins.memory_displacement, self.bits)
        if base == NO_REGISTER:
            return None
        if ins.op1_kind == self.ix.OpKind.MEMORY and ins.op0_register in self.numbers:
            return (ins.ip, ops.LOAD, self.numbers[ins.op0_register], base, offset)
        if ins.op0_kind == self.ix.OpKind.MEMORY and ins.op1_register in self.numbers:
            return (ins.ip, ops.STORE, self.numbers[ins.op1_register], base, offset)
        return None


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
