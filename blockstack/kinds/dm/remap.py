"""Device mapper targets that only remap: linear, striped, switch."""

import blockstack.kinds.dm.common as dm
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import sectors

_BARRIER = "2.6.18 forwards a barrier (fua) like a write; 2.6.24 refuses it (dm_request, dm.c)"


def _remap(target: str, file: str, cuts: dict[str, dm.Cuts] | None = None) -> dict[str, Calls]:
    """linear and striped: ``map`` changes device and sector, dm.c submits the clone."""
    cuts = cuts or {}
    v2_6 = dm.map_v2_6(target, files=(file,))
    v6_1 = {
        op: dm.map_v6_1(target, op=op, files=(file,), cuts=cuts.get(op, ()))
        for op in ("read", "discard", "flush")
    }
    return {
        "2.6.18": Calls(
            submit=v2_6,
            endio=dm.ENDIO_V2_6,
            flush=dm.FLUSH_V2_6["2.6.18"],
            unplug=dm.UNPLUG_V2_6["2.6.18"],
            ops=("read", "write", "flush", "fua"),
            note=_BARRIER,
        ),
        "2.6.24": Calls(
            submit=v2_6,
            endio=dm.ENDIO_V2_6,
            unplug=dm.UNPLUG_V2_6["2.6.24"],
            ops=("read", "write"),
            note=_BARRIER,
        ),
        "6.1": Calls(
            submit=v6_1["read"],
            submit_ops={"discard": v6_1["discard"], "flush": v6_1["flush"], "fua": v6_1["flush"]},
            endio=dm.ENDIO_V6_1,
            split="front",
            ops=OPS,
            note=dm.FUA,
        ),
    }


# dm-stripe.c 6.1: only a discard (or a write zeroes) is mapped by range, and may end at once
_STRIPE_RANGE = ("stripe_map", "stripe_map_range_sector", "only for discard and write zeroes")
REMAP_KINDS = (
    Kind(
        "dm-linear",
        "stacked",
        "segments",
        (1, None),
        "dm linear target: maps ranges to devices",
        verb="dm",
        calls=_remap("linear_map", "dm-linear.c"),
    ),
    Kind(
        "dm-striped",
        "stacked",
        "segments",
        (1, None),
        "dm striped target: chunks go round the members",
        verb="dm",
        params=(
            Param(
                "chunk",
                sectors(least=8),
                128,
                "chunk size (kernels to 2.6.3x: a power of two); default 64 KiB, LVM's",
            ),
        ),
        calls=_remap(
            "stripe_map", "dm-stripe.c", {"read": (_STRIPE_RANGE,), "flush": (_STRIPE_RANGE,)}
        ),
    ),
    Kind(
        "dm-switch",
        "stacked",
        "paths",
        (1, None),
        "dm switch target: regions spread over paths",
        verb="dm",
        calls={"6.1": dm.remapping("switch_map", "dm-switch.c", "[dm_switch.ko]")},
    ),
)
