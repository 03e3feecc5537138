"""The guest's machine: QEMU's arguments."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DISK_BYTES = 400 << 20
_VIRTIO_DISKS = "abcdefg"
#: QEMU's machine by what translates: Debian's kernels use the IOMMU that they find
MACHINES = {
    "none": (),
    "intel": ("-machine", "q35", "-device", "intel-iommu,intremap=off"),
    "amd": ("-machine", "q35", "-device", "amd-iommu"),
}


@dataclass(frozen=True)
class Machine:
    """The guest: which IOMMU translates (``none``, ``intel``, ``amd``), and how many CPUs."""

    iommu: str = "none"
    cpus: int = 1


def arguments(kernel: Path, first: Path, folder: Path, machine: Machine) -> Iterator[str]:
    """QEMU's command: 7 virtio-blk disks, two of virtio-scsi, one each of the others."""
    yield from (
        "qemu-system-x86_64",
        *MACHINES[machine.iommu],
        "-accel",
        "tcg",
        "-cpu",
        "max",
        "-m",
        "1536",
        "-smp",
        str(machine.cpus),
        "-nographic",
        "-no-reboot",
        "-kernel",
        str(kernel),
        "-initrd",
        str(first),
        "-append",
        "console=ttyS0 randomize_kstack_offset=off quiet loglevel=3 panic=5 no_timer_check",
        "-device",
        "virtio-scsi-pci,id=vs,num_queues=1",
        "-device",
        "ahci,id=ah",
        "-device",
        "megasas,id=ms",
    )
    disks = {
        **{f"v{d}": f"virtio-blk-pci,drive=v{d},num-queues=1" for d in _VIRTIO_DISKS},
        "s1": "scsi-hd,drive=s1,bus=vs.0",
        "s2": "scsi-hd,drive=s2,bus=vs.0",
        "s3": "ide-hd,drive=s3,bus=ah.0",
        "s4": "scsi-hd,drive=s4,bus=ms.0",
        "n1": "nvme,drive=n1,serial=x",
    }
    for name, device in disks.items():
        with (folder / name).open("wb") as disk:
            disk.truncate(_DISK_BYTES)
        yield from (
            "-drive",
            f"file={folder / name},if=none,id={name},format=raw,cache=unsafe",
            "-device",
            device,
        )
