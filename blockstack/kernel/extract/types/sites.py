"""Typed pointer calls: which slots each calls, and what each slot holds."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from blockstack.kernel.extract.image import Image
from blockstack.kernel.extract.scan import Range
from blockstack.kernel.extract.types.atoms import CONST, FN, Atoms, Types, address, kind_of, low
from blockstack.kernel.extract.types.btf import Btf
from blockstack.kernel.extract.types.program import CALLM, JMPM, JMPR, POINTER_OPS, Part, Program
from blockstack.kernel.extract.types.rules import Rules
from blockstack.kernel.extract.types.tables import Tables
from blockstack.kernel.extract.types.values import MOST_ARGS

#: passes over everything; then over modules alone, whose facts are their own
_PASSES, _MORE = 3, 2
_TRACED = ("__traceiter_", "__bpf_trace_", "perf_trace_", "trace_event_raw_event_")


@dataclass
class Site:
    """One call through a pointer.

    Attributes
    ----------
    function : int
        That makes it, by number.
    at : int
        Its address.
    kind : str
        ``typed``, ``open``, ``tracepoint`` or ``pv_ops``.
    slots : tuple of int
    direct : tuple of int
        Functions whose address was constant.
    tail : bool
        A jump.
    """

    function: int
    at: int
    kind: str
    slots: tuple[int, ...]
    direct: tuple[int, ...] = ()
    tail: bool = False


@dataclass
class Resolved:
    """All sites of a kernel, and the slots that they call."""

    program: Program
    rules: Rules
    sites: list[Site]
    targets: dict[int, dict[int, str]] = field(default_factory=dict)

    def loose(self) -> set[int]:
        """Functions whose address is taken and that no member or parameter is known to hold."""
        protos = self.rules.slots.protos
        held = {f for slot, some in self.targets.items() if protos[slot] for f in some}
        return self.rules.taken - held

    def leaky(self) -> set[int]:
        """Slots into which something unknown goes, or what such a slot holds."""
        slots = self.rules.slots
        into: dict[int, list[int]] = defaultdict(list)
        for slot, others in slots.takes.items():
            for other in others:
                into[other].append(slot)
        untold = {n for n, key in enumerate(slots.keys) if key[0] == "p" and not slots.protos[n]}
        found = slots.leaky | untold
        todo = list(found)
        while todo:
            for taker in into.get(todo.pop(), ()):
                if taker not in found:
                    found.add(taker)
                    todo.append(taker)
        return found


class Resolver:
    """Images in, sites out."""

    def __init__(self) -> None:
        self.program = Program()
        self.btf = Btf()

    def add(self, image: Image, tag: str, ranges: list[Range]) -> frozenset[int]:
        """One image, the kernel first; where it calls through pointers."""
        part = self.program.add(image, tag, ranges)
        if image.btf:
            self.btf.add(image.btf, image.name)
        else:
            self.btf.skip()
        at = part.rows["at"][np.isin(part.rows["op"], POINTER_OPS)]
        return frozenset(a & (2**64 - 1) for a in at.tolist())

    def run(self) -> Resolved:
        """Interpret everything, until no fact is new or three times."""
        self.program.link()
        rules = Rules(self.program, Types(self.btf))
        tables = Tables(rules)
        for part in self.program.parts:
            tables.read(part)
        found = [np.zeros(len(p.rows), np.int32) for p in self.program.parts]
        wants = np.array(rules.wants(), np.uint16)
        for turn in range(_PASSES + _MORE):
            rules.grew = False
            results = np.array(rules.results(), np.int32)
            for part, sets in zip(self.program.parts, found, strict=True):
                if turn >= _PASSES and not part.number:
                    continue
                rules.inferred |= self._interpret(rules, part, results, wants, sets)
            tables.by_use()
            tables.by_prototype()
            if not rules.grew:
                break
        tables.fill()
        sites = [
            site
            for part, sets in zip(self.program.parts, found, strict=True)
            for site in self._sites(rules, part, sets)
        ]
        resolved = Resolved(self.program, rules, sites)
        resolved.targets = closed(rules)
        return resolved

    def _interpret(
        self, rules: Rules, part: Part, results: Any, wants: Any, sets: Any
    ) -> dict[int, Atoms]:
        rules.enter(part)
        numbers = part.numbers.tolist()
        entries = np.array([rules.entries(n) for n in numbers], np.int32).reshape(-1, MOST_ARGS)
        back = np.zeros(len(numbers), np.int32)
        rules.walker.run(part.rows, part.ranges, entries, results, wants, sets, back)
        for n, s in zip(numbers, back.tolist(), strict=True):
            if s:
                rules.returns(n, s)
        return {
            n: tuple(a for a in rules.sets[s] if kind_of(a) not in (CONST,) and a >> 60 < 3)
            for n, s in zip(numbers, back.tolist(), strict=True)
            if s
        }

    def _sites(self, rules: Rules, part: Part, sets: Any) -> list[Site]:
        rows, found = part.rows, []
        rules.enter(part)
        low_, high = part.ranges[:, 0], part.ranges[:, 1]
        at = np.flatnonzero(np.isin(rows["op"], POINTER_OPS))
        own = np.searchsorted(low_, at, side="right") - 1
        for i, f in zip(at.tolist(), own.tolist(), strict=True):
            if f < 0 or i >= high[f]:
                continue
            number = int(part.numbers[f])
            atoms = rules.sets[sets[i]]
            slots = tuple(low(a) for a in atoms if kind_of(a) == FN)
            direct = tuple(
                n for a in atoms if kind_of(a) == CONST and (n := part.function_at(address(a))) >= 0
            )
            names = self.program.names[number]
            kind = "typed" if slots or direct else "open"
            if names[0].startswith(_TRACED):
                kind = "tracepoint"
            elif rows["op"][i] in (CALLM, JMPM) and self._is_pv(part, rows[i]):
                kind = "pv_ops"
            tail = rows["op"][i] in (JMPR, JMPM)
            place = int(rows["at"][i]) & (2**64 - 1)
            found.append(Site(number, place, kind, slots, direct, bool(tail)))
        return found

    @staticmethod
    def _is_pv(part: Part, row: Any) -> bool:
        if row["base"] >= 0 or row["index"] >= 0:
            return False
        addr = int(row["disp"]) & (2**64 - 1)
        name = part.image.externs.get(addr & ~15) or ""
        i = part.object_at(addr)
        name = name or (part.image.objects[i].name if i >= 0 else "")
        return name == "pv_ops"


def closed(rules: Rules) -> dict[int, dict[int, str]]:
    """What each slot may hold: function to owner; only functions of the slot's own prototype."""
    slots, types = rules.slots, rules.types
    found: dict[int, dict[int, str]] = {}
    wanted = [types.signature(p) if p else 0 for p in slots.protos]
    into: dict[int, list[int]] = defaultdict(list)
    for slot, others in slots.takes.items():
        for other in others:
            into[other].append(slot)
    passed: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, (what, slot, i) in enumerate(slots.keys):
        if what == "q":
            passed[slot].append((i, number))
    todo = []
    for slot, held in slots.holds.items():
        found[slot] = {}
        for function, owner in held:
            if _fits(rules, wanted[slot], function):
                found[slot].setdefault(function, owner)
        todo.append(slot)
    while todo:
        slot = todo.pop()
        for i, number in passed.get(slot, ()):  # arguments of a call through this slot
            for function in found[slot]:
                parameter = slots.numbers.get(("p", function, i))
                if parameter is not None and parameter not in into[number]:
                    into[number].append(parameter)
                    if found.get(number):
                        todo.append(number)
        for taker in into.get(slot, ()):
            mine = found.setdefault(taker, {})
            before = len(mine)
            for function, owner in found[slot].items():
                if function not in mine and _fits(rules, wanted[taker], function):
                    mine[function] = owner
            if len(mine) > before:
                todo.append(taker)
    return found


def _fits(rules: Rules, wanted: int, function: int) -> bool:
    proto = rules.proto[function]
    return not wanted or not proto or rules.types.signature(proto) == wanted
