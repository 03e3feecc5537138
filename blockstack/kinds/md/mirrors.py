"""md raid1 and raid10.

Read in drivers/md/{raid1,raid10}.c of 2.6.18 and 2.6.24, drivers/md/{raid1,raid1-10,raid10}.c of
6.1 and 6.12.
"""

from collections.abc import Mapping
from dataclasses import replace

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.md.common import (
    BITMAP_CUTS,
    BITMAP_V2_6,
    BITMAP_V6_1,
    ENDWRITE,
    ENTRY,
    FLUSH_NOTE,
    FLUSH_WORKER,
    FOUND,
    MD,
    NOT_DISCARD,
    THREAD_V2_6,
    THREAD_V6_1,
    V2_6,
    after_flush,
    calls_v6_12,
    superblock_path,
    unplug_v2_6,
    with_bitmap,
)
from blockstack.kinds.md.params import chunk, layout
from blockstack.kinds.model import Calls, Param, Worker
from blockstack.kinds.records import SelfCall

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
        ("md_check_recovery", "the superblock's own write is a thread of its own"),
    )
)


def _endio_v2_6(name: str, files: tuple[str, ...]) -> Path:
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


def _calls_v2_6(name: str, gen: str, *, barriers: bool, bitmap: bool) -> Calls:
    """md raid1 and raid10: reads in the caller, writes (and barriers) on raid1d or raid10d.

    All writes are put on ``conf->pending_bio_list`` and submitted by the array's thread, with a
    bitmap or without (2.6.18: the direct loop is compiled out).
    """
    file = f"drivers/md/{name}.c"
    files = (file, MD, BITMAP_V2_6) if bitmap else (file, MD)
    deepest = ("bitmap_unplug",) if bitmap else ()  # the bits reach the disk before the data
    thread = Worker(
        f"{name}d",
        Path((*THREAD_V2_6, f">{name}d", *deepest), files=files, cuts=(*_REPAIR, *BITMAP_CUTS)),
    )
    has_flush = gen == "2.6.18"
    queued = ["write"]
    if barriers:  # 2.6.24: a flush is an empty barrier bio, mirrored like a write
        queued += ["fua"] if has_flush else ["fua", "flush"]
    return Calls(
        submit=Path((f">make_request@{file}",), files=files, cuts=_BEHIND),
        worker=dict.fromkeys(queued, thread),
        endio=_endio_v2_6(name, files),
        flush=Path((f"{name}_issue_flush",), files=(file,)) if has_flush else None,
        unplug=unplug_v2_6(f"{name}_unplug", f"unplug_slaves@{file}", file=file),
        split="loop",
        ops=(
            "read",
            "write",
            *(("flush",) if has_flush or barriers else ()),
            *(("fua",) if barriers else ()),
        ),
        threads={"superblock write": superblock_path(f"{name}d", files)},
    )


def _raid1_v2_6(*, bitmap: bool) -> Mapping[str, Calls]:
    """md raid1: takes barriers as long as every member does (mddev->barriers_work)."""
    return {gen: _calls_v2_6("raid1", gen, barriers=True, bitmap=bitmap) for gen in V2_6}


def _raid10_v2_6(*, bitmap: bool) -> Mapping[str, Calls]:
    """md raid10: refuses barriers; a bio that straddles a chunk is cut in two by a self-call.

    Unlike raid0's, that self-call submits by itself: it is on the stack from two pieces on.
    """
    calls = {}
    for gen in V2_6:
        base = _calls_v2_6("raid10", gen, barriers=False, bitmap=bitmap)
        calls[gen] = replace(
            base,
            self_call=SelfCall("make_request@drivers/md/raid10.c", submits_inside=True),
            note=(
                "Through is that of an uncut bio. One that straddles a chunk (one page long) is "
                "cut "
                "in two, each half handled by a self-call, one frame of make_request deeper, and "
                "completes through a bio_pair."
            ),
        )
    return calls


def _endio_v6_1(name: str, *via: str, bitmap: bool) -> Path:
    """The deeper of the read's and the write's end_io, up to the upper bio's bio_endio."""
    return Path(
        via,
        files=(*_files(name), *((BITMAP_V6_1,) if bitmap else ())),
        cuts=FOUND,
        edges=(
            ("bio_endio", f"{name}_end_read_request"),
            ("bio_endio", f"{name}_end_write_request"),
        ),
    )


def _files(name: str) -> tuple[str, ...]:
    """raid1-10.c is included by both; the table names what both define by its module."""
    return (f"drivers/md/{name}.c", f"drivers/md/[{name}.ko]", "drivers/md/raid1-10.c")


def _unbuffered(name: str, write: tuple[str, ...], discard: tuple[str, ...], endio: Path) -> Calls:
    """Without a bitmap every write is submitted by its caller.

    drivers/md/raid1-10.c raid1_add_bio_to_plug since 6.1.39 (and 6.5): no bitmap has to reach the
    disk first, so raid1_submit_write is called at once. ``write`` leads from make_request to it.
    """
    files = (MD, *_files(name))
    entry = (*ENTRY, f">{name}_make_request")
    no_read = (f"{name}_make_request", f"{name}_read_request", "reads only")
    only_writes = (NOT_DISCARD, no_read)
    path = Path((*entry, *write), files=files, cuts=only_writes)
    flushed = after_flush((f">{name}_make_request", *write), files, only_writes)
    return Calls(
        submit=Path((*entry, f"{name}_read_request"), files=files, cuts=(NOT_DISCARD,)),
        submit_ops={
            "write": path,
            "fua": path,
            "flush": path,
            "discard": Path((*entry, *discard), files=files, cuts=(no_read,)) if discard else path,
        },
        worker={"flush": flushed, "fua": flushed},
        endio=endio,
        ops=OPS,
        split="rest",
        threads={
            "superblock write": superblock_path(
                f"{name}d", ("kernel/kthread.c", *files), THREAD_V6_1
            )
        },
        note=FLUSH_NOTE,
    )


def _pending(name: str, pending: tuple[str, ...], discard: tuple[str, ...], endio: Path) -> Calls:
    """With a bitmap writes are left to the plug or to the array's thread.

    ``pending`` leads from the thread to the submission, ``discard`` from make_request to that of
    a discard (empty: discards are mirrored like writes).
    """
    files = (MD, BITMAP_V6_1, *_files(name))
    thread_files = ("kernel/kthread.c", *files)
    deepest = (*pending, "md_bitmap_unplug")  # the bits reach the disk before the data
    thread = Worker(
        f"{name}d",
        Path(
            (*THREAD_V6_1, f">{name}d", *deepest),
            files=thread_files,
            cuts=(
                *BITMAP_CUTS,
                (f"{name}d", "freeze_array", "only to repair what could not be read or written"),
            ),
        ),
    )
    plain = _unbuffered(name, (), discard, endio)
    write = replace(
        plain.submit_ops["write"], files=files, cuts=(*plain.submit_ops["write"].cuts, *ENDWRITE)
    )
    ops = {**plain.submit_ops, "write": write, "fua": write, "flush": write}
    worker = {"write": thread, "fua": thread, "flush": FLUSH_WORKER}
    if not discard:
        worker["discard"] = thread
    return replace(
        plain,
        submit_ops=ops,
        worker=worker,
        plugged=Path(
            ("blk_finish_plug", "__blk_flush_plug", f">{name}_unplug"),
            files=files,
            cuts=BITMAP_CUTS,
        ),
        note=f"{name}_unplug submits plugged writes in the stack of blk_finish_plug unless the "
        f"task is about to sleep or a bio list is active; then {name}d does. The simulation "
        f"takes {name}d; both are bounded.",
    )


def _raid1_v6_1(*, bitmap: bool) -> Calls:
    """md raid1: discards are mirrored writes. raid1_write_request is inlined."""
    endio = _endio_v6_1("raid1", "raid_end_bio_io", "call_bio_endio", bitmap=bitmap)
    if bitmap:
        pending = ("flush_pending_writes", "flush_bio_list")
        return _pending("raid1", pending, (), endio)
    return _unbuffered("raid1", (), (), endio)


def _raid10_v6_1(*, bitmap: bool) -> Calls:
    """md raid10: raid10_handle_discard sends discards of a stripe or more from the caller."""
    endio = _endio_v6_1("raid10", "raid_end_bio_io@raid10", bitmap=bitmap)
    discard = ("md_submit_discard_bio",)
    if bitmap:
        return _pending("raid10", ("flush_pending_writes@raid10",), discard, endio)
    return _unbuffered("raid10", ("raid10_write_one_disk",), discard, endio)


def raid1_calls(*, bitmap: bool) -> Mapping[str, Calls]:
    """Call paths of raid1 in every generation."""
    v6_1 = _raid1_v6_1(bitmap=bitmap)
    return {
        **_raid1_v2_6(bitmap=bitmap),
        # raid1.c 5.10: every write waits for the plug or the thread, with a bitmap or without
        "5.10": _raid1_v6_1(bitmap=True),
        "6.1": v6_1,
        "6.12": calls_v6_12(v6_1, clones=True),
    }


def raid10_calls(*, bitmap: bool) -> Mapping[str, Calls]:
    """Call paths of raid10 in every generation."""
    v6_1 = _raid10_v6_1(bitmap=bitmap)
    return {
        **_raid10_v2_6(bitmap=bitmap),
        "5.10": _raid10_v6_1(bitmap=True),
        "6.1": v6_1,
        "6.12": calls_v6_12(v6_1, clones=True),
    }


RAID1 = with_bitmap(
    "md-raid1", "mirror", 1, "md raid1: mirrors; writes go on in raid1d", calls=raid1_calls
)
RAID10 = with_bitmap(
    "md-raid10",
    "raid10",
    2,
    "md raid10: striped copies, near, far or offset",
    params=(
        chunk(power_of_two=True),
        Param("layout", layout, "n2", 'copies: "n2" near, "f2" far, "o2" offset'),
    ),
    calls=raid10_calls,
)
