"""The NFS client: its own traffic over a nic."""

from dataclasses import replace

import blockstack.kinds.filesystems.vfs_v2_6 as v2_6
import blockstack.kinds.filesystems.vfs_v6_1 as v6_1
from blockstack.base.calls import Path, cut_rows
from blockstack.kinds.filesystems.common import Cuts, Edges, below_vfs
from blockstack.kinds.model import REQUIRED, Calls, Kind, Param
from blockstack.kinds.params import choice, integer, sectors
from blockstack.kinds.records import Receive
from blockstack.kinds.shared.tcp import TCP, TCP_V2_6_18, UDP_V2_6_18, receive, receive_datagram
from blockstack.kinds.shared.threads import WORK_FILES, kworker

_NFS_FILES = (
    "fs/nfs/",
    "net/sunrpc/clnt.c",
    "net/sunrpc/sched.c",
    "net/sunrpc/xprt.c",
    "net/sunrpc/xprtsock.c",
    "net/sunrpc/socklib.c",
    *WORK_FILES,
)
#: an rpc task of 2.6 sends in the task that starts it: rpc_execute runs the state machine until
#: it sleeps for the answer (net/sunrpc/sched.c); highmem pages go through sock_no_sendpage
_SEND_V2_6 = Path(
    ("__rpc_execute", ">call_transmit", "xprt_transmit", ">xs_tcp_send_request", "kernel_sendmsg"),
    (("xs_tcp_send_request", "sock_no_sendpage"),),
).then(TCP_V2_6_18)
#: the head of a request by sendmsg, its pages by sendpage, which asks for the datagram to be sent
#: (net/sunrpc/xprtsock.c); of udp_sendmsg, where it sends, no more than its own call is corked
_UDP_V2_6: Edges = (
    ("xs_udp_send_request", "inet_sendpage"),  # 2.6.18
    ("xs_sendpages?", "inet_sendpage"),  # from 2.6.24 on
    ("inet_sendpage", "udp_sendpage"),
    ("sock_sendmsg", "inet_sendmsg"),
    ("inet_sendmsg", "udp_sendmsg"),
)
_SEND_UDP_V2_6 = Path(
    ("__rpc_execute", ">call_transmit", "xprt_transmit", ">xs_udp_send_request"), _UDP_V2_6
).then(replace(UDP_V2_6_18, via=UDP_V2_6_18.via[3:]))
_RPC_V2_6: Edges = (
    ("__do_page_cache_readahead", "nfs_readpages"),
    ("read_pages?", "nfs_readpages"),
    ("do_generic_mapping_read", "nfs_readpage"),
    ("nfs_pageio_complete?", "nfs_pagein_one"),  # from 2.6.24 on: nfs_pageio_doio inlined
    ("nfs_pageio_doio?", "nfs_pagein_one"),
    ("read_cache_pages", "readpage_async_filler"),
    ("__nfs_revalidate_inode", "nfs3_proc_getattr"),
)
_RPC_WRITE_V2_6: Edges = (
    ("do_writepages", "nfs_writepages"),
    ("mpage_writepages", "nfs_writepage"),
    ("write_cache_pages?", "nfs_writepages_callback?"),  # from 2.6.24 on
    ("__writepage?", "nfs_writepage"),
    ("nfs_flush_list?", "nfs_flush_one"),  # 2.6.18
    ("nfs_flush_list?", "nfs_flush_multi"),
    ("nfs_pageio_complete?", "nfs_flush_one"),
    ("nfs_pageio_doio?", "nfs_flush_one"),
    ("nfs_pageio_add_request?", "nfs_flush_one"),
    ("__writeback_single_inode", "nfs_write_inode"),
    ("__sync_single_inode?", "nfs_write_inode"),
    ("write_inode?", "nfs_write_inode"),
    ("generic_file_buffered_write", "nfs_prepare_write?"),  # to 2.6.23
    ("generic_file_buffered_write", "nfs_commit_write?"),
    ("generic_file_buffered_write", "nfs_write_begin?"),
    ("generic_file_buffered_write", "nfs_write_end?"),
    ("__nfs_revalidate_inode", "nfs3_proc_getattr"),
    ("do_fsync", "nfs_fsync"),
)
_CUTS: Cuts = (
    ("mpage_writepages", "__mpage_writepage", "get_block is NULL: pages go through ->writepage"),
    ("*", "nfs_writepage_sync", "wsize is at least a page"),
    ("*", "nfs_readpage_sync", "rsize is at least a page"),
    ("*", "nfs4_*", "version 3"),
    ("*", "rpc_shutdown_client", "at unmount only"),
    ("*", "xprt_connect", "the transport is connected"),
    ("*", "xs_tcp_set_socket_timeouts", "the transport is connected"),
    ("*", "rpc_count_iostats*", "accounting"),
)


def _entries_v2_6(send: Path) -> dict[str, Path]:
    """The client of 2.6.18 and 2.6.24, to the nic; ``send`` from the rpc task on."""
    files = v2_6.FILES + _NFS_FILES
    buffered = (
        *v2_6.WRITE,
        "do_sync_write",
        ">nfs_file_write",
        "generic_file_aio_write",
        "generic_file_buffered_write",
    )

    def path(
        via: tuple[str, ...], edges: Edges, more: tuple[str, ...] = (), cuts: Cuts = ()
    ) -> Path:
        return Path(via, edges, files + more, _CUTS + cuts).then(send)

    return {
        "read": path(
            (
                *v2_6.READ,
                "do_sync_read",
                ">nfs_file_read",
                "generic_file_aio_read",
                "do_generic_mapping_read",
            ),
            _RPC_V2_6,
        ),
        "write": path(buffered, _RPC_WRITE_V2_6),
        "fsync": path(("@syscall", "sys_fsync", "do_fsync"), _RPC_WRITE_V2_6),
        "writeback": path(
            (*v2_6.PDFLUSH, "writeback_inodes"), v2_6.PDFLUSH_EDGES + _RPC_WRITE_V2_6
        ),
        "reclaim": path(
            (*buffered, *v2_6.RECLAIM, ">nfs_writepage"),
            (*v2_6.RECLAIM_EDGES, *_RPC_WRITE_V2_6),
            v2_6.RECLAIM_FILES,
            v2_6.RECLAIM_CUTS,
        ),
        "rpciod": path(kworker("rpc_async_schedule"), ()),
    }


# sk_data_ready: 2.6 copies the answer to its pages and wakes the task that waits for it
# (net/sunrpc/xprtsock.c xs_tcp_data_ready); 6.1 queues xprtiod's work. A server's wakes a thread.
_RECEIVE_V2_6 = receive(
    "xs_tcp_data_ready",
    "tcp_read_sock",
    ">xs_tcp_data_recv",
    generation="2.6.18",
    files=(*_NFS_FILES, "net/sunrpc/xprt.c"),
    cuts=_CUTS,
)
_RECEIVE_UDP_V2_6 = Receive(
    (receive_datagram("xs_udp_data_ready", files=(*_NFS_FILES, "net/sunrpc/xprt.c"), cuts=_CUTS),)
)
_RECEIVE_V6_1 = receive("xs_data_ready", generation="6.1", files=_NFS_FILES, cuts=_CUTS)
_SEND_V6_1 = Path(
    (
        "rpc_run_task",
        "rpc_execute?",
        "__rpc_execute",
        ">call_transmit",
        "xprt_transmit",
        ">xs_tcp_send_request",
        "xprt_sock_sendmsg",
    ),
    cuts=cut_rows(
        "XS_SENDMSG_FLAGS has MSG_DONTWAIT: a full socket is an error at once (do_eagain)",
        "sk_stream_wait_memory->release_sock",
        "sk_stream_wait_memory->lock_sock_nested",
    ),
).then(TCP)
#: net/sunrpc/sched.c rpc_execute: a task with RPC_TASK_ASYNC is rpciod's, the caller only waits
_ASYNC: Cuts = cut_rows(
    "RPC_TASK_ASYNC: rpciod sends",
    *(
        f"{f}->{run}"
        for run in ("rpc_run_task", "rpc_call_async")
        for f in (
            "nfs_initiate_pgio",
            "nfs_initiate_commit",
            "nfs4_do_close",
            "nfs4_run_open_task",
            "_nfs4_proc_open_confirm",
            "_nfs4_proc_delegreturn",
            "nfs4_do_unlck",
            "_nfs4_do_setlk",
            "nfs_do_call_unlink",
            "nfs_async_rename",
            "_nfs41_proc_sequence",
            "nfs42_*",
            "nfs4_proc_layout*",
            "nfs41_free_stateid",
            "nlm*",
            "__nlm_async_call",
        )
    ),
)
_CUTS_V6_1: Cuts = (
    *_CUTS[-3:],
    *_ASYNC,
    *cut_rows("no parallel NFS: the server gives no layouts", "*pnfs*", "*layout*", "ff_*", "bl_*"),
    *cut_rows(
        "the client and its lease are set up at the mount",
        "*exchange_id*",
        "nfs4_proc_bind_*",
        "nfs4_*lease*",
        "nfs4_state_*",
        "nfs4_schedule_*",
        "nfs4_handle_*",
        "nfs41_*",
        "rpcb_*",
        "rpc_bind_*",
        "rpc_ping*",
        "nfs4_proc_set*",
        "nfs4_client_recover_expired_lease",
        "nfs_mount",
        "nfs_umount",
        "nfs_do_submount",
        "nfs4_submount",
        "nfs_d_automount",
        "nfs_follow_remote_path",
    ),
    *cut_rows(
        "gives finish_open an open of its own (fs/nfs/dir.c do_open)",
        "nfs_atomic_open->finish_open",
    ),
    *cut_rows(
        "a file that is just made has no delegation to return",
        "nfs4_inode_return_delegation*",
        "nfs4_inode_make_writeable",
    ),
    *cut_rows("no cache on disk (fsc)", "*fscache*", "netfs_*"),
    *cut_rows("only with extended attributes or access control lists", "*xattr*", "*acl*"),
    *cut_rows(
        "a name that exists, or is made: nothing is removed or renamed",
        "nfs_sillyrename",
        "nfs_async_unlink",
    ),
)
_NAMES = "fs/namei.c", "fs/open.c"
#: nfs_rpc_ops of the version (NFS_PROTO(inode)->...), by what calls it
_PROTO = (
    ("__nfs_revalidate_inode", "getattr"),
    ("nfs_revalidate_inode", "getattr"),
    ("nfs_lookup", "lookup"),
    ("nfs_lookup_revalidate_dentry", "lookup"),
    ("nfs_do_lookup_revalidate", "lookup"),
    ("nfs_do_access", "access"),
    ("nfs_do_create?", "create"),  # inlined into nfs_create in 6.1
    ("nfs_create", "create"),
)


def _pointers(version: int) -> Edges:
    proto = tuple((caller, f"nfs{version}_proc_{op}") for caller, op in _PROTO)
    names: Edges = (
        ("__lookup_slow", "nfs_lookup"),
        ("path_openat", "nfs_lookup"),
        ("inode_permission", "nfs_permission"),
    )
    if version == 4:
        opened = tuple((f, "nfs4_atomic_open") for f in ("nfs_atomic_open", "nfs4_file_open"))
        return (
            *proto,
            *names,
            *opened,
            ("path_openat", "nfs_atomic_open"),
            ("lookup_fast", "nfs4_lookup_revalidate"),
            ("do_dentry_open", "nfs4_file_open"),
        )
    return (
        *proto,
        *names,
        ("path_openat", "nfs_create"),
        ("lookup_fast", "nfs_lookup_revalidate"),
        ("do_dentry_open", "nfs_open"),
    )


def _entries_v6_1(version: int) -> dict[str, Path]:
    """The client of 6.1: data goes by rpciod; what the caller waits for (attributes, names) it
    sends itself."""
    edges = _pointers(version)

    def path(*via: str) -> Path:
        return Path(via, edges, (*v6_1.FILES, *_NFS_FILES, *_NAMES), _CUTS_V6_1).then(_SEND_V6_1)

    rpciod = Path(kworker("rpc_async_schedule"), (), _NFS_FILES, _CUTS_V6_1)
    return {
        "read": path(*v6_1.READ, ">nfs_file_read"),
        "write": path(*v6_1.WRITE, ">nfs_file_write"),
        "open": path(*v6_1.OPENAT),
        "rpciod": rpciod.then(replace(_SEND_V6_1, via=_SEND_V6_1.via[2:])),
    }


NFS_ENTRY_OPS = {
    "read": ("read", "open", "rpciod"),
    # of 6.1, COMMIT is asynchronous
    "flush": ("fsync", "rpciod"),
    "write": ("write", "open", "writeback", "reclaim", "rpciod"),
}
#: what a loop device's worker goes through over an NFS file; direct I/O to it is asynchronous, too
_FILE_OPS = {
    "read": ("read",),
    "read-direct": ("read",),
    "write": ("write",),
    "write-direct": ("write",),
}


def nfs_files(version: int) -> dict[str, tuple[Path, ...]]:
    """File operations on an NFS file, from the VFS's indirect call on to the card."""
    ways = _entries_v6_1(version)
    return {
        word: tuple(below_vfs(ways[name]) for name in names) for word, names in _FILE_OPS.items()
    }


VERSION = Param("version", integer(3, 4), 3, "of the protocol")
NFS_OPS = ("read", "write", "flush")


def _nfs() -> Kind:
    """The client: version 4 only as 6.1 has it, UDP only as 2.6 has it."""

    def rows_v2_6(send: Path) -> dict[str, dict[str, Path]]:
        return {gen: _entries_v2_6(send) for gen in ("2.6.18", "2.6.24")}

    ways = {
        (3, "tcp"): {**rows_v2_6(_SEND_V2_6), "6.1": _entries_v6_1(3)},
        (3, "udp"): rows_v2_6(_SEND_UDP_V2_6),
        (4, "tcp"): {"6.1": _entries_v6_1(4)},
        (4, "udp"): {},
    }
    received = {"tcp": _RECEIVE_V2_6, "udp": _RECEIVE_UDP_V2_6}
    calls = {
        (version, transport): {
            gen: Calls(
                ops=NFS_OPS,
                files=nfs_files(version) if gen == "6.1" else {},
                receive=_RECEIVE_V6_1 if gen == "6.1" else received[transport],
            )
            for gen in of
        }
        for (version, transport), of in ways.items()
    }
    return Kind(
        "nfs",
        "source",
        "remap",
        (0, 0),
        "NFS client: traffic over a nic",
        params=(
            Param("size", sectors(), REQUIRED, "size of the files on the server"),
            VERSION,
            # Debian builds 6.1 with CONFIG_NFS_DISABLE_UDP_SUPPORT
            Param(
                "transport", choice("tcp", "udp"), "tcp", "tcp or, version 3 on kernels of 2.6, udp"
            ),
        ),
        calls=calls[3, "tcp"],
        entries=ways[3, "tcp"],
        entry_ops=NFS_ENTRY_OPS,
        verb="nfs",
        variant=("version", "transport"),
        variants=calls,
        entry_variants=ways,
    )


NFS = _nfs()
