"""What a kernel's pointers may call, as its types tell: the optional keys of a frame table.

``sites[function] = [[depth, kind, [member, ...]], ...]``: every call through a pointer;
``members[member] = [[function, owner], ...]``: what each member, parameter or variable holds, and
the module or table that put it there; ``roots[kind] = [function, ...]``: where threads, work
functions, timers and interrupts begin. A table that ships has them in a file beside it.
"""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from blockstack.base.errors import BlockstackError
from blockstack.kernel.names import base_name

#: sites that no block path follows: tracing, paravirtual operations
BESIDE = frozenset({"tracepoint", "pv_ops"})
OPEN = "open"
#: functions whose address is taken, and nothing tells where it goes
LOOSE = "?"
#: members that may hold more than is known
LEAKY = "?more"


class Site(NamedTuple):
    """One call through a pointer: bytes in use, how it is known, what it calls."""

    depth: int
    kind: str
    members: tuple[str, ...]


class Held(NamedTuple):
    """A function in a member, and the module or table that put it there."""

    function: str
    owner: str


@dataclass(frozen=True)
class Types:
    """Pointer calls of one kernel build.

    Attributes
    ----------
    sites : mapping of function to tuple of Site
    members : mapping of member to tuple of Held
    roots : mapping of str to tuple of str
    meta : mapping
    """

    sites: Mapping[str, tuple[Site, ...]] = field(repr=False)
    members: Mapping[str, tuple[Held, ...]] = field(repr=False)
    roots: Mapping[str, tuple[str, ...]]
    meta: Mapping[str, Any]

    def of(self, function: str) -> tuple[Site, ...]:
        """Pointer calls of a function that a path could follow."""
        return tuple(s for s in self.sites.get(function, ()) if s.kind not in BESIDE)

    def targets(self, function: str) -> set[str]:
        """Every function that one of its pointer calls may reach."""
        return {
            held.function
            for site in self.of(function)
            for member in site.members
            for held in self.held(member)
        }

    def held(self, member: str) -> Iterator[Held]:
        """What a member holds; ``=f`` is the function ``f`` itself."""
        if member.startswith("="):
            yield Held(member[1:], "")
        else:
            yield from self.members.get(member, ())

    @cached_property
    def loose(self) -> frozenset[str]:
        """Functions whose address goes nobody knows where."""
        return frozenset(held.function for held in self.members.get(LOOSE, ()))

    def leaks(self, function: str) -> bool:
        """Whether one of its pointer calls goes through a member that may hold more."""
        return any(m in self._leaky or _is_changed(m) for s in self.of(function) for m in s.members)

    @cached_property
    def _leaky(self) -> frozenset[str]:
        return frozenset(held.function for held in self.members.get(LEAKY, ()))

    def open(self, function: str) -> int:
        """How many of its pointer calls the types do not tell."""
        return sum(s.kind == OPEN for s in self.of(function))


def _is_changed(member: str) -> bool:
    """Whether it is a parameter of what gcc cloned, which no type describes, or a place in a
    table, of which another may be meant."""
    function, _, parameter = member.partition("#")
    cloned = bool(parameter) and base_name(function) != function
    return cloned or (member.startswith("&") and "+" in member)


class _File(msgspec.Struct):
    sites: dict[str, list[tuple[int, str, list[str]]]] = {}
    members: dict[str, list[tuple[str, str]]] = {}
    roots: dict[str, list[str]] = {}
    meta: dict[str, Any] = {}


def load_types(path: Path) -> Types | None:
    """The typed part of a frame table, or of a file beside one; None: it has none.

    Raises
    ------
    BlockstackError
        Unreadable, or not of this form.
    """
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        data = msgspec.json.decode(text, type=_File)
    except (OSError, EOFError, ValueError, zlib.error, gzip.BadGzipFile) as error:
        raise BlockstackError(f"cannot be read: {error}", path=str(path)) from error
    if not data.sites:
        return None
    return Types(
        {f: tuple(Site(d, k, tuple(m)) for d, k, m in rows) for f, rows in data.sites.items()},
        {m: tuple(Held(*row) for row in rows) for m, rows in data.members.items()},
        {kind: tuple(names) for kind, names in data.roots.items()},
        data.meta,
    )


@cache
def shipped_types(data: str) -> Types | None:
    """The types of a table that ships, by the table's file name; None: it has none."""
    source = resources.files("blockstack.kernel") / "data" / "types" / data
    with resources.as_file(source) as path:
        return load_types(path) if path.is_file() else None


def cut(data: Mapping[str, Any], kept: Iterable[str], name: Callable[[str], str]) -> dict[str, Any]:
    """The typed keys of a whole table for some of its functions.

    Parameters
    ----------
    data : mapping
        ``sites``, ``members`` and ``roots`` as they are on disk.
    kept : iterable of str
        Functions of the smaller table that its paths may follow.
    name : callable
        What the smaller table calls a function of the whole one.
    """
    keep = set(kept)
    sites: dict[str, list[Any]] = {}
    for function, rows in data["sites"].items():
        key = name(function)
        if key in keep and key not in sites:
            sites[key] = [row for row in rows if row[1] not in BESIDE]
    sites = {f: rows for f, rows in sites.items() if rows}
    used = {m for rows in sites.values() for _, _, members in rows for m in members}
    return {
        "sites": {
            f: [[d, k, [m if m[:1] != "=" else f"={name(m[1:])}" for m in ms]] for d, k, ms in rows]
            for f, rows in sites.items()
        },
        "members": {
            member: [[f if member == LEAKY else name(f), owner] for f, owner in rows]
            for member, rows in data["members"].items()
            if member in used or member in (LOOSE, LEAKY)
        },
        "roots": {kind: [name(f) for f in names] for kind, names in data["roots"].items()},
    }
