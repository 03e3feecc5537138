"""Linux 2.6.0 to 2.6.21: make_request functions that call each other down the stack."""

from blockstack.base.calls import CutText, Path
from blockstack.generations.model import IRQ_ROOTS, Generation, Root, StackRules
from blockstack.generations.platform import Profile, i386_v2_6

# struct pt_regs of i386: 15 words in 2.6.18 (include/asm-i386/ptrace.h), 16 in 2.6.24, which also
# saves %fs (include/asm-x86/ptrace.h); 8 bytes of padding at the top of the stack (copy_thread:
# esp0, "reserve 8 bytes on top of the ring0 stack").
# A kernel thread starts by ret_from_fork's iret to kernel mode: that pops pt_regs but for its last
# two words (esp, ss); kernel_thread_helper then pushes the argument (2.6.24: a zero word before
# it, too) and calls the thread function (arch/i386/kernel/process.c, arch/x86/kernel/entry_32.S).


def i386_roots(pt_regs: int, pushed: int) -> dict[tuple[str, str], Root]:
    user = Root((("padding", 8), ("pt_regs", pt_regs)), "derived")
    thread = (("padding", 8), ("pt_regs (esp, ss)", 8), ("kernel_thread_helper", pushed))
    return {
        ("i386", "@syscall"): user,
        ("i386", "@fault"): user,
        ("i386", "@kthread"): Root(thread, "derived"),
    }


FILES = (
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
CUTS = (
    ("generic_make_request", "bio_endio", "only for a bio that is refused (past the end)"),
    ("generic_make_request", "handle_bad_sector", "only for a bio past the end of the device"),
    # its block_dump report lies in another section; the tables name the jump there wrongly
    ("submit_bio", "blk_complete_request", "not called: the jump goes to the block_dump report"),
    ("submit_bio", "blk_recalc_rq_segments", "not called: the jump goes to the block_dump report"),
)

# Jesper Juhl, LKML 2006-11-21, five do_IRQ dumps of 2.6.19-rc6 (8192 - 56 - bytes left): the sum
# of this table over the same functions is 71 to 77 % of each total.
COMPILER = (
    "built by gcc 11; kernels of the time were built by gcc 3.x: five stack dumps of "
    "2.6.19-rc6 that were published in 2006 are 1.3 to 1.4 times as deep as the same "
    "chains here, so take a narrow fit as none"
)
#: how much deeper those dumps are than the same chains here
PUBLISHED_FACTOR = (1.3, 1.4)
# the pool's allocator: a slab cache in every pool of the block layer (mm/mempool.c)
EDGES = (("mempool_alloc", "mempool_alloc_slab"), ("mempool_free", "mempool_free_slab"))

# Reclaim as the block layer may start it (GFP_NOIO): clean pages are unmapped and dropped, nothing
# is written out and no cache is shrunk (mm/vmscan.c may_enter_fs; the shrinkers' own checks).
BUDGETS = {
    "reclaim": Path(
        ("try_to_free_pages",),
        files=("mm/vmscan.c", "mm/rmap.c", "mm/swap_state.c", "fs/buffer.c", "lib/radix-tree.c"),
    ),
    "schedule": Path(("schedule",), files=("kernel/sched.c",)),
}


def _atomic(reason: str, *sites: str) -> tuple[CutText, ...]:
    return tuple((f"below {site}", "try_to_free_pages", reason) for site in sites)


# Flags by call site, read in both trees; what is not named may wait (GFP_NOIO in the block layer,
# dm and md: mempool_alloc asks for it once its pool is empty; GFP_NOFS and GFP_KERNEL above).
ALLOCATIONS = (
    ("below try_to_free_pages", "try_to_free_pages", "PF_MEMALLOC: reclaim does not reclaim"),
    *_atomic(
        "GFP_ATOMIC (drivers/scsi/scsi_lib.c)",
        "scsi_prep_fn->mempool_alloc",
        "scsi_prep_fn->scsi_get_command",
        "scsi_init_io->mempool_alloc",
        "scsi_init_io->scsi_alloc_sgtable",
        "scsi_setup_fs_cmnd->scsi_init_io",
        "scsi_get_command->kmem_cache_alloc",
        "__scsi_get_command->kmem_cache_alloc",
    ),
    *_atomic(
        "GFP_ATOMIC (net/ipv4/tcp_output.c, tcp_input.c)",
        "tcp_send_ack->__alloc_skb",
        "tcp_fragment->__alloc_skb",
        "tcp_fragment->pskb_expand_head",
        "tso_fragment->__alloc_skb",
        "tcp_collapse->__alloc_skb",
        "tcp_trim_head->pskb_expand_head",
        "tcp_xmit_probe_skb->__alloc_skb",
        "__tcp_push_pending_frames->__alloc_skb",
        "tcp_retransmit_skb->tcp_transmit_skb",
        "tcp_send_ack->tcp_transmit_skb",
        "__tcp_push_pending_frames->tcp_transmit_skb",
        "tcp_write_xmit->tcp_transmit_skb",
        "release_sock->tcp_v4_do_rcv",
    ),
    *_atomic(
        "GFP_ATOMIC (net/core, net/ipv4/ip_output.c)",
        "neigh_resolve_output->kmem_cache_zalloc",
        "neigh_create->kmem_cache_alloc",
        "neigh_create->neigh_alloc",
        "ip_output->skb_realloc_headroom",
        "ip_finish_output->skb_realloc_headroom",
        "ip_finish_output2->skb_realloc_headroom",
        "ip_fragment->__alloc_skb",
        "skb_segment->__alloc_skb",
        "___pskb_trim->pskb_expand_head",
        "___pskb_trim->skb_clone",
        "__pskb_pull_tail->skb_clone",
        "__pskb_pull_tail->pskb_expand_head",
    ),
    *_atomic(
        "takes a node that radix_tree_preload got (mm/filemap.c, mm/swap_state.c)",
        "radix_tree_insert->radix_tree_node_alloc",
        "radix_tree_extend->radix_tree_node_alloc",
    ),
    *_atomic("GFP_ATOMIC (drivers/md/dm-raid1.c)", "__rh_alloc->kmem_cache_alloc"),
)

#: what a queue of 2.6.18 and 2.6.24 has (request_queue, include/linux/blkdev.h)
LIMITS = (
    "logical_block_size",
    "max_hw_sectors",
    "max_sectors",
    "max_segments",
    "max_segment_size",
    "seg_boundary_mask",
)

# An interrupt in kernel mode: the CPU pushes eflags, cs and eip (12); entry.S the vector
# (orig_eax, 4); SAVE_ALL es, ds and seven registers (36). No esp and ss: the privilege level does
# not change.
_INTERRUPT_BYTES = 52

IRQ_FILES = (
    "arch/i386/kernel/irq.c",
    "arch/x86/kernel/irq_32.c",
    "kernel/irq/handle.c",
    "kernel/irq/chip.c",
    "kernel/softirq.c",
)
IRQ_CUTS = (
    ("*", "note_interrupt", "only for interrupts that no handler takes"),
    ("*", "dump_stack", "reports only"),
)

V2_6_18 = Generation(
    name="2.6.18",
    lineage=("2.6.18",),
    spans=(((2, 6, 0), (2, 6, 22)),),
    rule="recursive",
    submit_link="generic_make_request",
    dispatch=("generic_make_request",),
    flush_link="@issue_flush_fn",
    unplug_link="@unplug_fn",
    files=FILES,
    edges=EDGES,
    cuts=CUTS,
    note=COMPILER,
    published_factor=PUBLISHED_FACTOR,
    roots=i386_roots(60, 4) | IRQ_ROOTS,
    allocations=ALLOCATIONS,
    budgets=BUDGETS,
    read_in=((2, 6, 18),),
    interrupt_bytes=_INTERRUPT_BYTES,
    hard_irq=Path(("do_IRQ@8k|do_IRQ", "__do_IRQ", "handle_IRQ_event"), (), IRQ_FILES, IRQ_CUTS),
    # thread_info by hand from the struct
    shipped={
        f"linux-2.6.18-i386-{size >> 10}k": Profile(
            "linux-2.6.18-i386.json.gz",
            "2.6.18",
            i386_v2_6(size, 56),
            other_data="linux-2.6.18-i386-2005flags.json.gz",
        )
        for size in (4096, 8192)
    },
    # block/ll_rw_blk.c blk_queue_stack_limits; drivers/md/dm-table.c combine_restrictions_low
    limits=StackRules(
        "2.6.18 ll_rw_blk.c, dm-table.c",
        1024,
        topology=False,
        raid456_merge_fn=False,
        dm_combines_max_hw=False,
        only=LIMITS,
    ),
)
