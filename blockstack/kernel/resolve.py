"""From what pointers may call to the calls of one kernel: names as the frame table has them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from blockstack.kernel.names import plain_name
from blockstack.kernel.table import FrameTable
from blockstack.kernel.typed import Types


@dataclass(frozen=True)
class Resolution:
    """A frame table and the types of the same build, or of one near it.

    The two name static functions alike but for those that several files have.
    """

    table: FrameTable = field(repr=False)
    types: Types = field(repr=False)

    def keys(self, names: str) -> frozenset[str]:
        """The functions that a name, or one of several, means in this build."""
        return frozenset(
            key
            for name in names.split("|")
            for key in (self._typed_key(name), self.table.own(name) or self.table.find(name))
            if key
        )

    def below(self, callers: frozenset[str], steps: int = 1) -> frozenset[str]:
        """What functions call directly, so many calls down."""
        table, found, last = self.table, set[str](), set(callers)
        for _ in range(steps):
            last = {
                callee
                for caller in last
                for side in (table.calls, table.tail)
                for callee in side.get(caller, ())
            } - found
            found |= last
        return frozenset(found)

    def _typed_key(self, name: str) -> str | None:
        return name if name in self.types.sites else None

    def targets(self, function: str) -> frozenset[str]:
        """Every function that a pointer call of ``function`` may reach."""
        return self._targets.get(function, frozenset())

    def calls(self, function: str, callees: frozenset[str]) -> bool:
        """Whether a pointer call of ``function`` may reach one of ``callees``, or what gcc made of
        the same function in another file: a header's inline function."""
        targets = self.targets(function)
        plain = {plain_name(f) for f in callees if "@" not in f}
        return bool(callees & targets) or any(plain_name(f) in plain for f in targets)

    @cached_property
    def _targets(self) -> dict[str, frozenset[str]]:
        return {f: frozenset(self._named(self.types.targets(f))) for f in self.types.sites}

    def _named(self, functions: Iterable[str]) -> Iterable[str]:
        for function in functions:
            yield function
            if function not in self.table.functions:
                key = self.table.find(function)
                if key:
                    yield key

    def members(self, callers: frozenset[str], callees: frozenset[str]) -> tuple[str, ...]:
        """Members through which ``callers`` call one of ``callees``; all, if there are none."""
        found = {
            member
            for caller in callers
            for site in self.types.of(caller)
            for member in site.members
            if not callees
            or callees & set(self._named(h.function for h in self.types.held(member)))
        }
        return tuple(sorted(found))

    def reaching(self, goal: str) -> frozenset[str]:
        """Functions from which direct calls lead to ``goal``."""
        callers: dict[str, set[str]] = {}
        for side in (self.table.calls, self.table.tail):
            for caller, callees in side.items():
                for callee in callees:
                    callers.setdefault(callee, set()).add(caller)
        start = self.table.find(goal)
        seen, todo = set(), [start] if start else []
        while todo:
            for caller in callers.get(todo.pop(), ()):
                if caller not in seen:
                    seen.add(caller)
                    todo.append(caller)
        return frozenset(seen)
