"""md linear, raid0, raid1 and raid10 in kernels of the 2.6.18 and 2.6.24 generations.

Read in drivers/md/{linear,raid0,raid1,raid10,md,bitmap}.c. The generations share the drivers; what
differs is ``issue_flush_fn``, which 2.6.24 no longer has (it sends an empty barrier bio instead).
"""

from collections.abc import Mapping
from dataclasses import replace

from blockstack.base.calls import Path
from blockstack.kinds.model import Calls, Worker

MD = "drivers/md/md.c"
BITMAP = "drivers/md/bitmap.c"
OLD = ("2.6.18", "2.6.24")
#: md_register_thread runs every personality's thread function in md_thread (drivers/md/md.c)
THREAD = ("@kthread", "kthread?", ">md_thread")

#: A bio that straddles a chunk or a device becomes a bio_pair, whose halves complete through it
#: (fs/bio.c; 2.6.24 inlines bio_pair_release there). An uncut bio is remapped in place and keeps
#: its own bi_end_io: no frames at all.
_PAIR_ENDIO = {
    "2.6.18": Path(("bio_pair_end_2", "bio_pair_release"), files=("fs/bio.c",)),
    "2.6.24": Path(("bio_pair_end_2",), files=("fs/bio.c",)),
}
_STRADDLE = (
    "Through and completion are those of a bio that straddles a chunk or a device: it is "
    "one page long (merge_bvec_fn keeps larger ones from straddling) and is cut in two "
    "(fs/bio.c bio_split). An uncut bio is remapped without a frame."
)
#: raid1.c alloc_behind_pages and what follows it
_BEHIND = tuple(
    ("make_request", callee, "write-behind: needs a bitmap and a write-mostly member")
    for callee in (
        "alloc_behind_pages",
        "__kzalloc",
        "__kmalloc",
        "__alloc_pages",
        "put_page",
        "kfree",
    )
)
#: what raid1d and raid10d do beside the queued writes
_REPAIR = tuple(
    (thread, callee, why)
    for thread in ("raid1d", "raid10d")
    for callee, why in (
        ("sync_page_io", "rewrites what could not be read"),
        ("md_check_recovery", "the superblock's own write is options['superblock']"),
    )
)


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


def superblock_path(thread: str, files: tuple[str, ...], root: tuple[str, ...] = THREAD) -> Path:
    """The array's thread marks the superblock dirty or clean before it serves bios.

    md_write_start asks for it on the first write after a quiet spell (safemode_delay).
    """
    return Path(
        (*root, f">{thread}", "md_check_recovery"),
        files=files,
        cuts=(*BITMAP_CUTS, ("ops_run_io", "md_check_recovery", "only to write the bad block log")),
    )


def _unplug(*via: str, file: str) -> Path:
    """unplug_fn: blk_unplug is a function of its own in 2.6.24, a pointer call in 2.6.18."""
    return Path((*via, "blk_unplug?"), files=(file, "block/ll_rw_blk.c"))


def _remapper(name: str, gen: str) -> Calls:
    """md linear and md raid0: return-1 remaps, bio_pair for what straddles."""
    file = f"drivers/md/{name}.c"
    has_flush = gen == "2.6.18"
    return Calls(
        submit=Path((f">{name}_make_request",), files=(file,)),
        endio=_PAIR_ENDIO[gen],
        flush=Path((f"{name}_issue_flush",), files=(file,)) if has_flush else None,
        unplug=_unplug(f"{name}_unplug", file=file),
        split="loop",
        immediate=True,
        # a barrier is refused with -EOPNOTSUPP at the top of make_request
        ops=("read", "write", "flush") if has_flush else ("read", "write"),
        options={"self_function": f"{name}_make_request"},
        note=_STRADDLE,
    )


def _mirrored_endio(name: str, files: tuple[str, ...]) -> Path:
    """The deeper of the read's and the write's end_io, up to the upper bio's bio_endio."""
    return Path(
        (f"raid_end_bio_io@{files[0]}",),
        files=files,
        cuts=FOUND,
        edges=(
            ("bio_endio", f"{name}_end_read_request"),
            ("bio_endio", f"{name}_end_write_request"),
        ),
    )


def _mirrored(name: str, gen: str, *, barriers: bool, bitmap: bool) -> Calls:
    """md raid1 and raid10: reads in the caller, writes (and barriers) on raid1d or raid10d.

    All writes are put on ``conf->pending_bio_list`` and submitted by the array's thread, with a
    bitmap or without (2.6.18: the direct loop is compiled out).
    """
    file = f"drivers/md/{name}.c"
    files = (file, MD, BITMAP) if bitmap else (file, MD)
    deepest = ("bitmap_unplug",) if bitmap else ()  # the bits reach the disk before the data
    thread = Worker(
        f"{name}d",
        Path((*THREAD, f">{name}d", *deepest), files=files, cuts=(*_REPAIR, *BITMAP_CUTS)),
    )
    has_flush = gen == "2.6.18"
    queued = ["write"]
    if barriers:  # 2.6.24: a flush is an empty barrier bio, mirrored like a write
        queued += ["fua"] if has_flush else ["fua", "flush"]
    return Calls(
        submit=Path((f">make_request@{file}",), files=files, cuts=_BEHIND),
        worker=dict.fromkeys(queued, thread),
        endio=_mirrored_endio(name, files),
        flush=Path((f"{name}_issue_flush",), files=(file,)) if has_flush else None,
        unplug=_unplug(f"{name}_unplug", f"unplug_slaves@{file}", file=file),
        split="loop",
        ops=(
            "read",
            "write",
            *(("flush",) if has_flush or barriers else ()),
            *(("fua",) if barriers else ()),
        ),
        options={"superblock": superblock_path(f"{name}d", files)},
    )


def raid1_old(*, bitmap: bool = False) -> Mapping[str, Calls]:
    """md raid1: takes barriers as long as every member does (mddev->barriers_work)."""
    return {gen: _mirrored("raid1", gen, barriers=True, bitmap=bitmap) for gen in OLD}


def raid10_old(*, bitmap: bool = False) -> Mapping[str, Calls]:
    """md raid10: refuses barriers; a bio that straddles a chunk is cut in two by a self-call.

    Unlike raid0's, that self-call submits by itself: it is on the stack from two pieces on.
    """
    calls = {}
    for gen in OLD:
        base = _mirrored("raid10", gen, barriers=False, bitmap=bitmap)
        options = {
            **base.options,
            "self_function": "make_request@drivers/md/raid10.c",
            "self_from_pieces": 2,
        }
        calls[gen] = replace(
            base,
            options=options,
            note=(
                "Through is that of an uncut bio. One that straddles a chunk (one page long) is "
                "cut "
                "in two, each half handled by a self-call, one frame of make_request deeper, and "
                "completes through a bio_pair."
            ),
        )
    return calls


LINEAR_OLD: Mapping[str, Calls] = {gen: _remapper("linear", gen) for gen in OLD}
RAID0_OLD: Mapping[str, Calls] = {gen: _remapper("raid0", gen) for gen in OLD}
