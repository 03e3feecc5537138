"""Calls between functions of a kernel, as kinds and generations write them and as they are read.

They are written in short strings, which are read here and nowhere else, once:

an anchor, a function that a path goes through:
    ``"f"``; ``">f"`` reached by an indirect call that the anchor before it makes; ``"f?"`` may be
    inlined in some builds; ``"f|g"`` the first of these that the table has; ``"f@place"`` the one
    that is defined in this file or module;
an edge, an indirect call that the kind or the topology resolves:
    ``("caller", "callee")``, where ``?`` after a name says that some builds lack the function;
a cut, a call that the path cannot take, with the reason in the kernel's code:
    ``("caller", "callee", "reason")``, where ``*`` stands for any text and ``"below f"`` for
    every caller while ``f`` is on the stack (``"below f->g"``: below that
    call of it); a reason that ends in ``[key=word]`` holds only in
    such an `Environment`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal

#: before a caller's name: the cut holds for every call below that function
BELOW = "below "
CutClass = Literal["error", "debug", "async", "workload", "topology", "budget", "rare"]
#: caller and callee; caller, callee and reason: as they are written
EdgeText = tuple[str, str]
CutText = tuple[str, str, str]


def split_place(name: str) -> tuple[str, str]:
    """A function's own name and where it is defined: ``"f@fs/x.c"`` -> ``("f", "fs/x.c")``."""
    function, _, place = name.partition("@")
    return function, place


def cut_rows(reason: str, *pairs: str) -> tuple[CutText, ...]:
    """Calls cut for one reason: ``"caller->callee"``, or ``"callee"`` from any caller."""
    rows = (pair.rpartition("->") for pair in pairs)
    return tuple((caller or "*", callee, reason) for caller, _, callee in rows)


def is_root(name: str) -> bool:
    """Whether it is no function but where a stack begins: ``@syscall``, ``@kthread`` ..."""
    return name.startswith("@")


@dataclass(frozen=True)
class Anchor:
    """A function that a path goes through.

    Attributes
    ----------
    names : tuple of str
        What it is called, the first that a table has; each may end in ``@place``.
    indirect : bool
        The anchor before it calls it through a pointer.
    optional : bool
        It may have been inlined: passed over where a table lacks it.
    """

    names: tuple[str, ...]
    indirect: bool = False
    optional: bool = False

    @staticmethod
    @cache
    def read(text: str) -> "Anchor":
        """The anchor that ``text`` writes."""
        names = tuple(text.removeprefix(">").removesuffix("?").split("|"))
        return Anchor(names, text.startswith(">"), text.endswith("?"))

    def at(self, place: str) -> str:
        """The text of this anchor in one place (``f@place``)."""
        names = "|".join(f"{name}@{place}" for name in self.names)
        return f"{'>' * self.indirect}{names}{'?' * self.optional}"


@dataclass(frozen=True)
class Edge:
    """An indirect call that the kind or the topology resolves.

    Attributes
    ----------
    caller, callee : str
    caller_optional, callee_optional : bool
        Some builds lack the function: gcc inlined it, or another version or file has its place.
    """

    caller: str
    callee: str
    caller_optional: bool = False
    callee_optional: bool = False

    @staticmethod
    @cache
    def read(text: EdgeText) -> "Edge":
        """The edge that ``text`` writes."""
        caller, callee = text
        return Edge(
            caller.removesuffix("?"),
            callee.removesuffix("?"),
            caller.endswith("?"),
            callee.endswith("?"),
        )

    @property
    def required(self) -> bool:
        """Whether a path is a lower bound where a table lacks one of the two."""
        return not (self.caller_optional or self.callee_optional)

    @property
    def ends(self) -> tuple[tuple[str, bool], tuple[str, bool]]:
        """Caller and callee, each with whether a table may lack it."""
        return (self.caller, self.caller_optional), (self.callee, self.callee_optional)

    def __str__(self) -> str:
        return f"{self.caller} -> {self.callee}"


@dataclass(frozen=True)
class Cut:
    """A call that is not followed.

    Attributes
    ----------
    caller, callee : str
        Function names, ``*`` patterns allowed; gcc's clone suffixes and ``@place`` are ignored in
        matching.
    reason : str
    cls : str
    below : bool
        The caller is any function while ``caller`` (a name, no pattern) is on the stack: what
        that one passes down decides.
    site : str
        With ``below``: while this callee of ``caller`` is; empty: whatever it calls.
    when : str
        The `Environment` in which the cut holds (``iommu=none``); empty: in all.
    """

    caller: str
    callee: str
    reason: str
    cls: CutClass = "topology"
    below: bool = False
    when: str = ""
    site: str = ""

    @staticmethod
    @cache
    def read(text: CutText, cls: CutClass = "topology") -> "Cut":
        """The cut that ``text`` writes."""
        caller, callee, reason = text
        why, _, when = reason.removesuffix("]").partition(" [")
        top, _, site = caller.removeprefix(BELOW).partition("->")
        return Cut(top, callee, why, cls, caller.startswith(BELOW), when, site)


@dataclass(frozen=True)
class Path:
    """A chain of anchors through the call graph of one kernel generation.

    Between two anchors the frame table's direct calls give the deepest path.

    Attributes
    ----------
    via : tuple of str
        Anchors in call order.
    edges : tuple of (caller, callee)
        Further indirect calls that this kind resolves, off the spine.
    files : tuple of str
        Source files (or directories, ending in ``/``) whose functions are followed, beside the
        generation's common ones; ``f()``: the functions of this name, whatever their file.
    cuts : tuple of (caller, callee, reason)
        Calls that this path cannot take.
    again : tuple of tuple of str
        Cycles of calls (a function that calls itself: one name) that are run once more than the
        longest simple path has them: a tree that is walked down by recursion.
    climbs : tuple of (function, rounds)
        Functions that call themselves so many times more than once, wherever the path has them.
    """

    via: tuple[str, ...]
    edges: tuple[EdgeText, ...] = ()
    files: tuple[str, ...] = ()
    cuts: tuple[CutText, ...] = ()
    again: tuple[tuple[str, ...], ...] = ()
    climbs: tuple[tuple[str, int], ...] = ()

    # paths are keys of every remembered row: their texts are hashed and read once
    @cached_property
    def _hash(self) -> int:
        return hash((self.via, self.edges, self.files, self.cuts, self.again, self.climbs))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type["Path"], tuple[object, ...]]:
        """Without what is remembered: another process hashes strings otherwise."""
        return Path, (self.via, self.edges, self.files, self.cuts, self.again, self.climbs)

    @cached_property
    def anchors(self) -> tuple[Anchor, ...]:
        """`via`, read."""
        return tuple(map(Anchor.read, self.via))

    @cached_property
    def indirect_calls(self) -> tuple[Edge, ...]:
        """`edges`, read."""
        return tuple(map(Edge.read, self.edges))

    @cached_property
    def calls_left_out(self) -> tuple[Cut, ...]:
        """`cuts`, read."""
        return tuple(map(Cut.read, self.cuts))

    @property
    def root(self) -> str:
        """The path's first function."""
        return self.anchors[0].names[0]

    def names(self) -> Iterator[str]:
        """Every function that the path mentions, in call order, then those of its edges."""
        for anchor in self.anchors:
            yield from anchor.names
        for edge in self.indirect_calls:
            yield from (edge.caller, edge.callee)

    def replace_via(self, via: tuple[str, ...]) -> "Path":
        """Other anchors through the same indirect calls, files and cuts.

        Indirect calls between the anchors so far are kept as plain edges.
        """
        kept = tuple(
            (caller, callee)
            for a, b in zip(self.anchors, self.anchors[1:], strict=False)
            if b.indirect
            for caller in _each(a)
            for callee in _each(b)
        )
        return replace(self, via=via, edges=self.edges + kept)

    def from_first_indirect(self) -> "Path":
        """The part from the first anchor on that is called through a pointer; all, without one."""
        first = next((i for i, anchor in enumerate(self.anchors) if anchor.indirect), 0)
        return replace(self, via=self.via[first:])

    def then(self, lower: "Path") -> "Path":
        """This path, continued by the path of what it calls.

        The first anchor of ``lower`` carries its own mark: ``">e1000_xmit_frame"`` joins a
        protocol's path that ends at ``dev_hard_start_xmit`` to the network driver under it.
        """
        return Path(
            self.via + lower.via,
            self.edges + lower.edges,
            self.files + lower.files,
            self.cuts + lower.cuts,
            self.again + lower.again,
            self.climbs + lower.climbs,
        )


def _each(anchor: Anchor) -> tuple[str, ...]:
    """An anchor's names as an edge writes them: of several, any may be absent."""
    mark = "?" if anchor.optional or len(anchor.names) > 1 else ""
    return tuple(name + mark for name in anchor.names)
