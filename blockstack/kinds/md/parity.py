"""md raid4, raid5 and raid6 (drivers/md/raid5.c; it took raid6main.c in before 2.6.18)."""

from collections.abc import Mapping
from functools import partial

from blockstack.base.calls import Path
from blockstack.kinds.md.common import (
    BITMAP_CUTS,
    BITMAP_V2_6,
    BITMAP_V6_1,
    ENDWRITE,
    ENTRY,
    FLUSH_WORKER,
    MD,
    THREAD_FILES,
    THREAD_V2_6,
    THREAD_V6_1,
    calls_v6_12,
    superblock_path,
    with_bitmap,
)
from blockstack.kinds.md.params import chunk, failed_members
from blockstack.kinds.model import Calls, Kind, Param, Worker
from blockstack.kinds.records import Parity
from blockstack.kinds.shared.requests import with_cuts

_FILE = "drivers/md/raid5.c"
_ENTRY_V2_6 = f">make_request@{_FILE}"


def _reasons(
    callers: tuple[str, ...], callees: tuple[str, ...], reason: str
) -> tuple[tuple[str, str, str], ...]:
    return tuple((caller, callee, reason) for caller in callers for callee in callees)


_RESHAPE = _reasons(
    ("handle_stripe5", "handle_stripe6", "handle_stripe"),
    (
        "handle_stripe_expansion",
        "get_active_stripe",
        "raid5_get_active_stripe",
        "compute_blocknr",
        "raid5_compute_sector",
    ),
    "only while a reshape moves stripes",
)
_SUPERBLOCK = (
    ("raid5d", "md_check_recovery", "the superblock's own write is a thread of its own"),
)
_GONE = _reasons(
    ("handle_stripe5", "handle_stripe6", "handle_stripe"),
    ("handle_requests_to_failed_array", "handle_failed_stripe", "md_wait_for_blocked_rdev"),
    "only when more members have failed than the level survives",
)
_LOG = _reasons(
    ("*",), ("r5l_*", "r5c_*", "ppl_*"), "needs a journal device or a partial parity log"
)
#: raid5.c ops_run_io, 6.1: "very unlikely", for a member with write errors
_BAD_BLOCKS = (
    ("ops_run_io", "md_check_recovery", "only to write the bad block log"),
    ("ops_run_io", "md_wait_for_blocked_rdev", "only for a member with write errors"),
)

#: raid5.c chunk_aligned_read, 6.1: a read needs stripes only where a member is missing, not in
#: sync, or has known bad blocks
_PAST_CACHE = _reasons(
    ("raid5_make_request",),
    (
        "raid5_get_active_stripe",
        "make_stripe_request",
        "add_all_stripe_bios",
        "*add_stripe_bio",
        "find_get_stripe",
        "stripe_*",
        "*release_stripe*",
        "raid5_bio_lowest_chunk_sector",
        "make_discard_request",
        "md_flush_request",
        "*_handle_flush_request",
        "md_bitmap_startwrite",
    ),
    "a read of an array that lacks no member bypasses the stripe cache",
)


def _who(level: int, gen: str, unplug_in_submit: Path | None = None) -> Parity:
    """What make_request does by itself and what raid5d does.

    2.6.18: make_request calls handle_stripe for every 4 KiB row, which submits reads of missing
    blocks and, when nothing must be read first, computes the parity and submits the writes. A
    write that needs old data only marks the stripe delayed: raid5d takes it up.
    2.6.24: the same for raid6. handle_stripe5 leaves copy and parity to raid5_run_ops and submits
    on its next call, which is raid5d's. Reads inside a chunk bypass the cache.
    6.1: handle_stripe runs on raid5d only; reads bypass the cache while nothing has failed.
    """
    return Parity(
        full_stripe_in_caller=gen == "2.6.18" or (gen == "2.6.24" and level == 6),
        read_in_caller=gen != "6.1",
        aligned_read=gen != "2.6.18",
        # 6.1 raid5_make_request wants mddev->degraded == 0; 2.6.24 only that member In_sync
        aligned_read_degraded=gen == "2.6.24",
        # raid6 reads to modify since 4.1, given an xor_syndrome method (x86 with SSE2 has one)
        rmw=level != 6 or gen == "6.1",
        unplug_in_submit=unplug_in_submit,
    )


def _calls_v2_6(level: int, gen: str, *, bitmap: bool) -> Calls:
    """Kernels in which make_request handles the stripe itself.

    raid4 and raid5 share handle_stripe5; handle_stripe is inlined or a tail jump.
    """
    handler, other = ("handle_stripe6", "handle_stripe5")[:: 1 if level == 6 else -1]
    files = (_FILE, MD, BITMAP_V2_6) if bitmap else (_FILE, MD)
    cuts = (("*", other, f"raid{level} is handled by {handler}"), *_RESHAPE, *_GONE)
    raid5d = (*THREAD_V2_6, ">raid5d")
    # with a bitmap: the deeper of its write and of the stripes'
    thread = Worker(
        "raid5d",
        Path(
            raid5d if bitmap else (*raid5d, handler),
            files=files,
            cuts=(*cuts, *_SUPERBLOCK, *BITMAP_CUTS),
        ),
    )
    parity = _who(
        level,
        gen,
        # unplug_fn also runs below make_request, when it must wait for a free stripe
        Path(
            (_ENTRY_V2_6, "get_active_stripe", f"unplug_slaves@{_FILE}", "blk_unplug?"),
            files=(_FILE, "block/ll_rw_blk.c"),
            cuts=cuts,
        ),
    )
    aligned, both = parity.aligned_read, parity.full_stripe_in_caller
    return Calls(
        submit=Path((_ENTRY_V2_6, handler), files=files, cuts=(*cuts, *ENDWRITE)),
        # where the data decide who submits a write, the thread has no op as a whole
        worker={} if both else {"write": thread},
        thread=thread if both else None,
        # the members' end_io only releases the stripe, raid5d completes the upper bios; but an
        # aligned read completes its upper bio at once
        endio=Path(("raid5_align_endio" if aligned else "raid5_end_read_request",), files=(_FILE,)),
        endio_stops=not aligned,
        flush=Path(("raid5_issue_flush",), files=(_FILE,)) if gen == "2.6.18" else None,
        unplug=Path(
            ("raid5_unplug_device", f"unplug_slaves@{_FILE}", "blk_unplug?"),
            files=(_FILE, "block/ll_rw_blk.c"),
        ),
        # raid5d calls the upper bio's bi_end_io itself, without bio_endio: its frame is too much
        completion=Path(
            (*raid5d, handler), files=files, edges=((handler, "bio_endio"),), cuts=cuts
        ),
        # barriers are refused with -EOPNOTSUPP
        ops=("read", "write", "flush") if gen == "2.6.18" else ("read", "write"),
        parity=parity,
        threads={"superblock write": superblock_path("raid5d", files)},
    )


def _calls_v6_1(level: int, *, bitmap: bool) -> Calls:
    """6.1: make_request only queues; raid5d handles the stripes."""
    files = (MD, _FILE, *((BITMAP_V6_1,) if bitmap else ()))
    thread_files = ("kernel/kthread.c", *files)
    cuts = (*_RESHAPE, *_GONE, *_LOG, *_BAD_BLOCKS, *_SUPERBLOCK, *BITMAP_CUTS)
    stripes = (*THREAD_V6_1, ">raid5d", "handle_active_stripes", "handle_stripe")
    thread = Worker(
        "raid5d",
        Path(stripes[:4] if bitmap else (*stripes, "ops_run_io"), files=thread_files, cuts=cuts),
    )
    submit = Path((*ENTRY, ">raid5_make_request"), files=files, cuts=_LOG)
    return Calls(
        # `submit` is that of a degraded array's reads (`Calls.path_for`)
        submit=submit,
        submit_ops={"read": with_cuts(submit, _PAST_CACHE)},
        # reads: those that bypass the cache in the caller, the others on raid5d (`Parity`)
        worker={"write": thread, "fua": thread, "flush": FLUSH_WORKER},
        endio=Path(("raid5_align_endio",), files=(_FILE,)),
        # a read through the cache completes below async_trigger_callback (crypto/async_tx), a
        # write below handle_stripe_clean_event, which is less deep
        completion=Path(
            (*stripes, "raid_run_ops", "async_trigger_callback", ">ops_complete_biofill"),
            files=(*THREAD_FILES, _FILE),
            cuts=cuts,
            edges=(("raid_run_ops", "ops_complete_biofill"),),
        ),
        ops=("read", "write", "flush", "fua"),
        split="rest",
        parity=_who(level, "6.1"),
        threads={"superblock write": superblock_path("raid5d", thread_files, THREAD_V6_1)},
    )


def parity_calls(level: int, *, bitmap: bool = False) -> Mapping[str, Calls]:
    """Call paths of one level in every generation."""
    v6_1 = _calls_v6_1(level, bitmap=bitmap)
    return {
        "2.6.18": _calls_v2_6(level, "2.6.18", bitmap=bitmap),
        "2.6.24": _calls_v2_6(level, "2.6.24", bitmap=bitmap),
        "6.1": v6_1,
        "6.12": calls_v6_12(v6_1),
    }


def _parity(level: int, least: int, doc: str) -> Kind:
    most = 2 if level == 6 else 1
    failed = Param("failed", failed_members(most), (), "numbers of failed members, from 0")
    # 63: the core keeps failed members as bits of a word
    return with_bitmap(
        f"md-raid{level}",
        "raid456",
        least,
        doc,
        most=63,
        params=(chunk(power_of_two=True), failed),
        calls=partial(parity_calls, level),
    )


PARITY_KINDS = (
    _parity(4, 2, "md raid4: striping with a parity disk"),
    _parity(5, 2, "md raid5: rotating parity, left-symmetric"),
    _parity(6, 4, "md raid6: rotating P and Q, left-symmetric"),
)
