"""What a device's name, transport and UUID say about its kind, where no table tells it."""

import re
from collections.abc import Mapping
from typing import Any

from blockstack.hosts.model.host import Host, Node
from blockstack.hosts.model.naming import NAMED_DISKS, is_kernel_name, name_of_number
from blockstack.kinds import KINDS
from blockstack.kinds.host_drivers import UNTOLD, range_in_words

#: SCSI host drivers (scsi_host/hostN/proc_name) that the registry knows by another name
_HOST_DRIVERS: Mapping[str, str] = {
    "Virtio SCSI HBA": "virtio-scsi",
    "virtio_scsi": "virtio-scsi",
    "megaraid_sas": "megasas",
    "mpt2sas": "mpt3sas",
    "storvsc_host": "hv_storvsc",
    "usb-storage": "usb_storage",
    "pm8001": "pm80xx",
    "sbp2": "firewire_sbp2",
    "ufshcd": "ufshcd_core",
}
#: lsblk's and lsscsi's words for how a disk is reached → what its driver may be
_TRANSPORTS: Mapping[str, str] = {
    "ata": "generic-ata",
    "sata": "generic-ata",
    "pata": "generic-ata",
    "usb": "generic-usb",
    "fc": "generic-fc",
    "sas": "generic-sas",
    "spi": "generic-sas",
    "scsi": "generic",
    "virtio-scsi": "virtio-scsi",
}
_DRIVERS = frozenset(KINDS["scsi"].variants)


def leaf(node: Node, host: Host) -> tuple[str, dict[str, Any]] | None:
    """Kind and keys of a disk that stands on nothing; None: nothing tells what it is."""
    name = node.kname or ""
    if node.facts.device_type == "disk" and node.number and not is_kernel_name(name):
        name = (name_of_number(node.number) or (name,))[0]  # Synology calls sda sata1
    transport = node.facts.transport or ""
    if re.fullmatch(r"nvme\d+(c\d+)?n\d+", name):
        over = node.facts.nvme_transport or "pcie"
        if transport == "nvme-fabrics" and over == "pcie":
            over = "fabrics"
        return ("nvme", {}) if over in ("pcie", "apple-nvme") else (f"nvme-{over}", {})
    if re.fullmatch(r"sd[a-z]+", name):
        if transport == "iscsi":
            return "iscsi", {}
        return "scsi", {"driver": _scsi_driver(node, transport, host)}
    for pattern, kind in NAMED_DISKS:
        if re.fullmatch(pattern, name):
            return kind, {}
    return None


def _scsi_driver(node: Node, transport: str, host: Host) -> str:
    """The host driver that is told, else the word for those that it may be."""
    told = node.facts.host_driver or ""
    driver = _HOST_DRIVERS.get(told, told.replace("-", "_"))
    for word in filter(None, (told, driver)):
        if word in _DRIVERS:
            return word
    if told:
        host.note(f"SCSI disks behind {told}: the registry has no such host driver")
        return "unknown"
    word = _TRANSPORTS.get(transport, "generic")
    if word in UNTOLD:
        host.note(f"SCSI disks whose host driver no source tells: {range_in_words(word)}")
    return word


def dm_kind(node: Node) -> str | None:
    """A dm device's kind by its UUID's prefix or lsblk's type; None: neither tells.

    LVM and others put a prefix before the UUID (dm-uuid-PREFIX-...); it says who made the device,
    and only for crypt and multipath which target it has.
    """
    uuid, kind = node.facts.dm_uuid or "", node.facts.device_type or ""
    if uuid.startswith("CRYPT-") or kind == "crypt":
        return "dm-crypt"
    if uuid.startswith("mpath-") or kind == "mpath":
        return "dm-multipath"
    if re.match(r"part\d+-", uuid) or kind == "part":
        return "dm-linear"
    return None
