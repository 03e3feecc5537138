"""Kernels between the generations, of which the queue limits were read, and nothing else.

From 2.6.30 to 5.8 no kind has anchors: void make_request_fn, and request queues without blk-mq.
Hosts that run them show their limits all the same.
"""

from collections.abc import Mapping

from blockstack.base.units import UINT_MAX, USHRT_MAX
from blockstack.generations.model import StackRules

UNLIMITED_3_10 = {
    "max_segments": USHRT_MAX,
    "max_hw_sectors": UINT_MAX,
    "max_segment_size": UINT_MAX,
    "max_sectors": UINT_MAX,
}
UNLIMITED = UNLIMITED_3_10 | {
    "max_dev_sectors": UINT_MAX,
    "max_discard_segments": USHRT_MAX,
    "max_write_zeroes_sectors": UINT_MAX,
}
_NOT_IN_3_10 = frozenset(
    {
        "virt_boundary_mask",
        "max_dev_sectors",
        "max_discard_segments",
        "max_write_zeroes_sectors",
        "chunk_sectors",
        "dma_alignment",
        "max_hw_discard_sectors",
    }
)

LIMITS_BETWEEN: Mapping[str, StackRules] = {
    "3.10": StackRules(
        "3.10 blk-settings.c",
        1024,
        modulo=False,
        hw_discard=False,
        lacks=_NOT_IN_3_10,
        start=UNLIMITED_3_10,
    ),
    # a 4.19 tree was read; a captured 4.16 host agrees with it
    "4.16": StackRules(
        "4.19 blk-settings.c",
        2560,
        chunk="min",
        lacks=frozenset({"dma_alignment"}),
        start=UNLIMITED,
    ),
}
