"""The NFS server: a file system exported."""

from blockstack.base.calls import Path
from blockstack.kinds.filesystems.nfs import NFS_OPS, VERSION
from blockstack.kinds.model import Calls, Kind
from blockstack.kinds.shared.tcp import receive
from blockstack.kinds.shared.threads import kthread

_RECEIVE_V2_6 = receive("svc_tcp_data_ready", generation="2.6.18", files=("net/sunrpc/svcsock.c",))
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


def _entries_v2_6(generation: str) -> dict[str, Path]:
    """The server's thread of 2.6, down to the exported file system's operation.

    No table has fs/nfsd: its own functions are missing, every path is a lower bound. The threads
    are started by kernel_thread (net/sunrpc/svc.c).
    """
    last = {"2.6.18": "do_readv_writev", "2.6.24": "do_sync_readv_writev"}[generation]
    top = ("@kthread", ">nfsd", "svc_process", "svc_process_common?", ">nfsd_dispatch")
    return {
        "read": Path(
            (*top, ">nfsd3_proc_read", "nfsd_read", "nfsd_vfs_read", ">" + last), (), _SVC_FILES
        ),
        "write": Path(
            (*top, ">nfsd3_proc_write", "nfsd_write", "nfsd_vfs_write", ">" + last), (), _SVC_FILES
        ),
        "fsync": Path((*top, ">nfsd3_proc_commit", "nfsd_commit"), (), _SVC_FILES),
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
    """The server; its functions are in the 6.1 tables only."""
    v2_6 = {gen: _entries_v2_6(gen) for gen in ("2.6.18", "2.6.24")}
    ways = {3: {**v2_6, "6.1": _entries_v6_1(3)}, 4: {"6.1": _entries_v6_1(4)}}
    calls = {
        version: {
            gen: Calls(
                ops=NFS_OPS,
                file_ops=_SERVED if gen == "6.1" else {},
                options={"receive": _RECEIVE_V6_1 if gen == "6.1" else _RECEIVE_V2_6},
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
    )


NFSD = _nfsd()
