"""What btrfs has in the VFS's tables (6.1 and 6.12)."""

from blockstack.base.calls import cut_rows
from blockstack.kinds.filesystems.system_calls import Operations
from blockstack.kinds.shared.threads import kworker

#: fs/btrfs/space-info.c: works that make room for reservations
RECLAIM = {
    "reclaim-metadata": "btrfs_async_reclaim_metadata_space",
    "reclaim-data": "btrfs_async_reclaim_data_space",
    "reclaim-ahead": "btrfs_preempt_reclaim_metadata_space",
}
OPERATIONS = Operations(
    {
        "lookup": "btrfs_lookup",
        "create": "btrfs_create",
        "mkdir": "btrfs_mkdir",
        "mknod": "btrfs_mknod",
        "symlink": "btrfs_symlink",
        "link": "btrfs_link",
        "unlink": "btrfs_unlink",
        "rmdir": "btrfs_rmdir",
        "rename": "btrfs_rename2",
        "setattr": "btrfs_setattr",
        "getattr": "btrfs_getattr",
        "update_time": "btrfs_update_time",
        "setxattr": "btrfs_xattr_handler_set",
        "getxattr": "btrfs_xattr_handler_get",
        "listxattr": "btrfs_listxattr",
        "fallocate": "btrfs_fallocate",
        "remap": "btrfs_remap_file_range",
        "readdir": "btrfs_real_readdir",
        "page_mkwrite": "btrfs_page_mkwrite",
        "fault": "filemap_fault",
        "evict": "btrfs_evict_inode",
        "sync_fs": "btrfs_sync_fs",
        "freeze": "btrfs_freeze",
        "put_super": "btrfs_put_super",
        "statfs": "btrfs_statfs",
        "release": "btrfs_release_file",
        "kill": "btrfs_kill_super",
        "read_iter": "btrfs_file_read_iter",
        "write_iter": "btrfs_file_write_iter",
        "fsync": "btrfs_sync_file",
    },
    edges=(
        ("vfs_get_tree", "btrfs_get_tree?"),  # 6.12
        ("reconfigure_super", "btrfs_reconfigure?"),
        ("legacy_get_tree?", "btrfs_mount?"),  # 6.1
        ("legacy_reconfigure?", "btrfs_remount?"),
    ),
    cuts=(
        *cut_rows(
            "BTRFS_RESERVE_NO_FLUSH, BTRFS_RESERVE_FLUSH_EMERGENCY (fs/btrfs/block-rsv.c)",
            "below btrfs_use_block_rsv->priority_reclaim_*",
            "below btrfs_use_block_rsv->flush_space",
        ),
        # fs/btrfs/transaction.c 6.1, 6.12
        *cut_rows(
            "throttle = 0",
            "below btrfs_end_transaction->__btrfs_end_transaction->btrfs_run_delayed_iputs",
            "below start_transaction->__btrfs_end_transaction->btrfs_run_delayed_iputs",
        ),
        *(
            ("*", name, "a new file gets no label and no ACL [create_xattrs=false]")
            for name in ("btrfs_xattr_security_init", "btrfs_initxattrs", "__btrfs_set_acl")
        ),
    ),
    workers={
        "worker-reclaim-groups": kworker("btrfs_reclaim_bgs_work"),
        "worker-discard": kworker("btrfs_discard_workfn"),
    },
)
