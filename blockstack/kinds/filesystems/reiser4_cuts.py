"""What reiser4's paths do not call, read in its sources (three states of its history)."""

from blockstack.base.calls import cut_rows
from blockstack.kinds.filesystems.common import Cuts

#: what follows a report that never returns (reiser4_panic, or BUG without its line) in the machine
#: code is the next function: the tables have a jump there that the source does not
FALLS_THROUGH: Cuts = cut_rows(
    "not called: what follows in the code a report that never returns",
    *(
        f"{caller}->{callee}"
        for caller, callee in (
            ("commit_file_atoms", "finish_conversion"),
            ("current_atom_finish_all_fq", "fq_by_jnode_gfp"),
            ("current_atom_finish_all_fq", "init_atom_fq_parts"),
            ("destroy_allocator_bitmap", "init_allocator_bitmap"),
            ("end_io_handler", "fq_by_jnode_gfp"),
            ("end_io_handler", "init_atom_fq_parts"),
            ("entd", "wbq_available"),
            ("load_and_lock_bnode", "init_allocator_bitmap"),
            ("load_and_lock_bnode", "reiser4_init_allocator_bitmap"),
            ("loading_up", "inode_set_vroot"),
            ("loading_up", "is_dir_empty"),
            ("read_unix_file", "prepare_write_unix_file"),
            ("release_and_unlock_bnode", "init_allocator_bitmap"),
            ("release_and_unlock_bnode", "reiser4_init_allocator_bitmap"),
            ("reiser4_destroy_allocator_bitmap", "reiser4_init_allocator_bitmap"),
            ("reiser4_iget", "is_dir_empty"),
            ("reiser4_link", "reiser4_create"),
            ("reiser4_read_extent", "reiser4_write_extent"),
            ("reiser4_txn_end", "txnmgr_count_deleted_blocks"),
            ("reiser4_write_tail", "get_block_address_tail"),
            ("release_unix_file", "prepare_write_unix_file"),
            ("safelink_common", "create_object_common"),
            ("setattr_unix_file", "prepare_write_unix_file"),
            ("txn_end", "txnmgr_count_deleted_blocks"),
            ("wakeup_wbq", "wbq_available"),
            ("save_len_cryptcompress_plugin", "open_cryptcompress"),
            ("write_cryptcompress", "setattr_cryptcompress"),
            ("write_page_by_ent", "wbq_available"),
            ("write_unix_file", "prepare_write_unix_file"),
        )
    ),
)
#: what runs inside a file operation's own context
_NESTED = (
    "read_cryptcompress->generic_file_read",
    "read_cryptcompress->do_sync_read",
    "read_extent",
    "read_tail",
    "reiser4_read_extent",
    "reiser4_read_tail",
    "write_extent",
    "write_tail",
    "reiser4_write_extent",
    "reiser4_write_tail",
    "tail2extent",
    "extent2tail",
    "writeout",
    "flush_current_atom",
)
CUTS: Cuts = (
    *FALLS_THROUGH,
    *cut_rows("not called by this plugin", "*pseudo*", "check_node40"),
    *(
        (
            f"below {f}",
            "reiser4_exit_context",
            "runs in the operation's own context: a nested one ends no transaction (context.c)",
        )
        for f in _NESTED
    ),
    (
        "below flush_current_atom",
        "txnmgr_force_commit_all",
        "flush and log reserve by reiser4_grab_space_force (flush.c, wander.c): BA_FORCE without "
        "BA_CAN_COMMIT commits nothing",
    ),
    (
        "below reiser4_write_logs",
        "txnmgr_force_commit_all",
        "the log reserves by reiser4_grab_space_force: it commits nothing",
    ),
    ("do_writepages", "mpage_writepages", "reiser4 has its ->writepages"),
    ("writeback_inodes", "sync_sb_inodes", "reiser4 has its ->sync_inodes"),
    ("sync_inodes_sb", "sync_sb_inodes", "reiser4 has its ->sync_inodes"),
    (
        "sync_sb_inodes",
        "iput",
        "the last reference only of a file that was unlinked meanwhile: unlink is its own entry",
    ),
    ("*", "reiser4_status_write", "only after an I/O error"),
    ("*", "remount_ro", "only after an I/O error"),
)
#: plugin/object.c: a file's plugin is chosen when it is made
NO_CRYPTCOMPRESS: Cuts = cut_rows(
    "not called by the plugin of unix files", "*cryptcompress*", "*ctail*"
)
#: bitmap.c init_allocator_bitmap reads every block at mount and none is ever unloaded
BITMAPS: Cuts = cut_rows(
    "the bitmaps were read at mount (no dont_load_bitmap)",
    "load_and_lock_bnode->jload_gfp",
    "load_and_lock_bnode->prepare_bnode",
    "load_and_lock_bnode->jinit_new",
)


RECLAIM: Cuts = (
    ("below reiser4_writepage", "try_to_free_pages", "PF_MEMALLOC: reclaim does not reclaim"),
    ("below reiser4_writepage", "reiser4_exit_context", "nested: the task is inside reiser4"),
    ("below reiser4_writepage", "txnmgr_force_commit_all", "reserves with BA_FORCE: no commit"),
    *cut_rows(
        "reclaim here starts at the page cache's allocation under the write",
        "flush_current_atom",
        "coord_by_key",
        "carry",
        "reiser4_carry",
        "balance_dirty_pages_ratelimited_nr",
    ),
)
