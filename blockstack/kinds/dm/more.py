"""Device mapper targets of images and of tests: verity, flakey, switch, zero."""

from dataclasses import replace

import blockstack.kinds.dm.common as dm
from blockstack.kinds.model import Calls, Kind, Path
from blockstack.kinds.shared.tcp import WORK_FILES, kworker

# dm-verity.c 6.1: map submits the read itself; its end hands the bio to kverityd, which reads the
# hashes through dm-bufio, from a device of their own as a rule, and then ends the bio
_VERITY = ("dm-verity-target.c", "dm-bufio.c", "dm-io.c", "[dm_verity.ko]")
_VERITY_CUTS: dm.Cuts = (
    ("*", "verity_fec_decode", "only with forward error correction, for data that do not match"),
    ("*", "verity_recheck", "only for data that do not match"),
    ("*", "verity_handle_err", "only for data that do not match"),
    ("verity_end_io", "verity_finish_io", "only after an I/O error"),
)
_VERIFIED = Path(
    (
        *kworker("verity_work"),
        "verity_finish_io",
        "bio_endio",
        ">clone_endio",
        "__dm_io_complete",
        "bio_endio",
    ),
    cuts=(*_VERITY_CUTS, *dm.NEW_ENDIO.cuts),
    files=(*WORK_FILES, *dm.CORE, *(dm.MD + f for f in _VERITY)),
)
_VERITY_THREADS = {
    f"{work} of dm-verity": dm.new_worker(work, work, files=_VERITY, cuts=_VERITY_CUTS).path
    for work in ("verity_work", "verity_prefetch_io")
}
_VERITY_CALLS = Calls(
    submit=dm.new_map("verity_map", files=_VERITY, cuts=_VERITY_CUTS, remaps=False),
    endio=Path(("verity_end_io",), files=(dm.MD + "dm-verity-target.c",), cuts=_VERITY_CUTS),
    endio_stops=True,
    completion=_VERIFIED,
    options={"threads": _VERITY_THREADS},
    split="front",
    ops=("read",),
    note="read only; the hash's own functions are less deep than the read of a "
    "hash block, and are not counted",
)

_FLAKEY: dm.Cuts = (
    ("flakey_map", "bio_endio", "only while the device is down (drop_writes, error_writes)"),
)

# dm-zero.c: map fills the clone and ends it at once
_ZERO = Path(
    (">dm_submit_bio", "__map_bio", ">zero_map", "bio_endio", ">clone_endio", "__dm_io_complete"),
    files=(*dm.CORE, dm.MD + "dm-zero.c"),
    cuts=dm.RW_CUTS,
)
_ZERO_OLD = Path(
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
_ZERO_CALLS = Calls(submit=_ZERO, inline_completion=True, split="front", ops=("read", "write"))
_ZERO_OLD_CALLS = replace(_ZERO_CALLS, submit=_ZERO_OLD, split="loop")

MORE_KINDS = (
    Kind(
        "dm-verity",
        "stacked",
        "remap",
        (1, 2),
        "dm verity target: the data, then the device of the hashes",
        verb="dm",
        calls={"6.1": _VERITY_CALLS},
    ),
    Kind(
        "dm-flakey",
        "stacked",
        "remap",
        (1, 1),
        "dm flakey target, while it is up",
        verb="dm",
        calls={
            "6.1": dm.remapping(
                "flakey_map", "dm-flakey.c", cuts=_FLAKEY, ends=(("clone_endio", "flakey_end_io"),)
            )
        },
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
    Kind(
        "dm-zero",
        "leaf",
        "leaf",
        (0, 0),
        "dm zero target: completes inside the submit call",
        verb="dm",
        calls={"2.6.18": _ZERO_OLD_CALLS, "2.6.24": _ZERO_OLD_CALLS, "6.1": _ZERO_CALLS},
    ),
)
