"""BTF, a kernel's own description of its types (Documentation/bpf/btf.rst), as flat lists.

Types of all images have one numbering: those of the kernel come first, a module's own behind. A
struct that several images describe is one struct: the first of its name and size.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from blockstack.base.errors import BlockstackError

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF = 1, 2, 3, 4, 5, 6, 7, 8
VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO, VAR, DATASEC = 9, 10, 11, 12, 13, 14, 15
FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = 16, 17, 18, 19
_MAGIC = 0xEB9F
#: words behind a type's three: of its own, and of each of its entries
_OWN = {INT: 1, ARRAY: 3, VAR: 1, DECL_TAG: 1}
_EACH = {STRUCT: 3, UNION: 3, ENUM: 2, FUNC_PROTO: 2, DATASEC: 3, ENUM64: 3}
_ALIASES = frozenset({TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG})


class Member(NamedTuple):
    """One member of a struct or a union; bit fields are left out."""

    name: str
    type: int
    offset: int


@dataclass
class _Part:
    """One image's BTF: the words of its types and its strings."""

    words: list[int]
    strings: bytes
    first: int  # number of its first type
    shift: int  # what is added to its own numbers
    base_strings: int = 0


@dataclass
class Btf:
    """Types of a kernel and its modules.

    Attributes
    ----------
    kinds, refs : list of int
        By type: what it is; what it refers to, or its size in bytes.
    protos : list of dict of str to int
        By image: the prototype of each function.
    per_cpu : list of (offset, size, type)
    """

    kinds: list[int] = field(default_factory=lambda: [0])
    refs: list[int] = field(default_factory=lambda: [0])
    protos: list[dict[str, int]] = field(default_factory=list)
    per_cpu: list[tuple[int, int, int]] = field(default_factory=list)
    _counts: list[int] = field(default_factory=lambda: [0])
    _places: list[int] = field(default_factory=lambda: [0])
    _owners: list[int] = field(default_factory=lambda: [0])
    _names: list[int] = field(default_factory=lambda: [0])
    _parts: list[_Part] = field(default_factory=list)
    _same: dict[tuple[str, int, int], int] = field(default_factory=dict)
    _stripped: dict[int, int] = field(default_factory=dict)
    _members: dict[int, tuple[Member, ...]] = field(default_factory=dict)

    def add(self, data: bytes, name: str) -> None:
        """One image's ``.BTF``: the kernel's first, then those of modules.

        Raises
        ------
        BlockstackError
            Damaged, or of another byte order.
        """
        try:
            self._read(data)
        except (struct.error, ValueError, IndexError, KeyError) as error:
            raise BlockstackError(f"has damaged BTF: {error}", path=name) from error

    def skip(self) -> None:
        """An image without types of its own."""
        self._parts.append(_Part([], b"", len(self.kinds), 0))
        self.protos.append({})

    def _read(self, data: bytes) -> None:
        magic, _, _, head, type_off, type_len, str_off, str_len = struct.unpack_from(
            "<HBBIIIII", data
        )
        if magic != _MAGIC:
            raise ValueError("no BTF header")
        types = data[head + type_off : head + type_off + type_len]
        strings = data[head + str_off : head + str_off + str_len]
        words = np.frombuffer(types, "<u4").tolist()
        base = self._parts[0] if self._parts else None
        own = len(self.kinds)
        part = _Part(words, strings, own, 0)
        if base is not None:  # split: its own types and strings follow the kernel's
            count = self._base_count
            part.shift = own - count - 1
            part.base_strings = len(base.strings)
        self._parts.append(part)
        self._scan(part)
        if base is None:
            self._base_count = len(self.kinds) - 1
        self._name_structs(own)

    _base_count: int = 0

    def _scan(self, part: _Part) -> None:
        at, words, owner = 0, part.words, len(self._parts) - 1
        protos: dict[str, int] = {}
        while at < len(words):
            name, info, ref = words[at : at + 3]
            kind, count = info >> 24 & 31, info & 0xFFFF
            if kind in (PTR, FUNC, VAR) or kind in _ALIASES:
                ref = self._own(part, ref)
            if kind == FUNC:
                protos[self._text(part, name)] = ref
            self.kinds.append(kind)
            self.refs.append(ref)
            self._names.append(name)
            self._counts.append(count | (info >> 31) << 16)
            self._places.append(at + 3)
            self._owners.append(owner)
            if kind == DATASEC and self._text(part, name) == ".data..percpu" and not owner:
                self._per_cpu(part, at + 3, count)
            at += 3 + _OWN.get(kind, 0) + count * _EACH.get(kind, 0)
        self.protos.append(protos)

    def _per_cpu(self, part: _Part, at: int, count: int) -> None:
        for i in range(at, at + 3 * count, 3):
            kind, offset, size = part.words[i : i + 3]
            self.per_cpu.append((offset, size, kind))

    def _own(self, part: _Part, number: int) -> int:
        return number + part.shift if number > self._base_count and part.shift else number

    def _text(self, part: _Part, at: int) -> str:
        strings = part.strings
        if part.base_strings:
            if at < part.base_strings:
                strings = self._parts[0].strings
            else:
                at -= part.base_strings
        return strings[at : strings.index(b"\0", at)].decode("latin-1")

    def _name_structs(self, first: int) -> None:
        """The first struct of a name and size stands for all."""
        for t in range(first, len(self.kinds)):
            if self.kinds[t] in (STRUCT, UNION) and (name := self.name(t)):
                same = self._same.setdefault((name, self.refs[t], self.kinds[t]), t)
                if same != t:
                    self._stripped[t] = same

    def name(self, t: int) -> str:
        """A type's name; empty: it has none."""
        at = self._names[t]
        return self._text(self._parts[self._owners[t]], at) if at else ""

    def strip(self, t: int) -> int:
        """A type without typedefs and qualifiers."""
        found = self._stripped.get(t)
        if found is None:
            found = t
            while self.kinds[found] in _ALIASES:
                found = self.refs[found]
            found = self._stripped.get(found, found)
            self._stripped[t] = found
        return found

    def structs(self) -> Iterator[int]:
        """Every named struct and union, once."""
        yield from self._same.values()

    def image(self, t: int) -> int:
        """Which image describes a type."""
        return self._owners[t]

    def size(self, t: int) -> int:
        """Bytes of a type; 0: not known."""
        t = self.strip(t)
        kind = self.kinds[t]
        if kind in (INT, STRUCT, UNION, ENUM, ENUM64, FLOAT):
            return self.refs[t]
        if kind == PTR:
            return 8
        if kind == ARRAY:
            element, count = self.array(t)
            return self.size(element) * count
        return 0

    def array(self, t: int) -> tuple[int, int]:
        """Element type and number of elements."""
        part, at = self._parts[self._owners[t]], self._places[t]
        return self._own(part, part.words[at]), part.words[at + 2]

    def members(self, t: int) -> tuple[Member, ...]:
        """Members of a struct or union."""
        if t not in self._members:
            self._members[t] = tuple(self._read_members(t))
        return self._members[t]

    def _read_members(self, t: int) -> Iterator[Member]:
        part, at = self._parts[self._owners[t]], self._places[t]
        count, flag = self._counts[t] & 0xFFFF, self._counts[t] >> 16
        for i in range(at, at + 3 * count, 3):
            name, kind, bits = part.words[i : i + 3]
            if (flag and bits >> 24) or bits & 7:
                continue
            offset = (bits & 0xFFFFFF if flag else bits) // 8
            yield Member(self._text(part, name) if name else "", self._own(part, kind), offset)

    def params(self, proto: int) -> list[int]:
        """Types of a prototype's parameters."""
        part, at = self._parts[self._owners[proto]], self._places[proto]
        count = self._counts[proto] & 0xFFFF
        return [self._own(part, part.words[i + 1]) for i in range(at, at + 2 * count, 2)]

    def result(self, proto: int) -> int:
        """What a prototype's function returns."""
        part = self._parts[self._owners[proto]]
        return self._own(part, self.refs[proto])
