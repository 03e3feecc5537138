"""iSCSI over TCP: sd over libiscsi."""

from blockstack.base.calls import Path
from blockstack.kinds.disks.scsi import scsi_calls_v2_6, scsi_calls_v6_1, scsi_path_v6_1
from blockstack.kinds.model import Calls, Kind, Worker
from blockstack.kinds.network.common import LUN, SIZE
from blockstack.kinds.shared.requests import Cuts
from blockstack.kinds.shared.tcp import TCP, TCP_V2_6_18, receive
from blockstack.kinds.shared.threads import WORK_FILES, kworker

_FILES = (
    "drivers/scsi/libiscsi.c",
    "drivers/scsi/libiscsi_tcp.c",
    "drivers/scsi/iscsi_tcp.c",
)
_CUTS_V6_1: Cuts = (
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
_CUTS_V2_6: Cuts = _CUTS_V6_1[:2]
_XMIT_V2_6 = Path(
    (
        *kworker("iscsi_xmitworker"),
        "iscsi_data_xmit?",
        ">iscsi_tcp_ctask_xmit",
        "iscsi_sendpage?",
        "sock_no_sendpage",
        "kernel_sendmsg",
    ),
    edges=(("iscsi_tcp_ctask_xmit", "tcp_sendpage"),),
    files=(*_FILES, *WORK_FILES),
    cuts=_CUTS_V2_6,
).then(TCP_V2_6_18)
_XMIT_V6_1 = Path(
    (
        *kworker("iscsi_xmitworker"),
        "iscsi_xmit_task",
        ">iscsi_tcp_task_xmit",
        ">iscsi_sw_tcp_pdu_xmit",
        "iscsi_sw_tcp_xmit_segment?",
        "kernel_sendmsg",
    ),
    edges=(
        ("iscsi_sw_tcp_xmit_segment?", "tcp_sendpage"),
        ("iscsi_sw_tcp_pdu_xmit", "tcp_sendpage"),
    ),
    files=(*_FILES, *WORK_FILES),
    cuts=_CUTS_V6_1,
).then(TCP)

# sk_data_ready takes the responses off the socket and completes the commands
_RX_CUTS: Cuts = (
    *_CUTS_V6_1,
    ("*", "iscsi_recv_pdu", "only for login and text responses"),
    ("iscsi_alloc_mgmt_task", "iscsi_put_task", "only for a ping's answer that cannot be sent"),
    ("scsi_done_internal", "scsi_complete", "only from scsi_done_direct"),
    ("scsi_done_internal", "scsi_eh_done", "only for the error handler's own commands"),
)
RECEIVE_ISCSI_V2_6 = receive(
    "iscsi_tcp_data_ready",
    "tcp_read_sock",
    ">iscsi_tcp_data_recv",
    generation="2.6.18",
    # iscsi_data_recv and iscsi_tcp_hdr_recv, both inlined: the table lacks these calls of theirs
    edges=(
        ("iscsi_tcp_data_recv", "iscsi_complete_pdu"),
        ("iscsi_tcp_data_recv", "__iscsi_complete_pdu"),
        ("__iscsi_complete_pdu", "scsi_done"),
    ),
    files=("drivers/scsi/scsi.c", *_FILES),
    cuts=_RX_CUTS,
)
# 6.1 iscsi_tcp.c: queue_recv is off (module parameter recv_from_iscsi_q): in the softirq itself.
# libiscsi_tcp.c: segment->done; libiscsi.c iscsi_free_task calls scsi_done, whose request goes on
# in the block softirq (one hardware queue)
_RECEIVE_V6_1 = receive(
    "iscsi_sw_tcp_data_ready",
    "iscsi_sw_tcp_recv_data?",
    "tcp_read_sock",
    "__tcp_read_sock?",
    ">iscsi_sw_tcp_recv",
    "iscsi_tcp_recv_skb",
    generation="6.1",
    edges=(
        ("iscsi_tcp_segment_done", "iscsi_tcp_hdr_recv_done"),
        ("iscsi_tcp_recv_skb", "iscsi_tcp_hdr_recv_done"),
        ("iscsi_tcp_recv_skb", "iscsi_tcp_data_recv_done"),
    ),
    files=("drivers/scsi/scsi_lib.c", *_FILES),
    cuts=_RX_CUTS,
)


def _calls_v2_6(generation: str) -> Calls:
    base = scsi_calls_v2_6(generation, (">iscsi_queuecommand",), _FILES)
    worker = Worker("scsi_wq", _XMIT_V2_6)
    return Calls(
        base.submit,
        worker=dict.fromkeys(base.ops, worker),
        flush=base.flush,
        unplug=base.unplug,
        ops=base.ops,
        completion=base.completion,
        receive=RECEIVE_ISCSI_V2_6,
        note="completion in the softirq that the received response raises",
    )


def _calls_v6_1() -> Calls:
    base = scsi_calls_v6_1(scsi_path_v6_1((">iscsi_queuecommand",), _FILES, cuts=_CUTS_V6_1))
    worker = Worker("iscsi_q", _XMIT_V6_1)
    return Calls(
        base.submit,
        base.submit_ops,
        dict.fromkeys(base.ops, worker),
        ops=base.ops,
        completion=base.completion,
        receive=_RECEIVE_V6_1,
    )


ISCSI = Kind(
    "iscsi",
    "leaf",
    "leaf",
    (0, 0),
    "iSCSI disk: sd over libiscsi over TCP and a nic",
    params=(SIZE, LUN),
    verb="iscsi",
    calls={"2.6.18": _calls_v2_6("2.6.18"), "2.6.24": _calls_v2_6("2.6.24"), "6.1": _calls_v6_1()},
)
