"""Kernel generations: the names of the block layer's links, and the files that are followed.

A generation is a span of kernels that share these names. Kinds refer to generations by name; a
frame table of any build of that generation can stand behind one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from blockstack.base.calls import Anchor, Cut, CutText, Edge, EdgeText, Path
from blockstack.base.errors import BlockstackError
from blockstack.kernel.later import CUTS, EDGES, FROM_SCHEDULE, GONE, RENAMES, UNCUT
from blockstack.kinds.model import LIKE


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
class Generation:
    """Link names of one span of kernels.

    Attributes
    ----------
    name : str
        ``"2.6.18"``, ``"2.6.24"``, ``"6.1"`` or ``"6.12"``.
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
    note : str
        How far the shipped table of this generation can be trusted, with the source.
    assumed : mapping of str to int
        Functions that no table of the generation holds and that paths need: frames in bytes,
        assumed, and shown as such.
    roots : mapping of (arch, pseudo function) to Root
        ``@syscall``, ``@kthread``, ``@fault``, ``@softirq``, ``@hardirq``.
    budgets : mapping of name to Path
        What may come on top of a block path and is bounded by itself (reclaim, schedule).
    renames : mapping of function to tuple of str
        What took the place of a function that the kinds name, where a table lacks it or the path
        does not lead to it; empty: its caller did.
    gone : mapping of function to str
        Functions without which there is no such device, and why.
    uncut : frozenset of str
        Callees of the kinds' cuts that do not hold in this generation.
    read_in : tuple of tuple of int
        The versions in whose source the names were read.
    doubt : str
        Set for a kernel of another version: what is assumed of it.
    """

    name: str
    rule: str
    submit_link: str
    dispatch: tuple[str, ...]
    idle: tuple[str, ...] = ()
    endio_link: str = "bio_endio"
    flush_link: str | None = None
    unplug_link: str | None = None
    files: tuple[str, ...] = ()
    edges: tuple[EdgeText, ...] = ()
    cuts: tuple[CutText, ...] = ()
    note: str = ""
    assumed: Mapping[str, int] = field(default_factory=dict)
    roots: Mapping[tuple[str, str], Root] = field(default_factory=dict)
    budgets: Mapping[str, Path] = field(default_factory=dict)
    renames: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)
    uncut: frozenset[str] = frozenset()
    read_in: tuple[tuple[int, ...], ...] = ()
    doubt: str = ""

    @cached_property
    def indirect_calls(self) -> tuple[Edge, ...]:
        """`edges`, read."""
        return tuple(map(Edge.read, self.edges))

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

    def drops(self, name: str) -> bool:
        """Whether a function's caller took its place."""
        return self.renames.get(name) == ()


# struct pt_regs of i386: 15 words in 2.6.18 (include/asm-i386/ptrace.h), 16 in 2.6.24, which also
# saves %fs (include/asm-x86/ptrace.h); 8 bytes of padding at the top of the stack (copy_thread:
# esp0, "reserve 8 bytes on top of the ring0 stack").
# A kernel thread starts by ret_from_fork's iret to kernel mode: that pops pt_regs but for its last
# two words (esp, ss); kernel_thread_helper then pushes the argument (2.6.24: a zero word before
# it, too) and calls the thread function (arch/i386/kernel/process.c, arch/x86/kernel/entry_32.S).


def _old_i386(pt_regs: int, pushed: int) -> dict[tuple[str, str], Root]:
    user = Root((("padding", 8), ("pt_regs", pt_regs)), "derived")
    thread = (("padding", 8), ("pt_regs (esp, ss)", 8), ("kernel_thread_helper", pushed))
    return {
        ("i386", "@syscall"): user,
        ("i386", "@fault"): user,
        ("i386", "@kthread"): Root(thread, "derived"),
    }


# an interrupt stack starts with the word that leads back: previous_esp in its thread_info
# (arch/i386/kernel/irq.c), the saved stack pointer (arch/x86/include/asm/irq_stack.h, 6.1)
_IRQ_ROOTS = {
    (arch, root): Root((("interrupt stack", word),), "derived")
    for arch, word in (("i386", 4), ("x86_64", 8))
    for root in ("@softirq", "@hardirq")
}
_OLD_FILES = (
    "block/ll_rw_blk.c",
    "block/elevator.c",
    "fs/bio.c",
    "mm/mempool.c",
    "mm/slab.c",
    "mm/slub.c",
    "mm/page_alloc.c",
    "mm/highmem.c",
    "mm/bounce.c",
)
_OLD_CUTS = (
    ("generic_make_request", "bio_endio", "only for a bio that is refused (past the end)"),
    ("generic_make_request", "handle_bad_sector", "only for a bio past the end of the device"),
    # its block_dump report lies in another section; the tables name the jump there wrongly
    ("submit_bio", "blk_complete_request", "not called: the jump goes to the block_dump report"),
    ("submit_bio", "blk_recalc_rq_segments", "not called: the jump goes to the block_dump report"),
)

# Jesper Juhl, LKML 2006-11-21, five do_IRQ dumps of 2.6.19-rc6 (8192 - 56 - bytes left): the sum
# of this table over the same functions is 71 to 77 % of each total.
_OLD_COMPILER = (
    "built by gcc 11; kernels of the time were built by gcc 3.x: five stack dumps of "
    "2.6.19-rc6 that were published in 2006 are 1.3 to 1.4 times as deep as the same "
    "chains here, so take a narrow fit as none"
)
# the pool's allocator: a slab cache in every pool of the block layer (mm/mempool.c)
_OLD_EDGES = (("mempool_alloc", "mempool_alloc_slab"), ("mempool_free", "mempool_free_slab"))

# Reclaim as the block layer may start it (GFP_NOIO): clean pages are unmapped and dropped, nothing
# is written out and no cache is shrunk (mm/vmscan.c may_enter_fs; the shrinkers' own checks).
_OLD_BUDGETS = {
    "reclaim": Path(
        ("try_to_free_pages",),
        files=("mm/vmscan.c", "mm/rmap.c", "mm/swap_state.c", "fs/buffer.c", "lib/radix-tree.c"),
    ),
    "schedule": Path(("schedule",), files=("kernel/sched.c",)),
}
_FROM_SCHEDULE = "from_schedule: requests are inserted, kblockd dispatches them (block/blk-mq.c)"
_INSERT_ONLY = (
    ("blk_mq_flush_plug_list", "blk_mq_plug_issue_direct", _FROM_SCHEDULE),
    ("blk_mq_flush_plug_list", "blk_mq_request_issue_directly", _FROM_SCHEDULE),
    ("blk_mq_flush_plug_list", "__blk_mq_flush_plug_list", _FROM_SCHEDULE),
    ("blk_mq_sched_insert_requests", "blk_mq_try_issue_list_directly", _FROM_SCHEDULE),
    ("__blk_mq_delay_run_hw_queue", "__blk_mq_run_hw_queue", _FROM_SCHEDULE),
)
_BUDGETS = {
    "reclaim": Path(
        ("try_to_free_pages",),
        files=("mm/vmscan.c", "mm/rmap.c", "mm/swap.c", "fs/fs-writeback.c"),
        cuts=(
            *_INSERT_ONLY,
            ("shrink_lruvec", "evict_folios", "multi-gen LRU is off (LRU_GEN_ENABLED unset)"),
            ("shrink_lruvec", "try_to_inc_max_seq", "multi-gen LRU is off"),
            ("*", "mem_cgroup_soft_limit_reclaim", "no soft limit is set"),
            ("*", "demote_folio_list", "no memory tiers"),
            ("shrink_node", "shrink_slab", "GFP_NOIO: file systems' shrinkers do nothing"),
            ("shrink_lruvec", "blk_finish_plug", "GFP_NOIO: nothing was submitted under it"),
        ),
    ),
    "schedule": Path(
        ("schedule",),
        (("schedule", "__schedule"),),
        ("kernel/sched/core.c", "kernel/sched/fair.c"),
        _INSERT_ONLY,
    ),
}

# crypto/async_tx is in no table. Assumed for a function without arrays: six saved registers, the
# return address and one spilled word, of 8 bytes each.
_NEW_ASSUMED = {"async_trigger_callback": 64}

_READ = {
    "2.6.18": Generation(
        name="2.6.18",
        rule="recursive",
        submit_link="generic_make_request",
        dispatch=("generic_make_request",),
        flush_link="@issue_flush_fn",
        unplug_link="@unplug_fn",
        files=_OLD_FILES,
        edges=_OLD_EDGES,
        cuts=_OLD_CUTS,
        note=_OLD_COMPILER,
        roots=_old_i386(60, 4) | _IRQ_ROOTS,
        budgets=_OLD_BUDGETS,
        read_in=((2, 6, 18),),
    ),
    "2.6.24": Generation(
        name="2.6.24",
        rule="fifo",
        submit_link="generic_make_request",
        dispatch=("generic_make_request", "__generic_make_request"),
        unplug_link="@unplug_fn",  # blkdev_issue_flush submits an empty barrier
        files=_OLD_FILES,
        edges=_OLD_EDGES,
        cuts=_OLD_CUTS,
        note=_OLD_COMPILER,
        roots=_old_i386(64, 8) | _IRQ_ROOTS,
        budgets=_OLD_BUDGETS,
        read_in=((2, 6, 24),),
    ),
    "6.1": Generation(
        name="6.1",
        rule="two-list",
        submit_link="submit_bio_noacct",
        dispatch=("__submit_bio", "submit_bio_noacct_nocheck"),
        idle=("__submit_bio", "blk_mq_submit_bio"),
        files=("block/", "mm/mempool.c", "lib/sg_pool.c", "lib/scatterlist.c", "lib/sbitmap.c"),
        # mm/mempool.c: pool->alloc and ->free; bio, scatterlist and driver pools use these
        edges=(
            ("mempool_alloc", "mempool_alloc_slab"),
            ("mempool_alloc", "mempool_kmalloc"),
            ("mempool_free", "mempool_free_slab"),
            ("mempool_free", "mempool_kfree"),
        ),
        assumed=_NEW_ASSUMED,
        cuts=(("submit_bio_noacct", "bio_endio", "only for a bio that is refused"),),
        roots={
            # arch/x86/include/asm/ptrace.h: 21 words; TOP_OF_KERNEL_STACK_PADDING is 0 and 8
            ("x86_64", "@syscall"): Root((("pt_regs", 168),), "derived"),
            ("x86_64", "@fault"): Root((("pt_regs", 168),), "derived"),
            ("x86_64", "@kthread"): Root((("pt_regs", 168),), "derived"),
            ("i386", "@syscall"): Root((("pt_regs", 68), ("padding", 8)), "derived"),
            ("i386", "@fault"): Root((("pt_regs", 68), ("padding", 8)), "derived"),
            ("i386", "@kthread"): Root((("pt_regs", 68), ("padding", 8)), "derived"),
            # a fault in the kernel's copy to or from user memory. x86_64: the copy routine's return
            # address, the CPU aligns the stack to 16, pt_regs (entry_64.S). i386: FIXUP_FRAME
            # leaves the CPU's own six words below a copy of them (entry_32.S)
            ("x86_64", "@copy"): Root(
                (("copy_user", 8), ("alignment", 8), ("pt_regs", 168)), "derived"
            ),
            ("i386", "@copy"): Root(
                (("copy_user", 4), ("saved frame", 24), ("pt_regs", 68)), "derived"
            ),
        }
        | _IRQ_ROOTS,
        budgets=_BUDGETS,
        renames=RENAMES,
        gone=GONE,
        read_in=((6, 1),),
    ),
}
_6_1 = _READ["6.1"]
_6_12 = replace(
    _6_1,
    name="6.12",
    edges=_6_1.edges + EDGES,
    cuts=_6_1.cuts + CUTS,
    uncut=UNCUT,
    read_in=((6, 12),),
    roots={
        # arch/x86/kernel/process.c: ret_from_fork is C since 6.6, and calls the thread's function
        (arch, name): replace(root, entry=("ret_from_fork_asm", "ret_from_fork"))
        if name == "@kthread"
        else root
        for (arch, name), root in _6_1.roots.items()
    },
    budgets={
        name: replace(path, cuts=path.cuts + FROM_SCHEDULE) for name, path in _BUDGETS.items()
    },
)
GENERATIONS: Mapping[str, Generation] = {**_READ, "6.12": _6_12}

#: first version, the one after the last, generation: one submission rule and one set of links each.
#: 2.6.22 serialised submission, 5.9 renamed generic_make_request to submit_bio_noacct; raid1 and
#: raid10 account for every bio by a clone of it in 6.12, not in 6.1 (md_account_bio; 6.6 is from
#: memory, and versions between are assumed anyway). From 2.6.30 to 5.8 no kind has anchors: void
#: make_request_fn, and request queues without blk-mq.
SPANS: tuple[tuple[tuple[int, ...], tuple[int, ...], str], ...] = (
    ((2, 6, 0), (2, 6, 22), "2.6.18"),
    ((2, 6, 22), (2, 6, 30), "2.6.24"),
    ((5, 9), (6, 6), "6.1"),
    ((6, 6), (8,), "6.12"),
)


def generation(name: str) -> Generation:
    """The generation called ``name``.

    Raises
    ------
    BlockstackError
        No such generation.
    """
    if name not in GENERATIONS:
        raise BlockstackError(
            "no such kernel generation",
            path="generation",
            value=name,
            hint="known: " + ", ".join(GENERATIONS),
        )
    return GENERATIONS[name]


def lineage(name: str) -> tuple[str, ...]:
    """A generation and those that it stands on, nearest first."""
    return (name, *((LIKE[name],) if name in LIKE else ()))


def generation_of(version: tuple[int, ...]) -> Generation | None:
    """The generation of a kernel version; None: no generation has its links.

    A version in whose source the anchors were not read is in `Generation.doubt`.
    """
    name = next((name for low, high, name in SPANS if low <= version < high), None)
    if name is None:
        return None
    gen = GENERATIONS[name]
    if any(version[: len(read)] == read for read in gen.read_in):
        return gen
    read, asked = (".".join(map(str, v)) for v in (gen.read_in[0], version[: 3 - (version[0] > 2)]))
    return replace(gen, doubt=f"calls between layers were read in Linux {read}, assumed of {asked}")
