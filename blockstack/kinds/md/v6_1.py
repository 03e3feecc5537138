"""md linear, raid0, raid1 and raid10 in kernels of the 6.1 generation.

Read in drivers/md/{md,md-linear,raid0,raid1,raid1-10,raid10,md-bitmap}.c.
"""

from collections.abc import Mapping
from dataclasses import replace

from blockstack.base.calls import Path
from blockstack.kinds.md.v2_6 import BITMAP_CUTS, ENDWRITE, FOUND, superblock_path
from blockstack.kinds.model import Calls, Split, Worker

MD = "drivers/md/md.c"
BITMAP = "drivers/md/md-bitmap.c"
ENTRY = (">md_submit_bio", "md_handle_request")
THREAD = ("@kthread", "kthread", ">md_thread")
THREAD_FILES = ("kernel/kthread.c", MD)
OPS = ("read", "write", "flush", "discard", "fua")
_KWORKER = ("@kthread", "kthread", ">worker_thread", "process_one_work")
_KWORKER_FILES = ("kernel/kthread.c", "kernel/workqueue.c", MD)

#: md_flush_request queues submit_flushes on md_wq: it sends an empty flush to every member
FLUSH_WORKER = Worker(
    "md", Path((*_KWORKER, ">submit_flushes", "submit_bio"), files=_KWORKER_FILES)
)
_FLUSH_NOTE = (
    "Flush and FUA go through md_wq; the path given is the deeper one, that of a write "
    "whose preflush is done (an empty flush is sent from submit_flushes)."
)
_NOT_DISCARD = ("*", "md_submit_discard_bio", "discards only")


def _flushed(
    personality: tuple[str, ...],
    files: tuple[str, ...],
    cuts: tuple[tuple[str, str, str], ...] = (_NOT_DISCARD,),
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


def _remapper(
    file: str, personality: tuple[str, ...], discard: tuple[str, ...], endio: Path, split: Split
) -> Calls:
    """md linear and raid0: everything in the caller, except what waits for a flush."""
    files = (MD, file)
    worker = _flushed(personality, (file,))
    return Calls(
        submit=Path((*ENTRY, *personality), files=files, cuts=(_NOT_DISCARD,)),
        submit_ops={"discard": Path((*ENTRY, *discard), files=files)},
        worker={"flush": worker, "fua": worker},
        endio=endio,
        ops=OPS,
        split=split,
        note=_FLUSH_NOTE,
    )


#: md linear does not account: the bio keeps its own bi_end_io, no frames of md in a completion
LINEAR = _remapper(
    "drivers/md/md-linear.c", (">linear_make_request",), (">linear_make_request",), Path(()), "rest"
)
#: raid0_make_request cuts at the chunk and maps the rest before the front; a bio that was cut
#: completes through bio_chain_endio, which bio_endio flattens
RAID0 = _remapper(
    "drivers/md/raid0.c",
    (">raid0_make_request", "raid0_map_submit_bio"),
    (">raid0_make_request", "raid0_handle_discard?", "md_submit_discard_bio"),
    Path(("md_end_io_acct",), files=(MD,)),
    "rest-mapped",
)


def _endio(name: str, *via: str, bitmap: bool) -> Path:
    """The deeper of the read's and the write's end_io, up to the upper bio's bio_endio."""
    return Path(
        via,
        files=(*_files(name), *((BITMAP,) if bitmap else ())),
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
    only_writes = (_NOT_DISCARD, no_read)
    path = Path((*entry, *write), files=files, cuts=only_writes)
    flushed = _flushed((f">{name}_make_request", *write), files, only_writes)
    return Calls(
        submit=Path((*entry, f"{name}_read_request"), files=files, cuts=(_NOT_DISCARD,)),
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
        options={"superblock": superblock_path(f"{name}d", ("kernel/kthread.c", *files), THREAD)},
        note=_FLUSH_NOTE,
    )


def _with_bitmap(
    name: str, pending: tuple[str, ...], discard: tuple[str, ...], endio: Path
) -> Calls:
    """With a bitmap writes are left to the plug or to the array's thread.

    ``pending`` leads from the thread to the submission, ``discard`` from make_request to that of
    a discard (empty: discards are mirrored like writes).
    """
    files = (MD, BITMAP, *_files(name))
    thread_files = ("kernel/kthread.c", *files)
    deepest = (*pending, "md_bitmap_unplug")  # the bits reach the disk before the data
    thread = Worker(
        f"{name}d",
        Path(
            (*THREAD, f">{name}d", *deepest),
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
        options={
            **plain.options,
            "plugged": Path(
                ("blk_finish_plug", "__blk_flush_plug", f">{name}_unplug"),
                files=files,
                cuts=BITMAP_CUTS,
            ),
        },
        note=f"{name}_unplug submits plugged writes in the stack of blk_finish_plug unless the "
        f"task is about to sleep or a bio list is active; then {name}d does. The simulation "
        f"takes {name}d; both are bounded.",
    )


def raid1_new(*, bitmap: bool = False) -> Mapping[str, Calls]:
    """md raid1: discards are mirrored writes. raid1_write_request is inlined."""
    endio = _endio("raid1", "raid_end_bio_io", "call_bio_endio", bitmap=bitmap)
    if bitmap:
        pending = ("flush_pending_writes", "flush_bio_list")
        return {"6.1": _with_bitmap("raid1", pending, (), endio)}
    return {"6.1": _unbuffered("raid1", (), (), endio)}


def raid10_new(*, bitmap: bool = False) -> Mapping[str, Calls]:
    """md raid10: raid10_handle_discard sends discards of a stripe or more from the caller."""
    endio = _endio("raid10", "raid_end_bio_io@raid10", bitmap=bitmap)
    discard = ("md_submit_discard_bio",)
    if bitmap:
        return {"6.1": _with_bitmap("raid10", ("flush_pending_writes@raid10",), discard, endio)}
    return {"6.1": _unbuffered("raid10", ("raid10_write_one_disk",), discard, endio)}
