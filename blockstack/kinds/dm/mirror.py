"""dm-mirror: writes go to every leg from kmirrord, through dm-io."""

import blockstack.kinds.dm.common as dm
from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind

_FILES_V2_6 = ("dm-raid1.c", "dm-io.c")
_NOTE = (
    "the region log is kept in memory (core log); a bio is not cut at region "
    "boundaries; reads of regions out of sync (then kmirrord) are left out"
)
_NO_RECOVERY: dm.Cuts = tuple(
    ("*", callee, "recovery of regions out of sync: the mirror is taken to be in sync")
    for callee in ("kcopyd_copy", "dm_kcopyd_copy", "recover")
)


def _calls_v2_6(generation: str, work: str, io: str) -> Calls:
    """Reads of clean regions in the caller; writes on kmirrord through dm-io (dm-raid1.c), which
    drops the barrier of a write: so fua is not passed on."""
    worker = dm.worker_v2_6("kmirrord", work, io, files=_FILES_V2_6, cuts=_NO_RECOVERY)
    # dm-io's bios end in dm-io.c, then the mirror's write_callback ends dm's own clone
    endio = Path(
        (
            "endio@drivers/md/dm-io.c|endio",
            "dec_count",
            ">write_callback",
            "bio_endio",
            ">clone_endio@drivers/md/dm.c",
            "dec_pending@drivers/md/dm.c",
        ),
        files=(*dm.CORE, *(dm.MD + f for f in _FILES_V2_6)),
    )
    return Calls(
        submit=dm.map_v2_6("mirror_map", files=_FILES_V2_6),
        worker={"write": worker},
        endio=endio,
        unplug=dm.UNPLUG_V2_6[generation],
        flush=dm.FLUSH_V2_6.get(generation),
        ops=("read", "write", "flush") if generation in dm.FLUSH_V2_6 else ("read", "write"),
        note=_NOTE,
    )


# a USB gadget has a do_write, too
_DO_WRITE = "do_write@drivers/md/dm-raid1.c|do_write@dm_mirror|do_write"


def _calls_v6_1() -> Calls:
    """6.1: as before, with the region hash in dm-region-hash.c; kmirrord is a workqueue."""
    files = ("dm-raid1.c", "dm-region-hash.c", "dm-io.c", "[dm_mirror.ko]", "[dm_mod.ko]")
    sync = (("dm_io", "sync_io", "do_write passes a callback: dm-io does not wait"),)
    worker = dm.worker_v6_1(
        "kmirrord", "do_mirror", _DO_WRITE, "dm_io", files=files, cuts=_NO_RECOVERY + sync
    )
    endio = Path(
        (
            "endio@drivers/md/dm-io.c|endio@dm_mod|endio",
            "dec_count",
            ">write_callback",
            "bio_endio",
            ">clone_endio@drivers/md/dm.c",
            "__dm_io_complete",
        ),
        files=(*dm.CORE, *(dm.MD + f for f in files)),
        cuts=dm.ENDIO_V6_1.cuts,
    )
    return Calls(
        submit=dm.map_v6_1("mirror_map", files=files),
        submit_ops={
            op: dm.map_v6_1("mirror_map", op=path, files=files)
            for op, path in (("flush", "flush"), ("fua", "flush"), ("discard", "discard"))
        },
        worker=dict.fromkeys(("write", "flush", "fua", "discard"), worker),
        endio=endio,
        split="front",
        ops=OPS,
        note=f"{_NOTE}; {dm.FUA}",
    )


MIRROR = Kind(
    "dm-mirror",
    "stacked",
    "mirror",
    (2, 9),
    "dm mirror target: writes go to every member from kmirrord",
    verb="dm",
    calls={
        "2.6.18": _calls_v2_6(
            "2.6.18", "do_work@drivers/md/dm-raid1.c|do_work", "dm_io_async_bvec"
        ),
        "2.6.24": _calls_v2_6("2.6.24", "do_mirror@drivers/md/dm-raid1.c|do_mirror", "dm_io"),
        "6.1": _calls_v6_1(),
    },
)
