"""Bio sources: what stands on top of a stack and submits."""

from collections.abc import Mapping

from blockstack.kinds.model import Calls, Kind, Path
from blockstack.kinds.source_61 import (
    EXT4_61,
    RAW_61,
    XFS_61,
    entries_61,
    swap_61,
    thread_61,
)
from blockstack.kinds.source_ext import EXT3_2_6_18, EXT3_2_6_24
from blockstack.kinds.source_paths import (
    FILES_26,
    FS_ENTRY_OPS,
    RECLAIM_26,
    RECLAIM_EDGES,
    RECLAIM_FILES_26,
    Edges,
    Fs,
    entries_26,
)
from blockstack.kinds.source_xfs import XFS_2_6_18, XFS_2_6_24

_RAW_EDGES: Edges = (
    ("mpage_writepages", "blkdev_writepage"), ("write_cache_pages", "__writepage"),
    ("__writepage", "blkdev_writepage"),
    ("__block_write_full_page", "blkdev_get_block"), ("__block_prepare_write", "blkdev_get_block"))
_RAW_WRITE: Edges = tuple(("generic_file_buffered_write", f) for f in (
    "blkdev_prepare_write", "blkdev_commit_write", "blkdev_write_begin", "blkdev_write_end"))


def _raw_26(read: tuple[str, ...], write: tuple[str, ...]) -> Fs:
    """The block device's own file operations (fs/block_dev.c); no ->readpages: page by page."""
    return Fs(read=read, write=write, direct=(">blkdev_direct_IO",), fsync="block_fsync",
              read_edges=(("read_pages", "blkdev_readpage"),
                          ("__do_page_cache_readahead", "blkdev_readpage"),
                          ("do_generic_mapping_read", "blkdev_readpage"),
                          ("block_read_full_page", "blkdev_get_block")),
              write_edges=_RAW_WRITE, sync_edges=_RAW_EDGES, writepage="blkdev_writepage")


RAW_2_6_18 = _raw_26((">generic_file_read", "__generic_file_aio_read"),
                     (">blkdev_file_write", "generic_file_aio_write_nolock"))
RAW_2_6_24 = _raw_26(("do_sync_read", ">generic_file_aio_read"),
                     ("do_sync_write", ">generic_file_aio_write_nolock"))

_SWAP_FILES = (*RECLAIM_FILES_26, *FILES_26, "mm/memory.c", "mm/page_io.c", "mm/swap_state.c",
               "mm/swapfile.c", "mm/shmem.c")
_SWAP_OUT = (*RECLAIM_26, ">swap_writepage", "submit_bio")
_FAULT = ("@fault", "do_page_fault", "__handle_mm_fault|handle_mm_fault")


def _swap_26(kswapd: tuple[str, ...]) -> Mapping[str, Path]:
    """Swap of 2.6: direct reclaim writes out in whoever allocates (mm/vmscan.c pageout)."""
    shmem = ("shrink_inactive_list", "shmem_writepage"), ("pageout", "shmem_writepage")
    return {
        "fault": Path((*_FAULT, *_SWAP_OUT), RECLAIM_EDGES, _SWAP_FILES),
        "reclaim": Path(("@syscall", "sys_write", "vfs_write", "do_sync_write",
                         ">generic_file_aio_write", "generic_file_buffered_write", *_SWAP_OUT),
                        (*RECLAIM_EDGES, *shmem), _SWAP_FILES),
        "kswapd": Path((*kswapd, *RECLAIM_26[2:], ">swap_writepage", "submit_bio"), (),
                       _SWAP_FILES),
        "swap-in": Path((*_FAULT, "do_swap_page?", "swapin_readahead", "read_swap_cache_async",
                         "swap_readpage", "submit_bio"), (), _SWAP_FILES),
    }


def _reiser4(fs: Fs) -> dict[str, Path]:
    """reiser4 was never merged: its functions are in no table, so that every way in through them
    is a lower bound made of the VFS part alone. The names are those of the 2.6.x patches."""
    return entries_26(fs)


SOURCE_KINDS: tuple[Kind, ...] = (
    Kind("raw", "source", "remap", (1, 1), "block device opened as a file",
         calls={"2.6.18": Calls(), "2.6.24": Calls(), "6.1": Calls()},
         entries={"2.6.18": entries_26(RAW_2_6_18), "2.6.24": entries_26(RAW_2_6_24),
                  "6.1": entries_61(RAW_61)}),
    Kind("ext3", "source", "remap", (1, 1), "ext3 file system, data=ordered",
         calls={"2.6.18": Calls(), "2.6.24": Calls()},
         entries={"2.6.18": entries_26(EXT3_2_6_18), "2.6.24": entries_26(EXT3_2_6_24)}),
    Kind("ext4", "source", "remap", (1, 1), "ext4 file system",
         calls={"6.1": Calls()}, entries={"6.1": entries_61(EXT4_61)}),
    Kind("xfs", "source", "remap", (1, 1), "XFS file system",
         calls={"2.6.18": Calls(), "2.6.24": Calls(), "6.1": Calls()},
         entries={"2.6.18": entries_26(XFS_2_6_18), "2.6.24": entries_26(XFS_2_6_24),
                  "6.1": entries_61(XFS_61)}),
    Kind("swap", "source", "remap", (1, 1), "swap space, written under page reclaim",
         calls={"2.6.18": Calls(), "2.6.24": Calls(), "6.1": Calls()},
         entries={"2.6.18": _swap_26(("@kthread", ">kswapd")),
                  "2.6.24": _swap_26(("@kthread", "kthread", ">kswapd")), "6.1": swap_61()}),
)
