"""Swap space, written under page reclaim."""

from collections.abc import Mapping

import blockstack.kinds.filesystems.vfs_v2_6 as v2_6
import blockstack.kinds.filesystems.vfs_v6_1 as v6_1
from blockstack.base.calls import Path
from blockstack.kinds.filesystems.common import Edges, end_io
from blockstack.kinds.model import Calls, Kind

_FILES_V2_6 = (
    *v2_6.RECLAIM_FILES,
    *v2_6.FILES,
    "mm/memory.c",
    "mm/page_io.c",
    "mm/swap_state.c",
    "mm/swapfile.c",
    "mm/shmem.c",
    "arch/i386/mm/fault.c",
    "arch/x86/mm/fault_32.c",
)
_OUT_V2_6 = (*v2_6.RECLAIM, ">swap_writepage", "submit_bio")
_FAULT_V2_6 = ("@fault", "do_page_fault", "__handle_mm_fault|handle_mm_fault")


def _entries_v2_6(kswapd: tuple[str, ...]) -> Mapping[str, Path]:
    """Swap of 2.6: direct reclaim writes out in whoever allocates (mm/vmscan.c pageout)."""
    shmem = ("shrink_inactive_list", "shmem_writepage"), ("pageout?", "shmem_writepage")
    return {
        "fault": Path(
            (*_FAULT_V2_6, *_OUT_V2_6), v2_6.RECLAIM_EDGES, _FILES_V2_6, v2_6.RECLAIM_CUTS
        ),
        "reclaim": Path(
            (
                "@syscall",
                "sys_write",
                "vfs_write",
                "do_sync_write",
                ">generic_file_aio_write",
                "generic_file_buffered_write",
                *_OUT_V2_6,
            ),
            (*v2_6.RECLAIM_EDGES, *shmem),
            _FILES_V2_6,
            v2_6.RECLAIM_CUTS,
        ),
        "kswapd": Path(
            (*kswapd, *v2_6.RECLAIM[2:], ">swap_writepage", "submit_bio"), (), _FILES_V2_6
        ),
        "swap-in": Path(
            (
                *_FAULT_V2_6,
                "do_swap_page?",
                "swapin_readahead",
                "read_swap_cache_async",
                "swap_readpage",
                "submit_bio",
            ),
            (),
            _FILES_V2_6,
        ),
    }


_FILES_V6_1 = (
    *v6_1.FILES,
    *v6_1.RECLAIM_FILES,
    "mm/memory.c",
    "mm/page_io.c",
    "mm/swap_state.c",
    "mm/swapfile.c",
    "mm/shmem.c",
    "arch/x86/mm/fault.c",
    "fs/ext4/file.c",
    "mm/memcontrol.c",
    "fs/ext4/inode.c",
)
_OUT_V6_1 = ("swap_writepage", "__swap_writepage", "submit_bio")
#: mm/memcontrol.c charge_memcg: a group at its limit reclaims in whoever charges a page to it
_MEMCG_EDGES: Edges = (
    ("try_charge_memcg", "try_to_free_mem_cgroup_pages"),
    ("__handle_mm_fault?", "do_fault?"),  # each may be inlined into handle_mm_fault
)
#: the system call's buffer may lie in swapped memory whatever file it reads or writes
_ANY_READ: Edges = tuple(
    ("vfs_read", f"{fs}_read_iter")
    for fs in ("blkdev", "ext4_file", "xfs_file", "btrfs_file", "f2fs_file", "generic_file")
)
_ANY_WRITE: Edges = tuple(
    ("vfs_write", f"{fs}_write_iter")
    for fs in ("blkdev", "ext4_file", "xfs_file", "f2fs_file", "generic_file")
)
_COPY_FILES = (
    *_FILES_V6_1,
    "lib/iov_iter.c",
    "mm/gup.c",
    "fs/xfs/xfs_file.c",
    "fs/btrfs/file.c",
    "fs/f2fs/file.c",
    "block/fops.c",
)


def _entries_v6_1() -> dict[str, Path]:
    """Swap of 6.1: direct reclaim still writes anonymous pages out (mm/vmscan.c pageout)."""
    reclaim = (*v6_1.RECLAIM, ">shmem_writepage", *_OUT_V6_1)
    wanted = (*v6_1.RECLAIM_EDGES, ("shmem_writepage", "swap_writepage"))
    fault = (*wanted, *_MEMCG_EDGES, ("do_fault?", "shmem_fault"), ("__do_fault", "shmem_fault"))
    # from whatever the fault allocates or charges: the page, or swap-in read ahead for it
    charged = (*v6_1.RECLAIM[3:], ">shmem_writepage", *_OUT_V6_1)
    kernel = (
        ">@copy",
        "exc_page_fault",
        "do_user_addr_fault",
        ">handle_mm_fault",
        "__handle_mm_fault?",
    )
    return {
        "fault": Path((*v6_1.FAULT, *charged), fault, _FILES_V6_1, v6_1.RECLAIM_CUTS),
        # a system call copies to or from user memory that is swapped out (lib/iov_iter.c)
        "read-fault": Path(
            (*v6_1.READ, "filemap_read", "copy_page_to_iter", "_copy_to_iter?", *kernel, *charged),
            (*fault, *_ANY_READ),
            _COPY_FILES,
            v6_1.RECLAIM_CUTS,
        ),
        "write-fault": Path(
            (
                *v6_1.WRITE,
                "generic_perform_write",
                "fault_in_iov_iter_readable",
                "fault_in_readable?",
                *kernel,
                *charged,
            ),
            (*fault, *_ANY_WRITE),
            _COPY_FILES,
            v6_1.RECLAIM_CUTS + v6_1.NO_SYNC,
        ),
        "reclaim": Path(
            (
                *v6_1.WRITE,
                ">ext4_file_write_iter",
                "ext4_buffered_write_iter",
                "generic_perform_write",
                ">ext4_da_write_begin",
                "grab_cache_page_write_begin",
                *reclaim,
            ),
            wanted,
            _FILES_V6_1,
            v6_1.RECLAIM_CUTS + v6_1.NO_SYNC,
        ),
        "kswapd": Path(
            (
                "@kthread",
                "kthread",
                ">kswapd",
                "balance_pgdat",
                *v6_1.RECLAIM[4:],
                ">shmem_writepage",
                *_OUT_V6_1,
            ),
            wanted,
            _FILES_V6_1,
            v6_1.RECLAIM_CUTS,
        ),
        "swap-in": Path(
            (*v6_1.FAULT, "do_swap_page?", "swapin_readahead", "swap_readpage", "submit_bio"),
            (),
            _FILES_V6_1,
            v6_1.RECLAIM_CUTS,
        ),
    }


_SWAP_END = end_io("end_swap_bio_write")
_ENTRIES = {
    "2.6.18": _entries_v2_6(("@kthread", ">kswapd")),
    "2.6.24": _entries_v2_6(("@kthread", "kthread", ">kswapd")),
    "6.1": _entries_v6_1(),
}
SWAP = Kind(
    "swap",
    "source",
    "remap",
    (1, 1),
    "swap space, written under page reclaim",
    calls={
        gen: Calls(endio=_SWAP_END, ops=("read", "write")) for gen in ("2.6.18", "2.6.24", "6.1")
    },
    entries=_ENTRIES,
    verb="swap",
    entry_ops={
        "read": ("swap-in",),
        "write": ("reclaim", "fault", "read-fault", "write-fault", "kswapd"),
    },
)
