"""dm-writecache and dm-cache: a slow origin behind a fast device.

Both look a block up in memory and remap the bio; what they keep up to date (their metadata, the
copies between the two devices) is the work of threads and work queues of their own.
"""

import blockstack.kinds.dm.common as dm
from blockstack.base.calls import Path
from blockstack.kinds.model import Calls, Kind, Param, Worker
from blockstack.kinds.params import choice
from blockstack.kinds.records import Cache
from blockstack.kinds.shared.caching import HITS, block
from blockstack.kinds.shared.threads import kthread

_COPY_FILES = ("dm-kcopyd.c", "dm-io.c", "[dm_mod.ko]")
#: kcopyd of 6.1: process_jobs runs each kind of job through a pointer (drivers/md/dm-kcopyd.c)
_JOBS: dm.Edges = tuple(
    ("process_jobs", job) for job in ("run_complete_job", "run_io_job", "run_pages_job")
)


def _kcopyd(file: str, callback: str) -> Worker:
    """The thread that copies between origin and cache and calls the target back."""
    return dm.worker_v6_1(
        "kcopyd",
        dm.KCOPYD,
        files=(*_COPY_FILES, file),
        edges=(*_JOBS, ("run_complete_job", callback)),
    )


# In SSD mode (dm-writecache.c WC_MODE_PMEM) map ends nothing itself; a flush is the flush thread's
_SSD: dm.Cuts = tuple(
    ("writecache_map", callee, "only for persistent memory; for an SSD the flush thread does it")
    for callee in ("writecache_flush", "writecache_discard", "bio_copy_block")
)
_WRITECACHE_FILES = ("dm-writecache.c", *_COPY_FILES)
_MAP: dm.Cuts = (*_SSD, ("writecache_map", "bio_endio", "only for persistent memory, or an error"))
_SYNC: dm.Cuts = (
    ("*", "writecache_error", "only after an I/O error"),
    ("writecache_writeback", "submit_bio", "only for persistent memory"),
    ("writecache_flush_thread", "bio_endio", "the flush's own bio: see its completion"),
)
_WRITEBACK: dict[str, tuple[str, ...]] = {
    "writecache_writeback": ("writecache_flush",),
    "writecache_flush_work": ("writecache_flush",),
}


def _writecache() -> Calls:
    threads = {
        f"{work} of dm-writecache": dm.worker_v6_1(
            work, work, *via, "dm_io", files=_WRITECACHE_FILES, cuts=_SYNC
        ).path
        for work, via in _WRITEBACK.items()
    }
    threads |= {
        thread: Path(
            kthread(">" + thread),
            cuts=_SYNC,
            files=("kernel/kthread.c", *(dm.MD + f for f in _WRITECACHE_FILES)),
        )
        for thread in ("writecache_flush_thread", "writecache_endio_thread")
    }
    base = dm.remapping(
        "writecache_map",
        *_WRITECACHE_FILES,
        cuts=_MAP,
        ends=(("clone_endio@drivers/md/dm.c", "writecache_end_io"),),
    )
    copier = _kcopyd("dm-writecache.c", "writecache_copy_endio")
    # a flush's clone ends in the flush thread (writecache_flush_thread)
    flushed = Path(
        (
            *kthread(">writecache_flush_thread"),
            "bio_endio",
            ">clone_endio@drivers/md/dm.c",
            "__dm_io_complete",
            "bio_endio",
        ),
        cuts=dm.ENDIO_V6_1.cuts,
        files=("kernel/kthread.c", *dm.CORE, dm.MD + "dm-writecache.c"),
    )
    return Calls(
        submit=base.submit,
        submit_ops=base.submit_ops,
        worker={"discard": copier},
        endio=base.endio,
        split="front",
        ops=base.ops,
        completion=flushed,
        threads=threads,
        cache=_moves("writeback", filled=False),
        note="in SSD mode; a discard's bio is the flush thread's, which is less deep than "
        f"the copies' kcopyd; {dm.FUA}",
    )


def _moves(writes: str, *, filled: bool) -> Cache:
    """What the mapping does: where writes go, and whether a read that missed fills the cache.
    What was written to the cache alone is drained to the origin later."""
    return Cache(writes, filled=filled, drained=writes == "writeback")


_CACHE_FILES = (
    "dm-cache-target.c",
    "dm-cache-policy-smq.c",
    "dm-cache-background-tracker.c",
    "dm-bio-prison-v2.c",
    "[dm_cache.ko]",
    "[dm_cache_smq.ko]",
    "dm-cache-metadata.c",
    "dm-bufio.c",
    "dm-io.c",
    "persistent-data/",
    "dm.c",
)
_POLICY: dm.Edges = (("map_bio", "smq_lookup_with_work"), ("map_bio", "smq_lookup"))
_PASS: dm.Cuts = (
    ("*", "invalidate_start", "only in passthrough mode"),
    ("*", "metadata_operation_failed", "only when metadata cannot be written"),
    ("map_bio", "bio_endio", "only for a duplicate that is no longer needed, or an error"),
)
# map_bio starts a migration for a bio that overwrites a whole block: no copy, no metadata yet
_OVERWRITES: dm.Cuts = (
    ("mg_copy", "mg_full_copy", "only without a bio that overwrites the block, on a worker"),
)
# migrations are chains of continuations, each a work item (mg_start ... mg_complete)
_STEPS = (
    "process_deferred_bios",
    "check_migrations",
    "__commit",
    "mg_copy",
    "mg_full_copy",
    "mg_upgrade_lock",
    "mg_update_metadata",
    "mg_update_metadata_after_copy",
)


def _cache(writes: str) -> Calls:
    threads = {}
    for step in _STEPS:
        threads[f"{step} of dm-cache"] = dm.worker_v6_1(
            step,
            step,
            files=_CACHE_FILES,
            cuts=_PASS,
            edges=(*_POLICY, ("__commit", "commit_op"), ("__commit", "issue_op")),
        ).path
    base = dm.remapping(
        "cache_map",
        *_CACHE_FILES,
        cuts=_PASS + _OVERWRITES,
        edges=_POLICY,
        ends=(("clone_endio@drivers/md/dm.c", "cache_end_io"),),
    )
    flush = dm.worker_v6_1(
        "dm-cache",
        "__commit",
        "issue_op",
        "dm_submit_bio_remap",
        files=_CACHE_FILES,
        cuts=_PASS,
        edges=(("__commit", "issue_op"),),
    )
    # remap_to_origin_and_cache submits the origin's bio by itself, and leaves the other to dm.c
    return Calls(
        submit=base.submit,
        submit_ops=base.submit_ops,
        worker=dict.fromkeys(("flush", "discard"), flush),
        endio=base.endio,
        split="front",
        ops=base.ops,
        threads=threads,
        cache=_moves(writes, filled=True),
        note="policy smq; whole blocks are promoted, which the model takes for the bio "
        f"that missed; {dm.FUA}",
    )


_CACHE_MODES = {mode: {"6.1": _cache(mode)} for mode in ("writethrough", "writeback")}

CACHED_KINDS = (
    Kind(
        "dm-writecache",
        "stacked",
        "cache",
        (2, 2),
        "dm writecache target in SSD mode: the origin, then the cache",
        verb="dm",
        params=(block(8, "default 4 KiB"), HITS),
        calls={"6.1": _writecache()},
    ),
    Kind(
        "dm-cache",
        "stacked",
        "cache",
        (2, 3),
        "dm cache target: the origin, the cache, the metadata device",
        verb="dm",
        params=(
            block(128, "default 64 KiB"),
            HITS,
            Param("mode", choice(*_CACHE_MODES), "writethrough", "when writes reach the origin"),
        ),
        calls=_CACHE_MODES["writethrough"],
        variant="mode",
        variants=_CACHE_MODES,
    ),
)
