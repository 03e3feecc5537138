"""f2fs of 6.1 as a source of bios: data and node pages, checkpoints, its threads."""

from collections.abc import Mapping
from dataclasses import replace

import blockstack.kinds.filesystems.vfs_v6_1 as v6_1
from blockstack.base.calls import Path, cut_rows
from blockstack.kinds.filesystems.common import (
    FS_ENTRY_OPS,
    Cuts,
    Edges,
    entry_bios,
    source_calls,
)
from blockstack.kinds.filesystems.system_calls import Operations, beside, system_calls
from blockstack.kinds.model import Kind

_FILES = ("fs/f2fs/",)
_CUTS: Cuts = (
    *cut_rows(
        "free sections are left: no cleaning in the foreground (has_not_enough_free_secs)",
        "f2fs_balance_fs->f2fs_gc",
        "f2fs_balance_fs->f2fs_submit_*",
        "__write_node_page->f2fs_balance_fs",
    ),
    *cut_rows(
        "the compression feature is off",
        "f2fs_*compress*",
        "f2fs_*cluster*",
        "f2fs_write_multi_pages",
        "f2fs_prepare_compress_overwrite",
    ),
    *cut_rows("no encryption, no verity", "fscrypt_*", "fsverity_*", "f2fs_verify_*"),
    *cut_rows(
        "the data_flush mount option is off",
        "f2fs_balance_fs_bg->f2fs_sync_dirty_inodes",
        "f2fs_balance_fs_bg->filemap_fdatawrite*",
        "f2fs_balance_fs_bg->__filemap_fdatawrite*",
    ),
    *cut_rows(
        "reads nothing below flush_inline_data, whose caller holds the inode's node page; "
        "for a page of data f2fs_do_write_data_page makes the same call deeper",
        "f2fs_write_inline_data->f2fs_get_dnode_of_data",
    ),
    # fs/f2fs/super.c 6.1 default_options; fs/f2fs/checkpoint.c f2fs_issue_checkpoint
    *cut_rows(
        "checkpoint_merge is on by default: the thread f2fs_ckpt writes the checkpoint, its "
        "caller waits",
        "f2fs_issue_checkpoint->f2fs_write_checkpoint",
        "f2fs_issue_checkpoint->*checkpoint_and_complete_reqs",
        "f2fs_issue_checkpoint->__write_checkpoint_sync",
        "f2fs_issue_checkpoint->flush_remained_ckpt_reqs",
    ),
    *cut_rows("no quota", "dquot_*", "f2fs_quota_*", "f2fs_dquot_*"),
    *cut_rows("no zoned device", "*blkzoned*", "*blkz*", "*zone*"),
    *cut_rows("no atomic or volatile writes", "f2fs_*atomic*"),
    *cut_rows(
        "after an error or a crash only",
        "f2fs_stop_checkpoint",
        "f2fs_handle_error",
        "f2fs_recover_*",
        "f2fs_write_failed",
        "f2fs_invalidate_blocks",
        "f2fs_record_stop_reason",
        "f2fs_truncate",
    ),
)
_READ: Edges = (("read_pages", "f2fs_readahead"), ("filemap_read_folio", "f2fs_read_data_folio"))
_DATA: Edges = (
    ("do_writepages", "f2fs_write_data_pages"),
    ("__writeback_single_inode", "f2fs_write_inode"),
)
_FLUSH_DATA = ("filemap_fdatawrite", "f2fs_write_data_pages")
_NODES: Edges = (("do_writepages", "f2fs_write_node_pages"),)
_META: Edges = (("do_writepages", "f2fs_write_meta_pages"),)
_READ_CUTS: Cuts = cut_rows(
    "a read maps blocks: it allocates none and balances nothing",
    "f2fs_balance_fs",
    "f2fs_reserve_new_block*",
    "f2fs_new_node_page",
    "__allocate_data_block",
    "f2fs_allocate_data_block",
    "f2fs_alloc_nid",
    "f2fs_map_blocks->f2fs_reserve_block",
)
_F2FS = v6_1.Fs(
    read=(">f2fs_file_read_iter", "filemap_read"),
    write=(">f2fs_file_write_iter", "f2fs_buffered_write_iter?", "generic_perform_write"),
    dio_read=(">f2fs_file_read_iter", "f2fs_dio_read_iter?", "__iomap_dio_rw"),
    dio_write=(">f2fs_file_write_iter", "f2fs_dio_write_iter?", "__iomap_dio_rw"),
    fsync="f2fs_sync_file",
    data=("iomap_dio_bio_iter",),
    read_edges=_READ,
    write_edges=(
        ("generic_perform_write", "f2fs_write_begin"),
        ("generic_perform_write", "f2fs_write_end"),
        ("__mark_inode_dirty", "f2fs_dirty_inode"),
    ),
    sync_edges=_DATA,
    meta_read=(("iomap_iter", "f2fs_iomap_begin"),),
    meta_write=(("iomap_iter", "f2fs_iomap_begin"),),
    files=_FILES,
    cuts=_CUTS,
    read_cuts=_READ_CUTS,
    fault=(">f2fs_filemap_fault", "filemap_fault"),
    names=("f2fs_lookup", "f2fs_create", "f2fs_file_open"),
)
F2FS_ENTRY_OPS: Mapping[str, tuple[str, ...]] = {
    **FS_ENTRY_OPS,
    "write": (*FS_ENTRY_OPS["write"], "writeback-node", "writeback-meta", "checkpoint", "cleaner"),
    "flush": ("flush", "fsync", "flush-thread", "journal", "checkpoint"),
    "discard": ("discard", "discard-thread"),
}
#: fs/f2fs/checkpoint.c block_operations; only ->writepages of the nodes (f2fs_write_node_pages)
#: balances
_CHECKPOINT: Cuts = cut_rows(
    "a checkpoint writes nodes with do_balance = false",
    "f2fs_sync_node_pages->flush_inline_data",
    "f2fs_sync_node_pages->flush_dirty_inode",
    "f2fs_sync_node_pages->f2fs_write_inline_data",
)
#: fs/f2fs/namei.c, file.c, inode.c, xattr.c, super.c: 6.1 and 6.12
_OPERATIONS = Operations(
    {
        "lookup": "f2fs_lookup",
        "create": "f2fs_create",
        "mkdir": "f2fs_mkdir",
        "mknod": "f2fs_mknod",
        "symlink": "f2fs_symlink",
        "link": "f2fs_link",
        "unlink": "f2fs_unlink",
        "rmdir": "f2fs_rmdir",
        "rename": "f2fs_rename2",
        "setattr": "f2fs_setattr",
        "getattr": "f2fs_getattr",
        "setxattr": "f2fs_xattr_generic_set",
        "getxattr": "f2fs_xattr_generic_get",
        "listxattr": "f2fs_listxattr",
        "fallocate": "f2fs_fallocate",
        "readdir": "f2fs_readdir",
        "page_mkwrite": "f2fs_vm_page_mkwrite",
        "fault": "f2fs_filemap_fault",
        "evict": "f2fs_evict_inode",
        "dirty_inode": "f2fs_dirty_inode",
        "write_inode": "f2fs_write_inode",
        "sync_fs": "f2fs_sync_fs",
        "freeze": "f2fs_freeze",
        "put_super": "f2fs_put_super",
        "statfs": "f2fs_statfs",
        "release": "f2fs_release_file",
        "kill": "kill_f2fs_super",
        "read_iter": "f2fs_file_read_iter",
        "write_iter": "f2fs_file_write_iter",
        "fsync": "f2fs_sync_file",
    },
    edges=(
        ("legacy_get_tree", "f2fs_mount"),
        ("mount_bdev", "f2fs_fill_super"),
        ("legacy_reconfigure", "f2fs_remount"),
        *_NODES,
        *_META,
    ),
    lifted=frozenset(("f2fs_truncate", "f2fs_invalidate_blocks")),
    cuts=tuple(
        ("*", name, "a new file gets no label and no ACL [create_xattrs=false]")
        for name in ("f2fs_init_security", "f2fs_init_acl")
    ),
    lacks=frozenset(("reflink",)),
)
F2FS_END = Path(
    ("f2fs_write_end_io",),
    files=_FILES,
    edges=(("f2fs_write_end_io", "f2fs_read_end_io"),),
    cuts=cut_rows("after an error only", "f2fs_stop_checkpoint"),
)


def _entries() -> dict[str, Path]:
    """Entry points of f2fs."""
    ways = v6_1.entries(_F2FS)
    ways |= system_calls(_OPERATIONS, _F2FS, ways["writeback"])
    cuts = ways["writeback"].cuts
    # with the default nobarrier=off, and flush_merge: the task itself or issue_flush_thread
    ways["flush"] = replace(
        ways["fsync"],
        via=(
            *v6_1.FSYNC,
            ">f2fs_sync_file",
            "f2fs_issue_flush",
            "blkdev_issue_flush?",
            "submit_bio",
        ),
    )
    trim = v6_1.discard((">f2fs_ioctl", "f2fs_trim_fs"), _F2FS)  # ends with a checkpoint
    ways["discard"] = replace(trim, via=(*trim.via[:-1], "submit_bio"), edges=_DATA)
    ways["writeback-node"] = replace(ways["writeback"], edges=_NODES)
    ways["writeback-meta"] = replace(ways["writeback"], edges=_META)
    for name, thread in (
        ("flush-thread", "issue_flush_thread"),
        ("discard-thread", "issue_discard_thread"),
        ("checkpoint", "issue_checkpoint_thread"),
        ("cleaner", "gc_thread_func"),
    ):
        way = v6_1.thread(thread, _FILES, cuts=cuts)
        # a checkpoint and the cleaner write dirty inodes' pages, too
        ways[name] = replace(way, edges=(*_DATA, _FLUSH_DATA))
    return {
        name: way if name == "writeback-node" else replace(way, cuts=way.cuts + _CHECKPOINT)
        for name, way in ways.items()
    }


_V6_1 = _entries()
_ENTRIES = {
    # checkpoint_merge, and its thread, are of 5.12
    "5.10": {name: way for name, way in _V6_1.items() if name != "checkpoint"},
    "6.1": _V6_1,
}
F2FS = Kind(
    "f2fs",
    "source",
    "remap",
    (1, 1),
    "f2fs file system",
    entries=_ENTRIES,
    verb="f2fs",
    calls={gen: source_calls(ways, F2FS_END) for gen, ways in _ENTRIES.items()},
    entry_ops=F2FS_ENTRY_OPS,
    entry_bios=entry_bios(F2FS_ENTRY_OPS),
    beside=beside(_OPERATIONS),
)
