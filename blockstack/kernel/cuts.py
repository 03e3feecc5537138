"""Whether a call is one that a path does not take: cuts, ready for matching.

Classes: ``error`` (reports, warnings, failing hardware), ``debug`` (compiled in or out for
debugging), ``async`` (runs later, elsewhere), ``workload`` (not what this workload does),
``topology`` (needs a device that the stack lacks), ``budget`` (counted, but in a budget of its
own: reclaim, scheduling) and ``rare`` (real, but seldom: a debt of soundness, named in reports).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from blockstack.base.calls import Cut
from blockstack.base.errors import BlockstackError
from blockstack.kernel.names import plain_name
from blockstack.kernel.numbered import Flags, Numbered

States = NDArray[np.uint64]
_MOST_BELOW = 64  # one bit each


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*") + r"\Z")


@dataclass
class CutTable:
    """Cuts ready for matching.

    Parameters
    ----------
    cuts : tuple of Cut
    wanted : frozenset of (caller, callee)
        Calls that a path asks for by name: no ``budget`` cut applies (an entry point by reclaim).
    once : mapping of str to tuple of str
        Functions that had other names: a cut may call them by these.
    common : CutTable or None
        Cuts that many tables share; its own ``wanted`` and ``once`` are not looked at.
    """

    cuts: tuple[Cut, ...]
    wanted: frozenset[tuple[str, str]] = frozenset()
    once: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    common: "CutTable | None" = None
    _known: dict[tuple[str, str], bool] = field(default_factory=dict)
    _names: dict[str, list[Cut]] = field(default_factory=dict)
    _globs: list[tuple[re.Pattern[str], Cut]] = field(default_factory=list)
    _any: re.Pattern[str] = field(default=re.compile(r"(?!)"))
    _hits: dict[str, list[Cut]] = field(default_factory=dict)
    _below: list[tuple[str, str]] = field(default_factory=list)
    _begins: dict[str, int] = field(default_factory=dict)
    _forbids: dict[str, int] = field(default_factory=dict)
    _calls: dict[tuple[str, str], int] = field(default_factory=dict)
    _flat: tuple[Cut, ...] = ()

    def __post_init__(self) -> None:
        if self.common is not None:
            self._below, self._calls = list(self.common._below), dict(self.common._calls)
        self._flat = tuple(cut for cut in self.cuts if not (cut.below or cut.site))
        for cut in self.cuts:
            if cut.site:
                self._below_call(cut)
            elif cut.below:
                self._below.append((cut.caller, cut.callee))
            elif "*" in cut.callee:
                self._globs.append((_pattern(cut.callee), cut))
            else:
                self._names.setdefault(cut.callee, []).append(cut)
        if self._globs:  # most callees match none of them: one look tells
            self._any = re.compile("|".join(f"(?:{p.pattern})" for p, _ in self._globs))

    def _below_call(self, cut: Cut) -> None:
        """One bit for all calls below which the same function is not called."""
        top = f"calls of {cut.callee}"
        numbers = [i for i, (name, _) in enumerate(self._below) if name == top]
        if not numbers:
            numbers = [len(self._below)]
            self._below.append((top, cut.callee))
        call = (cut.caller, cut.site)
        self._calls[call] = self._calls.get(call, 0) | 1 << numbers[0]

    def find(self, caller: str, callee: str) -> Cut | None:
        """The cut that stops ``caller`` -> ``callee``, if one does."""
        pairs = list(product(self._names_of(caller), self._names_of(callee)))
        wanted = any(pair in self.wanted for pair in pairs)
        found = self._first(pairs, wanted)
        if found is None and self.common is not None:
            found = self.common._first(pairs, wanted)
        return found

    def _first(self, pairs: Sequence[tuple[str, str]], wanted: bool) -> Cut | None:
        return next(
            (
                c
                for one, other in pairs
                for c in self._of(other)
                if not (wanted and c.cls == "budget")
                and (c.caller == "*" or _pattern(c.caller).match(one))
            ),
            None,
        )

    def begins(self, function: str) -> int:
        """The ``below`` cuts that hold from ``function`` on, one bit each."""
        if function not in self._begins:
            names = self._names_of(function) if self._below else ()
            self._begins[function] = sum(
                1 << i for i, (top, _) in enumerate(self._below) if top in names
            )
        return self._begins[function]

    def begins_call(self, caller: str, callee: str) -> int:
        """The ``below`` cuts that hold from this call on: what is passed there decides."""
        if not self._calls:
            return 0
        pairs = product(self._names_of(caller), self._names_of(callee))
        return sum({self._calls.get(pair, 0) for pair in pairs})

    def forbids(self, callee: str) -> int:
        """The ``below`` cuts under which ``callee`` is not called."""
        if callee not in self._forbids:
            names = self._names_of(callee) if self._below else ()
            self._forbids[callee] = sum(
                1 << i
                for i, (_, pattern) in enumerate(self._below)
                if any(map(_pattern(pattern).match, names))
            )
        return self._forbids[callee]

    def stopped(self, numbered: Numbered) -> Flags:
        """Which of a table's calls are not followed; u8[m]."""
        of = self.common or CutTable(())
        flags = numbered.common(of._flat, self.once).copy()
        numbered.cut(flags, self._flat, self.once)
        for caller, callee in self.wanted:
            callees = numbered.named(callee, self.once)
            for at in numbered.between(numbered.named(caller, self.once), callees):
                one, other = numbered.caller[at], numbered.calls.callees[at]
                flags[at] = self.is_cut(numbered.names[one], numbered.names[other])
        return flags

    def below(self, numbered: Numbered, roots: int) -> tuple[States, States] | None:
        """The states that hold from each function on, and those under which it is not called.

        u64[n + roots], the roots behind; None: no state matters.
        """
        if not self._below:
            return None
        if len(self._below) > _MOST_BELOW:
            raise BlockstackError("too many cuts below a function", value=len(self._below))
        begins = np.zeros(len(numbered.names) + roots, np.uint64)
        forbids = begins.copy()
        for i, (top, callee) in enumerate(self._below):
            begins[numbered.named(top, self.once)] |= np.uint64(1 << i)
            forbids[numbered.matching(callee, self.once)] |= np.uint64(1 << i)
            if not callee.strip("*"):  # any function, and where a stack begins
                forbids[len(numbered.names) :] |= np.uint64(1 << i)
        return begins, forbids

    def calls_with_states(self, numbered: Numbered) -> Iterator[tuple[int, int]]:
        """Calls from which on a ``below`` cut holds: numbers of callers and callees."""
        for caller, callee in self._calls:
            yield from product(numbered.named(caller, self.once), numbered.named(callee, self.once))

    def _names_of(self, function: str) -> tuple[str, ...]:
        """A function's plain name, and the former ones."""
        name = plain_name(function)
        return (name, *self.once.get(name, ()))

    def _of(self, callee: str) -> list[Cut]:
        """The cuts of a callee, whoever calls it."""
        if callee not in self._hits:
            named = self._names.get(callee, [])
            self._hits[callee] = (
                [*named, *(cut for pattern, cut in self._globs if pattern.match(callee))]
                if self._any.match(callee)
                else named
            )
        return self._hits[callee]

    def is_cut(self, caller: str, callee: str) -> bool:
        """Whether ``caller`` -> ``callee`` is not followed."""
        if (caller, callee) not in self._known:
            self._known[caller, callee] = self.find(caller, callee) is not None
        return self._known[caller, callee]
