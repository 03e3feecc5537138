"""Pointer calls that kinds write by hand are claims, and a binary with types checks them.

A claim is an edge of a kind's path, or two anchors of which the first calls the second through a
pointer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from blockstack.base.calls import Anchor, Path, is_root
from blockstack.generations import Generation, in_generation
from blockstack.kernel.interrupts import followed_paths
from blockstack.kernel.resolve import Resolution
from blockstack.kinds import KINDS, Calls, Kind

#: what the binary says of a claim
FOUND, DIRECT, BELOW, MISSING, UNRESOLVED, ELSEWHERE, ABSENT = (
    "found",
    "direct",
    "below",
    "missing",
    "unresolved",
    "elsewhere",
    "absent",
)
#: how many direct calls below a caller its pointer call may be made: gcc inlines, versions part
STEPS = 3
#: claims of the generation, not of a kind
CORE = "generation"


class Pair(NamedTuple):
    """A pointer call as it is written."""

    caller: str
    callee: str


@dataclass(frozen=True)
class Judged:
    """A claim and what the binary says of it.

    Attributes
    ----------
    kinds : tuple of str
        Whose it is.
    verdict : str
        ``found``; ``direct``: no pointer call in this build; ``below``: a function that the
        caller calls makes it, or one that it reaches calls the callee; ``missing``: every pointer
        call of the caller is known and none leads there; ``unresolved``: one is not known, or
        where the callee's address goes;
        ``elsewhere``: the caller has no pointer call in this build, gcc moved it;
        ``absent``: the build lacks one of the two.
    """

    pair: Pair
    kinds: tuple[str, ...]
    verdict: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """Every claim of a generation on one kernel, and calls that nobody claimed.

    Attributes
    ----------
    more : mapping of caller to tuple of str
        Functions that a claimed caller may reach, too, that lead to a submit, and no kind names.
    """

    kernel: str
    claims: tuple[Judged, ...]
    more: Mapping[str, tuple[str, ...]]
    note: str = ""

    def of(self, verdict: str) -> list[Judged]:
        """Claims of one verdict."""
        return [c for c in self.claims if c.verdict == verdict]

    @property
    def holds(self) -> bool:
        """Whether the binary contradicts no claim."""
        return not self.of(MISSING)

    @property
    def recall(self) -> float:
        """Share of the claims about this build's pointer calls that the types find alone."""
        found = len(self.of(FOUND))
        asked = found + len(self.of(MISSING)) + len(self.of(UNRESOLVED))
        return found / asked if asked else 1.0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kernel": self.kernel,
            "note": self.note,
            "recall": round(self.recall, 4),
            "counts": {v: len(self.of(v)) for v in VERDICTS},
            "claims": [
                {
                    "caller": c.pair.caller,
                    "callee": c.pair.callee,
                    "kinds": list(c.kinds),
                    "verdict": c.verdict,
                    "members": list(c.members),
                }
                for c in self.claims
            ],
            "more": {caller: list(names) for caller, names in self.more.items()},
        }


VERDICTS = (FOUND, DIRECT, BELOW, MISSING, UNRESOLVED, ELSEWHERE, ABSENT)


def claims_of(gen: Generation) -> dict[Pair, set[str]]:
    """Every pointer call that the kinds of a generation write, and which kinds do."""
    found: dict[Pair, set[str]] = {}
    for kind, path in _paths(gen):
        for pair in _pairs(path):
            found.setdefault(pair, set()).add(kind)
    for edge in gen.indirect_calls:
        found.setdefault(Pair(edge.caller, edge.callee), set()).add(CORE)
    return {p: k for p, k in found.items() if not is_root(p.caller) and not is_root(p.callee)}


def _paths(gen: Generation) -> Iterator[tuple[str, Path]]:
    for path in (*gen.budgets.values(), *followed_paths(gen.name)):
        yield CORE, path
    for kind in KINDS.values():
        for entries in (kind.entries, *kind.entry_variants.values()):
            for path in (in_generation(entries, gen.name) or {}).values():
                yield kind.name, path
        for calls in _calls(kind, gen.name):
            for path in calls.paths():
                yield kind.name, path


def _calls(kind: Kind, gen: str) -> Iterator[Calls]:
    for by_generation in (kind.calls, *kind.variants.values()):
        calls = in_generation(by_generation, gen)
        if calls is not None:
            yield calls


def _pairs(path: Path) -> Iterator[Pair]:
    for edge in path.indirect_calls:
        yield Pair(edge.caller, edge.callee)
    for a, b in pairwise(path.anchors):
        if b.indirect:
            yield Pair(_text(a), _text(b))


def _text(anchor: Anchor) -> str:
    return "|".join(anchor.names)


def check(resolution: Resolution, gen: Generation, kernel: str, note: str = "") -> Checked:
    """What a kernel's types say of what the kinds claim."""
    judged: dict[Pair, Judged] = {}
    for pair, kinds in sorted(claims_of(gen).items()):
        one = _judge(resolution, pair, tuple(sorted(kinds)))
        judged[pair] = one
    claimed: dict[str, set[str]] = {}
    for pair in judged:
        for caller in resolution.keys(pair.caller):
            claimed.setdefault(caller, set()).update(resolution.keys(pair.callee))
    reaching = resolution.reaching(gen.submit_link)
    more = {
        caller: tuple(sorted((resolution.targets(caller) & reaching) - names))
        for caller, names in sorted(claimed.items())
    }
    return Checked(
        kernel, tuple(judged.values()), {f: names for f, names in more.items() if names}, note
    )


def _judge(resolution: Resolution, pair: Pair, kinds: tuple[str, ...]) -> Judged:
    callers, callees = resolution.keys(pair.caller), resolution.keys(pair.callee)
    if not callers or not callees:
        return Judged(pair, kinds, ABSENT)
    if any(resolution.calls(f, callees) for f in callers):
        return Judged(pair, kinds, FOUND, resolution.members(callers, callees))
    if any(resolution.table.site(f, g) is not None for f in callers for g in callees):
        return Judged(pair, kinds, DIRECT)
    under = resolution.below(callers, STEPS)
    if any(callees & resolution.targets(f) for f in under) or callees & resolution.below(
        frozenset(g for f in callers for g in resolution.targets(f))
    ):
        return Judged(pair, kinds, BELOW)
    if not any(resolution.types.of(f) for f in callers):
        return Judged(pair, kinds, ELSEWHERE)
    loose = resolution.types.loose
    unsure = any(resolution.types.open(f) or resolution.types.leaks(f) for f in callers)
    if unsure or callees & loose:
        return Judged(pair, kinds, UNRESOLVED)
    return Judged(pair, kinds, MISSING, resolution.members(callers, frozenset()))
