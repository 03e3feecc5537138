"""NFS: the client (its own traffic over a nic) and the server (a file system exported)."""

from blockstack.kinds.model import Path
from blockstack.kinds.network_paths import TCP, TCP_2_6_18, WORK_FILES, kthread, kworker
from blockstack.kinds.source_61 import FILES_61, FSYNC, READ, WRITE
from blockstack.kinds.source_paths import (
    FILES_26,
    PDFLUSH,
    PDFLUSH_EDGES,
    READ_26,
    RECLAIM_26,
    RECLAIM_CUTS_26,
    RECLAIM_EDGES,
    RECLAIM_FILES_26,
    WRITE_26,
    Cuts,
    Edges,
)

_NFS_FILES = ("fs/nfs/", "net/sunrpc/clnt.c", "net/sunrpc/sched.c", "net/sunrpc/xprt.c",
              "net/sunrpc/xprtsock.c", "net/sunrpc/socklib.c", *WORK_FILES)
#: an rpc task of 2.6 sends in the task that starts it: rpc_execute runs the state machine until
#: it sleeps for the answer (net/sunrpc/sched.c); highmem pages go through sock_no_sendpage
_SEND_26 = Path(("__rpc_execute", ">call_transmit", "xprt_transmit", ">xs_tcp_send_request",
                 "kernel_sendmsg"),
                (("xs_tcp_send_request", "sock_no_sendpage"),)).then(TCP_2_6_18)
_RPC_26: Edges = (
    ("__do_page_cache_readahead", "nfs_readpages"), ("read_pages", "nfs_readpages"),
    ("do_generic_mapping_read", "nfs_readpage"), ("nfs_pageio_complete", "nfs_pagein_one"),
    ("nfs_pageio_doio", "nfs_pagein_one"), ("read_cache_pages", "readpage_async_filler"),
    ("__nfs_revalidate_inode", "nfs3_proc_getattr"))
_RPC_WRITE_26: Edges = (
    ("do_writepages", "nfs_writepages"), ("mpage_writepages", "nfs_writepage"),
    ("write_cache_pages", "nfs_writepages_callback"), ("__writepage", "nfs_writepage"),
    ("nfs_flush_list", "nfs_flush_one"), ("nfs_flush_list", "nfs_flush_multi"),
    ("nfs_pageio_complete", "nfs_flush_one"), ("nfs_pageio_doio", "nfs_flush_one"),
    ("nfs_pageio_add_request", "nfs_flush_one"),
    ("__writeback_single_inode", "nfs_write_inode"), ("__sync_single_inode", "nfs_write_inode"),
    ("write_inode", "nfs_write_inode"),
    ("generic_file_buffered_write", "nfs_prepare_write"),
    ("generic_file_buffered_write", "nfs_commit_write"),
    ("generic_file_buffered_write", "nfs_write_begin"),
    ("generic_file_buffered_write", "nfs_write_end"),
    ("__nfs_revalidate_inode", "nfs3_proc_getattr"), ("do_fsync", "nfs_fsync"))
_CUTS: Cuts = (
    ("mpage_writepages", "__mpage_writepage", "get_block is NULL: pages go through ->writepage"),
    ("*", "nfs_writepage_sync", "wsize is at least a page"),
    ("*", "nfs_readpage_sync", "rsize is at least a page"),
    ("*", "nfs4_*", "version 3"), ("*", "rpc_shutdown_client", "at unmount only"),
    ("*", "xprt_connect", "the transport is connected"),
    ("*", "xs_tcp_set_socket_timeouts", "the transport is connected"),
    ("*", "rpc_count_iostats*", "accounting"),
)


def nfs_26() -> dict[str, Path]:
    """The client of 2.6.18 and 2.6.24, to the nic; 2.6.24's table lacks the socket's side."""
    files = FILES_26 + _NFS_FILES
    buffered = (*WRITE_26, "do_sync_write", ">nfs_file_write", "generic_file_aio_write",
                "generic_file_buffered_write")

    def path(via: tuple[str, ...], edges: Edges, more: tuple[str, ...] = (),
             cuts: Cuts = ()) -> Path:
        return Path(via, edges, files + more, _CUTS + cuts).then(_SEND_26)

    return {
        "read": path((*READ_26, "do_sync_read", ">nfs_file_read", "generic_file_aio_read",
                      "do_generic_mapping_read"), _RPC_26),
        "write": path(buffered, _RPC_WRITE_26),
        "fsync": path(("@syscall", "sys_fsync", "do_fsync"), _RPC_WRITE_26),
        "writeback": path((*PDFLUSH, "writeback_inodes"), PDFLUSH_EDGES + _RPC_WRITE_26),
        "reclaim": path((*buffered, *RECLAIM_26, ">nfs_writepage"),
                        (*RECLAIM_EDGES, *_RPC_WRITE_26), RECLAIM_FILES_26, RECLAIM_CUTS_26),
        "rpciod": path(kworker("rpc_async_schedule"), ()),
    }


_SEND = Path(("__rpc_execute", ">call_transmit", "xprt_transmit", ">xs_tcp_send_request",
              "xprt_sock_sendmsg")).then(TCP)
_GETATTR: Edges = (("__nfs_revalidate_inode", "nfs3_proc_getattr"),
                   ("nfs_revalidate_inode", "nfs3_proc_getattr"))


def nfs_61() -> dict[str, Path]:
    """The client of 6.1: data goes by rpciod (asynchronous tasks, net/sunrpc/sched.c
    rpc_execute); what the caller waits for (GETATTR) it sends itself."""

    def path(via: tuple[str, ...]) -> Path:
        return Path(via, _GETATTR, FILES_61 + _NFS_FILES, _CUTS).then(_SEND)

    return {"rpciod": path(kworker("rpc_async_schedule")),
            "read": path((*READ, ">nfs_file_read", "rpc_call_sync", "rpc_run_task")),
            "write": path((*WRITE, ">nfs_file_write", "rpc_call_sync", "rpc_run_task")),
            "fsync": path((*FSYNC, ">nfs_file_fsync", "nfs_commit_inode"))}


def nfsd(generation: str) -> dict[str, Path]:
    """The server's thread, down to the exported file system's read or write operation.

    No table has fs/nfsd: its own functions are missing, every path is a lower bound. The
    threads of 2.6.18 and 2.6.24 are started by kernel_thread (net/sunrpc/svc.c).
    """
    root = kthread() if generation == "6.1" else ("@kthread",)
    files = ("net/sunrpc/svc.c", "net/sunrpc/svcsock.c", "net/sunrpc/svc_xprt.c",
             "fs/read_write.c")
    last = {"2.6.18": "do_readv_writev", "2.6.24": "do_sync_readv_writev",
            "6.1": "do_iter_readv_writev"}[generation]
    top = (*root, ">nfsd", "svc_process", "svc_process_common?", ">nfsd_dispatch")
    return {"read": Path((*top, ">nfsd3_proc_read", "nfsd_read", "nfsd_vfs_read", ">" + last),
                         (), files),
            "write": Path((*top, ">nfsd3_proc_write", "nfsd_write", "nfsd_vfs_write", ">" + last),
                          (), files),
            "fsync": Path((*top, ">nfsd3_proc_commit", "nfsd_commit"), (), files)}
