"""What file systems have in common in 6.1: system call, page cache, writeback, reclaim."""

from collections.abc import Mapping
from dataclasses import dataclass

from blockstack.base.calls import Path
from blockstack.kinds.filesystems.common import Cuts, Edges

FILES = (
    "fs/read_write.c",
    "fs/buffer.c",
    "fs/sync.c",
    "fs/fs-writeback.c",
    "fs/mpage.c",
    "fs/iomap/",
    "mm/filemap.c",
    "mm/readahead.c",
    "mm/page-writeback.c",
    "mm/folio-compat.c",
    "fs/direct-io.c",
    "arch/x86/entry/",
    "kernel/workqueue.c",
)
#: arch/x86/entry: 64-bit and 32-bit (sysenter) ways to the system call; the i386 table lacks
#: pread64's and pwrite64's wrapper (arch/x86/kernel/sys_ia32.c): read and write stand for them
_ENTRY = ("@syscall", "do_syscall_64|do_SYSENTER_32", "x64_sys_call|ia32_sys_call")
READ = (*_ENTRY, "__x64_sys_pread64|__ia32_sys_read", "vfs_read")
WRITE = (*_ENTRY, "__x64_sys_pwrite64|__ia32_sys_write", "vfs_write")
READV = (
    *_ENTRY,
    "__x64_sys_preadv2|__ia32_sys_preadv2",
    "do_preadv",
    "vfs_readv?",
    "do_iter_read?",
    "do_iter_readv_writev",
)
WRITEV = (
    *_ENTRY,
    "__x64_sys_pwritev2|__ia32_sys_pwritev2",
    "do_pwritev",
    "vfs_writev",
    "do_iter_write?",
    "do_iter_readv_writev",
)
FSYNC = (*_ENTRY, "__x64_sys_fsync|__ia32_sys_fsync", "vfs_fsync_range")
OPENAT = (
    *_ENTRY,
    "__x64_sys_openat|__ia32_sys_openat",
    "do_sys_openat2",
    "do_filp_open",
    "path_openat",
)
_AIO = (*_ENTRY, "__x64_sys_io_submit|__ia32_sys_io_submit", "io_submit_one")
_MSYNC = (*_ENTRY, "__x64_sys_msync|__ia32_sys_msync", "__do_sys_msync?", "vfs_fsync_range")
FAULT = (
    "@fault",
    "exc_page_fault",
    "do_user_addr_fault",
    ">handle_mm_fault",
    "__handle_mm_fault?",
)
WORKER = ("@kthread", "kthread", ">worker_thread", "process_one_work", ">wb_workfn")
#: mm/page_alloc.c to mm/vmscan.c pageout; on i386 pageout is inlined
RECLAIM = (
    "__alloc_pages",
    "__alloc_pages_slowpath?",
    "try_to_free_pages",
    "do_try_to_free_pages",
    "shrink_node",
    "shrink_lruvec",
    "shrink_folio_list",
    "pageout?",
)
RECLAIM_EDGES: Edges = (
    ("__alloc_pages", "__alloc_pages_slowpath?"),
    ("__alloc_pages_slowpath?", "try_to_free_pages"),
    ("__alloc_pages", "try_to_free_pages"),
)
RECLAIM_FILES = ("mm/vmscan.c", "mm/page_alloc.c", "mm/mempolicy.c", "lib/xarray.c")
_FAULT_CUTS: Cuts = (("__do_fault", "unmap_mapping_pages", "a page with a hardware memory error"),)
RECLAIM_CUTS: Cuts = (
    ("mempool_alloc", "mempool_alloc_slab", "asks without __GFP_DIRECT_RECLAIM (mm/mempool.c)"),
    ("shrink_lruvec", "evict_folios", "multi-gen LRU is off (Debian 6.1: LRU_GEN_ENABLED unset)"),
    ("shrink_lruvec", "try_to_inc_max_seq", "multi-gen LRU is off"),
    ("*", "mem_cgroup_soft_limit_reclaim", "no soft limit is set"),
    ("*", "demote_folio_list", "no memory tiers"),
    ("*", "migrate_pages", "no memory tiers"),
    ("*", "split_huge_page_to_list", "no huge pages in the page cache or in swap"),
    *_FAULT_CUTS,
    *(
        (f, "__filemap_get_folio", "looks a page up (no FGP_CREAT) and allocates none")
        for f in (
            "__try_to_reclaim_swap",
            "__read_swap_cache_async",
            "swap_cache_get_folio",
            "shmem_get_folio_gfp",
        )
    ),
    ("get_page_from_freelist", "node_reclaim", "vm.zone_reclaim_mode is 0"),
    ("*", "blk_mq_flush_plug_list", "the flush of a plug is in the leaf's own row"),
)
CUTS: Cuts = (
    ("mark_buffer_dirty", "__mark_inode_dirty", "marks I_DIRTY_PAGES only: no ->dirty_inode"),
    ("*dirty_folio*", "__mark_inode_dirty", "marks I_DIRTY_PAGES only: no ->dirty_inode"),
    # a plug is held above the submits: a full one flushes below blk_mq_submit_bio, deeper
    ("*", "blk_mq_flush_plug_list", "the flush of a plug is in the leaf's own row"),
    ("__blk_mq_sched_restart", "blk_mq_run_hw_queue", "asynchronous: kblockd runs the queue"),
    ("get_page_from_freelist", "node_reclaim", "vm.zone_reclaim_mode is 0"),
    ("*", "blkdev_get_*", "no device is opened on the way"),
    ("iomap_submit_ioend", "bio_endio", "after an error only"),
    ("*", "iomap_finish_ioend*", "completion"),
    ("*", "dax_*", "no persistent memory"),
    ("*", "xfs_file_dax_*", "no persistent memory"),
)
_NAMES_CUTS: Cuts = (
    ("path_openat", "do_truncate", "a new file, or no O_TRUNC"),
    ("path_openat", "vfs_tmpfile", "no O_TMPFILE"),
    ("link_path_walk", "pick_link", "no symbolic links on the way"),
    ("*", "iput*", "no inode is evicted: it is linked, and in use"),
)
_NO_MIX: Cuts = tuple(
    ("*", name, why)
    for why, names in (
        (
            "no dirty pages in the page cache [cached_pages=none|clean]",
            ("filemap_write_and_wait_range",),
        ),
        (
            "no cached pages: no buffered I/O mixed in [cached_pages=none]",
            (
                "invalidate_inode_pages2_range",
                "kiocb_invalidate_pages",
                "kiocb_invalidate_post_direct_write",
                "invalidate_mapping_pages",
            ),
        ),
        (
            "the direct write covers its whole range",
            (
                "direct_write_fallback",
                "ext4_buffered_write_iter",
                "generic_perform_write",
                "xfs_file_buffered_write",
                "filemap_read",
            ),
        ),
        (
            "the file is not opened O_SYNC [sync=false]",
            ("vfs_fsync_range", "generic_write_sync"),
        ),
    )
    for name in names
)
NO_SYNC: Cuts = (
    ("*_write*", "vfs_fsync_range", "the file is not opened O_SYNC [sync=false]"),
    ("iomap_dio_complete", "vfs_fsync_range", "the file is not opened O_SYNC [sync=false]"),
    ("iomap_dio_rw", "vfs_fsync_range", "the file is not opened O_SYNC [sync=false]"),
)


@dataclass(frozen=True)
class Fs:
    """One file system's functions in 6.1; the fields are those of `Fs`, the direct I/O's own.

    Attributes
    ----------
    read, write, dio_read, dio_write : tuple of str
        Anchors from the VFS's indirect call on.
    fsync : str
    fault : tuple of str
        Anchors of ``->fault``.
    data : tuple of str
        Anchors that keep direct I/O on its data bio.
    meta_read, meta_write : tuple of (caller, callee)
        Block mapping under direct I/O; empty: it maps without I/O.
    names : tuple of str
        ``->lookup``, ``->create`` and, where there is one, ``->open``; empty: a block device.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]
    dio_read: tuple[str, ...]
    dio_write: tuple[str, ...]
    fsync: str
    data: tuple[str, ...]
    read_edges: Edges
    write_edges: Edges
    sync_edges: Edges
    meta_read: Edges = ()
    meta_write: Edges = ()
    files: tuple[str, ...] = ()
    cuts: Cuts = ()
    read_cuts: Cuts = ()
    fault: tuple[str, ...] = (">filemap_fault",)
    names: tuple[str, ...] = ()


def entries(fs: Fs, more: Mapping[str, Path] | None = None) -> dict[str, Path]:
    """Entry points of a 6.1 file system, from the root to ``submit_bio``."""
    files, end = FILES + fs.files, ("submit_bio",)
    cuts = CUTS + fs.cuts
    write_cuts, dio_cuts = cuts + NO_SYNC, cuts + _NO_MIX
    found = {
        "read": Path((*READ, *fs.read, *end), fs.read_edges, files, cuts + fs.read_cuts),
        "read-direct": Path((*READ, *fs.dio_read, *fs.data, *end), (), files, dio_cuts),
        "readv": Path((*READV, *fs.read, *end), fs.read_edges, files, cuts + fs.read_cuts),
        "readv-direct": Path((*READV, *fs.dio_read, *fs.data, *end), (), files, dio_cuts),
        "writev": Path((*WRITEV, *fs.write, *end), fs.write_edges, files, write_cuts),
        "writev-direct": Path((*WRITEV, *fs.dio_write, *fs.data, *end), (), files, dio_cuts),
        "fault": Path(
            (*FAULT, "do_fault?", "__do_fault?", *fs.fault, *end),
            fs.read_edges,
            (*files, "mm/memory.c", "arch/x86/mm/fault.c"),
            cuts + fs.read_cuts + _FAULT_CUTS,
        ),
        "write": Path((*WRITE, *fs.write, *end), fs.write_edges, files, write_cuts),
        "write-direct": Path((*WRITE, *fs.dio_write, *fs.data, *end), (), files, dio_cuts),
        "fsync": Path((*FSYNC, ">" + fs.fsync, *end), fs.sync_edges, files, cuts),
        "flush": Path(
            (*FSYNC, ">" + fs.fsync, "blkdev_issue_flush", "submit_bio_wait", *end), (), files, cuts
        ),
        "writeback": Path((*WORKER, *end), fs.sync_edges, files, cuts),
    }
    for op, to, edges, more_cuts in (
        ("read", fs.dio_read, fs.meta_read, fs.read_cuts),
        ("write", fs.dio_write, fs.meta_write, ()),
    ):
        found[f"aio-{op}"] = Path(
            (*_AIO, f"aio_{op}", *to, *(() if edges else fs.data), *end),
            edges,
            (*files, "fs/aio.c"),
            dio_cuts + more_cuts,
        )
    found |= _cached(fs, files, dio_cuts) | _synced(fs, files, write_cuts)
    found["msync"] = Path(
        (*_MSYNC, ">" + fs.fsync, *end), fs.sync_edges, (*files, "mm/msync.c"), cuts
    )
    if fs.names:
        lookup, create, *opened = fs.names
        # it reads names and inodes; making one may write: checkpoint the journal, force the log
        found["open"] = found["create"] = Path(
            (*OPENAT, *end),
            (
                ("__lookup_slow", lookup),
                ("path_openat", lookup),
                ("path_openat", create),
                *(("do_dentry_open", name) for name in opened),
                *(e for e in fs.write_edges if e[0] == "__mark_inode_dirty"),
            ),
            (*files, "fs/namei.c", "fs/open.c"),
            cuts + _NAMES_CUTS,
        )
    if fs.meta_read:
        found["read-direct-meta"] = Path(
            (*READ, *fs.dio_read, *end), fs.meta_read, files, dio_cuts + fs.read_cuts
        )
        found["write-direct-meta"] = Path(
            (*WRITE, *fs.dio_write, *end), fs.meta_write, files, dio_cuts
        )
    return {**found, **(more or {})}


def _cached(fs: Fs, files: tuple[str, ...], cuts: Cuts) -> dict[str, Path]:
    """O_DIRECT over dirty pages: they are written first (fs/iomap/direct-io.c __iomap_dio_rw,
    block/fops.c, mm/filemap.c kiocb_invalidate_pages), and a mapping by ->writepages allocates."""
    end = ("do_writepages", "submit_bio")
    own = (("*", "do_writepages", "no dirty pages in the page cache [cached_pages=none|clean]"),)
    return {
        name: Path((*call, *to, *end), fs.sync_edges, (*files, *more), cuts + own)
        for name, call, to, more in (
            ("read-direct-cached", READ, fs.dio_read, ()),
            ("readv-direct-cached", READV, fs.dio_read, ()),
            ("aio-read-cached", (*_AIO, "aio_read"), fs.dio_read, ("fs/aio.c",)),
            ("write-direct-cached", WRITE, fs.dio_write, ()),
            ("writev-direct-cached", WRITEV, fs.dio_write, ()),
            ("aio-write-cached", (*_AIO, "aio_write"), fs.dio_write, ("fs/aio.c",)),
        )
    }


def _synced(fs: Fs, files: tuple[str, ...], cuts: Cuts) -> dict[str, Path]:
    """O_SYNC and O_DSYNC: a write ends in ->fsync (include/linux/fs.h generic_write_sync), by
    ->write_iter itself or by iomap_dio_complete."""
    end = ("vfs_fsync_range", ">" + fs.fsync, "submit_bio")
    calls = {"write-sync": (*WRITE, fs.write[0]), "writev-sync": (*WRITEV, fs.write[0])}
    if "iomap_dio_bio_iter" in fs.data:  # an asynchronous direct one, by s_dio_done_wq
        calls["direct-sync-work"] = (*WORKER[:-1], ">iomap_dio_complete_work")
    own = (("*", "vfs_fsync_range", "the file is not opened O_SYNC [sync=false]"),)
    return {
        name: Path((*call, *end), fs.sync_edges, files, cuts + own) for name, call in calls.items()
    }


def thread(thread: str, files: tuple[str, ...], *via: str, cuts: Cuts = CUTS) -> Path:
    """A file system's own thread that submits: kjournald2, xfsaild."""
    return Path(("@kthread", "kthread", ">" + thread, *via, "submit_bio"), (), FILES + files, cuts)


def discard(via: tuple[str, ...], fs: "Fs | None" = None) -> Path:
    """BLKDISCARD or FITRIM to the discard bios (what other ioctls need is not counted)."""
    return Path(
        (*_ENTRY, "__x64_sys_ioctl|__ia32_sys_ioctl", *via, "blkdev_issue_discard"),
        (),
        FILES + (("fs/ioctl.c", *fs.files) if fs else ("fs/ioctl.c",)),
        CUTS + (fs.cuts if fs else ()),
    )


#: the page cache's and writeback's pointers, for a file system with these operations
def cache_edges(readahead: str, writepages: str) -> Edges:
    """``->readahead``, ``->writepages`` and what they call back."""
    return (
        ("read_pages", readahead),
        ("do_writepages", writepages),
        ("write_cache_pages", "__writepage"),
    )
