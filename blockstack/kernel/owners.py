"""Which layer a function belongs to: by its source file, the registry, its module, its name.

A source file says it best: the named kernel's table first, then the other shipped ones. What no
table has (other kernels' functions) is told by the registry's anchors, by the module that the
report prints, and last by the prefix that its subsystem gives to its names.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from blockstack.base.calls import Path
from blockstack.generations import GENERATIONS, in_generation
from blockstack.kernel.names import plain_name
from blockstack.kernel.profiles import PROFILES
from blockstack.kernel.shipped import load_kernel
from blockstack.kernel.subset import calls_of
from blockstack.kernel.table import FrameTable
from blockstack.kinds import KINDS, Kind

Role = Literal[
    "entry",
    "source",
    "cache",
    "reclaim",
    "allocator",
    "block",
    "stacked",
    "driver",
    "network",
    "scheduler",
    "interrupt",
    "helper",
    "unknown",
]
How = Literal["file", "registry", "module", "name", "unknown"]


@dataclass(frozen=True)
class Owner:
    """The layer of a function.

    Attributes
    ----------
    layer : str
        A device kind (``dm-crypt``), a file system, a driver, or a part of the kernel.
    role : str
        What layers of its sort do: ``stacked`` ones pass bios on, ``driver`` ends them.
    how : {"file", "registry", "module", "name", "unknown"}
    """

    layer: str
    role: Role
    how: How = "file"


UNKNOWN = Owner("unknown", "unknown", "unknown")
# directories and files of the kernel's source tree, 2.6.18 to 6.1; the first that fits
_FILES: tuple[tuple[str, str, Role], ...] = (
    ("arch/x86/entry/", "system call", "entry"),
    ("arch/x86/mm/fault.c", "page fault", "entry"),
    ("arch/x86/kernel/irq", "interrupts", "interrupt"),
    ("arch/x86/kernel/apic/", "interrupts", "interrupt"),
    ("arch/", "architecture", "helper"),
    ("kernel/irq/", "interrupts", "interrupt"),
    ("kernel/softirq.c", "interrupts", "interrupt"),
    ("kernel/sched", "scheduler", "scheduler"),
    ("kernel/workqueue.c", "work queues", "helper"),
    ("kernel/kthread.c", "task", "entry"),
    ("mm/pdflush.c", "task", "entry"),
    ("kernel/dma/", "dma", "helper"),
    ("kernel/", "core kernel", "helper"),
    ("mm/vmscan.c", "reclaim", "reclaim"),
    ("mm/page_alloc.c", "page allocator", "allocator"),
    ("mm/mempolicy.c", "page allocator", "allocator"),
    ("mm/sla", "slab", "allocator"),
    ("mm/slub.c", "slab", "allocator"),
    ("mm/mempool.c", "mempool", "helper"),
    ("mm/swap", "swap", "source"),
    ("mm/page_io.c", "swap", "source"),
    ("mm/page-writeback.c", "writeback", "cache"),
    ("fs/fs-writeback.c", "writeback", "cache"),
    ("mm/filemap.c", "page cache", "cache"),
    ("mm/readahead.c", "page cache", "cache"),
    ("mm/", "memory", "helper"),
    ("fs/bio.c", "block layer", "block"),
    ("fs/iomap/", "iomap", "source"),
    ("fs/nfs/", "nfs", "source"),
    ("fs/block_dev.c", "block device", "source"),
    ("block/fops.c", "block device", "source"),
    ("block/bdev.c", "block device", "source"),
    ("block/partitions/", "partitions", "source"),
    ("block/cfq-iosched.c", "cfq", "block"),
    ("block/mq-deadline.c", "mq-deadline", "block"),
    ("block/bfq", "bfq", "block"),
    ("block/", "block layer", "block"),
    ("drivers/scsi/", "scsi", "driver"),
    ("drivers/nvme/", "nvme", "driver"),
    ("drivers/virtio/", "virtio", "driver"),
    ("drivers/md/persistent-data/", "dm", "stacked"),
    ("drivers/md/bcache/", "bcache", "stacked"),
    ("drivers/md/dm", "dm", "stacked"),
    ("drivers/md/kcopyd.c", "dm", "stacked"),
    ("drivers/md/[dm", "dm", "stacked"),
    ("drivers/md/", "md", "stacked"),
    ("drivers/net/", "network card", "network"),
    ("net/sunrpc/", "sunrpc", "network"),
    ("net/", "network", "network"),
    ("crypto/", "crypto", "helper"),
    ("lib/", "library", "helper"),
)
# to 2.6.18 libata and its drivers lay in drivers/scsi
_ATA = re.compile(r"drivers/(?:ata/|scsi/(?:libata|ahci|sata_|pata_))")
# how subsystems name their functions
_NAMES: tuple[tuple[str, str, Role], ...] = (
    (
        r"(asm_)?(common_interrupt|do_IRQ|irq_exit|irq_enter|sysvec_\w+|handle_(irq|level_irq|edge_irq"
        r"|fasteoi_irq|IRQ_event)\w*|timer_interrupt|(hard|apic_timer_)\w*interrupt\w*|call_softirq"
        r"|(__)?do_softirq\w*|smp_\w*interrupt|ret_from_intr|run_timer_softirq|net_rx_action)",
        "interrupts",
        "interrupt",
    ),
    (
        r"(__(x64|ia32|se)_)?(sys|ksys)_\w+|do_syscall_\w+|entry_\w+|system_call\w*|sysenter_\w+|"
        r"syscall_\w+|(ia32|x64)_sys_call|ret_fast_syscall|copy_user_\w+",
        "system call",
        "entry",
    ),
    (
        r"(asm_)?exc_\w+|page_fault|do_page_fault|___do_page_fault|data_access_\w+|"
        r"(__)?handle_mm_fault|handle_exception\w*",
        "page fault",
        "entry",
    ),
    (r"ret_from_fork\w*|kernel_thread_helper|kthread|(__)?pdflush", "task", "entry"),
    (r"_*xfs_\w+|_?xlog_\w+|xfsbdstrat", "xfs", "source"),
    (r"_*ext4_\w+", "ext4", "source"),
    (r"_*ext3_\w+", "ext3", "source"),
    (r"_*j(ournal|bd2)_\w+", "journal", "source"),
    (r"_*btrfs_\w+", "btrfs", "source"),
    (r"_*f2fs_\w+", "f2fs", "source"),
    (r"_*v?fat(12|16|32)?_\w+", "vfat", "source"),
    (r"_*bch2_\w+|btree_key_cache_\w+|open_bucket_\w+|six_lock_\w+", "bcachefs", "source"),
    (r"_*nfs4?_\w+", "nfs", "source"),
    (r"_*(zio|zfs|vdev|arc|dbuf|dmu|dsl|spa)_\w+", "zfs", "source"),
    (r"iomap_\w+", "iomap", "source"),
    (r"bch_\w+|cached_dev_\w+", "bcache", "stacked"),
    (r"drbd_\w+", "drbd", "stacked"),
    (r"(raid\d+|md)_\w+|handle_stripe\w*", "md", "stacked"),
    (
        r"dm_\w+|_*clone_and_map\w*|__map_bio\w*|__split_(bio|and_process)\w*|clone_endio|dec_pending|"
        r"clone_bio",
        "dm",
        "stacked",
    ),
    (r"k?crypt(d|_)\w+", "dm-crypt", "stacked"),
    (r"get_swap_bio|__?swap_\w+|swap_\w+", "swap", "source"),
    (
        r"shrink_\w+|_*try_to_free_pages|do_try_to_free_pages|pageout|_*remove_mapping",
        "reclaim",
        "reclaim",
    ),
    (
        r"_*alloc_pages\w*|get_page_from_freelist|__get_free_pages|__folio_alloc\w*|vma_alloc_folio|"
        r"zone_statistics",
        "page allocator",
        "allocator",
    ),
    (
        r"_*slab_alloc\w*|_*kmem_\w+|_*kmalloc\w*|(cache|new|allocate)_(slab|grow|alloc_refill)|"
        r"new_slab|get_partial_node\w*",
        "slab",
        "allocator",
    ),
    (r"mempool_\w+", "mempool", "helper"),
    (r"_*scsi_\w+|sd_\w+", "scsi", "driver"),
    (r"ata_\w+|ahci_\w+|mv_\w+", "ata", "driver"),
    (r"_*virtblk_\w+|virtio_queue_rqs?", "virtio-blk", "driver"),
    (r"_*vring_\w+|_*virtqueue_\w+|vp_\w+", "virtio", "driver"),
    (r"nvme_\w+", "nvme", "driver"),
    (r"iscsi_\w+", "iscsi", "driver"),
    (r"_*cfq_\w+", "cfq", "block"),
    (r"_*dd_\w+", "mq-deadline", "block"),
    (
        r"_*(blk|bio|elv|submit_bio|generic_make_request|make_request|rq_qos|wbt|get_request|"
        r"end_that_request|queue_unplugged)(_\w+)?",
        "block layer",
        "block",
    ),
    (
        r"_*(wb|writeback|bdi|sync_sb|background_writeout|balance_dirty)_?\w*|do_writepages|"
        r"(generic|mpage|write_cache|__)_?(writepages?|pages)\w*|__writepage|"
        r"__writeback_\w+|_*sync_single_inode",
        "writeback",
        "cache",
    ),
    (
        r"find_or_create_page|_*page_cache_\w+|__do_page_cache_readahead|ondemand_readahead|ra_submit|"
        r"generic_file_\w+|__generic_file_\w+|filemap_\w+",
        "page cache",
        "cache",
    ),
    (
        r"_*(schedule|sched|enqueue|dequeue|ttwu|try_to_wake_up|wake_up|activate|select_task|"
        r"load_balance|idle_balance|find_busiest|update_s[dg]|pick_next|wait_for|wait_on|out_of_line_wait"
        r"|default_wake|autoremove_wake|io_schedule|preempt_schedule|update_load|update_group)\w*|"
        r"set_next_task_\w+|bit_wait\w*",
        "scheduler",
        "scheduler",
    ),
    (
        r"_*(queue_work|insert_work|queue_delayed_work)\w*|wake_up_worker|delayed_work_\w+|flush_work",
        "work queues",
        "helper",
    ),
    (r"_*(xs|rpc|xprt)_\w+|call_(start|transmit|status|decode)|nfs_rpc\w+", "sunrpc", "network"),
    (
        r"_*(tcp|udp|ip|inet|sock|dev_queue_xmit|dev_hard|sch|neigh|skb|netif|process_backlog|vlan|"
        r"qdisc)(_\w*)?|consume_skb|__kfree_skb|kernel_sendmsg|e1000_\w+|"
        r"\w+_(hard_start_xmit|xmit_frame)",
        "network",
        "network",
    ),
    (
        r"_*(vfs|do_sync|do_writev|do_iter|aio)_\w+|do_splice\w*|splice_\w+|do_sendfile|"
        r"_*(do_select|core_sys_select|path_\w+|do_filp_open|open_exec|do_execve\w*|bprm_\w+|"
        r"search_binary\w*|load_elf\w*|do_last\w*|do_lookup)|mark_inode_dirty",
        "VFS",
        "source",
    ),
    (
        r"_*(raw_)?spin_\w+|_*radix_tree_\w+|_*sg_\w+|(down|up)_\w+|_*call_rcu\w*|force_q\w+|\w*printf|"
        r"hrtimer_\w+|__run_hrtimer|tick_\w+|update_process_times|account_\w+|schedule_timeout|"
        r"kernel_map_pages|lookup_address|_lookup_address\w*|__change_page\w*",
        "library",
        "helper",
    ),
)
_NAME_RES = tuple((re.compile(f"(?:{pattern})\\Z"), layer, role) for pattern, layer, role in _NAMES)
#: modules whose name is not that of one of their source files
_MODULES: dict[str, tuple[str, Role]] = {
    "scsi_mod": ("scsi", "driver"),
    "sd_mod": ("scsi", "driver"),
    "dm_mod": ("dm", "stacked"),
    "md_mod": ("md", "stacked"),
    "raid456": ("md", "stacked"),
}


def owner_of(function: str, module: str, table: FrameTable | None) -> Owner:
    """The layer that a function belongs to.

    Parameters
    ----------
    function, module : str
        As a report has them; the module may be empty.
    table : FrameTable or None
        The kernel that is asked first.
    """
    name = plain_name(function)
    name = re.sub(r"\.(?:clone|llvm|lto_priv)\.\d+\Z", "", name)
    for one in (*((table,) if table is not None else ()), *_shipped()):
        found = _agreed([by_file(one.functions[key][0]) for key in one.named(name)])
        if found is not None:
            return found
    if module == "vmlinux":  # checkstack's word for what is in no module
        module = ""
    return (
        _by_registry(name)
        or _by_module(module)
        or _by_name(name)
        or (Owner(module, "unknown", "module") if module else UNKNOWN)
    )


def _agreed(owners: Sequence[Owner | None]) -> Owner | None:
    """The layer of a function that several files may define: their family, where they differ
    (every personality of md has a make_request); else that of the first."""
    found = list(dict.fromkeys(o for o in owners if o is not None))
    families = {o.layer.partition("-")[0] for o in found}
    if len(found) > 1 and len(families) == 1:
        return Owner(families.pop(), found[0].role)
    return found[0] if found else None


@cache
def by_file(file: str) -> Owner | None:
    """The layer of a source file: of a device kind when only one follows it."""
    kind = _sole_owner(file) if file.startswith("drivers/") and not _ATA.match(file) else None
    if kind is not None:
        return Owner(kind.name, _role(kind))
    if _ATA.match(file):
        return Owner("ata", "driver")
    found = next((row for row in _FILES if file.startswith(row[0])), None)
    if found is not None:
        return Owner(found[1], found[2])
    parts = file.split("/")
    if parts[0] == "fs":
        return Owner(parts[1] if len(parts) > 2 else "VFS", "source")
    if parts[0] == "drivers":
        return Owner(parts[-1].removesuffix(".c").strip("[]").removesuffix(".ko"), "driver")
    return None


def _role(kind: Kind) -> Role:
    return {"stacked": "stacked", "leaf": "driver", "source": "source", "nic": "network"}[kind.role]  # type: ignore[return-value]


@cache
def _shipped() -> tuple[FrameTable, ...]:
    """The shipped tables, one of each."""
    tables = {profile.data: name for name, profile in PROFILES.items()}
    return tuple(load_kernel(name).table for name in tables.values())


def _paths(kind: Kind) -> Iterator[Path]:
    for gen in GENERATIONS:
        yield from (in_generation(kind.entries, gen) or {}).values()
        for calls in calls_of(kind, gen):
            yield from calls.paths()


@cache
def _followers() -> dict[str, frozenset[str]]:
    """Which kinds follow a source file."""
    found: dict[str, set[str]] = {}
    for kind in KINDS.values():
        for path in _paths(kind):
            for file in path.files:
                found.setdefault(file, set()).add(kind.name)
    return {file: frozenset(names) for file, names in found.items()}


def _sole_owner(file: str) -> Kind | None:
    names = _followers().get(file, frozenset())
    stem = file.rsplit("/", 1)[-1].removesuffix(".c").replace("_", "-")
    named = [n for n in names if n.replace("_", "-") in (stem, f"md-{stem}")]
    chosen = list(names) if len(names) == 1 else named
    return KINDS[chosen[0]] if len(chosen) == 1 else None


@cache
def _anchored() -> dict[str, frozenset[str]]:
    """Which kinds name a function as an anchor of their own."""
    found: dict[str, set[str]] = {}
    for kind in KINDS.values():
        for path in _paths(kind):
            for name in path.names():
                found.setdefault(plain_name(name), set()).add(kind.name)
    return {name: frozenset(kinds) for name, kinds in found.items()}


def _by_registry(name: str) -> Owner | None:
    kinds = _anchored().get(name, frozenset())
    if len(kinds) != 1:
        return None
    kind = KINDS[next(iter(kinds))]
    return Owner(kind.name, _role(kind), "registry") if kind.role != "source" else None


def _by_module(module: str) -> Owner | None:
    if module in _MODULES:
        return Owner(*_MODULES[module], "module")
    plain = module.replace("_", "-")
    kind = KINDS.get(plain) or KINDS.get(f"md-{plain}") or KINDS.get(module)
    return Owner(kind.name, _role(kind), "module") if kind is not None else None


def _by_name(name: str) -> Owner | None:
    return next(
        (Owner(layer, role, "name") for pattern, layer, role in _NAME_RES if pattern.match(name)),
        None,
    )
