"""A frame table in numbers: functions by their names, calls as rows of arrays.

What a path may follow of it is marked in arrays, too: files that are followed, calls that are cut.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from blockstack._calls import Calls
from blockstack.base.calls import Cut
from blockstack.kernel.names import plain_name

Ids = NDArray[np.uint32]
Flags = NDArray[np.uint8]
Row = tuple[str, int, str]
Sites = Mapping[str, Mapping[str, int]]

#: how the core is told of a function: its calls are followed; it has calls beside the table's
FOLLOWED, EXTRA = 1, 2


class Tracer(Protocol):
    """What looks at the entry of some functions only (`Entered`)."""

    @property
    def leaf_bytes(self) -> int:
        """What it counts for the function that it sees."""

    def sees(self, function: str, file: str) -> bool:
        """Whether it looks at this one."""


class Numbered:
    """The functions and direct calls of one table.

    Attributes
    ----------
    names : list of str
        Every function that calls or is called, sorted; its place is its number.
    ids : mapping of str to int
    calls : Calls
        The core's: rows of callees, calls and jumps together.
    ends : i32[n]
        Frame of each function; one without an entry counts its return address.
    indirect_calls : dict
        Those that paths resolved so far: by the names in the table, with the caller's bytes.
    """

    def __init__(
        self, functions: Mapping[str, Row], calls: Sites, tail: Sites, pointer_bytes: int
    ) -> None:
        called = {callee for sites in (calls, tail) for row in sites.values() for callee in row}
        self.names = sorted({*functions, *calls, *tail, *called} - {"*"})
        self.ids = {name: i for i, name in enumerate(self.names)}
        rows = [functions.get(name, ("", pointer_bytes, "")) for name in self.names]
        self.ends = np.array([row[1] for row in rows], np.int32)
        self.files = sorted({row[0] for row in rows})
        numbers = {file: i for i, file in enumerate(self.files)}
        self._file = np.array([numbers[row[0]] for row in rows], np.int32)
        self.caller, callees, kept = self._edges(calls, tail)
        begin = np.searchsorted(self.caller, np.arange(len(self.names) + 1))
        self.calls = Calls(begin.astype(np.uint32), callees, kept)
        self.indirect_calls: dict[tuple[str, str], tuple[str, str, int] | None] = {}
        self._functions = functions
        self._seen: dict[object, NDArray[np.int32]] = {}
        self._cut: dict[tuple[Cut, int], Ids] = {}
        self._common: dict[int, tuple[object, Flags]] = {}

    def _edges(self, calls: Sites, tail: Sites) -> tuple[NDArray[np.int64], Ids, NDArray[np.int32]]:
        """Caller, callee and bytes of every call, by caller and callee; the deeper of two."""
        ids = self.ids
        flat = [
            (ids[caller] << 32 | ids[callee], n)
            for sites in (calls, tail)
            for caller, row in sites.items()
            for callee, n in row.items()
            if callee not in ("*", caller)
        ]
        pairs = np.array(flat, np.int64).reshape(-1, 2)
        pairs = pairs[np.lexsort((-pairs[:, 1], pairs[:, 0]))]
        pairs = pairs[np.unique(pairs[:, 0], return_index=True)[1]]
        both = pairs[:, 0]
        return both >> 32, (both & 0xFFFFFFFF).astype(np.uint32), pairs[:, 1].astype(np.int32)

    @cached_property
    def _plain(self) -> dict[str, list[int]]:
        """Numbers by a function's own name, without place and clone suffixes."""
        found: dict[str, list[int]] = {}
        for i, name in enumerate(self.names):
            found.setdefault(plain_name(name), []).append(i)
        return found

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._plain)

    @cached_property
    def _incoming(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Calls by their callee, and where each callee's begin."""
        order = np.argsort(self.calls.callees, kind="stable")
        begin = np.searchsorted(self.calls.callees[order], np.arange(len(self.names) + 1))
        return order, begin

    def followed(self, files: Sequence[str]) -> Flags:
        """Which functions are in the files or folders (`CallGraph`); u8[n]."""
        marks = np.zeros(len(self.files), np.uint8)
        exact = [file for file in files if not file.endswith("/")]
        folders = {file.rpartition("/")[0] for file in exact}
        for file in exact:
            at = bisect_left(self.files, file)
            if self.files[at : at + 1] == [file]:
                marks[at] = FOLLOWED
        for folder in files:
            if folder.endswith("/"):
                at = bisect_left(self.files, folder)
                marks[at : bisect_left(self.files, folder + "\U0010ffff")] = FOLLOWED
        for at in self._modules:
            if self.files[at].rpartition("/")[0] in folders:
                marks[at] = FOLLOWED
        found = np.asarray(marks[self._file])
        for function in files:
            if function.endswith("()"):
                found[self._plain.get(function[:-2], [])] = FOLLOWED
        return found

    @cached_property
    def _modules(self) -> list[int]:
        """Files of which only the module is known."""
        return [i for i, file in enumerate(self.files) if file.endswith(".ko]")]

    def seen(self, tracer: Tracer) -> NDArray[np.int32]:
        """What a path that ends at a function counts for a tracer; -1: it looks elsewhere."""
        if tracer not in self._seen:
            rows = [(name, self._functions.get(name)) for name in self.names]
            self._seen[tracer] = np.array(
                [
                    tracer.leaf_bytes if row and tracer.sees(name, row[0]) else -1
                    for name, row in rows
                ],
                np.int32,
            )
        return self._seen[tracer]

    def named(self, name: str, once: Mapping[str, tuple[str, ...]]) -> list[int]:
        """The functions that a cut calls by this plain name, or did: ``once`` has former names."""
        found = self._plain.get(name, [])
        now = [one for one, before in once.items() if name in before]
        return [*found, *(i for one in now for i in self._plain.get(one, ()))]

    def matching(self, pattern: str, once: Mapping[str, tuple[str, ...]]) -> list[int]:
        """The functions whose plain name, or a former one, a cut's pattern matches."""
        if "*" not in pattern:
            return self.named(pattern, once)
        whole = re.compile(re.escape(pattern).replace(r"\*", ".*") + r"\Z")
        names = [name for name in self._candidates(pattern) if whole.match(name)]
        before = {name for former in once.values() for name in former if whole.match(name)}
        found = {i for name in names for i in self._plain[name]}
        return sorted(found.union(*(self.named(name, once) for name in before)))

    def _candidates(self, pattern: str) -> Iterable[str]:
        """Plain names that begin or end as a pattern does."""
        start, end = pattern.partition("*")[0], pattern.rpartition("*")[2]
        names = self._sorted
        if start:
            low = bisect_left(names, start)
            names = names[low : bisect_left(names, start + "\U0010ffff")]
        return [name for name in names if name.endswith(end)] if end else names

    def common(self, cuts: Sequence[Cut], once: Mapping[str, tuple[str, ...]]) -> Flags:
        """The calls that cuts stop, as `cut`; remembered for the same sequence."""
        known = self._common.get(id(cuts))
        if known is None:
            known = cuts, self.cut(np.zeros(len(self.caller), np.uint8), cuts, once)
            self._common[id(cuts)] = known
        return known[1]

    def cut(self, flags: Flags, cuts: Iterable[Cut], once: Mapping[str, tuple[str, ...]]) -> Flags:
        """Mark the calls that cuts stop (none of them a ``below``); ``flags``, u8[m]."""
        for one in cuts:
            key = one, id(once)
            if key not in self._cut:
                self._cut[key] = self._calls_of(one, once)
            flags[self._cut[key]] = 1
        return flags

    def _calls_of(self, cut: Cut, once: Mapping[str, tuple[str, ...]]) -> Ids:
        order, begin = self._incoming
        parts = [order[begin[i] : begin[i + 1]] for i in self.matching(cut.callee, once)]
        edges = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        if cut.caller != "*" and len(edges):
            callers = self.matching(cut.caller, once)
            edges = edges[np.isin(self.caller[edges], np.array(callers, np.int64))]
        return edges.astype(np.uint32)

    def between(self, callers: Iterable[int], callees: Sequence[int]) -> Iterator[int]:
        """The table's calls of some functions by others."""
        for caller in callers:
            low, high = (int(n) for n in self.calls.rows[caller : caller + 2])
            row = self.calls.callees[low:high]
            for callee in callees:
                at = int(np.searchsorted(row, callee))
                if at < len(row) and row[at] == callee:
                    yield low + at
