"""From anchors to bytes: what one layer, one worker or one way in costs on one kernel.

Every figure comes from `CallGraph.longest` between the anchors that a kind names, so that another
build of the same generation needs no new figures, only its frame table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from blockstack.errors import BlockstackError
from blockstack.kernel.cuts import COMMON_CUTS, Cut, CutTable
from blockstack.kernel.generation import Generation
from blockstack.kernel.paths import CallGraph, CallPath, Entered, Step
from blockstack.kernel.platform import Platform
from blockstack.kernel.table import FrameTable
from blockstack.kinds.model import Path


@dataclass(frozen=True)
class LayerRow:
    """One layer on one kernel.

    Attributes
    ----------
    through : CallPath
        Entry of the block layer for this device to the call that submits the lower bio; empty for
        a leaf.
    peak : CallPath
        Entry to the deepest local function, nothing submitted; a serialised nested submit (which
        only queues) is included.
    """

    through: CallPath
    peak: CallPath


@dataclass(frozen=True)
class _Anchor:
    name: str
    indirect: bool
    optional: bool


@dataclass
class RowSource:
    """Computes and remembers the rows of one kernel.

    Parameters
    ----------
    table : FrameTable
    generation : Generation
    platform : Platform
    entered : Entered or None
        A tracer's view: paths end at the entry of what it traces.
    more_cuts : tuple of Cut
        Calls that are left out beside the common ones: `RARE_CUTS`.
    """

    table: FrameTable
    generation: Generation
    platform: Platform
    entered: Entered | None = None
    more_cuts: tuple[Cut, ...] = ()
    _layers: dict[tuple[Path, str, bool], LayerRow] = field(default_factory=dict)
    _spines: dict[tuple[Path, str | None], CallPath] = field(default_factory=dict)
    _tails: dict[str, CallPath] = field(default_factory=dict)
    _to: dict[tuple[Path, str, str], CallPath] = field(default_factory=dict)

    def layer(self, path: Path, link: str, *, nested: bool) -> LayerRow:
        """Bytes of one layer.

        Parameters
        ----------
        path : Path
            The driver's anchors.
        link : str
            ``submit_link``, ``endio_link``, ``flush_link`` or ``unplug_link`` of the generation.
        nested : bool
            Whether the driver goes on to the next layer through the same link.
        """
        key = (path, link, nested)
        if key not in self._layers:
            self._layers[key] = self._layer(path, link, nested)
        return self._layers[key]

    def _layer(self, path: Path, link: str, nested: bool) -> LayerRow:
        anchors, missing = self._anchors(path)
        graph = self._graph(path, anchors, link)
        names = [a.name for a in anchors]
        if not names:
            return LayerRow(CallPath((), missing), CallPath((), missing))
        head = self._segments(graph, [link, names[0]], link)
        deepest = graph.longest(names[0], None, avoid=self._links(link))
        # the link's own checks (throttling, accounting) run at every layer too
        tail = self.submit_tail(link)
        peak = max(head + (deepest or CallPath()), tail, self._later_peak(graph, names, link),
                   key=lambda p: p.bytes)
        peak = peak + CallPath((), head.missing + missing)
        if not nested:
            return LayerRow(CallPath((), missing), peak)
        through = self._segments(graph, [link, *names, link], link) + CallPath((), missing)
        return LayerRow(through, max(peak, through + tail, key=lambda p: p.bytes))

    def layer_to(self, path: Path, link: str, goal: str) -> CallPath:
        """From the link through the driver's anchors to ``goal`` (inline completion)."""
        key = (path, link, goal)
        if key not in self._to:
            anchors, missing = self._anchors(path)
            names = [a.name for a in anchors]
            if goal.startswith("@") and names:  # a pseudo function: the last anchor calls it
                path = replace(path, edges=(*path.edges, (names[-1], goal)))
            graph = self._graph(path, anchors, link)
            spine = names if goal in names else [*names, goal]
            found = self._segments(graph, [link, *spine], link)
            self._to[key] = found + CallPath((), missing)
        return self._to[key]

    def _later_peak(self, graph: CallGraph, names: list[str], link: str) -> CallPath:
        """Deepest local point behind a link that the anchors themselves pass: dm-crypt ends its
        own clone and with it dm's (bio_endio twice in one layer)."""
        inner = [i for i, name in enumerate(names) if name == link and i + 1 < len(names)]
        if not inner:
            return CallPath()
        start = inner[-1] + 1
        head = self._segments(graph, [link, *names[:start + 1]], link)
        deepest = graph.longest(names[start], None, avoid=self._links(link))
        return head + (deepest or CallPath())

    def spine(self, path: Path, goal: str | None = None) -> CallPath:
        """From a root (``@syscall``, ``@kthread``, ...) along the anchors.

        Parameters
        ----------
        goal : str or None
            Function at which the path ends, its frame not counted; None: on to the deepest one.
        """
        key = (path, goal)
        if key not in self._spines:
            anchors, missing = self._anchors(path)
            graph = self._graph(path, anchors, None)
            names = [a.name for a in anchors]
            if goal is not None:
                ends = names[:-1] if names[-1:] == [goal] else names
                found = self._segments(graph, [*ends, goal], None)
            else:
                found = self._deepest(graph, names, path.via[-1:] == ("submit_bio",))
            self._spines[key] = self._rooted(found) + CallPath((), missing)
        return self._spines[key]

    def _deepest(self, graph: CallGraph, names: list[str], off: bool) -> CallPath:
        """The deepest point below the last anchor or, with ``off``, off any anchor.

        A way in that ends at the submit may be deeper where it submits nothing. A path that
        leaves the anchors after one of them enters none of the others: under reclaim, say,
        nothing reclaims (PF_MEMALLOC), so that there is no such cycle.
        """
        links = self._links("")
        found = CallPath()
        # not off the entry code: the system call table leads to every other system call
        entry = sum(n.startswith("@") or self.table.functions[n][0][:5] == "arch/" for n in names)
        for i in range(entry if off else max(len(names) - 1, 0), len(names)):
            avoid = links | set(names[:i]) | set(names[i + 1:]) if off else links
            rest = graph.longest(names[i], None, avoid=avoid)
            top = self._segments(graph, names[:i + 1], None, names[i + 1:])
            whole = top + (rest or CallPath())
            found = max(found, whole, key=lambda p: p.bytes)
        return found

    def submit_tail(self, link: str) -> CallPath:
        """What a nested submit needs when it only queues the bio (serialised rules)."""
        if link not in self._tails:
            graph = self._graph(Path(()), [], link)
            found = None
            if link == self.generation.submit_link and self.table.find(link):
                avoid = {*self.generation.idle, self.generation.endio_link}
                found = graph.longest(link, None, avoid=avoid)
            self._tails[link] = found or CallPath()
        return self._tails[link]

    def budgets(self) -> dict[str, CallPath]:
        """What may come on top of a block path, bounded by itself: name to deepest path."""
        return {name: self.spine(path) for name, path in self.generation.budgets.items()}

    def leaves_out(self, path: Path) -> bool:
        """Whether the path's own anchors make one of the calls of ``more_cuts``."""
        names = [anchor.name for anchor in self._anchors(path)[0]]
        return any(self._more.is_cut(a, b) for a, b in pairwise(names))

    @cached_property
    def _more(self) -> CutTable:
        return CutTable(self.more_cuts)

    def _anchors(self, path: Path) -> tuple[list[_Anchor], tuple[str, ...]]:
        """Anchors that the table has; the names of those that it lacks."""
        found, missing = [], []
        for text in path.via:
            indirect, optional = text.startswith(">"), text.endswith("?")
            names = text.removeprefix(">").removesuffix("?").split("|")
            keys = [n if n.startswith("@") else self.table.find(n) for n in names]
            key = next((k for k in keys if k), None)
            if key is not None:
                found.append(_Anchor(key, indirect, optional))
            elif not optional:
                missing.append(names[0])
        return found, tuple(missing)

    def _graph(self, path: Path, anchors: list[_Anchor], link: str | None) -> CallGraph:
        gen = self.generation
        edges = [*gen.edges, *path.edges]
        pairs = pairwise(anchors)
        edges += [(a.name, b.name) for a, b in pairs if b.indirect or a.name.startswith("@")
                  or gen.assumed.keys() & {a.name, b.name}]
        if anchors and link is not None:
            first = anchors[0]
            if link == gen.submit_link and first.indirect:
                site = next((d for d in gen.dispatch if self.table.find(d)), link)
                edges.append((site, first.name))
            elif link != gen.submit_link:
                edges.append((link, first.name))
            if link.startswith("@"):
                edges.append((anchors[-1].name, link))
        cuts = tuple(Cut(a, b, reason, "topology") for a, b, reason in (*gen.cuts, *path.cuts))
        return CallGraph(self.table, gen.files + path.files, tuple(edges),
                         CutTable(cuts + self.more_cuts + COMMON_CUTS, frozenset(path.edges)),
                         self.entered)

    def _links(self, link: str) -> set[str]:
        """The functions at which another layer begins."""
        gen = self.generation
        links = {gen.submit_link, gen.endio_link, gen.flush_link or "", gen.unplug_link or ""}
        return {*links, link} - {""}

    def _segments(self, graph: CallGraph, names: list[str], link: str | None,
                  later: Sequence[str] = ()) -> CallPath:
        total = CallPath()
        for a, b in pairwise(names):
            avoid = (self._links(link or "") - {b}) | ({*names, *later} - {a, b})
            found = graph.longest(a, b, avoid=avoid)
            if found is None:  # not connected in this build: a lower bound, and we say so
                own = Step(a, 0 if a.startswith("@") else self.table.functions[a][1])
                found = CallPath((own,), (f"{a} -> {b}",)) if a in self.table.functions else (
                    CallPath((), (f"{a} -> {b}",)))
            total = total + found
        return total

    def _rooted(self, path: CallPath) -> CallPath:
        """``@syscall`` and the like replaced by the rows that the platform puts there."""
        steps: list[Step] = []
        for step in path.steps:
            if not step.function.startswith("@"):
                steps.append(step)
                continue
            root = self.generation.roots.get((self.platform.arch, step.function))
            if root is None:
                raise BlockstackError("no such root on this architecture",
                                      path=self.generation.name, value=step.function)
            steps += [Step(name, n, "derived") for name, n in root.rows]
            if step.function == "@syscall" and self.platform.offset_bytes:
                # CONFIG_RANDOMIZE_KSTACK_OFFSET, include/linux/randomize_kstack.h: at most 10 bits
                steps.append(Step("randomize_kstack_offset", self.platform.offset_bytes,
                                  "published"))
        return CallPath(tuple(steps), path.missing)
