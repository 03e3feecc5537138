"""Real outputs, kept outside the project: each imports, or is refused by name of what is missing.

The folder is ``../shared/samples`` beside the checkout, or what BLOCKSTACK_SAMPLES names.
"""

import os
import random
from pathlib import Path

import pytest
from places import ROOT

from blockstack.base.errors import BlockstackError
from blockstack.hosts.build import build
from blockstack.hosts.formats import recognise
from blockstack.hosts.model.host import Host
from blockstack.hosts.model.tree import decode
from blockstack.hosts.sniff import read_sources, read_text

SAMPLES = Path(os.environ.get("BLOCKSTACK_SAMPLES", ROOT.parent / "shared/samples"))
FOLDERS = (
    "ansible-storage",
    "curtin-yaml",
    "dmsetup",
    "iscsiadm",
    "lsblk-sysfs",
    "lsblk-text",
    "lsscsi",
    "lvm-json",
    "mdadm",
    "mdstat",
    "multipath",
    "nvme",
    "probert",
)
FILES = [p for folder in FOLDERS for p in sorted((SAMPLES / folder).glob("*"))]
SOS = SAMPLES / "sosreport/openstack-compute"
absent = pytest.mark.skipif(not FILES, reason=f"no samples in {SAMPLES}")


@absent
@pytest.mark.parametrize("path", FILES or [None], ids=lambda p: p and f"{p.parent.name}/{p.name}")
def test_every_file_imports_or_says_what_is_missing(path):
    try:
        found = build(read_sources([path]), skip=("unknown",))
    except BlockstackError as error:
        assert len(str(error)) > len(str(path)) + 20 and (error.hint or error.path)
    else:
        assert found.stack.devices and found.sources


@absent
def test_the_ceph_node_of_a_sosreport():
    host = read_sources([SOS])
    on = {node.label: node for node in host.nodes()}
    osd = next(name for name in on if name.startswith("ceph--"))
    crypt = next(name for name in on if name.startswith("crypt-48858aa1"))
    assert on[osd].facts.table[0][2] == "linear"
    assert host.find(on[osd].facts.table[0][3]) is on[crypt]
    assert host.find(on[crypt].facts.table[0][6]) is on["bcache1"]
    assert (on["bcache1"].facts.bcache_backing, set(on["bcache1"].facts.slaves)) == (
        "vdc",
        {"vdb2", "vdc"},
    )
    assert on["vdb2"].facts.parent == "vdb" and on["vdb"].facts.transport == "virtio"
    assert "cryptsetup:88244ad9" not in repr(host)


@absent
@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.suffix not in (".xz", ".gz")] or [None],
    ids=lambda p: p and p.name,
)
def test_mutated_real_files(path):
    text = decode(path.read_bytes())
    rng = random.Random(str(path.name))
    if recognise(text) is None or len(text) > 60_000:
        pytest.skip("of no format, or too large to mutate many times")
    for _ in range(6):
        at = rng.randrange(len(text))
        broken = (
            text[:at]
            + rng.choice(["", "\0", "9" * 20, "\n", '"', "/", ":"])
            + text[at + rng.randrange(20) : rng.choice([len(text), rng.randrange(len(text))])]
        )
        host = Host()
        try:
            read_text(broken, host, "mutated")
            build(host, skip=("unknown",))
        except BlockstackError as error:
            assert str(error)
