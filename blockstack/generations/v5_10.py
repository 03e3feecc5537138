"""Linux 5.9 to 5.15: what 5.10 calls otherwise than 6.1.

Read in Linux 5.10.223 (Debian). Kinds name the functions of 6.1; a row says what stood in their
place before: pages instead of folios (5.16), iomap's actors instead of its iterator (5.15), loop
devices' own thread (5.14), one system call table of pointers (6.9 and its stables).
"""

from collections.abc import Mapping
from dataclasses import replace

from blockstack.base.calls import EdgeText
from blockstack.generations.between import UNLIMITED
from blockstack.generations.model import StackRules
from blockstack.generations.platform import X86_64, Profile
from blockstack.generations.v6_1 import V6_1

_RENAMES: Mapping[str, tuple[str, ...]] = {
    # arch/x86/entry/common.c do_syscall_64: sys_call_table[nr](regs)
    "x64_sys_call": (),
    # mm/filemap.c: ->readpage is called where pages are looked for
    "filemap_read": ("generic_file_buffered_read",),
    "filemap_read_folio": ("generic_file_buffered_read",),
    "ext4_read_folio": ("ext4_readpage",),
    "xfs_vm_read_folio": ("xfs_vm_readpage",),
    "blkdev_read_folio": ("blkdev_readpage",),
    "btrfs_read_folio": ("btrfs_readpage",),
    "f2fs_read_data_folio": ("f2fs_read_data_page",),
    "fat_read_folio": ("fat_readpage",),
    "block_read_full_folio": ("block_read_full_page",),
    "__filemap_get_folio": ("pagecache_get_page",),
    # fs/xfs/xfs_file.c
    "xfs_file_buffered_read": ("xfs_file_buffered_aio_read",),
    "xfs_file_buffered_write": ("xfs_file_buffered_aio_write",),
    "xfs_file_dio_read": ("xfs_file_dio_aio_read",),
    "xfs_file_dio_write_aligned": ("xfs_file_dio_aio_write",),
    # fs/iomap/apply.c: ->iomap_begin, then an actor through a pointer
    "iomap_iter": ("iomap_apply",),
    "iomap_dio_bio_iter": (">iomap_dio_bio_actor", ">iomap_dio_actor"),
    # fs/block_dev.c, block/partitions/core.c
    "blkdev_get_by_dev": ("blkdev_get",),
    "blkdev_get_whole": ("__blkdev_get",),
    "blkdev_bio_end_io_async": ("blkdev_bio_end_io",),
    # block/blk-mq.c, blk-mq-sched.c, blk-core.c
    "blk_complete_reqs": (),
    "blk_mq_sched_bio_merge": ("__blk_mq_sched_bio_merge",),
    "__blk_flush_plug": ("blk_flush_plug_list", "flush_plug_callbacks"),
    "scsi_complete": ("scsi_softirq_done",),
    # drivers/nvme/host/pci.c, drivers/block/virtio_blk.c
    "nvme_prep_rq": (),
    "virtblk_add_req": (),
    # drivers/md/dm.c
    "dm_submit_bio_remap": (),
    "__dm_io_complete": ("dec_pending@drivers/md/dm.c",),
    "dm_io_dec_pending": ("dec_pending@drivers/md/dm.c",),
    # drivers/md: md_account_bio is of 5.14
    "raid0_map_submit_bio": (),
    "md_end_io_acct": (),
    "call_bio_endio": (),
    "raid_run_ops": ("handle_stripe",),
    "verity_finish_io": (),
    # fs/buffer.c
    "block_write_begin": (),
    # drivers/block/nbd.c
    "__sock_xmit": ("sock_xmit",),
    # drivers/block/loop.c: a kthread_worker
    "loop_workfn": ("loop_queue_work",),
    "loop_process_work": (),
    # mm/vmscan.c, page_alloc.c, memory.c
    "shrink_folio_list": ("shrink_page_list",),
    "try_charge_memcg": ("try_charge",),
    "fault_in_iov_iter_readable": ("iov_iter_fault_in_readable",),
    "__alloc_pages": ("__alloc_pages_nodemask",),
    # net/ipv4/ip_output.c
    "ip_local_out": (),
    "ip_output": (">ip_output",),
}
_MOVED: Mapping[EdgeText, tuple[EdgeText, ...]] = {
    # block/blk-mq.c: there is no ->queue_rqs
    **{("blk_mq_flush_plug_list", rqs): () for rqs in ("nvme_queue_rqs", "virtio_queue_rqs")},
    # mm/filemap.c do_read_cache_page: a partition table's page
    ("filemap_read_folio", "blkdev_read_folio"): (
        ("generic_file_buffered_read", "blkdev_readpage"),
        ("do_read_cache_page?", "blkdev_readpage"),
    ),
}

V5_10 = replace(
    V6_1.child(
        "5.10",
        # 5.9 renamed generic_make_request to submit_bio_noacct
        spans=(((5, 9), (5, 16)),),
        doubt="cuts of 6.1 were read again in 5.10.223 where paths differ, assumed elsewhere",
        edges=(
            *(
                ("iomap_apply?", f"iomap_{actor}_actor?")
                for actor in ("dio", "dio_bio", "write", "readahead", "readpage", "page_mkwrite")
            ),
            # include/net/dst.h dst_input: a pointer always
            ("ip_sublist_rcv_finish?", "ip_local_deliver?"),
            ("ip_rcv_finish?", "ip_local_deliver?"),
        ),
        renames=_RENAMES,
        moved=_MOVED,
        shipped={
            "linux-5.10-x86_64": Profile("linux-5.10-x86_64.json.gz", "5.10.0-32-amd64", X86_64)
        },
        limits=StackRules(
            "5.10.223 blk-settings.c",
            2560,
            chunk="gcd",
            rounds=True,
            lacks=frozenset({"dma_alignment"}),
            start=UNLIMITED,
        ),
    ),
    # block/blk-core.c: the loop over the task's bios is in it
    dispatch=("__submit_bio@block/blk-core.c", "submit_bio_noacct"),
    calls_by_table=frozenset({"do_syscall_64"}),
)
