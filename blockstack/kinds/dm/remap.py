"""Device mapper targets that only remap or copy: linear, striped, mirror."""

import blockstack.kinds.dm.common as dm
from blockstack.kinds.dm.caches import CACHED_KINDS
from blockstack.kinds.dm.crypt import CRYPT_KINDS
from blockstack.kinds.dm.more import MORE_KINDS
from blockstack.kinds.dm.multipath import MULTIPATH_KINDS
from blockstack.kinds.dm.raid import DM_RAID_KINDS
from blockstack.kinds.dm.snapshot import SNAPSHOT_KINDS
from blockstack.kinds.dm.targets import TARGET_KINDS
from blockstack.kinds.model import Calls, Kind, Param, Path
from blockstack.kinds.params import sectors

_BARRIER_18 = "2.6.18 forwards a barrier (fua) like a write; 2.6.24 refuses it (dm_request, dm.c)"


def _remap(target: str, file: str, cuts: dict[str, dm.Cuts] | None = None) -> dict[str, Calls]:
    """linear and striped: ``map`` changes device and sector, dm.c submits the clone."""
    cuts = cuts or {}
    old = dm.old_map(target, files=(file,))
    new = {
        op: dm.new_map(target, op=op, files=(file,), cuts=cuts.get(op, ()))
        for op in ("read", "discard", "flush")
    }
    return {
        "2.6.18": Calls(
            submit=old,
            endio=dm.OLD_ENDIO,
            flush=dm.OLD_FLUSH,
            unplug=dm.OLD_UNPLUG,
            ops=("read", "write", "flush", "fua"),
            note=_BARRIER_18,
        ),
        "2.6.24": Calls(
            submit=old,
            endio=dm.OLD_ENDIO,
            unplug=dm.OLD_UNPLUG_24,
            ops=("read", "write"),
            note=_BARRIER_18,
        ),
        "6.1": Calls(
            submit=new["read"],
            submit_ops={"discard": new["discard"], "flush": new["flush"], "fua": new["flush"]},
            endio=dm.NEW_ENDIO,
            split="front",
            ops=("read", "write", "flush", "discard", "fua"),
            note=dm.FUA,
        ),
    }


# dm-stripe.c 6.1: only a discard (or a write zeroes) is mapped by range, and may end at once
_STRIPE_RANGE = ("stripe_map", "stripe_map_range_sector", "only for discard and write zeroes")

_MIRROR_OLD_FILES = ("dm-raid1.c", "dm-io.c")
_MIRROR_NOTE = (
    "the region log is kept in memory (core log); a bio is not cut at region "
    "boundaries; reads of regions out of sync (then kmirrord) are left out"
)
_NO_RECOVERY: dm.Cuts = tuple(
    ("*", callee, "recovery of regions out of sync: the mirror is taken to be in sync")
    for callee in ("kcopyd_copy", "dm_kcopyd_copy", "recover")
)


def _mirror_old(work: str, io: str, *, late: bool) -> Calls:
    """Reads of clean regions in the caller; writes on kmirrord through dm-io (dm-raid1.c), which
    drops the barrier of a write: so fua is not passed on."""
    worker = dm.old_worker("kmirrord", work, io, files=_MIRROR_OLD_FILES, cuts=_NO_RECOVERY)
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
        files=(*dm.CORE, *(dm.MD + f for f in _MIRROR_OLD_FILES)),
    )
    return Calls(
        submit=dm.old_map("mirror_map", files=_MIRROR_OLD_FILES),
        worker={"write": worker},
        endio=endio,
        unplug=dm.OLD_UNPLUG_24 if late else dm.OLD_UNPLUG,
        flush=None if late else dm.OLD_FLUSH,
        ops=("read", "write") if late else ("read", "write", "flush"),
        note=_MIRROR_NOTE,
    )


def _mirror_new() -> Calls:
    """6.1: as before, with the region hash in dm-region-hash.c; kmirrord is a workqueue."""
    files = ("dm-raid1.c", "dm-region-hash.c", "dm-io.c", "[dm_mirror.ko]", "[dm_mod.ko]")
    sync = (("dm_io", "sync_io", "do_write passes a callback: dm-io does not wait"),)
    worker = dm.new_worker(
        "kmirrord", "do_mirror", "do_write", "dm_io", files=files, cuts=_NO_RECOVERY + sync
    )
    endio = Path(
        (
            "endio@drivers/md/dm-io.c|endio@dm_mod|endio",
            "dec_count",
            ">write_callback",
            "bio_endio",
            ">clone_endio",
            "__dm_io_complete",
        ),
        files=(*dm.CORE, *(dm.MD + f for f in files)),
        cuts=dm.NEW_ENDIO.cuts,
    )
    return Calls(
        submit=dm.new_map("mirror_map", files=files),
        submit_ops={
            op: dm.new_map("mirror_map", op=path, files=files)
            for op, path in (("flush", "flush"), ("fua", "flush"), ("discard", "discard"))
        },
        worker=dict.fromkeys(("write", "flush", "fua", "discard"), worker),
        endio=endio,
        split="front",
        ops=("read", "write", "flush", "discard", "fua"),
        note=f"{_MIRROR_NOTE}; {dm.FUA}",
    )


DM_KINDS = (
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
        "dm-mirror",
        "stacked",
        "mirror",
        (2, 9),
        "dm mirror target: writes go to every member from kmirrord",
        verb="dm",
        calls={
            "2.6.18": _mirror_old(
                "do_work@drivers/md/dm-raid1.c|do_work", "dm_io_async_bvec", late=False
            ),
            "2.6.24": _mirror_old("do_mirror@drivers/md/dm-raid1.c|do_mirror", "dm_io", late=True),
            "6.1": _mirror_new(),
        },
    ),
    *CRYPT_KINDS,
    *SNAPSHOT_KINDS,
    *TARGET_KINDS,
    *MULTIPATH_KINDS,
    *CACHED_KINDS,
    *DM_RAID_KINDS,
    *MORE_KINDS,
)
