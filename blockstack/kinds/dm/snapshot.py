"""dm-snapshot: the origin, and the snapshot of it.

A write to a chunk that is not copied yet starts a copy; kcopyd's thread reads the old chunk, writes
it to the snapshot's store, commits the exception there and then lets the held write go on.
"""

import blockstack.kinds.dm.common as dm
from blockstack.base.calls import Path
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import fraction, sectors

_FILES_V2_6 = ("dm-snap.c", "dm-exception-store.c", "kcopyd.c", "dm-io.c")
_FILES_V6_1 = (
    "dm-snap.c",
    "dm-snap-persistent.c",
    "dm-kcopyd.c",
    "dm-io.c",
    "[dm_mod.ko]",
    "[dm_snapshot.ko]",
)
_NOTE = (
    "persistent exception store, as LVM makes it; reads of a chunk that is just being copied "
    "and merging are left out"
)
_VALID: dm.Cuts = tuple(
    ("*", callee, "only when the snapshot becomes invalid: the store is full or failed")
    for callee in ("__invalidate_snapshot*", "persistent_drop*", "dm_table_event")
)
_HEADER: dm.Cuts = tuple(
    ("chunk_io", callee, "only for the header (metadata=1), which ksnaphd writes")
    for callee in ("queue_work", "queue_work_on", "flush_workqueue", "__flush_workqueue")
)

# kcopyd.c: process_jobs runs each kind of job through a pointer; a finished job calls dm-snap.c
_EDGES_V2_6: dm.Edges = (
    ("process_jobs", "run_complete_job"),
    ("process_jobs", "run_io_job"),
    ("process_jobs", "run_pages_job"),
    ("run_complete_job", "copy_callback"),
    ("copy_callback", "persistent_commit"),
    ("persistent_commit", "commit_callback"),
)
_PREPARE: dm.Edges = (("__find_pending_exception", "persistent_prepare"),)
_KCOPYD_V2_6 = dm.worker_v2_6(
    "kcopyd",
    "do_work@drivers/md/kcopyd.c|do_work",
    files=_FILES_V2_6,
    edges=_EDGES_V2_6,
    cuts=_VALID + _HEADER,
)
_EDGES_V6_1: dm.Edges = (
    ("process_jobs", "run_complete_job"),
    ("process_jobs", "run_io_job"),
    ("process_jobs", "run_pages_job"),
    ("run_complete_job", "copy_callback"),
    ("copy_callback", "persistent_commit_exception"),
    ("persistent_commit_exception", "pending_complete"),  # dm-snap.c complete_exception
)
_KCOPYD_V6_1 = dm.worker_v6_1(
    "kcopyd", dm.KCOPYD, files=_FILES_V6_1, edges=_EDGES_V6_1, cuts=_VALID + _HEADER
)


# origin_map and snapshot_map look at the copies only when data are written (dm-snap.c); an empty
# flush leaves both before that
_NO_COPY = tuple(
    (caller, callee, "only for writes with data")
    for caller, callees in (
        (
            "origin_map",
            (
                "do_origin",
                "__lookup_origin",
                "__find_pending_exception",
                "start_copy",
                "generic_make_request",
                "mempool_free",
                "lookup_exception",
            ),
        ),
        (
            "snapshot_map",
            (
                "start_copy",
                "__find_pending_exception",
                "__insert_pending_exception",
                "mempool_alloc",
                "mempool_free",
                "submit_bio_noacct",
            ),
        ),
    )
    for callee in callees
)
_ZERO: dm.Cuts = (
    ("snapshot_map", "dm_kcopyd_zero", "only for discards with discard_zeroes_cow"),
    ("snapshot_map", "dm_kcopyd_prepare_callback", "only for a write of a whole chunk"),
)


def _calls_v2_6(generation: str, target: str) -> Calls:
    """Kernels to 2.6.3x. A write that finds all its copies just finished is submitted by
    origin_map itself (__origin_write, dm-snap.c): that way is the deeper one, and stays in."""
    path = dm.map_v2_6(target, files=_FILES_V2_6, edges=_PREPARE, cuts=_VALID)
    read = dm.map_v2_6(target, files=_FILES_V2_6, cuts=_VALID + _NO_COPY)
    return Calls(
        submit=path,
        submit_ops={"read": read},
        worker={"write": _KCOPYD_V2_6},
        endio=dm.ENDIO_V2_6,
        flush=dm.FLUSH_V2_6.get(generation),
        unplug=dm.UNPLUG_V2_6[generation],
        ops=("read", "write", "flush", "fua") if generation in dm.FLUSH_V2_6 else ("read", "write"),
        note=_NOTE,
    )


def _calls_v6_1(target: str) -> Calls:
    """6.1. A write of a whole chunk is submitted by snapshot_map itself (start_full_bio)."""
    prepare = (("__insert_pending_exception", "persistent_prepare_exception"),)

    def path(op: str, cuts: dm.Cuts) -> Path:
        return dm.map_v6_1(
            target, op=op, files=_FILES_V6_1, cuts=_VALID + cuts, edges=prepare, remaps=False
        )

    return Calls(
        submit=path("write", (_ZERO[0],)),
        submit_ops={
            "read": path("read", _NO_COPY + _ZERO),
            "flush": path("flush", _NO_COPY + _ZERO),
            "fua": path("flush", (_ZERO[0],)),
        },
        worker={"write": _KCOPYD_V6_1},
        endio=dm.ENDIO_V6_1,
        split="front",
        ops=("read", "write", "flush", "fua"),
        note=f"{_NOTE}; discards are refused, as without discard_zeroes_cow; {dm.FUA}",
    )


def _calls(target: str) -> dict[str, Calls]:
    return {
        "2.6.18": _calls_v2_6("2.6.18", target),
        "2.6.24": _calls_v2_6("2.6.24", target),
        "6.1": _calls_v6_1(target),
    }


_CHUNK = Param("chunk", sectors(least=8, power_of_two=True), 8, "chunk size; default 4 KiB, LVM's")

SNAPSHOT_KINDS = (
    Kind(
        "dm-snapshot-origin",
        "stacked",
        "snapshot-origin",
        (1, None),
        "dm snapshot-origin target: the real device, then the stores of its snapshots",
        verb="dm",
        params=(
            _CHUNK,
            Param(
                "copied",
                fraction,
                0.0,
                "share of the chunks that every snapshot has copied already",
            ),
        ),
        calls=_calls("origin_map"),
    ),
    Kind(
        "dm-snapshot",
        "stacked",
        "snapshot",
        (2, 2),
        "dm snapshot target: the origin's device, then the store",
        verb="dm",
        params=(
            _CHUNK,
            Param("copied", fraction, 0.0, "share of the chunks that lie in the store already"),
        ),
        calls=_calls("snapshot_map"),
    ),
)
