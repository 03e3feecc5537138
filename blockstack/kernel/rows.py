"""From anchors to bytes: what one layer, one worker or one entry point costs on one kernel.

Every figure is `CallGraph.longest` between anchors: another build needs only its frame table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, pairwise

from blockstack.base.calls import Anchor, Cut, Edge, Path, is_root
from blockstack.base.environment import UNTOLD, Environment
from blockstack.generations import Generation
from blockstack.generations.platform import Platform
from blockstack.kernel.cuts import CutTable
from blockstack.kernel.following import common_cuts, path_cuts
from blockstack.kernel.graph import CallGraph, CallPath, Entered, Step, one_more_round
from blockstack.kernel.layer import Found, LayerRow
from blockstack.kernel.roots import rooted
from blockstack.kernel.rounds import climbs
from blockstack.kernel.table import FrameTable


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
    environment : Environment
        What is taken for granted: cuts that need another one are not made.
    followed : frozenset of str
        Budgets that are none: ``reclaim`` is followed below every allocation whose flags let it
        wait (`Generation.allocations`), ``schedule`` from wherever a task sleeps or wakes another.
    """

    table: FrameTable
    generation: Generation
    platform: Platform
    entered: Entered | None = None
    more_cuts: tuple[Cut, ...] = ()
    environment: Environment = UNTOLD
    followed: frozenset[str] = frozenset()
    _layers: dict[tuple[Path, str, bool], LayerRow] = field(default_factory=dict)
    _spines: dict[tuple[Path, str | None], CallPath] = field(default_factory=dict)
    _tails: dict[str, CallPath] = field(default_factory=dict)
    _flushes: dict[tuple[Path, Path], CallPath | None] = field(default_factory=dict)
    _to: dict[tuple[Path, str, str], CallPath] = field(default_factory=dict)
    _graphs: dict[tuple[object, ...], CallGraph] = field(default_factory=dict)
    _following: dict[frozenset[str], "RowSource"] = field(default_factory=dict)

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
        names, missing, graph = self._follow(path, link)
        lacking = CallPath((), missing)
        if not names:
            return LayerRow(lacking, lacking)
        head = self._segments(graph, [link, names[0]], link)
        deepest = graph.longest(names[0], None, avoid=self._links(link))
        # the link's own checks (throttling, accounting) run at every layer too
        tail = self.submit_tail(link)
        peak = max(
            head + (deepest or CallPath()),
            tail,
            self._peak_behind_link(graph, names, link),
            key=lambda p: p.bytes,
        )
        more = one_more_round(self.table, path, self.more_cuts)
        peak = peak + more + CallPath((), head.missing + missing)
        if not nested:
            return LayerRow(lacking, peak)
        through = self._segments(graph, [link, *names, link], link) + more + lacking
        return LayerRow(through, max(peak, through + tail, key=lambda p: p.bytes))

    def layer_to(self, path: Path, link: str, goal: str) -> CallPath:
        """From the link through the driver's anchors to ``goal`` (inline completion)."""
        key = (path, link, goal)
        if key not in self._to:
            names, missing, graph = self._follow(path, link)
            if is_root(goal) and names:  # a pseudo function: the last anchor calls it
                path = replace(path, edges=(*path.edges, (names[-1], goal)))
                names, missing, graph = self._follow(path, link)
            spine = names if names[-1:] == [goal] else [*names, goal]
            found = self._segments(graph, [link, *spine], link)
            self._to[key] = found + CallPath((), missing)
        return self._to[key]

    def _peak_behind_link(self, graph: CallGraph, names: list[str], link: str) -> CallPath:
        """Deepest local point behind a link that the anchors themselves pass: dm-crypt ends its
        own clone and with it dm's (bio_endio twice in one layer)."""
        inner = [i for i, name in enumerate(names) if name == link and i + 1 < len(names)]
        if not inner:
            return CallPath()
        start = inner[-1] + 1
        head = self._segments(graph, [link, *names[: start + 1]], link)
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
            names, missing, graph = self._follow(path, None)
            if goal is not None:
                names = names[:-1] if names[-1:] == [goal] else names
                found = self._segments(graph, [*names, goal], None)
            else:
                found = self._deepest(graph, names, path.via[-1:] == ("submit_bio",))
            self._spines[key] = (
                self._whole(found)
                + one_more_round(self.table, path, self.more_cuts)
                + CallPath((), missing)
            )
        return self._spines[key]

    def _deepest(self, graph: CallGraph, names: list[str], off: bool) -> CallPath:
        """The deepest point below the last anchor or, with ``off``, off any anchor.

        An entry point that ends at the submit may be deeper where it submits nothing. A path that
        leaves the anchors after one of them enters none of the others: under reclaim, say,
        nothing reclaims (PF_MEMALLOC), so that there is no such cycle.
        """
        links = self._links("")
        found = CallPath()
        # not off the entry code: the system call table leads to every other system call
        entry = sum(is_root(n) or self.table.functions[n][0][:5] == "arch/" for n in names)
        tops = self._tops(graph, names)
        for i in range(entry if off else max(len(names) - 1, 0), len(names)):
            avoid = links | set(names[:i]) | set(names[i + 1 :]) if off else links
            rest = graph.longest(names[i], None, avoid=avoid)
            whole = tops[i] + (rest or CallPath())
            found = max(found, whole, key=lambda p: p.bytes)
        return found

    def plug_flush(self, path: Path, callback: Path) -> CallPath | None:
        """An entry point ending its plug: down to the deepest blk_finish_plug that it reaches, and
        through a driver's plug callback to the submit of what the driver had plugged.

        Parameters
        ----------
        path : Path
            The entry point, from its root.
        callback : Path
            From blk_finish_plug on.

        Returns
        -------
        CallPath or None
            None: this way holds no plug.
        """
        key = (path, callback)
        if key not in self._flushes:
            self._flushes[key] = self._flush(path, callback)
        return self._flushes[key]

    def _flush(self, path: Path, callback: Path) -> CallPath | None:
        names, missing, graph = self._follow(path, None)
        goal = self.table.find(callback.root)
        found: CallPath | None = None
        for i, top in enumerate(self._tops(graph, names) if goal and names else ()):
            rest = graph.longest(names[i], goal, avoid=self._links("") | set(names[:i]))
            if rest is not None and (found is None or (top + rest).bytes > found.bytes):
                found = top + rest
        if found is None:
            return None
        after = self.spine(callback, self.generation.submit_link)
        return self._whole(found) + after + CallPath((), missing)

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
        paths = self.generation.budgets
        return {name: self.spine(path) for name, path in paths.items() if name not in self.followed}

    def following(self, budgets: frozenset[str]) -> "RowSource":
        """The same kernel with these budgets followed where the code lets them start."""
        if budgets not in self._following:
            self._following[budgets] = RowSource(
                self.table,
                self.generation,
                self.platform,
                self.entered,
                self.more_cuts,
                self.environment,
                budgets,
            )
        return self._following[budgets]

    def leaves_out(self, path: Path) -> bool:
        """Whether the path's own anchors make one of the calls of ``more_cuts``, or one that the
        environment rules out."""
        ruled_out = tuple(cut for cut in path.calls_left_out if cut.when and self._holds(cut))
        if not self.more_cuts and not ruled_out:
            return False
        names = [anchor.name for anchor in self._anchors(path)[0]]
        tables = self._more, CutTable(ruled_out, once=self.generation.former_names)
        return any(table.is_cut(a, b) for table in tables for a, b in pairwise(names))

    def _holds(self, cut: Cut) -> bool:
        """Whether a cut is one of this generation, in this environment."""
        return cut.callee not in self.generation.uncut and self.environment.meets(cut.when)

    @cached_property
    def _common(self) -> tuple[CutTable, tuple[str, ...]]:
        return common_cuts(self.generation, self.followed, self.more_cuts, self._holds)

    @cached_property
    def _more(self) -> CutTable:
        return CutTable(self.more_cuts)

    def _anchors(self, path: Path) -> tuple[list[Found], tuple[str, ...]]:
        """Anchors that the table has; the names of those that it lacks."""
        found, missing = [], []
        for anchor in path.anchors:
            one = self._find(anchor)
            if one is not None:
                found.append(one)
            elif not anchor.optional and not any(map(self.generation.drops, anchor.names)):
                missing.append(anchor.names[0])
        return found, tuple(missing)

    def _find(self, anchor: Anchor) -> Found | None:
        """The first of an anchor's names that the table has, else of what took their place."""
        options = [(name, anchor.indirect, name) for name in anchor.names]
        options += [
            (name, anchor.indirect or other.indirect, asked)
            for asked in anchor.names
            for other in self.generation.renamed.get(asked, ())
            for name in other.names
        ]
        return next(
            (
                Found(key, indirect, anchor.optional, asked)
                for name, indirect, asked in options
                if (key := name if is_root(name) else self.table.own(name))
            ),
            None,
        )

    def _follow(self, path: Path, link: str | None) -> tuple[list[str], tuple[str, ...], CallGraph]:
        """A path's anchors in this table, those that it lacks, and the graph between them."""
        anchors = self._anchors(path)[0]
        graph = self._graph(path, anchors, link)
        better = self._connected(graph, anchors, link)
        if better != anchors:
            anchors, graph = better, self._graph(path, better, link)
        return [a.name for a in anchors], self.lacking(path), graph

    def lacking(self, path: Path) -> tuple[str, ...]:
        """What the table lacks of a path: anchors, and ends of its indirect calls."""
        missing = self._anchors(path)[1]
        core = self.generation.indirect_calls  # of callers that not every path comes to
        lost = [edge for edge in core if self._lost(edge, whole=self._has(edge.caller))]
        # without an anchor it is a lower bound already: its edges lack what lies around that one
        own = self.generation.edges_of(path)
        lost += [edge for edge in own if self._lost(edge, whole=not missing)]
        return missing + tuple(map(str, lost))

    def _lost(self, edge: Edge, *, whole: bool) -> bool:
        """Whether the table lacks a function of the edge that a kernel like this one has or, on a
        path that is ``whole`` otherwise, one that is required."""
        return any(
            self.table.lacks(name) or (whole and not optional and not self._has(name))
            for name, optional in edge.ends
        )

    def _has(self, name: str) -> bool:
        """Whether the table has a function, or what took its place."""
        return is_root(name) or self.table.find(name) is not None or self.generation.drops(name)

    def _connected(self, graph: CallGraph, anchors: list[Found], link: str | None) -> list[Found]:
        """The anchors, but those that are there and not called from where the path says.

        An optional one was inlined into the anchor before and stands in the table for other
        callers; a renamed one is taken by its other name, if it has one.
        """
        found: list[Found] = []
        for anchor in anchors:
            renamed = () if anchor.optional else self.generation.renamed.get(anchor.asked)
            before = found[-1].name if found else None if anchor.optional else link
            if (
                anchor.indirect
                or renamed is None
                or before is None
                or graph.reaches(
                    before, anchor.name, () if anchor.optional else self._links(link or "")
                )
            ):
                found.append(anchor)
                continue
            others = [
                replace(anchor, name=key, indirect=other.indirect)
                for other in renamed
                for name in other.names
                if (key := self.table.find(name))
            ]
            reached = (o for o in others if o.indirect or graph.reaches(before, o.name, ()))
            found += (*reached, *others)[:1] or [anchor][: len(renamed)]
        kept = [
            a for a, b in zip(found, (None, *found), strict=False) if b is None or a.name != b.name
        ]
        by_table = (b and b.name in self.generation.calls_by_table for b in (None, *kept))
        return [replace(a, indirect=True) if t else a for a, t in zip(kept, by_table, strict=False)]

    def _graph(self, path: Path, anchors: list[Found], link: str | None) -> CallGraph:
        gen = self.generation
        resolved = (*gen.indirect_calls, *gen.edges_of(path))
        edges = [(edge.caller, edge.callee) for edge in resolved]
        pairs = pairwise(anchors)
        edges += [
            (a.name, b.name)
            for a, b in pairs
            if b.indirect or is_root(a.name) or gen.assumed.keys() & {a.name, b.name}
        ]
        if anchors and link is not None:
            first = anchors[0]
            if link == gen.submit_link and first.indirect:
                site = next((d for d in gen.dispatch if self.table.find(d)), link)
                edges.append((site, first.name))
            elif link != gen.submit_link:
                edges.append((link, first.name))
            if is_root(link):
                edges.append((anchors[-1].name, link))
        cuts, files = self._common
        key = (frozenset(edges), path.edges, path.files, path.cuts, path.climbs)
        if key not in self._graphs:  # the same for the ways that differ in their anchors only
            self._graphs[key] = CallGraph(
                self.table,
                files + path.files,
                tuple(edges),
                path_cuts(path, self._holds, cuts),
                self.entered,
                climbs(self.table, path),
            )
        return self._graphs[key]

    def _links(self, link: str) -> set[str]:
        """The functions at which another layer begins."""
        return {*self.generation.layer_links, link} - {""}

    def _tops(self, graph: CallGraph, names: list[str]) -> list[CallPath]:
        """From the first anchor to each of them; none enters an anchor before its turn."""
        parts = (self._segments(graph, [a, b], None, names) for a, b in pairwise(names))
        return list(accumulate(parts, initial=CallPath()))

    def _segments(
        self, graph: CallGraph, names: list[str], link: str | None, others: Sequence[str] = ()
    ) -> CallPath:
        total = CallPath()
        for a, b in pairwise(names):
            avoid = (self._links(link or "") - {b}) | ({*names, *others} - {a, b})
            found = graph.longest(a, b, avoid=avoid)
            if found is None:  # not connected in this build: a lower bound, and we say so
                row = self.table.functions.get(a)
                own = () if row is None else (Step(a, row[1]),)
                found = CallPath(own, (f"{a} -> {b}",))
            total = total + found
        return total

    def _whole(self, path: CallPath) -> CallPath:
        return rooted(path, self.table, self.generation, self.platform)
