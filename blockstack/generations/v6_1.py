"""Linux 5.16 to 6.5: submit_bio_noacct, blk-mq only, two lists of waiting bios."""

from blockstack.base.calls import Path
from blockstack.base.environment import UNTOLD
from blockstack.generations.between import UNLIMITED
from blockstack.generations.model import IRQ_ROOTS, Generation, Root, StackRules
from blockstack.generations.platform import I386, X86_64, Profile

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
_ASSUMED = {"async_trigger_callback": 64}

# drivers/block/loop.c: the work functions end in one; block/blk-mq.c: from 6.6 on the work item
# dispatches itself
_LOOP = ("loop_workfn", "loop_rootcg_workfn", "loop_process_work")
_KBLOCKD = ("__blk_mq_run_hw_queue", "blk_mq_run_work_fn")
_CONTEXTS = {
    "pagefault": ("exc_page_fault",),
    **{f"kthread:{name}": _LOOP for name in _LOOP},
    **{f"kthread:{name}": _KBLOCKD for name in _KBLOCKD},
}

V6_1 = Generation(
    name="6.1",
    lineage=("6.1",),
    # 5.10's generation is the nearest of those before
    spans=(((5, 16), (6, 6)),),
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
    assumed=_ASSUMED,
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
    | IRQ_ROOTS,
    contexts=_CONTEXTS,
    counted_on={"x86_64": "linux-6.1-x86_64", "i386": "linux-6.1-i386"},
    shipped={
        "linux-6.1-i386": Profile("linux-6.1-i386.json.gz", "6.1.0-50-686-pae", I386),
        "linux-6.1-x86_64": Profile("linux-6.1-x86_64.json.gz", "6.1.0-56-amd64", X86_64),
    },
    budgets=_BUDGETS,
    environment=tuple(UNTOLD.to_dict()),
    read_in=((6, 1),),
    limits=StackRules(
        "6.1.192 blk-settings.c", 2560, chunk="gcd", rounds=True, dma=True, start=UNLIMITED
    ),
)
