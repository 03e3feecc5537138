"""What a host says of its machine and of its files: kernel command line, boot log, xfs_info."""

import re

from blockstack.hosts.model.host import Host, SourceError

#: arch/x86/kernel/pci-dma.c, drivers/iommu/intel/iommu.c, drivers/iommu/amd/init.c (6.12)
_OFF = {"iommu": "off", "intel_iommu": "off", "amd_iommu": "off"}


def read_cmdline(text: str, host: Host) -> None:
    """``/proc/cmdline``: ``iommu=off`` turns either IOMMU off; the vendors' words turn off theirs,
    and only both of them tell that there is none."""
    given = dict(word.partition("=")[::2] for word in text.split())
    off = {key for key, word in _OFF.items() if word in given.get(key, "").split(",")}
    if "iommu" in off or {"intel_iommu", "amd_iommu"} <= off:
        host.iommu["none"] = None


def read_boot_log(text: str, host: Host) -> None:
    """``dmesg``: which IOMMU was set up. That none was is not in a log that may be cut."""
    for pattern, word in (
        (r"DMAR: Intel\(R\) Virtualization Technology for Directed I/O", "intel"),
        (r"DMAR: IOMMU enabled", "intel"),
        (r"AMD-Vi: (AMD IOMMU|Found IOMMU|Lazy IO/TLB|Virtual APIC|Extended features)", "amd"),
    ):
        if re.search(pattern, text):
            host.iommu[word] = None


def read_xfs_info(text: str, host: Host) -> None:
    """``xfs_info``: ``rmapbt=0``, ``reflink=0`` below ``meta-data=/dev/sda1``."""
    parts = re.split(r"^meta-data=(\S+)", text, flags=re.MULTILINE)[1:]
    if not parts:
        raise SourceError("xfs_info: no file system", hint="take it with: xfs_info /mount/point")
    for name, rest in zip(parts[::2], parts[1::2], strict=True):
        told = dict(re.findall(r"\b(rmapbt|reflink)=([01])\b", rest))
        host.xfs[name] = {key: word == "1" for key, word in told.items()}
