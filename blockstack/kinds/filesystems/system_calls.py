"""Entry points beside read and write, for every file system of 6.1 and later: one row each.

A row leads from a root to the VFS; where the VFS calls a file system's table of operations is
written once (`_SITES`), and what a file system has there is a table in its own file. Read in
6.1.192 and 6.12.117: fs/namei.c, open.c, attr.c, xattr.c, splice.c, read_write.c, sync.c, ioctl.c,
readdir.c, stat.c, statfs.c, exec.c, super.c, namespace.c, inode.c, dcache.c, io_uring/.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import blockstack.kinds.filesystems.vfs_v6_1 as v6_1
from blockstack.base.calls import Path, cut_rows
from blockstack.kinds.filesystems.common import Cuts, Edges

_CALL = ("@syscall", "do_syscall_64|do_SYSENTER_32", "x64_sys_call|ia32_sys_call")
#: what runs when a system call returns: the last reference of a file or a mount
_RETURN = (
    *_CALL[:2],
    "syscall_exit_to_user_mode",
    "exit_to_user_mode_prepare?",
    "task_work_run",
)
_RETURNING: Edges = (
    ("do_syscall_64", "syscall_exit_to_user_mode"),
    ("syscall_exit_to_user_mode", "exit_to_user_mode_prepare?"),
    ("syscall_exit_to_user_mode", "task_work_run"),
    ("exit_to_user_mode_prepare?", "task_work_run"),
)
_FAULT = ("@fault", "exc_page_fault", "do_user_addr_fault", ">handle_mm_fault")
_URING = (*_CALL, "__x64_sys_io_uring_enter", "__do_sys_io_uring_enter?", "io_submit_sqes")
#: io_uring's threads: create_io_thread calls them without kthread() (kernel/fork.c)
_WQ = ("@kthread", ">io_wq_worker|io_wqe_worker", "io_worker_handle_work", ">io_wq_submit_work")
_SQ = ("@kthread", ">io_sq_thread", "io_submit_sqes")
_ISSUE: Edges = (
    ("io_wq_worker?", "io_worker_handle_work"),
    ("io_wqe_worker?", "io_worker_handle_work"),
    ("io_submit_sqes", "io_issue_sqe"),
    ("io_wq_submit_work", "io_issue_sqe"),
    ("io_worker_handle_work", "io_wq_submit_work"),
)
#: io_uring/io_uring.c io_queue_sqe: IO_URING_F_NONBLOCK; fs/iomap/direct-io.c, mm/filemap.c
_NOWAIT: Cuts = cut_rows(
    "IOCB_NOWAIT: where a write must come first, a worker of io_uring takes over",
    "filemap_write_and_wait_range",
    "vfs_fsync_range",
    "xfs_iomap_write_direct",
    "generic_perform_write->balance_dirty_pages*",
)


class Row(NamedTuple):
    """An entry point: its name, whether it changes no file (but its times), its functions."""

    name: str
    reads: bool
    via: tuple[str, ...]
    edges: Edges = ()
    cuts: Cuts = ()


def _call(name: str, reads: bool, call: str, *via: str) -> Row:
    return Row(name, reads, (*_CALL, f"__x64_sys_{call}|__ia32_sys_{call}", *via))


_IN_MEMORY: Cuts = cut_rows("the buffers are in memory [mapped_buffers=false]", "handle_mm_fault")
_KERNELS: Cuts = cut_rows(
    "its buffers are the kernel's own", "__get_user_pages", "fixup_user_fault"
)
#: fs/iomap/buffered-io.c iomap_truncate_page, fs/xfs/xfs_iops.c xfs_setattr_size, fs/ext4/inode.c
#: ext4_block_truncate_page, fs/btrfs/file.c, fs/f2fs/file.c f2fs_truncate_blocks
_TO_NOTHING: Cuts = cut_rows(
    "to length 0: no block is cut in two, nothing lies before the end",
    "iomap_zero_range",
    "ext4_block_truncate_page",
    "btrfs_truncate_block",
    "xfs_setattr_size->filemap_write_and_wait_range",
    "truncate_partial_data_page",
)
_AHEAD = "force_page_cache_ra"

#: any file system's
ROWS: tuple[Row, ...] = (
    _call("mkdir", False, "mkdirat", "do_mkdirat"),
    _call("mknod", False, "mknodat", "do_mknodat"),
    _call("symlink", False, "symlinkat", "do_symlinkat"),
    _call("link", False, "linkat", "do_linkat"),
    _call("unlink", False, "unlinkat", "do_unlinkat"),
    _call("rmdir", False, "unlinkat", "do_rmdir"),
    _call("rename", False, "renameat2", "do_renameat2"),
    _call("truncate", False, "truncate", "do_sys_truncate?"),
    _call("ftruncate", False, "ftruncate", "do_sys_ftruncate"),
    Row("open-truncate", False, (*v6_1.OPENAT, "do_truncate"), (), _TO_NOTHING),
    _call("chmod", False, "fchmodat", "do_fchmodat?", "chmod_common"),
    _call("chown", False, "fchownat", "do_fchownat"),
    _call("utimes", False, "utimensat", "do_utimes"),
    _call("fallocate", False, "fallocate", "vfs_fallocate"),
    _call("fsetxattr", False, "fsetxattr", "__do_sys_fsetxattr|setxattr"),
    _call("setxattr", False, "setxattr", "path_setxattr"),
    _call("removexattr", False, "removexattr", "path_removexattr"),
    _call("getxattr", True, "getxattr", "path_getxattr"),
    _call("listxattr", True, "listxattr", "path_listxattr"),
    _call("copy-range", False, "copy_file_range", "__do_sys_copy_file_range?"),
    _call("sendfile", False, "sendfile64", "do_sendfile"),
    _call("splice", False, "splice", "__do_splice"),
    _call("reflink", False, "ioctl", "do_vfs_ioctl", "ioctl_file_clone", "vfs_clone_file_range"),
    _call("freeze", False, "ioctl", "do_vfs_ioctl", "freeze_super"),
    # 6.12: one function under two names, __ia32_sys_sync's is the one that is called
    Row(
        "sync",
        False,
        (*_CALL, "__x64_sys_sync", "ksys_sync"),
        (("x64_sys_call", "__x64_sys_sync"),),
    ),
    _call("syncfs", False, "syncfs", "sync_filesystem"),
    _call("sync-range", False, "sync_file_range", "sync_file_range"),
    _call("fadvise", False, "fadvise64", "ksys_fadvise64_64"),
    _call("readahead", True, "readahead", "ksys_readahead", "generic_fadvise", _AHEAD),
    _call("madvise", True, "madvise", "do_madvise", "vfs_fadvise", "generic_fadvise", _AHEAD),
    _call("readdir", True, "getdents64", "iterate_dir"),
    _call("stat", True, "newfstatat", "__do_sys_newfstatat?", "vfs_statx?"),
    _call("statx", True, "statx", "do_statx?"),
    _call("statfs", True, "statfs", "user_statfs"),
    _call("access", True, "faccessat", "do_faccessat"),
    _call("readlink", True, "readlinkat", "do_readlinkat"),
    _call("execve", True, "execveat", "do_execveat_common", "bprm_execve"),
    _call("mount", False, "mount", "path_mount", "vfs_get_tree"),
    _call("remount", False, "mount", "path_mount", "reconfigure_super"),
    Row("umount", False, (*_RETURN, ">__cleanup_mnt"), _RETURNING),
    Row("close", False, (*_RETURN, ">____fput"), _RETURNING),
    _call("exit", False, "exit_group", "do_group_exit", "do_exit", "task_work_run", ">____fput"),
    Row("mkwrite", False, (*_FAULT, "__handle_mm_fault?", "do_fault?", "do_page_mkwrite")),
    Row("uring-read", True, (*_URING, "io_issue_sqe", ">io_read"), _ISSUE, _NOWAIT),
    Row("uring-write", False, (*_URING, "io_issue_sqe", ">io_write"), _ISSUE, _NOWAIT),
    Row("uring-read-worker", True, (*_WQ, "io_issue_sqe", ">io_read"), _ISSUE),
    Row("uring-write-worker", False, (*_WQ, "io_issue_sqe", ">io_write"), _ISSUE),
    Row("uring-fsync-worker", False, (*_WQ, "io_issue_sqe", ">io_fsync"), _ISSUE),
    Row("uring-read-thread", True, (*_SQ, "io_issue_sqe", ">io_read"), _ISSUE, _NOWAIT),
    Row("uring-write-thread", False, (*_SQ, "io_issue_sqe", ">io_write"), _ISSUE, _NOWAIT),
)

#: where the VFS calls an operation; ``?``: one of the kernels has another function there
_SITES: Mapping[str, tuple[str, ...]] = {
    "lookup": ("__lookup_slow", "lookup_one_qstr_excl", "path_openat"),
    "create": ("path_openat",),
    "mkdir": ("vfs_mkdir",),
    "mknod": ("vfs_mknod",),
    "symlink": ("vfs_symlink",),
    "link": ("vfs_link",),
    "unlink": ("vfs_unlink",),
    "rmdir": ("vfs_rmdir",),
    "rename": ("vfs_rename",),
    "setattr": ("notify_change",),
    "getattr": ("vfs_getattr_nosec",),
    "update_time": ("inode_update_time?", "touch_atime", "file_update_time"),
    "setxattr": ("__vfs_setxattr", "__vfs_removexattr"),
    "getxattr": ("__vfs_getxattr",),
    "listxattr": ("vfs_listxattr",),
    "fallocate": ("vfs_fallocate",),
    "remap": ("vfs_copy_file_range", "vfs_clone_file_range?", "do_clone_file_range?"),
    "readdir": ("iterate_dir",),
    "page_mkwrite": ("do_page_mkwrite",),
    "fault": ("__do_fault",),
    "evict": ("evict",),
    "dirty_inode": ("__mark_inode_dirty",),
    "write_inode": ("__writeback_single_inode",),
    "sync_fs": ("sync_filesystem", "sync_fs_one_sb"),
    "freeze": ("freeze_super",),
    "put_super": ("generic_shutdown_super",),
    "kill": ("deactivate_locked_super",),
    "statfs": ("statfs_by_dentry",),
    "get_tree": ("vfs_get_tree",),
    "fill": ("get_tree_bdev", "get_tree_bdev_flags?", "mount_bdev"),
    "reconfigure": ("reconfigure_super",),
    "release": ("__fput",),
    "read_iter": (
        *("__kernel_read", "__io_read", "io_read", "do_iter_readv_writev"),
        *("generic_file_splice_read?",),
    ),
    "write_iter": ("io_write", "do_iter_readv_writev", "iter_file_splice_write?"),
    "splice_write": ("direct_splice_actor", "do_splice"),
    "splice_read": ("splice_direct_to_actor?", "do_splice_read?", "do_splice_to?"),
    "fsync": ("vfs_fsync_range",),
}
#: the VFS's own pointers, and what stands in a table for file systems that have no own
_VFS: Edges = (
    ("iterate_supers", "sync_inodes_one_sb"),
    ("iterate_supers", "sync_fs_one_sb"),
    ("__iterate_supers?", "sync_inodes_one_sb"),
    ("__iterate_supers?", "sync_fs_one_sb"),
    ("splice_direct_to_actor", "direct_splice_actor"),
    ("direct_splice_actor", "iter_file_splice_write"),
    ("do_splice", "iter_file_splice_write"),
    ("do_splice_read?", "filemap_splice_read?"),
    ("do_splice_to?", "generic_file_splice_read?"),
    ("page_get_link?", "read_cache_page?"),
    ("vfs_get_tree", "legacy_get_tree"),
    ("vfs_get_tree", "get_tree_bdev"),
    ("reconfigure_super", "legacy_reconfigure"),
    ("deactivate_locked_super", "kill_block_super"),
)
_FILES = (
    *("fs/namei.c", "fs/open.c", "fs/attr.c", "fs/xattr.c", "fs/splice.c", "fs/ioctl.c"),
    *("fs/readdir.c", "fs/stat.c", "fs/statfs.c", "fs/exec.c", "fs/super.c", "fs/namespace.c"),
    *("fs/inode.c", "fs/dcache.c", "fs/file_table.c", "fs/remap_range.c", "fs/fs_context.c"),
    *("fs/utimes.c", "mm/fadvise.c", "mm/truncate.c", "io_uring/"),
    *("kernel/task_work.c", "kernel/exit.c", "mm/madvise.c", "mm/memory.c"),
    *("arch/x86/mm/fault.c", "kernel/entry/", "mm/gup.c", "lib/iov_iter.c"),
)
#: what these entry points do not do, whatever the file system
_CUTS: Cuts = (
    *cut_rows(
        "the flusher writes, the caller waits (fs/fs-writeback.c wb_queue_work)",
        "wb_workfn",
        "wb_do_writeback",
    ),
    *cut_rows("no symbolic links on the way", "link_path_walk->pick_link", "step_into->pick_link"),
    *cut_rows("no leases, no delegations", "__break_lease", "break_lease"),
    *cut_rows("nothing is mounted below", "__detach_mounts"),
    *cut_rows("no other file system holds the mount", "mntput_no_expire", "mntput"),
    *cut_rows(
        "a dentry on the way to the name: who unlinks or closes its inode last puts it",
        *(
            f"{walk}->{put}"
            for walk in ("path_put", "terminate_walk", "step_into", "walk_component", "handle_*")
            for put in ("dput", "path_put")
        ),
        *(f"{walk}->dput" for walk in ("lookup_*", "path_*at", "filename_*", "link_path_walk*")),
        *(f"{walk}->path_put" for walk in ("do_*", "user_*", "path_*xattr", "vfs_statx*")),
    ),
    *cut_rows("after an error only", "make_bad_inode", "iget_failed"),
    *cut_rows(
        "finds an inode whose set-up failed in another task (find_inode waits for one that is "
        "freed): nothing of it was written",
        "iget_locked->iput",
        "iget5_locked*->iput",
        "inode_insert5->iput",
        "ilookup*->iput",
    ),
    *cut_rows("a page of a file is no swap entry", "do_swap_page", "shmem_*"),
    *cut_rows("no zoned device", "sb_write_pointer"),
    *cut_rows("an inode that is evicted was written: it is clean", "iput->write_inode_now"),
)


@dataclass(frozen=True)
class Operations:
    """What a file system has in the VFS's tables.

    Attributes
    ----------
    table : mapping of operation to function
        The operations are those of `_SITES`.
    edges : tuple of (caller, callee)
        Pointers of its own on these ways.
    lifted : frozenset of str
        Callees of its cuts that read and write do not call and these entry points do.
    cuts : tuple
        Further cuts, for these entry points only.
    workers : mapping of name to tuple of str
        Work functions and threads of its own, with the anchors to them.
    more : mapping of row to edges
        Further pointers of one entry point.
    less : mapping of row to cuts
        Further cuts of one entry point.
    lacks : frozenset of str
        Rows that this file system refuses, or serves without a bio.
    """

    table: Mapping[str, str]
    edges: Edges = ()
    lifted: frozenset[str] = frozenset()
    cuts: Cuts = ()
    workers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    more: Mapping[str, Edges] = field(default_factory=dict)
    less: Mapping[str, Cuts] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()


def system_calls(own: Operations, fs: v6_1.Fs, like: Path) -> dict[str, Path]:
    """The entry points of a file system beside read and write.

    Parameters
    ----------
    own : Operations
    fs : v6_1.Fs
        Its pointers under read, write and writeback.
    like : Path
        A way of it whose files and cuts these have, too.
    """
    table = tuple(
        (caller, function) for slot, function in own.table.items() for caller in _SITES[slot]
    )
    data = (*fs.read_edges, *fs.write_edges, *fs.sync_edges, *fs.meta_read, *fs.meta_write)
    rows = [row for row in (*ROWS, *_mapped(fs)) if row.name not in own.lacks]
    # the same for all, so that one graph answers for all of them
    shared = {
        (caller, callee)
        for row in rows
        for a, b in pairwise(row.via)
        if b.startswith(">") or a.startswith("@")
        for caller in _options(a)
        for callee in _options(b)
    }
    calls = (edge for row in rows for edge in row.edges)
    whole = replace(
        like,
        edges=tuple(dict.fromkeys((*data, *table, *_VFS, *own.edges, *calls, *sorted(shared)))),
        files=(*like.files, *_FILES),
        cuts=(*(cut for cut in like.cuts if cut[1] not in own.lifted), *_CUTS, *own.cuts),
    )
    ways = {
        row.name: replace(
            whole,
            via=(*row.via, "submit_bio"),
            edges=whole.edges + own.more.get(row.name, ()),
            cuts=_shared(row, whole.cuts) + row.cuts + _buffers(row) + own.less.get(row.name, ()),
        )
        for row in rows
    }
    return ways | {
        name: replace(whole, via=(*via, "submit_bio")) for name, via in own.workers.items()
    }


def _shared(row: Row, cuts: Cuts) -> Cuts:
    """Without the cuts that a call which makes files share extents contradicts itself."""
    if row.name not in ("reflink", "copy-range"):
        return cuts
    return tuple(cut for cut in cuts if not cut[2].endswith("[shared_extents=false]"))


def _buffers(row: Row) -> Cuts:
    """Whether a page fault may come below: only where the buffers are a task's."""
    if row.name.startswith("uring-"):
        return _IN_MEMORY
    return () if "handle_mm_fault" in row.via or row.name == "mkwrite" else _KERNELS


def _options(anchor: str) -> tuple[str, ...]:
    """An anchor's names as an edge writes them: a kernel may lack any."""
    names = anchor.strip(">?").split("|")
    return tuple(name if name.startswith("@") else f"{name}?" for name in names)


def _mapped(fs: v6_1.Fs) -> tuple[Row, ...]:
    """Direct I/O from or to memory that is a file's own: block/bio.c bio_iov_iter_get_pages finds
    no page there, and reads one (mm/gup.c faultin_page)."""
    fault = ("__get_user_pages", "handle_mm_fault", "__do_fault")
    return (
        Row("read-direct-mapped", True, (*v6_1.READ, *fs.dio_read, *fault), (), _IN_MEMORY),
        Row("write-direct-mapped", False, (*v6_1.WRITE, *fs.dio_write, *fault), (), _IN_MEMORY),
    )


#: by which operation's list an entry point is asked for
BESIDE: Mapping[str, str] = {
    **{row.name: "read" if row.reads else "write" for row in ROWS},
    "read-direct-mapped": "read",
    "write-direct-mapped": "write",
}


def beside(own: Operations) -> Mapping[str, str]:
    """`Kind.beside` of a file system."""
    return {**BESIDE, **dict.fromkeys(own.workers, "write")}
