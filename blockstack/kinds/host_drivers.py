"""SCSI host drivers by how their disks are reached, as Debian's 6.1 and 6.12 have them on x86_64.

Names are those of modules. ``kernel/extract/host_drivers.py`` reads from a package which of them
it has and what each keeps on the stack.
"""

from collections.abc import Mapping

#: group → drivers; a disk's transport narrows the choice to some groups
GROUPS: Mapping[str, tuple[str, ...]] = {
    "ata": (
        *("acard_ahci", "ahci", "ata_generic", "ata_piix", "pdc_adma"),
        *(
            f"pata_{chip}"
            for chip in (
                *("ali", "amd", "artop", "atiixp", "atp867x", "cmd64x", "efar", "hpt366"),
                *("hpt37x", "it8213", "it821x", "jmicron", "legacy"),
                *("marvell", "mpiix", "netcell", "ninja32", "ns87410", "ns87415", "oldpiix"),
                *("pcmcia", "pdc2027x", "pdc202xx_old", "piccolo", "rdc", "rz1000", "sch"),
                *("serverworks", "sil680", "sis", "triflex", "via"),
            )
        ),
        *(
            f"sata_{chip}"
            for chip in (
                *("mv", "nv", "promise", "qstor", "sil", "sil24", "sis", "svw", "sx4", "uli"),
                *("via", "vsc"),
            )
        ),
    ),
    "usb": ("microtek", "rts5208", "uas", "ufshcd_core", "usb_storage"),
    "fc": ("bfa", "bnx2fc", "csiostor", "fnic", "lpfc", "mptfc", "qedf", "qla2xxx", "snic"),
    "iscsi": ("be2iscsi", "bnx2i", "qedi", "qla4xxx"),
    "virtual": ("hv_storvsc", "virtio_scsi", "vmw_pvscsi", "xen_scsifront"),
    "other": (
        *("3w_9xxx", "3w_sas", "3w_xxxx", "BusLogic", "a100u2w", "aacraid", "advansys"),
        *("aha152x_cs", "aic79xx", "aic7xxx", "aic94xx", "am53c974", "arcmsr", "atp870u"),
        *("dc395x", "dmx3191d", "esas2r", "hpsa", "hptiop", "initio", "ipr"),
        *("ips", "isci", "megaraid", "megaraid_mbox", "megaraid_sas", "mpi3mr", "mpt3sas"),
        *("mptsas", "mptspi", "mvsas", "mvumi", "myrb", "myrs", "pm80xx", "pmcraid"),
        *("qla1280", "qlogic_cs", "smartpqi", "stex", "sym53c500_cs", "sym53c8xx", "wd719x"),
    ),
}
#: where a table says that these rows are: no file of the kernel's
FILE = "drivers/scsi/[host drivers]"
#: over a network or FireWire, or a test's and a target's own host: in no range
NOT_ADAPTERS = ("fcoe", "firewire_sbp2", "ib_iser", "ib_srp", "iscsi_tcp", "scsi_debug", "tcm_loop")

#: every driver that is known, and libraries that have a template
KNOWN = frozenset(
    (*NOT_ADAPTERS, "esp_scsi", *(name for names in GROUPS.values() for name in names))
)

#: word for a driver that is not told → the groups that it may be of
UNTOLD: Mapping[str, tuple[str, ...]] = {
    "generic": tuple(GROUPS),
    "generic-ata": ("ata",),
    "generic-usb": ("usb",),
    "generic-fc": ("fc",),
    "generic-sas": ("other",),
}


def drivers_of(word: str) -> tuple[str, ...]:
    """The drivers that an untold one may be, by the word for it."""
    return tuple(name for group in UNTOLD.get(word, ()) for name in GROUPS[group])


def row_of(driver: str) -> str:
    """What the tables call a driver's share of a stack: no function's name, so that no report of a
    stack finds it."""
    return f"queuecommand of {driver}" if driver not in UNTOLD else f"queuecommand of any {driver}"


def range_in_words(word: str) -> str:
    """What a bound over an untold driver goes over."""
    names = drivers_of(word)
    what = "SCSI host drivers" if word == "generic" else f"{word.partition('-')[2]} drivers"
    beside = f"; {', '.join(NOT_ADAPTERS)} are none of them" if word == "generic" else ""
    return f"bounded by the deepest of all {len(names)} {what}{beside}"
