"""ELF files as one address space: sections laid out, relocations applied, text symbols named.

A relocatable object (``.o``, ``.ko``) is linked against nothing: its sections get addresses of
their own and every undefined symbol a 16-byte slot behind them, so that calls, jump tables and
exception tables read the same in a module as in ``vmlinux``. Parsed with numpy, not through
pyelftools: a Debian kernel has four thousand modules.
"""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from blockstack.base.errors import BlockstackError
from blockstack.kernel.extract.image import Image, Section, Symbol

_SHF_ALLOC, _SHF_EXEC, _NOBITS, _SYMTAB, _RELA, _REL = 2, 4, 8, 2, 4, 9
_ET_REL = 1
_MACHINES = {62: "x86_64", 3: "i386"}
_STT_NOTYPE, _STT_OBJECT, _STT_FUNC, _STT_FILE = 0, 1, 2, 4
_SLOT = 16

_SHDR = {
    2: np.dtype(
        [
            ("name", "<u4"),
            ("type", "<u4"),
            ("flags", "<u8"),
            ("addr", "<u8"),
            ("off", "<u8"),
            ("size", "<u8"),
            ("link", "<u4"),
            ("info", "<u4"),
            ("align", "<u8"),
            ("entsize", "<u8"),
        ]
    ),
    1: np.dtype(
        [
            ("name", "<u4"),
            ("type", "<u4"),
            ("flags", "<u4"),
            ("addr", "<u4"),
            ("off", "<u4"),
            ("size", "<u4"),
            ("link", "<u4"),
            ("info", "<u4"),
            ("align", "<u4"),
            ("entsize", "<u4"),
        ]
    ),
}
_SYM = {
    2: np.dtype(
        [
            ("name", "<u4"),
            ("info", "u1"),
            ("other", "u1"),
            ("shndx", "<u2"),
            ("value", "<u8"),
            ("size", "<u8"),
        ]
    ),
    1: np.dtype(
        [
            ("name", "<u4"),
            ("value", "<u4"),
            ("size", "<u4"),
            ("info", "u1"),
            ("other", "u1"),
            ("shndx", "<u2"),
        ]
    ),
}
_RELOC = {
    (2, _RELA): np.dtype([("off", "<u8"), ("info", "<u8"), ("addend", "<i8")]),
    (1, _REL): np.dtype([("off", "<u4"), ("info", "<u4")]),
    (1, _RELA): np.dtype([("off", "<u4"), ("info", "<u4"), ("addend", "<i4")]),
}
#: relocation type -> (bytes, relative to the place), the psABI numbers of both architectures
_TYPES = {
    2: {
        1: (8, False),
        2: (4, True),
        4: (4, True),
        9: (4, True),
        10: (4, False),
        11: (4, False),
        24: (8, True),
        41: (4, True),
        42: (4, True),
    },
    1: {1: (4, False), 2: (4, True), 4: (4, True)},
}

#: include/asm-generic/vmlinux.lds.S: where a linked kernel's code begins and ends
TEXT_LABELS = frozenset({"_text", "_stext", "_etext", "_sinittext", "_einittext"})


def load_elf(data: bytes, name: str) -> Image:
    """Parse an ELF object or kernel.

    Parameters
    ----------
    data : bytes
        The whole file, decompressed.
    name : str
        For messages and provenance.

    Raises
    ------
    BlockstackError
        Not ELF, another machine, truncated or damaged.
    """
    if data[:4] != b"\x7fELF":
        raise BlockstackError(
            "is not an ELF file", path=name, hint="give vmlinux, vmlinuz, .ko or .o files"
        )
    try:
        return _Parser(data, name).image()
    except (struct.error, ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        if isinstance(error, BlockstackError):
            raise
        raise BlockstackError(
            f"is a truncated or damaged ELF file: {error}",
            path=name,
            hint="unpack the package again",
        ) from error


class _Parser:
    """The steps of `load_elf`, sharing the header tables."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name = data, name
        self.cls = data[4]
        if self.cls not in (1, 2) or data[5] != 1:
            raise BlockstackError("is not a little-endian x86 ELF file", path=name)
        head = struct.unpack_from("<HHIQQQIHHHHHH" if self.cls == 2 else "<HHIIIIIHHHHHH", data, 16)
        self.relocatable = head[0] == _ET_REL
        if head[1] not in _MACHINES:
            raise BlockstackError(
                "is for another machine",
                path=name,
                value=head[1],
                hint="only x86_64 and i386 kernels are understood",
            )
        self.arch = _MACHINES[head[1]]
        offset, count, strndx = head[5], head[11], head[12]
        self.shdrs = (
            np.frombuffer(data, _SHDR[self.cls], count, offset)
            if count
            else np.empty(0, _SHDR[self.cls])
        )
        self._check_bounds()
        names = self._bytes(strndx) if strndx < count else b""
        self.names = [_string(names, int(s["name"])) for s in self.shdrs]
        self.addrs: list[int] = []
        self.slots: list[int] = []

    def _check_bounds(self) -> None:
        for s in self.shdrs:
            if int(s["type"]) not in (0, _NOBITS) and (
                int(s["off"]) + int(s["size"]) > len(self.data)
            ):
                raise ValueError("a section ends behind the end of the file")

    def _bytes(self, i: int) -> bytes:
        s = self.shdrs[i]
        if int(s["type"]) == _NOBITS:
            return b""
        return self.data[int(s["off"]) : int(s["off"]) + int(s["size"])]

    def image(self) -> Image:
        """All steps: lay out, read symbols, relocate."""
        end = self._lay_out()
        image = Image(self.name, self.arch, self.relocatable, [])
        symbols = self._symbols()
        values = self._values(symbols, end, image)
        data: dict[int, bytearray | bytes] = {
            i: self._bytes(i)
            for i, s in enumerate(self.shdrs)
            if int(s["flags"]) & _SHF_ALLOC and int(s["type"]) != _NOBITS
        }
        if self.relocatable:
            self._relocate(data, values)
        # per-CPU sections of vmlinux are linked at zero: they hold no code
        image.sections = sorted(
            (
                Section(
                    self.names[i], self.addrs[i], d, bool(int(self.shdrs[i]["flags"]) & _SHF_EXEC)
                )
                for i, d in data.items()
                if d and self.addrs[i]
            ),
            key=lambda s: s.addr,
        )
        if ".comment" in self.names:
            text = self._bytes(self.names.index(".comment")).decode("latin-1")
            image.comment = next((t for t in text.split("\0") if t), "")
        image.btf = self._bytes(self.names.index(".BTF")) if ".BTF" in self.names else b""
        image.has_dwarf = any(n in (".debug_info", ".zdebug_info") for n in self.names)
        return image

    def _lay_out(self) -> int:
        at = 0x10000
        for s in self.shdrs:
            if not self.relocatable or not int(s["flags"]) & _SHF_ALLOC:
                self.addrs.append(0 if self.relocatable else int(s["addr"]))
                continue
            align = max(int(s["align"]), 16)
            if align & (align - 1) or align > 1 << 24 or int(s["size"]) > 1 << 30:
                raise ValueError(f"impossible alignment {align} or size")
            at = -(-at // align) * align
            self.addrs.append(at)
            at += int(s["size"]) + _SLOT  # so that an end label is not the next section's start
        return -(-at // 4096) * 4096

    def _symbols(self) -> Any:
        found = [i for i, s in enumerate(self.shdrs) if int(s["type"]) == _SYMTAB]
        if not found:
            return np.empty(0, _SYM[self.cls])
        raw = self._bytes(found[0])
        size = _SYM[self.cls].itemsize
        self.strings = self._bytes(int(self.shdrs[found[0]]["link"]))
        return np.frombuffer(raw, _SYM[self.cls], len(raw) // size)

    def _values(self, symbols: Any, end: int, image: Image) -> npt.NDArray[np.int64]:
        """Every symbol's address, and the text symbols and slots of the image."""
        shndx = symbols["shndx"].astype(np.int64)
        count = len(self.shdrs)
        base = np.zeros(65536, np.int64)
        defined = np.zeros(65536, bool)
        code = np.zeros(65536, bool)
        base[:count] = np.array([_signed(a) for a in self.addrs], np.int64)
        defined[1:count] = True
        code[:count] = (self.shdrs["flags"].astype(np.int64) & _SHF_EXEC) != 0
        value = symbols["value"].astype(np.uint64).view(np.int64)
        own = value + base[shndx] if self.relocatable else value
        slot = end + _SLOT * np.arange(len(symbols), dtype=np.int64)
        values: npt.NDArray[np.int64] = np.where(defined[shndx], own, slot)
        kinds = symbols["info"] & 15
        for i in np.flatnonzero(~defined[shndx] & (symbols["name"] != 0) & (kinds != _STT_FILE)):
            image.externs[int(slot[i])] = _string(self.strings, int(symbols[i]["name"]))
        if not self.relocatable:
            for i in np.flatnonzero(defined[shndx]):
                text = _string(self.strings, int(symbols[i]["name"]))
                if text in TEXT_LABELS or (
                    not code[shndx[i]]
                    and (text.startswith(("__start_", "__stop_")) or text == "linux_banner")
                ):
                    image.markers[text] = int(values[i]) & (2**64 - 1)
        image.symbols = list(
            self._text(symbols, values, code[shndx] & defined[shndx], kinds, image)
        )
        image.symbols.sort(key=lambda s: s.addr)
        image.objects = self._objects(symbols, values, ~code[shndx] & defined[shndx] & (kinds < 2))
        return values

    def _objects(self, symbols: Any, values: Any, chosen: Any) -> list[Symbol]:
        """Data, by address: kallsyms knows no sizes, and no type but by a letter."""
        found = [
            Symbol(
                _string(self.strings, int(symbols[i]["name"])),
                int(values[i]) & (2**64 - 1),
                int(symbols[i]["size"]),
                bool(symbols[i]["info"] >> 4),
                "",
            )
            for i in np.flatnonzero(chosen & (symbols["name"] != 0) & (values != 0))
        ]
        return sorted(found, key=lambda s: s.addr)

    def _text(
        self, symbols: Any, values: Any, code: Any, kinds: Any, image: Image
    ) -> Iterator[Symbol]:
        # local symbols stand behind the FILE symbol of their object; ld -r keeps that order
        files: list[str] = []
        file = ""
        wanted = code & ((kinds == _STT_FUNC) | (kinds == _STT_NOTYPE)) | (kinds == _STT_FILE)
        for i in np.flatnonzero(wanted & (symbols["name"] != 0)):
            text = _string(self.strings, int(symbols[i]["name"]))
            if kinds[i] == _STT_FILE:
                file = text
                files.append(text)
                continue
            is_global = bool(symbols[i]["info"] >> 4)
            if kinds[i] == _STT_NOTYPE and (not is_global or text.startswith((".", "__UNIQUE"))):
                continue
            yield Symbol(
                text,
                int(values[i]) & (2**64 - 1),
                int(symbols[i]["size"]),
                is_global,
                "" if is_global else file,
            )
        own = {f for f in files if not f.endswith(".mod.c")}
        image.single_file = own.pop() if len(own) == 1 else ""

    def _relocate(self, data: dict[int, bytearray | bytes], values: npt.NDArray[np.int64]) -> None:
        for i, s in enumerate(self.shdrs):
            kind, target = int(s["type"]), int(s["info"])
            if kind not in (_REL, _RELA) or target not in data:
                continue
            dtype = _RELOC.get((self.cls, kind))
            raw = self._bytes(i)
            if dtype is None or not raw:
                continue
            rows = np.frombuffer(raw, dtype, len(raw) // dtype.itemsize)
            data[target] = self._apply(bytearray(data[target]), self.addrs[target], rows, values)

    def _apply(
        self, buffer: bytearray, base: int, rows: Any, values: npt.NDArray[np.int64]
    ) -> bytearray:
        shift, mask = (32, 0xFFFFFFFF) if self.cls == 2 else (8, 0xFF)
        info = rows["info"].astype(np.int64)
        kinds, index = info & mask, info >> shift
        view = np.frombuffer(buffer, np.uint8)
        for kind, (size, relative) in _TYPES[self.cls].items():
            chosen = (
                (kinds == kind)
                & (index < len(values))
                & (rows["off"].astype(np.int64) <= len(buffer) - size)
            )
            if not chosen.any():
                continue
            places = rows["off"][chosen].astype(np.int64)
            cells = places[:, None] + np.arange(size)
            dtype = "<i8" if size == 8 else "<i4"
            if "addend" in (rows.dtype.names or ()):
                addends = rows["addend"][chosen].astype(np.int64)
            else:
                addends = np.ascontiguousarray(view[cells]).view(dtype).ravel().astype(np.int64)
            result = values[index[chosen]] + addends - (places + base if relative else 0)
            view[cells] = result.astype(dtype).view(np.uint8).reshape(-1, size)
        return buffer


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _string(table: bytes, at: int) -> str:
    end = table.find(b"\0", at)
    return table[at : end if end >= 0 else None].decode("latin-1")
