"""Which source file a function is from: DWARF, else the module, else a shipped table's word."""

import bisect
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.kernel.choose import Build, by_nearness
from blockstack.kernel.extract.image import Image
from blockstack.kernel.extract.naming import Found
from blockstack.kernel.names import base_name, plain_name
from blockstack.kernel.profiles import PROFILES
from blockstack.kernel.table import load_table

BUILT_IN = "[vmlinux]"
#: source files by function name; several where several files have such a function
Hints = Mapping[str, tuple[str, ...]]
#: a file is in an image when one in so many of the functions that it had is
_LEAST_SHARE = 5
_SUFFIX = re.compile(r"\.ko(\.\w+)?\Z")


def module_name(path: str) -> str:
    """``".../dm-mod.ko.xz"`` is the module ``dm_mod``."""
    return _SUFFIX.sub("", PurePosixPath(path).name).replace("-", "_")


def module_file(path: str) -> str:
    """``"drivers/md/[raid1.ko]"``: the folder below ``kernel/``, and the module."""
    parts = PurePosixPath(path).parts[:-1]
    below = parts[len(parts) - parts[::-1].index("kernel") :] if "kernel" in parts else ()
    return "/".join((*below, f"[{module_name(path)}.ko]"))


class SourceFiles:
    """Source files of one image's functions.

    Parameters
    ----------
    image : Image
    own : str
        What a function is filed under when nothing better is known.
    hints : mapping of str to tuple of str
        Source files by function name, of a kernel that was built with debug information.
    data : bytes
        The ELF file, for its DWARF.
    """

    def __init__(self, image: Image, own: str, hints: Hints, data: bytes) -> None:
        self.own, self.hints = own, hints
        self.folder = own.rpartition("/")[0]
        # FILE symbols are bare: "xfs_bmap.c" is fs/xfs/libxfs/xfs_bmap.c of the module fs/xfs/xfs
        single = [files[0] for files in hints.values() if _is_told(files)]
        self.below = (
            {h.rpartition("/")[2]: h for h in single if self._is_near(h)}
            if (image.relocatable)
            else {}
        )
        self.sizes = Counter(single)
        self.single = image.single_file if image.relocatable else ""
        self.by_name: dict[str, str] = {}
        self.starts: list[int] = []
        self.files: list[tuple[int, str]] = []
        self.hinted = 0
        if image.has_dwarf:
            self._read_dwarf(image, data)

    def find(self, name: str, addr: int, file: str, *, unique: bool = True) -> str:
        """The file of one function; ``file`` is what the symbol table says of it.

        A name that this image has several times tells nothing.
        """
        i = bisect.bisect_right(self.starts, addr) - 1
        if i >= 0 and addr < self.files[i][0]:
            return self.files[i][1]
        plain = base_name(name)
        if plain in self.by_name:
            return self.by_name[plain]
        files = self.hints.get(plain, ())
        hint = files[0] if unique and _is_told(files) else ""
        if hint and (self.own == BUILT_IN or self._is_near(hint)):
            self.hinted += 1
            return hint
        file = file or self.single
        if file.endswith(".c") and not self.own.endswith(".c"):
            return self.below.get(file, f"{self.folder}/{file}" if self.folder else file)
        return self.own

    def unlikely(self, files: Sequence[str]) -> set[str]:
        """Hinted files of which this image has too little: other functions have those names."""
        return {file for file, n in Counter(files).items() if _LEAST_SHARE * n < self.sizes[file]}

    def _is_near(self, hint: str) -> bool:
        """Whether a file lies in this module's folder or below it."""
        return bool(self.folder) and hint.startswith(self.folder + "/")

    def _read_dwarf(self, image: Image, data: bytes) -> None:
        """Addresses of compile units in a linked kernel, names of functions in an object."""
        try:
            from elftools.elf.elffile import ELFFile
        except ImportError as error:
            raise BlockstackError(
                "has debug information; reading it needs pyelftools",
                path=image.name,
                hint="in the checkout: pip install '.[frames]'",
            ) from error
        try:
            dwarf = ELFFile(io.BytesIO(data)).get_dwarf_info()
            aranges = None if image.relocatable else dwarf.get_aranges()
            if aranges is not None:
                self._by_address(dwarf, aranges)
            else:
                self._by_function(dwarf)
        except Exception:  # damaged debug information costs file names, not frames
            self.starts, self.files = [], []

    def _by_address(self, dwarf: Any, aranges: Any) -> None:
        rows = sorted(
            (e.begin_addr, e.begin_addr + e.length, e.info_offset) for e in aranges.entries
        )
        names: dict[int, str] = {}
        for begin, end, offset in rows:
            if offset not in names:
                unit = dwarf.get_CU_at(offset)
                names[offset] = _unit_name(unit.get_top_DIE())
            self.starts.append(begin)
            self.files.append((end, names[offset]))

    def _by_function(self, dwarf: object) -> None:
        for unit in dwarf.iter_CUs():  # type: ignore[attr-defined]
            top = unit.get_top_DIE()
            name = _unit_name(top)
            for die in top.iter_children():
                if (
                    die.tag == "DW_TAG_subprogram"
                    and "DW_AT_name" in die.attributes
                    and ("DW_AT_declaration" not in die.attributes)
                ):
                    self.by_name[die.attributes["DW_AT_name"].value.decode()] = name


def _is_told(files: tuple[str, ...]) -> bool:
    """Whether a name is in one file, and more than its module is known."""
    return len(files) == 1 and not files[0].endswith(".ko]")


def _unit_name(top: object) -> str:
    """A compile unit's name below its build folder."""
    attributes = top.attributes  # type: ignore[attr-defined]
    name = attributes["DW_AT_name"].value.decode() if "DW_AT_name" in attributes else ""
    folder = attributes["DW_AT_comp_dir"].value.decode() if ("DW_AT_comp_dir" in attributes) else ""
    if folder and name.startswith(folder + "/"):
        name = name[len(folder) + 1 :]
    return str(name).removeprefix("./") or BUILT_IN


def place(functions: Sequence[Found], source: SourceFiles) -> list[str]:
    """Files of one image's functions, in address order, as far as their neighbours tell.

    The linker keeps each object's code together: a function between two of one file is of that
    file. Between two files it is of the one that calls it or that has such a function elsewhere,
    if one does; else only its image is known.
    """
    unknown = source.own
    unlikely = source.unlikely([f.file for f in functions]) if source.hinted else set()
    files = [unknown if f.file in unlikely else f.file for f in functions]
    known = [i for i, file in enumerate(files) if file != unknown]
    sides: dict[int, tuple[str, str]] = {}
    for low, high in pairwise(known):
        if files[low] == files[high]:
            files[low:high] = [files[low]] * (high - low)
        else:
            sides |= dict.fromkeys(range(low + 1, high), (files[low], files[high]))
    for i, pair in sides.items():
        hinted = [f for f in source.hints.get(base_name(functions[i].names[0]), ()) if f in pair]
        files[i] = hinted[0] if len(hinted) == 1 else unknown
    index = {f.start: i for i, f in enumerate(functions) if i in sides}
    calls = [
        (i, index[callee])
        for i, f in enumerate(functions)
        for callee in {*f.calls, *f.tails}
        if isinstance(callee, int) and callee in index
    ]
    changed = True
    while changed:
        changed = False
        for caller, callee in calls:
            if files[callee] == unknown and files[caller] in sides[callee]:
                files[callee], changed = files[caller], True
    return files


def shipped_hints(arch: str, version: tuple[int, ...]) -> tuple[Hints, str]:
    """Source files by function name from the shipped table that is nearest, and its name.

    A stripped kernel does not say which file a function is from. The block layer's functions
    keep their files for years.
    """
    for name in by_nearness(Build(".".join(map(str, version)), arch)):
        data = PROFILES[name].data
        with resources.as_file(resources.files("blockstack.kernel") / "data" / data) as path:
            table = load_table(path)
        if "source_files" not in table.meta:  # else they were found in this way
            break
    found: dict[str, dict[str, None]] = {}
    for key, (file, _, _) in table.functions.items():
        found.setdefault(plain_name(key), {})[file] = None
    hints = {function: tuple(files) for function, files in found.items()}
    return hints, data.removesuffix(".json.gz")
