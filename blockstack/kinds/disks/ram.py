"""RAM disks, plain and compressed: they complete inside the submit call."""

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.disks.common import SIZE
from blockstack.kinds.model import Calls, Kind
from blockstack.kinds.shared.requests import with_cuts

_RD_FILES = ("drivers/block/rd.c", "mm/filemap.c", "lib/radix-tree.c")
_RD = Calls(
    submit=Path((">rd_make_request",), files=_RD_FILES),
    inline_completion=True,
    ops=("read", "write"),
    note="rd.c of 2.6.18 and 2.6.24 answers to the name: brd.c came with 2.6.25",
)
_BRD_SUBMIT = Path((">brd_submit_bio",), files=("drivers/block/brd.c", "lib/radix-tree.c"))
BRD = Kind(
    "brd",
    "leaf",
    "leaf",
    (0, 0),
    "RAM disk: completes inside the submit call",
    params=(SIZE,),
    verb="brd",
    calls={
        "2.6.18": _RD,
        "2.6.24": _RD,
        # drivers/block/brd.c 6.1: no cache to flush; a flush bio is empty and ends at once
        "6.1": Calls(
            submit=_BRD_SUBMIT,
            submit_ops={
                "read": with_cuts(
                    _BRD_SUBMIT, (("brd_do_bvec", "brd_insert_page", "only for writes"),)
                )
            },
            ops=OPS,
            inline_completion=True,
        ),
    },
)

ZRAM = Kind(
    "zram",
    "leaf",
    "leaf",
    (0, 0),
    "compressed RAM disk: completes inside the submit call",
    params=(SIZE,),
    verb="zram",
    calls={
        "6.1": Calls(
            submit=Path(
                (">zram_submit_bio",),
                edges=(
                    ("crypto_comp_compress", "lzorle_compress"),
                    ("crypto_comp_decompress", "lzorle_decompress"),
                ),
                files=(
                    "drivers/block/zram/zram_drv.c",
                    "drivers/block/zram/zcomp.c",
                    "crypto/compress.c",
                    "crypto/lzo-rle.c",
                    "lib/lzo/",
                    "lib/lz4/",
                ),
                cuts=tuple(
                    ("__zram_bvec_read", callee, "only with a backing device")
                    for callee in ("submit_bio", "submit_bio_wait", "bio_*")
                ),
            ),
            ops=("read", "write", "discard"),
            inline_completion=True,
            note="the compressor is Debian's CONFIG_ZRAM_DEF_COMP: lzo-rle in 6.1, lz4 in 7.3",
        )
    },
)
