"""NVMe disks on PCI (since 3.3: in 6.1 only)."""

from blockstack.base.calls import Path
from blockstack.kinds.disks.common import LUN, SIZE, mq_calls
from blockstack.kinds.model import Kind
from blockstack.kinds.shared.dma import DMA_CUTS, DMA_EDGES, DMA_FILES
from blockstack.kinds.shared.requests import MQ_CUTS, Cuts, mq_path

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
NVME = Kind(
    "nvme",
    "leaf",
    "leaf",
    (0, 0),
    "NVMe disk on PCI",
    params=(SIZE, LUN),
    verb="nvme",
    calls={
        "6.1": mq_calls(
            mq_path(
                "nvme_queue_rq",
                ("nvme_prep_rq", "nvme_map_data?"),
                _NVME_FILES,
                queue_rqs="nvme_queue_rqs",
                edges=DMA_EDGES,
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
