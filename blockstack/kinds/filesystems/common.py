"""What sources share whatever the generation: file operations, entry points, end_ios."""

from collections.abc import Mapping
from dataclasses import replace

from blockstack.base.calls import Path, cut_rows
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind

Edges = tuple[tuple[str, str], ...]
Cuts = tuple[tuple[str, str, str], ...]


#: which entries an op may take: the first is the one its data bios take, the others are other
#: tasks or metadata of the same op
FS_ENTRY_OPS: Mapping[str, tuple[str, ...]] = {
    "read": ("read", "readv", "fault", "open"),
    "read-direct": (
        *("read-direct", "read-direct-meta", "readv-direct", "aio-read"),
        *("read-direct-cached", "readv-direct-cached", "aio-read-cached"),
    ),
    "write": (
        *("write", "writev", "msync", "create", "writeback", "reclaim", "journal"),
        *("write-sync", "writev-sync"),
    ),
    "write-direct": (
        *("write-direct", "write-direct-meta", "writev-direct", "aio-write", "journal"),
        *("write-direct-cached", "writev-direct-cached", "aio-write-cached"),
        *("write-sync", "writev-sync", "direct-sync-work"),
    ),
    "fua": ("fsync", "journal", "write-sync", "writev-sync"),
    "flush": ("flush", "fsync", "journal", "write-sync", "writev-sync"),
    "discard": ("discard",),
}


def entry_bios(
    entry_ops: Mapping[str, tuple[str, ...]], *, metadata: bool = True
) -> Mapping[str, tuple[str, ...]]:
    """Which operations the bios of an entry can have, beside its own.

    fs/buffer.c __block_write_begin_int, fs/iomap/buffered-io.c __iomap_write_begin: a buffered
    write of a part of a block reads it; whatever allocates or changes ``metadata`` reads them.
    fsync(2) writes dirty pages before it flushes, and so does O_DIRECT over dirty pages.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in {name for names in entry_ops.values() for name in names}:
        kind, _, more = name.partition("-")
        if "cached" in more:
            found[name] = ("read", "write")
        elif kind in ("read", "readv", "fault", "flush", "discard") or name == "aio-read":
            continue
        elif metadata or (kind in ("write", "writev") and "direct" not in more):
            found[name] = ("read", "write") if kind == "fsync" or "sync" in more else ("read",)
        elif kind == "fsync" or "sync" in more:
            found[name] = ("write",)
    return found


def below_vfs(entry: Path) -> Path:
    """The part of a entry point below the VFS: from the first file operation to ``submit_bio``."""
    return entry.from_first_indirect()


_ENDIO_FILES = (
    "block/fops.c",
    "fs/buffer.c",
    "fs/mpage.c",
    "fs/direct-io.c",
    "fs/aio.c",
    "fs/iomap/",
    "fs/ext4/",
    "fs/xfs/",
    "mm/filemap.c",
    "mm/page-writeback.c",
    "mm/page_io.c",
    "mm/swap.c",
    "mm/folio-compat.c",
)
_ENDIO_CUTS: Cuts = (
    ("xfs_buf_ioend", "xfs_buf_iodone_work", "xfslogd's work: the end_io only queues it"),
    ("__bio_release_pages", "__folio_lock", "bio_check_pages_dirty releases without dirtying"),
    ("*", "vfs_fsync_range", "O_SYNC: iomap_dio_bio_end_io leaves it to a work queue"),
    *(
        ("*", name, "cached pages: iomap_dio_bio_end_io leaves a write to a work queue")
        for name in ("invalidate_inode_pages2_range", "kiocb_invalidate_post_direct_write")
    ),
)


def end_io(*via: str) -> Path:
    """The deepest end_io of the source's own bios."""
    return Path(via, (), _ENDIO_FILES, _ENDIO_CUTS)


AIO_END = end_io("dio_bio_end_aio")  # asynchronous direct I/O: aio_complete in the interrupt
BUFFER_END = end_io("end_bio_bh_io_sync", ">end_buffer_async_write")
#: direct I/O of 6.1: ->ki_complete of an asynchronous one, or the reader's pages are let go
DIO_END = tuple(
    replace(end_io(end), edges=((calls, "aio_complete_rw"),))
    for end, calls in (
        ("blkdev_bio_end_io", "blkdev_bio_end_io"),
        ("blkdev_bio_end_io_async", "blkdev_bio_end_io_async"),
        ("iomap_dio_bio_end_io", "iomap_dio_complete_work"),
    )
)

#: file operations of a loop device, and the entry points that go through the same
_FILE_OPS = {
    "read": ("read", "read-csum"),
    "write": ("write", "write-csum"),
    "read-direct": ("read-direct", "read-direct-meta", "read-direct-csum"),
    "write-direct": (
        "write-direct",
        "write-direct-meta",
        "write-direct-chunk",
        "write-direct-fallback",
        "write-direct-fallback-chunk",
    ),
    "fsync": ("fsync", "flush", "fsync-tree", "fsync-chunk"),
}

#: nfsd writes through the page cache
_BUFFERED: Cuts = cut_rows(
    "the file is not opened O_DIRECT", "iomap_dio_rw", "*_dio_write*", "btrfs_direct_write"
)


def _served_sync(fsync: Path) -> Path:
    """fsync of 2.6 under a server: fs/nfsd/vfs.c nfsd_sync calls ->fsync as do_fsync does."""
    edges = tuple(("nfsd_sync" if a == "do_fsync" else a, b) for a, b in fsync.edges)
    return replace(fsync, via=("submit_bio",), edges=edges)


def source_calls(
    entries: Mapping[str, Path],
    endio: Path,
    loop: str = "",
    *,
    ops: tuple[str, ...] = ("read", "write", "flush"),
    more_ends: tuple[Path, ...] = (),
    direct_ends: tuple[Path, ...] = (),
    allocated_cuts: Cuts = (),
) -> Calls:
    """A source, and the same file system in the middle, under a loop device or a server.

    ``files`` are a server's entry points, at the file operations, and those of a loop device of
    6.1; ``submit`` that of one of 2.6, at the function ``loop``. Its other
    end_ios and ``allocated_cuts`` are those of `Calls`.
    """
    served = {op: below_vfs(entries[f"{op}v"]) for op in ("read", "write")}  # nfsd: vfs_writev
    if loop:
        write = entries["write"]
        return Calls(
            Path((loop, "submit_bio"), write.edges, write.files, write.cuts),
            files={
                "read": (served["read"],),
                "write": (served["write"],),
                "sync": (_served_sync(entries["fsync"]),),
            },
            endio=endio,
            ops=(*ops, "fua"),
        )
    files = {
        word: tuple(below_vfs(entries[name]) for name in names if name in entries)
        for word, names in _FILE_OPS.items()
    }
    # a write with IOCB_DSYNC ends in generic_write_sync, in the same write_iter
    files["write-sync"] = tuple(
        replace(
            sync,
            via=(files["write"][0].via[0], "vfs_fsync_range", *sync.via),
            cuts=sync.cuts + _BUFFERED,
        )
        for sync in files["fsync"]
    )
    return Calls(
        submit_ops=served,
        files=files,
        endio=endio,
        ops=OPS,
        more_ends=more_ends,
        direct_ends=direct_ends,
        allocated_cuts=allocated_cuts,
    )


def file_system(
    name: str,
    doc: str,
    entries: Mapping[str, Mapping[str, Path]],
    calls: Mapping[str, Calls],
    *,
    metadata: bool = True,
    beside: Mapping[str, str] | None = None,
) -> Kind:
    """A source over one device, without parameters; ``beside`` as `Kind` has it."""
    return Kind(
        name,
        "source",
        "remap",
        (1, 1),
        doc,
        calls=calls,
        entries=entries,
        entry_ops=FS_ENTRY_OPS,
        entry_bios=entry_bios(FS_ENTRY_OPS, metadata=metadata),
        beside=beside or {},
        verb=name,
    )
