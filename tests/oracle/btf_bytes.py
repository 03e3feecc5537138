"""BTF by hand: the bytes of a few types, for tests (Documentation/bpf/btf.rst)."""

import struct
from dataclasses import dataclass, field

INT, PTR, ARRAY, STRUCT, FUNC, PROTO = 1, 2, 3, 4, 12, 13


@dataclass
class Builder:
    """Types with names; `bytes` is the section."""

    first: int = 1
    base: bytes = b"\0"
    types: list[bytes] = field(default_factory=list)
    strings: bytes = b"\0"
    split: bool = False

    def text(self, name: str) -> int:
        if not name:
            return 0
        at = len(self.strings) + (len(self.base) if self.split else 0)
        self.strings += name.encode() + b"\0"
        return at

    def add(self, name: str, kind: int, count: int, ref: int, more: bytes = b"") -> int:
        self.types.append(struct.pack("<III", self.text(name), kind << 24 | count, ref) + more)
        return self.first + len(self.types) - 1

    def number(self, name: str, size: int) -> int:
        return self.add(name, INT, 0, size, struct.pack("<I", size * 8))

    def pointer(self, to: int) -> int:
        return self.add("", PTR, 0, to)

    def struct(self, name: str, size: int, *members: tuple[str, int, int]) -> int:
        """Members: name, type, offset in bytes."""
        rows = b"".join(struct.pack("<III", self.text(n), t, 8 * o) for n, t, o in members)
        return self.add(name, STRUCT, len(members), size, rows)

    def fill(self, number: int, size: int, *members: tuple[str, int, int]) -> None:
        """Members of a struct that its own pointers had to name before."""
        rows = b"".join(struct.pack("<III", self.text(n), t, 8 * o) for n, t, o in members)
        at = number - self.first
        name = self.types[at][:4]
        self.types[at] = name + struct.pack("<II", STRUCT << 24 | len(members), size) + rows

    def proto(self, result: int, *params: int) -> int:
        rows = b"".join(struct.pack("<II", self.text("p"), t) for t in params)
        return self.add("", PROTO, len(params), result, rows)

    def function(self, name: str, proto: int) -> int:
        return self.add(name, FUNC, 1, proto)

    def bytes(self) -> bytes:
        types = b"".join(self.types)
        head = struct.pack(
            "<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(self.strings)
        )
        return head + types + self.strings
