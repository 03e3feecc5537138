"""reiser4 (never merged): the VFS's part of its entry points."""

import blockstack.kinds.filesystems.vfs_v2_6 as v2_6
from blockstack.base.calls import Path
from blockstack.kinds.filesystems.common import FS_ENTRY_OPS, Cuts
from blockstack.kinds.model import Calls, Kind

# reiser4 was never merged: its functions are in no table, so that every path through them is a
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
    "read": Path((*v2_6.READ, ">reiser4_read", ">read_unix_file", "submit_bio"), (), v2_6.FILES),
    "write": Path((*v2_6.WRITE, ">reiser4_write", ">write_unix_file", *_TO_DISK), (), v2_6.FILES),
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
        v2_6.FILES,
        _OWN_WRITEPAGES,
    ),
    "writeback": Path(
        (*v2_6.PDFLUSH, "writeback_inodes", "sync_sb_inodes", ">reiser4_sync_inodes", *_TO_DISK),
        (("pdflush", "background_writeout"),),
        v2_6.FILES,
        _OWN_WRITEPAGES,
    ),
    "journal": Path(("@kthread", ">ktxnmgrd", *_TO_DISK), (), v2_6.FILES),
    "reclaim": Path(
        (
            *v2_6.WRITE,
            ">reiser4_write",
            "__alloc_pages",
            *v2_6.RECLAIM[1:],
            ">reiser4_writepage",
            *_TO_DISK,
        ),
        v2_6.RECLAIM_EDGES,
        v2_6.FILES + v2_6.RECLAIM_FILES,
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
