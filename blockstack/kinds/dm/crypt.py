"""dm-crypt: who encrypts, and who submits, changed from kernel to kernel.

2.6.18 encrypts and submits in crypt_map itself and gives only the decryption of reads to kcryptd;
2.6.24 gives everything to kcryptd; 6.1 submits reads in the caller, encrypts writes on kcryptd and
submits them sorted from the dmcrypt_write thread, unless the work queues are switched off.
"""

from typing import Any

import blockstack.kinds.dm.common as dm
from blockstack.base.calls import Path
from blockstack.base.errors import ConfigError
from blockstack.base.registry import OPS
from blockstack.kinds.model import Calls, Kind, Param, Worker
from blockstack.kinds.params import choice, size_bytes
from blockstack.kinds.shared.threads import WORK_FILES, kworker

_FILE = ("dm-crypt.c",)
_CRYPTO_V2_6 = ("crypto/cipher.c", "crypto/aes.c")
_CRYPTO = ("crypto/",)
# aes-cbc-essiv, what cryptsetup made then: dm-crypt.c -> crypto/cipher.c -> crypto/aes.c
_CBC: dm.Edges = (
    ("crypt_convert", "cbc_encrypt_iv"),
    ("crypt_convert", "crypt_iv_essiv_gen"),
    ("crypt", "cbc_process_encrypt"),
    ("cbc_process_encrypt", "aes_encrypt"),
    ("crypt_iv_essiv_gen", "aes_encrypt"),
)
_NOTE = (
    "aes by the kernel's own C code (assumed: AES-NI's glue keeps more, 280 bytes in "
    "xts_crypt on i386 6.1)"
)


def _two_ends(crypt_pending: str, files: tuple[str, ...]) -> Path:
    """dm-crypt's own clone ends (crypt_endio), then dm's clone of the upper bio."""
    return Path(
        (
            "crypt_endio",
            crypt_pending,
            "bio_endio",
            ">clone_endio@drivers/md/dm.c",
            "dec_pending@drivers/md/dm.c",
        ),
        files=(*dm.CORE, *files),
    )


_KCRYPTD_V2_6_18 = Path(
    kworker("kcryptd_do_work"),
    edges=_CBC,
    files=(*WORK_FILES, *dm.CORE, dm.MD + "dm-crypt.c", *_CRYPTO_V2_6),
)
_DECRYPTED_V2_6_18 = Path(
    (
        *_KCRYPTD_V2_6_18.via,
        "dec_pending@drivers/md/dm-crypt.c|dec_pending",
        "bio_endio",
        ">clone_endio@drivers/md/dm.c",
        "dec_pending@drivers/md/dm.c",
    ),
    files=_KCRYPTD_V2_6_18.files,
)
_V2_6_18 = Calls(
    completion=_DECRYPTED_V2_6_18,
    tasks={"kcryptd": _KCRYPTD_V2_6_18},
    submit=dm.map_v2_6(
        "crypt_map",
        files=_FILE,
        others=_CRYPTO_V2_6,
        edges=_CBC,
        cuts=(
            (
                "crypt",
                "__get_free_pages",
                "only for data that the cipher finds unaligned (scatterwalk_aligned); sectors are",
            ),
        ),
    ),
    endio=_two_ends("dec_pending@drivers/md/dm-crypt.c|dec_pending", (dm.MD + "dm-crypt.c",)),
    flush=dm.FLUSH_V2_6["2.6.18"],
    unplug=dm.UNPLUG_V2_6["2.6.18"],
    ops=("read", "write", "flush", "fua"),
    note=_NOTE,
)
_KCRYPTD_V2_6_24 = dm.worker_v2_6("kcryptd", "kcryptd_do_crypt", files=_FILE)
_V2_6_24 = Calls(
    submit=dm.map_v2_6("crypt_map", files=_FILE),
    worker={"read": _KCRYPTD_V2_6_24, "write": _KCRYPTD_V2_6_24},
    endio=_two_ends("crypt_dec_pending", (dm.MD + "dm-crypt.c",)),
    unplug=dm.UNPLUG_V2_6["2.6.24"],
    ops=("read", "write"),
    note=_NOTE + "; reads go down from kcryptd's io queue (kcryptd_do_work), a little less deep",
)

_OFFLOAD = (
    "runs here only with no_read_workqueue or no_write_workqueue (kcryptd_queue_crypt, "
    "dm-crypt.c 6.1)"
)
_QUEUED: dm.Cuts = (("kcryptd_queue_crypt", "kcryptd_crypt_*", _OFFLOAD),)
_PLAIN: dm.Cuts = tuple(
    ("*", callee, "only with an integrity profile (authenticated encryption)")
    for callee in (
        "dm_crypt_integrity_io_alloc",
        "crypto_aead_encrypt",
        "crypto_aead_decrypt",
        "dm_audit_log_bio",
    )
)
_SYNC: dm.Cuts = (("*", "wait_for_completion", "the C ciphers complete at once"),)
# aes-xts-plain64, cryptsetup's default: xts over ecb over aes (crypto/xts.c, ecb.c, aes_generic.c)
_XTS: dm.Edges = (
    ("crypt_convert", "crypt_iv_plain64_gen"),
    ("crypto_skcipher_encrypt", "xts_encrypt"),
    ("crypto_skcipher_decrypt", "xts_decrypt"),
    ("xts_encrypt", "crypto_ecb_encrypt"),
    ("xts_decrypt", "crypto_ecb_decrypt"),
    ("crypto_ecb_crypt", "crypto_aes_encrypt"),
    ("crypto_ecb_crypt", "crypto_aes_decrypt"),
)
_XTS_CUTS: dm.Cuts = (
    ("xts_*", "crypto_skcipher_*", "the inner cipher is ecb: followed by its own name"),
    ("xts_*", "xts_cts_final", "a sector is a whole number of cipher blocks: nothing to steal"),
)

_NO_READ: dm.Cuts = (("crypt_map", "kcryptd_io_read", "only for reads"),)
_ENCRYPTS: dm.Cuts = (
    ("kcryptd_queue_crypt", "kcryptd_crypt_read_convert", "only for reads"),
    ("crypt_convert", "crypto_skcipher_decrypt", "only for reads"),
)
_DECRYPTS: dm.Cuts = (
    ("kcryptd_queue_crypt", "kcryptd_crypt_write_convert", "only for writes"),
    ("crypt_convert", "crypto_skcipher_encrypt", "only for writes"),
)

_READ = dm.map_v6_1(
    "crypt_map", "kcryptd_io_read", "dm_submit_bio_remap", files=_FILE, cuts=_QUEUED + _PLAIN
)
_WRITE_QUEUED = dm.map_v6_1("crypt_map", files=_FILE, cuts=_QUEUED + _PLAIN + _NO_READ)
_WRITE_INLINE = dm.map_v6_1(
    "crypt_map",
    "kcryptd_queue_crypt",
    "kcryptd_crypt_write_convert",
    "kcryptd_crypt_write_io_submit",
    "dm_submit_bio_remap",
    files=_FILE,
    others=_CRYPTO,
    edges=_XTS,
    cuts=_PLAIN + _SYNC + _XTS_CUTS + _NO_READ + _ENCRYPTS,
)
# crypt_map remaps an empty flush or a discard before anything else
_BARE: dm.Cuts = (*_NO_READ, ("crypt_map", "kcryptd_queue_crypt", "only for writes with data"))
_EMPTY_FLUSH = dm.map_v6_1("crypt_map", op="flush", files=_FILE, cuts=_BARE)
_DISCARD = dm.map_v6_1("crypt_map", op="discard", files=_FILE, cuts=_BARE)
_DMCRYPT_WRITE = Worker(
    "dmcrypt_write",
    Path(
        ("@kthread", "kthread", ">dmcrypt_write", "dm_submit_bio_remap"),
        files=("kernel/kthread.c", *dm.CORE, dm.MD + "dm-crypt.c"),
    ),
)
# a write's clone ends in crypt_dec_pending; a read goes to kcryptd, or is decrypted right here
_ENDIO_QUEUED = Path(
    (
        "crypt_endio",
        "crypt_dec_pending",
        "bio_endio",
        ">clone_endio@drivers/md/dm.c",
        "__dm_io_complete",
    ),
    files=(*dm.CORE, dm.MD + "dm-crypt.c"),
    cuts=_QUEUED + dm.ENDIO_V6_1.cuts,
)
_ENDIO_INLINE = Path(
    (
        "crypt_endio",
        "kcryptd_queue_crypt",
        "kcryptd_crypt_read_convert",
        "crypt_dec_pending",
        "bio_endio",
        ">clone_endio@drivers/md/dm.c",
        "__dm_io_complete",
    ),
    edges=_XTS,
    files=(*dm.CORE, dm.MD + "dm-crypt.c", *_CRYPTO),
    cuts=_PLAIN + _SYNC + _XTS_CUTS + _DECRYPTS + dm.ENDIO_V6_1.cuts,
)


_KCRYPTD_FILES = (*WORK_FILES, *dm.CORE, dm.MD + "dm-crypt.c", *_CRYPTO)
# kcryptd encrypts writes and decrypts reads; it ends the reads that it has decrypted
_KCRYPTD = Path(
    kworker("kcryptd_crypt"), edges=_XTS, files=_KCRYPTD_FILES, cuts=_PLAIN + _SYNC + _XTS_CUTS
)
_DECRYPTED = Path(
    (
        *kworker("kcryptd_crypt"),
        "kcryptd_crypt_read_convert",
        "crypt_dec_pending",
        "bio_endio",
        ">clone_endio@drivers/md/dm.c",
        "__dm_io_complete",
    ),
    files=_KCRYPTD_FILES,
    cuts=_PLAIN + _SYNC + dm.ENDIO_V6_1.cuts,
)


def _calls_v6_1(read_queue: bool, write_queue: bool) -> Calls:
    """6.1 with or without its work queues."""
    write = _WRITE_QUEUED if write_queue else _WRITE_INLINE
    return Calls(
        submit=_READ,
        submit_ops={
            "write": write,
            "flush": _EMPTY_FLUSH,
            "fua": _EMPTY_FLUSH,
            "discard": _DISCARD,
        },
        worker={"write": _DMCRYPT_WRITE} if write_queue else {},
        endio=_ENDIO_QUEUED if read_queue else _ENDIO_INLINE,
        completion=_DECRYPTED if read_queue else None,
        tasks={"kcryptd": _KCRYPTD} if read_queue or write_queue else {},
        split="front",
        ops=OPS,
        note=f"{_NOTE}; discard as with allow_discards; {dm.FUA}",
    )


def _sector_size(value: Any, path: str) -> int:
    """The crypt target's sector_size."""
    n_bytes = size_bytes(512, 4096)(value, path)
    if n_bytes & (n_bytes - 1):
        raise ConfigError("must be a power of two", path=path, value=value)
    return n_bytes


_MODES = {
    "read+write": (True, True),
    "write": (False, True),
    "read": (True, False),
    "none": (False, False),
}

CRYPT_KINDS = (
    Kind(
        "dm-crypt",
        "stacked",
        "remap",
        (1, 1),
        "dm crypt target: encrypts what passes",
        verb="dm",
        params=(
            Param(
                "workqueue",
                choice(*_MODES),
                "read+write",
                'which side uses kcryptd on 6.1: no_read_workqueue leaves "write", '
                'no_write_workqueue leaves "read", both leave "none"',
            ),
            Param(
                "sector_size",
                _sector_size,
                512,
                "bytes that are encrypted as one (512, 1024, 2048 or 4096): the logical block",
            ),
        ),
        calls={"2.6.18": _V2_6_18, "2.6.24": _V2_6_24, "6.1": _calls_v6_1(True, True)},
        variant="workqueue",
        variants={
            word: {"2.6.18": _V2_6_18, "2.6.24": _V2_6_24, "6.1": _calls_v6_1(*mode)}
            for word, mode in _MODES.items()
        },
    ),
)
