"""Partitions: a remap in the block core, no frames of their own."""

from blockstack.base.registry import OPS
from blockstack.kinds.model import REQUIRED, Calls, Kind, Param
from blockstack.kinds.params import sectors

#: through 0: the core adds the start sector and goes on in the same frame (generic_make_request's
#: blk_partition_remap to 2.6.24; submit_bio_noacct in 6.1); shares its disk's queue
_CALLS_V6_1 = Calls(submit=None, immediate=True, ops=OPS)
_CALLS_V2_6 = Calls(submit=None, immediate=True, ops=("read", "write", "flush", "fua"))
PARTITION = Kind(
    "partition",
    "stacked",
    "remap",
    (1, 1),
    "partition of a disk: shares the disk's queue",
    params=(
        Param("start", sectors(0), REQUIRED, "first sector on the disk"),
        Param("size", sectors(), None, "length; absent: to the disk's end"),
    ),
    calls={"2.6.18": _CALLS_V2_6, "2.6.24": _CALLS_V2_6, "6.1": _CALLS_V6_1},
    verb="partition",
)
