"""dm-multipath: bio-based (the only way to 2.6.3x, ``queue_mode bio`` since) and request-based.

A request-based dm device has a queue and a scheduler of its own; its ->queue_rq clones the whole
request and issues the clone to the path's disk in the same stack (drivers/md/dm-rq.c map_request,
block/blk-mq.c blk_insert_cloned_request, 6.1). No bio is submitted again, so that nothing is
serialised: the disk's ->queue_rq lies on top of dm's.
"""

from dataclasses import replace

import blockstack.kinds.dm.common as dm
from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import choice
from blockstack.kinds.shared.requests import MQ_CUTS, NOT_A_FLUSH, mq_path, with_cuts

_QUEUED = "only while no path is usable: all are taken to work"
_FILES = ("dm-mpath.c", "dm-ps-service-time.c", "dm-ps-round-robin.c", "dm-ps-queue-length.c")
# choose_pgpath calls the path selector: service-time by default, the others as widely used
_SELECTORS: dm.Edges = tuple(
    (caller, f"{selector}_select_path")
    for selector in ("st", "rr", "ql")
    for caller in ("choose_pgpath", "choose_path_in_pg")
)
_WORKING: dm.Cuts = (
    ("*", "__multipath_queue_bio", _QUEUED),
    ("*", "multipath_queue_bio", _QUEUED),
    ("*", "__pg_init_all_paths", "only when a path group is activated"),
    ("*", "scsi_dh_activate", "only when a path group is activated"),
)

_BIO = dm.remapping(
    "multipath_map_bio",
    *_FILES,
    cuts=_WORKING,
    edges=_SELECTORS,
    ends=(("clone_endio@drivers/md/dm.c", "multipath_end_io_bio"),),
    note="bio-based (queue_mode bio), all paths usable",
)

_CLONES: dm.Cuts = (
    ("dm_mq_queue_rq", "dm_requeue_original_request", _QUEUED),
    ("dm_mq_queue_rq", "dm_stats_account_io", "only after dmsetup message @stats_create"),
    ("dm_mq_queue_rq", "blk_rq_unprep_clone", "only when the path's disk refuses the request"),
    ("dm_mq_queue_rq", "blk_mq_complete_request", "only for a request that failed"),
    ("dm_mq_queue_rq", "dm_get_live_table", "an immutable target: md->immutable_target is set"),
)
# 6.1 issues from the first of these; the others stand in where a build has inlined or lost it
_ISSUE = "__blk_mq_try_issue_directly|__blk_mq_issue_directly|blk_mq_request_issue_directly"
_SUBMIT = mq_path(
    "dm_mq_queue_rq",
    ("blk_insert_cloned_request", _ISSUE),
    (*dm.CORE, dm.MD + "dm-rq.c", *(dm.MD + file for file in _FILES)),
    edges=(
        ("dm_mq_queue_rq", "multipath_clone_and_map"),
        ("dm_mq_queue_rq", "multipath_busy"),
        *_SELECTORS,
    ),
    cuts=(*_WORKING, *_CLONES),
)
# the clone's request ends its bios first (end_clone_bio), which ends the original's
_ENDIO = Path(("end_clone_bio", "blk_update_request"), files=(dm.MD + "dm-rq.c",), cuts=MQ_CUTS)
# then BLOCK_SOFTIRQ ends the original request (dm_complete_request: one hardware queue)
_COMPLETION = Path(
    (
        "@softirq",
        "__do_softirq",
        "handle_softirqs?",
        ">blk_done_softirq",
        "blk_complete_reqs",
        ">dm_softirq_done",
        "blk_mq_end_request",
        "blk_update_request",
        "bio_endio",
    ),
    edges=(("dm_softirq_done", "multipath_end_io"), ("dm_softirq_done", "multipath_release_clone")),
    files=(dm.MD + "dm-rq.c", dm.MD + "dm-mpath.c", "kernel/softirq.c"),
    cuts=(*MQ_CUTS, ("dm_softirq_done", "dm_requeue_original_request", _QUEUED)),
)
_REQUESTS = Calls(
    submit=with_cuts(_SUBMIT, NOT_A_FLUSH),
    submit_ops={"flush": _SUBMIT, "fua": _SUBMIT},
    endio=_ENDIO,
    completion=_COMPLETION,
    split="front",
    ops=OPS,
    issues_clones=True,
    note="request-based (the default queue_mode), all paths usable; mq-deadline on dm's own queue",
)


def _calls_v2_6(generation: str) -> Calls:
    """2.6.18 and 2.6.24: map_io picks a path, dm.c submits the clone."""
    files = ("dm-mpath.c", "dm-round-robin.c")
    path = dm.map_v2_6(
        "multipath_map",
        files=files,
        edges=(
            ("__choose_path_in_pg", "rr_select_path"),
            ("__choose_pgpath", "rr_select_path"),
            ("map_io", "rr_select_path"),
        ),
    )
    endio = replace(
        dm.ENDIO_V2_6,
        edges=(("clone_endio@drivers/md/dm.c", "multipath_end_io"),),
        files=(*dm.CORE, dm.MD + "dm-mpath.c"),
        cuts=(("multipath_end_io", "fail_path", "only for a path that fails"),),
    )
    return Calls(
        submit=path,
        endio=endio,
        flush=dm.FLUSH_V2_6.get(generation),
        unplug=dm.UNPLUG_V2_6[generation],
        ops=("read", "write", "flush", "fua") if generation in dm.FLUSH_V2_6 else ("read", "write"),
        note="bio-based, as always to 2.6.30; all paths usable",
    )


_V2_6 = {generation: _calls_v2_6(generation) for generation in dm.UNPLUG_V2_6}

MULTIPATH_KINDS = (
    Kind(
        "dm-multipath",
        "stacked",
        "paths",
        (1, None),
        "dm multipath target over the paths of its active group",
        verb="dm",
        params=(
            Param(
                "queue_mode",
                choice("rq", "bio"),
                "rq",
                "rq: requests are cloned (the default of 6.1); bio: bios are, as always to 2.6.30",
            ),
        ),
        calls={**_V2_6, "6.1": _REQUESTS},
        variant="queue_mode",
        variants={"rq": {**_V2_6, "6.1": _REQUESTS}, "bio": {**_V2_6, "6.1": _BIO}},
    ),
)
