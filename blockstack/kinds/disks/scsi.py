"""SCSI disks: sd over the SCSI middle layer over a host adapter's driver."""

from blockstack.base.calls import Path
from blockstack.base.registry import OPS
from blockstack.kinds.disks.common import LUN, SIZE
from blockstack.kinds.host_drivers import FILE, GROUPS, UNTOLD, row_of
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import choice
from blockstack.kinds.shared.dma import DMA_CUTS, DMA_EDGES, DMA_FILES
from blockstack.kinds.shared.requests import (
    MQ_CUTS,
    NOT_A_FLUSH,
    SPLIT_RING,
    Cuts,
    Edges,
    mq_path,
    request_path_v2_6,
    with_cuts,
)

_FILES_V2_6 = ("drivers/scsi/scsi_lib.c", "drivers/scsi/scsi.c", "drivers/scsi/sd.c")
_FILES_V6_1 = (*_FILES_V2_6, "drivers/scsi/scsi_error.c")
_LIBATA_V2_6 = (
    "drivers/scsi/libata-scsi.c",
    "drivers/scsi/libata-core.c",
    "drivers/scsi/ahci.c",
    "drivers/ata/libata-scsi.c",
    "drivers/ata/libata-core.c",
    "drivers/ata/ahci.c",
)
_LIBATA_V6_1 = ("drivers/ata/[libata.ko]", "drivers/ata/[libahci.ko]")

_CUTS_V2_6: Cuts = (
    ("scsi_dispatch_cmd", "__scsi_done", "only for a device that is gone or a host that is down"),
    ("scsi_dispatch_cmd", "scsi_queue_insert", "only when the host refuses the command"),
    ("scsi_request_fn", "scsi_kill_request", "only for a device that is gone"),
    ("scsi_prep_fn", "scsi_setup_blk_pc_cmnd", "only for packet commands, not for a filesystem's"),
    ("sd_prep_fn", "scsi_setup_blk_pc_cmnd", "only for packet commands, not for a filesystem's"),
    ("ata_scsi_queuecmd", "ata_scsi_simulate", "only for commands other than reads and writes"),
    ("ata_qc_issue", "ata_qc_complete", "only for a command whose DMA mapping failed"),
    ("*", "scsi_requeue_command", "only after an error or a short transfer"),
    ("scsi_run_queue", "scsi_run_queue", "starved devices: the loop calls request_fn in turn"),
)
_CUTS_V6_1: Cuts = (
    ("*", "scsi_done", "only for a command that is refused: completed at once"),
    ("scsi_queue_rq", "scsi_done_internal", "only for a command that is refused"),
    ("scsi_queue_rq", "scsi_run_queue_async", "only when the host refuses: asynchronous"),
    ("scsi_queue_rq", "scsi_dec_host_busy", "only when the host refuses the command"),
    ("sd_init_command", "sd_zbc_*", "only for zoned disks"),
    ("virtscsi_queuecommand", "virtscsi_complete_cmd", "only for a command that failed"),
    *SPLIT_RING,
    ("__ata_scsi_queuecmd", "ata_scsi_simulate", "only for commands other than reads and writes"),
    ("ata_qc_issue", "ata_qc_complete", "only for a command whose DMA mapping failed"),
    ("ata_qc_issue", "ata_link_abort", "only for a command whose DMA mapping failed"),
)

# q->prep_rq_fn: scsi_prep_fn and through it sd_init_command in 2.6.18; sd_prep_fn in 2.6.24
_PREP_V2_6: dict[str, Edges] = {
    "2.6.18": (("elv_next_request", "scsi_prep_fn"), ("scsi_prep_fn", "sd_init_command")),
    "2.6.24": (("elv_next_request", "sd_prep_fn"),),
}


def scsi_path_v2_6(
    generation: str,
    host: tuple[str, ...],
    files: tuple[str, ...] = (),
    *,
    edges: Edges = (),
    entry: str = "__make_request",
) -> Path:
    """sd of 2.6.18 or 2.6.24 down to the host driver's queuecommand (first anchor of ``host``)."""
    return request_path_v2_6(
        (">scsi_request_fn", "scsi_dispatch_cmd", *host),
        (*_FILES_V6_1, *files),
        edges=_PREP_V2_6[generation] + edges,
        cuts=_CUTS_V2_6,
        entry=entry,
    )


def scsi_path_v6_1(
    host: tuple[str, ...], files: tuple[str, ...] = (), *, edges: Edges = (), cuts: Cuts = ()
) -> Path:
    """sd of 6.1 down to the host driver's queuecommand (first anchor of ``host``)."""
    base: Edges = (("scsi_queue_rq", "sd_init_command"), ("__sg_alloc_table", "sg_pool_alloc"))
    return mq_path(
        "scsi_queue_rq",
        host,
        (*_FILES_V6_1, *DMA_FILES, *files),
        edges=base + DMA_EDGES + edges,
        cuts=_CUTS_V6_1 + DMA_CUTS + cuts,
    )


#: what scsi_finish_command calls for a disk (drivers/scsi/sd.c): cmd->done, then ->done
FINISHED_V2_6 = {"2.6.18": "sd_rw_intr", "2.6.24": "sd_done"}


def completion_v2_6(generation: str) -> Path:
    """Block softirq: request done, up to the bio (2.6.18 and 2.6.24)."""
    # 2.6.18: scsi_finish_command calls cmd->done = sd_rw_intr, which goes on; in 2.6.24 sd_done
    # only counts good bytes and returns
    sd_done = (">sd_rw_intr",) if generation == "2.6.18" else ()
    return request_path_v2_6(
        (">scsi_request_fn",),
        (*_FILES_V6_1, "kernel/softirq.c"),
        edges=_PREP_V2_6[generation],
        cuts=_CUTS_V2_6,
        entry="__make_request",
    ).replace_via(
        (
            "@softirq",
            "__do_softirq",
            ">blk_done_softirq",
            ">scsi_softirq_done",
            "scsi_finish_command",
            *sd_done,
            "scsi_io_completion",
            "scsi_end_request",
            "__end_that_request_first",
            "bio_endio",
        )
    )


#: 6.1: BLOCK_SOFTIRQ of a host with one hardware queue (block/blk-mq.c blk_mq_raise_softirq)
COMPLETION_V6_1 = Path(
    (
        "@softirq",
        "__do_softirq",
        "handle_softirqs?",
        ">blk_done_softirq",
        "blk_complete_reqs",
        ">scsi_complete",
        "scsi_finish_command",
        "scsi_io_completion",
        "scsi_end_request",
        "blk_update_request",
        "bio_endio",
    ),
    files=(*_FILES_V6_1, "kernel/softirq.c"),
    cuts=MQ_CUTS,
)

# drivers/scsi/sd.c 6.1 sd_init_command: by REQ_OP
_NOT_A_DISCARD: Cuts = (
    ("sd_init_command", "sd_setup_*", "only for discard and write-zeroes"),
    ("sd_init_command", "mempool_alloc", "only for discard and write-zeroes (special payload)"),
)


def scsi_calls_v6_1(path: Path, note: str = "") -> Calls:
    """6.1: reads and writes never insert a flush; flush and FUA do."""
    flush = with_cuts(path, _NOT_A_DISCARD)
    return Calls(
        submit=with_cuts(flush, NOT_A_FLUSH),
        submit_ops={"flush": flush, "fua": flush, "discard": with_cuts(path, NOT_A_FLUSH)},
        ops=OPS,
        completion=COMPLETION_V6_1,
        note=note,
    )


# To 2.6.18 a flush is a request of its own, executed from the caller (drivers/scsi/sd.c
# sd_issue_flush); 2.6.24 sends an empty barrier bio down instead (no issue_flush_fn any more).
_FLUSH_V2_6_18 = (
    "sd_issue_flush",
    "sd_sync_cache",
    "scsi_execute_req",
    "scsi_execute",
    "blk_execute_rq",
    "blk_execute_rq_nowait",
)


def scsi_calls_v2_6(
    generation: str,
    host: tuple[str, ...],
    files: tuple[str, ...] = (),
    *,
    edges: Edges = (),
    note: str = "",
) -> Calls:
    """sd of 2.6.18 or 2.6.24. FUA is a barrier bio: the drive's FUA bit or flushes around it."""
    path = scsi_path_v2_6(generation, host, files, edges=edges)
    unplug = scsi_path_v2_6(generation, host, files, edges=edges, entry="generic_unplug_device")
    return Calls(
        submit=path,
        unplug=unplug,
        flush=path.replace_via((*_FLUSH_V2_6_18, "scsi_dispatch_cmd", *host))
        if generation == "2.6.18"
        else None,
        ops=("read", "write", "flush", "fua"),
        completion=completion_v2_6(generation),
        note=note,
    )


_NOTE = "the scheduler is CFQ (to 2.6.24) or mq-deadline (6.1), the kernels' defaults"
# no function's name: a driver of 6.12 (rts5208) calls its own queuecommand
_UNKNOWN = (">queuecommand of an unknown driver",)
_UNKNOWN_HOST = "no host driver is named: its queuecommand is unknown, the depth a lower bound"
_AHCI_EDGES: Edges = (  # ata_scsi_translate is inlined into __ata_scsi_queuecmd, or that one is
    ("ata_scsi_translate?", "ata_scsi_rw_xlat"),
    ("__ata_scsi_queuecmd?", "ata_scsi_rw_xlat"),
    ("ata_qc_issue", "ahci_qc_issue"),
)
_AHCI = (
    ">ata_scsi_queuecmd",
    "__ata_scsi_queuecmd?",
    "ata_scsi_translate?",
    "ata_qc_issue",
    ">ahci_qc_prep",
)
_VIRTIO = (">virtscsi_queuecommand", "virtscsi_add_cmd", "__virtscsi_add_cmd?", "virtqueue_add_sgs")

# drivers/scsi/megaraid 6.1: instancet->build_and_issue_cmd and ->fire_cmd, by controller
_MEGASAS_EDGES: Edges = (
    ("megasas_queue_command", "megasas_build_and_issue_cmd"),
    ("megasas_queue_command", "megasas_build_and_issue_cmd_fusion"),
    *(
        ("megasas_build_and_issue_cmd", f"megasas_fire_cmd_{chip}")
        for chip in ("xscale", "ppc", "skinny", "gen2")
    ),
)

_HOSTS: dict[str, dict[str, Calls]] = {
    "ahci": {
        "2.6.18": scsi_calls_v2_6("2.6.18", _AHCI, _LIBATA_V2_6, edges=_AHCI_EDGES, note=_NOTE),
        "2.6.24": scsi_calls_v2_6("2.6.24", _AHCI, _LIBATA_V2_6, edges=_AHCI_EDGES, note=_NOTE),
        "6.1": scsi_calls_v6_1(scsi_path_v6_1(_AHCI, _LIBATA_V6_1, edges=_AHCI_EDGES)),
    },
    "generic": {
        "2.6.18": scsi_calls_v2_6("2.6.18", _UNKNOWN, note=_UNKNOWN_HOST),
        "2.6.24": scsi_calls_v2_6("2.6.24", _UNKNOWN, note=_UNKNOWN_HOST),
        "6.1": scsi_calls_v6_1(scsi_path_v6_1((f">{row_of('generic')}",), (FILE,))),
    },
    "unknown": {"6.1": scsi_calls_v6_1(scsi_path_v6_1(_UNKNOWN), note=_UNKNOWN_HOST)},
    # the driver is in all three (megaraid_sas.c since 2.6.13), not in the tables of 2.6
    "megasas": {
        "2.6.18": scsi_calls_v2_6("2.6.18", (">megasas_queue_command",), note=_NOTE),
        "2.6.24": scsi_calls_v2_6("2.6.24", (">megasas_queue_command",), note=_NOTE),
        "6.1": scsi_calls_v6_1(
            scsi_path_v6_1(
                (">megasas_queue_command",), ("drivers/scsi/megaraid/",), edges=_MEGASAS_EDGES
            )
        ),
    },
    "virtio-scsi": {
        "6.1": scsi_calls_v6_1(
            scsi_path_v6_1(_VIRTIO, ("drivers/scsi/virtio_scsi.c", "drivers/virtio/virtio_ring.c"))
        ),
    },
}

#: the other host drivers: a row each of a kernel's own table, and one for what a word leaves
_OTHERS = tuple(name for names in GROUPS.values() for name in names)
for _name in (*_OTHERS, *UNTOLD):
    if _name not in ("ahci", "megaraid_sas", "virtio_scsi", "generic"):
        _HOSTS[_name] = {"6.1": scsi_calls_v6_1(scsi_path_v6_1((f">{row_of(_name)}",), (FILE,)))}

SCSI = Kind(
    "scsi",
    "leaf",
    "leaf",
    (0, 0),
    "SCSI or SATA disk: sd over a host adapter's driver",
    params=(
        SIZE,
        LUN,
        Param(
            "driver",
            choice(*sorted(_HOSTS)),
            "ahci",
            "host driver: ahci, megasas, virtio-scsi, a module's name; generic, or "
            "generic-ata, -usb, -fc, -sas: not told, the deepest that the kernel has",
        ),
    ),
    calls=_HOSTS["ahci"],
    verb="scsi",
    variant="driver",
    variants=_HOSTS,
)
