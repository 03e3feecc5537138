"""vfat of 6.1 as a source of bios: what lies on /boot/efi and on memory cards.

Read in fs/fat, fs/buffer.c, fs/mpage.c and fs/direct-io.c of Debian's 6.1.192.
"""

from collections.abc import Mapping
from dataclasses import replace

import blockstack.kinds.filesystems.vfs_v6_1 as v6_1
from blockstack.base.calls import Path, cut_rows
from blockstack.kinds.filesystems.common import (
    AIO_END,
    BUFFER_END,
    FS_ENTRY_OPS,
    Cuts,
    Edges,
    end_io,
    entry_bios,
    source_calls,
)
from blockstack.kinds.filesystems.raw import RAW_V6_1
from blockstack.kinds.filesystems.system_calls import Operations, beside, system_calls
from blockstack.kinds.model import Kind

_FILES = ("fs/fat/", "fs/libfs.c")
_CUTS: Cuts = (
    *cut_rows(
        "after an error only",
        "__fat_fs_error",
        "_fat_msg",
        "fat_free_clusters",
        "fat_truncate_blocks",
        "truncate_pagecache",
        "__fat_remove_entries",
        "fat_cache_inval_inode",
    ),
    *cut_rows(
        "mounted without sync and dirsync (inode_needs_sync, SB_SYNCHRONOUS)",
        "fat_sync_bhs",
        "fat_sync_inode",
        "fat_mirror_bhs->sync_dirty_buffer",
    ),
)
#: fs/fat/inode.c fat_get_block allocates what is not mapped, and only at the end of the file
_NO_ALLOC: Cuts = cut_rows(
    "allocates nothing: FAT files have no holes and fat_write_begin has mapped what is dirty",
    "fat_get_block->fat_add_cluster",
)
#: fat_direct_IO leaves a write beyond what is allocated to the page cache, and get_more_blocks
#: asks with create = 0 up to the end of the file (DIO_SKIP_HOLES)
_MAPPED: Cuts = cut_rows(
    "direct I/O maps blocks that the file has", "fat_get_block->fat_add_cluster"
)
#: sbi->fatent_ops->ent_bread (fs/fat/fatent.c): FAT12 has its own, FAT16 and FAT32 share one
_TABLE: Edges = tuple(
    (caller, bread)
    for caller in ("fat_ent_read", "fat_alloc_clusters")
    for bread in ("fat12_ent_bread", "fat_ent_bread")
)
_READ: Edges = (
    ("read_pages", "fat_readahead"),
    ("filemap_read_folio", "fat_read_folio"),
    ("do_mpage_readpage", "fat_get_block"),
    ("block_read_full_folio", "fat_get_block"),
    *_TABLE,
)
_WRITE: Edges = (
    ("generic_perform_write", "fat_write_begin"),
    ("generic_perform_write", "fat_write_end"),
    ("__block_write_begin_int", "fat_get_block"),
    *_TABLE,
)
_SYNC: Edges = (
    ("do_writepages", "fat_writepages"),
    ("write_cache_pages", "__mpage_writepage"),
    ("__mpage_writepage", "fat_get_block"),
    ("__block_write_full_page", "fat_get_block"),
    ("__writeback_single_inode", "fat_write_inode"),
    *_TABLE,
)
_DIRECT: Edges = (
    *(
        (caller, "fat_get_block")
        for caller in ("__blockdev_direct_IO", "do_direct_IO?", "get_more_blocks?")
    ),
    *_TABLE,
)
_FAT = v6_1.Fs(
    read=(">generic_file_read_iter", "filemap_read"),
    write=(">generic_file_write_iter", "generic_perform_write"),
    dio_read=(">generic_file_read_iter", ">fat_direct_IO", "__blockdev_direct_IO"),
    dio_write=(
        ">generic_file_write_iter",
        "generic_file_direct_write",
        ">fat_direct_IO",
        "__blockdev_direct_IO",
    ),
    fsync="fat_file_fsync",
    data=("dio_send_cur_page",),
    read_edges=_READ,
    write_edges=_WRITE,
    sync_edges=_SYNC,
    meta_read=_DIRECT,
    meta_write=_DIRECT,
    files=_FILES,
    cuts=_CUTS,
    read_cuts=_NO_ALLOC,
    names=("vfat_lookup", "vfat_create"),
)
VFAT_ENTRY_OPS: Mapping[str, tuple[str, ...]] = {
    **FS_ENTRY_OPS,
    "write": (*FS_ENTRY_OPS["write"], "write-gap", "writeback-meta", "kswapd"),
    # one that makes the file longer goes through the page cache
    "write-direct": (
        *FS_ENTRY_OPS["write-direct"],
        "write",
        "writev",
        "write-direct-grow",
        "writeback",
        "writeback-meta",
    ),
}


#: fs/fat/namei_vfat.c, file.c, inode.c, dir.c: 6.1 and 6.12
_OPERATIONS = Operations(
    {
        "lookup": "vfat_lookup",
        "create": "vfat_create",
        "mkdir": "vfat_mkdir",
        "unlink": "vfat_unlink",
        "rmdir": "vfat_rmdir",
        "rename": "vfat_rename2",
        "setattr": "fat_setattr",
        "getattr": "fat_getattr",
        "fallocate": "fat_fallocate",
        "readdir": "fat_readdir",
        "page_mkwrite": "filemap_page_mkwrite",
        "fault": "filemap_fault",
        "evict": "fat_evict_inode",
        "write_inode": "fat_write_inode",
        "put_super": "fat_put_super",
        "statfs": "fat_statfs",
        "release": "fat_file_release",
        "read_iter": "generic_file_read_iter",
        "write_iter": "generic_file_write_iter",
        "fsync": "fat_file_fsync",
    },
    edges=(
        ("legacy_get_tree?", "vfat_mount?"),  # 6.1
        ("mount_bdev?", "vfat_fill_super"),
        ("get_tree_bdev_flags?", "vfat_fill_super"),
        ("legacy_reconfigure?", "fat_remount?"),
        ("generic_file_read_iter", "fat_direct_IO"),
        ("generic_file_direct_write", "fat_direct_IO"),
    ),
    lifted=frozenset(cut[1] for cut in _NO_ALLOC),
    # no links, no attributes, no shared extents; a fault of a shared mapping reads and dirties only
    lacks=frozenset(("reflink", "fsetxattr", "removexattr", "mkwrite")),
)


def _entries_v6_1() -> dict[str, Path]:
    """Entry points of vfat."""
    ways = v6_1.entries(_FAT)
    for names, cuts in (
        (("fsync", "msync", "writeback"), _NO_ALLOC),
        (("write-direct-meta", "aio-write"), _MAPPED),
    ):
        for name in names:
            ways[name] = replace(ways[name], cuts=ways[name].cuts + cuts)
    # the tables' and directories' buffers are pages of the block device
    ways["writeback-meta"] = replace(ways["writeback"], edges=RAW_V6_1.sync_edges)
    # fs/buffer.c cont_expand_zero: what lies between the end of the file and a write is zeroed
    gap = (
        "generic_perform_write",
        ">fat_write_begin",
        "cont_write_begin",
        ">fat_write_begin",
        "cont_write_begin",
        "block_write_begin",
        "submit_bio",
    )
    ways["write-gap"] = replace(ways["write"], via=(*v6_1.WRITE, ">generic_file_write_iter", *gap))
    # mm/filemap.c __generic_file_write_iter: buffered in place of direct, then written out
    ways["write-direct-grow"] = replace(
        ways["write"],
        via=(*v6_1.WRITE, ">generic_file_write_iter", "direct_write_fallback", "submit_bio"),
        edges=_SYNC,
        cuts=ways["write"].cuts + _NO_ALLOC,
    )
    # mm/vmscan.c shrink_folio_list: of a file's dirty pages only kswapd writes any
    kswapd = v6_1.thread(
        "kswapd",
        (*_FILES, *v6_1.RECLAIM_FILES),
        "balance_pgdat",
        *v6_1.RECLAIM[4:],
        ">fat_writepage",
        cuts=ways["writeback"].cuts + v6_1.RECLAIM_CUTS,
    )
    ways["kswapd"] = replace(kswapd, edges=_SYNC)
    ways["discard"] = v6_1.discard((">fat_generic_ioctl", "fat_trim_fs"), _FAT)
    return ways | system_calls(_OPERATIONS, _FAT, ways["writeback-meta"])


def _entries_v6_12() -> dict[str, Path]:
    """The same of 6.12, whose fat.ko has no ``->writepage`` for kswapd to call."""
    return {name: way for name, way in _entries_v6_1().items() if name != "kswapd"}


#: fs/direct-io.c, under a file system that still uses it
_DIO_FILE_END = replace(AIO_END, edges=(("dio_complete", "aio_complete_rw"),))
_DIO_WAIT_END = end_io("dio_bio_end_io")
_ENTRIES = {"6.1": _entries_v6_1(), "6.12": _entries_v6_12()}
VFAT = Kind(
    "vfat",
    "source",
    "remap",
    (1, 1),
    "FAT file system with long names (/boot/efi)",
    entries=_ENTRIES,
    verb="vfat",
    entry_ops=VFAT_ENTRY_OPS,
    entry_bios=entry_bios(VFAT_ENTRY_OPS),
    beside=beside(_OPERATIONS),
    calls={
        gen: source_calls(
            ways,
            end_io("mpage_end_io@fs/mpage.c"),
            more_ends=(BUFFER_END,),
            direct_ends=(_DIO_FILE_END, _DIO_WAIT_END),
        )
        for gen, ways in _ENTRIES.items()
    },
)
