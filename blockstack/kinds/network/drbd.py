"""DRBD: a local disk, mirrored to another host.

Reads and writes go down to the local disk in the caller. A write to an extent that the activity log
does not hold, and every discard, goes through the device's "submit" work queue; the worker thread
sends to the peer, the receiver and the acknowledgements' receiver listen to it
(drivers/block/drbd, 6.1; the kernels to 2.6.32 have no DRBD).
"""

from dataclasses import replace

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind, Param, Worker
from blockstack.kinds.params import choice
from blockstack.kinds.records import Peer
from blockstack.kinds.shared.tcp import TCP, WAKE
from blockstack.kinds.shared.threads import WORK_FILES, kthread, kworker

_FILES = ("drivers/block/drbd/", "lib/[lru_cache.ko]")
_CUTS = (
    ("*", "drbd_force_state", "only after a failure"),
    ("drbd_send_and_submit", "bio_endio", "only for a bio that failed"),
    ("drbd_send_and_submit", "_drbd_set_state", "only with on-congestion set (DRBD Proxy)"),
    ("drbd_request_prepare", "bio_endio", "only when no memory is left"),
    ("drbd_md_sync_page_io", "wait_until_done_or_force_detached", "waits, submits nothing"),
    ("*", "drbd_chk_io_error", "only after an I/O error"),
    ("*", "__drbd_chk_io_error_", "only after an I/O error"),
    ("*", "drbd_khelper", "calls a program of the administrator's (call_usermodehelper)"),
    ("*", "conn_khelper", "calls a program of the administrator's (call_usermodehelper)"),
)
_IN_CALLER = (
    (
        "drbd_send_and_submit",
        "drbd_issue_discard_or_zero_out",
        "discards are the submit work queue's (drbd_request_prepare)",
    ),
)


def _thread(function: str, *via: str, calls: tuple[str, ...] = ()) -> Path:
    """One of DRBD's own threads, and the functions that it calls through a table or a work item."""
    return Path(
        (*kthread(">drbd_thread_setup", ">" + function), *via),
        cuts=_CUTS,
        edges=tuple((function, callee) for callee in calls),
        files=("kernel/kthread.c", *_FILES),
    )


def _work(function: str) -> Path:
    return Path(kworker(function), files=(*WORK_FILES, *_FILES), cuts=_CUTS)


# drbd_worker.c, drbd_state.c: what is queued for the worker thread (drbd_work.cb)
_QUEUED = (
    "w_resync_timer",
    "w_send_write_hint",
    "w_bitmap_io",
    "w_restart_disk_io",
    "w_after_state_ch",
    "w_after_conn_state_ch",
    "w_e_send_csum",
    "w_e_end_data_req",
    "w_e_end_rsdata_req",
    "w_e_end_csum_rs_req",
    "w_e_end_ov_req",
    "w_send_read_req",
    "w_send_dblock",
    "w_send_out_of_sync",
    "w_ov_finished",
    "w_resync_finished",
)
# drbd_receiver.c drbd_cmd_handler and ack_receiver_tbl
_RECEIVED = (
    "receive_Data",
    "receive_DataReply",
    "receive_RSDataReply",
    "receive_Barrier",
    "receive_bitmap",
    "receive_DataRequest",
    "receive_state",
    "receive_sizes",
    "receive_uuids",
    "receive_sync_uuid",
    "receive_rs_deallocated",
    "receive_req_state",
)
_ACKNOWLEDGED = (
    "got_BlockAck",
    "got_NegAck",
    "got_NegDReply",
    "got_NegRSDReply",
    "got_BarrierAck",
    "got_OVResult",
    "got_conn_RqSReply",
    "got_RqSReply",
    "got_skip",
)

# what runs at home writes the activity log, the bitmap and the metadata
_THREADS = {
    "do_submit of drbd": _work("do_submit"),
    "do_retry of drbd": _work("do_retry"),
    "drbd_worker": _thread("drbd_worker", calls=_QUEUED),
}
_PEER_THREADS = {
    "drbd_receiver": _thread("drbd_receiver", calls=_RECEIVED),
    "drbd_ack_receiver": _thread("drbd_ack_receiver", calls=_ACKNOWLEDGED),
}
# sendpage of a TCP socket is the other way to the card (_drbd_send_page, drbd_main.c)
# there is none from 6.5 on (MSG_SPLICE_PAGES)
_SENDPAGE = (("_drbd_send_page", "inet_sendpage?"), ("inet_sendpage?", "tcp_sendpage"))
_SENDERS = {
    "drbd_worker (sends)": replace(
        _thread("drbd_worker", ">w_send_dblock", "drbd_send"), edges=_SENDPAGE
    ).then(TCP),
    "drbd_as (acknowledges)": Path(
        (*kworker("drbd_send_acks_wf"), "drbd_finish_peer_reqs", ">e_end_block", "drbd_send"),
        files=(*WORK_FILES, *_FILES),
        cuts=_CUTS,
        edges=_SENDPAGE,
    ).then(TCP),
}

_SUBMIT = Path(
    (">drbd_submit_bio", "__drbd_make_request?", "drbd_send_and_submit"),
    files=_FILES,
    cuts=_CUTS + _IN_CALLER,
)
_ENDIO = Path(("drbd_request_endio", "complete_master_bio"), files=_FILES, cuts=_CUTS)
# what completes a write: the acknowledgement of the peer, or the worker that has handed it to TCP
_ACKED = _thread(
    "drbd_ack_receiver",
    ">got_BlockAck",
    "validate_req_change_req_state",
    "complete_master_bio",
    "bio_endio",
)
_SENT = _thread("drbd_worker", ">w_send_dblock", "complete_master_bio", "bio_endio")


def _calls(completion: Path) -> Calls:
    submitter = Worker(
        "drbd_submit",
        Path(
            (*kworker("do_submit"), "drbd_send_and_submit"),
            files=(*WORK_FILES, *_FILES),
            cuts=_CUTS,
        ),
    )
    return Calls(
        submit=_SUBMIT,
        worker={"discard": submitter},
        endio=_ENDIO,
        split="rest",
        ops=OPS,
        threads=_THREADS,
        peer=Peer(_PEER_THREADS, _SENDERS, completion, WAKE["6.1"]),
        note="the other host's half is not counted; without nic: not connected",
    )


_PROTOCOLS = {
    "A": {"6.1": _calls(_SENT)},
    "B": {"6.1": _calls(_ACKED)},
    "C": {"6.1": _calls(_ACKED)},
}

DRBD = Kind(
    "drbd",
    "stacked",
    "remap",
    (1, 2),
    "DRBD over a local disk (and one for its metadata), with a peer over a nic, or alone",
    params=(
        Param(
            "protocol",
            choice(*_PROTOCOLS),
            "C",
            "when a write is complete: A sent, B received, C written by the peer",
        ),
    ),
    calls=_PROTOCOLS["C"],
    variant="protocol",
    variants=_PROTOCOLS,
)
