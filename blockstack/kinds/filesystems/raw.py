"""The block device opened as a file."""

from collections.abc import Mapping
from dataclasses import replace

import blockstack.kinds.filesystems.vfs_v2_6 as v2_6
import blockstack.kinds.filesystems.vfs_v6_1 as v6_1
from blockstack.base.calls import Path
from blockstack.base.registry import OPS
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
from blockstack.kinds.filesystems.system_calls import BESIDE, Operations, beside, system_calls

_RAW_EDGES: Edges = (
    ("mpage_writepages", "blkdev_writepage"),
    ("write_cache_pages?", "__writepage?"),  # from 2.6.24 on
    ("__writepage?", "blkdev_writepage"),
    ("__block_write_full_page", "blkdev_get_block"),
    ("__block_prepare_write", "blkdev_get_block"),
)
_RAW_WRITE: Edges = tuple(
    ("generic_file_buffered_write", f)
    for f in (
        "blkdev_prepare_write?",  # to 2.6.23
        "blkdev_commit_write?",
        "blkdev_write_begin?",
        "blkdev_write_end?",
    )
)


def _fs_v2_6(
    read: tuple[str, ...], write: tuple[str, ...], readv: tuple[str, ...], writev: tuple[str, ...]
) -> v2_6.Fs:
    """The block device's own file operations (fs/block_dev.c); no ->readpages: page by page."""
    return v2_6.Fs(
        read=read,
        write=write,
        readv=readv,
        writev=writev,
        direct=(">blkdev_direct_IO",),
        fsync="block_fsync",
        read_edges=(
            ("read_pages?", "blkdev_readpage"),
            ("__do_page_cache_readahead", "blkdev_readpage"),
            ("do_generic_mapping_read", "blkdev_readpage"),
            ("block_read_full_page", "blkdev_get_block"),
        ),
        write_edges=_RAW_WRITE,
        sync_edges=_RAW_EDGES,
        writepage="blkdev_writepage",
    )


_FS_V2_6_18 = _fs_v2_6(
    (">generic_file_read", "__generic_file_aio_read"),
    (">blkdev_file_write", "generic_file_aio_write_nolock"),
    (">generic_file_readv", "__generic_file_aio_read"),
    (">generic_file_write_nolock", "generic_file_aio_write_nolock"),
)
_FS_V2_6_24 = _fs_v2_6(
    ("do_sync_read", ">generic_file_aio_read"),
    ("do_sync_write", ">generic_file_aio_write_nolock"),
    ("do_sync_readv_writev", ">generic_file_aio_read"),
    ("do_sync_readv_writev", ">generic_file_aio_write_nolock"),
)
_OPEN_CUTS: Cuts = (
    *(c for c in v6_1.CUTS if c[1] != "blkdev_get_*"),
    ("path_openat", "link_path_walk", "a path of one directory, in the cache"),
)

#: opening a disk whose partitions are not known yet reads its tables (block/partitions/core.c)
_OPEN = Path(
    (
        *v6_1.OPENAT,
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
    (*v6_1.FILES, "fs/open.c", "fs/namei.c"),
    _OPEN_CUTS,
)

RAW_V6_1 = v6_1.Fs(
    read=(">blkdev_read_iter", "filemap_read"),
    write=(">blkdev_write_iter", "generic_perform_write"),
    dio_read=(">blkdev_read_iter",),
    dio_write=(">blkdev_write_iter",),
    fsync="blkdev_fsync",
    data=(),
    read_edges=(
        *v6_1.cache_edges("blkdev_readahead", "blkdev_writepages"),
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
        *v6_1.cache_edges("blkdev_readahead", "blkdev_writepages"),
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

#: fs/block_dev.c 5.10: O_DIRECT by ->direct_IO of the page cache's operations
_RAW_V5_10 = replace(
    RAW_V6_1,
    dio_read=(">blkdev_read_iter", "generic_file_read_iter"),
    dio_write=(">blkdev_write_iter", "generic_file_direct_write"),
    data=(">blkdev_direct_IO",),
)
#: block/fops.c since 6.6: buffered writes go through iomap (over buffer heads)
_RAW_V6_12 = replace(
    RAW_V6_1,
    write=(">blkdev_write_iter", "iomap_file_buffered_write"),
    write_edges=(("iomap_iter", "blkdev_iomap_begin"),),
)


#: what goes to an opened block device itself; names and mounts are a file system's
_ITS = (
    *("fallocate", "sendfile", "splice", "sync", "sync-range", "fadvise", "readahead", "madvise"),
    *("close", "exit", "read-direct-mapped", "write-direct-mapped"),
    *(name for name in BESIDE if name.startswith("uring-")),
)
_OPERATIONS = Operations(
    {
        "fallocate": "blkdev_fallocate",
        "fault": "filemap_fault",
        "release": "blkdev_release?",
        "read_iter": "blkdev_read_iter",
        "write_iter": "blkdev_write_iter",
        "fsync": "blkdev_fsync",
    },
    edges=(("__fput", "blkdev_close?"),),  # 6.1
    lacks=frozenset(BESIDE) - frozenset(_ITS),
)


def _entries_v6_1(fs: v6_1.Fs) -> Mapping[str, Path]:
    ways = v6_1.entries(
        fs,
        {
            "open": _OPEN,
            "discard": v6_1.discard(
                (">blkdev_ioctl", "blkdev_common_ioctl?", "blk_ioctl_discard?")
            ),
        },
    )
    return ways | system_calls(_OPERATIONS, fs, ways["writeback"])


_ENTRIES = {
    "2.6.18": v2_6.entries(_FS_V2_6_18),
    "2.6.24": v2_6.entries(_FS_V2_6_24),
    "5.10": _entries_v6_1(_RAW_V5_10),
    "6.1": _entries_v6_1(RAW_V6_1),
    "6.12": _entries_v6_1(_RAW_V6_12),
}
RAW = file_system(
    "raw",
    "block device opened as a file",
    _ENTRIES,
    {
        "2.6.18": source_calls(_ENTRIES["2.6.18"], AIO_END, ">blkdev_prepare_write"),
        "2.6.24": source_calls(_ENTRIES["2.6.24"], BUFFER_END, ">blkdev_write_begin"),
        **{
            gen: source_calls(
                _ENTRIES[gen],
                end_io("mpage_end_io@fs/mpage.c"),
                ops=OPS,
                more_ends=(BUFFER_END,),
                direct_ends=DIO_END[:2],
            )
            for gen in ("5.10", "6.1", "6.12")
        },
    },
    metadata=False,
    beside=beside(_OPERATIONS),
)
