"""Whether a call is one that a path does not take: cuts, ready for matching.

Classes: ``error`` (reports, warnings, failing hardware), ``debug`` (compiled in or out for
debugging), ``async`` (runs later, elsewhere), ``workload`` (not what this workload does),
``topology`` (needs a device that the stack lacks), ``budget`` (counted, but in a budget of its
own: reclaim, scheduling) and ``rare`` (real, but seldom: a debt of soundness, named in reports).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from blockstack.base.calls import Cut
from blockstack.kernel.table import plain_name


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
    """

    cuts: tuple[Cut, ...]
    wanted: frozenset[tuple[str, str]] = frozenset()
    once: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _names: dict[str, list[Cut]] = field(default_factory=dict)
    _globs: list[tuple[re.Pattern[str], Cut]] = field(default_factory=list)
    _any: re.Pattern[str] = field(default=re.compile(r"(?!)"))
    _hits: dict[str, list[Cut]] = field(default_factory=dict)
    _below: list[tuple[str, re.Pattern[str]]] = field(default_factory=list)
    _begins: dict[str, int] = field(default_factory=dict)
    _forbids: dict[str, int] = field(default_factory=dict)
    _calls: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for cut in self.cuts:
            if cut.site:
                self._below_call(cut)
            elif cut.below:
                self._below.append((cut.caller, _pattern(cut.callee)))
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
            self._below.append((top, _pattern(cut.callee)))
        call = (cut.caller, cut.site)
        self._calls[call] = self._calls.get(call, 0) | 1 << numbers[0]

    def find(self, caller: str, callee: str) -> Cut | None:
        """The cut that stops ``caller`` -> ``callee``, if one does."""
        callees = self._names_of(callee)
        if not any(map(self._of, callees)):
            return None  # most callees
        pairs = list(product(self._names_of(caller), callees))
        wanted = any(pair in self.wanted for pair in pairs)
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
                if any(map(pattern.match, names))
            )
        return self._forbids[callee]

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
        return self.find(caller, callee) is not None
