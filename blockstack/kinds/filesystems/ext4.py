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
)
