"""md linear and raid0.

Read in drivers/md/{linear,raid0}.c of 2.6.18 and 2.6.24, drivers/md/{md-linear,raid0}.c of 6.1.
"""

from dataclasses import replace

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.md.common import (
    ENTRY,
    FLUSH_NOTE,
    MD,
    NOT_DISCARD,
    V2_6,
    after_flush,
    calls_v6_12,
    unplug_v2_6,
)
from blockstack.kinds.md.params import chunk
from blockstack.kinds.model import Calls, Kind, Param, Split
from blockstack.kinds.params import sectors
from blockstack.kinds.records import SelfCall

#: A bio that straddles a chunk or a device becomes a bio_pair, whose halves complete through it
#: (fs/bio.c; 2.6.24 inlines bio_pair_release there). An uncut bio is remapped in place and keeps
#: its own bi_end_io: no frames at all.
_PAIR_ENDIO = {
    "2.6.18": Path(("bio_pair_end_2", "bio_pair_release"), files=("fs/bio.c",)),
    "2.6.24": Path(("bio_pair_end_2",), files=("fs/bio.c",)),
}
_STRADDLE = (
    "Through and completion are those of a bio that straddles a chunk or a device: it is "
    "one page long (merge_bvec_fn keeps larger ones from straddling) and is cut in two "
    "(fs/bio.c bio_split). An uncut bio is remapped without a frame."
)


def _remapper_v2_6(name: str, gen: str) -> Calls:
    """md linear and md raid0: return-1 remaps, bio_pair for what straddles."""
    file = f"drivers/md/{name}.c"
    has_flush = gen == "2.6.18"
    return Calls(
        submit=Path((f">{name}_make_request",), files=(file,)),
        endio=_PAIR_ENDIO[gen],
        flush=Path((f"{name}_issue_flush",), files=(file,)) if has_flush else None,
        unplug=unplug_v2_6(f"{name}_unplug", file=file),
        split="loop",
        immediate=True,
        # a barrier is refused with -EOPNOTSUPP at the top of make_request
        ops=("read", "write", "flush") if has_flush else ("read", "write"),
        self_call=SelfCall(f"{name}_make_request"),
        note=_STRADDLE,
    )


def _remapper_v6_1(
    file: str, personality: tuple[str, ...], discard: tuple[str, ...], endio: Path, split: Split
) -> Calls:
    """md linear and raid0: everything in the caller, except what waits for a flush."""
    files = (MD, file)
    worker = after_flush(personality, (file,))
    return Calls(
        submit=Path((*ENTRY, *personality), files=files, cuts=(NOT_DISCARD,)),
        submit_ops={"discard": Path((*ENTRY, *discard), files=files)},
        worker={"flush": worker, "fua": worker},
        endio=endio,
        ops=OPS,
        split=split,
        note=FLUSH_NOTE,
    )


#: md linear does not account: the bio keeps its own bi_end_io, no frames of md in a completion
_LINEAR_V6_1 = _remapper_v6_1(
    "drivers/md/md-linear.c", (">linear_make_request",), (">linear_make_request",), Path(()), "rest"
)
#: raid0_make_request cuts at the chunk and maps the rest before the front; a bio that was cut
#: completes through bio_chain_endio, which bio_endio flattens
RAID0_V6_1 = _remapper_v6_1(
    "drivers/md/raid0.c",
    (">raid0_make_request", "raid0_map_submit_bio"),
    (">raid0_make_request", "raid0_handle_discard?", "md_submit_discard_bio"),
    Path(("md_end_io_acct",), files=(MD,)),
    "rest-mapped",
)
RAID0_V6_12 = calls_v6_12(RAID0_V6_1)

LINEAR = Kind(
    "md-linear",
    "stacked",
    "segments",
    (1, None),
    "md linear: members one after the other",
    params=(
        Param("chunk", sectors(0, 2**31), 0, "members are rounded down to this (0: not at all)"),
    ),
    calls={
        **{gen: _remapper_v2_6("linear", gen) for gen in V2_6},
        "6.1": _LINEAR_V6_1,
        "6.12": calls_v6_12(_LINEAR_V6_1, endio=RAID0_V6_1.endio),
    },
    verb="md",
)
RAID0 = Kind(
    "md-raid0",
    "stacked",
    "stripe",
    (1, None),
    "md raid0: striping, with zones when members differ in size",
    params=(chunk(power_of_two=False),),
    calls={
        **{gen: _remapper_v2_6("raid0", gen) for gen in V2_6},
        # raid0_make_request of 5.10 (without an account of its own) and 7.3 (6.13 on,
        # bio_submit_split_bioset) submits the rest anew
        "5.10": replace(RAID0_V6_1, endio=Path(()), split="rest"),
        "6.1": RAID0_V6_1,
        "6.12": RAID0_V6_12,
        "7.3": replace(RAID0_V6_12, split="rest"),
    },
    verb="md",
)
