"""XFS: entry points of 2.6.18, 2.6.24 and 6.1."""

from dataclasses import replace

import blockstack.kinds.filesystems.vfs_v2_6 as v2_6
import blockstack.kinds.filesystems.vfs_v6_1 as v6_1
from blockstack.base.calls import Path
from blockstack.kinds.filesystems.common import (
    AIO_END,
    BUFFER_END,
    DIO_END,
    Cuts,
    Edges,
    end_io,
    file_system,
    source_calls,
)
from blockstack.kinds.filesystems.system_calls import beside, system_calls
from blockstack.kinds.filesystems.xfs_operations import BLOCK_GC, OPERATIONS

FILES_XFS = ("fs/xfs/",)

#: vnode operations (bhv_vop_*, 2.6.18) and io operations (xfs_iomap.c, xfs_iocore.c: m_io_ops) are
#: tables of pointers; 2.6.24 calls most of them directly, then an edge changes nothing
_BMAP_OPS: Edges = (
    ("__xfs_get_blocks", "xfs_bmap"),
    ("xfs_map_blocks?", "xfs_bmap"),
    ("xfs_page_state_convert", "xfs_bmap"),  # xfs_map_blocks, when inlined
    ("xfs_iomap", "xfs_bmapi"),
    ("xfs_iomap_write_allocate", "xfs_bmapi"),
    ("xfs_iomap_write_direct", "xfs_bmapi"),
)
_READ_OPS: Edges = (*_BMAP_OPS[:3], ("xfs_iomap", "xfs_bmapi"))
#: xfs_buf_iostrategy: b_strat is xfs_bdstrat_cb for metadata and xlog_bdstrat_cb for the log
_BUF_OPS: Edges = (
    ("xfs_buf_iostart", "xfs_bdstrat_cb"),
    ("xfs_bwrite", "xfs_bdstrat_cb"),
    ("xlog_sync?", "xlog_bdstrat_cb"),
    ("xlog_state_release_iclog", "xlog_bdstrat_cb"),
)  # xlog_sync, when inlined
#: log reservation pushes the tail of the log in the caller (xfs_trans_ail.c, 2.6.18; IOP_PUSH)
_AIL_OPS: Edges = (
    ("xfs_trans_push_ail", "xfs_inode_item_push"),
    ("xfs_trans_push_ail", "xfs_buf_item_push"),
    ("xfs_trans_push_ail", "xfs_inode_item_pushbuf"),
)
_ALLOCATE: Edges = (*_BMAP_OPS, *_BUF_OPS, *_AIL_OPS, ("xfs_iomap", "xfs_iomap_write_allocate"))
_META = (*_BUF_OPS, *_AIL_OPS)

_CUTS_V2_6: Cuts = (
    ("*", "xfs_bmap_rtalloc", "no real-time device"),
    ("*", "xfs_rtallocate*", "no real-time device"),
    ("*", "xfs_qm_*", "no quota"),
    ("*", "xfs_buf_ioend", "ends the buffer in the caller only after an error"),
    ("*", "xfs_buf_ioerror", "an I/O error"),
    ("*", "xfs_iflush_abort", "the file system is shut down"),
    ("*", "xfs_bioerror*", "the file system is shut down"),
    ("*", "xfs_ioerror_alert", "an I/O error"),
)
_READ_CUTS: Cuts = (
    ("xfs_bmapi", "xfs_alloc*", "a read maps blocks, it allocates none"),
    ("xfs_bmapi", "xfs_bmap_alloc", "a read maps blocks, it allocates none"),
    ("xfs_bmapi", "xfs_bmap_add_extent", "a read maps blocks, it allocates none"),
    ("xfs_bmapi", "xfs_bmap_*_to_*", "a read changes no extent format"),
    ("xfs_iomap", "xfs_iomap_write_*", "a read allocates nothing"),
)
_SYNC: Edges = (
    ("do_writepages", "xfs_vm_writepages"),
    ("mpage_writepages", "xfs_vm_writepage"),
    ("__writepage?", "xfs_vm_writepage"),
    ("write_cache_pages?", "__writepage?"),  # from 2.6.24 on
    ("__writeback_single_inode", "xfs_fs_write_inode"),
    ("__sync_single_inode?", "xfs_fs_write_inode"),
    ("write_inode?", "xfs_fs_write_inode"),
    ("xfs_fs_write_inode", "xfs_inode_flush"),
    ("xfs_file_fsync", "xfs_fsync"),
    *_ALLOCATE,
)
_READ: Edges = (
    ("__do_page_cache_readahead", "xfs_vm_readpages"),
    ("read_pages?", "xfs_vm_readpages"),
    ("do_generic_mapping_read", "xfs_vm_readpage"),
    ("do_mpage_readpage", "xfs_get_blocks"),
    *_READ_OPS,
    *_BUF_OPS,
)
_DIRECT: Edges = (
    ("__blockdev_direct_IO", "xfs_get_blocks_direct"),
    ("get_more_blocks?", "xfs_get_blocks_direct"),
    ("do_direct_IO?", "xfs_get_blocks_direct"),
    ("xfs_iomap", "xfs_iomap_write_direct"),
    *_BMAP_OPS,
    *_META,
)
#: xfs_iomap_write_delay is left out: it reserves only, so that below it xfs_bmapi allocates
#: nothing; the allocation at writeback, in the same write(2), is deeper than it
_WRITE: Edges = (("__block_prepare_write", "xfs_get_blocks"),)
#: xfs_buf_lock, xfs_buf_iowait, xfs_buf_wait_unpin: blk_run_address_space, a direct kick
_UNPLUG: Edges = tuple(
    (f, "blk_backing_dev_unplug")
    for f in ("xfs_buf_lock", "xfs_buf_iowait", "xfs_buf_wait_unpin", "xfs_buf_iorequest")
)
#: the last function before the kick; the deepest such route ends in xfs_buf_lock or xfs_buf_iowait
_UNPLUG_VIA = ("xfs_buf_lock",)
_XFSBUFD = v2_6.thread("xfsbufd", FILES_XFS, (("xfsbufd", "xfs_bdstrat_cb"), *_BUF_OPS))


def _flush(fsync: str, *end: str) -> Path:
    """fsync to the device flush: issue_flush_fn in 2.6.18, an empty barrier bio in 2.6.24."""
    return Path(
        (
            "@syscall",
            "sys_fsync",
            "do_fsync",
            ">xfs_file_fsync",
            fsync,
            "xfs_blkdev_issue_flush",
            "blkdev_issue_flush",
            *end,
        ),
        () if end else (("blkdev_issue_flush", "@issue_flush_fn"),),
        v2_6.FILES + FILES_XFS,
        _CUTS_V2_6,
    )


_FS_V2_6_18 = v2_6.Fs(
    read=("do_sync_read", ">xfs_file_aio_read", ">xfs_read", "__generic_file_aio_read"),
    write=("do_sync_write", ">xfs_file_aio_write", ">xfs_write"),
    readv=(">xfs_file_readv", ">xfs_read", "__generic_file_aio_read"),
    writev=(">xfs_file_writev", ">xfs_write"),
    direct=(">xfs_vm_direct_IO",),
    fsync="xfs_file_fsync",
    read_edges=_READ,
    sync_edges=_SYNC,
    direct_edges=_DIRECT,
    write_edges=(
        *_WRITE,
        ("generic_file_buffered_write", "xfs_vm_prepare_write"),
        ("generic_file_buffered_write", "generic_commit_write"),
    ),
    writepage="xfs_vm_writepage",
    unplug=_UNPLUG_VIA,
    files=FILES_XFS,
    cuts=_CUTS_V2_6,
    read_cuts=_READ_CUTS,
    more={"journal": _XFSBUFD, "flush": _flush(">xfs_fsync")},
)
_FS_V2_6_24 = replace(
    _FS_V2_6_18,
    read=("do_sync_read", ">xfs_file_aio_read", "xfs_read", "generic_file_aio_read"),
    write=("do_sync_write", ">xfs_file_aio_write", "xfs_write"),
    readv=("do_sync_readv_writev", ">xfs_file_aio_read", "xfs_read", "generic_file_aio_read"),
    writev=("do_sync_readv_writev", ">xfs_file_aio_write", "xfs_write"),
    write_edges=(
        *_WRITE,
        ("generic_file_buffered_write", "xfs_vm_write_begin"),
        ("generic_file_buffered_write", "generic_write_end"),
    ),
    more={"journal": _XFSBUFD, "flush": _flush("xfs_fsync", "submit_bio")},
)

_SYNC_V6_1: Edges = (
    ("do_writepages", "xfs_vm_writepages"),
    ("write_cache_pages", "iomap_do_writepage"),
    ("iomap_do_writepage", "xfs_map_blocks"),
    ("iomap_submit_ioend", "xfs_prepare_ioend"),
)
_CUTS_V6_1: Cuts = (
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
    ("*", "xfs_reflink_*", "no shared extents [shared_extents=false]"),
    ("*", "xfs_refcount*", "no shared extents [shared_extents=false]"),
    ("*", "xfs_rmap*", "no reverse map [rmapbt=false]"),
    ("*", "xfs_trans_roll*", "a rolled transaction starts anew in the same frame"),
    ("*", "xfs_blockgc_*", "space is left"),
    ("*", "xfs_flush_inodes", "space is left"),
)
_FS_V6_1 = v6_1.Fs(
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
    sync_edges=_SYNC_V6_1,
    meta_read=(("iomap_iter", "xfs_read_iomap_begin"),),
    meta_write=(("iomap_iter", "xfs_direct_write_iomap_begin"),),
    files=("fs/xfs/",),
    cuts=_CUTS_V6_1,
    fault=(">xfs_filemap_fault", "filemap_fault"),
    names=("xfs_vn_lookup", "xfs_vn_create", "xfs_file_open"),
)
_ENTRIES = {
    "2.6.18": v2_6.entries(_FS_V2_6_18),
    "2.6.24": v2_6.entries(_FS_V2_6_24),
    "6.1": v6_1.entries(
        _FS_V6_1,
        {
            "journal": v6_1.thread("xfsaild", _FS_V6_1.files),
            "discard": v6_1.discard((">xfs_file_ioctl", "xfs_ioc_trim"), _FS_V6_1),
        },
    ),
}
_ENTRIES["6.1"] |= system_calls(OPERATIONS, _FS_V6_1, _ENTRIES["6.1"]["writeback"])
_GC = _ENTRIES["6.1"]["inode-gc"]
_ENTRIES["6.1"]["block-gc"] = replace(
    _GC,
    via=(*BLOCK_GC, "submit_bio"),
    cuts=tuple(cut for cut in _GC.cuts if cut[1] not in ("xfs_blockgc_*", "xfs_reflink_*")),
)
XFS = file_system(
    "xfs",
    "XFS file system",
    _ENTRIES,
    {
        "2.6.18": source_calls(_ENTRIES["2.6.18"], AIO_END, ">xfs_vm_prepare_write"),
        "2.6.24": source_calls(_ENTRIES["2.6.24"], BUFFER_END, ">xfs_vm_write_begin"),
        "6.1": source_calls(
            _ENTRIES["6.1"],
            end_io("iomap_writepage_end_bio"),
            more_ends=(end_io("iomap_read_end_io"),),
            direct_ends=DIO_END[2:],
        ),
    },
    beside={**beside(OPERATIONS), "block-gc": "write"},
)
