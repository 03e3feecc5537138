"""md in kernels of the 6.12 generation: what it does otherwise than in 6.1.

Read in drivers/md/{md,raid0,raid1,raid1-10,raid10,raid5}.c of Linux 6.12.117: md_flush_request
sends the flushes in the caller's stack (submit_flushes and md_wq are gone), raid1 and raid10
account for every bio by a clone (md_account_bio), whose end is one bio_endio more, and a full plug
is unplugged where the last bio was added to it (raid1_add_bio_to_plug).
"""

from collections.abc import Mapping
from dataclasses import replace

from blockstack.base.calls import Path
from blockstack.kinds.md.v6_1 import ENTRY, MD
from blockstack.kinds.model import Calls

#: bio_endio of the clone, then of the upper bio
_CLONE_ENDS = ("bio_endio", ">md_end_clone_io")
_NOTE = "A flush is sent from the caller's stack; so is a write that it precedes."
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


def later_md(
    calls: Mapping[str, Calls], *, clones: bool = False, endio: Path | None = None
) -> Mapping[str, Calls]:
    """A level's calls with those of 6.12 made from 6.1's.

    Parameters
    ----------
    clones : bool
        Whether 6.1 did not yet account by a clone.
    endio : Path, optional
        The completion, where 6.1 had none of md's own.
    """
    old = calls["6.1"]
    kept = {op: worker for op, worker in old.worker.items() if worker.name != "md"}
    endio = endio or old.endio
    if clones and endio is not None:
        endio = replace(endio, via=endio.via + _CLONE_ENDS, files=(*endio.files, MD))
    ops = {
        op: replace(path, edges=(*path.edges, *_UNPLUG)) if clones else path
        for op, path in old.submit_ops.items()
    } | {"flush": _flush(old)}
    return {**calls, "6.12": replace(old, worker=kept, submit_ops=ops, endio=endio, note=_NOTE)}
