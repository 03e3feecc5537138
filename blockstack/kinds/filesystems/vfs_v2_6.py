"""What file systems have in common in 2.6: system call, page cache, writeback, reclaim.

A file system names its own functions in an `Fs`; `entries` puts the generation's VFS around them.
The anchors are few on purpose: where several calls lead on (data or metadata, read ahead or not)
the search takes the deepest one that the edges allow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from blockstack.base.calls import Path
from blockstack.kinds.filesystems.common import Cuts, Edges

#: waits that kick the device: mm/filemap.c sync_page -> ->sync_page -> backing_dev_info's
#: unplug_io_fn -> q->unplug_fn
WAIT_PAGE = ("__lock_page", "__wait_on_bit_lock", ">sync_page", ">block_sync_page")
WAIT_BUFFER = ("__wait_on_buffer", "__wait_on_bit", ">sync_buffer")


@dataclass(frozen=True)
class Fs:
    """One file system's functions in one generation.

    Attributes
    ----------
    read, write : tuple of str
        Anchors from the VFS's call to the page cache's read and write functions.
    readv, writev : tuple of str
        The same for vectors (do_readv_writev's call).
    direct : tuple of str
        Anchors of ``->direct_IO`` (2.6) or of the whole direct read and write (6.1).
    fsync : str
        ``->fsync``.
    read_edges, write_edges, sync_edges : tuple of (caller, callee)
        Indirect calls of the read side, of the buffered write, of writepages and write_inode.
    direct_edges : tuple of (caller, callee)
        Block mapping under direct I/O: leads to metadata.
    writepage : str
        ``->writepage``, as page reclaim calls it.
    unplug : tuple of str
        Anchors from the buffered write to the deepest wait that kicks the device (2.6).
    files : tuple of str
    cuts, read_cuts, cached_cuts : tuple of (caller, callee, reason)
        For all entries, for reads only, for all that is not direct.
    more : mapping of name to Path
        Further entries, or ones that take the place of the common ones.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]
    readv: tuple[str, ...]
    writev: tuple[str, ...]
    direct: tuple[str, ...]
    fsync: str
    read_edges: Edges = ()
    write_edges: Edges = ()
    sync_edges: Edges = ()
    direct_edges: Edges = ()
    writepage: str = ""
    unplug: tuple[str, ...] = WAIT_PAGE
    files: tuple[str, ...] = ()
    cuts: Cuts = ()
    read_cuts: Cuts = ()
    cached_cuts: Cuts = ()
    more: Mapping[str, Path] = field(default_factory=dict)


FILES = (
    "fs/read_write.c",
    "fs/buffer.c",
    "fs/sync.c",
    "fs/fs-writeback.c",
    "fs/mpage.c",
    "fs/direct-io.c",
    "fs/block_dev.c",
    "mm/filemap.c",
    "mm/readahead.c",
    "mm/page-writeback.c",
    "mm/pdflush.c",
    "kernel/wait.c",
)
RECLAIM_FILES = ("mm/vmscan.c", "mm/page_alloc.c", "lib/radix-tree.c")

READ = ("@syscall", "sys_read", "vfs_read")
WRITE = ("@syscall", "sys_write", "vfs_write")
READV = ("@syscall", "sys_readv", "do_readv_writev")
WRITEV = ("@syscall", "sys_writev", "do_readv_writev")
#: pdflush is started by kthread_run (mm/pdflush.c, 2.6.18 and 2.6.24)
PDFLUSH = ("@kthread", "kthread", ">pdflush", "__pdflush?")
#: fs/fs-writeback.c: pdflush_operation's two periodic jobs
PDFLUSH_EDGES: Edges = tuple(
    (caller, job)
    for caller in ("pdflush", "__pdflush?")
    for job in ("background_writeout", "wb_kupdate")
)
#: __alloc_pages to ->writepage; pageout and shrink_page_list are inlined in most builds
RECLAIM = (
    "__alloc_pages",
    "try_to_free_pages",
    "shrink_zone",
    "shrink_inactive_list",
    "shrink_page_list?",
    "pageout?",
)
#: the entry asks for reclaim by name: the general cut that gives it a budget does not apply
RECLAIM_EDGES: Edges = (("__alloc_pages", "try_to_free_pages"),)

#: what 2.6.24 made of generic_file_buffered_write's loop (mm/filemap.c)
_PERFORM = ("generic_perform_write", "generic_perform_write_2copy")
RECLAIM_CUTS: Cuts = (
    *(
        (
            caller,
            "balance_dirty_pages_ratelimited_nr",
            "reclaim here starts at the page cache's allocation; under writeback allocations are "
            "GFP_NOFS and call no ->writepage (mm/vmscan.c may_enter_fs)",
        )
        for caller in ("generic_file_buffered_write", *_PERFORM)
    ),
    ("generic_file_buffered_write", "generic_osync_inode", "the file is not opened O_SYNC"),
    ("generic_file_buffered_write", "filemap_write_and_wait", "the file is not opened O_DIRECT"),
    ("mempool_alloc", "mempool_alloc_slab", "asks without __GFP_WAIT: no reclaim (mm/mempool.c)"),
    ("radix_tree_insert", "radix_tree_node_alloc", "takes a node that radix_tree_preload got"),
    ("radix_tree_extend", "radix_tree_node_alloc", "takes a node that radix_tree_preload got"),
)
#: generic_writepages gives no get_block, so that mpage_writepages calls ->writepage (fs/mpage.c)
_COMMON_CUTS: Cuts = (
    ("mpage_writepages", "__mpage_writepage", "get_block is NULL: pages go through ->writepage"),
    *(
        (
            caller,
            "__mark_inode_dirty",
            "marks I_DIRTY_PAGES only: ->dirty_inode is for the other flags (fs/fs-writeback.c)",
        )
        for caller in ("__set_page_dirty", "__set_page_dirty_buffers", "__set_page_dirty_nobuffers")
    ),
)

_NOT_CACHED = "no cached pages: no buffered I/O mixed in"
_NO_MIX: Cuts = (
    ("generic_file_direct_write", "filemap_fdatawrite", _NOT_CACHED),
    ("generic_file_direct_write", "do_writepages", _NOT_CACHED),
    ("generic_file_direct_IO", "do_writepages", _NOT_CACHED),
    ("*", "filemap_write_and_wait", _NOT_CACHED),
    ("*", "filemap_write_and_wait_range", _NOT_CACHED),
    ("generic_file_direct_write", "generic_osync_inode", "the file is not opened O_SYNC"),
    ("*", "generic_file_buffered_write", "the direct write covers its whole range"),
)


def entries(fs: Fs) -> dict[str, Path]:
    """Entry points of a 2.6.18 or 2.6.24 file system, from the root to ``submit_bio``."""
    dio_cuts = fs.cuts + _COMMON_CUTS + _NO_MIX
    fs = replace(fs, cuts=fs.cuts + _COMMON_CUTS + fs.cached_cuts)
    files = FILES + fs.files
    write_edges = fs.write_edges + fs.sync_edges
    direct = ("generic_file_direct_IO?", *fs.direct, "__blockdev_direct_IO")
    dio_read = (*READ, *fs.read, *direct)
    dio_write = (*WRITE, *fs.write, "generic_file_direct_write", *direct)
    buffered = (*WRITE, *fs.write, "generic_file_buffered_write")
    found = {
        "read": Path(
            (*READ, *fs.read, "do_generic_mapping_read", "submit_bio"),
            fs.read_edges,
            files,
            fs.cuts + fs.read_cuts,
        ),
        "read-direct": Path((*dio_read, "dio_bio_submit", "submit_bio"), (), files, dio_cuts),
        "write": Path((*buffered, "submit_bio"), write_edges, files, fs.cuts),
        "write-direct": Path((*dio_write, "dio_bio_submit", "submit_bio"), (), files, dio_cuts),
        "fsync": Path(
            ("@syscall", "sys_fsync", "do_fsync", "submit_bio"),
            (("do_fsync", fs.fsync), *fs.sync_edges),
            files,
            fs.cuts,
        ),
        "writeback": Path(
            (*PDFLUSH, "writeback_inodes", "submit_bio"),
            PDFLUSH_EDGES + fs.sync_edges,
            files,
            fs.cuts,
        ),
        "reclaim": Path(
            (*buffered, *RECLAIM, ">" + fs.writepage, "submit_bio"),
            RECLAIM_EDGES + fs.sync_edges,
            files + RECLAIM_FILES,
            fs.cuts + RECLAIM_CUTS,
        ),
    }
    dio_readv = (*READV, *fs.readv, *direct, "dio_bio_submit", "submit_bio")
    dio_writev = (
        *WRITEV,
        *fs.writev,
        "generic_file_direct_write",
        *direct,
        "dio_bio_submit",
        "submit_bio",
    )
    found |= {
        "readv": Path(
            (*READV, *fs.readv, "do_generic_mapping_read", "submit_bio"),
            fs.read_edges,
            files,
            fs.cuts + fs.read_cuts,
        ),
        "readv-direct": Path(dio_readv, (), files, dio_cuts),
        "writev": Path(
            (*WRITEV, *fs.writev, "generic_file_buffered_write", "submit_bio"),
            write_edges,
            files,
            fs.cuts,
        ),
        "writev-direct": Path(dio_writev, (), files, dio_cuts),
    }
    if fs.direct_edges:
        for name, via, cuts in (
            ("read-direct-meta", dio_read, dio_cuts + fs.read_cuts),
            ("write-direct-meta", dio_write, dio_cuts),
        ):
            found[name] = Path((*via, "submit_bio"), fs.direct_edges, files, cuts)
    found["unplug"] = Path(
        (*buffered, *fs.unplug, ">blk_backing_dev_unplug"),
        (*write_edges, ("blk_backing_dev_unplug", "@unplug_fn")),
        files,
        fs.cuts,
    )
    return {**found, **fs.more}


def thread(thread: str, files: tuple[str, ...], edges: Edges = (), *via: str) -> Path:
    """A file system's own thread that submits: kjournald, xfsbufd."""
    return Path(("@kthread", "kthread", ">" + thread, *via, "submit_bio"), edges, FILES + files)
