"""What the interpreter asks: what a load gives, where a store goes, what an argument tells.

Facts that cross functions (what a ``void *`` parameter is, what a function without a prototype
gets and returns, what a global variable holds) grow from pass to pass.
"""

from blockstack.kernel.extract.types import btf
from blockstack.kernel.extract.types.atoms import (
    CONST,
    FN,
    PTR,
    THING,
    Atoms,
    address,
    kind_of,
    low,
    pointed,
    pointer,
)
from blockstack.kernel.extract.types.lists import LISTS
from blockstack.kernel.extract.types.values import (
    ALL,
    MOST,
    MOST_ARGS,
    TOGETHER,
    VOID,
    Slot,
    Values,
)


class Rules(Values):
    """Answers for `Walker`."""

    # what is told

    def store(self, a: int, displacement: int, b: int) -> None:
        """A set goes to memory."""
        value = self.sets[b]
        for atom in self.sets[a]:
            if kind_of(atom) == PTR:
                kind, offset = pointed(atom)
                head = self._list_at(kind, offset + displacement)
                if head is not None:
                    self._learn(head, tuple(a for a in value if self.lists.is_entry(a)))
                    continue
                leaves = self.types.leaves(kind, offset + displacement)
                if kind < LISTS and not 0 <= offset + displacement < max(self.btf.size(kind), 1):
                    leaves = self.types.around(kind, offset + displacement, self.part.number)
                for owner, at, inner, name in leaves:
                    self._into(owner, at, inner, name, value)
                    self._calls_back(kind, offset + displacement - at, owner, value)
            elif kind_of(atom) == CONST:
                if not value:
                    continue
                image, place = self.where(address(atom) + displacement)
                self.flow(self.global_slot(image, place), value)
                self._learn(("g", image, place), value)

    def _into(self, owner: int, at: int, kind: int, name: str, value: Atoms) -> None:
        proto = self.types.function_type(kind)
        if proto and owner:
            self.flow(self.member_slot(owner, at, proto, name), value)
            return
        target = self.types.target(kind)
        if target > VOID:
            self._vote(target, value)
        elif target == VOID and owner:
            for atom in value:
                if kind_of(atom) == THING and self.thing_keys[low(atom)][0] == "p":
                    self.aliases[owner, at].add(self.thing_keys[low(atom)][1:])
            self._learn(("v", owner, at), value)
            self._learn(("w", self.part.number << 32 | owner, at), value)

    def _calls_back(self, kind: int, offset: int, owner: int, value: Atoms) -> None:
        """A function put into an embedded struct (work, timer) gets that struct: so what it is
        embedded in is known."""
        if owner == kind or not owner or kind >= LISTS:
            return
        for atom in value:
            function = self.part.function_at(address(atom)) if kind_of(atom) == CONST else -1
            if function < 0:
                continue
            for i, param in enumerate(self.params[function][:6]):
                if self.types.target(param) == owner:
                    self._learn(("p", function, i), (pointer(kind, offset),))

    def arg(self, function: int, i: int, b: int) -> None:
        """An argument of a direct call."""
        value = self.sets[b]
        if not self.proto[function] and value:
            self.flow(self.param_slot(function, i), value)
            self._learn(("p", function, i), value)
            return
        if i >= len(self.params[function]):
            return
        kind = self.params[function][i]
        if self.types.function_type(kind):
            self.flow(self.param_slot(function, i), value)
            return
        target = self.types.target(kind)
        if target > VOID:
            self._vote(target, value)
        elif target == VOID and value:
            self.flow(self.param_slot(function, i), value)
            self._learn(("p", function, i), value)
            self._learn(("x", self.part.number << 32 | function, i), value)

    def _lies_behind(self, target: int, value: Atoms) -> None:
        """A driver's data behind a request (blk_mq_rq_to_pdu): what they are used as."""
        for atom in value:
            if kind_of(atom) == PTR:
                kind, offset = pointed(atom)
                if kind < LISTS and kind != target and 0 < offset == self.btf.size(kind):
                    self._learn(self._behind_key(kind), (pointer(target),))

    def behind(self, function: int, i: int, offset: int, b: int) -> None:
        """What lies on the stack where an argument points."""
        if self.proto[function] and i < len(self.params[function]):
            target = self.types.target(self.params[function][i])
            if target > VOID and offset < self.btf.size(target):
                for owner, at, inner, name in self.types.leaves(target, offset):
                    self._into(owner, at, inner, name, self.sets[b])

    def chosen(self, a: int, sets: list[int]) -> int:
        """Of several members that a call may call, those whose parameters its arguments are."""
        atoms = self.sets[a]
        fitting = tuple(x for x in atoms if kind_of(x) != FN or self._takes(low(x), sets))
        return self.intern(fitting) if any(kind_of(x) == FN for x in fitting) else a

    def _takes(self, slot: int, sets: list[int]) -> bool:
        proto = self.slots.protos[slot]
        for kind, s in zip(self.btf.params(proto) if proto else (), sets, strict=False):
            target = self.types.target(kind)
            pointers = [pointed(a) for a in self.sets[s] if kind_of(a) == PTR]
            told = target > VOID and self.types.named(target) and pointers
            if told and not any(self._could_be(*p, target) for p in pointers):
                return False
        return True

    def _could_be(self, kind: int, offset: int, target: int) -> bool:
        if kind >= LISTS or kind == target:
            return True
        return self.types.holds(kind, target, offset) or not self.types.named(kind)

    def passed(self, a: int, i: int, b: int) -> None:
        """An argument of a call through a pointer."""
        for atom in self.sets[a]:
            proto = self.slots.protos[low(atom)] if kind_of(atom) == FN else 0
            params = self.btf.params(proto) if proto else []
            if i >= len(params):
                continue
            inner = self.types.function_type(params[i])
            if inner:
                self.flow(self.slots.number(("q", low(atom), i), inner), self.sets[b])
            elif (target := self.types.target(params[i])) > VOID:
                self._vote(target, self.sets[b])

    def together(self, function: int, sets: list[int]) -> None:
        """A call with a function and its data: what the function's ``void *`` is."""
        data: set[int] = set()
        functions: set[int] = set()
        for i, s in enumerate(sets):
            for atom in self.sets[s] if s and i < len(self.params[function]) else ():
                target = self.types.target(self.params[function][i])
                if self.types.function_type(self.params[function][i]):
                    if kind_of(atom) == CONST:
                        functions.add(self.part.function_at(address(atom)))
                elif target == VOID or (
                    target > VOID and kind_of(atom) == PTR and pointed(atom)[0] != target
                ):
                    data.add(atom)
        for one in functions - {-1}:
            for i, kind in enumerate(self.params[one][:6]):
                if self.types.target(kind) == VOID:
                    self._learn(("p", one, i), tuple(a for a in data if self._whole(a)))
                else:
                    inside = tuple(a for a in data if not self._whole(a))
                    self._learn(("p", one, i), tuple(a for a in inside if self._is_at(a, kind)))

    @staticmethod
    def _whole(atom: int) -> bool:
        return kind_of(atom) != PTR or pointed(atom)[1] == 0

    def _is_at(self, atom: int, kind: int) -> bool:
        """Whether what a pointer points into has a struct of this type there."""
        if kind_of(atom) != PTR:
            return False
        holder, offset = pointed(atom)
        target = self.types.target(kind)
        return target > VOID and holder < LISTS and self.types.holds(holder, target, offset)

    def result(self, a: int) -> int:
        """What a call through a pointer returns."""
        found: set[int] = set()
        for atom in self.sets[a]:
            if kind_of(atom) == FN and (proto := self.slots.protos[low(atom)]):
                found.update(self.returned(proto))
        return self.intern(tuple(sorted(found)[:MOST]))

    def returned(self, proto: int) -> set[int]:
        """What a prototype's function returns."""
        kind = self.btf.result(proto)
        function = self.types.function_type(kind) if kind else 0
        target = self.types.target(kind) if kind else -1
        return {pointer(target)} if target > VOID and not function else set()

    def param_slot(self, function: int, i: int) -> int:
        """The slot of a parameter."""
        params = self.params[function]
        proto = self.types.function_type(params[i]) if i < len(params) else 0
        return self.slots.number(("p", function, i), proto)

    def flow(self, slot: int, value: Atoms) -> None:
        """Functions, and what other slots hold, go into a slot."""
        if not value:
            self.slots.leaky.add(slot)
        for atom in value:
            if kind_of(atom) == CONST:
                function = self.part.function_at(address(atom))
                if function >= 0:
                    self.slots.holds[slot].add((function, self.part.tag))
            elif kind_of(atom) == FN and low(atom) != slot:
                self.slots.takes[slot].add(low(atom))

    def _learn(self, key: Slot, value: Atoms) -> None:
        """A fact grows by what means the same in every image."""
        kept: set[int] = set()
        for atom in value:
            if kind_of(atom) in (PTR, FN):
                kept.add(atom)
            elif kind_of(atom) == THING:
                kept.update(self.facts.get(self.thing_keys[low(atom)], ()))
            elif kind_of(atom) == CONST:
                kind = self.objects.get(self.where(address(atom)), 0)
                if kind:
                    kept.add(pointer(kind))
        before = self.facts.get(key, ())
        after = self._both(before, tuple(kept)) if kept else before
        if after != before:
            self.facts[key] = after
            self.grew = True

    def _vote(self, target: int, value: Atoms) -> None:
        """A constant goes where a type is expected: so that is what it is."""
        if self.btf.kinds[target] not in (btf.STRUCT, btf.UNION):
            return
        self._lies_behind(target, value)
        for atom in value:
            if kind_of(atom) == CONST:
                self.votes[self.where(address(atom))].add(target)
            elif kind_of(atom) == THING:
                self._learn(self.thing_keys[low(atom)], (pointer(target),))

    # what each function begins with

    def wants(self) -> list[int]:
        """Which arguments of each function are of interest beside constants, as bits."""
        found = [0] * len(self.proto)
        for n, proto in enumerate(self.proto):
            if not proto:
                found[n] = ALL
                continue
            for i, kind in enumerate(self.params[n][:MOST_ARGS]):
                if self.types.function_type(kind):
                    found[n] |= 1 << i | TOGETHER
                elif self.types.target(kind) == VOID:
                    found[n] |= 1 << i
        return found

    def returns(self, function: int, a: int) -> None:
        """What a function was seen to return is of the type that it returns."""
        proto = self.proto[function]
        kind = self.btf.result(proto) if proto else 0
        target = self.types.target(kind) if kind else -1
        if target > VOID:
            self._vote(target, self.sets[a])

    def entries(self, function: int) -> list[int]:
        """What a function's arguments are."""
        found = [0] * MOST_ARGS
        if not self.proto[function]:
            for i in range(6):
                facts = self.facts.get(("p", function, i), ())
                found[i] = self.intern(
                    tuple(sorted({*facts, FN | self.param_slot(function, i)}))[:MOST]
                )
            return found
        for i, kind in enumerate(self.params[function][:MOST_ARGS]):
            target = self.types.target(kind)
            if self.types.function_type(kind):
                found[i] = self.intern((FN | self.param_slot(function, i),))
            elif target > VOID:
                known = self.facts.get(("p", function, i), ())
                found[i] = self.intern(known or (pointer(target),))
            elif target == VOID:
                known = self.facts.get(("p", function, i), ())
                more = {FN | self.param_slot(function, i), self.thing(("p", function, i))}
                found[i] = self.intern(tuple(sorted({*known, *more}))[:MOST])
        return found

    def results(self) -> list[int]:
        """What each function returns: by its prototype, else by what it was seen to return; -1: ask
        `fresh`."""
        found = []
        for n, proto in enumerate(self.proto):
            if proto and self._returns_void_pointer(proto):
                found.append(-1)
                continue
            atoms = self.returned(proto) if proto else set(self.inferred.get(n, ()))
            atoms |= {self.words[n]} if n in self.words else set()
            found.append(self.intern(tuple(sorted(atoms))))
        return found

    def _returns_void_pointer(self, proto: int) -> bool:
        kind = self.btf.result(proto)
        return bool(kind) and self.types.target(kind) == VOID
