"""Folders and archives as one kind of tree that is read only, and never left.

Links are resolved inside the tree, as text; none is ever followed out of it. Archives are read as
a stream into memory, with bounds on members, bytes and the compression ratio: nothing is unpacked.
"""

import bz2
import gzip
import lzma
import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from blockstack.base.units import format_bytes
from blockstack.hosts.model.host import SourceError

MAX_FILE_BYTES = 64 << 20
MAX_ARCHIVE_BYTES = 1 << 30
MAX_KEPT_BYTES = 256 << 20
MAX_MEMBERS = 1_000_000
MAX_WALKED = 200_000
MAX_RATIO = 400  # a dump of sysfs is mostly padding of tar's 512-byte blocks: xz makes 1:100 of it
RATIO_FREE_BYTES = 64 << 20  # below this size a ratio does no harm
MAX_HOPS = 40  # as the kernel's MAXSYMLINKS
_MAGIC = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))


def decode(raw: bytes) -> str:
    """Text of unknown encoding: UTF-8, each other byte as ``\\xff``; CRLF and BOM are taken off."""
    return raw.decode("utf-8", "backslashreplace").removeprefix("\ufeff").replace("\r\n", "\n")


class Tree:
    """Files by path below one root; subclasses say what lies at a path that holds no link."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._resolved: dict[str, str | None] = {}

    def _kind(self, path: str) -> str:
        """``d``, ``f``, ``l`` or empty."""
        raise NotImplementedError

    def _target(self, path: str) -> str:
        raise NotImplementedError

    def _bytes(self, path: str) -> bytes:
        raise NotImplementedError

    def _entries(self, path: str) -> Iterable[str]:
        raise NotImplementedError

    def resolve(self, path: str) -> str | None:
        """The path without links; None when it leaves the tree, ends nowhere or goes in circles."""
        clean = path.strip("/")
        if clean not in self._resolved:
            self._resolved[clean] = self._walk(clean)
        return self._resolved[clean]

    def _walk(self, path: str) -> str | None:
        todo = [p for p in reversed(path.split("/")) if p]
        here: list[str] = []
        hops = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not here:
                    return None
                here.pop()
                continue
            at = "/".join((*here, part))
            kind = self._kind(at)
            if kind == "l":
                hops += 1
                target = self._target(at)
                if hops > MAX_HOPS or len(todo) > 4096:
                    return None
                if target.startswith("/"):
                    here = []
                todo += [p for p in reversed(target.split("/")) if p]
            elif kind:
                here.append(part)
            else:
                return None
        return "/".join(here)

    def text(self, path: str) -> str | None:
        """A file's text without outer blanks; None: no such file, or it cannot be read."""
        raw = self.raw(path)
        return None if raw is None else decode(raw).strip(" \t\n\r\0")

    def raw(self, path: str) -> bytes | None:
        """A file's bytes; None: no such file, or it cannot be read."""
        at = self.resolve(path)
        if at is None or self._kind(at) != "f":
            return None
        try:
            return self._bytes(at)
        except OSError:  # an attribute that its driver refuses to read
            return None

    def link(self, path: str) -> str | None:
        """What a link says, unresolved; None: no link."""
        parent, _, last = path.strip("/").rpartition("/")
        above = self.resolve(parent) if parent else ""
        if above is None:
            return None
        at = f"{above}/{last}" if above else last
        return self._target(at) if self._kind(at) == "l" else None

    def names(self, path: str) -> list[str]:
        """Entries of a folder, sorted; empty when there is none."""
        at = self.resolve(path)
        if at is None or (at and self._kind(at) != "d"):
            return []
        try:
            return sorted(self._entries(at))
        except OSError:
            return []

    def has(self, path: str) -> bool:
        """Whether something lies there, links followed inside the tree."""
        return self.resolve(path) is not None

    def files(self, most_depth: int = 8) -> Iterator[str]:
        """Paths of all plain files, breadth first; links are not followed."""
        level, count = [""], 0
        for _ in range(most_depth):
            below: list[str] = []
            for folder in level:
                for name in self.names(folder):
                    path = f"{folder}/{name}" if folder else name
                    count += 1
                    if count > MAX_WALKED:
                        raise SourceError(
                            "holds too many files",
                            path=self.name,
                            hint="name the files, or the folder that holds them",
                        )
                    kind = self._kind(path)
                    if kind == "f":
                        yield path
                    elif kind == "d" and path not in ("proc", "sys"):
                        below.append(path)
            level = below

    def below(self, prefix: str) -> "Tree":
        """The part below a folder, as a tree of its own."""
        return SubTree(self, prefix) if prefix else self


class SubTree(Tree):
    """A folder of a tree: links cannot leave it."""

    def __init__(self, whole: Tree, prefix: str) -> None:
        super().__init__(whole.name)
        self._whole, self._prefix = whole, prefix.strip("/")

    def _at(self, path: str) -> str:
        return f"{self._prefix}/{path}" if path else self._prefix

    def _kind(self, path: str) -> str:
        return self._whole._kind(self._at(path))

    def _target(self, path: str) -> str:
        return self._whole._target(self._at(path))

    def _bytes(self, path: str) -> bytes:
        return self._whole._bytes(self._at(path))

    def _entries(self, path: str) -> Iterable[str]:
        return self._whole._entries(self._at(path))


class FolderTree(Tree):
    """A folder of this machine: a dumped tree, or ``/sys`` itself."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self._root = str(root)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _kind(self, path: str) -> str:
        try:
            mode = os.lstat(self._full(path)).st_mode
        except (OSError, ValueError):
            return ""
        return (
            "l"
            if stat.S_ISLNK(mode) and path
            else "d"
            if stat.S_ISDIR(mode) or not path
            else "f"
            if stat.S_ISREG(mode)
            else ""
        )

    def _target(self, path: str) -> str:
        try:
            return str(Path(self._full(path)).readlink())
        except OSError:
            return ""

    def _bytes(self, path: str) -> bytes:
        with Path(self._full(path)).open("rb") as stream:
            return bounded(stream.read(MAX_FILE_BYTES + 1), self._full(path))

    def _entries(self, path: str) -> Iterable[str]:
        with os.scandir(self._full(path)) as entries:
            return [entry.name for entry in entries]


class MemoryTree(Tree):
    """Files, links and folders held in memory: an archive's, or a listing's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._held: dict[str, bytes] = {}
        self._links: dict[str, str] = {}
        self._folders: dict[str, dict[str, None]] = {"": {}}
        self._size = 0

    def add_file(self, path: str, content: bytes) -> None:
        """Keep a file.

        Raises
        ------
        BlockstackError
            All files together pass `MAX_KEPT_BYTES`.
        """
        self._size += len(content)
        if self._size > MAX_KEPT_BYTES:
            raise SourceError(
                "holds more text than a host's description can",
                path=self.name,
                hint=f"at most {format_bytes(MAX_KEPT_BYTES)}",
            )
        if self._enter(path):
            self._held[path] = content

    def add_link(self, path: str, target: str) -> None:
        """Keep a link, unresolved."""
        if self._enter(path):
            self._links[path] = target

    def add_folder(self, path: str) -> None:
        """Keep a folder."""
        if path and path not in self._folders and self._enter(path):
            self._folders[path] = {}

    def _enter(self, path: str) -> bool:
        """Make the folders above; False where one of them is a file or a link already."""
        parts = path.split("/")
        if len(parts) > 64 or path in self._folders:
            return False
        for i in range(len(parts)):
            above = "/".join(parts[:i])
            if above in self._held or above in self._links:
                return False
            self._folders.setdefault(above, {})[parts[i]] = None
        return True

    def _kind(self, path: str) -> str:
        return (
            "f"
            if path in self._held
            else "l"
            if path in self._links
            else "d"
            if path in self._folders
            else ""
        )

    def _target(self, path: str) -> str:
        return self._links[path]

    def _bytes(self, path: str) -> bytes:
        return self._held[path]

    def _entries(self, path: str) -> Iterable[str]:
        return self._folders.get(path, ())


def bounded(raw: bytes, path: str) -> bytes:
    """The bytes, unless there are more than a description can have."""
    if len(raw) > MAX_FILE_BYTES:
        raise SourceError(
            "is too large for a host's description",
            path=path,
            hint=f"at most {format_bytes(MAX_FILE_BYTES)}",
        )
    return raw


class _Counted:
    """A decompressed stream that stops when it grows out of proportion."""

    def __init__(self, stream: IO[bytes], below: IO[bytes], path: str) -> None:
        self._stream, self._below, self._path, self._read = stream, below, path, 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size if size >= 0 else 1 << 20)
        self._read += len(chunk)
        if self._read > MAX_ARCHIVE_BYTES or (
            self._read > RATIO_FREE_BYTES and self._read > MAX_RATIO * self._below.tell()
        ):
            raise SourceError(
                "unpacks to more than a host's description can hold",
                path=self._path,
                value=self._read,
                hint=f"at most {format_bytes(MAX_ARCHIVE_BYTES)}, and {MAX_RATIO} "
                "times its compressed size",
            )
        return chunk


def _member_path(name: str) -> str | None:
    """A member's path below the archive's root; None: it points out of it."""
    parts = [p for p in name.split("/") if p not in ("", ".")]
    return None if ".." in parts or "\0" in name else "/".join(parts)


def read_archive(path: Path, wanted: Callable[[str], bool]) -> MemoryTree:
    """The wanted files and all links of a tar archive, plain or compressed (gzip, bzip2, xz).

    Members that point out of the archive, devices and pipes are passed over; hard links count as
    links.

    Raises
    ------
    BlockstackError
        No archive, a damaged one, or one that passes the bounds.
    """
    tree = MemoryTree(str(path))
    try:
        with path.open("rb") as raw:
            head = raw.read(6)
            raw.seek(0)
            opener = next((open_ for magic, open_ in _MAGIC if head.startswith(magic)), None)
            stream: Any = raw if opener is None else opener(raw, "rb")
            counted: Any = _Counted(stream, raw, str(path))
            with tarfile.open(mode="r|", fileobj=counted) as archive:
                _collect(archive, tree, wanted)
    except (
        tarfile.TarError,
        OSError,
        EOFError,
        lzma.LZMAError,
        ValueError,
        OverflowError,
    ) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(
            f"cannot be read as a tar archive: {error}",
            path=str(path),
            hint="a .tar, .tar.gz, .tar.bz2 or .tar.xz file",
        ) from error
    return tree


def _collect(archive: tarfile.TarFile, tree: MemoryTree, wanted: Callable[[str], bool]) -> None:
    for count, member in enumerate(archive):
        if count >= MAX_MEMBERS:
            raise SourceError(
                "has too many members", path=tree.name, hint=f"at most {MAX_MEMBERS:,}"
            )
        at = _member_path(member.name)
        if at is None:
            continue
        if member.isdir():
            tree.add_folder(at)
        elif member.issym():
            tree.add_link(at, member.linkname)
        elif member.islnk():
            target = _member_path(member.linkname)
            if target is not None:
                tree.add_link(at, "/" + target)
        elif member.isreg() and wanted(at):
            if member.size > MAX_FILE_BYTES:
                raise SourceError(
                    "is too large for a host's description",
                    path=at,
                    value=member.size,
                    hint=f"at most {format_bytes(MAX_FILE_BYTES)}",
                )
            stream = archive.extractfile(member)
            if stream is not None:
                tree.add_file(at, stream.read())
        archive.members = []  # type: ignore[attr-defined]  # the stream's list of members would grow with the archive
