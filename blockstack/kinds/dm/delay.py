"""dm-delay: every bio waits for a timer."""

import blockstack.kinds.dm.common as dm
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import duration_ns

# delay_bio puts every bio on a list; a timer wakes kdelayd, which submits (dm-delay.c)
_KDELAYD_V2_6_24 = dm.worker_v2_6("kdelayd", "flush_expired_bios", files=("dm-delay.c",))
_KDELAYD_V6_1 = dm.worker_v6_1(
    "kdelayd", "flush_expired_bios", "dm_submit_bio_remap", files=("dm-delay.c", "dm.c")
)
_DELAY = {
    "2.6.24": Calls(
        submit=dm.map_v2_6("delay_map", files=("dm-delay.c",)),
        worker={"read": _KDELAYD_V2_6_24, "write": _KDELAYD_V2_6_24},
        endio=dm.ENDIO_V2_6,
        unplug=dm.UNPLUG_V2_6["2.6.24"],
        ops=("read", "write"),
        note="the delay is not zero",
    ),
    "6.1": dm.remapping(
        "delay_map",
        "dm-delay.c",
        worker=_KDELAYD_V6_1,
        worker_ops=OPS,
        note="the delay is not zero",
    ),
}
DELAY = Kind(
    "dm-delay",
    "stacked",
    "remap",
    (1, 1),
    "dm delay target: every bio waits for a timer",
    verb="dm",
    params=(Param("delay", duration_ns, 0, 'how long each bio waits, e.g. "50 ms"; 0: not told'),),
    calls=_DELAY,
)
