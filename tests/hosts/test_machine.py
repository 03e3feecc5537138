"""What a host settles of its environment; what it does not tell is the deeper way."""

import pytest

from blockstack.base.environment import UNTOLD
from blockstack.hosts.build import build
from blockstack.hosts.model.host import Host
from blockstack.hosts.sniff import read_text

DISKS = (
    'NAME="sda" KNAME="sda" MAJ:MIN="8:0" SIZE="9999999488" TYPE="disk" FSTYPE="xfs" '
    'MOUNTPOINT="/a"\n'
    'NAME="sdb" KNAME="sdb" MAJ:MIN="8:16" SIZE="9999999488" TYPE="disk" FSTYPE="xfs" '
    'MOUNTPOINT="/b"\n'
)


def info(disk, rmapbt=0, reflink=0):
    return (
        f"meta-data=/dev/{disk} isize=512    agcount=4, agsize=65536 blks\n"
        f"         =                       crc=1        finobt=1, sparse=1, rmapbt={rmapbt}\n"
        f"         =                       reflink={reflink}    bigtime=1 inobtcount=1\n"
    )


def environment(*texts):
    host = Host()
    for i, text in enumerate((DISKS, *texts)):
        read_text(text, host, str(i))
    return build(host).environment, host


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("BOOT_IMAGE=/vmlinuz root=/dev/sda ro iommu=off\n", "none"),
        ("BOOT_IMAGE=/vmlinuz root=/dev/sda intel_iommu=off amd_iommu=off\n", "none"),
        ("BOOT_IMAGE=/vmlinuz root=/dev/sda intel_iommu=off\n", "any"),  # AMD's is not told
        ("BOOT_IMAGE=/vmlinuz root=/dev/sda iommu=pt\n", "any"),  # devices may still translate
        ("[    0.4] DMAR: IOMMU enabled\n", "intel"),
        ("[    0.4] AMD-Vi: Found IOMMU at 0000:00:00.2 cap 0x40\n", "amd"),
        ("[    0.0] Linux version 6.1.0 (x@y) (gcc)\n", "any"),  # silence tells nothing
    ],
)
def test_which_iommu_a_source_tells(text, word):
    assert environment(text)[0].iommu == word


def test_sources_that_differ_are_named_and_settle_nothing():
    found, host = environment(
        "BOOT_IMAGE=/vmlinuz root=/dev/sda iommu=off\n", "[    0.4] DMAR: IOMMU enabled\n"
    )
    assert found.iommu == "any"
    assert any("differ about the IOMMU" in note for note in host.notes)


def test_a_feature_is_off_only_where_every_xfs_is_without_it():
    assert environment()[0] == UNTOLD
    assert environment(info("sda"))[0] == UNTOLD  # sdb is not told
    both = environment(info("sda"), info("sdb"))[0]
    assert (both.rmapbt, both.shared_extents) == (False, False)
    mixed = environment(info("sda"), info("sdb", rmapbt=1))[0]
    assert (mixed.rmapbt, mixed.shared_extents) == (True, False)
