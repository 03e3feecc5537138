"""bcache: a backing device behind a cache, with a btree of what the cache holds.

The caller looks the bio up and submits it; it never reads or writes a btree node itself
(``current->bio_list`` is set below submit_bio: drivers/md/bcache/btree.c, 6.1), but goes on from
the "bcache" work queue then. Keys, journal, btree nodes and write-back have work queues and threads
of their own. Closures call the next function on the same stack unless they name a work queue.
"""

from collections.abc import Iterable

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind, Param, Worker
from blockstack.kinds.params import choice
from blockstack.kinds.records import Cache
from blockstack.kinds.shared.caching import HITS, block
from blockstack.kinds.shared.threads import WORK_FILES, kthread, kworker

Cuts = tuple[tuple[str, str, str], ...]
Edges = tuple[tuple[str, str], ...]

_DIR = ("drivers/md/bcache/", "lib/closure.c")  # closures lie in lib/ in later kernels
_ERRORS: Cuts = (
    ("*", "bch_cache_set_error", "only after an error in the cache"),
    ("*", "bch_count_io_errors", "only after an I/O error"),
    ("*", "bch_count_backing_io_errors", "only after an I/O error"),
    ("*", "bch_btree_verify", "only with expensive_debug_checks"),
    ("*", "bch_data_verify", "only with the verify switch on (CONFIG_BCACHE_DEBUG)"),
    ("*", "__bch_check_keys", "only with expensive_debug_checks"),
    ("cached_dev_submit_bio", "bch_write_bdev_super", "only when the first dirty data come"),
)
# the closures' next function, where they name the work queue that is always there
_QUEUED: Cuts = tuple(
    (caller, callee, "goes on from bcache_wq (continue_at with a work queue)")
    for caller, callee in (
        ("cached_dev_read_done_bh", "cached_dev_read_done"),
        ("cached_dev_read_done_bh", "cached_dev_read_error"),
        ("cached_dev_submit_bio", "cached_dev_nodata"),
        ("cache_lookup", "cache_lookup"),
        ("bch_data_insert_start", "bch_data_insert_keys"),
        ("bch_data_invalidate", "bch_data_insert_keys"),
        ("bch_data_insert_keys", "bch_data_insert_start"),
        ("journal_write_unlocked", "journal_write"),
        ("write_dirty", "write_dirty"),
    )
)
_IN_DRIVER = "below submit_bio (current->bio_list is set): -EAGAIN, and bcache_wq goes on"
_CALLER: Cuts = (
    ("bch_btree_node_get*", "bch_btree_node_read", _IN_DRIVER),
    ("bch_btree_node_get*", "mca_alloc*", _IN_DRIVER),
    ("bch_btree_insert_node", "btree_split", _IN_DRIVER),
    ("bch_btree_insert_node", "__bch_btree_node_write", _IN_DRIVER),
    ("bch_btree_insert_node", "bch_btree_node_write", _IN_DRIVER),
    ("bch_btree_leaf_dirty", "bch_btree_node_write", _IN_DRIVER),
    ("bch_btree_insert_node", "__closure_sync", "waits only for a node that it has written"),
)
# struct btree_keys_ops of leaves and of the nodes above them (extents.c); the filters of iterators
_KEYS: Edges = (
    ("bch_btree_insert_key", "bch_extent_insert_fixup"),
    ("bch_btree_insert_key", "bch_btree_ptr_insert_fixup"),
    ("bch_btree_insert_key", "bch_extent_merge"),
    ("bch_bkey_try_merge", "bch_extent_merge"),
    ("btree_mergesort", "bch_extent_sort_fixup"),
    ("bch_btree_iter_next_filter", "bch_ptr_bad"),
    ("bch_btree_iter_next_filter", "bch_ptr_invalid"),
    ("bch_ptr_bad", "bch_extent_bad"),
    ("bch_ptr_bad", "bch_btree_ptr_bad"),
    ("bch_ptr_invalid", "bch_extent_invalid"),
    ("bch_ptr_invalid", "bch_btree_ptr_invalid"),
)
_MAP_KEYS = ("bch_btree_map_keys", "bch_btree_map_keys_recurse")
_LOOKUP: Edges = (
    *((caller, "cache_lookup_fn") for caller in _MAP_KEYS),
    ("cache_lookup_fn", "cached_dev_cache_miss"),
)
_INSERT: Edges = tuple(
    (caller, "btree_insert_fn")
    for caller in ("__bch_btree_map_nodes", "bch_btree_map_nodes_recurse")
)
_WALKS: Edges = tuple(
    (caller, callee)
    for caller in _MAP_KEYS
    for callee in ("refill_keybuf_fn", "sectors_dirty_init_fn")
)
# what a closure's last reference calls on the same stack (closure.c closure_put_after_sub)
_LAST: Edges = tuple(
    (caller, callee)
    for caller in ("closure_put", "closure_sub", "closure_put_after_sub?")
    for callee in (
        "cached_dev_read_done_bh",
        "cached_dev_write_complete",
        "cached_dev_bio_complete",
        "cached_dev_cache_miss_done",
        "search_free",
    )
)
#: A btree of two levels: a node of 256 KiB holds some 10,000 keys, so that this covers 10,000 by
#: 10,000 extents, 400 GiB of single pages. Each of these calls itself once per level.
_LOOKUP_LEVELS = (("bch_btree_map_keys_recurse",),)
_INSERT_LEVELS = (("bch_btree_map_nodes_recurse",), ("bch_btree_insert_node", "btree_split"))


def _caller(
    *via: str, edges: Edges = (), cuts: Cuts = (), again: tuple[tuple[str, ...], ...] = ()
) -> Path:
    return Path(
        (">cached_dev_submit_bio", *via),
        edges=(*_KEYS, *_LAST, *edges),
        files=_DIR,
        cuts=(*_ERRORS, *_QUEUED, *_CALLER, *cuts),
        again=again,
    )


_NO_WRITE: Cuts = (("cached_dev_submit_bio", "bch_data_insert", "only for writes"),)
_NO_READ: Cuts = (("cached_dev_submit_bio", "cache_lookup", "only for reads"),)
_READ = _caller(
    "cache_lookup",
    "bch_btree_map_keys",
    "bch_btree_map_keys_recurse?",
    ">cache_lookup_fn",
    edges=_LOOKUP,
    cuts=_NO_WRITE,
    again=_LOOKUP_LEVELS,
)
_WRITE = _caller("bch_data_insert", "bch_data_insert_start", "bch_submit_bbio", cuts=_NO_READ)
_AROUND = _caller(cuts=_NO_READ)
_FLUSH = _caller(cuts=(*_NO_READ, *_NO_WRITE))


def _path(root: tuple[str, ...], again: tuple[tuple[str, ...], ...]) -> Path:
    return Path(
        root,
        edges=(*_KEYS, *_LOOKUP, *_INSERT, *_WALKS, *_LAST),
        again=again,
        files=(*WORK_FILES, *_DIR),
        cuts=(*_ERRORS, *_QUEUED),
    )


def _works(names: Iterable[str], again: tuple[tuple[str, ...], ...] = ()) -> dict[str, Path]:
    return {f"{name} of bcache": _path(kworker(name), again) for name in names}


# request.c, journal.c, btree.c, writeback.c, movinggc.c: what runs on a work queue, and threads
_TASKS = {
    **_works(("cache_lookup",), (*_LOOKUP_LEVELS, *_INSERT_LEVELS[1:])),
    **_works(("bch_data_insert_keys", "write_dirty_finish"), _INSERT_LEVELS),
    **_works(
        (
            "bch_data_insert_start",
            "cached_dev_read_done",
            "cached_dev_nodata",
            "journal_write",
            "journal_write_work",
            "btree_node_write_work",
            "write_dirty",
            "write_moving",
        )
    ),
    **{
        thread: _path(kthread(">" + thread), _INSERT_LEVELS[1:])
        for thread in ("bch_gc_thread", "bch_writeback_thread")
    },
    "bch_allocator_thread": _path(kthread(">bch_allocator_thread"), ()),
}
#: hands back what the caller could not finish; its other work items are in `_TASKS`
_WORKER = Worker("bcache", _path(kworker("cached_dev_nodata"), ()))
# a bio's end drops a reference of the closure, whose last one ends the upper bio (search_free)
_ENDS: Edges = tuple(
    ("bio_endio", end)
    for end in (
        "request_endio",
        "backing_request_endio",
        "bch_cache_read_endio",
        "bch_data_insert_endio",
    )
)
_ENDIO = Path(
    (
        "closure_put",
        "closure_put_after_sub?",
        ">cached_dev_read_done_bh",
        "cached_dev_bio_complete",
        "search_free",
        "bio_complete?",
    ),
    edges=(*_LAST, *_ENDS),
    files=_DIR,
    cuts=(*_ERRORS, *_QUEUED),
    again=(("closure_put",),),
)


def _calls(mode: str) -> Calls:
    """One cache mode (sysfs ``cache_mode``)."""
    write = _AROUND if mode in ("writearound", "none") else _WRITE
    return Calls(
        submit=_READ,
        submit_ops={"write": write, "fua": write, "flush": _FLUSH, "discard": _AROUND},
        worker={"flush": _WORKER},
        endio=_ENDIO,
        split="rest",
        ops=OPS,
        threads=_TASKS,
        tasks=_TASKS,
        cache=Cache(
            "writearound" if mode == "none" else mode,
            filled=mode != "none",
            drained=mode == "writeback",
        ),
        note="a btree of two levels (up to 400 GiB of single pages)",
    )


_MODES = {
    mode: {"6.1": _calls(mode)} for mode in ("writethrough", "writeback", "writearound", "none")
}

BCACHE = Kind(
    "bcache",
    "stacked",
    "cache",
    (2, 2),
    "bcache: the backing device, then the cache",
    params=(
        block(8, "what one key covers; default 4 KiB"),
        HITS,
        Param(
            "mode",
            choice(*_MODES),
            "writethrough",
            "cache_mode: when writes reach the backing device",
        ),
    ),
    calls=_MODES["writethrough"],
    variant="mode",
    variants=_MODES,
)
