"""nbd: the network block device over TCP."""

from blockstack.base.calls import Path
from blockstack.kinds.model import Calls, Kind, Worker
from blockstack.kinds.network.common import SIZE
from blockstack.kinds.shared.requests import (
    MQ_CUTS,
    OLD_REQUEST_CUTS,
    Cuts,
    mq_path,
    old_request_path,
)
from blockstack.kinds.shared.tcp import TCP, TCP_2_6_18, WAKE
from blockstack.kinds.shared.threads import WORK_FILES, kworker

_NBD_FILES = ("drivers/block/nbd.c",)
_NBD_CUTS: Cuts = (
    ("*", "nbd_mark_nsock_dead", "only when the connection breaks"),
    ("*", "sock_shutdown", "only when the connection breaks"),
    ("*", "nbd_requeue_cmd", "only when the connection breaks"),
    ("*", "nbd_config_put", "drops a reference that is not the last while the device is open"),
    ("*", "sock_recvmsg", "the sender does not receive"),
    ("*", "kernel_recvmsg", "the sender does not receive"),
    ("do_nbd_request", "nbd_end_request", "only for a request that failed"),
    ("do_it", "nbd_end_request", "only for a request that failed"),
)
# 2.6.18 drivers/block/nbd.c do_nbd_request (the queue's request_fn): sends inline in the submitter
_NBD_OLD_SEND = Path(
    (">do_nbd_request", "nbd_send_req", "sock_xmit", "kernel_sendmsg"),
    files=_NBD_FILES,
    cuts=_NBD_CUTS,
).then(TCP_2_6_18)
_NBD_OLD = old_request_path(
    _NBD_OLD_SEND.via, _NBD_OLD_SEND.files, edges=_NBD_OLD_SEND.edges, cuts=_NBD_OLD_SEND.cuts
)
# drivers/block/nbd.c nbd_do_it: the nbd-client process receives in its ioctl and completes; the
# table has no calls of nbd_ioctl (a jump table), so its whole frame counts
_NBD_OLD_DONE = Path(
    (
        "@syscall",
        "sys_ioctl",
        "vfs_ioctl",
        ">blkdev_ioctl",
        "blkdev_driver_ioctl",
        ">nbd_ioctl",
        ">nbd_end_request",
        "__end_that_request_first",
        "bio_endio",
    ),
    files=(*_NBD_FILES, "fs/ioctl.c", "block/ioctl.c"),
    cuts=OLD_REQUEST_CUTS,
)


def _nbd_old() -> Calls:
    unplug = old_request_path(
        _NBD_OLD_SEND.via,
        _NBD_OLD_SEND.files,
        edges=_NBD_OLD_SEND.edges,
        cuts=_NBD_OLD_SEND.cuts,
        entry="generic_unplug_device",
    )
    return Calls(
        submit=_NBD_OLD,
        unplug=unplug,
        ops=("read", "write"),
        completion=_NBD_OLD_DONE,
        options={"receive": WAKE[True]},
        note="sends in the submitter; nbd-client's process completes",
    )


# 6.1 drivers/block/nbd.c: BLK_MQ_F_BLOCKING, so that a run of the queue is always kblockd's
# (__blk_mq_delay_run_hw_queue); with mq-deadline every request goes through such a run
_NBD_QUEUE_CUTS: Cuts = (
    ("__blk_mq_delay_run_hw_queue", "__blk_mq_run_hw_queue", "BLK_MQ_F_BLOCKING: kblockd runs it"),
    ("__blk_mq_try_issue_directly", "nbd_queue_rq", "only without a scheduler"),
)
_NBD_SEND = Path(("nbd_send_cmd?", "__sock_xmit"), files=_NBD_FILES, cuts=_NBD_CUTS).then(TCP)
_NBD_SUBMIT = mq_path("nbd_queue_rq", (), _NBD_FILES, cuts=_NBD_CUTS + _NBD_QUEUE_CUTS)
_NBD_WORK = Path(
    (
        *kworker("blk_mq_run_work_fn"),
        "__blk_mq_run_hw_queue",
        "blk_mq_dispatch_rq_list",
        ">nbd_queue_rq",
    ),
    files=WORK_FILES,
    cuts=MQ_CUTS,
).then(_NBD_SEND)
_NBD_DONE = Path(
    (
        *kworker("recv_work"),
        "blk_mq_complete_request",
        ">nbd_complete_rq",
        "blk_mq_end_request",
        "blk_update_request",
        "bio_endio",
    ),
    files=(*_NBD_FILES, *WORK_FILES),
    cuts=MQ_CUTS + _NBD_CUTS,
)


def _nbd() -> Calls:
    worker = Worker("kblockd", _NBD_WORK)
    ops = ("read", "write", "flush", "discard", "fua")
    return Calls(
        submit=Path(("blk_mq_submit_bio",), _NBD_SUBMIT.edges, _NBD_FILES, _NBD_SUBMIT.cuts),
        worker=dict.fromkeys(ops, worker),
        ops=ops,
        completion=_NBD_DONE,
        options={"receive": WAKE[False]},
        note="kblockd sends (BLK_MQ_F_BLOCKING with mq-deadline)",
    )


NBD = Kind(
    "nbd",
    "leaf",
    "leaf",
    (0, 0),
    "network block device over TCP and a nic",
    params=(SIZE,),
    verb="nbd",
    calls={"2.6.18": _nbd_old(), "2.6.24": _nbd_old(), "6.1": _nbd()},
)
