"""Bio sources: what stands on top of a stack and submits."""

from collections.abc import Mapping
from dataclasses import replace

from blockstack.kinds.filesystems.btrfs import BTRFS_END, BTRFS_ENTRY_OPS, btrfs_61
from blockstack.kinds.filesystems.ext import EXT3_2_6_18, EXT3_2_6_24
from blockstack.kinds.filesystems.f2fs import F2FS_END, F2FS_ENTRY_OPS, f2fs_61
from blockstack.kinds.filesystems.fat import VFAT_ENTRY_OPS, vfat_61, vfat_612
from blockstack.kinds.filesystems.nfs import (
    NFS_ENTRY_OPS,
    NFS_RECEIVE,
    NFS_RECEIVE_26,
    NFSD_RECEIVE,
    NFSD_RECEIVE_26,
    SERVED,
    nfs_26,
    nfs_61,
    nfs_files,
    nfsd_26,
    nfsd_61,
)
from blockstack.kinds.filesystems.vfs_v2_6 import (
    FILES_26,
    FS_ENTRY_OPS,
    PDFLUSH,
    READ_26,
    RECLAIM_26,
    RECLAIM_CUTS_26,
    RECLAIM_EDGES,
    RECLAIM_FILES_26,
    WRITE_26,
    Cuts,
    Edges,
    Fs,
    below_vfs,
    cut_rows,
    entries_26,
)
from blockstack.kinds.filesystems.vfs_v6_1 import (
    EXT4_61,
    OPEN_61,
    RAW_61,
    XFS_61,
    Fs61,
    discard_61,
    entries_61,
    swap_61,
    thread_61,
)
from blockstack.kinds.filesystems.xfs import XFS_2_6_18, XFS_2_6_24
from blockstack.kinds.model import REQUIRED, Calls, Kind, Param, Path
from blockstack.kinds.params import choice, integer, sectors

_RAW_EDGES: Edges = (
    ("mpage_writepages", "blkdev_writepage"),
    ("write_cache_pages", "__writepage"),
    ("__writepage", "blkdev_writepage"),
    ("__block_write_full_page", "blkdev_get_block"),
    ("__block_prepare_write", "blkdev_get_block"),
)
_RAW_WRITE: Edges = tuple(
    ("generic_file_buffered_write", f)
    for f in (
        "blkdev_prepare_write",
        "blkdev_commit_write",
        "blkdev_write_begin",
        "blkdev_write_end",
    )
)


def _raw_26(
    read: tuple[str, ...], write: tuple[str, ...], readv: tuple[str, ...], writev: tuple[str, ...]
) -> Fs:
    """The block device's own file operations (fs/block_dev.c); no ->readpages: page by page."""
    return Fs(
        read=read,
        write=write,
        readv=readv,
        writev=writev,
        direct=(">blkdev_direct_IO",),
        fsync="block_fsync",
        read_edges=(
            ("read_pages", "blkdev_readpage"),
            ("__do_page_cache_readahead", "blkdev_readpage"),
            ("do_generic_mapping_read", "blkdev_readpage"),
            ("block_read_full_page", "blkdev_get_block"),
        ),
        write_edges=_RAW_WRITE,
        sync_edges=_RAW_EDGES,
        writepage="blkdev_writepage",
    )


RAW_2_6_18 = _raw_26(
    (">generic_file_read", "__generic_file_aio_read"),
    (">blkdev_file_write", "generic_file_aio_write_nolock"),
    (">generic_file_readv", "__generic_file_aio_read"),
    (">generic_file_write_nolock", "generic_file_aio_write_nolock"),
)
RAW_2_6_24 = _raw_26(
    ("do_sync_read", ">generic_file_aio_read"),
    ("do_sync_write", ">generic_file_aio_write_nolock"),
    ("do_sync_readv_writev", ">generic_file_aio_read"),
    ("do_sync_readv_writev", ">generic_file_aio_write_nolock"),
)

_SWAP_FILES = (
    *RECLAIM_FILES_26,
    *FILES_26,
    "mm/memory.c",
    "mm/page_io.c",
    "mm/swap_state.c",
    "mm/swapfile.c",
    "mm/shmem.c",
)
_SWAP_OUT = (*RECLAIM_26, ">swap_writepage", "submit_bio")
_FAULT = ("@fault", "do_page_fault", "__handle_mm_fault|handle_mm_fault")


def _swap_26(kswapd: tuple[str, ...]) -> Mapping[str, Path]:
    """Swap of 2.6: direct reclaim writes out in whoever allocates (mm/vmscan.c pageout)."""
    shmem = ("shrink_inactive_list", "shmem_writepage"), ("pageout", "shmem_writepage")
    return {
        "fault": Path((*_FAULT, *_SWAP_OUT), RECLAIM_EDGES, _SWAP_FILES, RECLAIM_CUTS_26),
        "reclaim": Path(
            (
                "@syscall",
                "sys_write",
                "vfs_write",
                "do_sync_write",
                ">generic_file_aio_write",
                "generic_file_buffered_write",
                *_SWAP_OUT,
            ),
            (*RECLAIM_EDGES, *shmem),
            _SWAP_FILES,
            RECLAIM_CUTS_26,
        ),
        "kswapd": Path(
            (*kswapd, *RECLAIM_26[2:], ">swap_writepage", "submit_bio"), (), _SWAP_FILES
        ),
        "swap-in": Path(
            (
                *_FAULT,
                "do_swap_page?",
                "swapin_readahead",
                "read_swap_cache_async",
                "swap_readpage",
                "submit_bio",
            ),
            (),
            _SWAP_FILES,
        ),
    }


# reiser4 was never merged: its functions are in no table, so that every way in through them is a
# lower bound made of the VFS's part. The names are those of the 2.6.17-mm patch. Nobody published
# its frames; that it refused to be built with 4K stacks until September 2005 is all that is known
# (Hans Reiser, 2005-09-09, "List of things requested by lkml for reiser4 inclusion", item 2).
_TO_DISK = (
    "flush_some_atom",
    "jnode_flush",
    "write_fq",
    "write_jnodes_to_disk_extent",
    "submit_bio",
)
_OWN_WRITEPAGES: Cuts = (("do_writepages", "mpage_writepages", "reiser4 has its ->writepages"),)
_REISER4 = {
    "read": Path((*READ_26, ">reiser4_read", ">read_unix_file", "submit_bio"), (), FILES_26),
    "write": Path((*WRITE_26, ">reiser4_write", ">write_unix_file", *_TO_DISK), (), FILES_26),
    "fsync": Path(
        (
            "@syscall",
            "sys_fsync",
            "do_fsync",
            ">reiser4_sync_file",
            "txnmgr_force_commit_all",
            *_TO_DISK,
        ),
        (),
        FILES_26,
        _OWN_WRITEPAGES,
    ),
    "writeback": Path(
        (*PDFLUSH, "writeback_inodes", "sync_sb_inodes", ">reiser4_sync_inodes", *_TO_DISK),
        (("pdflush", "background_writeout"),),
        FILES_26,
        _OWN_WRITEPAGES,
    ),
    "journal": Path(("@kthread", ">ktxnmgrd", *_TO_DISK), (), FILES_26),
    "reclaim": Path(
        (
            *WRITE_26,
            ">reiser4_write",
            "__alloc_pages",
            *RECLAIM_26[1:],
            ">reiser4_writepage",
            *_TO_DISK,
        ),
        RECLAIM_EDGES,
        FILES_26 + RECLAIM_FILES_26,
    ),
}

_OPS_61 = ("read", "write", "flush", "discard", "fua")
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
    ("*", "vfs_fsync_range", "the file is not opened O_SYNC"),
    *(
        ("*", name, "no cached pages: no buffered I/O mixed in")
        for name in ("invalidate_inode_pages2_range", "kiocb_invalidate_post_direct_write")
    ),
)


def _endio(*via: str) -> Path:
    """The deepest end_io of the source's own bios."""
    return Path(via, (), _ENDIO_FILES, _ENDIO_CUTS)


_AIO_END = _endio("dio_bio_end_aio")  # asynchronous direct I/O: aio_complete in the interrupt
#: fs/direct-io.c, under a file system that still uses it
_DIO_FILE_END = replace(_AIO_END, edges=(("dio_complete", "aio_complete_rw"),))
_DIO_WAIT_END = _endio("dio_bio_end_io")
_BUFFER_END = _endio("end_bio_bh_io_sync", ">end_buffer_async_write")
_SWAP_END = _endio("end_swap_bio_write")
#: direct I/O of 6.1: ->ki_complete of an asynchronous one, or the reader's pages are let go
_DIO_END = tuple(
    replace(_endio(end), edges=((calls, "aio_complete_rw"),))
    for end, calls in (
        ("blkdev_bio_end_io", "blkdev_bio_end_io"),
        ("blkdev_bio_end_io_async", "blkdev_bio_end_io_async"),
        ("iomap_dio_bio_end_io", "iomap_dio_complete_work"),
    )
)


#: file operations of a loop device, and the ways in that go through the same
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


#: fs/ext4/extents.c (6.1): a write allocates an unwritten extent of exactly its blocks, merges it
#: with none (EXT4_GET_BLOCKS_PRE_IO in ext4_ext_insert_extent), and its end converts all of it
_EXT4_WHOLE: Cuts = cut_rows(
    "splits an unwritten extent: only one that fallocate(2), a failed write or a lack of space "
    "(ext4_nonda_switch) left, or of a write in flight that another overlaps in part",
    "ext4_split_extent*->ext4_ext_insert_extent",
    "ext4_split_convert_extents->ext4_ext_insert_extent",
)


#: nfsd writes through the page cache
_BUFFERED: Cuts = cut_rows(
    "the file is not opened O_DIRECT", "iomap_dio_rw", "*_dio_write*", "btrfs_direct_write"
)


def _calls(
    entries: Mapping[str, Path],
    endio: Path,
    loop: str = "",
    *,
    ops: tuple[str, ...] = ("read", "write", "flush"),
    ends: Mapping[str, tuple[Path, ...]] | None = None,
    whole: Cuts = (),
) -> Calls:
    """A source, and the same file system in the middle, under a loop device or a server.

    ``submit_ops`` are the ways in of a server, at the file operations; ``files`` those of a loop
    device of 6.1, ``submit`` that of an older one, at the function ``loop``. ``ends``: its other
    end_ios. ``whole``: what no file takes that was never preallocated.
    """
    served = {op: below_vfs(entries[f"{op}v"]) for op in ("read", "write")}  # nfsd: vfs_writev
    if loop:
        write = entries["write"]
        return Calls(
            Path((loop, "submit_bio"), write.edges, write.files, write.cuts),
            served,
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
        ops=_OPS_61,
        options={"ends": ends or {}, "whole": whole},
    )


def _fs(
    name: str, doc: str, entries: Mapping[str, Mapping[str, Path]], calls: Mapping[str, Calls]
) -> Kind:
    return Kind(
        name,
        "source",
        "remap",
        (1, 1),
        doc,
        calls=calls,
        entries=entries,
        entry_ops=FS_ENTRY_OPS,
        verb=name,
    )


#: block/fops.c since 6.6: buffered writes go through iomap (over buffer heads)
_RAW_612 = replace(
    RAW_61,
    write=(">blkdev_write_iter", "iomap_file_buffered_write"),
    write_edges=(("iomap_iter", "blkdev_iomap_begin"),),
)


def _raw_61(fs: Fs61) -> Mapping[str, Path]:
    return entries_61(
        fs,
        {
            "open": OPEN_61,
            "discard": discard_61((">blkdev_ioctl", "blkdev_common_ioctl?", "blk_ioctl_discard?")),
        },
    )


def _btrfs() -> Kind:
    """btrfs, plain or with compressed files."""
    ways = {word: {"6.1": btrfs_61(compress=word != "none")} for word in _COMPRESSORS}
    calls = {word: {"6.1": _calls(of["6.1"], BTRFS_END)} for word, of in ways.items()}
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
        verb="btrfs",
        variant="compress",
        variants=calls,
        entry_variants=ways,
    )


_VERSION = Param("version", integer(3, 4), 3, "of the protocol, over TCP")
_NFS_OPS = ("read", "write", "flush")


def _nfs() -> Kind:
    """The client: version 4 only as 6.1 has it."""
    old = {gen: nfs_26() for gen in ("2.6.18", "2.6.24")}
    ways = {3: {**old, "6.1": nfs_61(3)}, 4: {"6.1": nfs_61(4)}}
    calls = {
        version: {
            gen: Calls(
                ops=_NFS_OPS,
                files=nfs_files(version) if gen == "6.1" else {},
                options={"receive": NFS_RECEIVE if gen == "6.1" else NFS_RECEIVE_26},
            )
            for gen in of
        }
        for version, of in ways.items()
    }
    return Kind(
        "nfs",
        "source",
        "remap",
        (0, 0),
        "NFS client: traffic over a nic",
        params=(Param("size", sectors(), REQUIRED, "size of the files on the server"), _VERSION),
        calls=calls[3],
        entries=ways[3],
        entry_ops=NFS_ENTRY_OPS,
        verb="nfs",
        variant="version",
        variants=calls,
        entry_variants=ways,
    )


def _nfsd() -> Kind:
    """The server; its functions are in the 6.1 tables only."""
    old = {gen: nfsd_26(gen) for gen in ("2.6.18", "2.6.24")}
    ways = {3: {**old, "6.1": nfsd_61(3)}, 4: {"6.1": nfsd_61(4)}}
    calls = {
        version: {
            gen: Calls(
                ops=_NFS_OPS,
                file_ops=SERVED if gen == "6.1" else {},
                options={"receive": NFSD_RECEIVE if gen == "6.1" else NFSD_RECEIVE_26},
            )
            for gen in of
        }
        for version, of in ways.items()
    }
    return Kind(
        "nfsd",
        "source",
        "remap",
        (1, 1),
        "NFS server: exports the file system under it",
        params=(_VERSION,),
        calls=calls[3],
        entries=ways[3],
        verb="nfsd",
        variant="version",
        variants=calls,
        entry_variants=ways,
        entry_ops={
            "read": ("read", "readv"),
            "write": ("write", "write-sync"),
            "flush": ("fsync",),
        },
    )


_COMPRESSORS = ("none", "zlib", "lzo", "zstd")
_RAW = {
    "2.6.18": entries_26(RAW_2_6_18),
    "2.6.24": entries_26(RAW_2_6_24),
    "6.1": _raw_61(RAW_61),
    "6.12": _raw_61(_RAW_612),
}
_EXT3 = {"2.6.18": entries_26(EXT3_2_6_18), "2.6.24": entries_26(EXT3_2_6_24)}
_EXT4 = {
    "6.1": entries_61(
        EXT4_61,
        {
            "journal": thread_61("kjournald2", EXT4_61.files, "jbd2_journal_commit_transaction"),
            "discard": discard_61((">ext4_ioctl", "ext4_trim_fs"), EXT4_61),
        },
    )
}
_XFS = {
    "2.6.18": entries_26(XFS_2_6_18),
    "2.6.24": entries_26(XFS_2_6_24),
    "6.1": entries_61(
        XFS_61,
        {
            "journal": thread_61("xfsaild", XFS_61.files),
            "discard": discard_61((">xfs_file_ioctl", "xfs_ioc_trim"), XFS_61),
        },
    ),
}
_F2FS = {"6.1": f2fs_61()}
_VFAT = {"6.1": vfat_61(), "6.12": vfat_612()}
_SWAP = {
    "2.6.18": _swap_26(("@kthread", ">kswapd")),
    "2.6.24": _swap_26(("@kthread", "kthread", ">kswapd")),
    "6.1": swap_61(),
}

SOURCE_KINDS: tuple[Kind, ...] = (
    _fs(
        "raw",
        "block device opened as a file",
        _RAW,
        {
            "2.6.18": _calls(_RAW["2.6.18"], _AIO_END, ">blkdev_prepare_write"),
            "2.6.24": _calls(_RAW["2.6.24"], _BUFFER_END, ">blkdev_write_begin"),
            **{
                gen: _calls(
                    _RAW[gen],
                    _endio("mpage_end_io@fs/mpage.c"),
                    ops=_OPS_61,
                    ends={"": (_BUFFER_END,), "direct": _DIO_END[:2]},
                )
                for gen in ("6.1", "6.12")
            },
        },
    ),
    _fs(
        "ext3",
        "ext3 file system, data=ordered",
        _EXT3,
        {
            "2.6.18": _calls(_EXT3["2.6.18"], _AIO_END, ">ext3_prepare_write"),
            "2.6.24": _calls(_EXT3["2.6.24"], _BUFFER_END, ">ext3_write_begin"),
        },
    ),
    _fs(
        "ext4",
        "ext4 file system, data=ordered, delayed allocation",
        _EXT4,
        {
            "6.1": _calls(
                _EXT4["6.1"],
                _endio("ext4_end_bio"),
                ends={"direct": _DIO_END[2:]},
                whole=_EXT4_WHOLE,
            )
        },
    ),
    _fs(
        "xfs",
        "XFS file system",
        _XFS,
        {
            "2.6.18": _calls(_XFS["2.6.18"], _AIO_END, ">xfs_vm_prepare_write"),
            "2.6.24": _calls(_XFS["2.6.24"], _BUFFER_END, ">xfs_vm_write_begin"),
            "6.1": _calls(
                _XFS["6.1"],
                _endio("iomap_writepage_end_bio"),
                ends={"": (_endio("iomap_read_end_io"),), "direct": _DIO_END[2:]},
            ),
        },
    ),
    _btrfs(),
    Kind(
        "f2fs",
        "source",
        "remap",
        (1, 1),
        "f2fs file system",
        entries=_F2FS,
        verb="f2fs",
        calls={"6.1": _calls(_F2FS["6.1"], F2FS_END)},
        entry_ops=F2FS_ENTRY_OPS,
    ),
    Kind(
        "vfat",
        "source",
        "remap",
        (1, 1),
        "FAT file system with long names (/boot/efi)",
        entries=_VFAT,
        verb="vfat",
        entry_ops=VFAT_ENTRY_OPS,
        calls={
            gen: _calls(
                ways,
                _endio("mpage_end_io@fs/mpage.c"),
                ends={"": (_BUFFER_END,), "direct": (_DIO_FILE_END, _DIO_WAIT_END)},
            )
            for gen, ways in _VFAT.items()
        },
    ),
    Kind(
        "reiser4",
        "source",
        "remap",
        (1, 1),
        "reiser4 file system (never merged)",
        calls={"2.6.18": Calls(note="frames unknown: every depth is a lower bound")},
        entries={"2.6.18": _REISER4},
        verb="reiser4",  # it had no direct I/O
        entry_ops={op: n for op, n in FS_ENTRY_OPS.items() if "-" not in op},
    ),
    _nfs(),
    _nfsd(),
    Kind(
        "swap",
        "source",
        "remap",
        (1, 1),
        "swap space, written under page reclaim",
        calls={
            gen: Calls(endio=_SWAP_END, ops=("read", "write"))
            for gen in ("2.6.18", "2.6.24", "6.1")
        },
        entries=_SWAP,
        verb="swap",
        entry_ops={
            "read": ("swap-in",),
            "write": ("reclaim", "fault", "read-fault", "write-fault", "kswapd"),
        },
    ),
)
