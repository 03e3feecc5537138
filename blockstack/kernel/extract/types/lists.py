"""Lists of the kernel: what hangs on a head is what code puts there.

``include/linux/list.h``: a head and the links of its entries are one type, so that BTF does not
tell what a list holds. A link that is read from a head, or from what hangs on it, stands for the
list; an entry that is put there gives its struct and the place of the link in it.
"""

from dataclasses import dataclass, field

from blockstack.kernel.extract.types import btf
from blockstack.kernel.extract.types.atoms import PTR, Types, kind_of, pointed, pointer

#: numbers of lists among the types
LISTS = 1 << 27
_LINKS = frozenset({"list_head", "hlist_head", "hlist_node", "llist_head", "llist_node"})
Head = tuple[str, int, int]


@dataclass
class Lists:
    """Lists by the struct and offset of their head."""

    types: Types
    heads: list[Head] = field(default_factory=list)
    _numbers: dict[Head, int] = field(default_factory=dict)
    _at: dict[tuple[int, int], Head | None] = field(default_factory=dict)

    def node(self, head: Head) -> int:
        """A pointer to a link of a list."""
        number = self._numbers.get(head)
        if number is None:
            number = self._numbers[head] = len(self.heads)
            self.heads.append(head)
        return pointer(LISTS + number)

    def head_at(self, kind: int, offset: int) -> Head | None:
        """The list whose link, or whose first entry's address, lies at an offset of a type."""
        key = (kind, offset)
        if key not in self._at:
            self._at[key] = self._find(kind, offset)
        return self._at[key]

    def _find(self, kind: int, offset: int) -> Head | None:
        types = self.types.btf
        owner, at = -1, 0
        while True:
            kind = types.strip(kind)
            if types.kinds[kind] == btf.ARRAY:
                element, _ = types.array(kind)
                size = types.size(element)
                if not size:
                    return None
                kind, offset = element, offset % size
                continue
            if types.kinds[kind] not in (btf.STRUCT, btf.UNION):
                return None
            name = types.name(kind)
            if name in _LINKS:
                return ("l", owner, at) if owner >= 0 and offset in (0, 8) else None
            if name:
                owner, at = kind, 0
            inside = next(
                (m for m in types.members(kind) if 0 <= offset - m.offset < types.size(m.type)),
                None,
            )
            if inside is None:
                return None
            kind, offset, at = inside.type, offset - inside.offset, at + inside.offset

    def is_entry(self, atom: int) -> bool:
        """Whether it points at the link of an entry of known type."""
        if kind_of(atom) != PTR:
            return False
        kind, offset = pointed(atom)
        return kind < LISTS and self.head_at(kind, offset) is not None
