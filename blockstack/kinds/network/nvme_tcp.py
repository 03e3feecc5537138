"""NVMe over TCP."""

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind, Worker
from blockstack.kinds.network.common import LUN, SIZE
from blockstack.kinds.shared.requests import MQ_CUTS, NOT_A_FLUSH, Cuts, unscheduled, with_cuts
from blockstack.kinds.shared.tcp import TCP, receive
from blockstack.kinds.shared.threads import WORK_FILES, kworker

_FILES = ("drivers/nvme/host/tcp.c", "drivers/nvme/host/core.c")
_CUTS: Cuts = (
    ("nvme_tcp_queue_rq", "nvme_fail_nonready_command", "only while the controller is reset"),
    ("nvme_tcp_try_send", "nvme_tcp_try_send_ddgst", "digests are off (nvme connect's default)"),
    ("*", "crypto_ahash_*", "digests are off (nvme connect's default)"),
    ("*", "skb_copy_and_hash_datagram_iter", "digests are off (nvme connect's default)"),
    ("nvme_tcp_try_send", "nvme_complete_rq", "only for a request that cannot be sent"),
    ("nvme_tcp_try_send", "blk_mq_complete_request_remote", "only when it cannot be sent"),
    ("*", "nvme_complete_async_event", "only for asynchronous events"),
    ("*", "nvme_tcp_error_recovery", "only when the connection breaks"),
    ("*", "_dev_err", "only when the connection breaks"),
    ("sk_stream_wait_memory", "release_sock", "MSG_DONTWAIT: EAGAIN in place of a wait"),
    ("nvme_complete_rq", "nvme_failover_req", "only with several paths, on a path error"),
    # core.c nvme_tcp_ctrl_ops: NVME_F_BLOCKING, so the tag set has BLK_MQ_F_BLOCKING; read in 6.1
    # block/blk-mq.c. 6.12 and 7.3 have neither function: blk_mq_run_hw_queue dispatches at once
    ("__blk_mq_delay_run_hw_queue", "__blk_mq_run_hw_queue", "BLK_MQ_F_BLOCKING: kblockd runs it"),
    ("__blk_mq_sched_dispatch_requests", "blk_mq_do_dispatch_sched", "no scheduler"),
)
# 6.1 tcp.c nvme_tcp_queue_request: the first request on an idle queue is sent in the submitter when
# it runs on the queue's CPU, else io_work on nvme_tcp_wq sends. Data go by sendpage, or by sendmsg
# (sock_no_sendpage) where a page must not be, and before further H2CData PDUs; from 6.5 on there is
# no sendpage (MSG_SPLICE_PAGES)
_SEND = Path(
    ("nvme_tcp_try_send", "sock_no_sendpage", "kernel_sendmsg"),
    edges=(("kernel_sendpage?", "inet_sendpage?"), ("inet_sendpage?", "tcp_sendpage")),
    files=_FILES,
    cuts=_CUTS,
).then(TCP)
_SUBMIT = unscheduled("nvme_tcp_queue_rq", (), _FILES).then(_SEND)
_WORK = Path((*kworker("nvme_tcp_io_work"),), files=WORK_FILES).then(_SEND)
_DONE = Path(
    (
        *kworker("nvme_tcp_io_work"),
        "nvme_tcp_try_recv",
        ">tcp_read_sock",
        "__tcp_read_sock?",
        ">nvme_tcp_recv_skb",
        "nvme_complete_rq",
        "nvme_end_req?",
        "blk_mq_end_request",
        "blk_update_request",
        "bio_endio",
    ),
    files=(*_FILES, *WORK_FILES, "net/ipv4/tcp.c"),
    cuts=MQ_CUTS + _CUTS,
)


def _calls() -> Calls:
    ops = OPS
    return Calls(
        submit=with_cuts(_SUBMIT, NOT_A_FLUSH),
        submit_ops={"flush": _SUBMIT, "fua": _SUBMIT},
        worker=dict.fromkeys(ops, Worker("nvme_tcp_wq", _WORK)),
        ops=ops,
        completion=_DONE,
        sends_in_caller=True,
        receive=receive("nvme_tcp_data_ready", generation="6.1"),
        note="sends in the submitter on the queue's own CPU, else nvme_tcp_wq does",
    )


NVME_TCP = Kind(
    "nvme-tcp",
    "leaf",
    "leaf",
    (0, 0),
    "NVMe disk over TCP and a nic",
    params=(SIZE, LUN),
    verb="nvme_tcp",
    calls={"6.1": _calls()},
)
