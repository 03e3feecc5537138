"""dm-thin: provisioning on demand, and the pool under it."""

from dataclasses import replace

import blockstack.kinds.dm.common as dm
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import choice, sectors

# thin_map looks blocks up through a non-blocking clone of the btree's transaction manager: it
# never reads metadata itself (dm_tm_create_non_blocking_clone); what is not cached, not mapped, or
# shared goes to the pool's worker, and so do all flushes, FUA writes and discards (thin_bio_map)
_NO_METADATA_READ = (
    ("dm_tm_read_lock", "dm_bm_read_lock", "the map never blocks for metadata"),
    ("new_read", "submit_io", "dm_bufio_get never reads"),
    ("__flush_write_list", "submit_io", "nothing was written: an empty list"),
    ("__blk_flush_plug", "*", "an empty plug"),
    *(
        ("__bufio_new", callee, "dm_bufio_get takes what is cached, or nothing")
        for callee in (
            "__get_unclaimed_buffer",
            "__wait_for_free_buffer",
            "alloc_buffer",
            "__free_buffer_wake",
            "__link_buffer",
            "__write_dirty_buffers_async",
        )
    ),
)
_THIN_FILES = (
    "dm-thin.c",
    "dm-thin-metadata.c",
    "dm-bio-prison-v1.c",
    "dm-bufio.c",
    "[dm_thin_pool.ko]",
    "persistent-data/",
)
_THIN_WORKER = dm.worker_v6_1(
    "dm-thin",
    "do_worker",
    files=(*_THIN_FILES, "dm.c", "dm-kcopyd.c"),
    edges=(
        ("do_worker", "process_cell"),
        ("do_worker", "process_bio"),
        ("process_prepared", "process_prepared_mapping"),
        ("dm_cell_visit_release", "__inc_remap_and_issue_cell"),
        ("dm_cell_visit_release", "__remap_and_issue_shared_cell"),
    ),
    cuts=(
        ("*", "metadata_operation_failed*", "only when metadata cannot be written"),
        ("*", "dm_bm_read_try_lock", "only in the non-blocking clone"),
        ("do_worker", "process_discard*", "discards: a worker call of their own"),
    ),
)
_THIN_NOTE = "the metadata device's own I/O counts for its stack, not for its traffic"
# the pool's worker also reads and writes the metadata, on a device of its own
_POOL = replace(
    dm.remapping("pool_map", "dm-thin.c"),
    threads={"do_worker of dm-thin-pool": _THIN_WORKER.path},
)


def _thin(*worker_ops: str) -> Calls:
    return dm.remapping(
        "thin_map",
        *_THIN_FILES,
        cuts=_NO_METADATA_READ,
        ends=(("clone_endio@drivers/md/dm.c", "thin_endio"),),
        worker=_THIN_WORKER,
        worker_ops=worker_ops,
        note=_THIN_NOTE,
    )


_THIN = {
    "mapped": _thin("flush", "fua", "discard"),
    "unmapped": _thin("write", "flush", "fua", "discard"),
}
THIN_KINDS = (
    Kind(
        "dm-thin-pool",
        "stacked",
        "remap",
        (1, 2),
        "dm thin-pool target: passes thin devices' bios to the data device; the metadata device "
        "after it",
        verb="dm",
        params=(
            Param(
                "block",
                sectors(128, 2**21, multiple=128),
                128,
                "the pool's block: 64 KiB to 1 GiB; default LVM's 64 KiB",
            ),
        ),
        calls={"6.1": _POOL},
    ),
    Kind(
        "dm-thin",
        "stacked",
        "remap",
        (1, 1),
        "dm thin target, on a pool",
        verb="dm",
        params=(
            Param(
                "blocks",
                choice(*_THIN),
                "mapped",
                '"mapped": writes find their blocks; "unmapped": they need new ones',
            ),
        ),
        calls={"6.1": _THIN["mapped"]},
        variant="blocks",
        variants={word: {"6.1": calls} for word, calls in _THIN.items()},
    ),
)
