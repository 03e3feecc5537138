"""Pieces of call path that all request-based drivers share: elevator, plug, dispatch.

The paths begin at the function that the block layer calls for such a disk (``__make_request`` to
2.6.24, ``blk_mq_submit_bio`` in 6.1) and end at the driver's own entry.
"""

from dataclasses import replace

from blockstack.base.calls import Anchor, Path

Edges = tuple[tuple[str, str], ...]
Cuts = tuple[tuple[str, str, str], ...]

# block/Kconfig.iosched of 2.6.18 and 2.6.24: CFQ is the default scheduler
_CFQ_EDGES: Edges = (
    ("elv_merge", "cfq_merge"),
    ("elv_merged_request", "cfq_merged_request"),
    ("elv_merge_requests", "cfq_merged_requests"),
    ("elv_may_queue", "cfq_may_queue"),
    ("elv_set_request", "cfq_set_request"),
    ("elv_put_request", "cfq_put_request"),
    ("elv_insert", "cfq_insert_request"),
    ("elv_next_request", "cfq_dispatch_requests"),
    ("elv_next_request", "cfq_activate_request"),
    ("elv_drain_elevator", "cfq_dispatch_requests"),
    ("elv_former_request", "cfq_former_request?"),  # 2.6.18
    ("elv_latter_request", "cfq_latter_request?"),
    ("elv_former_request", "elv_rb_former_request?"),  # 2.6.24
    ("elv_latter_request", "elv_rb_latter_request?"),
    ("elv_completed_request", "cfq_completed_request"),
    ("elv_queue_empty", "cfq_queue_empty"),
)

REQUEST_CUTS_V2_6: Cuts = (
    ("__make_request", "bio_endio", "only for a barrier that the queue refuses"),
    ("elv_next_request", "end_that_request_*", "only for a request that prep_fn killed"),
    ("elv_next_request", "end_queued_request", "only for a request that prep_fn killed"),
    ("blk_do_ordered", "elv_insert", "only a barrier, and at the front: list operations"),
    ("queue_flush", "elv_insert", "only a barrier, and at the front: list operations"),
    ("elv_requeue_request", "elv_insert", "only after a refusal, at the front: list operations"),
    ("blk_do_ordered", "end_that_request_*", "only for a barrier that ends in error"),
    ("blk_do_ordered", "__end_that_request_first", "only for a barrier that ends in error"),
    ("elv_completed_request", "blk_ordered_complete_seq", "only at the end of a barrier"),
    ("blk_ordered_complete_seq", "end_that_request_*", "only at the end of a barrier"),
    ("blk_ordered_complete_seq", "__end_that_request_first", "only at the end of a barrier"),
)

# 6.1: mq-deadline is the default of a disk with one hardware queue (block/elevator.c,
# elevator_get_default); writeback throttling is on in Debian's kernels (CONFIG_BLK_WBT_MQ).
MQ_EDGES: Edges = (
    ("blk_mq_sched_bio_merge", "dd_bio_merge"),
    ("blk_mq_sched_insert_request", "dd_insert_requests"),
    ("blk_mq_sched_insert_requests", "dd_insert_requests"),
    ("blk_mq_do_dispatch_sched", "dd_dispatch_request"),
    ("elv_merge", "dd_request_merge"),
    ("elv_merged_request", "dd_request_merged"),
    ("elv_merge_requests", "dd_merged_requests"),
    ("__rq_qos_throttle", "wbt_wait"),
)

MQ_CUTS: Cuts = (
    ("blk_mq_submit_bio", "bio_endio", "only for a bio whose integrity data cannot be had"),
    ("*", "blk_mq_requeue_request", "only when the driver refuses the request"),
    ("*", "__blk_mq_requeue_request", "only when the driver refuses the request"),
    ("blk_mq_dispatch_rq_list", "__blk_mq_end_request", "only for a request that failed"),
    ("blk_mq_dispatch_rq_list", "blk_update_request", "only for a request that failed"),
    ("blk_mq_try_issue_directly", "__blk_mq_end_request", "only for a request that failed"),
    ("blk_mq_try_issue_directly", "blk_update_request", "only for a request that failed"),
    ("blk_mq_plug_issue_direct", "__blk_mq_end_request", "only for a request that failed"),
    ("blk_mq_plug_issue_direct", "blk_update_request", "only for a request that failed"),
    ("blk_mq_try_issue_list_directly", "blk_update_request", "only for a request that failed"),
    # block/blk-mq.c 6.1: these pass async = true or a delay: kblockd runs the queue
    # async = true in 6.1, 6.12.117 and 7.3.4: block/blk-mq.c, block/blk-mq-sched.c
    ("blk_mq_dispatch_rq_list", "blk_mq_run_hw_queue", "asynchronous: kblockd runs the queue"),
    ("blk_mq_dispatch_rq_list", "__blk_mq_delay_run_hw_queue", "delayed: kblockd"),
    ("*", "blk_mq_delay_run_hw_queue", "delayed: kblockd runs the queue"),
    ("*", "blk_mq_delay_run_hw_queues", "delayed: kblockd runs the queue"),
    ("blk_mq_sched_dispatch_requests", "blk_mq_run_hw_queue", "asynchronous: kblockd"),
    ("__blk_mq_sched_restart", "blk_mq_run_hw_queue", "asynchronous: kblockd"),
    ("blk_mq_sched_insert_request", "blk_mq_request_bypass_insert", "passes run_queue = false"),
    (
        "blk_mq_sched_insert_requests",
        "blk_mq_try_issue_list_directly",
        "only without a scheduler: the model's disks have mq-deadline, the default",
    ),
    ("blk_mq_flush_plug_list", "blk_mq_plug_issue_direct", "only without a scheduler"),
    (
        "__blk_mq_try_issue_directly",
        "blk_mq_sched_insert_request",
        "from a plug's list bypass_insert is set; without a plug only when SCSI has no budget "
        "left, "
        "and then the queue is run as a plug flush runs it",
    ),
)

#: 6.1: a bio that is neither flush nor FUA (block/blk-mq.c blk_mq_submit_bio, op_is_flush)
NOT_A_FLUSH: Cuts = (
    ("blk_mq_submit_bio", "blk_insert_flush", "only for flush and FUA (op_is_flush)"),
)

#: virtio 1.1's packed rings are an option of the hypervisor (VIRTIO_F_RING_PACKED), off in QEMU
SPLIT_RING: Cuts = (
    ("virtqueue_add_sgs", "virtqueue_add_packed", "only with VIRTIO_F_RING_PACKED"),
    # drivers/virtio/virtio_ring.c 6.1 vring_use_dma_api: else sg_phys is taken as it is
    *(
        (
            caller,
            "dma_map_page_attrs",
            "only with VIRTIO_F_ACCESS_PLATFORM (encrypted guests) [iommu=none, swiotlb=false]",
        )
        for caller in (
            "virtqueue_add_sgs",
            "virtqueue_add_split",
            "vring_map_one_sg",
            "vring_map_single",
        )
    ),
    *(
        (caller, "virtqueue_kick", "only after 65,535 buffers without a kick: rings are shorter")
        for caller in ("virtqueue_add_sgs", "virtqueue_add_split")
    ),
    *(
        (caller, "vring_unmap_*", "only when a buffer cannot be mapped")
        for caller in ("virtqueue_add_sgs", "virtqueue_add_split")
    ),
)


def request_path_v2_6(
    via: tuple[str, ...],
    files: tuple[str, ...],
    *,
    edges: Edges = (),
    cuts: Cuts = (),
    entry: str = "__make_request",
) -> Path:
    """A request-based disk to 2.6.24: elevator, then the queue is unplugged.

    Parameters
    ----------
    entry : str
        Where the block layer enters: ``__make_request``, or ``generic_unplug_device`` for the
        queue's unplug_fn.
    via : tuple of str
        The driver's anchors from its ``request_fn`` on.
    """
    request_fn = Anchor.read(via[0]).names[0]
    # q->request_fn is called by __generic_unplug_device and where gcc inlined it; CFQ starts an
    # idle queue by itself (2.6.18 block/cfq-iosched.c cfq_crq_enqueued; 2.6.24 blk_start_queueing)
    unplug = tuple(
        (caller, request_fn)
        for caller in (
            "__make_request",
            "get_request_wait",
            "generic_unplug_device",
            "__generic_unplug_device",
            "cfq_insert_request",
            "blk_start_queueing?",
            "blk_run_queue",
        )
    )
    return Path(
        (">" + entry, *via),
        _CFQ_EDGES + unplug + edges,
        ("block/cfq-iosched.c", *files),
        REQUEST_CUTS_V2_6 + cuts,
    )


#: drivers/iommu/generic_pt/iommu_pt.h (7.3): __map_range goes down one level of the I/O page table
#: by itself; amdv1.h has six (PT_MAX_TOP_LEVEL 5), of which the lowest is __map_range_leaf's
_CLIMBS = (("__map_range", 4),)


def mq_path(
    queue_rq: str,
    via: tuple[str, ...],
    files: tuple[str, ...],
    *,
    queue_rqs: str = "",
    edges: Edges = (),
    cuts: Cuts = (),
) -> Path:
    """A blk-mq disk of 6.1: plug flush, direct issue or a run of the hardware queue.

    Parameters
    ----------
    queue_rq : str
        The driver's ->queue_rq.
    via : tuple of str
        Anchors after it.
    queue_rqs : str
        ->queue_rqs (batches from a plug), when the driver has it.
    """
    issue = [("__blk_mq_try_issue_directly", queue_rq)]
    if queue_rqs:
        issue.append(("blk_mq_flush_plug_list", queue_rqs))
    return Path(
        ("blk_mq_submit_bio", "blk_mq_dispatch_rq_list", ">" + queue_rq, *via),
        MQ_EDGES + tuple(issue) + edges,
        files,
        MQ_CUTS + cuts,
        climbs=_CLIMBS,
    )


def unscheduled(
    queue_rq: str,
    via: tuple[str, ...],
    files: tuple[str, ...],
    *,
    edges: Edges = (),
    cuts: Cuts = (),
) -> Path:
    """A blk-mq disk of 6.1 without a scheduler: requests are issued directly, from the plug's
    flush or one by one."""
    kept = tuple(cut for cut in MQ_CUTS if "only without a scheduler" not in cut[2])
    own = tuple((a, b) for a, b in MQ_EDGES if not b.startswith("dd_"))
    issue = (("__blk_mq_try_issue_directly", queue_rq), ("blk_mq_dispatch_rq_list", queue_rq))
    return Path(
        ("blk_mq_submit_bio", "__blk_mq_try_issue_directly", ">" + queue_rq, *via),
        own + issue + edges,
        files,
        kept + cuts,
    )


def with_cuts(path: Path, cuts: Cuts) -> Path:
    """The same path for an op that cannot take some calls."""
    return replace(path, cuts=path.cuts + cuts)
