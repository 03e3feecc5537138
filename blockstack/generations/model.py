"""What a kernel generation is: one record per span of kernels that share the block layer's links.

Kinds refer to generations by name; a frame table of any build of a generation can stand behind
one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from blockstack.base.calls import Anchor, Cut, CutText, Edge, EdgeText, Path
from blockstack.generations.platform import Profile


@dataclass(frozen=True)
class Root:
    """What lies on a task's stack before the first C function: pt_regs and padding.

    ``entry``: assembly that goes on by a C function of its own, and that function; their bytes
    are the table's.
    """

    rows: tuple[tuple[str, int], ...]
    source: str
    entry: tuple[str, str] | None = None


@dataclass(frozen=True)
class StackRules:
    """How one kernel generation stacks limits.

    Attributes
    ----------
    source : str
        The kernel whose code was read.
    def_max_sectors : int
        BLK_DEF_MAX_SECTORS: the block layer's own cap of ``max_sectors``.
    topology : bool
        ``blk_stack_limits`` (2.6.31 and later): alignment, io_min, io_opt, discards.
    modulo : bool
        Alignment by remainder; before 4.x by mask, which only holds for powers of two.
    chunk : {"", "min", "gcd"}
        How ``chunk_sectors`` stacks, if at all.
    rounds : bool
        Lengths are rounded down to the logical block, to a page at least.
    dma : bool
        ``dma_alignment`` is a limit that stacks.
    hw_discard, discard_misaligned : bool
        Whether ``max_hw_discard_sectors`` and ``discard_misaligned`` stack.
    validates : bool
        blk_validate_limits settles what is stacked (6.9 and later): ``max_sectors`` follows from
        the other limits.
    raid456_merge_fn : bool
        Without ``topology``: md's parity levels have a merge_bvec_fn (2.6.20 and later).
    dm_combines_max_hw : bool
        Without ``topology``: dm combines ``max_hw_sectors``, too.
    only : tuple of str
        The limits that its queues have; empty: all but those in ``lacks``.
    lacks : frozenset of str
    start : mapping
        Limits with which a stacked device begins, where they are not a new queue's.
    """

    source: str
    def_max_sectors: int
    topology: bool = True
    modulo: bool = True
    chunk: str = ""
    rounds: bool = False
    dma: bool = False
    hw_discard: bool = True
    discard_misaligned: bool = True
    validates: bool = False
    raid456_merge_fn: bool = True
    dm_combines_max_hw: bool = True
    only: tuple[str, ...] = ()
    lacks: frozenset[str] = frozenset()
    start: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Generation:
    """What one span of kernels is to the model.

    Attributes
    ----------
    name : str
        Of the kernel whose source was read: ``"6.12"``.
    spans : tuple of (tuple of int, tuple of int)
        First version and the one after the last: one submission rule and one set of links each.
    rule : str
        The submission rule that these kernels ship.
    submit_link : str
        Function that a driver calls to submit a lower bio (and that starts every layer).
    dispatch : tuple of str
        Functions that hold the indirect call to the driver; the first that the table has counts.
    idle : tuple of str
        Functions that a queued (not run) submit never enters.
    flush_link, unplug_link : str or None
        Pseudo functions (``@...``) for control paths that recurse through the stack; None: gone.
    files : tuple of str
        Followed in every query.
    edges : tuple of (caller, callee)
        Indirect calls of the block core that are the same for every stack.
    cuts : tuple of (caller, callee, reason)
    published_factor : tuple of float
        How much deeper stack dumps that were published at the time are than the same chains in the
        shipped table, least and most; empty: unknown.
    note : str
        How far the shipped table of this generation can be trusted, with the source.
    assumed : mapping of str to int
        Functions that no table of the generation holds and that paths need: frames in bytes,
        assumed, and shown as such.
    roots : mapping of (arch, pseudo function) to Root
        ``@syscall``, ``@kthread``, ``@fault``, ``@softirq``, ``@hardirq``.
    allocations : tuple of (``below caller->allocator``, what starts reclaim, reason)
        Allocations that may not wait, by call site: every other one may start page reclaim. Empty:
        not read, reclaim is a budget.
    budgets : mapping of name to Path
        What may come on top of a block path and is bounded by itself (reclaim, schedule).
    renames : mapping of function to tuple of str
        What took the place of a function that the kinds name, where a table lacks it or the path
        does not lead to it; empty: its caller did.
    moved : mapping of (caller, callee) to tuple of (caller, callee)
        Indirect calls of the kinds that other functions make or take here, though the table may
        have the old ones, too; empty: nobody makes the call any more.
    calls_by_table : frozenset of str
        Functions that call whatever a path goes on with through a table of pointers.
    gone : mapping of function to str
        Functions without which there is no such device, and why.
    uncut : frozenset of str
        Callees of the kinds' cuts that do not hold in this generation.
    limits : StackRules
        How queue limits stack.
    interrupt_bytes : int
        What the CPU and the entry code save on the stack of the task that an interrupt strikes,
        in kernels that may run interrupts there; 0: they have stacks of their own.
    hard_irq : Path or None
        From ``do_IRQ`` to the handlers of a hard interrupt, where it may run on the stack of the
        task that it strikes; its files and cuts are those of the softirq after it, too.
    contexts : mapping of str to tuple of str
        What a tracer calls a task (``kthread:loop_workfn``) and the functions that only tasks of
        that context have on their stack; one that is absent: the function in its name.
    counted_on : mapping of arch to str
        The shipped kernels on which instructions per I/O were counted (``kernel/data/cost.toml``).
    shipped : mapping of name to Profile
        The builds of it that ship, each with its frame table; a child has its own.
    lineage : tuple of str
        The generation, its parent and so on: whose kinds it has, but for what a kind gives anew.
    environment : tuple of str
        The assumptions of an `Environment` that its cuts ask about; the others are cut always.
    read_in : tuple of tuple of int
        The versions in whose source the names were read.
    doubt : str
        What is assumed of it: set for a kernel of another version, and where the source was not
        read throughout.
    """

    name: str
    rule: str
    submit_link: str
    dispatch: tuple[str, ...]
    limits: StackRules
    spans: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    lineage: tuple[str, ...]
    idle: tuple[str, ...] = ()
    endio_link: str = "bio_endio"
    flush_link: str | None = None
    unplug_link: str | None = None
    files: tuple[str, ...] = ()
    edges: tuple[EdgeText, ...] = ()
    cuts: tuple[CutText, ...] = ()
    note: str = ""
    published_factor: tuple[float, ...] = ()
    assumed: Mapping[str, int] = field(default_factory=dict)
    roots: Mapping[tuple[str, str], Root] = field(default_factory=dict)
    allocations: tuple[CutText, ...] = ()
    budgets: Mapping[str, Path] = field(default_factory=dict)
    renames: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    moved: Mapping[EdgeText, tuple[EdgeText, ...]] = field(default_factory=dict)
    calls_by_table: frozenset[str] = frozenset()
    gone: Mapping[str, str] = field(default_factory=dict)
    uncut: frozenset[str] = frozenset()
    interrupt_bytes: int = 0
    hard_irq: Path | None = None
    contexts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    counted_on: Mapping[str, str] = field(default_factory=dict)
    shipped: Mapping[str, Profile] = field(default_factory=dict)
    environment: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        own = {name: replace(row, generation=self.name) for name, row in self.shipped.items()}
        object.__setattr__(self, "shipped", own)

    read_in: tuple[tuple[int, ...], ...] = ()
    doubt: str = ""

    @cached_property
    def indirect_calls(self) -> tuple[Edge, ...]:
        """`edges`, read."""
        return tuple(map(Edge.read, self.edges))

    def edges_of(self, path: Path) -> tuple[Edge, ...]:
        """The indirect calls of a path as this generation makes them."""
        if not self.moved:
            return path.indirect_calls
        found: list[Edge] = []
        for edge in path.indirect_calls:
            new = self.moved.get((edge.caller, edge.callee))
            found += [edge] if new is None else map(Edge.read, new)
        return tuple(found)

    @cached_property
    def calls_left_out(self) -> tuple[Cut, ...]:
        """`cuts` that hold, read."""
        return tuple(c for c in map(Cut.read, self.cuts) if c.callee not in self.uncut)

    @cached_property
    def renamed(self) -> Mapping[str, tuple[Anchor, ...]]:
        """`renames`, read."""
        return {name: tuple(map(Anchor.read, new)) for name, new in self.renames.items()}

    @cached_property
    def other_names(self) -> Mapping[str, tuple[str, ...]]:
        """The plain names of what took the place of a function."""
        return {
            name: tuple(n for anchor in new for n in anchor.names)
            for name, new in self.renamed.items()
        }

    @cached_property
    def former_names(self) -> Mapping[str, tuple[str, ...]]:
        """The names that a renamed function had."""
        former: dict[str, tuple[str, ...]] = {}
        for name, others in self.other_names.items():
            for other in others:
                former[other] = (*former.get(other, ()), name)
        return former

    @property
    def layer_links(self) -> tuple[str, ...]:
        """The functions at which another layer begins."""
        links = (self.submit_link, self.endio_link, self.flush_link, self.unplug_link)
        return tuple(link for link in links if link)

    def drops(self, name: str) -> bool:
        """Whether a function's caller took its place."""
        return self.renames.get(name) == ()

    def child(
        self,
        name: str,
        *,
        spans: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...],
        edges: tuple[EdgeText, ...] = (),
        cuts: tuple[CutText, ...] = (),
        uncut: frozenset[str] = frozenset(),
        assumed: Mapping[str, int] | None = None,
        roots: Mapping[tuple[str, str], Root] | None = None,
        budget_cuts: tuple[CutText, ...] = (),
        renames: Mapping[str, tuple[str, ...]] | None = None,
        moved: Mapping[EdgeText, tuple[EdgeText, ...]] | None = None,
        gone: Mapping[str, str] | None = None,
        limits: StackRules | None = None,
        contexts: Mapping[str, tuple[str, ...]] | None = None,
        shipped: Mapping[str, Profile] | None = None,
        note: str = "",
        doubt: str = "",
    ) -> "Generation":
        """A later generation: all that this one has, and what it does otherwise.

        ``budget_cuts`` hold on every path of `budgets`; the rest is as the attributes say.
        """
        return replace(
            self,
            name=name,
            lineage=(name, *self.lineage),
            spans=spans,
            doubt=doubt,
            read_in=(tuple(int(part) for part in name.split(".")),),
            edges=self.edges + edges,
            cuts=self.cuts + cuts,
            uncut=self.uncut | uncut,
            assumed={**self.assumed, **(assumed or {})},
            roots={**self.roots, **(roots or {})},
            budgets={
                key: replace(path, cuts=path.cuts + budget_cuts)
                for key, path in self.budgets.items()
            },
            renames={**self.renames, **(renames or {})},
            moved={**self.moved, **(moved or {})},
            gone={**self.gone, **(gone or {})},
            limits=limits or self.limits,
            contexts={**self.contexts, **(contexts or {})},
            shipped=shipped or {},
            note=note or self.note,
        )


# an interrupt stack starts with the word that leads back: previous_esp in its thread_info
# (arch/i386/kernel/irq.c), the saved stack pointer (arch/x86/include/asm/irq_stack.h, 6.1)
IRQ_ROOTS = {
    (arch, root): Root((("interrupt stack", word),), "derived")
    for arch, word in (("i386", 4), ("x86_64", 8))
    for root in ("@softirq", "@hardirq")
}
