"""What disks have in common: a capacity, and blk-mq's flush machinery."""

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.model import REQUIRED, Calls, Param
from blockstack.kinds.params import sectors, text
from blockstack.kinds.shared.requests import NOT_A_FLUSH, with_cuts


def mq_calls(
    path: Path,
    completion: Path | None,
    ops: tuple[str, ...] = OPS,
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


SIZE = Param("size", sectors(), REQUIRED, "capacity of the disk")
LUN = Param(
    "lun", text, "", "the unit behind a path: devices with the same `lun` share its medium in time"
)
