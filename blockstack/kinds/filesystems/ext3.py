"""ext3: entry points of 2.6.18 and 2.6.24 (data=ordered, the default mode)."""

import blockstack.kinds.filesystems.vfs_v2_6 as v2_6
from blockstack.kinds.filesystems.common import (
    AIO_END,
    BUFFER_END,
    Cuts,
    Edges,
    file_system,
    source_calls,
)

FILES_EXT3 = ("fs/ext3/", "fs/jbd/")

_READ: Edges = (
    ("__do_page_cache_readahead", "ext3_readpages"),
    ("read_pages?", "ext3_readpages"),
    ("do_generic_mapping_read", "ext3_readpage"),
    ("do_mpage_readpage", "ext3_get_block"),
)
#: ordered mode has no ->writepages: every page goes through ext3_ordered_writepage, which starts
#: a transaction and then maps with ext3_get_block (fs/ext3/inode.c)
_SYNC: Edges = (
    ("mpage_writepages", "ext3_ordered_writepage"),
    ("write_cache_pages?", "__writepage?"),  # from 2.6.24 on
    ("__writepage?", "ext3_ordered_writepage"),
    ("__block_write_full_page", "ext3_get_block"),
    ("__writeback_single_inode", "ext3_write_inode"),
    ("__sync_single_inode?", "ext3_write_inode"),
    ("write_inode?", "ext3_write_inode"),
    ("__mark_inode_dirty", "ext3_dirty_inode"),
)
_WRITE: Edges = (
    ("generic_file_buffered_write", "ext3_prepare_write?"),  # to 2.6.23
    ("generic_file_buffered_write", "ext3_ordered_commit_write?"),
    ("generic_file_buffered_write", "ext3_write_begin?"),
    ("generic_file_buffered_write", "ext3_ordered_write_end?"),
    ("__block_prepare_write", "ext3_get_block"),
)
_DIRECT: Edges = tuple(
    (f, "ext3_get_block") for f in ("__blockdev_direct_IO", "do_direct_IO?", "get_more_blocks?")
)
_NO_ALLOC = "a read maps blocks (create = 0): it starts no transaction and allocates none"
_READ_CUTS: Cuts = (
    ("ext3_get_block", "ext3_journal_start_sb", _NO_ALLOC),
    ("ext3_get_block", "journal_*", _NO_ALLOC),
    ("ext3_get_block", "__ext3_journal_stop", _NO_ALLOC),
    ("ext3_get_blocks_handle", "ext3_new_blocks", _NO_ALLOC),
    ("ext3_get_blocks_handle", "ext3_alloc_b*", _NO_ALLOC),
    ("ext3_get_blocks_handle", "ext3_splice_branch", _NO_ALLOC),
    ("ext3_get_blocks_handle", "ext3_init_block_alloc_info", _NO_ALLOC),
    ("ext3_get_blocks_handle", "ext3_reserve_inode_write", _NO_ALLOC),
    ("ext3_get_blocks_handle", "ext3_mark_iloc_dirty", _NO_ALLOC),
    ("ext3_get_blocks_handle", "ext3_free_blocks", _NO_ALLOC),
    ("ext3_get_blocks_handle", "*journal_*", _NO_ALLOC),
    ("ext3_direct_IO", "ext3_*", "a direct read starts no transaction"),
    ("ext3_direct_IO", "__ext3_journal_stop", "a direct read starts no transaction"),
)
_CUTS: Cuts = (
    ("*", "ext3_xattr_*", "no extended attributes on the data path"),
    ("*", "ext3_free_blocks*", "frees only after an allocation that failed half-way"),
    ("*", "journal_revoke", "frees only after an allocation that failed half-way"),
    ("*", "journal_destroy*", "at unmount only"),
    (
        "ext3_dirty_inode",
        "*journal_start*",
        "every caller on these ways holds a handle, which journal_start hands back "
        "(fs/jbd/transaction.c); ext3_ordered_writepage and ext3_prepare_write start theirs deeper",
    ),
    ("*", "DQUOT_*", "no quota"),
    ("*", "dquot_*", "no quota"),
    ("*", "ext3_*_dquot", "no quota"),
)
#: ext3_get_block (fs/ext3/inode.c): 2.6.18 skips the journal for a single block, which is all that
#: a page's buffer asks for; 2.6.24 starts a handle only where none is held
_CACHED_CUTS: Cuts = (
    (
        "ext3_get_block",
        "*journal_*",
        "direct I/O only: a page's buffer asks for one block, with a handle held",
    ),
)


def _fs(read: tuple[str, ...], readv: tuple[str, ...], writev: tuple[str, ...]) -> v2_6.Fs:
    journal = v2_6.thread("kjournald", FILES_EXT3, (), "journal_commit_transaction")
    return v2_6.Fs(
        read=read,
        write=("do_sync_write", ">ext3_file_write", "generic_file_aio_write"),
        readv=readv,
        writev=writev,
        direct=(">ext3_direct_IO",),
        fsync="ext3_sync_file",
        read_edges=_READ,
        write_edges=_WRITE,
        sync_edges=_SYNC,
        direct_edges=_DIRECT,
        writepage="ext3_ordered_writepage",
        unplug=v2_6.WAIT_BUFFER,
        files=FILES_EXT3,
        cuts=_CUTS,
        read_cuts=_READ_CUTS,
        cached_cuts=_CACHED_CUTS,
        more={"journal": journal},
    )


_FS_V2_6_18 = _fs(
    ("do_sync_read", ">generic_file_aio_read", "__generic_file_aio_read"),
    (">generic_file_readv", "__generic_file_aio_read"),
    (">generic_file_writev",),
)
_FS_V2_6_24 = _fs(
    ("do_sync_read", ">generic_file_aio_read"),
    ("do_sync_readv_writev", ">generic_file_aio_read"),
    ("do_sync_readv_writev", ">ext3_file_write", "generic_file_aio_write"),
)
_ENTRIES = {"2.6.18": v2_6.entries(_FS_V2_6_18), "2.6.24": v2_6.entries(_FS_V2_6_24)}
EXT3 = file_system(
    "ext3",
    "ext3 file system, data=ordered",
    _ENTRIES,
    {
        "2.6.18": source_calls(_ENTRIES["2.6.18"], AIO_END, ">ext3_prepare_write"),
        "2.6.24": source_calls(_ENTRIES["2.6.24"], BUFFER_END, ">ext3_write_begin"),
    },
)
