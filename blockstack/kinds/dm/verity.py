"""dm-verity: read-only images whose blocks are checked against a tree of hashes."""

import blockstack.kinds.dm.common as dm
from blockstack.base.calls import Path
from blockstack.kinds.model import Calls, Kind
from blockstack.kinds.shared.threads import WORK_FILES, kworker

# dm-verity.c 6.1: map submits the read itself; its end hands the bio to kverityd, which reads the
# hashes through dm-bufio, from a device of their own as a rule, and then ends the bio
_VERITY = ("dm-verity-target.c", "dm-bufio.c", "dm-io.c", "[dm_verity.ko]")
# fs/verity's users have a function of this name, too
_WORK = "verity_work@dm_verity|verity_work@drivers/md/dm-verity-target.c|verity_work"
_VERITY_CUTS: dm.Cuts = (
    ("*", "verity_fec_decode", "only with forward error correction, for data that do not match"),
    ("*", "verity_recheck", "only for data that do not match"),
    ("*", "verity_handle_err", "only for data that do not match"),
    ("verity_end_io", "verity_finish_io", "only after an I/O error"),
)
_VERIFIED = Path(
    (
        *kworker(_WORK),
        "verity_finish_io",
        "bio_endio",
        ">clone_endio@drivers/md/dm.c",
        "__dm_io_complete",
        "bio_endio",
    ),
    cuts=(*_VERITY_CUTS, *dm.ENDIO_V6_1.cuts),
    files=(*WORK_FILES, *dm.CORE, *(dm.MD + f for f in _VERITY)),
)
_VERITY_THREADS = {
    f"{work.partition('@')[0]} of dm-verity": dm.worker_v6_1(
        work, work, files=_VERITY, cuts=_VERITY_CUTS
    ).path
    for work in (_WORK, "verity_prefetch_io")
}
_VERITY_CALLS = Calls(
    submit=dm.map_v6_1("verity_map", files=_VERITY, cuts=_VERITY_CUTS, remaps=False),
    endio=Path(("verity_end_io",), files=(dm.MD + "dm-verity-target.c",), cuts=_VERITY_CUTS),
    endio_stops=True,
    completion=_VERIFIED,
    threads=_VERITY_THREADS,
    split="front",
    ops=("read",),
    note="read only; the hash's own functions are less deep than the read of a "
    "hash block, and are not counted",
)
VERITY = Kind(
    "dm-verity",
    "stacked",
    "remap",
    (1, 2),
    "dm verity target: the data, then the device of the hashes",
    verb="dm",
    calls={"6.1": _VERITY_CALLS},
)
