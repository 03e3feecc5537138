"""What XFS has in the VFS's tables, and its deferred operations and trees (6.1 and 6.12)."""

from blockstack.base.calls import cut_rows
from blockstack.kinds.filesystems.common import Cuts, Edges
from blockstack.kinds.filesystems.system_calls import Operations
from blockstack.kinds.shared.threads import kworker

#: fs/xfs/libxfs/xfs_defer.c: ->finish_item; inlined into xfs_defer_finish_noroll in 6.1
_FINISHES = ("xfs_defer_finish_one?", "xfs_defer_finish_noroll")
_DEFERRED: Edges = tuple(
    (finish, f"xfs_{item}_finish_item")
    for finish in _FINISHES
    for item in ("extent_free", "agfl_free", "bmap_update", "refcount_update", "rmap_update")
)
_ATTRIBUTES: Edges = tuple((finish, "xfs_attr_finish_item") for finish in _FINISHES)
#: fs/xfs/libxfs/xfs_btree.c: ->alloc_block, ->free_block
_TREES: Edges = (
    *(
        (caller, f"xfs_{tree}_alloc_block")
        for caller in ("__xfs_btree_split", "xfs_btree_new_root", "xfs_btree_new_iroot")
        for tree in ("bmbt", "allocbt", "inobt", "finobt", "refcountbt", "rmapbt")
    ),
    *(
        ("xfs_btree_free_block", f"xfs_{tree}_free_block")
        for tree in ("bmbt", "allocbt", "inobt", "refcountbt", "rmapbt")
    ),
)


def _only(trees: tuple[str, ...], *callers: str) -> Cuts:
    """Insertions into a tree split that tree and, below it, the allocator's own."""
    return cut_rows(
        "inserts into another tree (its cursor has that tree's operations)",
        *(
            f"below {caller}->{insert}->xfs_{tree}_alloc_block"
            for caller in callers
            for insert in ("xfs_btree_insert",)
            for tree in trees
        ),
    )


_SPLITS: Cuts = (
    *_only(
        ("bmbt", "inobt", "finobt", "refcountbt"),
        "xfs_alloc_fixup_trees",
        "xfs_free_ag_extent",
        "xfs_rmap_convert",
        "xfs_rmap_insert",
        "xfs_rmap_map",
        "xfs_rmap_unmap",
    ),
    *_only(
        ("inobt", "finobt", "refcountbt"),
        "xfs_bmap_add_extent_delay_real",
        "xfs_bmap_add_extent_hole_real",
        "xfs_bmap_add_extent_unwritten_real",
        "xfs_bmap_del_extent_real",
        "xfs_bmap_split_extent",
    ),
    *_only(
        ("bmbt", "refcountbt"),
        "xfs_difree_finobt",
        "xfs_finobt_insert_sprec",
        "xfs_inobt_insert",
        "xfs_inobt_insert_rec",
        "xfs_inobt_insert_sprec",
    ),
    *_only(("bmbt", "inobt", "finobt"), "xfs_refcount_insert"),
)
#: makes room: what the others do not do while space is left
BLOCK_GC = kworker("xfs_blockgc_worker")
_NEW = ("mkdir", "mknod", "symlink")
OPERATIONS = Operations(
    {
        "lookup": "xfs_vn_lookup",
        "create": "xfs_vn_create",
        "mkdir": "xfs_vn_mkdir",
        "mknod": "xfs_vn_mknod",
        "symlink": "xfs_vn_symlink",
        "link": "xfs_vn_link",
        "unlink": "xfs_vn_unlink",
        "rmdir": "xfs_vn_unlink",
        "rename": "xfs_vn_rename",
        "setattr": "xfs_vn_setattr",
        "getattr": "xfs_vn_getattr",
        "update_time": "xfs_vn_update_time",
        "setxattr": "xfs_xattr_set",
        "getxattr": "xfs_xattr_get",
        "listxattr": "xfs_vn_listxattr",
        "fallocate": "xfs_file_fallocate",
        "remap": "xfs_file_remap_range",
        "readdir": "xfs_file_readdir",
        "page_mkwrite": "xfs_filemap_page_mkwrite",
        "fault": "xfs_filemap_fault",
        "sync_fs": "xfs_fs_sync_fs",
        "freeze": "xfs_fs_freeze",
        "put_super": "xfs_fs_put_super",
        "statfs": "xfs_fs_statfs",
        "get_tree": "xfs_fs_get_tree",
        "fill": "xfs_fs_fill_super",
        "reconfigure": "xfs_fs_reconfigure",
        "release": "xfs_file_release",
        "read_iter": "xfs_file_read_iter",
        "write_iter": "xfs_file_write_iter",
        "fsync": "xfs_file_fsync",
    },
    edges=(*_DEFERRED, *_TREES),
    lifted=frozenset(("xfs_trans_roll*",)),
    cuts=(
        *_SPLITS,
        (
            "below xfs_vn_update_time",
            "xfs_defer_finish_noroll",
            "logs the inode: nothing is deferred (fs/xfs/xfs_iops.c)",
        ),
        *(
            ("*", name, "a new file gets no label and no ACL [create_xattrs=false]")
            for name in ("xfs_inode_init_security", "xfs_initxattrs", "__xfs_set_acl")
        ),
    ),
    more={
        **dict.fromkeys(("fsetxattr", "setxattr", "removexattr"), _ATTRIBUTES),
        **dict.fromkeys(_NEW, (*_ATTRIBUTES, ("security_inode_init_security?", "xfs_initxattrs"))),
    },
    less=dict.fromkeys(
        _NEW,
        (("*", "xfs_attr_finish_item", "a new file gets no label, no ACL [create_xattrs=false]"),),
    ),
    # 6.1 and 6.12; what ends a buffer or the log's I/O submits nothing
    workers={
        "end-io": kworker("xfs_end_io"),
        "log-push": kworker("xlog_cil_push_work"),
        "inode-gc": kworker("xfs_inodegc_worker"),
        "btree-split": kworker("xfs_btree_split_worker"),
        "inode-reclaim": kworker("xfs_reclaim_worker"),
        "log-worker": kworker("xfs_log_worker"),
    },
)
