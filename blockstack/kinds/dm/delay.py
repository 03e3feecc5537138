"""dm-delay: every bio waits for a timer."""

import blockstack.kinds.dm.common as dm
from blockstack.kinds.model import Calls, Kind

_OPS = ("read", "write", "flush", "discard", "fua")

# delay_bio puts every bio on a list; a timer wakes kdelayd, which submits (dm-delay.c)
_DELAY_24 = dm.old_worker("kdelayd", "flush_expired_bios", files=("dm-delay.c",))
_DELAY_NEW = dm.new_worker(
    "kdelayd", "flush_expired_bios", "dm_submit_bio_remap", files=("dm-delay.c", "dm.c")
)
_DELAY = {
    "2.6.24": Calls(
        submit=dm.old_map("delay_map", files=("dm-delay.c",)),
        worker={"read": _DELAY_24, "write": _DELAY_24},
        endio=dm.OLD_ENDIO,
        unplug=dm.OLD_UNPLUG_24,
        ops=("read", "write"),
        note="the delay is not zero",
    ),
    "6.1": dm.remapping(
        "delay_map", "dm-delay.c", worker=_DELAY_NEW, worker_ops=_OPS, note="the delay is not zero"
    ),
}
DELAY = Kind(
    "dm-delay",
    "stacked",
    "remap",
    (1, 1),
    "dm delay target: every bio waits for a timer",
    verb="dm",
    calls=_DELAY,
)
