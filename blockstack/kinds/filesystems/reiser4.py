"""reiser4 (never merged): the VFS's part of its ways in."""

from blockstack.base.calls import Path
from blockstack.kinds.filesystems.common import FS_ENTRY_OPS, Cuts
from blockstack.kinds.filesystems.vfs_v2_6 import (
    FILES_26,
    PDFLUSH,
    READ_26,
    RECLAIM_26,
    RECLAIM_EDGES,
    RECLAIM_FILES_26,
    WRITE_26,
)
from blockstack.kinds.model import Calls, Kind

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
REISER4 = Kind(
    "reiser4",
    "source",
    "remap",
    (1, 1),
    "reiser4 file system (never merged)",
    calls={"2.6.18": Calls(note="frames unknown: every depth is a lower bound")},
    entries={"2.6.18": _REISER4},
    verb="reiser4",  # it had no direct I/O
    entry_ops={op: n for op, n in FS_ENTRY_OPS.items() if "-" not in op},
)
