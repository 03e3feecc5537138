"""Stacks: verbs, sizes derived upward, segments, and everything that cannot stand."""

import pickle
from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockstack.base.errors import ConfigError
from blockstack.kinds import KINDS
from blockstack.stack import Device, Stack
from blockstack.stack.checks import claim_of, find_cycle, is_filesystem

MIB = 2048


def with_disks(*sizes: str | int, name: str = "s") -> Stack:
    """A stack with SCSI disks sda, sdb ..."""
    stack = Stack(name)
    for letter, size in zip("abcdefghij", sizes, strict=False):
        stack.scsi(f"sd{letter}", size=size)
    return stack


def test_the_verbs_of_2005() -> None:
    stack = Stack("lwn-2005")
    stack.nic("eth0")
    disks = [stack.iscsi(f"sd{c}", nic="eth0", size="100 GiB") for c in "abc"]
    md0 = stack.md("md0", level="raid5", members=disks, chunk="64 KiB")
    root = stack.dm("vg-root", target="linear", on=md0)
    fs = stack.filesystem("fs", kind="xfs", on=root)
    assert stack.roots() == ("fs",)
    assert stack.leaves() == ("sda", "sdb", "sdc")
    assert [link.device for link in stack.lower("md0")] == ["sda", "sdb", "sdc"]
    assert [link.index for link in stack.lower("md0")] == [0, 1, 2]
    assert fs.size_sectors == root.size_sectors == md0.size_sectors == 200 * 2**21
    assert isinstance(root, Device)
    assert root.kind == root.kind_entry.name == "dm-linear"
    assert md0.params["chunk"] == 128
    card = stack.nic_of("sda")
    assert card is not None
    assert card.name == "eth0"
    assert stack.nic_of("md0") is None
    assert stack.graph.edges["sda", "eth0"]["role"] == "nic"
    assert nx.is_directed_acyclic_graph(stack.graph)
    assert next(iter(stack.devices)) == "eth0"
    assert repr(stack) == "Stack('lwn-2005': 7 devices)"


def test_every_verb() -> None:
    stack = Stack()
    for verb in (stack.scsi, stack.nvme, stack.virtio_blk, stack.brd, stack.null_blk):
        verb(f"d-{verb.__name__}", size="1 GiB")
    stack.nic("eth0")
    stack.nbd("nbd0", nic="eth0", size="1 GiB")
    stack.nvme_tcp("nvme1n1", nic="eth0", size="1 GiB")
    stack.partition("p1", on="d-scsi", start="1 MiB")
    stack.filesystem("root", kind="ext3", on="p1")
    stack.loop("loop0", on="root", size="100 MiB")
    stack.swap("swap", on="loop0")
    stack.raw("raw", on="nbd0")
    stack.nfsd("export", on="root", nic="eth0")
    stack.nfs("home", nic="eth0", size="1 GiB")
    assert {d.kind for d in stack.devices.values()} == {
        "scsi",
        "nvme",
        "virtio-blk",
        "brd",
        "null_blk",
        "nic",
        "nbd",
        "nvme-tcp",
        "partition",
        "ext3",
        "loop",
        "swap",
        "raw",
        "nfsd",
        "nfs",
    }
    assert stack.devices["loop0"].size_sectors == 100 * MIB
    assert stack.roots() == (
        "d-nvme",
        "d-virtio_blk",
        "d-brd",
        "d-null_blk",
        "nvme1n1",
        "swap",
        "raw",
        "export",
        "home",
    )


def test_md_levels_by_number_or_word() -> None:
    stack = with_disks("1 GiB", "1 GiB", "1 GiB", "1 GiB", "1 GiB", "1 GiB")
    assert stack.md("m", level=5, members=["sda", "sdb", "sdc"]).kind == "md-raid5"
    assert stack.md("n", level="linear", members=["sdd"]).kind == "md-linear"
    assert stack.md("o", level="0", members=["sde"]).kind == "md-raid0"
    with pytest.raises(ConfigError, match="list of members"):
        stack.md("p", level=1, members="sdf")


def test_failed_members() -> None:
    stack = with_disks(*["1 GiB"] * 8)
    degraded = stack.md("m", level=5, members=["sda", "sdb", "sdc"], failed=[1])
    assert degraded.failed == {1}
    assert stack.md("n", level=6, members=["sdd", "sde", "sdf", "sdg"], failed=[0, 3]).failed
    for failed, words in (([3], "no such member"), ([0, 1], "does not survive|survives the loss")):
        with pytest.raises(ConfigError, match=words):
            stack.md("x", level=5, members=["sda", "sdb", "sdh"], failed=failed)


@pytest.mark.parametrize(
    ("kind", "on", "words"),
    [
        ("md-raid5", ["sda"], "not 1"),
        ("dm-linear", None, "not 0"),
        ("dm-crypt", ["sda", "sdb"], "stands on 1 device, not 2"),
        ("scsi", "sda", "stands on no other device"),
        ("dm-snapshot", ["sda"], "stands on 2 devices"),
        ("xfs", None, "not 0"),
        ("partition", [], "not 0"),
        ("nic", "sda", "no other device"),
    ],
)
def test_wrong_arity(kind: str, on: object, words: str) -> None:
    stack = with_disks("1 GiB", "1 GiB")
    keys = {"scsi": {"size": "1 GiB"}, "partition": {"start": 0}}.get(kind, {})
    with pytest.raises(ConfigError, match=words) as caught:
        stack.add("x", kind, on, **keys)  # type: ignore[arg-type]
    assert caught.value.path == "devices.x.on"


def test_missing_lower_device() -> None:
    stack = with_disks("1 GiB", "1 GiB", "1 GiB")
    with pytest.raises(ConfigError, match='did you mean "sdc"') as caught:
        stack.md("m", level=5, members=["sda", "sdb", "sdd"])
    assert caught.value.path == "devices.m.on[2]"
    with pytest.raises(ConfigError, match="devices: sda, sdb, sdc"):
        stack.dm("m", target="linear", on="nothing")
    for name in ("lower", "nic_of"):
        with pytest.raises(ConfigError, match="no such device"):
            getattr(stack, name)("sdz")


@pytest.mark.parametrize("on", [5, [5], {"a": 1}, [["sda"]], True])
def test_on_is_a_name_or_names(on: object) -> None:
    with pytest.raises(ConfigError):
        with_disks("1 GiB").dm("v", target="linear", on=on)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a b", "a\n", "x" * 201, "\0", 5])
def test_bad_names(name: object) -> None:
    with pytest.raises(ConfigError, match="device name"):
        Stack().scsi(name, size="1 GiB")  # type: ignore[arg-type]


def test_names_are_unique() -> None:
    stack = with_disks("1 GiB")
    with pytest.raises(ConfigError, match="defined twice"):
        stack.scsi("sda", size="1 GiB")


def test_devices_of_another_stack_are_refused() -> None:
    alien = with_disks("2 GiB").devices["sda"]
    with pytest.raises(ConfigError, match="another stack"):
        with_disks("1 GiB").dm("v", target="linear", on=alien)


def test_unknown_keys_and_kinds() -> None:
    stack = with_disks("1 GiB", "1 GiB", "1 GiB")
    with pytest.raises(ConfigError, match=r'devices\.m\.chunck: unknown key.*"chunk"'):
        stack.md("m", level=5, members=["sda", "sdb", "sdc"], chunck="4 KiB")
    with pytest.raises(ConfigError, match=r"devices\.m\.kind: no such device kind"):
        stack.md("m", level=7, members=["sda"])
    with pytest.raises(ConfigError, match=r"devices\.sdx\.size"):
        stack.scsi("sdx")
    with pytest.raises(ConfigError, match=r"devices\.sdx\.size"):
        stack.scsi("sdx", size=0)
    with pytest.raises(ConfigError, match=r"devices\.sdx\.size"):
        stack.scsi("sdx", size="100")


def test_a_network_leaf_needs_its_card() -> None:
    stack = Stack()
    with pytest.raises(ConfigError, match=r"devices\.sda\.nic: iscsi needs a network card"):
        stack.add("sda", "iscsi", size="1 GiB")
    stack.nic("eth0")
    with pytest.raises(ConfigError, match="one of: eth0"):
        stack.add("sda", "iscsi", size="1 GiB")
    with pytest.raises(ConfigError, match="no such device"):
        stack.iscsi("sda", nic="eth1", size="1 GiB")
    stack.scsi("sdb", size="1 GiB")
    with pytest.raises(ConfigError, match="is not a network card"):
        stack.iscsi("sda", nic="sdb", size="1 GiB")
    with pytest.raises(ConfigError, match="cannot stand on a network card"):
        stack.dm("v", target="linear", on="eth0")
    assert stack.warnings() == ("devices.eth0: no device uses this network card",)
    assert stack.add("sda", "iscsi", "eth0", size="1 GiB").nic == "eth0"
    assert stack.warnings() == ()


def test_who_stands_on_files() -> None:
    stack = with_disks("1 GiB", "1 GiB")
    stack.filesystem("fs", kind="xfs", on="sda")
    stack.swap("swap", on="sdb")
    with pytest.raises(ConfigError, match="cannot stand on xfs"):
        stack.dm("v", target="linear", on="fs")
    with pytest.raises(ConfigError, match="cannot stand on xfs"):
        stack.filesystem("fs2", kind="ext3", on="fs")
    with pytest.raises(ConfigError, match="stands on a file system"):
        stack.loop("l", on="sda")
    with pytest.raises(ConfigError, match="stands on a file system"):
        stack.loop("l", on="swap")
    stack.loop("l", on="fs")
    stack.loop("l2", on="fs", size="1 MiB")


def test_exclusive_users() -> None:
    stack = with_disks(*["1 GiB"] * 5)
    stack.md("m", level=1, members=["sda", "sdb"])
    with pytest.raises(ConfigError, match='already in use by "m"') as caught:
        stack.md("n", level=1, members=["sdc", "sdb"])
    assert caught.value.path == "devices.n.on[1]"
    assert "n" not in stack.devices
    stack.md("n", level=1, members=["sdc", "sdd"])  # the failed attempt holds nothing
    with pytest.raises(ConfigError, match='already in use by "m"'):
        stack.dm("v", target="linear", on="sda")
    with pytest.raises(ConfigError, match="names this device twice"):
        stack.md("o", level=1, members=["sde", "sde"])
    stack.dm("v1", target="linear", on="sde", size="1 MiB")
    stack.dm("v2", target="linear", on="sde", offset="1 MiB")
    with pytest.raises(ConfigError, match='already in use by "v1"'):
        stack.filesystem("fs", kind="xfs", on="sde")
    stack.raw("raw", on="sde")


def test_partitions_hold_the_whole_disk() -> None:
    stack = with_disks("1 GiB", "1 GiB")
    for disk in ("sda", "sdb"):
        for n in (1, 2):
            stack.partition(f"{disk}{n}", on=disk, start=f"{n} MiB", size="1 MiB")
    stack.filesystem("fs1", kind="xfs", on="sda1")
    stack.filesystem("fs2", kind="ext3", on="sda2")
    with pytest.raises(ConfigError, match='already in use by "fs1"'):
        stack.dm("v", target="linear", on="sda")
    stack.dm("w", target="linear", on="sdb")
    with pytest.raises(ConfigError, match='already in use by "w"'):
        stack.swap("swap", on="sdb1")


def test_claims_of_all_kinds() -> None:
    for kind in KINDS.values():
        assert claim_of(kind) in (None, "dm", "alone")
    assert is_filesystem(KINDS["xfs"])
    assert not is_filesystem(KINDS["swap"])
    assert not is_filesystem(KINDS["dm-linear"])


def test_devices_cannot_be_changed() -> None:
    stack = with_disks("1 GiB")
    with pytest.raises(TypeError):
        stack.devices["x"] = stack.devices["sda"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        stack.devices["sda"].name = "x"  # type: ignore[misc]
    assert len({stack.devices["sda"]}) == 1


def test_equality() -> None:
    assert with_disks("1 GiB") == with_disks(2**30)
    assert with_disks("1 GiB") != with_disks("2 GiB")
    assert with_disks("1 GiB") != 1


def test_stacks_travel_to_other_processes() -> None:
    stack = with_disks("1 GiB", "1 GiB")
    stack.md("m", level=1, members=["sda", "sdb"])
    again = pickle.loads(pickle.dumps(stack))
    assert again == stack
    assert again.lower("m") == stack.lower("m")
    with pytest.raises(ConfigError, match="already in use"):
        again.dm("v", target="linear", on="sda")


def test_find_cycle() -> None:
    assert find_cycle({"a": ["b"], "b": ["c"], "c": []}) == ()
    assert find_cycle({"a": ["a"]}) == ("a", "a")
    assert find_cycle({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]}) == ("a", "b", "c", "a")
    assert find_cycle({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == ()
    chain = {str(i): [str(i + 1)] for i in range(20_000)}
    assert find_cycle(chain) == ()
    assert len(find_cycle({**chain, "20000": ["0"]})) == 20_002


@given(st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 12), max_size=3)))
def test_find_cycle_agrees_with_networkx(links: dict[int, list[int]]) -> None:
    lower = {str(k): [str(v) for v in vs] for k, vs in links.items()}
    graph = nx.DiGraph((k, v) for k, vs in lower.items() for v in vs)
    cycle = find_cycle(lower)
    assert bool(cycle) != nx.is_directed_acyclic_graph(graph)
    for one, two in pairwise(cycle):
        assert graph.has_edge(one, two)


@pytest.mark.parametrize("kind", ["rbd", "bcachefs"])
def test_what_the_kernel_has_and_the_model_lacks_is_no_misspelling(kind):
    with pytest.raises(ConfigError, match=f"the model does not have {kind}"):
        Stack().add("x", kind)
