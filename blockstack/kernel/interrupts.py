"""What interrupts add on the stack of the task that they strike (kernels with shared stacks).

2.6 kernels without CONFIG_4KSTACKS run hard interrupts and softirqs on the interrupted task's own
stack (arch/i386/kernel/irq.c do_IRQ, 2.6.18). The assumed nesting is one hard interrupt on top of
a softirq: handlers run with interrupts enabled, so deeper nesting is possible but was not seen in
the published dumps of 2.6.19-rc6 (8192 - 56 - bytes left: 3568 to 4760 bytes, the task included).

How they compare: the chains of those dumps, summed with the 2.6.18 table and the rows below, come
to 71 to 77 % of the published totals. The dumps' kernel was built by gcc 3.3.5, the table's by
gcc 11 with -mregparm=3: the share of task and interrupts alike is that much larger on a kernel
of the time.

The frame tables hold no interrupt entry code. Register saves are derived from the kernel's own
structures; the frames of ``do_IRQ`` and its helpers are assumed, and every row says so.
"""

from blockstack.base.calls import Path
from blockstack.kernel.graph import CallPath, Step
from blockstack.kernel.rows import RowSource
from blockstack.kinds.disks.scsi import completion_v2_6, scsi_path_v2_6
from blockstack.kinds.network.iscsi import RECEIVE_ISCSI_V2_6
from blockstack.kinds.network.nic import E1000_XMIT
from blockstack.kinds.shared.tcp import BACKLOG_V2_6_18, NET_CUTS, NET_FILES

# An interrupt in kernel mode: the CPU pushes eflags, cs and eip (12); entry.S the vector
# (orig_eax, 4); SAVE_ALL es, ds and seven registers (36). 2.6.24 saves %fs, too (include/asm-x86/
# ptrace.h). No esp and ss: the privilege level does not change.
_SAVED = {"2.6.18": 52, "2.6.24": 56}

# No table has arch/i386/kernel/irq.c or kernel/irq/handle.c. Assumed: twice the frames that the
# same functions have in the 6.1 i386 table (common_interrupt 20, handle_edge_irq 20,
# __handle_irq_event_percpu 28).
_DO_IRQ = Step("do_IRQ", 40, "assumed")
_FLOW = (Step("__do_IRQ", 40, "assumed"), Step("handle_IRQ_event", 56, "assumed"))
_DO_SOFTIRQ = Step("do_softirq", 16, "assumed")

# Hard interrupt: e1000 receives in its handler (no NAPI in this configuration) and leaves the
# packets to the softirq; ahci finishes the command and raises the block softirq.
_HANDLERS = (
    Path(
        ("e1000_intr",),
        (("e1000_intr", "e1000_clean_rx_irq"),),
        ("drivers/net/e1000/e1000_main.c", *NET_FILES),
        NET_CUTS,
    ),
    Path(
        ("ahci_interrupt",),
        (
            ("__ata_qc_complete", "ata_scsi_qc_complete"),
            ("ata_qc_complete", "ata_scsi_qc_complete"),
            ("ata_scsi_qc_complete", "scsi_done"),
        ),
        (
            "drivers/scsi/ahci.c",
            "drivers/scsi/libata-core.c",
            "drivers/scsi/libata-scsi.c",
            "drivers/scsi/scsi.c",
        ),
        (
            ("ata_scsi_qc_complete", "ata_gen_*", "only for a command that failed"),
            ("ata_scsi_qc_complete", "ata_dump_status", "only for a command that failed"),
            ("ahci_interrupt", "ata_ratelimit", "only for unexpected interrupts"),
            ("ahci_interrupt", "scnprintf", "only for error reports"),
        ),
    ),
)

# Receive: backlog -> IP -> TCP, which answers through the card or hands the data to iSCSI, whose
# response completes a command.
_NET_RX = (
    BACKLOG_V2_6_18.then(RECEIVE_ISCSI_V2_6["answers"]).then(E1000_XMIT),
    BACKLOG_V2_6_18.then(RECEIVE_ISCSI_V2_6["data"]),
)


def _deepest(rows: RowSource, paths: tuple[Path, ...]) -> CallPath:
    """The deepest of several; what the table lacks of any of them makes it a lower bound."""
    found = [rows.spine(path) for path in paths]
    deepest = max(found, key=lambda p: p.bytes)
    return sum((CallPath((), p.missing) for p in found), deepest)


def _block_done(generation: str) -> Path:
    """The block softirq: completion, then the queue is run again for the next request."""
    scsi = scsi_path_v2_6(generation, ())
    done = "sd_rw_intr" if generation == "2.6.18" else "sd_done"
    return Path(
        ("blk_done_softirq",),
        (
            *scsi.edges,
            ("__make_request", "scsi_request_fn"),
            ("blk_done_softirq", "scsi_softirq_done"),
            ("scsi_finish_command", done),
            ("blk_run_queue", "scsi_request_fn"),
        ),
        scsi.files,
        scsi.cuts,
    )


def followed_paths(generation: str) -> tuple[Path, ...]:
    """Every path that `interrupt_paths` follows: what a cut-down frame table must keep."""
    if generation not in _SAVED:
        return ()
    return (*_HANDLERS, *_NET_RX, _block_done(generation), Path(("irq_exit", "__do_softirq")))


def interrupt_paths(rows: RowSource) -> dict[str, CallPath]:
    """What may come on top of a task on its own stack.

    Parameters
    ----------
    rows : RowSource
        A 2.6.18 or 2.6.24 kernel.

    Returns
    -------
    dict
        ``"softirq"``: an interrupt that ends in the deepest softirq (block completion or
        network receive); ``"block"``: one that ends at ``bio_endio``, whose chain belongs to
        the stack of devices; ``"hardirq"``: an interrupt and its deepest handler. Empty for kernels
        that always switch stacks.
    """
    saved = _SAVED.get(rows.generation.name)
    if saved is None:
        return {}
    entry = (Step("pt_regs (interrupt)", saved, "derived"), _DO_IRQ)
    table = rows.table
    leave = (
        Step("irq_exit", table.frame("irq_exit")),
        _DO_SOFTIRQ,
        Step("__do_softirq", table.frame("__do_softirq")),
    )
    softirqs = (_block_done(rows.generation.name), *_NET_RX)
    done = rows.spine(completion_v2_6(rows.generation.name), rows.generation.endio_link)
    own = CallPath(done.steps[1:], done.missing)  # its root is a stack of its own: not here
    return {
        "softirq": CallPath((*entry, *leave)) + _deepest(rows, softirqs),
        "block": CallPath((*entry, *leave[:2])) + own,
        "hardirq": CallPath((*entry, *_FLOW)) + _deepest(rows, _HANDLERS),
    }
