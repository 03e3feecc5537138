"""One binary in memory, to be read by address: sections, text symbols, ends of tables."""

import bisect
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Section:
    """One section in memory; ``data`` has the relocations applied."""

    name: str
    addr: int
    data: Any
    code: bool


@dataclass(slots=True)
class Symbol:
    """A function (or a label in assembly) as the symbol table has it."""

    name: str
    addr: int
    size: int
    is_global: bool
    file: str


@dataclass
class Image:
    """One binary, ready to be read by address.

    Attributes
    ----------
    name : str
        File name without its folder.
    arch : str
        ``"x86_64"`` or ``"i386"``.
    relocatable : bool
    sections : list of Section
        Those in memory, by address.
    symbols : list of Symbol
        Text symbols, by address.
    objects : list of Symbol
        Data symbols, by address.
    btf : bytes
        The types that the image describes; empty: none.
    externs : dict of int to str
        Slots of undefined symbols.
    markers : dict of str to int
        Ends of tables in a linked kernel: ``__start___ex_table`` ...
    single_file : str
        The one source file that the symbol table names, or "".
    """

    name: str
    arch: str
    relocatable: bool
    sections: list[Section]
    symbols: list[Symbol] = field(default_factory=list)
    objects: list[Symbol] = field(default_factory=list)
    btf: bytes = b""
    externs: dict[int, str] = field(default_factory=dict)
    markers: dict[str, int] = field(default_factory=dict)
    comment: str = ""
    single_file: str = ""
    has_dwarf: bool = False
    _starts: list[int] = field(default_factory=list)

    @property
    def pointer_bytes(self) -> int:
        """Size of a return address."""
        return 8 if self.arch == "x86_64" else 4

    def find(self, addr: int) -> Section | None:
        """The section that holds an address."""
        if not self._starts:
            self._starts = [s.addr for s in self.sections]
        i = bisect.bisect_right(self._starts, addr) - 1
        if i < 0:
            return None
        section = self.sections[i]
        return section if addr < section.addr + len(section.data) else None

    def read(self, addr: int, size: int) -> bytes:
        """Bytes at an address; short or empty outside the image."""
        section = self.find(addr)
        if section is None:
            return b""
        at = addr - section.addr
        return bytes(section.data[at : at + size])

    def section(self, name: str) -> Section | None:
        """A section by name."""
        return next((s for s in self.sections if s.name == name), None)

    def table(self, name: str) -> tuple[int, bytes]:
        """Address and bytes of a table: its section, or what its end labels enclose."""
        found = self.section(name)
        if found is not None:
            return found.addr, bytes(found.data)
        label = name.removeprefix(".")
        low = self.markers.get("__start_" + label, 0)
        high = self.markers.get("__stop_" + label, 0)
        return (low, self.read(low, high - low)) if low < high else (0, b"")
