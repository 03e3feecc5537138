"""The functions and instructions of many images, numbered across them."""

import bisect
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from blockstack import _types
from blockstack.kernel.extract.edges import edges_of
from blockstack.kernel.extract.image import Image, Section
from blockstack.kernel.extract.scan import RETURN_THUNKS, Range

Rows = Any
Ints = npt.NDArray[np.int32]
#: operations of _core/types/state.pxd
OTHER, CALL, CALLR, CALLM, JMP, JCC, JMPR, JMPM, RET, STOP = 0, 16, 17, 18, 19, 20, 21, 22, 23, 24
POINTER_OPS = (CALLR, CALLM, JMPR, JMPM)
#: bits of `head`
HEAD, FORK, TAIL = 1, 2, 4
_THUNK = re.compile(r"__x86_indirect_(?:call_|jump_)?thunk_r(\w+)\Z|__x86\.indirect_thunk_r(\w+)\Z")
#: calls that leave all registers as they are: arch/x86/entry/thunk_64.S, and ftrace's entry
_KEEPING = frozenset(
    f"{kind}preempt_schedule{rest}" for kind in ("__SCT__", "") for rest in ("", "_notrace")
) | {"__fentry__", "mcount", "preempt_schedule_thunk", "preempt_schedule_notrace_thunk"}
_REGISTERS = {n: i for i, n in enumerate(("ax", "cx", "dx", "bx", "sp", "bp", "si", "di"))}


def thunk_register(name: str) -> int:
    """Which register a retpoline goes through; -1: it is none."""
    found = _THUNK.match(name)
    if found is None:
        return -1
    word = found[1] or found[2]
    return _REGISTERS.get(word, int(word) if word.isdigit() else -1)


@dataclass
class Part:
    """One image as it is interpreted.

    Attributes
    ----------
    tag : str
        ``vmlinux`` or the module's name.
    rows : ndarray of INSTRUCTION
    ranges : (n, 2)
        Instructions of each function.
    numbers : (n,)
        Of the functions, across all images.
    starts : list of int
        Their addresses.
    """

    number: int
    tag: str
    image: Image
    rows: Rows
    ranges: Ints
    numbers: Ints
    starts: list[int]
    objects: list[int] = field(default_factory=list)
    at: dict[int, int] = field(default_factory=dict)

    def function_at(self, addr: int) -> int:
        """The number of the function that begins at an address or is its undefined symbol; -1."""
        return self.at.get(addr, -1)

    def object_at(self, addr: int) -> int:
        """Index of the data symbol that an address lies in; -1."""
        i = bisect.bisect_right(self.objects, addr) - 1
        if i < 0:
            return -1
        size = self.image.objects[i].size
        return i if not size or addr < self.objects[i] + size or addr == self.objects[i] else -1


@dataclass
class Program:
    """All images; functions by number.

    Attributes
    ----------
    names : list of list of str
        Names of each function, as its symbol table has them.
    owners : list of int
        Which image each is in.
    """

    parts: list[Part] = field(default_factory=list)
    names: list[list[str]] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    exported: dict[str, int] = field(default_factory=dict)
    data: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, image: Image, tag: str, ranges: list[Range]) -> Part:
        """One image: its functions get numbers."""
        first = len(self.names)
        whole = [r for r in ranges if not r.cold]
        number = len(self.parts)
        for i, r in enumerate(whole):
            self.names.append(r.names)
            self.owners.append(number)
            self.starts.append(r.start)
            if r.is_global or not number:
                for name in r.names:
                    self.exported.setdefault(name, first + i)
        for symbol in image.objects:
            if symbol.is_global or not number:
                self.data.setdefault(symbol.name, (number, symbol.addr))
        rows = decoded(image, ranges)
        _thunks(rows, image)
        part = Part(
            number,
            tag,
            image,
            rows,
            _spans(rows, whole),
            np.arange(first, first + len(whole), dtype=np.int32),
            [r.start for r in whole],
            [s.addr for s in image.objects],
            {r.start: first + i for i, r in enumerate(whole)},
        )
        self.parts.append(part)
        return part

    def link(self) -> None:
        """Branches and calls of all images get their targets."""
        for part in self.parts:
            for slot, name in part.image.externs.items():
                if name in self.exported:
                    part.at[slot] = self.exported[name]
            _link(part)


def _signed(addr: int) -> int:
    return addr - 2**64 if addr >= 2**63 else addr


def decoded(image: Image, ranges: list[Range]) -> Rows:
    """Instructions of all functions and cold parts, by address."""
    found = [_types.decode(image.read(r.start, r.end - r.start), _signed(r.start)) for r in ranges]
    return np.concatenate(found) if found else np.zeros(0, _types.INSTRUCTION)


def _spans(rows: Rows, ranges: list[Range]) -> Ints:
    bounds = np.array([[_signed(r.start), _signed(r.end)] for r in ranges], np.int64)
    return np.searchsorted(rows["at"], bounds.reshape(-1, 2)).astype(np.int32)


def _link(part: Part) -> None:
    rows = part.rows
    rows["to"] = -1
    branches = np.flatnonzero(np.isin(rows["op"], (CALL, JMP, JCC)))
    targets = rows["imm"][branches]
    index = np.searchsorted(rows["at"], targets)
    index[index == len(rows)] = 0
    inside = rows["at"][index] == targets if len(rows) else np.zeros(0, bool)
    functions = {_signed(addr): n for addr, n in part.at.items()}
    called = np.array([functions.get(t, -1) for t in targets.tolist()], np.int32)
    own = _function_of(part, branches) if len(branches) else called
    calls = rows["op"][branches] == CALL
    tails = ~calls & (called >= 0) & (called != own)
    rows["to"][branches] = np.where(calls | tails, called, np.where(inside, index, -1))
    rows["head"][branches[tails]] |= TAIL
    rows["head"][index[~calls & ~tails & inside]] |= HEAD
    _fork(part)


def _function_of(part: Part, at: Any) -> Ints:
    """Which function an instruction lies in."""
    i = np.searchsorted(part.ranges[:, 0], at, side="right") - 1
    inside = (i >= 0) & (at < part.ranges[:, 1][i])
    return np.where(inside, part.numbers[i], -1).astype(np.int32)


def _thunks(rows: Rows, image: Image) -> None:
    """Retpolines are calls through registers, return thunks are returns."""
    through: dict[int, int] = {}
    back: set[int] = set()
    kept: set[int] = set()
    names = [(s.addr, s.name) for s in image.symbols]
    for addr, name in (*names, *image.externs.items()):
        register = thunk_register(name) if name.startswith("__x86") else -1
        if register >= 0:
            through[_signed(addr)] = register
        elif name in RETURN_THUNKS:
            back.add(_signed(addr))
        elif name in _KEEPING:
            kept.add(_signed(addr))
    branches = np.flatnonzero(np.isin(rows["op"], (CALL, JMP, JCC)))
    for i, target in zip(branches.tolist(), rows["imm"][branches].tolist(), strict=True):
        if target in through:
            rows["op"][i] = CALLR if rows["op"][i] == CALL else JMPR
            rows["src"][i] = through[target]
        elif target in back:
            rows["op"][i] = RET
        elif target in kept:
            rows["op"][i], rows["clob"][i] = OTHER, 0


def _fork(part: Part) -> None:
    """Static keys: a nop that may be a jump, a jump that may be a nop."""
    rows = part.rows
    edges = edges_of(part.image)
    if not len(edges) or not len(rows):
        return
    at = np.searchsorted(rows["at"], edges)
    at[at == len(rows)] = 0
    both = (rows["at"][at] == edges).all(axis=1)
    for source, target in at[both].tolist():
        if rows["op"][source] == JMP and not rows["head"][source] & TAIL:
            rows["op"][source] = JCC
            rows["head"][target] |= HEAD
        elif rows["op"][source] == OTHER:
            rows["to"][source] = target
            rows["head"][source] |= FORK
            rows["head"][target] |= HEAD


def sections_of(image: Image) -> list[Section]:
    """Sections of data."""
    return [s for s in image.sections if not s.code]
