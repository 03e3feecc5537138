"""More device mapper targets: delay, thin provisioning, integrity, md's levels below dm."""

from dataclasses import replace

import blockstack.kinds.dm.common as dm
from blockstack.kinds.model import Calls, Kind, Param, Path
from blockstack.kinds.params import choice, sectors
from blockstack.kinds.shared.tcp import WORK_FILES, kworker

_OPS = ("read", "write", "flush", "discard", "fua")


# delay_bio puts every bio on a list; a timer wakes kdelayd, which submits (dm-delay.c)
_DELAY_24 = dm.old_worker("kdelayd", "flush_expired_bios", files=("dm-delay.c",))
_DELAY_NEW = dm.new_worker(
    "kdelayd", "flush_expired_bios", "dm_submit_bio_remap", files=("dm-delay.c", "dm.c")
)
_DELAY = {
    "2.6.24": Calls(
        submit=dm.old_map("delay_map", files=("dm-delay.c",)),
        worker={"read": _DELAY_24, "write": _DELAY_24},
        endio=dm.OLD_ENDIO,
        unplug=dm.OLD_UNPLUG_24,
        ops=("read", "write"),
        note="the delay is not zero",
    ),
    "6.1": dm.remapping(
        "delay_map", "dm-delay.c", worker=_DELAY_NEW, worker_ops=_OPS, note="the delay is not zero"
    ),
}

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
_THIN_WORKER = dm.new_worker(
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
    options={"threads": {"do_worker of dm-thin-pool": _THIN_WORKER.path}},
)


def _thin(*worker_ops: str) -> Calls:
    return dm.remapping(
        "thin_map",
        *_THIN_FILES,
        cuts=_NO_METADATA_READ,
        ends=(("clone_endio", "thin_endio"),),
        worker=_THIN_WORKER,
        worker_ops=worker_ops,
        note=_THIN_NOTE,
    )


_THIN = {
    "mapped": _thin("flush", "fua", "discard"),
    "unmapped": _thin("write", "flush", "fua", "discard"),
}


# dm-integrity.c: reads are checked on a worker (need_sync_io: offload_wq), writes go through the
# journal, or straight down from the caller in bitmap and direct mode; flushes wait for the commit
_INTEGRITY_FILES = ("dm-integrity.c", "dm-bufio.c", "dm-io.c")
_NO_JOURNAL: dm.Cuts = (("*", "__journal_read_write", "only in journal mode"),)
_MAP_ONLY: dm.Cuts = (
    ("dm_integrity_map_continue", "integrity_metadata", "only off the map (need_sync_io)"),
    ("dm_integrity_map_continue", "__flush_workqueue", "only for discards"),
    ("dm_integrity_map_continue", "dm_integrity_flush_buffers", "only for discards"),
)
_MATCH: dm.Cuts = (
    ("integrity_metadata", "integrity_recheck", "only when a checksum does not match"),
    ("dm_integrity_map_continue", "dm_integrity_flush_buffers", "only for discards"),
)
# the data's end or the tags' (integrity_metadata), whichever is the later, ends dm's clone
_INTEGRITY_ENDIO = Path(
    (
        "integrity_end_io",
        "dec_in_flight",
        "do_endio_flush",
        "do_endio",
        "bio_endio",
        ">clone_endio",
        "__dm_io_complete",
    ),
    files=(*dm.CORE, dm.MD + "dm-integrity.c"),
    cuts=dm.NEW_ENDIO.cuts,
)
_INTEGRITY_NOTE = (
    "what goes on in the workers shares one task, that of the reads, which is the "
    "deepest; discards are left out"
)


def _integrity(*, journal: bool) -> Calls:
    cuts = () if journal else _NO_JOURNAL
    worker = dm.new_worker(
        "dm-integrity-offload",
        "integrity_bio_wait",
        "dm_integrity_map_continue",
        files=_INTEGRITY_FILES,
        cuts=cuts + _MATCH,
    )
    write = dm.new_map(
        "dm_integrity_map",
        "dm_integrity_map_continue",
        op="write",
        files=_INTEGRITY_FILES,
        cuts=cuts + _MAP_ONLY,
    )
    paths = {
        op: dm.new_map("dm_integrity_map", op=op, files=_INTEGRITY_FILES, cuts=cuts + _MAP_ONLY)
        for op in ("read", "flush")
    }
    in_worker = ("read", "flush", "write", "fua") if journal else ("read", "flush")
    # dm-integrity.c 6.1: commit_work and writer_work with a journal, the bitmap's two without;
    # tags are read and written by metadata_wq, and made anew by recalc_wq; each is a work queue
    threads = {
        f"{work} of dm-integrity": dm.new_worker(
            work, work, *via, files=_INTEGRITY_FILES, cuts=_MATCH
        ).path
        for work, via in (
            *(
                (("integrity_writer", ("dm_io",)), ("integrity_commit", ("dm_io",)))
                if journal
                else (("bitmap_flush_work", ()), ("bitmap_block_work", ()))
            ),
            ("integrity_metadata", ()),
            ("integrity_recalc", ()),
        )
    }
    ended = Path(
        (*kworker("integrity_metadata"), *_INTEGRITY_ENDIO.via[1:], "bio_endio"),
        files=(*WORK_FILES, *_INTEGRITY_ENDIO.files),
        cuts=_INTEGRITY_ENDIO.cuts,
    )
    return Calls(
        submit=paths["read"],
        options={"threads": threads},
        completion=ended,
        submit_ops={"flush": paths["flush"], "fua": paths["flush"], "write": write},
        worker=dict.fromkeys(in_worker, worker),
        endio=_INTEGRITY_ENDIO,
        split="front",
        ops=("read", "write", "flush", "fua"),
        note=f"{_INTEGRITY_NOTE}; {dm.FUA}",
    )


_INTEGRITY = {
    "journal": _integrity(journal=True),
    "bitmap": _integrity(journal=False),
    "direct": _integrity(journal=False),
}


TARGET_KINDS = (
    Kind(
        "dm-delay",
        "stacked",
        "remap",
        (1, 1),
        "dm delay target: every bio waits for a timer",
        verb="dm",
        calls=_DELAY,
    ),
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
    Kind(
        "dm-integrity",
        "stacked",
        "remap",
        (1, 1),
        "dm integrity target with its own checksums",
        verb="dm",
        params=(
            Param("mode", choice(*_INTEGRITY), "journal", "how data and tags stay consistent"),
        ),
        calls={"6.1": _INTEGRITY["journal"]},
        variant="mode",
        variants={word: {"6.1": calls} for word, calls in _INTEGRITY.items()},
    ),
)
