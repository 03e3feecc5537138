"""Device mapper targets for tests: flakey, zero."""

from dataclasses import replace

import blockstack.kinds.dm.common as dm
from blockstack.base.calls import Path
from blockstack.kinds.model import Calls, Kind

_FLAKEY: dm.Cuts = (
    ("flakey_map", "bio_endio", "only while the device is down (drop_writes, error_writes)"),
)

# dm-zero.c: map fills the clone and ends it at once
_ZERO_V6_1 = Path(
    (
        ">dm_submit_bio",
        "__map_bio",
        ">zero_map",
        "bio_endio",
        ">clone_endio@drivers/md/dm.c",
        "__dm_io_complete",
    ),
    files=(*dm.CORE, dm.MD + "dm-zero.c"),
    cuts=dm.RW_CUTS,
)
_ZERO_V2_6 = Path(
    (
        ">dm_request",
        "__split_bio",
        "__map_bio",
        ">zero_map",
        "bio_endio",
        ">clone_endio@drivers/md/dm.c",
        "dec_pending@drivers/md/dm.c",
    ),
    files=(*dm.CORE, dm.MD + "dm-zero.c"),
)
_ZERO_CALLS_V6_1 = Calls(
    submit=_ZERO_V6_1, inline_completion=True, split="front", ops=("read", "write")
)
_ZERO_CALLS_V2_6 = replace(_ZERO_CALLS_V6_1, submit=_ZERO_V2_6, split="loop")
TESTING_KINDS = (
    Kind(
        "dm-flakey",
        "stacked",
        "remap",
        (1, 1),
        "dm flakey target, while it is up",
        verb="dm",
        calls={
            "6.1": dm.remapping(
                "flakey_map",
                "dm-flakey.c",
                cuts=_FLAKEY,
                ends=(("clone_endio@drivers/md/dm.c", "flakey_end_io"),),
            )
        },
    ),
    Kind(
        "dm-zero",
        "leaf",
        "leaf",
        (0, 0),
        "dm zero target: completes inside the submit call",
        verb="dm",
        calls={"2.6.18": _ZERO_CALLS_V2_6, "2.6.24": _ZERO_CALLS_V2_6, "6.1": _ZERO_CALLS_V6_1},
    ),
)
