"""btrfs of 6.1 as a source of bios: trees, compression, its workers and threads.

Three calls of fs/btrfs come back to themselves, and each has ways of its own, so that a longest
path over the call graph never needs a function twice: a data bio reads its checksums' tree before
it is submitted (``-csum``), an allocation that finds no free extent makes a new chunk, for which
it changes two more trees (``-chunk``), and a sync writes the data's address space, then that of
the trees (``-tree``).
"""

from collections.abc import Mapping
from dataclasses import replace

import blockstack.kinds.filesystems.vfs_v6_1 as v6_1
from blockstack.base.calls import Path, cut_rows
from blockstack.kinds.filesystems.btrfs_operations import OPERATIONS, RECLAIM
from blockstack.kinds.filesystems.common import (
    FS_ENTRY_OPS,
    Cuts,
    Edges,
    entry_bios,
    source_calls,
)
from blockstack.kinds.filesystems.system_calls import beside, system_calls
from blockstack.kinds.model import Kind, Param
from blockstack.kinds.params import choice
from blockstack.kinds.shared.requests import with_cuts
from blockstack.kinds.shared.threads import WORK_FILES, kworker

_FILES = ("fs/btrfs/",)
#: what btrfs_search_slot calls only with cow = 1
_CHANGES = (
    "btrfs_cow_block",
    "split_leaf",
    "balance_level",
    "split_node",
    "push_leaf_*",
    "push_nodes_for_insert",
    "reada_for_balance",
)
_READ_CUTS: Cuts = cut_rows(
    "a read changes no tree: btrfs_search_slot with cow = 0",
    *_CHANGES,
    "start_transaction",
    "btrfs_start_transaction*",
    "btrfs_join_transaction*",
    "submit_one_bio->btrfs_submit_data_write_bio",
)
_CHUNK: Cuts = cut_rows(
    "a new chunk: in ways of their own",
    "find_free_extent->btrfs_chunk_alloc",
    "find_free_extent->btrfs_join_transaction",
    "find_free_extent->btrfs_end_transaction",
)
#: fs/btrfs/file-item.c 6.1 btrfs_lookup_bio_sums: path->reada is set for more sectors than a leaf
#: holds checksums of, 4,000 of crc32c's in mkfs.btrfs's 16 KiB; a read-ahead window has 1,024 pages
#: (fs/btrfs/disk-io.c open_ctree: 4 MiB)
_WINDOW: Cuts = cut_rows(
    "a buffered read asks for less than a leaf of checksums: it reads no others ahead",
    "read_block_for_search->reada_for_search",
)
_CSUM: Cuts = cut_rows(
    "reads the checksums' tree below a data bio: in ways of their own",
    "btrfs_lookup_bio_sums->btrfs_lookup_csum",
    "btrfs_lookup_bio_sums->btrfs_search_slot",
)
_COMPRESSED: Cuts = cut_rows(
    "no file is compressed",
    "btrfs_submit_compressed_*",
    "btrfs_decompress*",
    "uncompress_inline",
    "async_cow_*",
    "submit_compressed_extents",
)
_TREES: Cuts = cut_rows(
    "the trees' address space: in ways of their own",
    "btrfs_write_marked_extents",
    "btrfs_write_and_wait_transaction",
)
_BTRFS_CUTS: Cuts = (
    *cut_rows("no RAID 5 or 6 profile", "raid56_*"),
    *cut_rows("no zoned device", "*zone*"),
    *cut_rows("quota groups are off (btrfs quota enable)", "*qgroup*"),
    *cut_rows("no balance is running: no relocation tree", "*reloc*"),
    *cut_rows(
        "a tree block has one owner (btrfs_block_can_be_shared) [snapshots=false]",
        "update_ref_for_cow->btrfs_lookup_extent_info",
        "create_pending_snapshot*",
    ),
    *cut_rows(
        "only backreference walks give a time_seq (btrfs_next_old_leaf)",
        "btrfs_next_old_leaf->btrfs_search_old_slot",
    ),
    # fs/btrfs/ctree.c and inode.c, 6.1 and 6.12
    *cut_rows(
        "looks a key up: btrfs_search_slot without a transaction, cow = 0",
        *(
            f"below {lookup}->{change}"
            for change in _CHANGES
            for lookup in (
                "btrfs_get_extent",
                "btrfs_next_old_leaf",
                "btrfs_prev_leaf",
                "btrfs_search_backwards",
            )
        ),
    ),
    *cut_rows(
        "space_cache=v2: no cache files (mkfs.btrfs's default since 5.15)",
        "cache_save_setup",
        "btrfs_write_out_cache",
        "__btrfs_wait_cache_io",
        "btrfs_wait_cache_io",
        "btrfs_setup_space_cache",
        "load_free_space_cache",
    ),
    *cut_rows(
        "space is left: nobody flushes for a reservation (fs/btrfs/space-info.c)",
        "flush_space",
        "priority_reclaim_*",
        "btrfs_check_nocow_lock",
        "btrfs_start_delalloc_roots",
    ),
    *cut_rows(
        "copy on write: neither nodatacow nor preallocated extents (should_nocow)",
        "run_delalloc_nocow",
        "can_nocow_extent",
    ),
    *cut_rows(
        "no device is replaced, added, removed or scrubbed",
        "*dev_replace*",
        "scrub_*",
        "btrfs_inc_block_group_ro",
    ),
    *cut_rows(
        "after an error only",
        "btrfs_repair_*",
        "*btrfs_abort_transaction",
        "btrfs_cleanup_*",
        "btrfs_destroy_*",
        "cleanup_transaction",
    ),
    *cut_rows(
        "another task commits: this one waits (BTRFS_DELAYED_REFS_FLUSHING is set)",
        "start_transaction->btrfs_commit_transaction",
    ),
)
#: an ordered extent that a read or a direct write meets is written first (ordered-data.c)
_SYNC: Edges = (("do_writepages", "btrfs_writepages"),)
_TREE_SYNC: Edges = (("do_writepages", "btree_writepages"),)
_READ: Edges = (("read_pages", "btrfs_readahead"), ("filemap_read_folio", "btrfs_read_folio"))
_DIRECT: Edges = (("iomap_iter", "btrfs_dio_iomap_begin"),)
_WRITE_TO = (">btrfs_file_write_iter", "btrfs_do_write_iter?", "btrfs_buffered_write")
_DIO_READ = (">btrfs_file_read_iter", "btrfs_dio_read?", "iomap_dio_rw?", "__iomap_dio_rw")
_DIO_WRITE = (
    ">btrfs_file_write_iter",
    "btrfs_do_write_iter?",
    "btrfs_direct_write?",
    "btrfs_dio_write?",
    "__iomap_dio_rw",
)
_DATA = ("iomap_dio_bio_iter", "iomap_dio_submit_bio?", ">btrfs_submit_direct|btrfs_dio_submit_io")
#: below a data bio's submission to that of a block of the checksums' tree
_CSUM_VIA = (
    "btrfs_lookup_bio_sums",
    "btrfs_lookup_csum?",
    "read_extent_buffer_pages|read_extent_buffer_pages_nowait",
    "submit_bio",
)
_CHUNK_VIA = ("find_free_extent", "btrfs_chunk_alloc", "submit_bio")
#: btrfs_queue_work's functions that submit (async-thread.c btrfs_work_helper)
_WORKS: Edges = tuple(
    ("btrfs_work_helper", work)
    for work in (
        "run_one_async_done",
        "finish_ordered_fn",
        "caching_thread",
        "btrfs_async_run_delayed_root",
        "btrfs_run_delalloc_work",
        "async_cow_submit?",
        # 6.12 fs/btrfs/inode.c: the work calls it itself, no async_cow_submit between
        "submit_compressed_extents",
    )
)
_DIRECT_WRITES = ("write-direct", "writev-direct", "aio-write")
_FALLBACKS = tuple(f"{name}-fallback" for name in _DIRECT_WRITES)
#: a sync, or dirty pages under direct I/O: data, a new chunk, the trees
_SYNCED = ("write-sync", "writev-sync")
_CACHED = (
    *(f"{name}-direct-cached" for name in ("read", "readv", "write", "writev")),
    *("aio-read-cached", "aio-write-cached"),
)
_WRITES_BACK = (*_SYNCED, *_CACHED)
#: writes end in place, reads in a worker (volumes.c btrfs_simple_end_io)
BTRFS_END = Path(
    ("btrfs_simple_end_io|btrfs_orig_write_end_io",),
    files=_FILES,
    edges=tuple(
        (end, own)
        for end in ("btrfs_simple_end_io", "btrfs_orig_write_end_io", "btrfs_orig_bbio_end_io?")
        for own in (
            "end_bio_extent_writepage",
            "end_bio_extent_buffer_writepage",
            "end_compressed_bio_write",
            "btrfs_end_dio_bio",
        )
    ),
    cuts=cut_rows(
        "after an error only",
        "btrfs_repair_*",
        "btrfs_check_read_dio_bio",
        "btrfs_submit_bio",
        "*iomap_dio_complete",
        "btrfs_log_dev_io_error",
    ),
)
BTRFS_ENTRY_OPS: Mapping[str, tuple[str, ...]] = {
    **FS_ENTRY_OPS,
    "read": (*FS_ENTRY_OPS["read"], "read-csum", "readv-csum", "fault-csum"),
    "read-direct": (
        *(*FS_ENTRY_OPS["read-direct"], "read-direct-csum", "readv-direct-csum"),
        *(f"{name}-chunk" for name in _CACHED if "read" in name),
    ),
    "write": (
        *FS_ENTRY_OPS["write"],
        "write-csum",
        "writev-csum",
        "writeback-tree",
        "writeback-chunk",
        "worker",
        "worker-chunk",
        "cleaner",
        "journal-tree",
        *(f"{name}-{more}" for name in _SYNCED for more in ("chunk", "tree")),
    ),
    "write-direct": (
        *FS_ENTRY_OPS["write-direct"],
        "write-direct-chunk",
        *_FALLBACKS,
        *(f"{name}-chunk" for name in _FALLBACKS),
        "worker",
        "worker-chunk",
        "journal-tree",
        *(f"{name}-{more}" for name in _SYNCED for more in ("chunk", "tree")),
        *(f"{name}-chunk" for name in _CACHED if "write" in name),
    ),
    "fua": ("fsync", "fsync-tree", "fsync-chunk", "journal", "journal-tree"),
    "flush": ("flush", "fsync", "fsync-tree", "fsync-chunk", "journal", "journal-tree"),
}


def _fs(cuts: Cuts) -> v6_1.Fs:
    return v6_1.Fs(
        read=(">btrfs_file_read_iter", "filemap_read"),
        write=_WRITE_TO,
        dio_read=_DIO_READ,
        dio_write=_DIO_WRITE,
        fsync="btrfs_sync_file",
        data=_DATA,
        read_edges=_READ,
        write_edges=(),
        sync_edges=_SYNC,
        meta_read=_DIRECT,
        meta_write=_DIRECT,
        files=_FILES,
        cuts=cuts + _CSUM + _CHUNK + _TREES,
        read_cuts=_READ_CUTS,
        names=("btrfs_lookup", "btrfs_create", "btrfs_file_open"),
    )


def _entries(*, compress: bool) -> dict[str, Path]:
    """Entry points of btrfs."""
    fs = _fs(_BTRFS_CUTS if compress else _BTRFS_CUTS + _COMPRESSED)
    ways = v6_1.entries(fs)
    ways["worker"] = replace(
        ways["writeback"],
        via=(*kworker("btrfs_work_helper"), "submit_bio"),
        edges=_WORKS,
        files=ways["writeback"].files + WORK_FILES,
    )
    ways["journal"] = v6_1.thread(
        "transaction_kthread", _FILES, "btrfs_commit_transaction", cuts=ways["writeback"].cuts
    )
    ways["cleaner"] = v6_1.thread("cleaner_kthread", _FILES, cuts=ways["writeback"].cuts)
    # btrfs_sync_log and btrfs_commit_transaction end with the super blocks
    ways["flush"] = replace(
        ways["fsync"], via=(*v6_1.FSYNC, ">btrfs_sync_file", "write_all_supers", "submit_bio")
    )
    ways["discard"] = v6_1.discard((">btrfs_ioctl", "btrfs_trim_fs"), fs)
    for name in ("read", "readv", "fault", "write", "writev", "read-direct", "readv-direct"):
        # a lookup below the data's read: it changes no tree, whatever the entry point does
        ways[name + "-csum"] = with_cuts(
            _again(ways[name], _CSUM_VIA, _CSUM),
            _READ_CUTS + (() if name.endswith("-direct") else _WINDOW),
        )
    # file.c, direct-io.c btrfs_direct_write: what cannot be written directly is written through the
    # page cache, and that at once; 6.12.117 does so for every file with checksums
    for name in _DIRECT_WRITES:
        way = ways[name]
        ways[name + "-fallback"] = replace(
            ways["fsync"],
            files=way.files,
            via=(
                *way.via[: way.via.index("btrfs_dio_write?")],
                "btrfs_fdatawrite_range",
                "submit_bio",
            ),
        )
    for name in ("writeback", "fsync", "worker", "write-direct-meta", *_FALLBACKS, *_WRITES_BACK):
        ways[name.removesuffix("-meta") + "-chunk"] = _again(ways[name], _CHUNK_VIA, _CHUNK)
    for name in ("writeback", "fsync", "journal", *_SYNCED):
        ways[name + "-tree"] = replace(
            _again(ways[name], ("submit_bio",), _TREES), edges=_TREE_SYNC
        )
    ways |= system_calls(OPERATIONS, fs, ways["writeback"])
    # what makes room for reservations, in workers of its own: they flush, nobody below them does
    lifted = {("*", "flush_space"), ("*", "btrfs_start_delalloc_roots")}
    reclaim = replace(
        ways["worker-discard"],
        edges=(
            *ways["worker-discard"].edges,
            *(("process_one_work", work) for work in RECLAIM.values()),
        ),
        cuts=tuple(cut for cut in ways["worker-discard"].cuts if cut[:2] not in lifted)
        + cut_rows("space is left under the one that makes it", "priority_reclaim_*->flush_space"),
    )
    for name, work in RECLAIM.items():
        ways[name] = replace(reclaim, via=(*kworker(work), "submit_bio"))
    return ways


def _again(way: Path, end: tuple[str, ...], allowed: Cuts) -> Path:
    """A way with another end, which makes calls that the others may not."""
    return replace(
        way, via=(*way.via[:-1], *end), cuts=tuple(cut for cut in way.cuts if cut not in allowed)
    )


def _btrfs() -> Kind:
    """btrfs, plain or with compressed files."""
    ways = {word: {"6.1": _entries(compress=word != "none")} for word in _COMPRESSORS}
    calls = {word: {"6.1": source_calls(of["6.1"], BTRFS_END)} for word, of in ways.items()}
    return Kind(
        "btrfs",
        "source",
        "remap",
        (1, None),
        "btrfs file system over one or several devices",
        params=(
            Param(
                "profile",
                choice("single", "dup", "raid0", "raid1", "raid1c3", "raid1c4", "raid10"),
                "single",
                "of its data (mkfs.btrfs -d)",
            ),
            Param("compress", choice(*_COMPRESSORS), "none", "mount option; zlib, lzo, zstd"),
        ),
        calls=calls["none"],
        entries=ways["none"],
        entry_ops=BTRFS_ENTRY_OPS,
        entry_bios=entry_bios(BTRFS_ENTRY_OPS),
        beside={**beside(OPERATIONS), **dict.fromkeys(RECLAIM, "write")},
        verb="btrfs",
        variant="compress",
        variants=calls,
        entry_variants=ways,
    )


_COMPRESSORS = ("none", "zlib", "lzo", "zstd")
BTRFS = _btrfs()
