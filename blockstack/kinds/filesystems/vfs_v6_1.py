"""Ways in of 6.1: raw block device, ext4, xfs, swap."""

from collections.abc import Mapping
from dataclasses import dataclass

from blockstack.kinds.filesystems.vfs_v2_6 import Cuts, Edges
from blockstack.kinds.model import Path

FILES_61 = (
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
_FAULT = (
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
    ("__alloc_pages", "__alloc_pages_slowpath"),
    ("__alloc_pages_slowpath", "try_to_free_pages"),
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
_CUTS: Cuts = (
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
_OPEN_CUTS: Cuts = (
    *(c for c in _CUTS if c[1] != "blkdev_get_*"),
    ("path_openat", "link_path_walk", "a path of one directory, in the cache"),
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
            "no cached pages: no buffered I/O mixed in",
            (
                "filemap_write_and_wait_range",
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
        ("the file is not opened O_SYNC", ("vfs_fsync_range", "generic_write_sync")),
    )
    for name in names
)
_NO_SYNC: Cuts = (
    ("*_write*", "vfs_fsync_range", "the file is not opened O_SYNC"),
    ("iomap_dio_complete", "vfs_fsync_range", "the file is not opened O_SYNC"),
)


@dataclass(frozen=True)
class Fs61:
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


def entries_61(fs: Fs61, more: Mapping[str, Path] | None = None) -> dict[str, Path]:
    """Ways in of a 6.1 file system, from the root to ``submit_bio``."""
    files, end = FILES_61 + fs.files, ("submit_bio",)
    cuts = _CUTS + fs.cuts
    write_cuts, dio_cuts = cuts + _NO_SYNC, cuts + _NO_MIX
    found = {
        "read": Path((*READ, *fs.read, *end), fs.read_edges, files, cuts + fs.read_cuts),
        "read-direct": Path((*READ, *fs.dio_read, *fs.data, *end), (), files, dio_cuts),
        "readv": Path((*READV, *fs.read, *end), fs.read_edges, files, cuts + fs.read_cuts),
        "readv-direct": Path((*READV, *fs.dio_read, *fs.data, *end), (), files, dio_cuts),
        "writev": Path((*WRITEV, *fs.write, *end), fs.write_edges, files, write_cuts),
        "writev-direct": Path((*WRITEV, *fs.dio_write, *fs.data, *end), (), files, dio_cuts),
        "fault": Path(
            (*_FAULT, "do_fault?", "__do_fault?", *fs.fault, *end),
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


def thread_61(thread: str, files: tuple[str, ...], *via: str, cuts: Cuts = _CUTS) -> Path:
    """A file system's own thread that submits: kjournald2, xfsaild."""
    return Path(
        ("@kthread", "kthread", ">" + thread, *via, "submit_bio"), (), FILES_61 + files, cuts
    )


def discard_61(via: tuple[str, ...], fs: "Fs61 | None" = None) -> Path:
    """BLKDISCARD or FITRIM to the discard bios (what other ioctls need is not counted)."""
    return Path(
        (*_ENTRY, "__x64_sys_ioctl|__ia32_sys_ioctl", *via, "blkdev_issue_discard"),
        (),
        FILES_61 + (("fs/ioctl.c", *fs.files) if fs else ("fs/ioctl.c",)),
        _CUTS + (fs.cuts if fs else ()),
    )


#: the page cache's and writeback's pointers, for a file system with these operations
def cache_edges(readahead: str, writepages: str) -> Edges:
    """``->readahead``, ``->writepages`` and what they call back."""
    return (
        ("read_pages", readahead),
        ("do_writepages", writepages),
        ("write_cache_pages", "__writepage"),
    )


#: opening a disk whose partitions are not known yet reads its tables (block/partitions/core.c)
OPEN_61 = Path(
    (
        *OPENAT,
        "do_dentry_open",
        ">blkdev_open",
        "blkdev_get_by_dev",
        "blkdev_get_whole",
        "bdev_disk_changed",
        ">efi_partition",
        "read_part_sector",
        "submit_bio",
    ),
    (("filemap_read_folio", "blkdev_read_folio"), ("block_read_full_folio", "blkdev_get_block")),
    (*FILES_61, "fs/open.c", "fs/namei.c"),
    _OPEN_CUTS,
)

RAW_61 = Fs61(
    read=(">blkdev_read_iter", "filemap_read"),
    write=(">blkdev_write_iter", "generic_perform_write"),
    dio_read=(">blkdev_read_iter",),
    dio_write=(">blkdev_write_iter",),
    fsync="blkdev_fsync",
    data=(),
    read_edges=(
        *cache_edges("blkdev_readahead", "blkdev_writepages"),
        ("filemap_read_folio", "blkdev_read_folio"),
        ("do_mpage_readpage", "blkdev_get_block"),
        ("block_read_full_folio", "blkdev_get_block"),
    ),
    write_edges=(
        ("generic_perform_write", "blkdev_write_begin"),
        ("generic_perform_write", "blkdev_write_end"),
        ("__block_write_begin_int", "blkdev_get_block"),
    ),
    sync_edges=(
        *cache_edges("blkdev_readahead", "blkdev_writepages"),
        ("__writepage", "blkdev_writepage"),
        ("__block_write_full_page", "blkdev_get_block"),
    ),
    cuts=(
        (
            "do_mpage_readpage",
            "block_read_full_folio",
            "only for a page with buffers or with holes (confused, fs/mpage.c): a page that is "
            "read ahead is new, and a block device has no holes",
        ),
    ),
)

_EXT4_READ: Edges = (("read_pages", "ext4_readahead"), ("filemap_read_folio", "ext4_read_folio"))
_EXT4_SYNC: Edges = (
    ("do_writepages", "ext4_writepages"),
    ("write_cache_pages", "ext4_writepage_cb"),
    ("__writeback_single_inode", "ext4_write_inode"),
    ("__mark_inode_dirty", "ext4_dirty_inode"),
)
_EXT4_WRITE: Edges = (
    # ext4_da_aops; ext4_da_write_begin goes to ext4_write_begin itself when space is low
    ("generic_perform_write", "ext4_da_write_begin"),
    ("generic_perform_write", "ext4_da_write_end"),
    ("ext4_block_write_begin", "ext4_da_get_block_prep"),
    ("ext4_block_write_begin", "ext4_get_block"),
    ("__mark_inode_dirty", "ext4_dirty_inode"),
)
_NO_ALLOC = "a read maps blocks: it starts no transaction and allocates none"
_EXT4_READ_CUTS: Cuts = tuple(
    (a, b, _NO_ALLOC)
    for a, b in (
        ("ext4_ext_map_blocks", "ext4_mb_*"),
        ("ext4_ext_map_blocks", "ext4_ext_insert_extent"),
        ("ext4_ext_map_blocks", "ext4_ext_handle_unwritten_extents"),
        ("ext4_ext_map_blocks", "ext4_ext_convert_to_initialized"),
        ("ext4_ext_map_blocks", "ext4_split_*"),
        ("ext4_ext_map_blocks", "ext4_free_blocks"),
        ("ext4_ext_map_blocks", "ext4_discard_preallocations"),
        ("ext4_ext_map_blocks", "ext4_ext_try_to_merge*"),
        ("ext4_ext_map_blocks", "ext4_convert*"),
        ("ext4_ext_map_blocks", "ext4_ext_correct_indexes"),
        ("ext4_ext_map_blocks", "*get_access*"),
        ("ext4_ext_map_blocks", "ext4_issue_zeroout"),
        ("ext4_ext_map_blocks", "ext4_zeroout_es"),
        ("ext4_ext_map_blocks", "*ext4_ext_dirty*"),
        # 6.12: ext4_es_insert_extent calls it, for delayed blocks among those that were mapped
        ("*", "ext4_da_update_reserve_space"),
        ("*", "ext4_ind_trans_blocks"),
        ("ext4_ind_map_blocks", "ext4_mb_new_blocks"),
        ("ext4_ind_map_blocks", "ext4_alloc_branch"),
        ("ext4_map_blocks", "ext4_issue_zeroout"),
        ("*", "__ext4_journal_start_sb"),
        ("ext4_ind_map_blocks", "ext4_splice_branch"),
        ("ext4_ind_map_blocks", "ext4_free_blocks"),
    )
)
_EXT4_CUTS: Cuts = (
    ("*", "ext4_ind_*", "extent-mapped files: 6.1 maps indirect blocks only on old images"),
    ("*", "ext4_xattr_*", "no extended attributes on the data path"),
    ("*", "ext4_fc_*", "no fast commit"),
    ("*", "fscrypt_*", "no encryption"),
    ("*", "ext4_mpage_read*_verity", "no verity"),
    ("*", "fsverity_*", "no verity"),
    ("*", "dquot_*", "no quota"),
    ("*", "ext4_*inline_data*", "the inline_data feature is off"),
    ("*", "ext4_truncate", "after a write that failed half-way"),
    (
        "ext4_dirty_inode",
        "__ext4_journal_start_sb",
        "inside a transaction it returns the running handle (jbd2__journal_start); outside one, "
        "ext4_write_begin and ext4_writepages start theirs deeper in the same task",
    ),
    ("ext4_sync_file", "sync_inode_metadata", "with a journal (ext4_fsync_nojournal without)"),
    ("*", "ext4_fsync_nojournal", "with a journal"),
    ("*", "jbd2_journal_destroy*", "at unmount only"),
    (
        "__ext4_handle_dirty_metadata",
        "*sync_dirty_buffer",
        "with a journal (ext4_handle_valid) the buffer is the transaction's",
    ),
    ("ext4_write_inode", "*sync_dirty_buffer", "with a journal"),
    ("ext4_write_inode", "__ext4_get_inode_loc*", "with a journal"),
    (
        "jbd2_*",
        "journal_get_superblock",
        "the mount has read it: j_format_version is set (jbd2_journal_check_used_features)",
    ),
    ("ext4_ext_map_blocks", "ext4_free_blocks", "gives blocks back after a failed insert"),
    # fs/ext4/inode.c 6.12: flags = 0
    *(
        ("below ext4_map_query_blocks", allocates, "looks the blocks up, allocates none")
        for allocates in ("ext4_mb_*", "ext4_ext_insert_extent", "ext4_split_*")
    ),
    ("*", "ext4_orphan_*", "no truncation, no O_TMPFILE"),
    ("*", "*ext4_expand_extra_isize*", "inodes were made with their full extra size"),
)
EXT4_61 = Fs61(
    read=(">ext4_file_read_iter", "generic_file_read_iter?", "filemap_read"),
    write=(">ext4_file_write_iter", "ext4_buffered_write_iter", "generic_perform_write"),
    dio_read=(">ext4_file_read_iter", "iomap_dio_rw", "__iomap_dio_rw"),
    dio_write=(">ext4_file_write_iter", "iomap_dio_rw", "__iomap_dio_rw"),
    fsync="ext4_sync_file",
    data=("iomap_dio_bio_iter",),
    read_edges=_EXT4_READ,
    write_edges=_EXT4_WRITE,
    sync_edges=_EXT4_SYNC,
    meta_read=(("iomap_iter", "ext4_iomap_begin"),),
    meta_write=(("iomap_iter", "ext4_iomap_begin"),),
    files=("fs/ext4/", "fs/jbd2/"),
    cuts=_EXT4_CUTS,
    read_cuts=_EXT4_READ_CUTS,
    names=("ext4_lookup", "ext4_create", "ext4_file_open"),
)

_XFS_SYNC: Edges = (
    ("do_writepages", "xfs_vm_writepages"),
    ("write_cache_pages", "iomap_do_writepage"),
    ("iomap_do_writepage", "xfs_map_blocks"),
    ("iomap_submit_ioend", "xfs_prepare_ioend"),
)
_XFS_CUTS: Cuts = (
    ("*", "xfs_bmap_rtalloc", "no real-time device"),
    ("*", "xfs_rt*", "no real-time device"),
    ("*", "xfs_qm_*", "no quota"),
    ("*", "xfs_btree_*_repair*", "no repair"),
    ("*", "xfs_buf_ioend*", "ends the buffer in the caller only after an error"),
    ("xlog_write_iclog", "blkdev_issue_flush", "only with an external log device"),
    (
        "xfs_buffered_write_iomap_begin",
        "xfs_direct_write_iomap_begin",
        "no extent size hint is set (xfs_get_extsz_hint)",
    ),
    (
        "xfs_buf_read_map",
        "xfs_buf_get_map",
        "a block that is read is in use: its buffer is not stale (xfs_buf_lock forces the log for "
        "those only), and what it allocates lies above the read itself (__xfs_buf_submit)",
    ),
    (
        "xfs_btree_dup_cursor",
        "xfs_trans_read_buf_map",
        "the cursor's buffers are in the transaction already (xfs_trans_buf_item_match)",
    ),
    ("xlog_write_iclog", "xlog_state_done_syncing", "after a log I/O error only"),
    ("*", "xlog_cil_committed", "log completion, in its own worker"),
    ("*", "xfs_reflink_*", "no shared extents"),
    ("*", "xfs_refcount*", "no shared extents"),
    ("*", "xfs_rmap*", "no reverse map (mkfs.xfs of the time: rmapbt off)"),
    ("*", "xfs_trans_roll*", "a rolled transaction starts anew in the same frame"),
    ("*", "xfs_blockgc_*", "space is left"),
    ("*", "xfs_flush_inodes", "space is left"),
)
XFS_61 = Fs61(
    read=(
        ">xfs_file_read_iter",
        "xfs_file_buffered_read",
        "generic_file_read_iter?",
        "filemap_read",
    ),
    write=(">xfs_file_write_iter", "xfs_file_buffered_write", "iomap_file_buffered_write"),
    dio_read=(">xfs_file_read_iter", "xfs_file_dio_read", "iomap_dio_rw", "__iomap_dio_rw"),
    dio_write=(
        ">xfs_file_write_iter",
        "xfs_file_dio_write_aligned",
        "iomap_dio_rw",
        "__iomap_dio_rw",
    ),
    fsync="xfs_file_fsync",
    data=("iomap_dio_bio_iter",),
    read_edges=(
        ("read_pages", "xfs_vm_readahead"),
        ("filemap_read_folio", "xfs_vm_read_folio"),
        ("iomap_iter", "xfs_read_iomap_begin"),
    ),
    write_edges=(("iomap_iter", "xfs_buffered_write_iomap_begin"),),
    sync_edges=_XFS_SYNC,
    meta_read=(("iomap_iter", "xfs_read_iomap_begin"),),
    meta_write=(("iomap_iter", "xfs_direct_write_iomap_begin"),),
    files=("fs/xfs/",),
    cuts=_XFS_CUTS,
    fault=(">xfs_filemap_fault", "filemap_fault"),
    names=("xfs_vn_lookup", "xfs_vn_create", "xfs_file_open"),
)

_SWAP_FILES = (
    *FILES_61,
    *RECLAIM_FILES,
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
_OUT = ("swap_writepage", "__swap_writepage", "submit_bio")
#: mm/memcontrol.c charge_memcg: a group at its limit reclaims in whoever charges a page to it
_MEMCG_EDGES: Edges = (
    ("try_charge_memcg", "try_to_free_mem_cgroup_pages"),
    ("__handle_mm_fault", "do_fault"),
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
    *_SWAP_FILES,
    "lib/iov_iter.c",
    "mm/gup.c",
    "fs/xfs/xfs_file.c",
    "fs/btrfs/file.c",
    "fs/f2fs/file.c",
    "block/fops.c",
)


def swap_61() -> dict[str, Path]:
    """Swap of 6.1: direct reclaim still writes anonymous pages out (mm/vmscan.c pageout)."""
    reclaim = (*RECLAIM, ">shmem_writepage", *_OUT)
    wanted = (*RECLAIM_EDGES, ("shmem_writepage", "swap_writepage"))
    fault = (*wanted, *_MEMCG_EDGES, ("do_fault", "shmem_fault"), ("__do_fault", "shmem_fault"))
    # from whatever the fault allocates or charges: the page, or swap-in read ahead for it
    charged = (*RECLAIM[3:], ">shmem_writepage", *_OUT)
    kernel = (
        ">@copy",
        "exc_page_fault",
        "do_user_addr_fault",
        ">handle_mm_fault",
        "__handle_mm_fault?",
    )
    return {
        "fault": Path((*_FAULT, *charged), fault, _SWAP_FILES, RECLAIM_CUTS),
        # a system call copies to or from user memory that is swapped out (lib/iov_iter.c)
        "read-fault": Path(
            (*READ, "filemap_read", "copy_page_to_iter", "_copy_to_iter?", *kernel, *charged),
            (*fault, *_ANY_READ),
            _COPY_FILES,
            RECLAIM_CUTS,
        ),
        "write-fault": Path(
            (
                *WRITE,
                "generic_perform_write",
                "fault_in_iov_iter_readable",
                "fault_in_readable?",
                *kernel,
                *charged,
            ),
            (*fault, *_ANY_WRITE),
            _COPY_FILES,
            RECLAIM_CUTS + _NO_SYNC,
        ),
        "reclaim": Path(
            (
                *WRITE,
                ">ext4_file_write_iter",
                "ext4_buffered_write_iter",
                "generic_perform_write",
                ">ext4_da_write_begin",
                "grab_cache_page_write_begin",
                *reclaim,
            ),
            wanted,
            _SWAP_FILES,
            RECLAIM_CUTS + _NO_SYNC,
        ),
        "kswapd": Path(
            (
                "@kthread",
                "kthread",
                ">kswapd",
                "balance_pgdat",
                *RECLAIM[4:],
                ">shmem_writepage",
                *_OUT,
            ),
            wanted,
            _SWAP_FILES,
            RECLAIM_CUTS,
        ),
        "swap-in": Path(
            (*_FAULT, "do_swap_page?", "swapin_readahead", "swap_readpage", "submit_bio"),
            (),
            _SWAP_FILES,
            RECLAIM_CUTS,
        ),
    }
