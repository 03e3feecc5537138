"""What values are: sets of atoms by number, and what a load from one gives."""

from collections import defaultdict
from dataclasses import dataclass, field

from blockstack._types import Walker
from blockstack.kernel.extract.types.atoms import (
    CONST,
    FN,
    PTR,
    STACK,
    THING,
    Atoms,
    Types,
    address,
    constant,
    kind_of,
    low,
    pointed,
    pointer,
)
from blockstack.kernel.extract.types.lists import LISTS, Lists
from blockstack.kernel.extract.types.program import Part, Program

#: a set that would get larger stays as it is
MOST = 8
HAS_CODE, ON_STACK, SEVERAL, ALL, TOGETHER = 1, 2, 4, 1 << 15, 1 << 14
MOST_ARGS = 10
#: what holds functions: ("m", owner, offset), ("p", function, i), ("g", image, address),
#: ("r", function)
Slot = tuple[str, int, int]
VOID = 0


@dataclass
class Slots:
    """Slots by number, what is put into each, and which takes what another holds.

    ``leaky``: something that is not known was put there, too.
    """

    numbers: dict[Slot, int] = field(default_factory=dict)
    keys: list[Slot] = field(default_factory=list)
    protos: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    holds: dict[int, set[tuple[int, str]]] = field(default_factory=lambda: defaultdict(set))
    leaky: set[int] = field(default_factory=set)
    takes: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def number(self, key: Slot, proto: int, label: str = "") -> int:
        """The number of a slot."""
        found = self.numbers.get(key)
        if found is None:
            found = self.numbers[key] = len(self.keys)
            self.keys.append(key)
            self.protos.append(proto)
            self.labels.append(label)
        return found


class Values:
    """What is known of values; one object for all images, `enter` says which one is read."""

    def __init__(self, program: Program, types: Types) -> None:
        self.program, self.types, self.btf = program, types, types.btf
        self.sets: list[Atoms] = [()]
        self.ids: dict[Atoms, int] = {(): 0}
        self.walker = Walker(self)  # type: ignore[arg-type]  # `Rules` answers
        self.walker.note(0, 0, 0)
        self.slots = Slots()
        self.facts: dict[Slot, Atoms] = {}
        self.votes: dict[tuple[int, int], set[int]] = defaultdict(set)
        self.objects: dict[tuple[int, int], int] = {}
        self.aliases: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
        self.taken: set[int] = set()
        self.things: dict[Slot, int] = {}
        self.thing_keys: list[Slot] = []
        self.inferred: dict[int, Atoms] = {}
        self.grew = False
        self.part = program.parts[0]
        self.lists = Lists(self.types)
        self.proto = self._prototypes()
        self.params = [self.btf.params(p) if p else [] for p in self.proto]
        self.per_cpu = sorted(self.btf.per_cpu)
        self.per_cpu_at = {o: self.btf.strip(self.btf.refs[t]) for o, _, t in self.per_cpu if o}
        self.words = self._words()

    def _prototypes(self) -> list[int]:
        """Prototype of every function by number; 0: not told."""
        found = []
        for owner, names in zip(self.program.owners, self.program.names, strict=True):
            protos = self.btf.protos[owner] if owner < len(self.btf.protos) else {}
            found.append(next((protos[n] for n in names if n in protos), 0))
        return found

    def _words(self) -> dict[int, int]:
        """Functions that return a pointer and flags in one word: struct fd, linux/file.h."""
        kind = next((t for t in self.btf.structs() if self.btf.name(t) == "file"), 0)
        names = ("__fdget", "__fdget_raw", "__fdget_pos")
        exported = self.program.exported
        return {exported[name]: pointer(kind) for name in names if kind and name in exported}

    def enter(self, part: Part) -> None:
        """Another image: its addresses mean something else."""
        self.part = part
        self.walker.memo.clear()

    # sets

    def intern(self, atoms: Atoms) -> int:
        """The number of a set."""
        found = self.ids.get(atoms)
        if found is None:
            found = self.ids[atoms] = len(self.sets)
            self.sets.append(atoms)
            kinds = {kind_of(a) for a in atoms}
            flags = HAS_CODE * bool(kinds & {CONST, FN, THING})
            flags |= SEVERAL * (sum(kind_of(a) == FN for a in atoms) > 1)
            place = 0
            if kinds == {STACK} and len(atoms) == 1:
                flags, place = flags | ON_STACK, low(atoms[0])
            self.walker.note(found, flags, place)
        return found

    def join(self, a: int, b: int) -> int:
        """Both; the first alone if they are too many."""
        both = self._both(self.sets[a], self.sets[b])
        return self.intern(both)

    @staticmethod
    def _both(a: Atoms, b: Atoms) -> Atoms:
        both = tuple(sorted({*a, *b}))
        return both if len(both) <= MOST else a

    def place(self, depth: int) -> int:
        """A place of this function's stack."""
        return self.intern((STACK | depth,)) if depth >= 0 else 0

    # values

    def const(self, addr: int) -> int:
        """A constant, if it is an address of this image."""
        addr &= 2**64 - 1
        if addr in self.per_cpu_at:
            return self.intern((pointer(self.per_cpu_at[addr]),))
        if addr in self.part.at:
            self.taken.add(self.part.at[addr])
        if addr in self.part.at or self.part.image.find(addr) or addr in self.part.image.externs:
            return self.intern((constant(addr),))
        return self.intern((constant(addr),)) if self.part.object_at(addr) >= 0 else 0

    def add(self, a: int, number: int) -> int:
        """Pointers moved; ``container_of`` where that leads to the front of a struct."""
        found: set[int] = set()
        for atom in self.sets[a]:
            what = kind_of(atom)
            if what == PTR:
                kind, offset = pointed(atom)
                offset += number
                back = (
                    self.types.holders(kind, -offset, self.part.number)
                    if offset < 0 and kind < LISTS and self.types.named(kind)
                    else []
                )
                found.update(map(pointer, back) if back else [pointer(kind, offset)])
            elif what == CONST:
                found.add(constant(address(atom) + number))
            elif what == STACK and low(atom) >= number:
                found.add(STACK | low(atom) - number)
        return self.intern(tuple(sorted(found)[:MOST]))

    def load(self, a: int, displacement: int) -> int:
        """What memory at a set of addresses holds."""
        found: set[int] = set()
        for atom in self.sets[a]:
            if kind_of(atom) == PTR:
                kind, offset = pointed(atom)
                found.update(self._member(kind, offset + displacement))
                size = self.btf.size(kind) if kind < LISTS and offset > 0 else 0
                if size and offset >= size:
                    for one in self.facts.get(self._behind_key(kind), ()):
                        inner, at = pointed(one)
                        found.update(self._member(inner, at + offset - size + displacement))
                if kind < LISTS and not 0 <= offset + displacement < max(self.btf.size(kind), 1):
                    for leaf in self.types.around(kind, offset + displacement, self.part.number):
                        found |= self._leaf(leaf)
            elif kind_of(atom) == CONST:
                found.update(self._global(address(atom) + displacement))
        return self.intern(tuple(sorted(found)[:MOST]))

    def any(self, a: int, displacement: int) -> int:
        """What some element of a table holds."""
        found: set[int] = set()
        for atom in self.sets[a]:
            if kind_of(atom) != CONST:
                continue
            image, place = self.where(address(atom) + displacement)
            part = self.program.parts[image]
            i = part.object_at(place)
            if i >= 0 and not self.btf.size(self.objects.get((image, part.objects[i]), 0)):
                label = f"&{part.image.objects[i].name}"
                found.add(FN | self.slots.number(("a", image, part.objects[i]), 0, label))
        rest = self.sets[self.load(a, displacement)]
        found.update(a for a in rest if kind_of(a) != FN or self.slots.keys[low(a)][0] != "g")
        return self.intern(tuple(sorted(found)[:MOST]))

    def _behind_key(self, kind: int) -> Slot:
        return ("b", self.part.number << 32 | kind, 0)

    def percpu(self, displacement: int) -> int:
        """A per-CPU variable of the kernel."""
        found: set[int] = set()
        for offset, size, kind in self.per_cpu:
            if offset <= displacement < offset + size:
                found.update(self._member(self.btf.refs[kind], displacement - offset))
        return self.intern(tuple(sorted(found)[:MOST]))

    def _member(self, kind: int, offset: int) -> set[int]:
        head = self._list_at(kind, offset)
        if head is not None:
            return {*self.facts.get(head, ()), self.lists.node(head)}
        found: set[int] = set()
        for leaf in self.types.leaves(kind, offset):
            found |= self._leaf(leaf)
        return found

    def _list_at(self, kind: int, offset: int) -> Slot | None:
        """The list whose link lies at an offset; None: there is none."""
        if kind >= LISTS:
            return self.lists.heads[kind - LISTS] if offset in (0, 8) else None
        return self.lists.head_at(kind, offset)

    def _leaf(self, leaf: tuple[int, int, int, str]) -> set[int]:
        owner, at, kind, name = leaf
        proto = self.types.function_type(kind)
        if proto:
            return {FN | self.member_slot(owner, at, proto, name)} if owner else set()
        target = self.types.target(kind)
        if target > VOID:
            return {pointer(target)}
        if target == VOID and owner:
            if not self.part.number:
                return set(self.facts.get(("v", owner, at), ()))
            key = ("w", self.part.number << 32 | owner, at)
            known = {*self.facts.get(key, ())}
            for function, i in self.aliases.get((owner, at), ()):
                known.update(self.facts.get(("x", self.part.number << 32 | function, i), ()))
            known = known or {*self.facts.get(("v", owner, at), ())}
            return {*known, self.thing(key)}
        return set()

    def thing(self, key: Slot) -> int:
        """Something of unknown type that a fact is to tell."""
        number = self.things.get(key)
        if number is None:
            number = self.things[key] = len(self.thing_keys)
            self.thing_keys.append(key)
        return THING | number

    def fresh(self, function: int, at: int) -> int:
        """What a call returns that its prototype calls ``void *``: told by its use."""
        key = ("r", self.part.number, at)
        known = {*self.inferred.get(function, ()), *self.facts.get(key, ()), self.thing(key)}
        return self.intern(tuple(sorted(known)[:MOST]))

    def member_slot(self, owner: int, at: int, proto: int, name: str) -> int:
        """The slot of a struct's member."""
        label = f"{self.btf.name(owner)}.{name}"
        return self.slots.number(("m", owner, at), proto, label)

    def _global(self, addr: int) -> set[int]:
        image, place = self.where(addr)
        part = self.program.parts[image]
        i = part.object_at(place)
        base = part.objects[i] if i >= 0 else place
        kind = self.objects.get((image, base), 0)
        if kind and self.btf.size(kind):
            size = self.btf.size(kind)
            found = set()
            for owner, at, inner, name in self.types.leaves(kind, (place - base) % size):
                if self.types.function_type(inner):
                    found.add(FN | self.global_slot(image, place))
                else:
                    found |= self._leaf((owner, at, inner, name))
            return found
        facts = {*self.facts.get(("g", image, place), ()), *self._initial(part, place)}
        return facts or {FN | self.global_slot(image, place)}

    def _initial(self, part: Part, place: int) -> set[int]:
        """What a variable points at from the start."""
        word = int.from_bytes(part.image.read(place, 8), "little")
        kind = self.objects.get((part.number, word), 0) if word else 0
        return {pointer(kind)} if kind else set()

    def where(self, addr: int) -> tuple[int, int]:
        """Image and address of data, which may be another image's."""
        image = self.part.image
        if image.externs and image.find(addr) is None:
            for slot in (addr, addr & ~15):
                name = image.externs.get(slot)
                if name in self.program.data:
                    number, place = self.program.data[name]
                    return number, place + addr - slot
        return self.part.number, addr

    def global_slot(self, image: int, addr: int) -> int:
        """The slot of a variable, or of a place in a table."""
        part = self.program.parts[image]
        i = part.object_at(addr)
        label = ""
        if i >= 0:
            label = f"&{part.image.objects[i].name}"
            if addr != part.objects[i]:
                label += f"+{addr - part.objects[i]}"
        return self.slots.number(("g", image, addr), 0, label)
