"""Facts: named and typed, merged by source, said in the docs."""

from dataclasses import fields

import pytest

from blockstack.hosts.model.facts import (
    CURTIN,
    LSBLK,
    MDSTAT,
    ROUNDED,
    SOURCES,
    SYSFS,
    Facts,
    QueueFacts,
    Source,
)
from blockstack.hosts.model.host import Host, Node


def test_a_misspelt_fact_fails_at_once():
    with pytest.raises(TypeError, match="size_sector"):
        Facts(size_sector=1)
    with pytest.raises(AttributeError, match="md_levels"):
        Node().facts.md_levels = "raid1"


def test_every_fact_has_its_line_and_its_own_name():
    known = [*fields(Facts), *fields(QueueFacts)]
    assert all(f.metadata["doc"] and f.default is None for f in known)
    assert len({f.name for f in known}) == len(known)


def test_sources_stand_in_the_order_of_their_rank():
    ranks = [source.rank for source in SOURCES]
    assert ranks == sorted(ranks, reverse=True)
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    assert all(source.doc for source in SOURCES)


def test_the_nearer_source_wins_field_by_field():
    node = Node()
    node.tell(LSBLK, Facts(size_sectors=8, fstype="ext4"))
    node.tell(SYSFS, Facts(size_sectors=16))
    node.tell(CURTIN, Facts(size_sectors=24, fstype="xfs", transport=""))
    assert (node.facts.size_sectors, node.facts.fstype, node.facts.transport) == (16, "ext4", None)
    assert node.told["size_sectors"].source is SYSFS and "transport" not in node.told


def test_a_rounded_size_loses_to_any_exact_one():
    node = Node()
    node.tell(SYSFS, Facts(size_sectors=8), exact=False)
    assert node.told["size_sectors"].rank == SYSFS.rank - ROUNDED
    node.tell(MDSTAT, Facts(size_sectors=9))
    assert node.facts.size_sectors == 9


def test_the_first_of_equals_stays_unless_a_source_says_more():
    node = Node()
    node.tell(LSBLK, Facts(slaves=("sda",)))
    node.tell(LSBLK, Facts(slaves=("sdb",)))
    assert node.facts.slaves == ("sda",)
    node.stand_on("sdb", LSBLK)
    node.stand_on("sda", LSBLK)
    assert node.facts.slaves == ("sda", "sdb")
    node.tell(LSBLK, Facts(slaves=("sdc",)), again=True)
    assert node.facts.slaves == ("sdc",)
    node.tell(SYSFS, Facts(slaves=("sdd",)))
    node.stand_on("sde", LSBLK)
    node.tell(LSBLK, Facts(slaves=("sdf",)), again=True)
    assert node.facts.slaves == ("sdd",)


def test_a_source_of_a_reader_s_own():
    tool = Source("tool", LSBLK.rank + 1)
    node = Node()
    node.tell(LSBLK, Facts(fstype="ext4"))
    node.tell(tool, Facts(fstype="xfs"))
    assert node.facts.fstype == "xfs"


def test_two_names_of_one_device_bring_their_facts_together():
    host = Host()
    host.node("sda").tell(LSBLK, Facts(size_sectors=8, fstype="ext4"))
    host.node("8:0").tell(SYSFS, Facts(size_sectors=16))
    host.node("8:0").tell(SYSFS, QueueFacts(max_segments=168))
    node = host.node("sda", "8:0")
    assert (node.facts.size_sectors, node.facts.fstype) == (16, "ext4")
    assert node.queue.max_segments == 168
