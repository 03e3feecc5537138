"""Leaves: devices at which a bio ends in this machine."""

from dataclasses import replace

from blockstack.kinds.disks.scsi import SCSI
from blockstack.kinds.model import REQUIRED, Calls, Kind, Param, Path
from blockstack.kinds.params import choice, sectors
from blockstack.kinds.shared.requests import (
    DMA_CUTS,
    DMA_FILES,
    MQ_CUTS,
    NOT_A_FLUSH,
    SPLIT_RING,
    Cuts,
    mq_path,
    unscheduled,
    with_cuts,
)

_ALL_OPS = ("read", "write", "flush", "discard", "fua")
_SIZE = Param("size", sectors(), REQUIRED, "capacity of the disk")


def _mq_calls(
    path: Path,
    completion: Path | None,
    ops: tuple[str, ...] = _ALL_OPS,
    *,
    inline: bool = False,
    note: str = "",
) -> Calls:
    """A blk-mq leaf of 6.1: only flush and FUA go through the flush machinery."""
    return Calls(
        submit=with_cuts(path, NOT_A_FLUSH),
        submit_ops={"flush": path, "fua": path},
        ops=ops,
        completion=completion,
        inline_completion=inline,
        note=note,
    )


# --- NVMe over PCI (since 3.3: in 6.1 only) ------------------------------------------------------
_NVME_FILES = ("drivers/nvme/host/pci.c", "drivers/nvme/host/core.c", *DMA_FILES)
_NVME_CUTS: Cuts = (
    *DMA_CUTS,
    ("nvme_queue_rq", "nvme_fail_nonready_command", "only while the controller is being reset"),
    ("nvme_prep_rq", "nvme_unmap_data", "only when a request cannot be mapped"),
    ("nvme_prep_rq", "nvme_free_*", "only when a request cannot be mapped"),
    ("nvme_prep_rq", "nvme_cleanup_cmd", "only when a request cannot be mapped"),
    ("nvme_poll_cq", "nvme_complete_async_event", "only for asynchronous events"),
    ("nvme_complete_rq", "nvme_failover_req", "only with several paths, on a path error"),
)
_NVME = Kind(
    "nvme",
    "leaf",
    "leaf",
    (0, 0),
    "NVMe disk on PCI",
    params=(_SIZE,),
    verb="nvme",
    calls={
        "6.1": _mq_calls(
            mq_path(
                "nvme_queue_rq",
                ("nvme_prep_rq", "nvme_map_data?"),
                _NVME_FILES,
                queue_rqs="nvme_queue_rqs",
                cuts=_NVME_CUTS,
            ),
            # nvme_irq completes in place on the CPU's interrupt stack (threaded interrupts are off)
            Path(
                (
                    "@hardirq",
                    "common_interrupt",
                    "__common_interrupt?",
                    ">handle_edge_irq",
                    "handle_irq_event",
                    "__handle_irq_event_percpu",
                    ">nvme_irq",
                    "bio_endio",
                ),
                files=(*_NVME_FILES, "arch/x86/kernel/irq.c", "kernel/irq/"),
                cuts=MQ_CUTS + _NVME_CUTS,
            ),
        )
    },
)

# --- virtio-blk ------------------------------------------------------------------------------
_VIRTIO_FILES = ("drivers/block/virtio_blk.c", "drivers/virtio/virtio_ring.c", *DMA_FILES)
_VIRTIO_NOTE = "2.6.24 has a virtio_blk of its first form, which no shipped table holds"
_VIRTIO_BLK = Kind(
    "virtio-blk",
    "leaf",
    "leaf",
    (0, 0),
    "virtio block device of a virtual machine",
    params=(_SIZE,),
    verb="virtio_blk",
    calls={
        "6.1": _mq_calls(
            mq_path(
                "virtio_queue_rq",
                ("virtblk_add_req", "virtqueue_add_sgs"),
                _VIRTIO_FILES,
                queue_rqs="virtio_queue_rqs",
                edges=(("__sg_alloc_table", "sg_pool_alloc"),),
                cuts=SPLIT_RING + DMA_CUTS,
            ),
            Path(
                (
                    "@hardirq",
                    "common_interrupt",
                    "__common_interrupt?",
                    ">handle_edge_irq",
                    "handle_irq_event",
                    "__handle_irq_event_percpu",
                    ">vring_interrupt",
                    ">virtblk_done",
                    "blk_mq_complete_request",
                    ">virtblk_request_done",
                    "blk_mq_end_request",
                    "blk_update_request",
                    "bio_endio",
                ),
                files=(*_VIRTIO_FILES, "arch/x86/kernel/irq.c", "kernel/irq/"),
                cuts=MQ_CUTS,
            ),
        )
    },
)

# --- RAM disks: complete inside the submit call --------------------------------------------------
_RAM_FILES = ("drivers/block/rd.c", "mm/filemap.c", "lib/radix-tree.c")
_RAM_OLD = Calls(
    submit=Path((">rd_make_request",), files=_RAM_FILES),
    inline_completion=True,
    ops=("read", "write"),
    note="rd.c of 2.6.18 and 2.6.24 answers to the name: brd.c came with 2.6.25",
)
_BRD_SUBMIT = Path((">brd_submit_bio",), files=("drivers/block/brd.c", "lib/radix-tree.c"))
_BRD = Kind(
    "brd",
    "leaf",
    "leaf",
    (0, 0),
    "RAM disk: completes inside the submit call",
    params=(_SIZE,),
    verb="brd",
    calls={
        "2.6.18": _RAM_OLD,
        "2.6.24": _RAM_OLD,
        # drivers/block/brd.c 6.1: no cache to flush; a flush bio is empty and ends at once
        "6.1": Calls(
            submit=_BRD_SUBMIT,
            submit_ops={
                "read": with_cuts(
                    _BRD_SUBMIT, (("brd_do_bvec", "brd_insert_page", "only for writes"),)
                )
            },
            ops=_ALL_OPS,
            inline_completion=True,
        ),
    },
)

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
    # null_validate_conf: memory_backed sets blocking, BLK_MQ_F_BLOCKING
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
        ops=_ALL_OPS,
        inline_completion=True,
    )


def _null_mq(path: Path) -> Calls:
    calls = _mq_calls(path, None, inline=True)
    return replace(
        calls, submit_ops={**calls.submit_ops, "read": with_cuts(path, NOT_A_FLUSH + _READS)}
    )


_NULL_MODES = {
    "bio": {"6.1": _null_bio(_NULL_BIO)},
    "bio-memory": {"6.1": _null_bio(_NULL_BIO_MEMORY)},
    "mq": {"6.1": _null_mq(_NULL_MQ)},
    "mq-memory": {"6.1": _null_mq(with_cuts(_NULL_MQ_MEMORY, _ASYNC_RUN))},
}
_NULL_BLK = Kind(
    "null_blk",
    "leaf",
    "leaf",
    (0, 0),
    "null block device: completes inside the submit call",
    params=(
        _SIZE,
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

_ZRAM = Kind(
    "zram",
    "leaf",
    "leaf",
    (0, 0),
    "compressed RAM disk: completes inside the submit call",
    params=(_SIZE,),
    verb="zram",
    calls={
        "6.1": Calls(
            submit=Path(
                (">zram_submit_bio",),
                edges=(
                    ("crypto_comp_compress", "lzorle_compress"),
                    ("crypto_comp_decompress", "lzorle_decompress"),
                ),
                files=(
                    "drivers/block/zram/zram_drv.c",
                    "drivers/block/zram/zcomp.c",
                    "crypto/compress.c",
                    "crypto/lzo-rle.c",
                    "lib/lzo/",
                ),
                cuts=tuple(
                    ("__zram_bvec_read", callee, "only with a backing device")
                    for callee in ("submit_bio", "submit_bio_wait", "bio_*")
                ),
            ),
            ops=("read", "write", "discard"),
            inline_completion=True,
            note="compressor lzo-rle, Debian's CONFIG_ZRAM_DEF_COMP",
        )
    },
)

# --- Partition: a remap in the block core, no frames of its own -----------------------------------
#: through 0: the core adds the start sector and goes on in the same frame (generic_make_request's
#: blk_partition_remap to 2.6.24; submit_bio_noacct in 6.1); shares its disk's queue
_PARTITION_CALLS = Calls(submit=None, immediate=True, ops=_ALL_OPS)
_PARTITION_OLD = Calls(submit=None, immediate=True, ops=("read", "write", "flush", "fua"))
_PARTITION = Kind(
    "partition",
    "stacked",
    "remap",
    (1, 1),
    "partition of a disk: shares the disk's queue",
    params=(
        Param("start", sectors(0), REQUIRED, "first sector on the disk"),
        Param("size", sectors(), None, "length; absent: to the disk's end"),
    ),
    calls={"2.6.18": _PARTITION_OLD, "2.6.24": _PARTITION_OLD, "6.1": _PARTITION_CALLS},
    verb="partition",
)

LEAF_KINDS: tuple[Kind, ...] = (SCSI, _NVME, _VIRTIO_BLK, _BRD, _NULL_BLK, _ZRAM, _PARTITION)
