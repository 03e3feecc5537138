"""Linux 2.6.22 to 2.6.29: one make_request function at a time, the others wait in a list."""

from blockstack.base.calls import Path
from blockstack.generations.model import IRQ_ROOTS, Generation, StackRules
from blockstack.generations.platform import Profile, i386_v2_6
from blockstack.generations.v2_6_18 import (
    ALLOCATIONS,
    BUDGETS,
    COMPILER,
    CUTS,
    EDGES,
    FILES,
    IRQ_CUTS,
    IRQ_FILES,
    LIMITS,
    PUBLISHED_FACTOR,
    i386_roots,
)

# do_IRQ: desc->handle_irq, by what raises the interrupt (arch/x86/kernel/io_apic_32.c, i8259_32.c);
# to 2.6.18 __do_IRQ for all
_FLOW = tuple(
    ("do_IRQ@8k", handle)
    for handle in ("handle_edge_irq", "handle_fasteoi_irq", "handle_level_irq", "__do_IRQ")
)

# mm/filemap.c: both end in a user access; in the build with the flags of
# 2005 the fixup of their user access lies behind them, where the next function begins
_NOT_CALLED = tuple(
    (caller, "generic_file_aio_write", "not called: the jump goes to the fixup of a user access")
    for caller in ("iov_iter_fault_in_readable", "file_read_actor")
)

V2_6_24 = Generation(
    name="2.6.24",
    lineage=("2.6.24",),
    spans=(((2, 6, 22), (2, 6, 30)),),  # 2.6.22 serialised submission
    rule="fifo",
    submit_link="generic_make_request",
    dispatch=("generic_make_request", "__generic_make_request"),
    unplug_link="@unplug_fn",  # blkdev_issue_flush submits an empty barrier
    files=FILES,
    edges=EDGES,
    cuts=CUTS + _NOT_CALLED,
    note=COMPILER,
    published_factor=PUBLISHED_FACTOR,
    roots=i386_roots(64, 8) | IRQ_ROOTS,
    allocations=ALLOCATIONS,
    budgets=BUDGETS,
    read_in=((2, 6, 24),),
    hard_irq=Path(("do_IRQ@8k|do_IRQ", "handle_IRQ_event"), _FLOW, IRQ_FILES, IRQ_CUTS),
    # restart_block holds a futex's arguments: four bytes more of thread_info than 2.6.18's four
    # words (commit ce6bd420f43b)
    shipped={
        f"linux-2.6.24-i386-{size >> 10}k": Profile(
            "linux-2.6.24-i386.json.gz",
            "2.6.24",
            i386_v2_6(size, 60),
            other_data="linux-2.6.24-i386-2005flags.json.gz",
        )
        for size in (4096, 8192)
    },
    interrupt_bytes=56,  # as in 2.6.18, and %fs (include/asm-x86/ptrace.h)
    limits=StackRules("2.6.24 ll_rw_blk.c, dm-table.c", 1024, topology=False, only=LIMITS),
)
