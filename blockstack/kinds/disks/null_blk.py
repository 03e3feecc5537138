"""null_blk: a device that does nothing, by bio or by request."""

from dataclasses import replace

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.disks.common import SIZE, mq_calls
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import choice
from blockstack.kinds.shared.requests import NOT_A_FLUSH, Cuts, unscheduled, with_cuts

_NULL_FILES = ("drivers/block/null_blk/main.c",)
_NULL_CUTS: Cuts = (
    ("null_handle_cmd", "null_process_zoned_cmd", "only for zoned devices"),
    ("*", "null_make_cache_space", "only with memory_backed and cache_size"),
    ("null_process_cmd", "badblocks_check", "only with badblocks configured"),
    ("null_handle_cmd", "blk_mq_start_stopped_hw_queues", "only with a bandwidth limit (mbps)"),
    ("null_handle_cmd", "blk_mq_stop_hw_queues", "only with a bandwidth limit (mbps)"),
    ("null_submit_bio", "io_schedule", "only when all commands are in use: sleeps"),
)
_NO_MEMORY: Cuts = (
    ("null_process_cmd", "null_transfer", "only with memory_backed"),
    ("null_process_cmd", "null_handle_discard", "only with memory_backed"),
)
_NULL_BIO_MEMORY = Path(
    (">null_submit_bio", "null_handle_cmd"),
    files=_NULL_FILES,
    cuts=(*_NULL_CUTS, ("end_cmd", "blk_mq_end_request", "only in multi-queue mode")),
)
_NULL_BIO = with_cuts(_NULL_BIO_MEMORY, _NO_MEMORY)
# drivers/block/null_blk/main.c 6.1: poll_queues=1 beside submit_queues=1 makes two hardware queues:
# no scheduler (elevator_get_default), a plug issues directly, and requests end in place
# (blk_mq_complete_request_remote raises the softirq for a single queue only)
_NULL_QUEUES: Cuts = (
    *_NULL_CUTS,
    ("end_cmd", "bio_endio", "only in bio mode"),
    ("__blk_mq_sched_dispatch_requests", "blk_mq_do_dispatch_sched", "no scheduler"),
)
_ASYNC_RUN: Cuts = (
    # null_validate_conf: memory_backed sets blocking, BLK_MQ_F_BLOCKING; read in 6.1
    # block/blk-mq.c. 6.12 and 7.3 have neither function: blk_mq_run_hw_queue dispatches at once
    ("__blk_mq_delay_run_hw_queue", "__blk_mq_run_hw_queue", "BLK_MQ_F_BLOCKING: kblockd runs it"),
)
_NULL_MQ_MEMORY = unscheduled(
    "null_queue_rq",
    ("null_handle_cmd",),
    _NULL_FILES,
    edges=(("blk_mq_complete_request", "null_complete_rq"),),
    cuts=_NULL_QUEUES,
)
_NULL_MQ = with_cuts(_NULL_MQ_MEMORY, _NO_MEMORY)
_READS: Cuts = (("null_transfer", "null_insert_page", "only for writes"),)


def _null_bio(path: Path) -> Calls:
    return Calls(
        submit=path,
        submit_ops={"read": with_cuts(path, _READS)},
        ops=OPS,
        inline_completion=True,
    )


def _null_mq(path: Path) -> Calls:
    calls = mq_calls(path, None, inline=True)
    return replace(
        calls, submit_ops={**calls.submit_ops, "read": with_cuts(path, NOT_A_FLUSH + _READS)}
    )


_NULL_MODES = {
    "bio": {"6.1": _null_bio(_NULL_BIO)},
    "bio-memory": {"6.1": _null_bio(_NULL_BIO_MEMORY)},
    "mq": {"6.1": _null_mq(_NULL_MQ)},
    "mq-memory": {"6.1": _null_mq(with_cuts(_NULL_MQ_MEMORY, _ASYNC_RUN))},
}
NULL_BLK = Kind(
    "null_blk",
    "leaf",
    "leaf",
    (0, 0),
    "null block device: completes inside the submit call",
    params=(
        SIZE,
        Param(
            "mode",
            choice("bio", "bio-memory", "mq", "mq-memory"),
            "mq",
            "queue_mode bio (0) or mq (2); bio-memory and mq-memory: with memory_backed=1",
        ),
    ),
    verb="null_blk",
    variant="mode",
    variants=_NULL_MODES,
    calls=_NULL_MODES["mq"],
)
