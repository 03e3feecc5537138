"""Any bytes into any reader: an answer or a `BlockstackError`, in bounded time and memory."""

import contextlib
import io
import json
import os
import random
import re
import time

import pytest
from host_sources import CRYPT, INFO, KEY, LSBLK, TABLE, tar_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockstack.base.errors import BlockstackError
from blockstack.hosts import folders
from blockstack.hosts.build import build
from blockstack.hosts.formats import FORMATS
from blockstack.hosts.model import tree as trees
from blockstack.hosts.model.host import Host
from blockstack.hosts.model.tree import FolderTree, MemoryTree, decode, read_archive
from blockstack.hosts.readers.common import read_json
from blockstack.hosts.readers.installer import load_yaml
from blockstack.hosts.sniff import read_sources, read_text, read_tree

QUICK = settings(
    max_examples=60,
    deadline=2000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
MDSTAT = """Personalities : [raid1]
md0 : active raid1 sdb1[1] sda1[0](F) sdc1[3](S)
      29301632 blocks super 1.2 [2/1] [_U]
      bitmap: 1/1 pages [4KB], 65536KB chunk
unused devices: <none>
"""
MULTIPATH = """mpatha (36f01faf0) dm-2 DELL,MD36xxi
size=54T features='3 queue_if_no_path pg_init_retries 50' hwhandler='1 rdac' wp=rw
|-+- policy='round-robin 0' prio=0 status=active
| |- 12:0:0:1 sdc 8:32   active ready running
`-+- policy='round-robin 0' prio=0 status=enabled
  `- 13:0:0:1 sdf 8:80   active ready running
"""
CURTIN = """storage:
  version: 1
  config:
  - {id: sda, type: disk, name: sda, path: /dev/sda}
  - {id: sda1, type: partition, device: sda, size: 1G}
  - {id: vg, type: lvm_volgroup, name: vg-a, devices: [sda1]}
  - {id: lv, type: lvm_partition, volgroup: vg, name: root, size: 512M}
  - {id: c, type: dm_crypt, volume: lv, dm_name: c0, key: secret}
  - {id: f, type: format, fstype: xfs, volume: c}
  - {id: m, type: mount, device: f, path: /}
"""
PROBERT = json.dumps(
    {
        "storage": {
            "blockdev": {
                "/dev/vda": {
                    "DEVNAME": "/dev/vda",
                    "DEVTYPE": "disk",
                    "MAJOR": "252",
                    "MINOR": "0",
                    "DEVPATH": "/devices/pci/virtio0/block/vda",
                    "attrs": {"size": "1073741824"},
                },
                "/dev/vda1": {
                    "DEVNAME": "/dev/vda1",
                    "DEVTYPE": "partition",
                    "MAJOR": "252",
                    "MINOR": "1",
                    "DEVPATH": "/devices/pci/virtio0/block/vda/vda1",
                    "attrs": {"size": "536870912", "start": "2048"},
                },
            },
            "mount": [{"target": "/", "source": "/dev/vda1", "fstype": "ext4"}],
        }
    }
)
LVM = json.dumps(
    {
        "report": [
            {"pv": [{"pv_name": "/dev/sda1", "vg_name": "a"}]},
            {
                "lv": [
                    {
                        "lv_name": "r",
                        "vg_name": "a",
                        "lv_size": "1048576",
                        "segtype": "striped",
                        "stripe_size": "65536",
                        "devices": "/dev/sda1(0),/dev/sdb1(0)",
                    }
                ]
            },
        ]
    }
)
NVME = json.dumps(
    {
        "Devices": [
            {
                "Subsystems": [
                    {
                        "Controllers": [
                            {
                                "Controller": "nvme0",
                                "Transport": "tcp",
                                "Namespaces": [{"NameSpace": "nvme0n1", "PhysicalSize": 1048576}],
                            }
                        ]
                    }
                ]
            }
        ]
    }
)
DRBD = """resource "r0" {
    _this_host { node-id 0; volume 0 { device minor 0; disk "/dev/sda5"; meta-disk "/dev/sdb"; } }
    connection { _peer_node_id 1; net { protocol A; shared-secret "x"; } }
}
"""
DRBD_STATUS = json.dumps(
    [
        {
            "name": "r0",
            "node-id": 0,
            "devices": [{"volume": 0, "minor": 0, "size": 1048576}],
            "connections": [{"peer-node-id": 1}],
        }
    ]
)
ISCSI = "Target: iqn.x\n\tIface Netdev: eth1\n\tAttached scsi disk sdb\tState: running\n"
XFS_INFO = (
    "meta-data=/dev/sda1              isize=512    agcount=4, agsize=65536 blks\n"
    "         =                       crc=1        finobt=1, sparse=1, rmapbt=0\n"
    "         =                       reflink=0    bigtime=1 inobtcount=1\n"
)
SAMPLES = (
    XFS_INFO,
    "BOOT_IMAGE=/vmlinuz-6.1 root=/dev/sda1 ro quiet iommu=off\n",
    "[    0.4] DMAR: IOMMU enabled\n",
    LSBLK,
    TABLE,
    INFO,
    CRYPT,
    MDSTAT,
    MULTIPATH,
    CURTIN,
    PROBERT,
    LVM,
    NVME,
    ISCSI,
    DRBD,
    DRBD_STATUS,
    'NAME="sda" MAJ:MIN="8:0" SIZE="1G" TYPE="disk" MOUNTPOINT="/"\n',
    "NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINT\nsda 8:0 0 1G 0 disk /\n",
    "MD_LEVEL=raid1\nMD_DEVNAME=x\nMD_DEVICE_sda_ROLE=0\nMD_DEVICE_sda_DEV=/dev/sda\n",
    "Filename Type Size Used Priority\n/dev/sda partition 1 1 1\n",
    "a (253:0)\n `-b (253:1)\n    |- (8:2)\n    `- (8:3)\n",
    "NAME   SIZE TYPE FSTYPE MOUNTPOINTS\nsda      1G disk\n└─sda1   1G part ext4   /a\n"
    "                        /b\n",
    "67 0 8:1 / / rw - ext4 /dev/sda1 rw\n",
    "a: 1 dependencies : (8, 0)\n",
    "[0:0:0:0] disk fc:0x5 /dev/sda\n",
    "/dev/loop0: [1]:2 (/a)\n",
    "P: /devices/x\nE: SUBSYSTEM=block\nE: DEVNAME=/dev/sda\nE: MAJOR=8\nE: MINOR=0\n",
    "RO RA SSZ BSZ StartSec Size Device\nrw 256 512 4096 0 1048576 /dev/vda\n",
    "/sys/block/sda -> ../devices/sda\n/sys/devices/sda/dev=8:0\n/sys/devices/sda/size=99\n",
    "/sys/block:\nlrwxrwxrwx 1 0 0 0 Feb 1 1:1 sda -> ../devices/sda\n",
    "storage_pools:\n  - name: a\n    disks: [sdb]\n    volumes:\n"
    "      - {name: v, size: 1g, mount_point: /v}\n",
    "Linux h 6.1.0 #1 SMP x86_64 GNU/Linux\n",
    "/dev/sda1 / ext4 rw 0 0\n",
)


def swallow(text, kind=""):
    host = Host()
    try:
        if kind:
            next(f for f in FORMATS if f.name == kind).read(text, host)
        else:
            read_text(text, host, "fuzz")
        build(host, skip=("unknown",))
    except BlockstackError as error:
        assert KEY not in str(error)


def test_every_sample_is_recognised_and_all_formats_are_met():
    met = set()
    for text in SAMPLES:
        host = Host()
        read_text(text, host, "x")
        met.add(host.sources[0].split(":")[0])
    refused = {"lsblk-refused", "mdadm-examine", "dmsetup-status"}
    assert met | refused == {f.name for f in FORMATS}


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda f: f.name)
def test_any_text(fmt):
    @QUICK
    @given(st.text(max_size=300) | st.sampled_from(SAMPLES))
    def check(text):
        swallow(text, fmt.name)

    check()


@QUICK
@given(st.sampled_from(SAMPLES), st.randoms(use_true_random=False))
def test_mutated_texts(text, rng):
    words = re.split(r"(\W)", text)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(words))
        words[at] = rng.choice(
            [
                words[rng.randrange(len(words))],
                "",
                "0",
                "-1",
                "9" * 30,
                "\0",
                "\n",
                "8:0",
                "sda",
                "null",
                "{",
                "é",
                "..",
                "%s",
            ]
        )
    swallow("".join(words)[: rng.choice([10**6, len(text) // 2])])


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["sda", "8:0", "disk", "/", "md0", "1G", "/dev/sda1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "kname",
                    "maj:min",
                    "size",
                    "type",
                    "children",
                    "report",
                    "lv",
                    "pv",
                    "vg_name",
                    "lv_name",
                    "devices",
                    "storage",
                    "blockdev",
                    "attrs",
                    "DEVNAME",
                    "MAJOR",
                    "MINOR",
                    "config",
                    "id",
                    "raidlevel",
                    "volgroup",
                    "mountpoint",
                    "multipath",
                    "bcache",
                    "raid",
                    "mount",
                    "disks",
                    "volumes",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@QUICK
@given(
    _JSON,
    st.sampled_from(
        [
            "blockdevices",
            "report",
            "blockdev",
            "Devices",
            "hosts",
            "storage",
            "config",
            "storage_pools",
            "loopdevices",
        ]
    ),
)
def test_any_json(value, key):
    swallow(json.dumps({key: value}))


@pytest.mark.slow
def test_deep_nesting_and_alias_bombs_end():
    swallow('{"blockdevices":' + '[{"name":"a","children":' * 5000 + "[]" + "}]" * 5000 + "}")
    bomb = "storage_pools: &a0 [x]\n" + "".join(
        f"b{i}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(30)
    )
    swallow(bomb)
    swallow("storage: &a {config: *a}\n")
    merges = "storage_pools: []\nb0: &b0 {x: 1, y: 2}\n" + "".join(
        f"b{i + 1}: &b{i + 1} {{<<: [*b{i}, *b{i}, *b{i}], k{i}: 1}}\n" for i in range(40)
    )
    swallow(merges)
    for deep in ("[" * 100_000, '{"]]]":[' * 100_000, '["\\"]",' * 100_000):
        with pytest.raises(BlockstackError, match="nested"):
            read_json(deep, "x")
    for deep in (
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 50_000,
        "storage:\n" + "".join(" " * i + "a:\n" for i in range(2000)),
    ):
        with pytest.raises(BlockstackError, match=r"nested|not YAML"):
            load_yaml(deep)
    chain = "".join(f"d{i}: 0 8 linear 253:{i + 1} 0\n" for i in range(3000)) + "d3000: 0 8 zero \n"
    info = "Name Maj Min Stat Open Targ Event UUID\n" + "".join(
        f"d{i} 253 {i} L--w 1 1 0 x\n" for i in range(3001)
    )
    host = Host()
    read_text(chain, host, "x")
    read_text(info, host, "x")
    with contextlib.suppress(BlockstackError):
        build(host)


def archive(tmp_path, members, mode="w:gz"):
    file = tmp_path / "a.tar"
    file.write_bytes(tar_of(members, mode))
    return file


def test_archives_do_not_leave_their_tree(tmp_path):
    (tmp_path / "secret").write_text("Personalities : [raid1]\n")
    file = archive(
        tmp_path,
        [
            ("../secret", b"x"),
            ("/proc/mdstat", b"Personalities :\nunused devices: <none>\n"),
            ("proc/swaps", ("link", "../../../secret")),
            ("proc/version", ("hard", "../secret")),
            ("loop", ("link", "loop")),
            ("sos/dmsetup_table", b"a: 0 2048 linear 8:0 0\n"),
        ],
    )
    found = read_archive(file, folders.wanted)
    assert found.text("secret") is None and found.text("proc/swaps") is None
    assert found.text("proc/version") is None and found.resolve("loop/x") is None
    assert found.text("proc/mdstat").startswith("Personalities")
    host = read_sources([file])
    assert "a" in {d.name for d in build(host).stack.devices.values()}


def test_folders_do_not_leave_their_root(tmp_path):
    (tmp_path / "secret").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to("../secret")
    (root / "abs").symlink_to(str(tmp_path / "secret"))
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    tree = FolderTree(root)
    for name in ("out", "abs", "loop", "pipe", "../secret", "a/../../secret"):
        assert tree.text(name) is None


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_bombs_are_bounded(tmp_path, mode, monkeypatch):
    monkeypatch.setattr(trees, "RATIO_FREE_BYTES", 1 << 20)
    file = archive(tmp_path, [("x/dmsetup_table", b"\0" * (8 << 20))], mode)
    assert file.stat().st_size < 100_000
    with pytest.raises(BlockstackError, match="unpacks to more"):
        read_archive(file, folders.wanted)


def test_counts_and_sizes_are_bounded(tmp_path, monkeypatch):
    many = archive(tmp_path, [(f"x/{i}", b"") for i in range(200)])
    monkeypatch.setattr(trees, "MAX_MEMBERS", 100)
    with pytest.raises(BlockstackError, match="too many members"):
        read_archive(many, folders.wanted)
    monkeypatch.setattr(trees, "MAX_KEPT_BYTES", 1000)
    with pytest.raises(BlockstackError, match="more text"):
        MemoryTree("x").add_file("a", b"x" * 1001)
    monkeypatch.setattr(trees, "MAX_FILE_BYTES", 1000)
    (tmp_path / "big").write_bytes(b"x" * 1001)
    with pytest.raises(BlockstackError, match="too large"):
        FolderTree(tmp_path).text("big")


@pytest.mark.slow
@QUICK
@given(st.binary(max_size=600), st.integers(0, 10**6))
def test_damaged_archives(tmp_path, raw, seed):
    good = bytearray(
        tar_of(
            [("proc/mdstat", MDSTAT.encode()), ("l", ("link", "proc"))],
            random.Random(seed).choice(["w", "w:gz", "w:xz"]),
        )
    )
    for i, byte in enumerate(raw[:8]):
        good[(seed * 31 + i * 977) % len(good)] = byte
    for content in (bytes(good[: seed % len(good) + 1]), bytes(good), b"\x1f\x8b" + raw):
        file = tmp_path / "x.tar"
        file.write_bytes(content)
        with contextlib.suppress(BlockstackError):
            read_sources([file])


@QUICK
@given(
    st.dictionaries(
        st.text("abs./\0sysblockqueue", max_size=20), st.binary(max_size=20), max_size=6
    )
)
def test_any_tree(files):
    tree = MemoryTree("fuzz")
    for path, content in files.items():
        tree.add_file("/".join(p for p in path.split("/") if p) or "x", content)
        tree.add_link(f"sys/block/{len(path)}", path)
    with contextlib.suppress(BlockstackError):
        read_tree(tree, Host())


def test_bytes_decode_to_something_printable():
    assert decode(b"\xff\xfea\r\nb") == "\\xff\\xfea\nb"
    assert isinstance(io.StringIO(decode(bytes(range(256)))).read(), str)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "A",
        "a ",
        "\n",
        " ",
        "\t\n",
        "[",
        "{",
        '"',
        "1:",
        " - ",
        'A="" ',
        "dm-1 ",
        "(1, ",
        ": ",
        "0 0 ",
        "- ",
        "x[1]",
        "md0 : active ",
        "E: A=B\n",
        "/dev/a ",
        "a: 0 8 ",
        "|-",
        "/sys/a -> ",
    ],
    ids=repr,
)
def test_no_pattern_hangs(piece):
    """200 kB of the same piece into every reader: what backtracks would take minutes."""
    text = piece * (200_000 // len(piece))
    began = time.process_time()
    with contextlib.suppress(BlockstackError):
        read_text(text, Host(), "x")
    for fmt in FORMATS:
        with contextlib.suppress(BlockstackError):
            fmt.read(text, Host())
    assert time.process_time() - began < 60  # a second; backtracking would never end
