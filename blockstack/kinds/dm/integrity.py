"""dm-integrity with its own checksums: journal, bitmap or direct."""

import blockstack.kinds.dm.common as dm
from blockstack.base.calls import Path
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import choice
from blockstack.kinds.shared.threads import WORK_FILES, kworker

# dm-integrity.c: reads are checked on a worker (need_sync_io: offload_wq), writes go through the
# journal, or straight down from the caller in bitmap and direct mode; flushes wait for the commit
_INTEGRITY_FILES = ("dm-integrity.c", "dm-bufio.c", "dm-io.c")
_NO_JOURNAL: dm.Cuts = (("*", "__journal_read_write", "only in journal mode"),)
_MAP_ONLY: dm.Cuts = (
    ("dm_integrity_map_continue", "integrity_metadata", "only off the map (need_sync_io)"),
    ("dm_integrity_map_continue", "__flush_workqueue", "only for discards"),
    ("dm_integrity_map_continue", "dm_integrity_flush_buffers", "only for discards"),
)
_MATCH: dm.Cuts = (
    ("integrity_metadata", "integrity_recheck", "only when a checksum does not match"),
    ("dm_integrity_map_continue", "dm_integrity_flush_buffers", "only for discards"),
)
# the data's end or the tags' (integrity_metadata), whichever is the later, ends dm's clone
_INTEGRITY_ENDIO = Path(
    (
        "integrity_end_io",
        "dec_in_flight",
        "do_endio_flush",
        "do_endio",
        "bio_endio",
        ">clone_endio@drivers/md/dm.c",
        "__dm_io_complete",
    ),
    files=(*dm.CORE, dm.MD + "dm-integrity.c"),
    cuts=dm.ENDIO_V6_1.cuts,
)
_INTEGRITY_NOTE = (
    "what goes on in the workers shares one task, that of the reads, which is the "
    "deepest; discards are left out"
)


def _integrity(*, journal: bool) -> Calls:
    cuts = () if journal else _NO_JOURNAL
    worker = dm.worker_v6_1(
        "dm-integrity-offload",
        "integrity_bio_wait",
        "dm_integrity_map_continue",
        files=_INTEGRITY_FILES,
        cuts=cuts + _MATCH,
    )
    write = dm.map_v6_1(
        "dm_integrity_map",
        "dm_integrity_map_continue",
        op="write",
        files=_INTEGRITY_FILES,
        cuts=cuts + _MAP_ONLY,
    )
    paths = {
        op: dm.map_v6_1("dm_integrity_map", op=op, files=_INTEGRITY_FILES, cuts=cuts + _MAP_ONLY)
        for op in ("read", "flush")
    }
    in_worker = ("read", "flush", "write", "fua") if journal else ("read", "flush")
    # dm-integrity.c 6.1: commit_work and writer_work with a journal, the bitmap's two without;
    # tags are read and written by metadata_wq, and made anew by recalc_wq; each is a work queue
    threads = {
        f"{work} of dm-integrity": dm.worker_v6_1(
            work, work, *via, files=_INTEGRITY_FILES, cuts=_MATCH
        ).path
        for work, via in (
            *(
                (("integrity_writer", ("dm_io",)), ("integrity_commit", ("dm_io",)))
                if journal
                else (("bitmap_flush_work", ()), ("bitmap_block_work", ()))
            ),
            ("integrity_metadata", ()),
            ("integrity_recalc", ()),
        )
    }
    ended = Path(
        (*kworker("integrity_metadata"), *_INTEGRITY_ENDIO.via[1:], "bio_endio"),
        files=(*WORK_FILES, *_INTEGRITY_ENDIO.files),
        cuts=_INTEGRITY_ENDIO.cuts,
    )
    return Calls(
        submit=paths["read"],
        threads=threads,
        completion=ended,
        submit_ops={"flush": paths["flush"], "fua": paths["flush"], "write": write},
        worker=dict.fromkeys(in_worker, worker),
        endio=_INTEGRITY_ENDIO,
        split="front",
        ops=("read", "write", "flush", "fua"),
        note=f"{_INTEGRITY_NOTE}; {dm.FUA}",
    )


_INTEGRITY = {
    "journal": _integrity(journal=True),
    "bitmap": _integrity(journal=False),
    "direct": _integrity(journal=False),
}
INTEGRITY = Kind(
    "dm-integrity",
    "stacked",
    "remap",
    (1, 1),
    "dm integrity target with its own checksums",
    verb="dm",
    params=(Param("mode", choice(*_INTEGRITY), "journal", "how data and tags stay consistent"),),
    calls={"6.1": _INTEGRITY["journal"]},
    variant="mode",
    variants={word: {"6.1": calls} for word, calls in _INTEGRITY.items()},
)
