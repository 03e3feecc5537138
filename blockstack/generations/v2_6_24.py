"""Linux 2.6.22 to 2.6.29: one make_request function at a time, the others wait in a list."""

from blockstack.generations.model import IRQ_ROOTS, Generation, StackRules
from blockstack.generations.v2_6_18 import (
    BUDGETS,
    COMPILER,
    CUTS,
    EDGES,
    FILES,
    LIMITS,
    i386_roots,
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
    cuts=CUTS,
    note=COMPILER,
    roots=i386_roots(64, 8) | IRQ_ROOTS,
    budgets=BUDGETS,
    read_in=((2, 6, 24),),
    interrupt_bytes=56,  # as in 2.6.18, and %fs (include/asm-x86/ptrace.h)
    limits=StackRules("2.6.24 ll_rw_blk.c, dm-table.c", 1024, topology=False, only=LIMITS),
)
