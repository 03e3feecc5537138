"""What a register may hold, as far as types tell: the algebra of atoms.

An atom is a number: a pointer into a type (`PTR`: type, offset), a function read from a slot (`FN`:
slot), a constant address (`CONST`), a place on the stack (`STACK`: depth), or something behind a
``void *`` that its use tells (`THING`: number). A *slot* is what holds
functions: a member of a struct, a parameter, a global variable.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from blockstack.kernel.extract.types import btf
from blockstack.kernel.extract.types.btf import Btf

PTR, FN, CONST, STACK, THING = 1 << 60, 2 << 60, 3 << 60, 4 << 60, 5 << 60
_KIND = 7 << 60
_LOW = (1 << 60) - 1
#: containers of one type at one offset that are all taken; more say nothing
_MANY = 4
#: pointers at one place outside a struct that are all taken
_FEW = 8
Atoms = tuple[int, ...]
#: owner, offset in the owner, type and name of a member
Leaf = tuple[int, int, int, str]


def pointer(kind: int, offset: int = 0) -> int:
    """A pointer into a type."""
    return PTR | kind << 32 | offset & 0xFFFFFFFF


def pointed(atom: int) -> tuple[int, int]:
    """Type and offset of a pointer."""
    offset = atom & 0xFFFFFFFF
    return atom >> 32 & 0xFFFFFFF, offset - (1 << 32) if offset >> 31 else offset


def constant(address: int) -> int:
    """A constant address."""
    return CONST | address & _LOW


def address(atom: int) -> int:
    """The address of a constant, unsigned."""
    low = atom & _LOW
    return low | 15 << 60 if low >> 59 else low


def kind_of(atom: int) -> int:
    """`PTR`, `FN`, `CONST`, `STACK` or `THING`."""
    return atom & _KIND


def low(atom: int) -> int:
    """A slot's number, or a depth."""
    return atom & _LOW


@dataclass
class Types:
    """Members at offsets, prototypes told apart, containers by what they hold where."""

    btf: Btf
    _leaves: dict[tuple[int, int], tuple[Leaf, ...]] = field(default_factory=dict)
    _keys: dict[int, str] = field(default_factory=dict)
    _signatures: dict[int, int] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _around: dict[int, dict[int, list[tuple[int, int]]]] = field(default_factory=dict)
    _outside: dict[tuple[int, int, int], tuple[Leaf, ...]] = field(default_factory=dict)
    _holders: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def leaves(self, kind: int, offset: int) -> tuple[Leaf, ...]:
        """Members that are no structs at an offset of a type; several in a union."""
        if kind >= len(self.btf.kinds):  # a list's link: `lists`
            return ()
        found = self._leaves.get((kind, offset))
        if found is None:
            found = self._leaves[kind, offset] = tuple(
                dict.fromkeys(self._inside(kind, offset, 0, 0, ""))
            )
        return found

    def _inside(self, kind: int, offset: int, owner: int, at: int, name: str) -> Iterator[Leaf]:
        types = self.btf
        kind = types.strip(kind)
        what = types.kinds[kind]
        if what == btf.ARRAY:
            element, _ = types.array(kind)
            size = types.size(element)
            if size:
                yield from self._inside(element, offset % size, owner, at, name)
        elif what in (btf.STRUCT, btf.UNION):
            if types.name(kind):
                owner, at = kind, 0
            for member in types.members(kind):
                inner = offset - member.offset
                if 0 <= inner < types.size(member.type):
                    yield from self._inside(
                        member.type, inner, owner, at + member.offset, member.name or name
                    )
        elif offset == 0:
            yield owner, at, kind, name

    def target(self, kind: int) -> int:
        """What a pointer type points at, stripped; -1: it is no pointer."""
        kind = self.btf.strip(kind)
        if self.btf.kinds[kind] != btf.PTR:
            return -1
        return self.btf.strip(self.btf.refs[kind])

    def function_type(self, kind: int) -> int:
        """The prototype that a type points at; 0: it does not point at a function."""
        target = self.target(kind)
        return target if target > 0 and self.btf.kinds[target] == btf.FUNC_PROTO else 0

    def signature(self, proto: int) -> int:
        """A number that prototypes of the same parameters and result share."""
        found = self._signatures.get(proto)
        if found is None:
            parts = [self._key(t) for t in (self.btf.result(proto), *self.btf.params(proto))]
            found = self._numbers.setdefault(",".join(parts), len(self._numbers) + 1)
            self._signatures[proto] = found
        return found

    def _key(self, kind: int) -> str:
        kind = self.btf.strip(kind) if kind else 0
        found = self._keys.get(kind)
        if found is None:
            found = self._keys[kind] = self._make_key(kind)
        return found

    def _make_key(self, kind: int) -> str:
        types, what = self.btf, self.btf.kinds[kind]
        if what == btf.PTR:
            return "*" + self._key(types.refs[kind])
        if what in (btf.STRUCT, btf.UNION, btf.FWD):
            return types.name(kind) or str(kind)
        if what in (btf.ENUM, btf.ENUM64, btf.INT):
            return f"i{types.refs[kind]}"
        return f"k{what}"

    def named(self, kind: int) -> bool:
        """Whether it is a struct or union with a name."""
        return self.btf.kinds[kind] in (btf.STRUCT, btf.UNION) and bool(self.btf.name(kind))

    def holders(self, kind: int, offset: int, image: int) -> list[int]:
        """Structs that have a struct of this type at this offset, the module's own first.

        What ``container_of`` goes back to; empty: none, or too many to say anything.
        """
        if not self._holders:
            self._find_holders()
        found = self._holders.get((kind, offset), [])
        own = [t for t in found if self.btf.image(t) == image]
        return next((some for some in (own if image else [], found) if 0 < len(some) <= _MANY), [])

    def _find_holders(self) -> None:
        for t in list(self.btf.structs()):
            if self.btf.kinds[t] == btf.STRUCT:
                for inner, offset in self._embedded(t, 0, 0):
                    if offset:
                        self._holders.setdefault((inner, offset), []).append(t)
                    self._around.setdefault(inner, {}).setdefault(self.btf.image(t), []).append(
                        (t, offset)
                    )

    def holds(self, holder: int, kind: int, offset: int) -> bool:
        """Whether a struct has one of this type inside, at this offset."""
        if not self._holders:
            self._find_holders()
        return holder in self._holders.get((kind, offset), ())

    def around(self, kind: int, offset: int, image: int) -> tuple[Leaf, ...]:
        """Pointers outside a struct, at an offset from its start, in the structs of an image that
        have it inside: gcc folds ``container_of`` into the access. Empty: none, or too many."""
        if not self._holders:
            self._find_holders()
        key = (kind, offset, image)
        if key not in self._outside:
            found = {
                leaf: None
                for holder, at in self._around.get(kind, {}).get(image, ())
                for leaf in self.leaves(holder, at + offset)
                if at + offset >= 0 and leaf[0] and self.target(leaf[2]) >= 0
            }
            self._outside[key] = tuple(found) if len(found) <= _FEW else ()
        return self._outside[key]

    def _embedded(self, kind: int, at: int, depth: int) -> Iterator[tuple[int, int]]:
        for member in self.btf.members(kind):
            inner = self.btf.strip(member.type)
            if self.btf.kinds[inner] in (btf.STRUCT, btf.UNION):
                if self.btf.name(inner):
                    yield inner, at + member.offset
                if depth < 3:
                    yield from self._embedded(inner, at + member.offset, depth + 1)
