"""Linux 6.18 on: what 7.3 calls otherwise than 6.12.

Read in Linux 7.3.4 (Debian). A bio that is split goes to the head of the task's list
(block/blk-core.c submit_bio_noacct_nocheck): the order of the pieces, not the depth, is another.
"""

from collections.abc import Mapping
from dataclasses import replace

from blockstack.base.calls import CutText, EdgeText
from blockstack.generations.platform import X86_64, Profile
from blockstack.generations.v6_12 import V6_12

_RENAMES: Mapping[str, tuple[str, ...]] = {
    # fs/open.c, fs/namei.c
    "do_filp_open": ("do_file_open",),
    # fs/sync.c: it calls ->fsync itself
    "vfs_fsync_range": (),
    # mm/page-writeback.c: file systems loop over writeback_iter themselves
    "write_cache_pages": (),
    "__writepage": (),
    "__mpage_writepage": ("mpage_write_folio", "__mpage_writepages", "mpage_writepages"),
    # fs/iomap/buffered-io.c, ioend.c
    "iomap_do_writepage": ("iomap_writeback_folio", "iomap_writepages"),
    "xfs_map_blocks": ("xfs_writeback_range",),
    "iomap_submit_ioend": ("iomap_add_to_ioend",),
    "iomap_writepage_end_bio": ("ioend_writeback_end_bio",),
    # fs/buffer.c: a buffer's bio ends in its own function
    "end_bio_bh_io_sync": ("bh_end_async_write",),
    "end_buffer_async_write": (),
    # include/linux/pagemap.h write_begin_get_folio
    "grab_cache_page_write_begin": ("__filemap_get_folio_mpol", "__filemap_get_folio"),
    "__filemap_get_folio": ("__filemap_get_folio_mpol",),
    # drivers/md: inlined into their only callers
    "raid0_map_submit_bio": (),
    "raid1_write_request": (),
    "kcryptd_crypt_read_convert": (),
    "search_free": (),
    # block/blk-mq.c
    "blk_complete_reqs": (),
    "blk_mq_dispatch_plug_list": ("blk_mq_dispatch_list",),
    "blk_mq_plug_issue_direct": ("blk_mq_issue_direct",),
    "__blk_mq_flush_plug_list": ("__blk_mq_flush_list",),
    # kernel/dma/mapping.c: physical addresses instead of pages
    "dma_map_page_attrs": ("dma_map_phys",),
    "iommu_dma_map_page": ("iommu_dma_map_phys",),
    "dma_direct_map_page": ("dma_direct_map_phys",),
    # mm/page_io.c, shmem.c: no ->writepage, a context that holds what is to be written
    "shmem_writepage": ("shmem_writeout",),
    "swap_writepage": ("swap_writeout",),
    # fs/nfsd/vfs.c
    "vfs_iter_read": ("lo_rw_aio", "vfs_iocb_iter_read"),
    "vfs_iter_write": ("lo_rw_aio", "vfs_iocb_iter_write"),
    # net/core/gro.c
    "napi_gro_receive": ("gro_receive_skb",),
}

#: fs/iomap/iter.c: ->iomap_next, which calls what was ->iomap_begin
_NEXT = (
    "blkdev",
    "ext4",
    "f2fs",
    "xfs_read",
    "xfs_buffered_write",
    "xfs_direct_write",
    "btrfs_dio",
)
_ZRAM = "drivers/block/zram/zram_drv.c"
_MOVED: Mapping[EdgeText, tuple[EdgeText, ...]] = {
    **{("iomap_iter", f"{fs}_iomap_begin"): (("iomap_iter", f"{fs}_iomap_next"),) for fs in _NEXT},
    # fs/iomap/buffered-io.c, ioend.c: ->writeback_range, ->writeback_submit
    ("write_cache_pages", "iomap_do_writepage"): (),
    ("iomap_do_writepage", "xfs_map_blocks"): (("iomap_writeback_folio", "xfs_writeback_range"),),
    ("iomap_submit_ioend", "xfs_prepare_ioend"): (
        ("iomap_writepages", "xfs_writeback_submit"),
        ("iomap_add_to_ioend", "xfs_writeback_submit"),
    ),
    # mm/page-writeback.c
    ("write_cache_pages", "__writepage"): (),
    ("write_cache_pages", "ext4_writepage_cb"): (),
    ("write_cache_pages", "__mpage_writepage"): (),
    ("__writepage", "blkdev_writepage"): (),
    # drivers/block/zram/zcomp.c: backends of its own, Debian's default is lz4
    ("crypto_comp_compress", "lzorle_compress"): (("zcomp_compress", f"lz4_compress@{_ZRAM}"),),
    ("crypto_comp_decompress", "lzorle_decompress"): (
        ("zcomp_decompress", f"lz4_decompress@{_ZRAM}"),
    ),
    # block/blk-mq.c: a plug's requests for one queue
    **{
        ("blk_mq_flush_plug_list", rqs): (("blk_mq_dispatch_queue_requests", rqs),)
        for rqs in ("nvme_queue_rqs", "virtio_queue_rqs")
    },
}

_CUTS: tuple[CutText, ...] = (
    (
        "*",
        "__blk_crypto_submit_bio",
        "only for a bio with an encryption context (include/linux/blk-crypto.h 7.3)",
    ),
    ("submit_bio_noacct_nocheck", "*blk_error_inject", "only while errors are injected (debugfs)"),
    # fs/btrfs/transaction.c, relocation.c, raid-stripe-tree.c 7.3
    (
        "start_transaction",
        "btrfs_commit_current_transaction",
        "only on a zoned device: btrfs_delayed_refs_rsv_refill says -EAGAIN",
    ),
    ("*", "btrfs_translate_remap", "only with a remap tree (mkfs.btrfs -O remap-tree)"),
    ("*", "btrfs_remove_extent_from_remap_tree", "returns at once without a remap tree"),
    ("*", "btrfs_delete_raid_extent", "returns at once without a raid stripe tree"),
)

V7_3 = V6_12.child(
    "7.3",
    spans=(((6, 18), (8,)),),
    doubt="cuts of 6.12 were read again in 7.3.4 where paths differ, assumed elsewhere",
    # mm/page_io.c: struct swap_ops of a block device
    edges=tuple(
        (f"{caller}?", f"swap_bdev_submit_{way}?")
        for way in ("read", "write")
        for caller in ("swap_add_folio", f"swap_{way}_submit")
    ),
    cuts=_CUTS,
    renames=_RENAMES,
    moved=_MOVED,
    shipped={"linux-7.3-x86_64": Profile("linux-7.3-x86_64.json.gz", "7.3.4+deb13-amd64", X86_64)},
    limits=replace(V6_12.limits, source="7.3.4 blk-settings.c", def_max_sectors=8192),
)
