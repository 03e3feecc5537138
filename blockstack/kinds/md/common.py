"""What md's levels share, by generation: entry, threads, bitmap, superblock, flushes.

Read in drivers/md/{md,bitmap}.c of 2.6.18 and 2.6.24, drivers/md/{md,md-bitmap}.c of 6.1 and 6.12.
2.6.24 shares 2.6.18's drivers but for ``issue_flush_fn``, which it no longer has: it sends an empty
barrier bio instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from blockstack.base.calls import Path
from blockstack.kinds.md.params import BITMAP_PARAM
from blockstack.kinds.model import Calls, Kind, Param, Worker

MD = "drivers/md/md.c"
BITMAP_V2_6 = "drivers/md/bitmap.c"
V2_6 = ("2.6.18", "2.6.24")
#: md_register_thread runs every personality's thread function in md_thread (drivers/md/md.c)
THREAD_V2_6 = ("@kthread", "kthread?", ">md_thread")

#: calls that both the bitmap's and the superblock's writes leave out
BITMAP_CUTS = (
    ("*", "bitmap_file_kick", "only when the bitmap could not be written"),
    ("*", "md_bitmap_file_kick", "only when the bitmap could not be written"),
)
_LOOKUP = "finds its counter, never creates one: bitmap_startwrite goes deeper"
ENDWRITE = tuple(
    (caller, f"{prefix}bitmap_endwrite", _LOOKUP)
    for caller, prefix in (
        ("handle_stripe5", ""),
        ("handle_stripe6", ""),
        ("handle_completed_write_requests", ""),
        ("close_write", "md_"),
        ("one_write_done", "md_"),
    )
)
#: an end_io goes down to the counter as well; it exists by then
FOUND = tuple(
    (caller, callee, _LOOKUP)
    for caller in ("bitmap_get_counter", "md_bitmap_get_counter", "md_bitmap_checkpage")
    for callee in ("kmem_cache_alloc", "__get_free_pages", "__kmalloc", "kmalloc_trace", "kfree")
)


def superblock_path(
    thread: str, files: tuple[str, ...], root: tuple[str, ...] = THREAD_V2_6
) -> Path:
    """The array's thread marks the superblock dirty or clean before it serves bios.

    md_write_start asks for it on the first write after a quiet spell (safemode_delay).
    """
    return Path(
        (*root, f">{thread}", "md_check_recovery"),
        files=files,
        cuts=(*BITMAP_CUTS, ("ops_run_io", "md_check_recovery", "only to write the bad block log")),
    )


def unplug_v2_6(*via: str, file: str) -> Path:
    """unplug_fn: blk_unplug is a function of its own in 2.6.24, a pointer call in 2.6.18."""
    return Path((*via, "blk_unplug?"), files=(file, "block/ll_rw_blk.c"))


BITMAP_V6_1 = "drivers/md/md-bitmap.c"
ENTRY = (">md_submit_bio", "md_handle_request")
THREAD_V6_1 = ("@kthread", "kthread", ">md_thread")
THREAD_FILES = ("kernel/kthread.c", MD)
_KWORKER = ("@kthread", "kthread", ">worker_thread", "process_one_work")
_KWORKER_FILES = ("kernel/kthread.c", "kernel/workqueue.c", MD)

#: md_flush_request queues submit_flushes on md_wq: it sends an empty flush to every member
FLUSH_WORKER = Worker(
    "md", Path((*_KWORKER, ">submit_flushes", "submit_bio"), files=_KWORKER_FILES)
)
FLUSH_NOTE = (
    "Flush and FUA go through md_wq; the path given is the deeper one, that of a write "
    "whose preflush is done (an empty flush is sent from submit_flushes)."
)
NOT_DISCARD = ("*", "md_submit_discard_bio", "discards only")


def after_flush(
    personality: tuple[str, ...],
    files: tuple[str, ...],
    cuts: tuple[tuple[str, str, str], ...] = (NOT_DISCARD,),
) -> Worker:
    """A write with REQ_PREFLUSH goes on in md_submit_flush_data, on md_wq, once flushed.

    md_handle_request is inlined there, so the personality is called right away.
    """
    return Worker(
        "md",
        Path(
            (*_KWORKER, ">md_submit_flush_data", *personality),
            files=(*_KWORKER_FILES, *files),
            cuts=cuts,
        ),
    )


#: bio_endio of the clone, then of the upper bio
_CLONE_ENDS = ("bio_endio", ">md_end_clone_io")
_NOTE_V6_12 = "A flush is sent from the caller's stack; so is a write that it precedes."
#: cb->callback(cb, false); the bitmap goes out by a work item while a bio list is active
_UNPLUG = (
    *((caller, "raid1_unplug") for caller in ("raid1_write_request", "raid1_make_request")),
    ("raid10_write_one_disk", "raid10_unplug"),
    ("flush_bio_list", "bitmap_unplug"),
    ("raid10_unplug", "bitmap_unplug"),
)


def _flush(calls: Calls) -> Path:
    """md_handle_request to the empty flush of every member."""
    assert calls.submit is not None
    personality = calls.submit.via[len(ENTRY)]
    return replace(
        calls.submit,
        via=(*ENTRY, personality, "md_flush_request", "submit_bio"),
        files=(*calls.submit.files, MD),
    )


def calls_v6_12(v6_1: Calls, *, clones: bool = False, endio: Path | None = None) -> Calls:
    """A level's calls in 6.12, made from those of 6.1.

    Read in drivers/md/{md,raid0,raid1,raid1-10,raid10,raid5}.c of Linux 6.12.117: md_flush_request
    sends the flushes in the caller's stack (submit_flushes and md_wq are gone), raid1 and raid10
    account for every bio by a clone (md_account_bio), whose end is one bio_endio more, and a full
    plug is unplugged where the last bio was added to it (raid1_add_bio_to_plug).

    Parameters
    ----------
    clones : bool
        Whether 6.1 did not yet account by a clone.
    endio : Path, optional
        The completion, where 6.1 had none of md's own.
    """
    kept = {op: worker for op, worker in v6_1.worker.items() if worker.name != "md"}
    endio = endio or v6_1.endio
    if clones and endio is not None:
        endio = replace(endio, via=endio.via + _CLONE_ENDS, files=(*endio.files, MD))
    ops = {
        op: replace(path, edges=(*path.edges, *_UNPLUG)) if clones else path
        for op, path in v6_1.submit_ops.items()
    } | {"flush": _flush(v6_1)}
    return replace(v6_1, worker=kept, submit_ops=ops, endio=endio, note=_NOTE_V6_12)


def with_bitmap(
    name: str,
    mapping: str,
    least: int,
    doc: str,
    *,
    params: tuple[Param, ...] = (),
    calls: Callable[..., Mapping[str, Calls]],
    most: int | None = None,
) -> Kind:
    """A kind whose threads also write the bitmap when there is one."""
    plain = calls(bitmap=False)
    return Kind(
        name,
        "stacked",
        mapping,
        (least, most),
        doc,
        params=(*params, BITMAP_PARAM),
        calls=plain,
        verb="md",
        variant="bitmap",
        variants={"none": plain, "internal": calls(bitmap=True)},
    )
