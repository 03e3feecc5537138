"""dm-raid: md's personalities below device mapper, as LVM uses them.

raid_map (drivers/md/dm-raid.c, 6.1) calls md_handle_request in place of md_submit_bio; the array's
threads are md's own, and behind md's bio dm's clone completes.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import blockstack.kinds.dm.common as dm
from blockstack.base.calls import Path
from blockstack.kinds.md.mirrors import raid1_calls, raid10_calls
from blockstack.kinds.md.params import BITMAP_WORDS, failed_members, layout
from blockstack.kinds.md.parity import parity_calls
from blockstack.kinds.md.striping import RAID0
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import choice, sectors


def under_dm(calls: Calls) -> Calls:
    """An md personality called by dm-raid: raid_map instead of md_submit_bio, and dm's own clone
    to complete behind md's bio (dm-raid.c, md_handle_request)."""

    def path(md: Path, op: str) -> Path:
        own = dm.map_v6_1("raid_map", "md_handle_request", op=op, files=("dm-raid.c",))
        return own.then(md.replace_via(md.via[2:]))

    def ends(md: Path) -> Path:
        goes_on = () if md.via[-1:] == ("bio_endio",) else ("bio_endio",)
        return Path(
            (*md.via, *goes_on, ">clone_endio@drivers/md/dm.c", "__dm_io_complete"),
            files=(*dm.CORE, *md.files),
            edges=md.edges,
            cuts=md.cuts + dm.ENDIO_V6_1.cuts,
        )

    assert calls.submit is not None and calls.endio is not None
    ops = {op: path(p, {"fua": "flush"}.get(op, op)) for op, p in calls.submit_ops.items()}
    return replace(
        calls,
        submit=path(calls.submit, "read"),
        submit_ops=ops,
        endio=ends(calls.endio),
        split="front",
        completion=None if calls.completion is None else ends(calls.completion),
        note=f"{calls.note} {dm.FUA}".strip(),
    )


_BITMAP = Param(
    "bitmap",
    choice(*BITMAP_WORDS),
    "internal",
    "write-intent bitmap on the metadata devices, as LVM has them; none without such",
)
_CHUNK = Param(
    "chunk",
    sectors(8, 2**31, multiple=8, power_of_two=True),
    128,
    "chunk size; default 64 KiB, LVM's",
)


def _below_dm(calls: Mapping[str, Calls]) -> Mapping[str, Calls]:
    """A level's calls in the generations that have dm-raid."""
    return {gen: under_dm(calls[gen]) for gen in ("5.10", "6.1", "6.12", "7.3") if gen in calls}


def _kind(
    level: int,
    mapping: str,
    least: int,
    calls: Callable[..., Mapping[str, Calls]],
    params: tuple[Param, ...] = (),
    most: int | None = None,
) -> Kind:
    variants = {word: _below_dm(calls(bitmap=word == "internal")) for word in BITMAP_WORDS}
    return Kind(
        f"dm-raid{level}",
        "stacked",
        mapping,
        (least, most),
        f"dm raid target, raid{level} (LVM's): md's below dm",
        verb="dm",
        params=(*params, _BITMAP),
        calls=variants["internal"],
        variant="bitmap",
        variants=variants,
    )


def _parity(level: int, least: int) -> Kind:
    def calls(*, bitmap: bool) -> Mapping[str, Calls]:
        return parity_calls(level, bitmap=bitmap)

    failed = Param(
        "failed", failed_members(2 if level == 6 else 1), (), "numbers of failed members, from 0"
    )
    return _kind(level, "raid456", least, calls, (_CHUNK, failed), most=63)


DM_RAID_KINDS = (
    Kind(
        "dm-raid0",
        "stacked",
        "stripe",
        (1, None),
        "dm raid target, raid0: md's below dm",
        verb="dm",
        params=(_CHUNK,),
        calls=_below_dm(RAID0.calls),
    ),
    _kind(1, "mirror", 2, raid1_calls),
    _parity(4, 2),
    _parity(5, 2),
    _parity(6, 4),
    _kind(
        10,
        "raid10",
        2,
        raid10_calls,
        (_CHUNK, Param("layout", layout, "n2", 'copies: "n2" near, "f2" far, "o2" offset')),
    ),
)
