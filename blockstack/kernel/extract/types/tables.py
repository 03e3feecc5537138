"""Tables of functions in a kernel's data: what type each is, and which member each function is.

A table is of the type that it is used as; else of the one struct whose members at the offsets of
its functions have exactly their prototypes. A function without a prototype decides nothing.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from blockstack.kernel.extract.types import btf
from blockstack.kernel.extract.types.program import Part, sections_of
from blockstack.kernel.extract.types.rules import Rules

#: structs that fit a table equally well: more say nothing
_MANY = 3


@dataclass
class Tables:
    """Functions and other tables that each data symbol points at.

    Attributes
    ----------
    functions : dict of (image, address) to list of (offset, function)
    pointers : dict of (image, address) to list of (offset, address)
    """

    rules: Rules
    functions: dict[tuple[int, int], list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    pointers: dict[tuple[int, int], list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _shapes: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _by_use: set[tuple[int, int]] = field(default_factory=set)

    def read(self, part: Part) -> None:
        """Words of an image's data that are addresses of functions or of data."""
        functions = np.array(sorted(part.at), np.uint64)
        objects = np.array(sorted(set(part.objects)), np.uint64)
        for section in sections_of(part.image):
            skip = -section.addr % 8
            data = bytes(section.data)[skip:]
            words = np.frombuffer(data, "<u8", len(data) // 8)
            for known, found, name in (
                (functions, self.functions, True),
                (objects, self.pointers, False),
            ):
                if not len(known):
                    continue
                near = np.searchsorted(known, words)
                near[near == len(known)] = 0
                for i in np.flatnonzero((known[near] == words) & (words > 0xFFFF)).tolist():
                    addr = section.addr + skip + 8 * i
                    at = part.object_at(addr)
                    if at < 0:
                        continue
                    base, word = part.objects[at], int(words[i])
                    value = part.at[word] if name else word
                    found[part.number, base].append((addr - base, value))

    def by_use(self) -> None:
        """Types that code gives to tables, and those that a table's pointers give to others."""
        rules, types = self.rules, self.rules.types
        for key, kinds in rules.votes.items():
            fitting = [k for k in kinds if self._fits(key, k)]
            if len(fitting) == 1:
                self._settle(key, fitting[0])
        todo = list(rules.objects.items())
        while todo:
            key, kind = todo.pop()
            size = rules.btf.size(kind)
            for offset, addr in self.pointers.get(key, ()) if size else ():
                for _, _, inner, _ in types.leaves(kind, offset % size):
                    target = types.target(inner)
                    if target > 0 and rules.btf.kinds[target] in (btf.STRUCT, btf.UNION):
                        place = (key[0], addr)
                        if self._settle(place, target):
                            todo.append((place, target))

    def _fits(self, key: tuple[int, int], kind: int) -> bool:
        """Whether a table of this type can have its functions where they are."""
        size, types = self.rules.btf.size(kind), self.rules.types
        if not size:
            return True
        return all(
            self._matches(kind, o % size, types.signature(self.rules.proto[n]))
            for o, n in self.functions.get(key, ())
            if self.rules.proto[n]
        )

    def _settle(self, key: tuple[int, int], kind: int) -> bool:
        part = self.rules.program.parts[key[0]]
        at = part.object_at(key[1])
        if at < 0 or part.objects[at] != key[1] or self.rules.objects.get(key) == kind:
            return False
        if key in self._by_use:
            return False
        self.rules.objects[key] = kind
        self._by_use.add(key)
        self.rules.grew = True
        return True

    def by_prototype(self) -> None:
        """Types of the tables that no code names."""
        if not self._shapes:
            self._find_shapes()
        for key, functions in self.functions.items():
            if key not in self.rules.objects:
                kind = self._fitting(key, functions)
                if kind:
                    self.rules.objects[key] = kind
                    self.rules.grew = True

    def _find_shapes(self) -> None:
        """Structs by the signature of a member: candidates for a table that has such a function."""
        types = self.rules.types
        for kind in self.rules.btf.structs():
            for member in self.rules.btf.members(kind):
                proto = types.function_type(member.type)
                if proto:
                    self._shapes.setdefault(types.signature(proto), []).append(
                        (kind, member.offset)
                    )

    def _fitting(self, key: tuple[int, int], functions: list[tuple[int, int]]) -> int:
        rules, types = self.rules, self.rules.types
        known = [(o, types.signature(p)) for o, n in functions if (p := rules.proto[n])]
        if not known:
            return 0
        room = self._room(key)
        first = min(known, key=lambda row: len(self._shapes.get(row[1], ())))
        fits: dict[int, int] = {}
        for kind, at in self._shapes.get(first[1], ()):
            size = rules.btf.size(kind)
            if first[0] % size != at or (room and size > room):
                continue
            if all(self._matches(kind, o % size, s) for o, s in known):
                fits[kind] = room - size * (room // size) if room else 0
        if not fits:
            return 0
        least = min(fits.values())
        best = [k for k, rest in fits.items() if rest == least]
        exact = [k for k in best if rules.btf.size(k) == room]
        best = exact or best
        return best[0] if len(best) == 1 else 0

    def _room(self, key: tuple[int, int]) -> int:
        part = self.rules.program.parts[key[0]]
        return part.image.objects[part.object_at(key[1])].size

    def _matches(self, kind: int, offset: int, signature: int) -> bool:
        types = self.rules.types
        return any(
            (proto := types.function_type(inner)) and types.signature(proto) == signature
            for _, _, inner, _ in types.leaves(kind, offset)
        )

    def fill(self) -> None:
        """Functions of tables into the members that they are."""
        rules, types = self.rules, self.rules.types
        for key, functions in self.functions.items():
            part = rules.program.parts[key[0]]
            kind = rules.objects.get(key, 0)
            size = rules.btf.size(kind) if kind else 0
            name = part.image.objects[part.object_at(key[1])].name
            for offset, function in functions:
                rules.taken.add(function)
                slot = rules.global_slot(key[0], key[1] + offset)
                rules.slots.holds[slot].add((function, name))
                whole = rules.slots.number(("a", *key), 0, f"&{name}")
                rules.slots.holds[whole].add((function, name))
                if not size:
                    continue
                for owner, at, inner, member in types.leaves(kind, offset % size):
                    proto = types.function_type(inner)
                    if proto and owner:
                        slot = rules.member_slot(owner, at, proto, member)
                        rules.slots.holds[slot].add((function, name))
