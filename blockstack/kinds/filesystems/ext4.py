"""ext4: data=ordered, delayed allocation."""

import blockstack.kinds.filesystems.vfs_v6_1 as v6_1
from blockstack.base.calls import cut_rows
from blockstack.kinds.filesystems.common import (
    DIO_END,
    Cuts,
    Edges,
    end_io,
    file_system,
    source_calls,
)
from blockstack.kinds.filesystems.system_calls import Operations, beside, system_calls
from blockstack.kinds.shared.threads import kthread, kworker

_READ: Edges = (("read_pages", "ext4_readahead"), ("filemap_read_folio", "ext4_read_folio"))
_SYNC: Edges = (
    ("do_writepages", "ext4_writepages"),
    ("write_cache_pages", "ext4_writepage_cb?"),  # in neither 6.1 nor 6.12
    ("__writeback_single_inode", "ext4_write_inode"),
    ("__mark_inode_dirty", "ext4_dirty_inode"),
)
_WRITE: Edges = (
    # ext4_da_aops; ext4_da_write_begin goes to ext4_write_begin itself when space is low
    ("generic_perform_write", "ext4_da_write_begin"),
    ("generic_perform_write", "ext4_da_write_end"),
    ("ext4_block_write_begin", "ext4_da_get_block_prep"),
    ("ext4_block_write_begin", "ext4_get_block"),
    ("__mark_inode_dirty", "ext4_dirty_inode"),
)
_NO_ALLOC = "a read maps blocks: it starts no transaction and allocates none"
_READ_CUTS: Cuts = tuple(
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
_CUTS: Cuts = (
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
_FS = v6_1.Fs(
    read=(">ext4_file_read_iter", "generic_file_read_iter?", "filemap_read"),
    write=(">ext4_file_write_iter", "ext4_buffered_write_iter", "generic_perform_write"),
    dio_read=(">ext4_file_read_iter", "iomap_dio_rw", "__iomap_dio_rw"),
    dio_write=(">ext4_file_write_iter", "iomap_dio_rw", "__iomap_dio_rw"),
    fsync="ext4_sync_file",
    data=("iomap_dio_bio_iter",),
    read_edges=_READ,
    write_edges=_WRITE,
    sync_edges=_SYNC,
    meta_read=(("iomap_iter", "ext4_iomap_begin"),),
    meta_write=(("iomap_iter", "ext4_iomap_begin"),),
    files=("fs/ext4/", "fs/jbd2/"),
    cuts=_CUTS,
    read_cuts=_READ_CUTS,
    names=("ext4_lookup", "ext4_create", "ext4_file_open"),
)

#: mkfs.ext4's defaults; ext4_bread with create = 0 under a look-up (fs/ext4/namei.c, dir.c)
_LOOK_UP: Cuts = (
    *cut_rows("the ea_inode feature is off", "ext4_xattr_inode_*"),
    *cut_rows(
        "looks blocks up, allocates none",
        *(
            f"below {reader}->{allocates}"
            for reader in ("ext4_lookup", "ext4_readdir", "ext4_xattr_get", "ext4_listxattr")
            for allocates in ("ext4_mb_*", "ext4_ext_insert_extent", "ext4_split_*")
        ),
    ),
    *(
        ("*", name, "a new file gets no label and no ACL [create_xattrs=false]")
        for name in ("ext4_init_security", "ext4_init_acl")
    ),
)
#: fs/ext4/namei.c, file.c, inode.c, xattr.c, super.c: 6.1 and 6.12
_OPERATIONS = Operations(
    {
        "lookup": "ext4_lookup",
        "create": "ext4_create",
        "mkdir": "ext4_mkdir",
        "mknod": "ext4_mknod",
        "symlink": "ext4_symlink",
        "link": "ext4_link",
        "unlink": "ext4_unlink",
        "rmdir": "ext4_rmdir",
        "rename": "ext4_rename2",
        "setattr": "ext4_setattr",
        "getattr": "ext4_file_getattr",
        "setxattr": "ext4_xattr_security_set",
        "getxattr": "ext4_xattr_user_get",
        "listxattr": "ext4_listxattr",
        "fallocate": "ext4_fallocate",
        "readdir": "ext4_readdir",
        "page_mkwrite": "ext4_page_mkwrite",
        "fault": "filemap_fault",
        "evict": "ext4_evict_inode",
        "dirty_inode": "ext4_dirty_inode",
        "write_inode": "ext4_write_inode",
        "sync_fs": "ext4_sync_fs",
        "freeze": "ext4_freeze",
        "put_super": "ext4_put_super",
        "statfs": "ext4_statfs",
        "get_tree": "ext4_get_tree",
        "fill": "ext4_fill_super",
        "reconfigure": "ext4_reconfigure",
        "release": "ext4_release_file",
        "read_iter": "ext4_file_read_iter",
        "write_iter": "ext4_file_write_iter",
        "fsync": "ext4_sync_file",
    },
    # fs/jbd2/commit.c journal_submit_data_buffers: data=ordered
    edges=(("jbd2_journal_commit_transaction", "ext4_journal_submit_inode_data_buffers"),),
    lifted=frozenset(("ext4_xattr_*", "ext4_truncate", "ext4_orphan_*")),
    cuts=_LOOK_UP,
    workers={
        "ordered-data": kthread(">kjournald2", "jbd2_journal_commit_transaction"),
        "conversion": kworker("ext4_end_io_rsv_work"),
        "lazy-init": kthread(">ext4_lazyinit_thread"),
    },
    lacks=frozenset(("reflink",)),
)
#: fs/ext4/extents.c (6.1): a write allocates an unwritten extent of exactly its blocks, merges it
#: with none (EXT4_GET_BLOCKS_PRE_IO in ext4_ext_insert_extent), and its end converts all of it
_WHOLE: Cuts = cut_rows(
    "splits an unwritten extent: only one that fallocate(2), a failed write or a lack of space "
    "(ext4_nonda_switch) left, or of a write in flight that another overlaps in part",
    "ext4_split_extent*->ext4_ext_insert_extent",
    "ext4_split_convert_extents->ext4_ext_insert_extent",
)
_ENTRIES = {
    "6.1": v6_1.entries(
        _FS,
        {
            "journal": v6_1.thread("kjournald2", _FS.files, "jbd2_journal_commit_transaction"),
            "discard": v6_1.discard((">ext4_ioctl", "ext4_trim_fs"), _FS),
        },
    )
}
_ENTRIES["6.1"] |= system_calls(_OPERATIONS, _FS, _ENTRIES["6.1"]["writeback"])
EXT4 = file_system(
    "ext4",
    "ext4 file system, data=ordered, delayed allocation",
    _ENTRIES,
    {
        "6.1": source_calls(
            _ENTRIES["6.1"],
            end_io("ext4_end_bio"),
            direct_ends=DIO_END[2:],
            allocated_cuts=_WHOLE,
        )
    },
    beside=beside(_OPERATIONS),
)
