"""The network's share of a path: socket, TCP or UDP, and IP down to the driver's call site.

Every sending path ends at ``dev_hard_start_xmit``; the nic's own path goes on from there.
"""

from blockstack.base.calls import Path
from blockstack.kinds.records import Receive
from blockstack.kinds.shared.requests import Cuts, Edges

NET_FILES = (
    "net/socket.c",
    "net/core/sock.c",
    "net/core/stream.c",
    "net/core/skbuff.c",
    "net/core/dev.c",
    "net/core/neighbour.c",
    "net/sched/sch_generic.c",
    "net/ipv4/af_inet.c",
    "net/ipv4/tcp.c",
    "net/ipv4/tcp_output.c",
    "net/ipv4/tcp_input.c",
    "net/ipv4/tcp_ipv4.c",
    "net/ipv4/ip_output.c",
    "net/ethernet/eth.c",
)

NET_CUTS: Cuts = (
    ("*", "ip_fragment", "TCP sends no more than the path's MTU"),
    ("*", "ip_options_*", "no IP options on a connection of the block layer's"),
    ("ip_queue_xmit", "ip_route_output_flow", "the socket's route is cached"),
    ("__ip_queue_xmit", "ip_route_output_flow", "the socket's route is cached"),
    ("*", "icmp_send", "only for a packet that cannot be delivered"),
    ("*", "tcp_reset", "only when the connection breaks"),
    ("*", "tcp_fin", "only when the connection is closed"),
    ("*", "tcp_rcv_state_process", "the connection is established"),
    ("*", "tcp_child_process", "the connection is established"),
    ("*", "tcp_check_req", "the connection is established"),
    ("*", "tcp_v4_send_reset", "the connection is established"),
    ("*", "inet_csk_search_req", "the connection is established"),
    ("*", "cookie_v4_check", "the connection is established"),
    ("*", "sk_stream_wait_connect", "the connection is established"),
    ("*", "inet_autobind", "the connection is established"),
    ("*", "tcp_urg", "no urgent data"),
    ("*", "tcp_simple_retransmit", "only when the path's MTU shrinks"),
    ("dev_hard_start_xmit", "skb_clone", "only with a packet sniffer"),
    ("*", "tcp_mtup_*", "MTU probing is off (net.ipv4.tcp_mtu_probing = 0)"),
    ("*", "skb_over_panic", "only for a bug"),
    ("*", "skb_under_panic", "only for a bug"),
    ("*", "skb_truesize_bug", "only for a bug"),
    ("*", "dump_stack", "only for a bug"),
    ("*", "sock_wake_async", "only for a socket with asynchronous notification (FIOASYNC)"),
    ("*", "skb_tstamp_tx", "only for a socket with SO_TIMESTAMPING"),
    ("*", "__skb_tstamp_tx", "only for a socket with SO_TIMESTAMPING"),
    ("*", "skb_clone_tx_timestamp", "only for a socket with SO_TIMESTAMPING"),
    ("*", "msg_zerocopy_*", "only with MSG_ZEROCOPY"),
    ("*", "skb_zerocopy_*", "MSG_ZEROCOPY"),
    ("*", "tcp_sendmsg_fastopen", "only with TCP fast open"),
    ("*", "sock_cmsg_send", "no control messages"),
    ("*", "dev_queue_xmit_nit", "only with a packet sniffer"),
    ("*", "bpf_*", "no BPF programs on the socket"),
    ("*", "lwtunnel_xmit", "no lightweight tunnel"),
    ("*", "udp_sendmsg", "TCP"),
    ("*", "wait_on_sync_kiocb", "only for protocols with asynchronous sockets"),
    ("*", "skb_checksum_help", "only for a nic without checksum offload"),
    ("*", "skb_gso_segment", "only for a nic without TSO"),
    ("*", "__skb_gso_segment", "only for a nic without TSO"),
)

#: what a segment takes out of the socket's backlog when the sender unlocks the socket: the whole
#: receive path in the sender's context (net/core/sock.c release_sock, sk_backlog_rcv)
_BACKLOG: Edges = (("release_sock", "tcp_v4_do_rcv"), ("__release_sock?", "tcp_v4_do_rcv"))

# Between the send call and tcp_transmit_skb the deepest way counts: a push, or, when the sender
# works off the backlog, an acknowledgement that asks for a retransmission.
_TO_NIC_V2_6_18 = (
    ">tcp_sendmsg",
    "tcp_transmit_skb",
    ">ip_queue_xmit",
    ">ip_output",
    ">neigh_resolve_output",
    ">dev_queue_xmit",
    "__qdisc_run",
    "dev_hard_start_xmit",
)
_TO_NIC = (
    "__tcp_transmit_skb",
    ">ip_queue_xmit",
    "__ip_queue_xmit",
    "ip_local_out",
    "ip_output",
    ">ip_finish_output2",
    ">neigh_resolve_output",
    "__dev_queue_xmit",
    "sch_direct_xmit",
    "dev_hard_start_xmit",
)

#: from sock_sendmsg on (2.6.18 and 2.6.24)
TCP_V2_6_18 = Path(
    ("sock_sendmsg", ">inet_sendmsg", *_TO_NIC_V2_6_18), _BACKLOG, NET_FILES, NET_CUTS
)
#: a datagram larger than the MTU is sent in fragments: net/ipv4/ip_output.c ip_fragment calls its
#: ``output``, ip_finish_output2 (2.6.18 and 2.6.24)
UDP_V2_6_18 = Path(
    (
        "sock_sendmsg",
        ">inet_sendmsg",
        ">udp_sendmsg",
        "ip_push_pending_frames",
        ">ip_output",
        "ip_fragment",
        ">ip_finish_output2",
        *_TO_NIC_V2_6_18[4:],
    ),
    (),
    (*NET_FILES, "net/ipv4/udp.c"),
    tuple(cut for cut in NET_CUTS if cut[1] not in ("ip_fragment", "udp_sendmsg")),
)
#: from kernel_recvmsg on, in the receiver's context: what it reads frees window, which it announces
TCP_RECEIVED_V2_6_18 = Path(
    (
        "kernel_recvmsg",
        "sock_recvmsg",
        ">sock_common_recvmsg",
        ">tcp_recvmsg",
        *_TO_NIC_V2_6_18[1:],
    ),
    _BACKLOG,
    NET_FILES,
    tuple(cut for cut in NET_CUTS if cut[1] != "sock_recvmsg"),
)
#: from sock_sendmsg on (6.1)
TCP = Path(
    (
        "sock_sendmsg",
        "__sock_sendmsg?",
        "inet_sendmsg",
        "tcp_sendmsg",
        "tcp_sendmsg_locked",
        *_TO_NIC,
    ),
    _BACKLOG,
    NET_FILES,
    NET_CUTS,
)

# NET_RX softirq: a poll function (`Calls.card` of the driver) takes packets up to
# IP; what TCP then does belongs to the socket's owner (`Calls.receive`): it answers, down
# to the card, and calls sk_data_ready.
_RX_FILES = ("kernel/softirq.c", "net/core/gro.c", "net/ipv4/ip_input.c", *NET_FILES)
_RX_CUTS: Cuts = (
    *NET_CUTS,
    ("ip_rcv", "ip_route_input", "the route is cached on the packet's first arrival"),
)
SOFTIRQ = ("@softirq", "__do_softirq", "handle_softirqs?")


def poll(*via: str, files: tuple[str, ...] = (), cuts: Cuts = ()) -> Path:
    """From the softirq's function through a poll function to IP, which calls ``tcp_v4_rcv``."""
    return Path(
        (">net_rx_action", "__napi_poll?", *via), (), (*_RX_FILES, *files), (*_RX_CUTS, *cuts)
    )


_UDP_RX_CUTS: Cuts = (
    ("*", "xfrm4_rcv_encap", "no IPsec: the socket is not one of UDP_ENCAP"),
    ("udp_queue_rcv_skb", "pskb_expand_head", "no IPsec: the socket is not one of UDP_ENCAP"),
)
_DELIVER_V2_6_18 = (">ip_rcv", ">ip_local_deliver")
_DELIVER = ("ip_local_deliver", "ip_local_deliver_finish?", "ip_protocol_deliver_rcu?")
_DELIVER_LIST = (
    "netif_receive_skb_list_internal",
    "__netif_receive_skb_list_core",
    "ip_list_rcv",
    "ip_sublist_rcv",
    "ip_sublist_rcv_finish?",
    *_DELIVER,
)
#: a driver that only queues its packets (netif_rx): the loopback, and those without NAPI
BACKLOG_V2_6_18 = poll(">process_backlog", "netif_receive_skb", *_DELIVER_V2_6_18)
BACKLOG = poll(
    ">process_backlog",
    "__netif_receive_skb?",
    "__netif_receive_skb_one_core?",
    "ip_rcv",
    "ip_rcv_finish?",
    *_DELIVER,
)
#: 2.6, a driver with NAPI that nobody names
UNKNOWN_POLL_V2_6_18 = poll(">poll", ">netif_receive_skb", *_DELIVER_V2_6_18)


def gro_poll(*driver: str, files: tuple[str, ...] = ()) -> Path:
    """6.1: the driver's own poll function, down to GRO's entry, which passes lists on."""
    return poll(*driver, *_DELIVER_LIST, files=files)


#: what calls sk_data_ready, the last anchor before it, and the way of an answer to the card
_RECEIVES = {
    "2.6.18": (
        ("tcp_data_queue", "tcp_rcv_established"),
        "tcp_data_queue",
        _TO_NIC_V2_6_18[1:],
    ),
    "6.1": (("tcp_data_ready",), "tcp_data_ready?", _TO_NIC),
}


def receive(
    *ready: str, generation: str, edges: Edges = (), files: tuple[str, ...] = (), cuts: Cuts = ()
) -> Receive:
    """What TCP does with a segment for a socket.

    Parameters
    ----------
    ready : str
        Anchors from sk_data_ready on.
    generation : {"2.6.18", "6.1"}
        2.6.24 receives as 2.6.18.
    """
    calls, last, to_nic = _RECEIVES[generation]
    own = tuple((caller, ready[0]) for caller in calls)
    data = ("tcp_rcv_established", last, ">" + ready[0])
    return Receive(
        answers=Path((">tcp_v4_rcv", *to_nic), own, (*_RX_FILES, *files), (*_RX_CUTS, *cuts)),
        data=(
            Path(
                (">tcp_v4_rcv", *data, *ready[1:]),
                (*own, *edges),
                (*_RX_FILES, *files),
                (*_RX_CUTS, *cuts),
            ),
        ),
    )


def receive_datagram(
    ready: str, edges: Edges = (), files: tuple[str, ...] = (), cuts: Cuts = ()
) -> Path:
    """What UDP does with a datagram for a socket, down to its owner's ``ready`` (2.6)."""
    return Path(
        (">udp_rcv", "__udp4_lib_rcv?", "udp_queue_rcv_skb", "sock_queue_rcv_skb", ">" + ready),
        edges,
        (*_RX_FILES, "net/ipv4/udp.c", "net/core/datagram.c", *files),
        (*_RX_CUTS, *_UDP_RX_CUTS, *cuts),
    )


#: a socket whose owner sleeps in recvmsg(2) or its like: woken
WAKE = {gen: receive("sock_def_readable", generation=gen) for gen in _RECEIVES}
