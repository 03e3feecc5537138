"""Linux 6.6 on: what 6.12 calls otherwise than 6.1.

Read in Linux 6.12.117 (Debian). A row of the renames applies only where a table lacks the old
function or the path cannot reach it, so that kernels between the two take what they have. An
empty row: the function went into its caller, and the path goes on without it. Marks are those of
`Path.via`.
"""

from collections.abc import Mapping
from dataclasses import replace

from blockstack.generations.between import UNLIMITED
from blockstack.generations.model import StackRules
from blockstack.generations.platform import X86_64, Profile
from blockstack.generations.v6_1 import V6_1

_RENAMES: Mapping[str, tuple[str, ...]] = {
    # fs/read_write.c: vfs_readv and vfs_writev call do_iter_readv_writev themselves
    "do_iter_read": (),
    "do_iter_write": (),
    "do_iter_readv_writev": (),
    # drivers/block/loop.c: buffered I/O takes lo_rw_aio, too, and ->read_iter, ->write_iter
    "vfs_iter_read": ("lo_rw_aio",),
    "vfs_iter_write": ("lo_rw_aio",),
    # block/bdev.c: a file stands for the opened device
    "blkdev_get_by_dev": ("bdev_open",),
    # fs/xfs/xfs_discard.c goes on without waiting; block/ioctl.c makes its bios itself, and waits
    "blkdev_issue_discard": ("__blkdev_issue_discard", "submit_bio_wait"),
    # block/blk-mq.c, blk-mq-sched.c
    "__blk_mq_try_issue_directly": ("__blk_mq_issue_directly",),
    "blk_mq_sched_insert_request": ("blk_mq_insert_request",),
    "blk_mq_sched_insert_requests": (
        "blk_mq_dispatch_list",
        "blk_mq_dispatch_plug_list",
        "blk_mq_flush_plug_list",
    ),
    "blk_mq_do_dispatch_sched": ("__blk_mq_do_dispatch_sched", "__blk_mq_sched_dispatch_requests"),
    "__blk_mq_run_hw_queue": (),  # blk_mq_run_work_fn dispatches itself
    "__blk_mq_end_request": ("blk_mq_end_request",),
    # fs/mpage.c, fs/buffer.c, block/fops.c: folios; write_cache_pages calls the last one itself
    "mpage_end_io@fs/mpage.c": ("mpage_end_io@vmlinux", "mpage_read_end_io"),
    "__writepage": ("block_write_full_folio",),
    "blkdev_writepage": (),
    "__block_write_full_page": ("__block_write_full_folio",),
    # fs/iomap/buffered-io.c: writeback_iter, the rest in iomap_writepages
    "iomap_do_writepage": ("iomap_writepages",),
    # allocation profiling: mm/page_alloc.c, mm/mempool.c
    "__alloc_pages": ("__alloc_pages_noprof",),
    "mempool_alloc": ("mempool_alloc_noprof",),
    "grab_cache_page_write_begin": ("__filemap_get_folio",),
    # fs/btrfs/bio.c, extent_io.c: bbio->end_io
    "btrfs_orig_bbio_end_io": ("btrfs_bio_end_io",),
    "end_bio_extent_writepage": ("end_bbio_data_write",),
    "end_bio_extent_buffer_writepage": ("end_bbio_meta_write",),
    "end_compressed_bio_write": ("end_bbio_compressed_write",),
    "btrfs_end_dio_bio": ("btrfs_dio_end_io",),
    # mm/page_io.c
    "swap_readpage": ("swap_read_folio",),
    # net/socket.c: MSG_SPLICE_PAGES instead of ->sendpage
    "tcp_sendpage": (),
    "sock_no_sendpage": (),
    "kernel_sendmsg": ("sock_sendmsg",),
    # fs/nfsd/vfs.c
    "nfsd_readv": ("nfsd_iter_read",),
    # fs/splice.c, mm/filemap.c: it takes the pages itself; the path goes on by ->read_iter and
    # filemap_read all the same, which keep more than the ->splice_read of any file system
    "do_splice_to": ("do_splice_read",),
    "generic_file_splice_read": (">filemap_splice_read",),
    # drivers/md: bitmap_ops, and every bio is cloned for its accounting (md_account_bio)
    "md_bitmap_unplug": (">bitmap_unplug",),
    "md_end_io_acct": ("md_end_clone_io",),
    "call_bio_endio": (),
    # drivers/block/null_blk/main.c: in null_queue_rq
    "null_handle_cmd": (),
    # crypto/xts.c calls ecb through crypto/lskcipher.c (jumps, that keep nothing, lead there)
    "crypto_ecb_encrypt": ("crypto_lskcipher_crypt_sg",),
    "crypto_ecb_decrypt": ("crypto_lskcipher_crypt_sg",),
    "crypto_ecb_crypt": ("crypto_ecb_encrypt2",),
}

#: functions without which there is no such device: why
_GONE: Mapping[str, str] = {
    "null_submit_bio": "null_blk has no bio mode (queue_mode=0) any more",
    "linear_make_request": "later kernels have md linear only where CONFIG_MD_LINEAR is set",
}

#: further indirect calls
_EDGES: tuple[tuple[str, str], ...] = (
    ("crypto_lskcipher_crypt_sg", "crypto_ecb_encrypt2"),
    ("crypto_lskcipher_crypt_sg", "crypto_ecb_decrypt2"),
)

_CUTS: tuple[tuple[str, str, str], ...] = (
    ("*", "blk_zone_plug_bio", "only for writes to a zoned disk (block/blk-zoned.c)"),
    ("*", "blk_zone_write_plug_*", "only for writes to a zoned disk (block/blk-zoned.c)"),
    ("*", "dev_driver_string", "names the device in a warning"),
    (
        "*",
        "btrfs_get_raid_extent_offset",
        "only with a raid stripe tree (mkfs.btrfs -O raid-stripe-tree; fs/btrfs/volumes.c)",
    ),
    (
        "*",
        "btrfs_insert_raid_extent",
        "returns at once without a raid stripe tree (fs/btrfs/raid-stripe-tree.c)",
    ),
    ("__submit_bio", "bio_endio", "only for a polled bio on a device that cannot poll"),
    ("blk_mq_submit_bio", "bio_endio", "only for a bio that is misaligned or cannot be polled"),
    ("blk_mq_plug_issue_direct", "blk_mq_end_request", "only for a request that failed"),
    ("blk_mq_try_issue_list_directly", "blk_mq_end_request", "only for a request that failed"),
    ("blk_mq_try_issue_directly", "blk_mq_end_request", "only for a request that failed"),
    ("blk_mq_dispatch_rq_list", "blk_mq_end_request", "only for a request that failed"),
    ("blk_mq_request_issue_directly", "blk_mq_run_hw_queue", "only while the queue is stopped"),
    ("blk_mq_plug_issue_direct", "blk_mq_run_hw_queue", "only when the driver refuses"),
    ("blk_mq_try_issue_list_directly", "blk_mq_run_hw_queue", "only when the driver refuses"),
)

#: callees of 6.1's cuts that 6.12 takes: Debian's 6.12 sets LRU_GEN_ENABLED
_UNCUT = frozenset({"evict_folios", "try_to_inc_max_seq"})
#: block/blk-mq.c: blk_mq_dispatch_plug_list passes from_schedule on as ``async``
_FROM_SCHEDULE: tuple[tuple[str, str, str], ...] = (
    (
        "blk_mq_run_hw_queue",
        "blk_mq_sched_dispatch_requests",
        "from_schedule: requests are inserted, kblockd dispatches them (block/blk-mq.c)",
    ),
)

V6_12 = V6_1.child(
    "6.12",
    # raid1 and raid10 account for every bio by a clone of it in 6.12, not in 6.1 (md_account_bio;
    # 6.6 is from memory, and versions between are assumed anyway)
    spans=(((6, 6), (8,)),),
    edges=_EDGES,
    cuts=_CUTS,
    uncut=_UNCUT,
    renames=_RENAMES,
    gone=_GONE,
    roots={
        # arch/x86/kernel/process.c: ret_from_fork is C since 6.6, and calls the thread's function
        (arch, name): replace(root, entry=("ret_from_fork_asm", "ret_from_fork"))
        for (arch, name), root in V6_1.roots.items()
        if name == "@kthread"
    },
    budget_cuts=_FROM_SCHEDULE,
    shipped={
        "linux-6.12-x86_64": Profile("linux-6.12-x86_64.json.gz", "6.12.117+deb12-amd64", X86_64)
    },
    limits=StackRules(
        "6.12.117 blk-settings.c",
        2560,
        chunk="gcd",
        rounds=True,
        dma=True,
        discard_misaligned=False,
        validates=True,
        lacks=frozenset({"discard_misaligned"}),
        start=UNLIMITED | {"discard_granularity": 512},
    ),
)
