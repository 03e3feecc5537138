"""What interrupts add on the stack of the task that they strike, in kernels of 2.6.

Kernels without CONFIG_4KSTACKS run hard interrupts and softirqs on the interrupted task's own
stack; with it, ``do_IRQ`` and ``do_softirq`` switch to stacks of their own, and the task's keeps
what lies above the switch (arch/i386/kernel/irq.c 2.6.18, arch/x86/kernel/irq_32.c 2.6.24). Both
were built: ``do_IRQ@4k`` is the one that switches. The assumed nesting is one hard interrupt on
top of a softirq: handlers run with interrupts enabled, so deeper nesting is possible but was not
seen in the published dumps of 2.6.19-rc6 (8192 - 56 - bytes left: 3568 to 4760 bytes, the task
included).

How they compare: the chains of those dumps, summed with the 2.6.18 table and the rows below, come
to 71 to 77 % of the published totals. The dumps' kernel was built by gcc 3.3.5, the table's by
gcc 11 with -mregparm=3: the share of task and interrupts alike is that much larger on a kernel
of the time.

Only what the assembly of entry.S pushes is not in the tables: it is summed from the kernel's own
structures.
"""

from dataclasses import replace

from blockstack.base.calls import Path
from blockstack.generations import GENERATIONS, Generation
from blockstack.kernel.graph import CallPath, Step
from blockstack.kernel.rows import RowSource
from blockstack.kinds.disks.scsi import FINISHED_V2_6, completion_v2_6, scsi_path_v2_6
from blockstack.kinds.network.iscsi import RECEIVE_ISCSI_V2_6
from blockstack.kinds.network.nic import E1000_XMIT
from blockstack.kinds.shared.tcp import BACKLOG_V2_6_18, NET_CUTS, NET_FILES

_HERE = "do_IRQ@8k|do_IRQ"
# irq_exit jumps to do_softirq (to 2.6.18) or calls it: its frame counts; gcc split do_softirq
_ASKED = (
    ("irq_exit", "do_softirq"),
    ("do_softirq", "do_softirq"),
    ("do_softirq", "__do_softirq"),
)
# Hard interrupt: e1000 receives in its handler (no NAPI in this configuration) and leaves the
# packets to the softirq; ahci finishes the command and raises the block softirq.
_HANDLERS = (
    Path(
        (">e1000_intr",),
        (("e1000_intr", "e1000_clean_rx_irq"),),
        ("drivers/net/e1000/e1000_main.c", *NET_FILES),
        NET_CUTS,
    ),
    Path(
        (">ahci_interrupt",),
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
            "drivers/ata/ahci.c",
            "drivers/ata/libata-core.c",
            "drivers/ata/libata-scsi.c",
        ),
        (
            ("ata_scsi_qc_complete", "ata_gen_*", "only for a command that failed"),
            ("ata_scsi_qc_complete", "ata_dump_status", "only for a command that failed"),
            ("ahci_interrupt", "ata_ratelimit", "only for unexpected interrupts"),
            ("ahci_interrupt", "scnprintf", "only for error reports"),
            ("ahci_interrupt", "ata_ehi_*", "only for an interrupt that reports an error"),
            ("ahci_interrupt", "ata_port_abort", "only for an interrupt that reports an error"),
            ("ahci_interrupt", "ata_port_freeze", "only for an interrupt that reports an error"),
            ("ahci_interrupt", "sata_async_notification", "only from a port multiplier"),
        ),
    ),
)

# Receive: backlog -> IP -> TCP, which answers through the card or hands the data to iSCSI, whose
# response completes a command.
_NET_RX = (
    *(
        BACKLOG_V2_6_18.then(answers).then(E1000_XMIT)
        for answers in (RECEIVE_ISCSI_V2_6.answers,)
        if answers is not None
    ),
    *(BACKLOG_V2_6_18.then(data) for data in RECEIVE_ISCSI_V2_6.data),
)


def _deepest(rows: RowSource, paths: tuple[Path, ...]) -> CallPath:
    """The deepest of several; what the table lacks of any of them makes it a lower bound."""
    found = [rows.spine(path) for path in paths]
    deepest = max(found, key=lambda p: p.bytes)
    return sum((CallPath((), p.missing) for p in found), deepest)


def _block_done(generation: str) -> Path:
    """The block softirq: completion, then the queue is run again for the next request."""
    scsi = scsi_path_v2_6(generation, ())
    return Path(
        (">blk_done_softirq",),
        (
            *scsi.edges,
            ("__make_request", "scsi_request_fn"),
            ("blk_done_softirq", "scsi_softirq_done"),
            ("scsi_finish_command", FINISHED_V2_6[generation]),
            ("blk_run_queue", "scsi_request_fn"),
        ),
        scsi.files,
        scsi.cuts,
    )


def _asked(hard: Path, *via: str) -> Path:
    """An interrupt that goes on to the softirq, through the files of the hard one."""
    return Path(via, _ASKED, hard.files, hard.cuts)


def _paths(gen: Generation, hard: Path) -> dict[str, tuple[Path, ...]]:
    """The paths behind `interrupt_paths`, from ``do_IRQ`` on, and the switch of 4K stacks."""
    soft = _asked(hard, _HERE, "irq_exit", ">do_softirq", "__do_softirq")
    here = _asked(hard, _HERE, "irq_exit", ">do_softirq")
    done = completion_v2_6(gen.name)
    return {
        "softirq": (
            soft.then(_block_done(gen.name)),
            *(soft.then(path) for path in _NET_RX),
        ),
        "block": (here.then(replace(done, via=done.via[1:])),),
        "hardirq": tuple(hard.then(handler) for handler in _HANDLERS),
        "switch": (
            _asked(
                hard,
                "do_IRQ@4k|do_IRQ",
                "irq_exit",
                ">do_softirq@4k|do_softirq",
                "__do_softirq",
            ),
        ),
    }


def followed_paths(generation: str) -> tuple[Path, ...]:
    """Every path that `interrupt_paths` follows: what a cut-down frame table must keep."""
    gen = GENERATIONS[generation]
    if gen.hard_irq is None:
        return ()
    return tuple(path for paths in _paths(gen, gen.hard_irq).values() for path in paths)


def _saved(gen: Generation) -> CallPath:
    """What the CPU and the entry code push on the stack of the task that is struck."""
    return CallPath((Step("pt_regs (interrupt)", gen.interrupt_bytes, "derived"),))


def interrupt_paths(rows: RowSource) -> dict[str, CallPath]:
    """What may come on top of a task on its own stack, where interrupts run there.

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
    gen = rows.generation
    if gen.hard_irq is None:
        return {}
    entry = _saved(gen)
    paths = _paths(gen, gen.hard_irq)
    return {
        "softirq": entry + _deepest(rows, paths["softirq"]),
        "block": entry + rows.spine(paths["block"][0], gen.endio_link),
        "hardirq": entry + _deepest(rows, paths["hardirq"]),
    }


def switch_path(rows: RowSource) -> CallPath:
    """What an interrupt leaves on the task's stack where interrupts have stacks of their own.

    The deeper of the hard interrupt's switch and the softirq's after it. Empty for kernels whose
    platform says it in bytes.
    """
    gen = rows.generation
    if gen.hard_irq is None:
        return CallPath()
    (switch,) = _paths(gen, gen.hard_irq)["switch"]
    return _saved(gen) + rows.spine(switch, "__do_softirq")
