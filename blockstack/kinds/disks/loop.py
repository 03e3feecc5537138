"""Loop devices over a file, whose file system is the lower device: the thread's path goes on
with the file system's own.
"""

from blockstack.base.calls import Path
from blockstack.kinds.model import Calls, Kind, Param, Worker
from blockstack.kinds.params import boolean, sectors
from blockstack.kinds.shared.requests import MQ_CUTS, Cuts, mq_path
from blockstack.kinds.shared.threads import WORK_FILES, kworker

# The file's filesystem is the lower device: the thread's path goes on with the filesystem's own.
_LOOP_FILES = ("drivers/block/loop.c",)
_LOOP_CUTS: Cuts = (
    ("loop_make_request", "bio_endio", "only for a device that is not bound to a file"),
    ("loop_process_work", "lo_fallocate", "only for discard and zeroing (not modelled)"),
)
# 2.6.18 do_lo_send_aops calls the filesystem's prepare_write; 2.6.24 by pagecache_write_begin
_LOOP_OLD_THREAD = Path(("@kthread", "loop_thread", ">do_lo_send_aops"), files=_LOOP_FILES)
_LOOP_2_6_24_THREAD = Path(
    (*_LOOP_OLD_THREAD.via, "pagecache_write_begin"), files=(*_LOOP_FILES, "mm/filemap.c")
)
# 6.1 drivers/block/loop.c do_req_filebacked, per operation; the file system's own part follows
_LOOP_RUN = (*kworker("loop_workfn"), "loop_process_work")
_LOOP_VIA = {
    "read": ("vfs_iter_read", "do_iter_read?", "do_iter_readv_writev?"),
    "write": ("vfs_iter_write", "do_iter_write?", "do_iter_readv_writev?"),
    "read-direct": ("lo_rw_aio",),
    "write-direct": ("lo_rw_aio",),
    "fsync": ("vfs_fsync|vfs_fsync_range",),
}


def _loop_old(thread: Path) -> Calls:
    # loop_make_request only queues the bio for "loopN" (a kernel_thread of its own); the thread
    # calls bio_endio itself
    worker = Worker("loop", thread)
    return Calls(
        submit=Path((">loop_make_request",), files=_LOOP_FILES, cuts=_LOOP_CUTS),
        worker={"read": worker, "write": worker},
        unplug=Path(("loop_unplug",), files=_LOOP_FILES),
        ops=("read", "write"),
        completion=Path(("@kthread", "loop_thread", "bio_endio"), files=_LOOP_FILES),
    )


def _loop(*, direct: bool) -> Calls:
    suffix = "-direct" if direct else ""
    words = {"read": "read" + suffix, "write": "write" + suffix, "flush": "fsync"}
    workers = {
        op: Worker(
            "loop",
            Path(
                (*_LOOP_RUN, *_LOOP_VIA[word]),
                files=(*_LOOP_FILES, *WORK_FILES, "fs/read_write.c", "fs/sync.c"),
                cuts=_LOOP_CUTS,
            ),
        )
        for op, word in words.items()
    }
    path = mq_path("loop_queue_rq", (), _LOOP_FILES, cuts=_LOOP_CUTS)
    return Calls(
        submit=path,
        worker={**workers, "discard": workers["write"], "fua": workers["write"]},
        file_ops=words,
        ops=("read", "write", "flush", "discard", "fua"),
        completion=Path(
            (
                *kworker("loop_workfn"),
                "loop_process_work",
                "blk_mq_complete_request",
                ">lo_complete_rq",
                "blk_mq_end_request",
                "blk_update_request",
                "bio_endio",
            ),
            files=(*_LOOP_FILES, *WORK_FILES),
            cuts=MQ_CUTS + _LOOP_CUTS,
        ),
        note=(
            "direct I/O to the file"
            if direct
            else "buffered I/O to the file (LO_FLAGS_DIRECT_IO off)"
        )
        + "; a discard is bounded as a write, its fallocate(2) is not followed",
    )


_LOOP_26 = {"2.6.18": _loop_old(_LOOP_OLD_THREAD), "2.6.24": _loop_old(_LOOP_2_6_24_THREAD)}
_LOOP_MODES = {False: {**_LOOP_26, "6.1": _loop(direct=False)}, True: {"6.1": _loop(direct=True)}}
LOOP = Kind(
    "loop",
    "stacked",
    "remap",
    (1, 1),
    "loop device over a file of a filesystem",
    params=(
        Param("size", sectors(), None, "length of the file; absent: the lower's"),
        Param("direct", boolean, False, "direct I/O to the file (losetup --direct-io=on)"),
        Param(
            "preallocated",
            boolean,
            True,
            "false: the file has no unwritten "
            "extents (ext4): fallocate(2) never made any, by name or by zeroing the "
            "device (mkfs does), no write failed, and space is left",
        ),
    ),
    verb="loop",
    calls=_LOOP_MODES[False],
    variant="direct",
    variants=_LOOP_MODES,
)
