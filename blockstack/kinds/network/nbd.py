"""nbd: the network block device over TCP."""

from dataclasses import replace

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind, Worker
from blockstack.kinds.network.common import LUN, SIZE
from blockstack.kinds.shared.requests import (
    MQ_CUTS,
    REQUEST_CUTS_V2_6,
    Cuts,
    mq_path,
    request_path_v2_6,
)
from blockstack.kinds.shared.tcp import TCP, TCP_V2_6_18, WAKE
from blockstack.kinds.shared.threads import WORK_FILES, kworker

_FILES = ("drivers/block/nbd.c",)
_CUTS: Cuts = (
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
_SEND_V2_6 = Path(
    (">do_nbd_request", "nbd_send_req", "sock_xmit", "kernel_sendmsg"),
    files=_FILES,
    cuts=_CUTS,
).then(TCP_V2_6_18)
_SUBMIT_V2_6 = request_path_v2_6(
    _SEND_V2_6.via, _SEND_V2_6.files, edges=_SEND_V2_6.edges, cuts=_SEND_V2_6.cuts
)
# drivers/block/nbd.c nbd_do_it: the nbd-client process receives in its ioctl and completes; the
# table has no calls of nbd_ioctl (a jump table), so its whole frame counts
_DONE_V2_6 = Path(
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
    files=(*_FILES, "fs/ioctl.c", "block/ioctl.c"),
    cuts=REQUEST_CUTS_V2_6,
)


def _calls_v2_6() -> Calls:
    unplug = request_path_v2_6(
        _SEND_V2_6.via,
        _SEND_V2_6.files,
        edges=_SEND_V2_6.edges,
        cuts=_SEND_V2_6.cuts,
        entry="generic_unplug_device",
    )
    return Calls(
        submit=_SUBMIT_V2_6,
        unplug=unplug,
        ops=("read", "write"),
        completion=_DONE_V2_6,
        receive=WAKE["2.6.18"],
        note="sends in the submitter; nbd-client's process completes",
    )


# 6.1 drivers/block/nbd.c: BLK_MQ_F_BLOCKING, so that a run of the queue is always kblockd's
# (__blk_mq_delay_run_hw_queue, to 6.5); with mq-deadline every request goes through such a run
_ISSUED: Cuts = (("__blk_mq_try_issue_directly", "nbd_queue_rq", "only without a scheduler"),)
_QUEUE_CUTS_V6_1: Cuts = (
    ("__blk_mq_delay_run_hw_queue", "__blk_mq_run_hw_queue", "BLK_MQ_F_BLOCKING: kblockd runs it"),
    *_ISSUED,
)
_SEND_V6_1 = Path(("nbd_send_cmd?", "__sock_xmit"), files=_FILES, cuts=_CUTS).then(TCP)
_SUBMIT_V6_1 = mq_path("nbd_queue_rq", (), _FILES, cuts=_CUTS + _QUEUE_CUTS_V6_1)
# 6.6 block/blk-mq.c blk_mq_run_hw_queue: with async = false a queue that may sleep is run at once
# (might_sleep_if, blk_mq_run_dispatch_ops), so that whoever flushes a plug sends
_SUBMIT_V6_12 = mq_path("nbd_queue_rq", (), _FILES, cuts=_CUTS + _ISSUED).then(_SEND_V6_1)
_WORK_V6_1 = Path(
    (
        *kworker("blk_mq_run_work_fn"),
        "__blk_mq_run_hw_queue",
        "blk_mq_dispatch_rq_list",
        ">nbd_queue_rq",
    ),
    files=WORK_FILES,
    cuts=MQ_CUTS,
).then(_SEND_V6_1)
_DONE_V6_1 = Path(
    (
        *kworker("recv_work"),
        "blk_mq_complete_request",
        ">nbd_complete_rq",
        "blk_mq_end_request",
        "blk_update_request",
        "bio_endio",
    ),
    files=(*_FILES, *WORK_FILES),
    cuts=MQ_CUTS + _CUTS,
)


def _calls_v6_1() -> Calls:
    worker = Worker("kblockd", _WORK_V6_1)
    ops = OPS
    return Calls(
        submit=Path(("blk_mq_submit_bio",), _SUBMIT_V6_1.edges, _FILES, _SUBMIT_V6_1.cuts),
        worker=dict.fromkeys(ops, worker),
        ops=ops,
        completion=_DONE_V6_1,
        receive=WAKE["6.1"],
        note="kblockd sends (BLK_MQ_F_BLOCKING with mq-deadline)",
    )


def _calls_v6_12() -> Calls:
    calls = _calls_v6_1()
    return replace(
        calls,
        submit=_SUBMIT_V6_12,
        sends_in_caller=True,
        note="the submitter sends, or kblockd (BLK_MQ_F_BLOCKING with mq-deadline)",
    )


NBD = Kind(
    "nbd",
    "leaf",
    "leaf",
    (0, 0),
    "network block device over TCP and a nic",
    params=(SIZE, LUN),
    verb="nbd",
    calls={
        "2.6.18": _calls_v2_6(),
        "2.6.24": _calls_v2_6(),
        "6.1": _calls_v6_1(),
        "6.12": _calls_v6_12(),
    },
)
