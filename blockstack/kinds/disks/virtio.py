"""virtio-blk: the block device of a virtual machine."""

from blockstack.base.calls import Path
from blockstack.kinds.disks.common import SIZE, mq_calls
from blockstack.kinds.model import Kind
from blockstack.kinds.shared.dma import DMA_CUTS, DMA_EDGES, DMA_FILES
from blockstack.kinds.shared.requests import MQ_CUTS, SPLIT_RING, mq_path

_VIRTIO_FILES = ("drivers/block/virtio_blk.c", "drivers/virtio/virtio_ring.c", *DMA_FILES)
VIRTIO_BLK = Kind(
    "virtio-blk",
    "leaf",
    "leaf",
    (0, 0),
    "virtio block device of a virtual machine",
    params=(SIZE,),
    verb="virtio_blk",
    # 2.6.24 has a virtio_blk of its first form, which no shipped table holds
    calls={
        "6.1": mq_calls(
            mq_path(
                "virtio_queue_rq",
                ("virtblk_add_req", "virtqueue_add_sgs"),
                _VIRTIO_FILES,
                queue_rqs="virtio_queue_rqs",
                edges=(("__sg_alloc_table", "sg_pool_alloc"), *DMA_EDGES),
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
