"""Frame tables: how many bytes each function of one kernel build keeps on the stack.

Format ``blockstack-frames-1``: ``functions[name] = [file, frame_bytes, kind]``,
``calls[caller][callee]`` the caller's bytes in use at the deepest such call, ``tail`` the bytes
left at a jump (``"*"``: a jump through a pointer), ``indirect`` the depths of calls through
pointers. A frame includes its own return address.
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from blockstack.base.calls import split_place
from blockstack.base.errors import BlockstackError, UnknownFrame
from blockstack.base.shown import Shown
from blockstack.kernel.names import base_name, plain_name
from blockstack.kernel.numbered import Numbered

FORMAT = "blockstack-frames-1"
#: where a function "is defined" whose frame is assumed
ASSUMED = "(assumed)"
_SUFFIX = re.compile(r"(\.c|\.ko\])\Z")


def _stem(place: str) -> str:
    """A file's or a module's bare name: ``drivers/md/dm-io.c``, ``[dm_io.ko]`` -> ``dm_io``."""
    return _SUFFIX.sub("", place.rpartition("/")[2].lstrip("[")).replace("-", "_")


@dataclass(frozen=True, repr=False)
class FrameTable(Shown):
    """Frames and direct calls of one kernel build.

    Attributes
    ----------
    meta : mapping
        Kernel, architecture, compiler, flags, provenance.
    functions : mapping of str to (file, frame_bytes, kind)
    calls, tail : mapping of caller to mapping of callee to bytes
    indirect : mapping of caller to list of bytes
    digest : str
        Of the file that it was read from: 16 hexadecimal digits of its SHA-256.
    renames : mapping of function to tuple of str
        Other names under which `find` looks for what is not there.
    expected : frozenset of str
        Functions that a kernel like this one has: what is missing of them is told.
    """

    meta: Mapping[str, Any]
    functions: Mapping[str, tuple[str, int, str]]
    calls: Mapping[str, Mapping[str, int]]
    tail: Mapping[str, Mapping[str, int]]
    indirect: Mapping[str, list[int]]
    digest: str = ""
    renames: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expected: frozenset[str] = field(default=frozenset(), repr=False)

    @cached_property
    def _named(self) -> dict[str, list[str]]:
        """Keys by the function's own name, without file and clone suffixes."""
        found: dict[str, list[str]] = {}
        for name in self.functions:
            found.setdefault(plain_name(name), []).append(name)
        return found

    def headline(self) -> str:
        """Build, compiler and size."""
        build = self.meta.get("kernel", "a kernel that is not named")
        return (
            f"{len(self.functions):,} functions of {build}, "
            f"{str(self.meta.get('compiler', 'compiler not told')).split(' ')[0]}"
        )

    @cached_property
    def numbered(self) -> Numbered:
        """The same in numbers, for searches."""
        return Numbered(self.functions, self.calls, self.tail, self.pointer_bytes)

    @property
    def pointer_bytes(self) -> int:
        """Size of a return address."""
        return int(self.meta["pointer_bytes"])

    @cached_property
    def least_call_bytes(self) -> int:
        """What every call of this build keeps at least: the return address, and the saved frame
        pointer where it has one."""
        return min(
            (n for sites in self.calls.values() for n in sites.values()), default=self.pointer_bytes
        )

    @property
    def arch(self) -> str:
        """``"i386"`` or ``"x86_64"``."""
        return str(self.meta["arch"])

    def with_assumed(self, frames: Mapping[str, int]) -> "FrameTable":
        """The same table with frames for functions that it lacks; their file is `ASSUMED`."""
        more = {
            name: (ASSUMED, n, "assumed") for name, n in frames.items() if self.find(name) is None
        }
        return replace(self, functions={**self.functions, **more}) if more else self

    def joined(self, more: "FrameTable") -> "FrameTable":
        """The same table with the functions of a module of the same build, which it lacks.

        A name that both have (static functions of two files) gets its file in the added rows.
        Where ``more.meta["label"]`` says that it is one of several builds of the same source (a
        state of a driver, a configuration), each of its names gets that label: ``do_IRQ@4k``.
        Calls by a function that only this table has are added to its own: they lead to functions
        that were not extracted with it.

        Raises
        ------
        BlockstackError
            Another architecture.
        """
        if more.arch != self.arch:
            raise BlockstackError(
                "a table of another architecture cannot be added",
                path=str(more.meta["kernel"]),
                value=more.arch,
            )
        label = str(more.meta.get("label", ""))
        names = {
            name: f"{name}@{label or row[0]}" if label or name in self.functions else name
            for name, row in more.functions.items()
        }

        def rows(
            own: Mapping[str, Mapping[str, int]], side: Mapping[str, Mapping[str, int]]
        ) -> dict[str, Mapping[str, int]]:
            found = dict(own)
            for f, called in side.items():
                calls = {names.get(callee, callee): n for callee, n in called.items()}
                found[names.get(f, f)] = {**calls, **own.get(names.get(f, f), {})}
            return found

        added = [*self.meta.get("added", ()), f"{more.meta['kernel']}: {more.meta['provenance']}"]
        labels = [*self.meta.get("labels", ()), *([label] if label else ())]
        return replace(
            self,
            meta={**self.meta, "added": added} | ({"labels": labels} if labels else {}),
            functions={**self.functions, **{names[f]: r for f, r in more.functions.items()}},
            calls=rows(self.calls, more.calls),
            tail=rows(self.tail, more.tail),
            indirect={**self.indirect, **{names[f]: n for f, n in more.indirect.items()}},
        )

    def find(self, name: str) -> str | None:
        """The table's key for ``name``, as `own` finds it, or for what took its place."""
        names = (name, *self.renames.get(name, ()))
        return next((key for key in map(self.own, names) if key), None)

    def lacks(self, name: str) -> bool:
        """Whether a function is missing that a kernel like this one has, and nothing replaced."""
        return name in self.expected and self.find(name) is None and self.renames.get(name) != ()

    def own(self, name: str) -> str | None:
        """The table's key for ``name`` or for the clone of it that gcc kept.

        ``"f@file"`` asks for the definition in that file, ``"f@module"`` for that in the module,
        by whichever of the two the table tells them apart. With several clones the whole function
        wins, then the one with the largest frame. One that has a label (`joined`) is only found
        by it.
        """
        if name in self.functions:
            return name
        function, place = split_place(name)
        asked = ("", place.rpartition("@")[2])
        named = [n for n in self._named.get(function, []) if self._label(n) in asked]
        # the unqualified one of several same-named functions has its file in its row only
        found = [
            n
            for n in named
            if base_name(n) == name or (place and "@" not in n and self.functions[n][0] == place)
        ]
        if not found and place:
            wanted = {place, _stem(place)}
            found = [n for n in named if wanted & {split_place(n)[1], _stem(self.functions[n][0])}]
        return max(found, key=lambda n: (base_name(n) == n, self.functions[n][1]), default=None)

    @cached_property
    def _labels(self) -> frozenset[str]:
        return frozenset(self.meta.get("labels", ()))

    def _label(self, name: str) -> str:
        """Which of several builds of the same source a function belongs to; empty: to none."""
        last = name.rpartition("@")[2] if self._labels else ""
        return last if last in self._labels else ""

    def named(self, name: str) -> list[str]:
        """Every function of this name, in whatever file, and what gcc split off it."""
        return self._named.get(plain_name(name), [])

    def frame(self, name: str) -> int:
        """Frame of ``name`` in bytes.

        Raises
        ------
        UnknownFrame
            The table has no such function.
        """
        if name not in self.functions:
            raise UnknownFrame(
                "no such function in the frame table", path=str(self.meta["kernel"]), value=name
            )
        return self.functions[name][1]

    def site(self, caller: str, callee: str) -> int | None:
        """Bytes of ``caller`` in use when it calls or jumps to ``callee``; None: it does not."""
        depths = [
            d[callee]
            for d in (self.calls.get(caller, {}), self.tail.get(caller, {}))
            if callee in d
        ]
        return max(depths, default=None)

    def indirect_site(self, caller: str) -> int | None:
        """Bytes of ``caller`` in use at its deepest call or jump through a pointer."""
        depths = list(self.indirect.get(caller, []))
        if "*" in self.tail.get(caller, {}):
            depths.append(self.tail[caller]["*"])
        return max(depths, default=None)


class _File(msgspec.Struct):
    """The file as it lies on disk."""

    meta: dict[str, Any]
    files: list[str]
    functions: dict[str, list[int | str | None]]
    calls: dict[str, dict[str, int]]
    tail: dict[str, dict[str, int]]
    indirect: dict[str, list[int]]


def _fail(path: Path, message: str) -> BlockstackError:
    return BlockstackError(
        message, path=str(path), hint="a frame table is gzip'ed or plain JSON of format " + FORMAT
    )


def load_table(path: Path, column: int = 1) -> FrameTable:
    """Read a frame table.

    Parameters
    ----------
    path : Path
        ``*.json`` or ``*.json.gz``.
    column : int
        Which number of a function's row is its frame (1, or 3: the 2005 flags of 2.6.18).

    Raises
    ------
    BlockstackError
        Unreadable, not JSON, or not of this format; the message says which key.
    """
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        data = msgspec.json.decode(text, type=_File)
    except (OSError, EOFError, ValueError, zlib.error, gzip.BadGzipFile) as error:
        raise _fail(path, f"cannot be read as a frame table: {error}") from error
    return _made(data, path, column, hashlib.sha256(text).hexdigest()[:16])


def make_table(data: Mapping[str, Any], path: Path) -> FrameTable:
    """The table that a file with this content would be; ``path`` is for errors.

    Raises
    ------
    BlockstackError
        Not of this format.
    """
    text = msgspec.json.encode(data)
    return _made(
        msgspec.json.decode(text, type=_File), path, 1, hashlib.sha256(text).hexdigest()[:16]
    )


def _made(data: _File, path: Path, column: int, digest: str) -> FrameTable:
    if data.meta.get("format") != FORMAT:
        raise _fail(path, f"has format {data.meta.get('format')!r}")
    for key in ("pointer_bytes", "arch", "kernel"):
        if key not in data.meta:
            raise _fail(path, f"meta lacks {key}")
    functions = {
        name: _row(path, name, row, data.files, column) for name, row in data.functions.items()
    }
    return FrameTable(data.meta, functions, data.calls, data.tail, data.indirect, digest)


def _row(
    path: Path, name: str, row: list[int | str | None], files: list[str], column: int
) -> tuple[str, int, str]:
    if len(row) < 3:
        raise _fail(path, f"functions[{name!r}] is malformed: {row!r}")
    frame = row[column] if len(row) > column else None
    frame, file = row[1] if frame is None else frame, row[0]
    if not (
        isinstance(file, int) and 0 <= file < len(files) and isinstance(frame, int) and frame >= 0
    ):
        raise _fail(path, f"functions[{name!r}] is malformed: {row!r}")
    return files[file], frame, str(row[2])


def count(data: dict[str, Any]) -> dict[str, int]:
    """Sizes for the table's meta."""

    def edges(rows: Iterable[dict[str, int]]) -> int:
        return sum(len(r) for r in rows)

    return {
        "functions": len(data["functions"]),
        "callers": len(data["calls"]),
        "edges": edges(data["calls"].values()),
        "tail_edges": edges(data["tail"].values()),
        "with_indirect_calls": len(data["indirect"]),
    }
