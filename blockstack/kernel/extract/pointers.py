"""Calls through pointers of a module: which field each loads, and what its objects hold there.

A call ``ops->qc_issue(qc)`` loads its target from a fixed offset of some structure. Its candidates
are the functions that the module, or one that it needs, puts at this offset: in an initialised
object (``.qc_issue = ahci_qc_issue``) or by a store (``host->issue = fn``). An array of structures
is folded by every period that its pointers show. A site of which neither the field nor a candidate
is found stays open.
"""

import io
import lzma
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blockstack.kernel.extract.decode import iced

#: sections whose words are no fields of the driver's objects
_NO_OBJECTS = (".orc", "__", ".altinstr", ".retpoline", ".return_sites", ".call_sites", ".init",
               ".exit", ".static_call", ".smp_locks", ".note", ".BTF")  # fmt: skip
_THUNKS = ("__x86_indirect_thunk_", "__x86_indirect_call_thunk_", "__x86_indirect_jump_thunk_")
#: fields of one structure, or a variable of the module
Place = int | str


@dataclass
class Pointers:
    """What one module does with pointers to functions.

    Attributes
    ----------
    held : mapping of place to set of str
        Functions by the offset at which an object or a store holds them, or by the variable.
    sites : mapping of function to set of places
        From where each function loads what it calls; None: not seen.
    objects : mapping of str to (size, mapping of offset to str)
        Initialised objects that hold functions.
    """

    held: dict[Place, set[str]] = field(default_factory=dict)
    sites: dict[str, set[Place | None]] = field(default_factory=dict)
    objects: dict[str, tuple[int, dict[int, str]]] = field(default_factory=dict)


class _Module:
    """The symbols and relocations of one module."""

    def __init__(self, path: Path) -> None:
        from elftools.elf.elffile import ELFFile

        raw = path.read_bytes()
        self.elf: Any = ELFFile(io.BytesIO(lzma.decompress(raw) if path.suffix == ".xz" else raw))
        self.sections: list[Any] = list(self.elf.iter_sections())
        symtab: Any = self.elf.get_section_by_name(".symtab")
        self.symbols: list[Any] = list(symtab.iter_symbols())
        self.functions: dict[tuple[int, int], str] = {}
        self.objects: dict[int, list[tuple[int, int, str]]] = {}
        for one in self.symbols:
            at, kind = one.entry.st_shndx, one.entry.st_info.type
            if not isinstance(at, int):
                continue
            if kind == "STT_FUNC":
                self.functions.setdefault((at, one.entry.st_value), one.name)
            elif kind == "STT_OBJECT" and one.entry.st_size:
                row = (one.entry.st_value, one.entry.st_size, one.name)
                self.objects.setdefault(at, []).append(row)

    def relocations(self, target: int) -> dict[int, tuple[int, str, bool]]:
        """By offset: type, what it leads to, and whether that may be a function."""
        found = {}
        for section in self.sections:
            if section.header.sh_type == "SHT_RELA" and section.header.sh_info == target:
                for row in section.iter_relocations():
                    kind = row.entry.r_info_type
                    addend = row.entry.r_addend + (4 if kind in (2, 4) else 0)
                    name, code = self._target(self.symbols[row.entry.r_info_sym], addend)
                    found[row.entry.r_offset] = (kind, name, code)
        return found

    def _target(self, symbol: Any, addend: int) -> tuple[str, bool]:
        at = symbol.entry.st_shndx
        if not isinstance(at, int):
            return symbol.name, at == "SHN_UNDEF"
        value = symbol.entry.st_value + addend
        function = self.functions.get((at, value))
        if function is not None:
            return function, True
        if symbol.name and symbol.entry.st_info.type != "STT_SECTION":
            return f"{symbol.name}+{addend}", False
        named = next((f"{n}+{value - a}" for a, size, n in self.objects.get(at, ())
                      if a <= value < a + size), f"{at}+{value}")  # fmt: skip
        return named, False


def pointers_of(path: Path) -> Pointers:
    """Everything that a module's file shows of its calls through pointers."""
    module, found = _Module(path), Pointers()
    for i, section in enumerate(module.sections):
        flags = section.header.sh_flags
        if not flags & 2 or section.header.sh_type == "SHT_NOBITS":
            continue
        if flags & 4:
            if not section.name.startswith((".init", ".exit")):
                _code(module, i, found)
        elif not section.name.startswith(_NO_OBJECTS):
            _data(module, i, found)
    return found


def _data(module: _Module, index: int, found: Pointers) -> None:
    rows = {at: name for at, (kind, name, code) in module.relocations(index).items()
            if kind == 1 and code}  # fmt: skip
    for start, size, name in module.objects.get(index, ()):
        inside = {at - start: fn for at, fn in rows.items() if start <= at < start + size}
        if not inside:
            continue
        found.objects[name] = (size, inside)
        for at, function in inside.items():
            for place in {at, *_folded(at, size, inside)}:
                found.held.setdefault(place, set()).add(function)
            found.held.setdefault(f"{name}+{at}", set()).add(function)


def _folded(at: int, size: int, inside: dict[int, str]) -> Iterator[int]:
    """Where a pointer stands in its structure if the object is an array of them."""
    for count in range(2, size // 16 + 1):
        stride, odd = divmod(size, count)
        if not odd and not stride % 8:
            residues = [one % stride for one in inside]
            if any(residues.count(r) > 1 for r in set(residues)):
                yield at % stride


class _Registers:
    """What registers hold along the code: a field's offset or a function."""

    def __init__(self, module: _Module, found: Pointers) -> None:
        self.module, self.found, self.ix = module, found, iced()
        self.holds: dict[int, Place | tuple[str]] = {}
        self.spilled: dict[int, Place | tuple[str]] = {}

    def put(self, place: Place, function: str) -> None:
        self.found.held.setdefault(place, set()).add(function)

    def full(self, register: int) -> int:
        full: int = self.ix.RegisterExt.full_register(register)
        return full

    def load(self, ins: Any, there: tuple[int, str, bool] | None) -> Place | tuple[str] | None:
        """What a register holds that was loaded from memory: a field, or what was spilled."""
        if ins.memory_base == self.ix.Register.RSP:
            return self.spilled.get(ins.memory_displacement)
        return self.memory(ins, there)

    def memory(self, ins: Any, there: tuple[int, str, bool] | None) -> Place:
        if there is not None and ins.is_ip_rel_memory_operand:
            return there[1]
        value = ins.memory_displacement & (2**64 - 1)
        return int(value - 2**64 if value >> 63 else value)


def _code(module: _Module, index: int, found: Pointers) -> None:
    ix, data = iced(), module.sections[index].data()
    relocations = module.relocations(index)
    for one in module.symbols:
        if one.entry.st_shndx != index or one.entry.st_info.type != "STT_FUNC":
            continue
        start, size = one.entry.st_value, one.entry.st_size
        state = _Registers(module, found)
        for ins in ix.Decoder(64, data[start : start + size], ip=start):
            inside = (relocations[at] for at in range(ins.ip, ins.ip + ins.len)
                      if at in relocations)  # fmt: skip
            _instruction(state, one.name, ins, next(inside, None))


def _instruction(
    state: _Registers, function: str, ins: Any, there: tuple[int, str, bool] | None
) -> None:
    ix = state.ix
    kinds, memory, register = ix.FlowControl, ix.OpKind.MEMORY, ix.OpKind.REGISTER
    sites = state.found.sites
    if ins.flow_control in (kinds.CALL, kinds.UNCONDITIONAL_BRANCH) and there is not None:
        name = there[1]
        if name.startswith(_THUNKS):
            number = getattr(ix.Register, name.rpartition("_")[2].upper())
            held = state.holds.get(number)
            _site(state, function, held)
    elif ins.flow_control in (kinds.INDIRECT_CALL, kinds.INDIRECT_BRANCH):
        if ins.op0_kind == memory and ins.memory_index == ix.Register.NONE:
            sites.setdefault(function, set()).add(state.memory(ins, there))
        elif ins.op0_kind == register:
            _site(state, function, state.holds.get(state.full(ins.op0_register)))
        elif ins.flow_control == kinds.INDIRECT_CALL:
            sites.setdefault(function, set()).add(None)
    elif ins.mnemonic in (ix.Mnemonic.MOV, ix.Mnemonic.LEA) and ins.op_count == 2:
        _move(state, ins, there)
    elif ins.op_count and ins.op0_kind == register:
        state.holds.pop(state.full(ins.op0_register), None)


def _site(state: _Registers, function: str, held: Place | tuple[str] | None) -> None:
    if isinstance(held, tuple):  # the function itself: a direct call
        state.put(f"={held[0]}", held[0])
        held = f"={held[0]}"
    state.found.sites.setdefault(function, set()).add(held)


def _move(state: _Registers, ins: Any, there: tuple[int, str, bool] | None) -> None:
    ix = state.ix
    memory, register = ix.OpKind.MEMORY, ix.OpKind.REGISTER
    function = there[1] if there is not None and there[2] and there[0] in (1, 2, 10, 11) else ""
    if ins.op0_kind == register:
        target = state.full(ins.op0_register)
        state.holds.pop(target, None)
        if ins.op1_kind == memory and ins.mnemonic == ix.Mnemonic.MOV:
            loaded = state.load(ins, there)
            if loaded is not None:
                state.holds[target] = loaded
        elif function:
            state.holds[target] = (function,)
        elif ins.op1_kind == register and (held := state.holds.get(state.full(ins.op1_register))):
            state.holds[target] = held
    elif ins.op0_kind == memory:
        if ins.op1_kind == register:
            held = state.holds.get(state.full(ins.op1_register))
            if ins.memory_base == ix.Register.RSP:
                state.spilled.pop(ins.memory_displacement, None)
                if held is not None:
                    state.spilled[ins.memory_displacement] = held
            function = held[0] if isinstance(held, tuple) else ""
            there = there if function else None
        if function and not ins.is_ip_rel_memory_operand:
            state.put(state.memory(ins, None), function)
        elif function and there is not None and there[1] != function:
            state.put(there[1], function)
