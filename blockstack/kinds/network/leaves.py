"""Network: nic drivers, and the leaves that send their requests over one."""

from blockstack.kinds.disks.scsi import old_scsi_calls, scsi_calls, scsi_path
from blockstack.kinds.model import REQUIRED, Calls, Kind, Param, Path, Worker
from blockstack.kinds.network.nic import NIC
from blockstack.kinds.params import boolean, sectors
from blockstack.kinds.shared.requests import (
    MQ_CUTS,
    NOT_A_FLUSH,
    OLD_REQUEST_CUTS,
    Cuts,
    mq_path,
    old_request_path,
    unscheduled,
    with_cuts,
)
from blockstack.kinds.shared.tcp import TCP, TCP_2_6_18, WAKE, WORK_FILES, kworker, receive

_SIZE = Param("size", sectors(), REQUIRED, "capacity of the remote disk")

# --- iSCSI over TCP ------------------------------------------------------------------------------
_ISCSI_FILES = (
    "drivers/scsi/libiscsi.c",
    "drivers/scsi/libiscsi_tcp.c",
    "drivers/scsi/iscsi_tcp.c",
)
_ISCSI_CUTS: Cuts = (
    ("iscsi_queuecommand", "iscsi_complete_task", "only for a command that cannot be prepared"),
    ("*", "iscsi_conn_failure", "only when the connection breaks"),
    (
        "iscsi_queuecommand",
        "iscsi_prep_scsi_cmd_pdu",
        "only for a host without a work queue (libiscsi.c 6.1: ihost->workq)",
    ),
    ("*", "__fail_scsi_task", "only when the session fails"),
    ("*", "fail_command", "only when the session fails"),
    ("iscsi_xmitworker", "iscsi_check_tmf_restrictions", "only during task management"),
)
# 2.6.18 drivers/scsi/libiscsi.c iscsi_queuecommand: prepares the PDU in the submitter, then
# scsi_queue_work(host, &conn->xmitwork): sent by the host's own work queue, "scsi_wq_N"
_ISCSI_OLD_CUTS: Cuts = _ISCSI_CUTS[:2]
_XMIT_OLD = Path(
    (
        *kworker("iscsi_xmitworker"),
        "iscsi_data_xmit?",
        ">iscsi_tcp_ctask_xmit",
        "iscsi_sendpage?",
        "sock_no_sendpage",
        "kernel_sendmsg",
    ),
    edges=(("iscsi_tcp_ctask_xmit", "tcp_sendpage"),),
    files=(*_ISCSI_FILES, *WORK_FILES),
    cuts=_ISCSI_OLD_CUTS,
).then(TCP_2_6_18)
_XMIT = Path(
    (
        *kworker("iscsi_xmitworker"),
        "iscsi_xmit_task",
        ">iscsi_tcp_task_xmit",
        ">iscsi_sw_tcp_pdu_xmit",
        "iscsi_sw_tcp_xmit_segment?",
        "kernel_sendmsg",
    ),
    edges=(
        ("iscsi_sw_tcp_xmit_segment", "tcp_sendpage"),
        ("iscsi_sw_tcp_pdu_xmit", "tcp_sendpage"),
    ),
    files=(*_ISCSI_FILES, *WORK_FILES),
    cuts=_ISCSI_CUTS,
).then(TCP)

# sk_data_ready takes the responses off the socket and completes the commands
_RX_CUTS: Cuts = (
    *_ISCSI_CUTS,
    ("*", "iscsi_recv_pdu", "only for login and text responses"),
    ("iscsi_alloc_mgmt_task", "iscsi_put_task", "only for a ping's answer that cannot be sent"),
    ("scsi_done_internal", "scsi_complete", "only from scsi_done_direct"),
    ("scsi_done_internal", "scsi_eh_done", "only for the error handler's own commands"),
)
RECEIVE_ISCSI_2_6 = receive(
    "iscsi_tcp_data_ready",
    "tcp_read_sock",
    ">iscsi_tcp_data_recv",
    old=True,
    # iscsi_data_recv and iscsi_tcp_hdr_recv, both inlined: the table lacks these calls of theirs
    edges=(
        ("iscsi_tcp_data_recv", "iscsi_complete_pdu"),
        ("iscsi_tcp_data_recv", "__iscsi_complete_pdu"),
        ("__iscsi_complete_pdu", "scsi_done"),
    ),
    files=("drivers/scsi/scsi.c", *_ISCSI_FILES),
    cuts=_RX_CUTS,
)
# 6.1 iscsi_tcp.c: queue_recv is off (module parameter recv_from_iscsi_q): in the softirq itself.
# libiscsi_tcp.c: segment->done; libiscsi.c iscsi_free_task calls scsi_done, whose request goes on
# in the block softirq (one hardware queue)
_RECEIVE_ISCSI = receive(
    "iscsi_sw_tcp_data_ready",
    "iscsi_sw_tcp_recv_data?",
    "tcp_read_sock",
    "__tcp_read_sock?",
    ">iscsi_sw_tcp_recv",
    "iscsi_tcp_recv_skb",
    old=False,
    edges=(
        ("iscsi_tcp_segment_done", "iscsi_tcp_hdr_recv_done"),
        ("iscsi_tcp_recv_skb", "iscsi_tcp_hdr_recv_done"),
        ("iscsi_tcp_recv_skb", "iscsi_tcp_data_recv_done"),
    ),
    files=("drivers/scsi/scsi_lib.c", *_ISCSI_FILES),
    cuts=_RX_CUTS,
)


def _iscsi_old(generation: str) -> Calls:
    base = old_scsi_calls(generation, (">iscsi_queuecommand",), _ISCSI_FILES)
    worker = Worker("scsi_wq", _XMIT_OLD)
    return Calls(
        base.submit,
        worker=dict.fromkeys(base.ops, worker),
        flush=base.flush,
        unplug=base.unplug,
        ops=base.ops,
        completion=base.completion,
        options={"receive": RECEIVE_ISCSI_2_6},
        note="completion in the softirq that the received response raises",
    )


def _iscsi() -> Calls:
    base = scsi_calls(scsi_path((">iscsi_queuecommand",), _ISCSI_FILES, cuts=_ISCSI_CUTS))
    worker = Worker("iscsi_q", _XMIT)
    return Calls(
        base.submit,
        base.submit_ops,
        dict.fromkeys(base.ops, worker),
        ops=base.ops,
        completion=base.completion,
        options={"receive": _RECEIVE_ISCSI},
    )


ISCSI = Kind(
    "iscsi",
    "leaf",
    "leaf",
    (0, 0),
    "iSCSI disk: sd over libiscsi over TCP and a nic",
    params=(_SIZE,),
    verb="iscsi",
    calls={"2.6.18": _iscsi_old("2.6.18"), "2.6.24": _iscsi_old("2.6.24"), "6.1": _iscsi()},
)

# --- Network block device ------------------------------------------------------------------------
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
    params=(_SIZE,),
    verb="nbd",
    calls={"2.6.18": _nbd_old(), "2.6.24": _nbd_old(), "6.1": _nbd()},
)

# --- NVMe over TCP -------------------------------------------------------------------------------
_NVME_TCP_FILES = ("drivers/nvme/host/tcp.c", "drivers/nvme/host/core.c")
_NVME_TCP_CUTS: Cuts = (
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
    # core.c nvme_tcp_ctrl_ops: NVME_F_BLOCKING, so the tag set has BLK_MQ_F_BLOCKING
    ("__blk_mq_delay_run_hw_queue", "__blk_mq_run_hw_queue", "BLK_MQ_F_BLOCKING: kblockd runs it"),
    ("__blk_mq_sched_dispatch_requests", "blk_mq_do_dispatch_sched", "no scheduler"),
)
# 6.1 tcp.c nvme_tcp_queue_request: the first request on an idle queue is sent in the submitter when
# it runs on the queue's CPU, else io_work on nvme_tcp_wq sends. Data go by sendpage, or by sendmsg
# (sock_no_sendpage) where a page must not be, and before further H2CData PDUs
_NVME_TCP_SEND = Path(
    ("nvme_tcp_try_send", "sock_no_sendpage", "kernel_sendmsg"),
    edges=(("kernel_sendpage", "inet_sendpage"), ("inet_sendpage", "tcp_sendpage")),
    files=_NVME_TCP_FILES,
    cuts=_NVME_TCP_CUTS,
).then(TCP)
_NVME_TCP_SUBMIT = unscheduled("nvme_tcp_queue_rq", (), _NVME_TCP_FILES).then(_NVME_TCP_SEND)
_NVME_TCP_WORK = Path((*kworker("nvme_tcp_io_work"),), files=WORK_FILES).then(_NVME_TCP_SEND)
_NVME_TCP_DONE = Path(
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
    files=(*_NVME_TCP_FILES, *WORK_FILES, "net/ipv4/tcp.c"),
    cuts=MQ_CUTS + _NVME_TCP_CUTS,
)


def _nvme_tcp() -> Calls:
    ops = ("read", "write", "flush", "discard", "fua")
    return Calls(
        submit=with_cuts(_NVME_TCP_SUBMIT, NOT_A_FLUSH),
        submit_ops={"flush": _NVME_TCP_SUBMIT, "fua": _NVME_TCP_SUBMIT},
        worker=dict.fromkeys(ops, Worker("nvme_tcp_wq", _NVME_TCP_WORK)),
        ops=ops,
        completion=_NVME_TCP_DONE,
        options={"sends_in_caller": True, "receive": receive("nvme_tcp_data_ready", old=False)},
        note="sends in the submitter on the queue's own CPU, else nvme_tcp_wq does",
    )


NVME_TCP = Kind(
    "nvme-tcp",
    "leaf",
    "leaf",
    (0, 0),
    "NVMe disk over TCP and a nic",
    params=(_SIZE,),
    verb="nvme_tcp",
    calls={"6.1": _nvme_tcp()},
)

# --- Loop over a file ----------------------------------------------------------------------------
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

NETWORK_KINDS: tuple[Kind, ...] = (NIC, ISCSI, NBD, NVME_TCP, LOOP)
