"""Loop devices over a file, whose file system is the lower device: the thread's path goes on
with the file system's own.
"""

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind, Param, Worker
from blockstack.kinds.params import boolean, sectors
from blockstack.kinds.shared.requests import MQ_CUTS, Cuts, mq_path
from blockstack.kinds.shared.threads import WORK_FILES, kworker

# The file's filesystem is the lower device: the thread's path goes on with the filesystem's own.
_FILES = ("drivers/block/loop.c",)
_CUTS: Cuts = (
    ("loop_make_request", "bio_endio", "only for a device that is not bound to a file"),
    ("loop_process_work", "lo_fallocate", "only for discard and zeroing (not modelled)"),
)
# 2.6.18 do_lo_send_aops calls the filesystem's prepare_write; 2.6.24 by pagecache_write_begin
_THREAD_V2_6_18 = Path(("@kthread", "loop_thread", ">do_lo_send_aops"), files=_FILES)
_THREAD_V2_6_24 = Path(
    (*_THREAD_V2_6_18.via, "pagecache_write_begin"), files=(*_FILES, "mm/filemap.c")
)
# 6.1 drivers/block/loop.c do_req_filebacked, per operation; the file system's own part follows
_RUN = (*kworker("loop_workfn"), "loop_process_work")
_VIA = {
    "read": ("vfs_iter_read", "do_iter_read?", "do_iter_readv_writev?"),
    "write": ("vfs_iter_write", "do_iter_write?", "do_iter_readv_writev?"),
    "read-direct": ("lo_rw_aio",),
    "write-direct": ("lo_rw_aio",),
    "fsync": ("vfs_fsync|vfs_fsync_range",),
}


def _calls_v2_6(thread: Path) -> Calls:
    # loop_make_request only queues the bio for "loopN" (a kernel_thread of its own); the thread
    # calls bio_endio itself
    worker = Worker("loop", thread)
    return Calls(
        submit=Path((">loop_make_request",), files=_FILES, cuts=_CUTS),
        worker={"read": worker, "write": worker},
        unplug=Path(("loop_unplug",), files=_FILES),
        ops=("read", "write"),
        completion=Path(("@kthread", "loop_thread", "bio_endio"), files=_FILES),
    )


def _calls_v6_1(*, direct: bool) -> Calls:
    suffix = "-direct" if direct else ""
    words = {"read": "read" + suffix, "write": "write" + suffix, "flush": "fsync"}
    workers = {
        op: Worker(
            "loop",
            Path(
                (*_RUN, *_VIA[word]),
                files=(*_FILES, *WORK_FILES, "fs/read_write.c", "fs/sync.c"),
                cuts=_CUTS,
            ),
        )
        for op, word in words.items()
    }
    path = mq_path("loop_queue_rq", (), _FILES, cuts=_CUTS)
    return Calls(
        submit=path,
        worker={**workers, "discard": workers["write"], "fua": workers["write"]},
        file_ops=words,
        ops=OPS,
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
            files=(*_FILES, *WORK_FILES),
            cuts=MQ_CUTS + _CUTS,
        ),
        note=(
            "direct I/O to the file"
            if direct
            else "buffered I/O to the file (LO_FLAGS_DIRECT_IO off)"
        )
        + "; a discard is bounded as a write, its fallocate(2) is not followed",
    )


_CALLS_V2_6 = {"2.6.18": _calls_v2_6(_THREAD_V2_6_18), "2.6.24": _calls_v2_6(_THREAD_V2_6_24)}
_MODES = {
    False: {**_CALLS_V2_6, "6.1": _calls_v6_1(direct=False)},
    True: {"6.1": _calls_v6_1(direct=True)},
}
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
    calls=_MODES[False],
    variant="direct",
    variants=_MODES,
)
