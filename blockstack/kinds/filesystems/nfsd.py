"""The NFS server: a file system exported."""

from dataclasses import replace

from blockstack.base.calls import Path, cut_rows
from blockstack.kinds.filesystems.common import Cuts
from blockstack.kinds.filesystems.nfs import NFS_OPS, VERSION
from blockstack.kinds.model import Calls, Kind
from blockstack.kinds.records import Peer
from blockstack.kinds.shared.tcp import (
    TCP_RECEIVED_V2_6_18,
    TCP_V2_6_18,
    UDP_V2_6_18,
    receive,
    receive_datagram,
)
from blockstack.kinds.shared.threads import kthread

_TCP_V2_6 = receive("svc_tcp_data_ready", generation="2.6.18", files=("net/sunrpc/svcsock.c",))
#: nfsd of 2.6 listens on a socket of either protocol (fs/nfsd/nfssvc.c nfsd_svc)
_RECEIVE_V2_6 = replace(
    _TCP_V2_6,
    data=(
        *_TCP_V2_6.data,
        receive_datagram("svc_udp_data_ready", files=("net/sunrpc/svcsock.c",)),
    ),
)
_RECEIVE_V6_1 = receive(
    "svc_data_ready", generation="6.1", files=("net/sunrpc/svcsock.c", "net/sunrpc/svc_xprt.c")
)

#: way of a server's thread to the file operation that it ends in
_SERVED = {
    "read": "read",
    "readv": "read",
    "write": "write",
    "write-sync": "write-sync",
    "fsync": "fsync",
}
_SVC_FILES = (
    "net/sunrpc/svc.c",
    "net/sunrpc/svcsock.c",
    "net/sunrpc/svc_xprt.c",
    "fs/read_write.c",
)


#: the same in 2.6, where every export is read and written through vectors
_SERVED_V2_6 = {"read": "read", "write": "write", "write-sync": "sync", "fsync": "sync"}
_THREAD = ("@kthread", ">nfsd")
_SVC_CUTS: Cuts = cut_rows(
    "only when the client connects or closes",
    "svc_delete_socket",
    "svc_setup_socket",
    "sock_create_lite",
    "sock_release",
    "svc_tcp_accept",
    "kernel_accept",
)


def _entries_v2_6(generation: str) -> dict[str, Path]:
    """The server's thread of 2.6, down to the exported file system's operation.

    The threads are started by kernel_thread (net/sunrpc/svc.c). A read whose answer is protected
    (rq_sendfile_ok is 0) goes through vectors, the deeper way; a write that is gathered ends in
    nfsd_sync, any other stable one in generic_osync_inode under the write itself (fs/nfsd/vfs.c).
    """
    last = {"2.6.18": (), "2.6.24": ("do_sync_readv_writev",)}[generation]
    top = (*_THREAD, "svc_process", ">nfsd_dispatch")
    write = (*top, ">nfsd3_proc_write", "nfsd_write", "nfsd_vfs_write")
    vias = {
        "read": (
            *(*top, ">nfsd3_proc_read", "nfsd_read", "nfsd_vfs_read"),
            *("vfs_readv", "do_readv_writev", *last),
        ),
        "write": (*write, "vfs_writev", "do_readv_writev", *last),
        "write-sync": (*write, "nfsd_sync"),
        "fsync": (*top, ">nfsd3_proc_commit", "nfsd_commit", "nfsd_sync"),
    }
    files = (*_SVC_FILES, "fs/nfsd/")
    return {name: Path(via, (), files, _SVC_CUTS) for name, via in vias.items()}


def _network_v2_6() -> dict[str, Path]:
    """The server's thread while it receives a request and sends the answer.

    svc_sendto sends the head by sendmsg (UDP) and the rest by sendpage (net/sunrpc/svcsock.c).
    """
    reply = (*_THREAD, "svc_process", "svc_send")
    paths = {
        "reply (TCP)": Path((*reply, ">svc_tcp_sendto", "svc_sendto", ">inet_sendpage")).then(
            replace(TCP_V2_6_18, via=(">tcp_sendpage", *TCP_V2_6_18.via[3:]))
        ),
        "reply (UDP)": Path(
            (*reply, ">svc_udp_sendto", "svc_sendto"),
            (("svc_sendto", "inet_sendpage"), ("inet_sendpage", "udp_sendpage")),
        ).then(replace(UDP_V2_6_18, via=UDP_V2_6_18.via[3:])),
        "request (TCP)": Path((*_THREAD, "svc_recv", ">svc_tcp_recvfrom", "svc_recvfrom")).then(
            TCP_RECEIVED_V2_6_18
        ),
    }
    edges = (("svc_sendto", "sock_sendmsg"), ("sock_sendmsg", "inet_sendmsg"))
    udp = (*edges, ("inet_sendmsg", "udp_sendmsg"))
    return {
        name: replace(
            path,
            edges=path.edges + (udp if "UDP" in name else ()),
            files=(*path.files, *_SVC_FILES, "fs/nfsd/nfssvc.c"),
            cuts=(*path.cuts, *_SVC_CUTS),
        )
        for name, path in paths.items()
    }


_SPLICE = (
    "nfsd_splice_read",
    "splice_direct_to_actor",
    "do_splice_to",
    ">generic_file_splice_read",
)
_READV = ("nfsd_readv", "vfs_iter_read", "do_iter_read?", "do_iter_readv_writev?")
_WRITEV = ("nfsd_vfs_write", "vfs_iter_write", "do_iter_write?", "do_iter_readv_writev?")


def _entries_v6_1(version: int) -> dict[str, Path]:
    """The server's thread of 6.1, down to the exported file system's operation.

    A version 4 request is a compound; its reads run while the answer is encoded. A write that the
    client wants on disk at once ends in fsync from within write_iter (generic_write_sync).
    """
    top = (*kthread(), ">nfsd", "svc_process", "svc_process_common?", ">nfsd_dispatch")
    if version == 4:
        call = (*top, ">nfsd4_proc_compound")
        answer = (*call, "nfsd4_encode_operation", ">nfsd4_encode_read")
        read, readv = (*answer, "nfsd4_encode_splice_read?"), (*answer, "nfsd4_encode_readv?")
        write, commit = (*call, ">nfsd4_write"), (*call, ">nfsd4_commit", "nfsd_commit?")
    else:
        read = readv = (*top, ">nfsd3_proc_read", "nfsd_read")
        write = (*top, ">nfsd3_proc_write", "nfsd_write")
        commit = (*top, ">nfsd3_proc_commit", "nfsd_commit")
    vias = {
        "read": (*read, *_SPLICE),
        "readv": (*readv, *_READV),
        "write": (*write, *_WRITEV),
        "fsync": (*commit, "vfs_fsync_range|vfs_fsync"),
        "write-sync": (*write, *_WRITEV),
    }
    files = (*_SVC_FILES, "fs/splice.c", "fs/sync.c", "fs/nfsd/")
    return {name: Path(via, (), files) for name, via in vias.items()}


def _nfsd() -> Kind:
    """The server: in 2.6 version 3 only."""
    v2_6 = {gen: _entries_v2_6(gen) for gen in ("2.6.18", "2.6.24")}
    ways = {3: {**v2_6, "6.1": _entries_v6_1(3)}, 4: {"6.1": _entries_v6_1(4)}}
    calls = {
        version: {
            gen: Calls(
                ops=NFS_OPS,
                file_ops=_SERVED if gen == "6.1" else _SERVED_V2_6,
                receive=_RECEIVE_V6_1 if gen == "6.1" else _RECEIVE_V2_6,
                peer=None if gen == "6.1" else Peer(senders=_network_v2_6()),
            )
            for gen in of
        }
        for version, of in ways.items()
    }
    return Kind(
        "nfsd",
        "source",
        "remap",
        (1, 1),
        "NFS server: exports the file system under it",
        params=(VERSION,),
        calls=calls[3],
        entries=ways[3],
        verb="nfsd",
        variant="version",
        variants=calls,
        entry_variants=ways,
        entry_ops={
            "read": ("read", "readv"),
            "write": ("write", "write-sync"),
            "flush": ("fsync",),
        },
        # as the file system that it exports (`entry_bios`)
        entry_bios={
            "write": ("read",),
            "write-sync": ("read", "write"),
            "fsync": ("read", "write"),
        },
    )


NFSD = _nfsd()
