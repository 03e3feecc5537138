"""Paths that all device mapper targets share, and how a target's own are made from them.

Every target is called by dm.c through its ``map`` function, and every lower bio that dm made
itself completes through dm.c's ``clone_endio``; the targets differ in what ``map`` calls.
"""

from collections.abc import Iterable, Mapping

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Worker

Cuts = tuple[tuple[str, str, str], ...]
Edges = tuple[tuple[str, str], ...]

MD = "drivers/md/"
CORE = (MD + "dm.c", MD + "dm-table.c")

# What `Calls.note` says of fua on 6.1
FUA = (
    "6.1: the flush of a preflush+FUA write goes down in the caller, its data from kdmflush "
    "(dm_io_complete, dm.c): counted in the caller, whose stack is the deeper one"
)

# ---- 2.6.18 and 2.6.24: dm_request clones all the pieces of a bio in one call ----

_CUTS_V2_6: Cuts = tuple(
    ("dm_table_put", callee, "the last reference: only when dmsetup replaces the table meanwhile")
    for callee in ("table_destroy", "kfree", "vfree", "free_devices", "dm_put_target_type")
)
ENDIO_V2_6 = Path(("clone_endio@drivers/md/dm.c", "dec_pending@drivers/md/dm.c"), files=CORE)
#: issue_flush_fn, which 2.6.24 no longer has
FLUSH_V2_6: Mapping[str, Path] = {
    "2.6.18": Path(("dm_flush_all", "dm_table_flush_all"), files=CORE, cuts=_CUTS_V2_6)
}
#: 2.6.24 has blk_unplug between dm and the lower queue's unplug_fn (block/ll_rw_blk.c)
UNPLUG_V2_6: Mapping[str, Path] = {
    generation: Path(
        ("dm_unplug_all", "dm_table_unplug_all", *between), files=CORE, cuts=_CUTS_V2_6
    )
    for generation, between in (("2.6.18", ()), ("2.6.24", ("blk_unplug",)))
}


def map_v2_6(
    target: str,
    *own: str,
    files: Iterable[str] = (),
    others: tuple[str, ...] = (),
    edges: Edges = (),
    cuts: Cuts = (),
) -> Path:
    """dm_request to the target's ``map`` function and, when ``own`` names functions, on through
    these to the submit; without ``own``, __map_bio submits the remapped clone. ``files`` lie in
    drivers/md, ``others`` elsewhere."""
    via: tuple[str, ...] = (">dm_request", "__split_bio", "__map_bio")
    if own:
        via += (">" + target, *own)
    elif not any(caller == "__map_bio" for caller, _ in edges):
        edges = (("__map_bio", target), *edges)
    return Path(
        via, edges=edges, files=(*CORE, *(MD + f for f in files), *others), cuts=_CUTS_V2_6 + cuts
    )


def worker_v2_6(
    name: str,
    work: str,
    *own: str,
    files: Iterable[str] = (),
    edges: Edges = (),
    cuts: Cuts = (),
    per_device: bool = False,
) -> Worker:
    """A workqueue of kernels to 2.6.3x: one thread, kernel/workqueue.c calls the work function."""
    via = ("@kthread", "kthread?", ">worker_thread", "run_workqueue", ">" + work, *own)
    return Worker(
        name,
        Path(via, edges=edges, files=("kernel/workqueue.c", *(MD + f for f in files)), cuts=cuts),
        per_device,
    )


# ---- 6.1: dm_submit_bio maps the front piece and resubmits the rest ----

_FLUSH_ONLY = ("dm_submit_bio", "__send_empty_flush", "only for REQ_PREFLUSH (dm.c 6.1)")
_ABNORMAL = "only for discard, secure erase, write zeroes (is_abnormal_io, dm.c 6.1)"
_NO_ZONES: Cuts = tuple(
    (caller, callee, "only on a zoned device that needs zone append emulation (dm.c 6.1)")
    for caller, callee in (
        ("__map_bio", "dm_zone_map_bio"),
        ("clone_endio", "dm_zone_endio"),
        ("clone_endio", "dm_is_zone_write"),
        ("__dm_io_complete", "dm_is_zone_write"),
    )
)
_CUTS_V6_1: Cuts = (
    *_NO_ZONES,
    ("*", "dm_stats_account_io", "only after dmsetup message @stats_create"),
    ("*", "__set_swap_bios_limit", "only when a target's limit_swap_bios changed"),
    ("dm_submit_bio", "queue_work_on", "only while the device is suspended"),
)
_STARTS = ("dm_io_acct", "bdev_end_io_acct", "only at completion")
_ENDS = ("dm_io_acct", "bdev_start_io_acct", "only at submission")
RW_CUTS: Cuts = (
    *_CUTS_V6_1,
    _STARTS,
    _FLUSH_ONLY,
    ("dm_submit_bio", "__send_duplicate_bios", _ABNORMAL),
    ("dm_submit_bio", "bio_split_to_limits", _ABNORMAL),
)
DISCARD_CUTS: Cuts = (*_CUTS_V6_1, _STARTS, _FLUSH_ONLY)
FLUSH_CUTS: Cuts = (*_CUTS_V6_1, _STARTS, ("dm_submit_bio", "bio_split_to_limits", _ABNORMAL))
ENDIO_V6_1 = Path(
    ("clone_endio@drivers/md/dm.c", "__dm_io_complete"), files=CORE, cuts=(*_CUTS_V6_1, _ENDS)
)


def map_v6_1(
    target: str,
    *own: str,
    op: str = "read",
    files: Iterable[str] = (),
    others: tuple[str, ...] = (),
    edges: Edges = (),
    cuts: Cuts = (),
    remaps: bool = True,
) -> Path:
    """dm_submit_bio to the target's ``map`` function and on to the submit.

    Parameters
    ----------
    target : str
        The ``map`` function.
    own : str
        Further functions when the target submits by itself (DM_MAPIO_SUBMITTED); without them
        __map_bio submits the remapped clone (DM_MAPIO_REMAPPED).
    op : {"read", "write", "discard", "flush"}
        A flush goes through __send_empty_flush, which sends one to every device of every target;
        REQ_PREFLUSH with data does so first, and the data follow from kdmflush's stack.
    remaps : bool
        False: ``map`` may also submit by itself; the deeper way counts.
    """
    via: tuple[str, ...] = (">dm_submit_bio",)
    if op == "flush":
        via += ("__send_empty_flush",)
    via += ("__map_bio",)
    if own:
        via += (">" + target, *own)
    else:
        edges = (("__map_bio", target), *edges)
        via += ("dm_submit_bio_remap",) if remaps else ()
    base = {"discard": DISCARD_CUTS, "flush": FLUSH_CUTS}.get(op, RW_CUTS)
    return Path(
        via, edges=edges, files=(*CORE, *(MD + f for f in files), *others), cuts=base + cuts
    )


#: kcopyd's work function, one of several of this name: tables tell it by its module or its file
KCOPYD = "do_work@dm_mod|do_work@drivers/md/dm-kcopyd.c"


def worker_v6_1(
    name: str,
    work: str,
    *own: str,
    files: Iterable[str] = (),
    edges: Edges = (),
    cuts: Cuts = (),
    per_device: bool = True,
) -> Worker:
    """A workqueue of 6.1: a kworker, kernel/workqueue.c calls the work function."""
    via = ("@kthread", "kthread", ">worker_thread", "process_one_work", ">" + work, *own)
    return Worker(
        name,
        Path(
            via,
            edges=edges,
            files=("kernel/workqueue.c", "kernel/kthread.c", *(MD + f for f in files)),
            cuts=cuts,
        ),
        per_device,
    )


def remapping(
    target: str,
    *files: str,
    cuts: Cuts = (),
    edges: Edges = (),
    ends: Edges = (),
    worker: Worker | None = None,
    worker_ops: tuple[str, ...] = (),
    note: str = "",
) -> Calls:
    """A target of 6.1 whose ``map`` leaves the submit to dm.c, some operations to a worker.

    ``ends`` are the indirect calls of ``clone_endio`` (the target's ``end_io``).
    """
    paths = {
        op: map_v6_1(target, op=op, files=files, cuts=cuts, edges=edges)
        for op in ("read", "discard", "flush")
    }
    endio = Path(
        ENDIO_V6_1.via, edges=ends, cuts=ENDIO_V6_1.cuts, files=(*CORE, *(MD + f for f in files))
    )
    return Calls(
        submit=paths["read"],
        submit_ops={"discard": paths["discard"], "flush": paths["flush"], "fua": paths["flush"]},
        worker=dict.fromkeys(worker_ops, worker) if worker else {},
        endio=endio,
        split="front",
        ops=OPS,
        note=f"{note}; {FUA}" if note else FUA,
    )
