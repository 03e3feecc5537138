"""Calls that a block path does not take, each with its reason and class.

Classes: ``error`` (reports, warnings, failing hardware), ``debug`` (compiled in or out for
debugging), ``async`` (runs later, elsewhere), ``workload`` (not what this workload does),
``topology`` (needs a device that the stack lacks), ``budget`` (counted, but in a budget of its
own: reclaim, scheduling) and ``rare`` (real, but seldom: a debt of soundness, named in reports).

No cut may rest on a depth that somebody measured: only on what the kernel's code does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from blockstack.kernel.table import base_name

#: before a caller's name: the cut holds for every call below that function
BELOW = "below "
CutClass = Literal["error", "debug", "async", "workload", "topology", "budget", "rare"]


@dataclass(frozen=True)
class Cut:
    """A call that is not followed.

    ``caller`` and ``callee`` are function names, ``*`` patterns allowed; gcc's clone suffixes and
    ``@file`` are ignored in matching. A caller ``below F`` is any function, wherever F is on the
    stack: what F passes down decides (F itself is a name, no pattern).
    """

    caller: str
    callee: str
    reason: str
    cls: CutClass


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*") + r"\Z")


@dataclass
class CutTable:
    """Cuts ready for matching.

    Parameters
    ----------
    cuts : tuple of Cut
    wanted : frozenset of (caller, callee)
        Calls that a path asks for by name: no ``budget`` cut applies (a way in through reclaim).
    once : mapping of str to tuple of str
        Functions that had other names: a cut may call them by these.
    """

    cuts: tuple[Cut, ...]
    wanted: frozenset[tuple[str, str]] = frozenset()
    once: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _names: dict[str, list[Cut]] = field(default_factory=dict)
    _globs: list[tuple[re.Pattern[str], Cut]] = field(default_factory=list)
    _any: re.Pattern[str] = field(default=re.compile(r"(?!)"))
    _hits: dict[str, list[Cut]] = field(default_factory=dict)
    _below: list[tuple[str, re.Pattern[str]]] = field(default_factory=list)
    _begins: dict[str, int] = field(default_factory=dict)
    _forbids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for cut in self.cuts:
            if cut.caller.startswith(BELOW):
                self._below.append((cut.caller.removeprefix(BELOW), _pattern(cut.callee)))
            elif "*" in cut.callee:
                self._globs.append((_pattern(cut.callee), cut))
            else:
                self._names.setdefault(cut.callee, []).append(cut)
        if self._globs:  # most callees match none of them: one look tells
            self._any = re.compile("|".join(f"(?:{p.pattern})" for p, _ in self._globs))

    def find(self, caller: str, callee: str) -> Cut | None:
        """The cut that stops ``caller`` -> ``callee``, if one does."""
        callees = self._names_of(callee)
        if not any(map(self._of, callees)):
            return None  # most callees
        pairs = list(product(self._names_of(caller), callees))
        wanted = any(pair in self.wanted for pair in pairs)
        return next(
            (
                c
                for one, other in pairs
                for c in self._of(other)
                if not (wanted and c.cls == "budget")
                and (c.caller == "*" or _pattern(c.caller).match(one))
            ),
            None,
        )

    def begins(self, function: str) -> int:
        """The ``below`` cuts that hold from ``function`` on, one bit each."""
        if function not in self._begins:
            names = self._names_of(function) if self._below else ()
            self._begins[function] = sum(
                1 << i for i, (top, _) in enumerate(self._below) if top in names
            )
        return self._begins[function]

    def forbids(self, callee: str) -> int:
        """The ``below`` cuts under which ``callee`` is not called."""
        if callee not in self._forbids:
            names = self._names_of(callee) if self._below else ()
            self._forbids[callee] = sum(
                1 << i
                for i, (_, pattern) in enumerate(self._below)
                if any(map(pattern.match, names))
            )
        return self._forbids[callee]

    def _names_of(self, function: str) -> tuple[str, ...]:
        """A function's plain name, and the former ones."""
        name = base_name(function).partition("@")[0]
        return (name, *self.once.get(name, ()))

    def _of(self, callee: str) -> list[Cut]:
        """The cuts of a callee, whoever calls it."""
        if callee not in self._hits:
            named = self._names.get(callee, [])
            self._hits[callee] = (
                [*named, *(cut for pattern, cut in self._globs if pattern.match(callee))]
                if self._any.match(callee)
                else named
            )
        return self._hits[callee]

    def is_cut(self, caller: str, callee: str) -> bool:
        """Whether ``caller`` -> ``callee`` is not followed."""
        return self.find(caller, callee) is not None


def _rows(cls: CutClass, reason: str, *pairs: str) -> tuple[Cut, ...]:
    """``"caller->callee"`` or ``"callee"`` (from any caller)."""
    cuts = []
    for pair in pairs:
        caller, arrow, callee = pair.rpartition("->")
        cuts.append(Cut(caller if arrow else "*", callee, reason, cls))
    return tuple(cuts)


COMMON_CUTS: tuple[Cut, ...] = (
    *_rows(
        "error",
        "prints a report: only when something is already broken",
        "printk",
        "_printk",
        "vprintk",
        "panic",
        "dump_stack",
        "show_stack",
        "__warn*",
        "warn_slowpath*",
        "*_warn",
        "*_err",
        "*_printk",
        "___ratelimit",
        "__printk_ratelimit",
        "printk_ratelimit",
        "__dynamic_*",
        "add_taint",
        "die",
        "oops_*",
        "cmn_err",
        "xfs_fs_cmn_err",
        "xfs_cmn_err",
        "xfs_error_report",
        "xfs_corruption_error",
        "xfs_stack_trace",
        "icmn_err",
        "assfail",
        "__ext4_error*",
        "__ext4_warning*",
        "__ext4_msg",
        "ext3_error",
        "ext3_warning",
        "__ext3_std_error",
        "ext3_abort",
        "__ext4_std_error",
        "buffer_io_error",
        "handle_bad_sector",
        "btrfs_print_*",
        "dump_page",
        "__dump_page",
        "bad_page",
        "print_*",
        "error_msg",
        "dev_driver_string",
    ),
    *_rows(
        "error",
        "force shutdown after a failure",
        "xfs_do_force_shutdown",
        "*force_shutdown*",
        "jbd2_journal_abort",
        "__journal_abort_soft",
        "journal_abort",
        "ext4_handle_error",
        "md_error",
        "dm_io_set_error",
    ),
    *_rows(
        "debug",
        "tracepoints: the probe is a no-op unless tracing is on",
        "__SCT__tp_func_*",
        "__traceiter_*",
        "trace_*",
        "__bpf_trace_*",
        "perf_trace_*",
    ),
    *_rows(
        "debug",
        "slab and list debugging, lock validation",
        "check_poison_obj",
        "slab_error",
        "print_objinfo",
        "dump_line",
        "object_err",
        "slab_err",
        "__slab_err",
        "free_debug_processing",
        "alloc_debug_processing",
        "__list_*_valid",
        "debug_*",
        "lockdep_*",
        "kasan_*",
        "__kasan_*",
        "kmemleak_*",
        "__kfence_*",
        "stack_depot_*",
        "check_object",
        "check_slab",
        "check_bytes*",
        "slab_pad_check",
        "slab_fix",
        "slab_bug",
        "on_freelist",
        "init_object",
        "set_track",
        "__check_object_size",
        "should_fail*",
    ),
    *_rows(
        "error",
        "fatal memory conditions",
        "out_of_memory",
        "oom_kill_process",
        "dump_header",
        "warn_alloc",
    ),
    *_rows(
        "budget",
        "page reclaim has a budget of its own (Calls to try_to_free_pages)",
        "try_to_free_pages",
        "__alloc_pages_direct_reclaim",
        "__alloc_pages_slowpath",
        "__alloc_pages_direct_compact",
        "try_to_free_mem_cgroup_pages",
        "wakeup_kswapd",
        "reclaim_high",
        "mem_cgroup_handle_over_high",
        "__perform_reclaim",
    ),
    *_rows(
        "budget",
        "sleeping and waking: the scheduler has a budget of its own",
        "__schedule",
        "schedule_idle",
        "preempt_schedule*",
        "__SCT__preempt_schedule*",
        "__SCT__might_resched",
        "__SCT__cond_resched",
        "try_to_wake_up",
        "wake_up_process",
    ),
    *_rows(
        "budget",
        "softirqs run at interrupt exit or on enabling bottom halves",
        "do_softirq",
        "__do_softirq",
        "do_softirq_own_stack",
        "__local_bh_enable_ip",
        "local_bh_enable",
        "_local_bh_enable",
    ),
    *_rows(
        "async",
        "queues work for another task",
        "queue_work_on",
        "__queue_work",
        "queue_work",
        "schedule_work",
        "queue_delayed_work*",
        "mod_delayed_work_on",
        "kblockd_mod_delayed_work_on",
        "delayed_work_timer_fn",
        "call_rcu",
        "kthread_queue_work",
    ),
    *_rows(
        "workload",
        "only where io.max (blkio.throttle) limits the cgroup: blk_should_throtl",
        "__blk_throtl_bio",
    ),
    *_rows(
        "rare",
        "the first bio of a cgroup on a device makes its blkg (blkg_lookup_create)",
        "blkg_create",
    ),
    *_rows(
        "topology",
        "only for bios that carry T10 protection information",
        "bio_integrity_clone",
        "bio_integrity_alloc",
        "bio_integrity_trim",
        "bio_integrity_free",
        "__bio_integrity_endio",
    ),
)

#: left out of the `typical` figure only: each is a path that the kernel can take
RARE_CUTS: tuple[Cut, ...] = (
    *_rows(
        "rare",
        "no tag is free: the queue is run before sleeping (blk_mq_get_tag)",
        "blk_mq_get_tag->blk_mq_run_hw_queue",
    ),
    *_rows(
        "rare",
        "read-ahead is off or the cgroup congested (page_cache_sync_ra)",
        "force_page_cache_ra",
    ),
    *_rows(
        "rare",
        "a bio of read-ahead is full (256 pages) or its blocks are not contiguous",
        "do_mpage_readpage->submit_bio",
        "do_mpage_readpage->mpage_bio_submit_read",
    ),
    *_rows(
        "rare",
        "the extent is not in memory (ext4_es_lookup_extent)",
        "ext4_da_get_block_prep->ext4_map_query_blocks",
        "ext4_da_get_block_prep->ext4_ext_map_blocks",
        "ext4_da_map_blocks->ext4_ext_map_blocks",
        "ext4_da_map_blocks->ext4_map_query_blocks",
    ),
    *_rows(
        "rare",
        "converts unwritten extents in the caller only when the write ended before "
        "ext4_writepages dropped its own reference",
        "ext4_put_io_end",
    ),
    *_rows(
        "rare",
        "fallocate(2) merged more blocks into an extent while it was written",
        "below ext4_convert_unwritten_extents->ext4_ext_insert_extent",
    ),
    *_rows(
        "rare",
        "an index block of an extent tree is full",
        "ext4_split_extent",
        "ext4_new_meta_blocks",
        "ext4_ext_insert_extent->ext4_mb_new_blocks",
    ),
    *_rows(
        "rare",
        "delayed allocation is off while space is low (ext4_nonda_switch)",
        "ext4_da_write_begin->ext4_write_begin",
        "ext4_block_write_begin->ext4_get_block",
    ),
    *_rows(
        "rare",
        "the inode table's block has left memory while its inode is in use",
        "__ext4_get_inode_loc->*breadahead*",
        "__ext4_get_inode_loc->ext4_read_bh*",
        "__ext4_get_inode_loc->submit_bh*",
    ),
    *_rows(
        "rare",
        "the group's buddy bitmap is not in memory and was not read ahead (ext4_mb_prefetch)",
        "ext4_mb_load_buddy_gfp->ext4_mb_init_group",
        "ext4_mb_load_buddy_gfp->ext4_mb_init_cache",
    ),
    *_rows(
        "rare",
        "an extent tree shrinks back into the inode",
        "ext4_ext_try_to_merge->ext4_free_blocks",
        "ext4_ext_try_to_merge_up",
        "ext4_ext_insert_extent->ext4_free_blocks",
    ),
    *_rows(
        "rare", "the journal is full: the task checkpoints it itself", "__jbd2_log_wait_for_space"
    ),
    *_rows(
        "rare",
        "a file's extents outgrow the inode, or a btree block is full",
        "xfs_bmap_extents_to_btree",
        "xfs_btree_make_block_unfull",
        "xfs_btree_new_root",
        "xfs_btree_split",
    ),
    *_rows("rare", "the group's free list must be refilled", "xfs_alloc_fix_freelist"),
    *_rows(
        "rare",
        "the extent is not in memory (lookup_extent_mapping)",
        "btrfs_get_extent->btrfs_lookup_file_extent",
        "btrfs_get_extent->btrfs_next_old_leaf",
    ),
    *_rows(
        "rare",
        "the block of the checksums' tree is not in memory",
        "btrfs_lookup_bio_sums->btrfs_lookup_csum",
        "btrfs_lookup_bio_sums->btrfs_search_slot",
        "btrfs_lookup_bio_sums->read_extent_buffer_pages",
    ),
    *_rows(
        "rare",
        "parts of a tree block are in memory, with a gap: more than one bio",
        "read_extent_buffer_pages->submit_extent_page",
    ),
    *_rows(
        "rare",
        "no free extent is left: a new chunk",
        "find_free_extent->btrfs_chunk_alloc",
        "start_transaction->btrfs_chunk_alloc",
    ),
    *_rows(
        "rare",
        "more node addresses are cached than memory allows (excess_cached_nats)",
        "f2fs_balance_fs->f2fs_balance_fs_bg",
    ),
    *_rows(
        "rare",
        "fsync of a hard link, or with no room to roll forward (need_do_checkpoint)",
        "f2fs_do_sync_file->f2fs_sync_fs",
    ),
    *_rows(
        "rare",
        "the block of node addresses is not in memory",
        "f2fs_get_node_info->f2fs_get_meta_page",
    ),
    *_rows(
        "rare",
        "a tree block is full or nearly empty",
        "btrfs_search_slot->split_leaf",
        "btrfs_search_slot->split_node",
        "btrfs_search_slot->balance_level",
        "setup_leaf_for_split",
    ),
    *_rows("rare", "a stale buffer is pinned in the log", "xfs_buf_lock->xfs_log_force"),
    *_rows(
        "rare",
        "a segment was lost and is sent again",
        "tcp_xmit_retransmit_queue",
        "tcp_xmit_recovery",
    ),
    *_rows("rare", "the pool is empty", "mempool_alloc->io_schedule_timeout"),
    *_rows(
        "rare",
        "a btree node is full (bcache; 256 KiB of keys)",
        "bch_btree_insert_node->btree_split",
    ),
    *_rows(
        "rare",
        "the btree has a second level: more than some 10,000 extents (bcache)",
        "bch_btree_map_keys_recurse->bch_btree_map_keys_recurse",
        "bch_btree_map_nodes_recurse->bch_btree_map_nodes_recurse",
    ),
)
