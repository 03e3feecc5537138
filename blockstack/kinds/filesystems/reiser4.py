"""reiser4 (never merged) in three states of its own history, on 2.6.18.

``2005-08`` is the one that could not work with 4K stacks (2005-08-03, for 2.6.13-rc4-mm1),
``2005-10`` the one after its change for small stacks (2005-10-21), ``2006-08`` the nearest to
2.6.18 (2006-08-29, for 2.6.18-rc4-mm3). Read in its own repository; the VFS is that of 2.6.18 with
what the -mm kernels of the time added for it: ``->sync_inodes``, and ``->batch_write`` in 2006.
"""

from dataclasses import dataclass, replace

import blockstack.kinds.filesystems.vfs_v2_6 as v2_6
from blockstack.base.calls import Anchor, Path
from blockstack.kinds.filesystems.common import Edges
from blockstack.kinds.filesystems.reiser4_cuts import (
    BITMAPS,
    CUTS,
    FALLS_THROUGH,
    NO_CRYPTCOMPRESS,
    RECLAIM,
)
from blockstack.kinds.filesystems.reiser4_plugins import cryptcompress_edges, plugin_edges
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import choice, integer

_VFS_FILES = (
    *v2_6.FILES,
    "fs/reiser4/",
    "fs/namei.c",
    "fs/inode.c",
    "fs/readdir.c",
    "fs/super.c",
    "fs/namespace.c",
    "mm/memory.c",
    "arch/i386/mm/fault.c",
)


@dataclass(frozen=True)
class _State:
    """What one state calls its operations; anchors from the VFS's call on."""

    name: str
    read: tuple[str, ...]
    write: tuple[str, ...]
    fsync: str
    readpage: str
    unlink: str
    rename: str
    readdir: str
    fill_super: str
    cryptcompress: bool = False

    def compressed(self) -> "_State":
        """The same state with its regular files the cryptcompress plugin's."""
        old = self.name == "2005-08"
        return replace(
            self,
            read=((">reiser4_read",) if old else ()) + (">read_cryptcompress",),
            write=((">reiser4_write",) if old else ()) + (">write_cryptcompress",),
            fsync={"2005-08": "reiser4_fsync", "2005-10": "sync_common"}.get(
                self.name, "reiser4_sync_common"
            ),
            readpage="reiser4_readpage" if old else "readpage_cryptcompress",
            cryptcompress=True,
        )


_STATES = (
    _State(
        "2005-08",
        (">reiser4_read", ">read_unix_file"),
        (">reiser4_write", ">write_unix_file"),
        "reiser4_fsync",
        "reiser4_readpage",
        "reiser4_unlink",
        "reiser4_rename",
        "reiser4_readdir",
        "reiser4_fill_super",
    ),
    _State(
        "2005-10",
        (">read_unix_file",),
        (">write_unix_file",),
        "sync_unix_file",
        "readpage_unix_file",
        "unlink_common",
        "rename_common",
        "readdir_common",
        "fill_super",
    ),
    _State(
        "2006-08",
        (">read_unix_file",),
        (
            *("do_sync_write", ">generic_file_aio_write", "generic_file_buffered_write"),
            ">batch_write_unix_file",
        ),
        "sync_unix_file",
        "readpage_unix_file",
        "reiser4_unlink_common",
        "reiser4_rename_common",
        "reiser4_readdir_common",
        "fill_super",
    ),
)


#: what marks a file read: read and readdir to 2005-10 by update_atime, then by file_accessed
_TOUCH = ("read_unix_file?", "readdir_common?", "unpack?", "reiser4_readdir_common?")


class _Entries:
    """The entry points of one state."""

    def __init__(self, state: _State) -> None:
        self.state = state
        # generic_sync_sb_inodes is -mm's name of sync_sb_inodes (super_ops.c, entd.c)
        mm = (
            (self.at(caller), "sync_sb_inodes")
            for caller in ("reiser4_sync_inodes?", "entd_flush?", "entd?")
        )
        writeback = (
            ("writeback_inodes", "reiser4_sync_inodes"),
            ("do_writepages", "reiser4_writepages?"),
            ("do_writepages", "writepages_unix_file?"),
            ("__mark_inode_dirty", "reiser4_dirty_inode?"),
        )
        # update_atime of 2.6.14 is touch_atime (fs/inode.c)
        atime = tuple((self.at(caller), "touch_atime") for caller in _TOUCH)
        self.edges = (*plugin_edges(state.name), *mm, *atime, *self._to(writeback))
        if state.cryptcompress:
            # a read goes through the page cache: generic_file_read or do_sync_read
            reads = (
                ("do_generic_mapping_read", state.readpage),
                ("__do_page_cache_readahead", "reiser4_readpages"),
                ("read_pages?", "reiser4_readpages"),
                ("do_writepages", "writepages_cryptcompress?"),
            )
            self.edges += (
                *cryptcompress_edges(state.name),
                *self._to(reads),
                ("do_sync_read", "generic_file_aio_read"),
            )

    def at(self, name: str) -> str:
        """A function of this state: the anchor or name with the state's label."""
        return Anchor.read(name).at(self.state.name)

    def _to(self, edges: Edges) -> Edges:
        """Calls of the VFS through its own pointers."""
        return tuple((caller, self.at(callee)) for caller, callee in edges)

    def _own(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Anchors, those of the VFS as they are."""
        return tuple(
            n if n in ("do_sync_write", ">generic_file_aio_write", "generic_file_buffered_write")
            else self.at(n)
            for n in names
        )  # fmt: skip

    def path(
        self,
        via: tuple[str, ...],
        edges: Edges = (),
        *,
        jobs: Edges = (),
        mounted: bool = True,
        ends: bool = False,
    ) -> Path:
        """A path to the submit; with ``ends`` to its deepest point, as it submits nothing."""
        return Path(
            via if ends else (*via, "submit_bio"),
            (*self.edges, *self._to(edges), *jobs),
            _VFS_FILES,
            CUTS
            + (() if self.state.cryptcompress else NO_CRYPTCOMPRESS)
            + (BITMAPS if mounted else ()),
            # flush.c: both call themselves for the parent, from the twig up to the root
            climbs=((self.at("alloc_one_ancestor"), 0), (self.at("squalloc_upper_levels"), 0)),
        )

    def all(self) -> dict[str, Path]:
        """Its entry points."""
        s, own = self.state, self._own
        supers = ("sync_supers", "reiser4_write_super")
        delete = (
            ("iput", "reiser4_delete_inode"),
            ("generic_delete_inode", "reiser4_delete_inode"),
        )
        return {
            "read": self.path((*v2_6.READ, *own(s.read))),
            "readv": self.path((*v2_6.READV, *own(s.read))),
            "fault": self.path(
                ("@fault", "do_page_fault", "__handle_mm_fault"),
                (
                    ("page_cache_read", s.readpage),
                    ("filemap_nopage", s.readpage),
                    ("__handle_mm_fault", "unix_file_filemap_nopage?"),
                    ("read_pages?", "reiser4_readpages"),
                    ("__do_page_cache_readahead", "reiser4_readpages"),
                ),
                jobs=(("__handle_mm_fault", "filemap_nopage"),),
            ),
            "write": self.path((*v2_6.WRITE, *own(s.write))),
            "fsync": self.path(("@syscall", "sys_fsync", "do_fsync", self.at(">" + s.fsync))),
            "sync": self.path(
                ("@syscall", "sys_sync"), (("sync_inodes_sb", "reiser4_sync_inodes"), supers)
            ),
            "writeback": self.path(v2_6.PDFLUSH, (supers,), jobs=v2_6.PDFLUSH_EDGES),
            "unlink": self.path(
                ("@syscall", "sys_unlink", "do_unlinkat"), (("vfs_unlink", s.unlink), *delete)
            ),
            "rename": self.path(
                ("@syscall", "sys_rename", "sys_renameat"), (("vfs_rename", s.rename), *delete)
            ),
            "readdir": self.path(
                ("@syscall", "sys_getdents64", "vfs_readdir", self.at(">" + s.readdir))
            ),
            "mount": self.path(
                (
                    *("@syscall", "sys_mount", "do_mount", "do_kern_mount", "vfs_kern_mount?"),
                    self.at(">reiser4_get_sb?"),
                    "get_sb_bdev",
                    self.at(">" + s.fill_super),
                ),
                mounted=False,
            ),
            **({} if s.name == "2006-08" else {"reclaim": self.reclaim()}),
            "ktxnmgrd": self.path((*_kthread(s), self.at(">ktxnmgrd"))),
            "entd": self.path((*_kthread(s), self.at(">entd"))),
        }

    def files(self) -> dict[str, tuple[Path, ...]]:
        """What a server's thread goes through: it has neither ->readv nor ->writev, so that
        do_readv_writev calls ->read and ->write (fs/read_write.c)."""
        s = self.state
        write = tuple(">" + n if n == "do_sync_write" else n for n in self._own(s.write))
        return {
            "read": (self.path(self._own(s.read)),),
            "write": (self.path(write),),
            "sync": (self.path((), (("nfsd_sync", s.fsync),)),),
        }

    def reclaim(self) -> Path:
        """Direct reclaim under a write, from the page cache's allocation.

        ->writepage (page_cache.c) flushes the page at once where its task is inside reiser4, to
        2005; in 2006 it hands every page to entd and waits: that one submits nothing.
        """
        write = (*v2_6.WRITE, *self._own(self.state.write))
        via = (*write, "__alloc_pages", *v2_6.RECLAIM[1:], self.at(">reiser4_writepage"))
        ends = self.state.name == "2006-08"
        path = self.path(via, jobs=v2_6.RECLAIM_EDGES, ends=ends)
        return replace(
            path,
            files=(*path.files, *v2_6.RECLAIM_FILES),
            cuts=path.cuts + RECLAIM + v2_6.RECLAIM_CUTS,
        )


def _kthread(state: _State) -> tuple[str, ...]:
    """Its threads: by kernel_thread in 2005-08, by kthread_run since (ktxnmgrd.c, entd.c)."""
    return ("@kthread",) if state.name == "2005-08" else ("@kthread", "kthread")


def _calls(entries: _Entries) -> Calls:
    return Calls(
        endio=Path((entries.at("end_io_handler"),), (), ("fs/reiser4/",), FALLS_THROUGH),
        ops=("read", "write", "flush", "fua"),
        files=entries.files(),
        tasks={"reclaim": entries.reclaim()} if entries.state.name == "2006-08" else {},
        note="the VFS is that of 2.6.18 with the calls that -mm kernels added for reiser4",
    )


_ALL = {(state.name, "unix"): _Entries(state) for state in _STATES} | {
    (state.name, "cryptcompress"): _Entries(state.compressed()) for state in _STATES
}
_WAYS = {name: {"2.6.18": entries.all()} for name, entries in _ALL.items()}
_CALLS = {name: {"2.6.18": _calls(entries)} for name, entries in _ALL.items()}
REISER4 = Kind(
    "reiser4",
    "source",
    "remap",
    (1, 1),
    "reiser4 file system (never merged)",
    params=(
        Param(
            "version",
            choice(*(state.name for state in _STATES)),
            "2006-08",
            "state of its history: " + ", ".join(state.name for state in _STATES),
        ),
        Param(
            "files",
            choice("unix", "cryptcompress"),
            "unix",
            "plugin of regular files: unix (extents and tails) or cryptcompress (lzo1)",
        ),
        Param(
            "height",
            integer(2, 8),
            8,
            "levels of its tree, which its flush climbs; default REISER4_MAX_ZTREE_HEIGHT",
        ),
    ),
    calls=_CALLS["2006-08", "unix"],
    entries=_WAYS["2006-08", "unix"],
    variant=("version", "files"),
    variants=_CALLS,
    entry_variants=_WAYS,
    rounds="height",
    verb="reiser4",
    # it had no direct I/O
    entry_ops={
        "read": ("read", "readv", "fault", "readdir"),
        "write": (
            *("write", "unlink", "rename", "sync", "writeback", "reclaim"),
            *("ktxnmgrd", "entd", "mount"),
        ),
        "fua": ("fsync", "ktxnmgrd"),
        "flush": ("fsync", "ktxnmgrd"),
    },
    entry_bios={
        **dict.fromkeys(("write", "unlink", "rename", "sync", "writeback", "mount"), ("read",)),
        "fsync": ("read", "write"),
    },
)
