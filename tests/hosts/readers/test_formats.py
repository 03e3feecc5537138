"""Formats beyond the first: LVM, probert, curtin, ansible, SAN tools, udev, dm targets."""

import json
import re

import pytest
from host_sources import INFO, KEY, kinds, links, read, stack, tree_host

from blockstack.base.errors import BlockstackError
from blockstack.hosts.build import build
from blockstack.hosts.model.host import Host
from blockstack.hosts.readers import mounts

PVS = {
    "pv": [
        {"pv_name": "/dev/sda1", "vg_name": "vg-a"},
        {"pv_name": "/dev/sdb", "vg_name": "vg-a"},
        {"pv_name": "[unknown]", "vg_name": "vg-a"},
    ]
}


def report(*tables):
    return json.dumps({"report": list(tables)})


def lv(name, segtype="linear", **more):
    return {
        "lv_name": name,
        "vg_name": "vg-a",
        "lv_attr": "-wi-ao----",
        "lv_size": "1073741824",
        "segtype": segtype,
        **more,
    }


def test_lvm_without_devices_stands_on_the_whole_group():
    found = stack(report(PVS, {"lv": [lv("root-1")]}))
    assert links(found)["vg--a-root--1"] == ["sda1", "sdb"]
    assert any("which of the 2 physical volumes" in note for note in found.notes)
    assert any("missing" in note for note in found.notes)


def test_lvm_with_devices_and_hidden_volumes():
    found = stack(
        report(
            PVS,
            {
                "lv": [
                    lv("r", devices="/dev/sdb(10)"),
                    lv("s", "striped", devices="/dev/sda1(0),/dev/sdb(0)", stripe_size="65536"),
                    lv("m", "raid1", devices="m_rimage_0(0),m_rimage_1(0)"),
                    lv("[m_rimage_0]", devices="/dev/sda1(5)"),
                    lv("[m_rimage_1]", devices="/dev/sdb(5)"),
                    lv("off", lv_attr="-wi-------"),
                ]
            },
        )
    )
    on, kind = links(found), kinds(found)
    assert on["vg--a-r"] == ["sdb"]
    assert (kind["vg--a-s"], on["vg--a-s"]) == ("dm-striped", ["sda1", "sdb"])
    assert found.stack.devices["vg--a-s"].segments[0].chunk_sectors == 128
    assert (kind["vg--a-m"], on["vg--a-m"]) == (
        "dm-raid1",
        ["vg--a-m_rimage_0", "vg--a-m_rimage_1"],
    )
    assert "vg--a-off" not in on and any("not active" in note for note in found.notes)


def test_lvm_thin_and_what_a_report_does_not_tell():
    found = stack(
        report(
            {"pv": PVS["pv"][:1]},
            {
                "lv": [
                    lv("p", "thin-pool", data_lv="[p_tdata]", metadata_lv="[p_tmeta]"),
                    lv("[p_tdata]"),
                    lv("[p_tmeta]"),
                    lv("t", "thin", pool_lv="p", lv_size="9999999488"),
                ]
            },
        )
    )
    on = links(found)
    assert on["vg--a-t"] == ["vg--a-p"] and on["vg--a-p"][0] == "vg--a-p_tdata"
    assert any("thin" in note for note in found.notes)
    with pytest.raises(BlockstackError, match="origin"):
        stack(report({"lv": [lv("snap", lv_attr="swi-a-s---")]}))
    with pytest.raises(BlockstackError, match="pvs"):
        stack(report({"lv": [lv("x")]}))


PROBERT = {
    "blockdev": {
        "/dev/vda": {
            "DEVNAME": "/dev/vda",
            "DEVTYPE": "disk",
            "MAJOR": "252",
            "MINOR": "0",
            "DEVPATH": "/devices/pci0/virtio0/block/vda",
            "attrs": {"size": "10737418240"},
        },
        "/dev/vda1": {
            "DEVNAME": "/dev/vda1",
            "DEVTYPE": "partition",
            "MAJOR": "252",
            "MINOR": "1",
            "DEVPATH": "/devices/pci0/virtio0/block/vda/vda1",
            "ID_PART_ENTRY_OFFSET": "4096",
            "attrs": {"size": "1073741824", "start": "4096"},
        },
        "/dev/vdb": {
            "DEVNAME": "/dev/vdb",
            "DEVTYPE": "disk",
            "MAJOR": "252",
            "MINOR": "16",
            "DEVPATH": "/devices/pci0/virtio1/block/vdb",
            "attrs": {"size": "10737418240"},
        },
        "/dev/bcache0": {
            "DEVNAME": "/dev/bcache0",
            "DEVTYPE": "disk",
            "MAJOR": "251",
            "MINOR": "0",
            "DEVLINKS": "/dev/bcache/by-uuid/U1",
            "DEVPATH": "/devices/virtual/block/b",
            "attrs": {"size": "1073733632"},
        },
        "/dev/dm-0": {
            "DEVNAME": "/dev/dm-0",
            "DEVTYPE": "disk",
            "MAJOR": "253",
            "MINOR": "0",
            "DM_NAME": "vg-lv",
            "DM_UUID": "LVM-x",
            "DEVPATH": "/devices/virtual/block/dm-0",
            "attrs": {"size": "536870912"},
        },
    },
    "bcache": {
        "backing": {
            "U1": {
                "blockdev": "/dev/vda1",
                "superblock": {"cset.uuid": "C", "dev.data.cache_mode": "1 [writeback]"},
            }
        },
        "caching": {"U2": {"blockdev": "/dev/vdb", "superblock": {"cset.uuid": "C"}}},
    },
    "lvm": {
        "logical_volumes": {"vg/lv": {"name": "lv", "volgroup": "vg", "size": "536870912B"}},
        "physical_volumes": {"vg": ["/dev/vdb"]},
    },
    "mount": [
        {
            "target": "/",
            "source": "overlay",
            "children": [{"target": "/a", "source": "/dev/mapper/vg-lv", "fstype": "xfs"}],
        }
    ],
}


def test_probert_bcache_by_uuid_and_lvm_by_group():
    host = read(json.dumps({"storage": PROBERT}))
    bcache = host.find("bcache0")
    assert (
        bcache.facts.bcache_backing,
        bcache.facts.bcache_caches,
        bcache.facts.bcache_mode,
    ) == ("/dev/vda1", ("/dev/vdb",), "writeback")
    assert host.find("vda").facts.size_sectors == 10737418240 // 512
    plain = {k: v for k, v in PROBERT.items() if k != "bcache"}
    plain["blockdev"] = {k: v for k, v in PROBERT["blockdev"].items() if "bcache" not in k}
    found = stack(json.dumps(plain))
    assert links(found)["vg-lv"] == ["vdb"] and links(found)["/a"] == ["vg-lv"]
    assert found.stack.devices["vda1"].offset_sectors == 4096


CURTIN = """storage:
  version: 1
  config:
  - {id: d0, type: disk, serial: x, ptable: gpt}
  - {id: sdb, type: disk, path: "iscsi:target"}
  - {id: ext, type: partition, device: d0, size: 2G, flag: extended}
  - {id: p1, type: partition, device: d0, size: 1GB, offset: 4194304B}
  - {id: p2, type: partition, device: d0, size: 2G}
  - {id: md0, type: raid, name: md0, raidlevel: mirror, devices: [p1, p2], spare_devices: []}
  - {id: vg, type: lvm_volgroup, name: vg-a, devices: [md0]}
  - {id: lv, type: lvm_partition, volgroup: vg, name: root, size: 512M}
  - {id: c, type: dm_crypt, volume: lv, dm_name: c0, key: deadbeefcafe0123}
  - {id: f, type: format, fstype: xfs, volume: c}
  - {id: m, type: mount, device: f, path: /}
  - {id: s, type: format, fstype: swap, volume: sdb}
"""


@pytest.mark.parametrize(
    "text",
    [
        CURTIN,
        json.dumps(
            {
                "autoinstall": {
                    "storage": {
                        "config": [
                            {"id": "d0", "type": "disk"},
                            {"id": "f", "type": "format", "fstype": "xfs", "volume": "d0"},
                            {"id": "m", "type": "mount", "device": "f", "path": "/"},
                        ]
                    }
                }
            }
        ),
    ],
    ids=["yaml", "json"],
)
def test_a_plan_of_curtin(text):
    host = read(text)
    assert "deadbeef" not in repr(host)
    found = build(host)
    assert kinds(found)["d0"] == "scsi" and kinds(found)["/"] == "xfs"
    if text is CURTIN:
        on = links(found)
        assert (
            on["md0"] == ["p1", "p2"] and on["vg--a-root"] == ["md0"] and on["c0"] == ["vg--a-root"]
        )
        assert on["/"] == ["c0"] and "ext" not in on
        assert kinds(found)["sdb"] == "iscsi" and found.stack.nic_of("sdb").name == "net0"
        assert found.stack.devices["p1"].offset_sectors == 8192
        assert on["swap-sdb"] == ["sdb"]


ANSIBLE = """- hosts: all
  vars:
    storage_pools:
      - name: foo
        disks: [sdb, sdc]
        raid_level: raid1
        encryption: true
        encryption_password: hunter2
        volumes:
          - {name: test, size: 5g, mount_point: /opt/test}
    storage_volumes:
      - {name: raw, type: disk, disks: [sdd], fs_type: ext4, mount_point: /raw}
"""


def test_ansible_storage_variables():
    host = read(ANSIBLE)
    assert "hunter2" not in repr(host)
    on = links(build(host))
    assert on["foo-test"] == ["luks-foo"] and on["luks-foo"] == ["md/foo"]
    assert (
        on["md/foo"] == ["sdb", "sdc"] and on["/opt/test"] == ["foo-test"] and on["/raw"] == ["sdd"]
    )
    with pytest.raises(BlockstackError, match="template"):
        read(ANSIBLE.replace("[sdb, sdc]", '"{{ unused_disks }}"'))
    with pytest.raises(BlockstackError, match="not YAML"):
        read("storage:\n  - [\n")
    with pytest.raises(BlockstackError, match="no such id"):
        read(CURTIN.replace("device: d0", "device: d9", 1).replace("flag: extended", "number: 1"))


MPATH = """mpatha (36f0) dm-2 DELL,MD36xxi
size=54T features='1 queue_mode bio' hwhandler='1 rdac' wp=rw
|-+- policy='round-robin 0' prio=0 status=active
| |- 12:0:0:1 sdc 8:32   active ready running
`-+- policy='round-robin 0' prio=0 status=enabled
  `- 13:0:0:1 sdf 8:80   active ready running
"""
OLD_MPATH = """mpatha (36f0) dm-2 DGC,RAID 5
[size=100G][features=0][hwhandler=1 emc][rw]
\\_ round-robin 0 [prio=1][active]
 \\_ 3:0:1:4 sdc  8:32  [active][ready]
 \\_ 5:0:0:4 sdf  8:80  [active][ready]
"""


@pytest.mark.parametrize("text", [MPATH, OLD_MPATH], ids=["new", "old"])
def test_multipath_and_the_transport_of_its_paths(text):
    iscsi = (
        "Target: iqn.x (non-flash)\n\tIface Netdev: eth1\n\tAttached scsi disk sdc\tState: run\n"
        "\tAttached scsi disk sdf\tState: running\n"
    )
    host = read(text, iscsi)
    assert list(host.find("dm-2").facts.slaves) == ["sdc", "sdf"]
    found = build(host)
    assert links(found)["mpatha"][0] == "sdc" and kinds(found)["sdc"] == "iscsi"
    assert found.stack.nic_of("sdc").name == "eth1"
    with pytest.raises(BlockstackError, match="-P 3"):
        read("tcp: [1] 10.0.0.1:3260,1 iqn.x (non-flash)\n")


def test_nvme_in_both_schemas_and_over_tcp():
    old = json.dumps({"Devices": [{"DevicePath": "/dev/nvme0n1", "PhysicalSize": 1073741824}]})
    space = {"NameSpace": "nvme1n1", "PhysicalSize": 1073741824}
    new = {
        "Devices": [
            {
                "HostNQN": "x",
                "Subsystems": [
                    {
                        "Controllers": [
                            {"Controller": "nvme1", "Transport": "tcp", "Namespaces": [space]}
                        ]
                    }
                ],
            }
        ]
    }
    shared = {
        "Devices": [
            {
                "Subsystems": [
                    {
                        "Namespaces": [space],
                        "Controllers": [
                            {"Controller": "nvme1", "Transport": "pcie", "Namespaces": []}
                        ],
                    }
                ]
            }
        ]
    }
    assert kinds(stack(old)) == {"nvme0n1": "nvme"}
    assert kinds(stack(json.dumps(shared))) == {"nvme1n1": "nvme"}
    assert read(json.dumps(new)).find("nvme1n1").facts.nvme_transport == "tcp"
    with pytest.raises(BlockstackError, match="without namespaces"):
        read('[{"hostnqn": "x", "subsystems": []}]')


def test_udev_blockdev_and_lsscsi_fill_gaps():
    udev = """P: /devices/pci0/virtio1/block/vdb
N: vdb
E: DEVPATH=/devices/pci0/virtio1/block/vdb
E: DEVNAME=/dev/vdb
E: DEVTYPE=disk
E: MAJOR=252
E: MINOR=16
E: SUBSYSTEM=block

P: /devices/pci0/virtio1/block/vdb/vdb1
E: DEVPATH=/devices/pci0/virtio1/block/vdb/vdb1
E: DEVNAME=/dev/vdb1
E: DEVTYPE=partition
E: MAJOR=252
E: MINOR=17
E: SUBSYSTEM=block
E: ID_PART_ENTRY_OFFSET=2048
E: ID_PART_ENTRY_SIZE=4096
"""
    size = (
        "RO    RA   SSZ   BSZ   StartSec            Size   Device\n"
        "rw   256   512  4096          0    1073741824   /dev/vdb\n"
    )
    found = stack(udev, size)
    assert found.stack.devices["vdb"].size_sectors == 2097152
    part = found.stack.devices["vdb1"]
    assert (part.offset_sectors, part.size_sectors) == (2048, 4096)
    host = read("[0:0:0:1] disk fc:0x500,0x1 /dev/sdc\n[1:0:0:0] disk iqn.x:1,t,0x1 /dev/sdd\n")
    assert (host.find("sdc").facts.transport, host.find("sdd").facts.transport) == ("fc", "iscsi")


HEAD = INFO.splitlines()[0] + "\n"


def names(*dm):
    return HEAD + "".join(f"{n} 253 {i} L--w 1 1 0 x\n" for i, n in enumerate(dm))


def test_dm_raid_takes_data_devices_only():
    found = stack(
        names("r", "meta0", "d0", "meta1", "d1"),
        "\n".join(
            [
                "meta0: 0 8192 linear 8:0 0",
                "d0: 0 2097152 linear 8:0 8192",
                "meta1: 0 8192 linear 8:16 0",
                "d1: 0 2097152 linear 8:16 8192",
                "r: 0 2097152 raid raid1 3 0 region_size 4096 2 253:1 253:2 253:3 253:4\n",
            ]
        ),
    )
    assert (kinds(found)["r"], links(found)["r"]) == ("dm-raid1", ["d0", "d1"])


def test_snapshots_know_their_stores_and_chunk():
    found = stack(
        names("o", "real", "cow", "s"),
        "\n".join(
            [
                "o: 0 2097152 snapshot-origin 253:1",
                "real: 0 2097152 linear 8:0 0",
                "cow: 0 262144 linear 8:0 2097152",
                "s: 0 2097152 snapshot 253:1 253:2 P 32\n",
            ]
        ),
    )
    assert links(found)["o"] == ["real", "cow"] and links(found)["s"] == ["real", "cow"]
    assert {found.stack.devices[n].geometry["chunk_sectors"] for n in ("o", "s")} == {32}


def test_striped_offsets_and_sizes_of_disks_that_nobody_tells():
    found = stack("v: 0 4194304 striped 2 128 8:0 2048 8:16 384\n")
    segment = found.stack.devices["v"].segments[0]
    assert (segment.offsets, segment.chunk_sectors, segment.end) == ((2048, 384), 128, 4194304)
    assert found.stack.devices["sda"].size_sectors == 2048 + 2097152
    assert any("no source tells" in note for note in found.notes)


def test_tables_of_mixed_targets_are_refused():
    with pytest.raises(BlockstackError, match=r"linear, zero.*--skip"):
        stack("v: 0 8 linear 8:0 0\nv: 8 8 zero \n")
    assert "x" in links(
        stack("v: 0 8 linear 8:0 0\nv: 8 8 zero \nx: 0 8 linear 8:0 8\n", skip=["v"])
    )


def test_a_sosreport_by_its_file_names(tmp_path):
    for path, text in {
        "sos_commands/devicemapper/dmsetup_table": "a-b: 0 2048 linear 252:17 0\n",
        "sos_commands/devicemapper/dmsetup_info_-c": names("a-b"),
        "sos_commands/block/lsblk_-O_-P": 'NAME="vdb" MAJ:MIN="252:16" SIZE="1G" TYPE="disk"\n'
        'NAME="vdb1" MAJ:MIN="252:17" SIZE="512M" TYPE="part" PKNAME="vdb"\n',
        "sos_commands/kernel/uname_-a": "Linux node1 6.1.0-9-amd64 #1 SMP x86_64 GNU/Linux\n",
        "proc/mounts": "/dev/mapper/a-b /srv xfs rw 0 0\n",
        "etc/passwd": "root:x:0:0\n",
    }.items():
        (tmp_path / "sos" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sos" / path).write_text(text)
    for root in (tmp_path, tmp_path / "sos"):
        host = tree_host(root)
        assert (host.name, host.release, host.machine) == ("node1", "6.1.0-9-amd64", "x86_64")
        assert links(build(host))["/srv"] == ["a-b"] and links(build(host))["a-b"] == ["vdb1"]


LSBLK_J = """{"blockdevices": [
 {"name": "sda", "maj:min": "8:0", "rm": "0", "size": "100G", "type": "disk", "mountpoint": null,
  "children": [{"name": "sda1", "maj:min": "8:1", "size": "99G", "type": "part", "fstype": null,
   "children": [{"name": "md0", "maj:min": "9:0", "size": "99G", "type": "LEVEL"}]}]},
 {"name": "sdb", "maj:min": "8:16", "rm": "0", "size": "100G", "type": "disk",
  "children": [{"name": "md0", "maj:min": "9:0", "size": "99G", "type": "LEVEL"}]}]}"""


@pytest.mark.parametrize(
    ("level", "kind"),
    [("raid1", "md-raid1"), ("raid0", "md-raid0"), ("raid10", "md-raid10"), ("raid5", "md-raid5")],
)
def test_lsblk_tells_an_arrays_level(level, kind):
    found = stack(LSBLK_J.replace("LEVEL", level))
    assert (kinds(found)["md0"], links(found)["md0"]) == (kind, ["sda1", "sdb"])
    assert any("chunk no source tells" in n for n in found.notes) == (level != "raid1")


TREE_O = """NAME            SIZE TYPE  FSTYPE      MOUNTPOINT
sda           465.8G disk              
├─sda1            1G part  ext4        /boot
└─sda2        464.8G part  crypto_LUKS 
  └─luks-root 464.7G crypt LVM2_member 
    └─vg-root   100G lvm   xfs         /
sdb           465.8G disk              
└─md127       465.6G raid1 ext4        /srv/my data
"""  # noqa: W291
TREE_237 = """NAME   MAJ:MIN RM   SIZE RO TYPE  MOUNTPOINTS FSTYPE
sda      8:0    0 465.8G  0 disk              
├─sda1   8:1    0     1G  0 part  /boot       ext4
└─sda2   8:2    0 464.8G  0 part              xfs
                                  /home       
                                  /           
"""  # noqa: W291
TREE_F = """NAME        FSTYPE      FSVER    LABEL UUID      FSAVAIL FSUSE% MOUNTPOINTS
sda
├─sda1      ext4        1.0            ABCD-1234  505.1M     1% /boot
└─sda2      crypto_LUKS 2              abc-def
  └─cr-root ext4        1.0      my fs 11-22       50.1G    40% /
"""


def test_lsblks_tree_with_any_columns():
    found = stack(TREE_O)
    on, kind = links(found), kinds(found)
    assert on["vg-root"] == ["luks-root"] and kind["luks-root"] == "dm-crypt"
    assert (on["/boot"], kind["/boot"]) == (["sda1"], "ext4")
    assert kind["md127"] == "md-raid1" and on["/srv/my_data"] == ["md127"]
    found = stack(TREE_237)
    assert (links(found)["/"], kinds(found)["/"]) == (["sda2"], "xfs")
    assert "/home" not in links(found)  # the same file system, mounted twice
    found = stack(TREE_F)
    assert kinds(found)["cr-root"] == "dm-crypt" and links(found)["/"] == ["cr-root"]


def test_lsblk_upside_down_is_the_same_host():
    usual = {"name": "sda", "type": "disk", "maj:min": "8:0", "size": 1 << 40}
    part = {"name": "sda2", "type": "part", "maj:min": "8:2", "size": 1 << 39}
    volume = {"name": "vg-a", "type": "lvm", "maj:min": "253:0", "size": 1 << 38}
    one = {"blockdevices": [usual | {"children": [part | {"children": [volume]}]}]}
    other = {"blockdevices": [volume | {"children": [part | {"children": [usual]}]}]}
    assert (
        links(stack(json.dumps(one)))
        == links(stack(json.dumps(other)))
        == {"sda": [], "sda2": ["sda"], "vg-a": ["sda2"]}
    )


def test_a_file_system_without_its_type_names_the_way_out():
    text = LSBLK_J.replace("LEVEL", "raid1").replace('"mountpoint": null', '"mountpoint": "/x"')
    with pytest.raises(BlockstackError, match=r"unknown type.*add lsblk --json -O -b"):
        stack(text)
    found = stack(text, skip=["unknown"])
    assert any("its type no source tells" in why for why in found.stack.missing.values())


DM_TREE = """luks (253:0)
 `- (8:2)
vg-data (253:2)
 ├─ (8:32)
 └─luks (253:0)
    └─ (8:2)
ceph--48858aa1--71a3--4f0e--95f3--a07d1d9a6749-osd...
 `- (8:48)
"""


DM_MADE_BY = """Name     Maj Min Stat Open Targ Event  UUID
luks     253   0 L--w    1    1      0 CRYPT-LUKS2-aa-luks
vg-data  253   2 L--w    0    1      0 LVM-abc
"""


def test_dmsetup_ls_gives_names_numbers_and_the_tree():
    found = stack(DM_TREE, DM_MADE_BY)
    on = links(found)
    assert on["vg-data"] == ["sdc", "luks"] and on["luks"] == ["sda2"]
    assert any("was cut" in note for note in found.notes)
    named = stack(
        "luks\t(253:0)\nvg-a\t(253, 1)\n",
        "luks: 0 80 crypt aes-xts-plain64 " + "0f" * 32 + " 0 8:2 4096\nvg-a: 0 8 linear 253:0 8\n",
    )
    assert links(named)["vg-a"] == ["luks"]
    deps = "luks: 1 dependencies\t: (sda2)\nvg-data: 1 dependencies\t: (luks)\n"
    on = links(stack(deps, DM_MADE_BY))
    assert on["vg-data"] == ["luks"] and on["luks"] == ["sda2"]
    assert set(stack(deps, skip=["unknown"]).stack.missing) >= {"luks"}  # of unknown target


def test_what_cannot_be_modelled_is_left_out_with_its_reason():
    table = (
        "vg-mixed: 0 8 linear 8:16 0\nvg-mixed: 8 8 striped 1 8 8:16 8\n"
        "vg-good: 0 8 linear 8:32 0\nvg-top: 0 8 linear 253:0 0\n"
    )
    info = INFO.splitlines()[0] + "\nvg-mixed 253 0 L--w 1 2 0 LVM-x\n"
    with pytest.raises(BlockstackError, match=r"vg-mixed: a dm table of 2 rows"):
        stack(table, info)
    found = stack(table, info, skip=["unknown"])
    assert "vg-good" in links(found) and "vg-mixed" in found.stack.missing
    assert any(line.startswith("vg-top: stands on vg-mixed") for line in found.left_out)


def test_a_member_of_two_arrays_is_a_contradiction_with_a_way_out():
    text = (
        "Personalities : [raid1]\nmd0 : active raid1 sda[0] sdb[1]\n"
        "      8 blocks [2/2] [UU]\n\nmd1 : active raid1 sda[0] sdc[1]\n"
        "      8 blocks [2/2] [UU]\n\nunused devices: <none>\n"
    )
    with pytest.raises(BlockstackError, match=r'md1: already in use by "md0".*--skip "md1"'):
        stack(text)
    assert "md0" in links(stack(text, skip=["md1"]))
    found = stack(text, skip=["unknown"])
    assert "md0" in links(found) and "md1" in found.stack.missing


def test_bcache_of_which_only_one_device_is_told():
    text = (
        'NAME="vdb" KNAME="vdb" TYPE="disk" SIZE="1073741824" MAJ:MIN="252:16"\n'
        'NAME="bcache0" KNAME="bcache0" TYPE="disk" SIZE="1073733632" PKNAME="vdb"\n'
    )
    with pytest.raises(BlockstackError, match=r"bcache0: .*whose cache no source tells"):
        stack(text)


def test_losetup_and_swapon_as_tables():
    loops = (
        "NAME       SIZELIMIT OFFSET AUTOCLEAR RO BACK-FILE         DIO LOG-SEC\n"
        "/dev/loop0         0      0         1  1 /srv/a file.img    0     512\n"
    )
    assert read(loops).find("loop0").facts.backing_file == "/srv/a file.img"
    swaps = "NAME      TYPE      SIZE USED PRIO\n/dev/sda1 partition   8G   0B   -2\n"
    assert kinds(stack(swaps))["swap-sda1"] == "swap"


def test_an_installers_layout_by_name_is_refused_with_the_reason():
    with pytest.raises(BlockstackError, match="layout by name") as caught:
        stack("#cloud-config\nautoinstall:\n  storage:\n    layout: {name: lvm, password: hush}\n")
    assert "lvm" in str(caught.value) and "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "said, kind",
    [
        ("rw,relatime", "ext4"),
        ("rw,sync", "ext4 with sync is not modelled"),
        ("rw,data=journal", "ext4 with data=journal is not modelled"),
    ],
)
def test_mount_options_that_change_a_path_are_no_plain_mount(said, kind):
    """A host's mounts, as `mount` commands: what the model lacks is left out by name."""
    lsblk = json.dumps(
        {
            "blockdevices": [
                {
                    "name": "vda",
                    "maj:min": "252:0",
                    "size": 2**40,
                    "type": "disk",
                    "fstype": "ext4",
                    "mountpoint": "/srv",
                }
            ]
        }
    )
    mounts = f"19 1 252:0 / /srv {said} - ext4 /dev/vda rw\n"
    if kind == "ext4":
        assert stack(lsblk, mounts).stack.devices["/srv"].kind == kind
        return
    with pytest.raises(BlockstackError, match=re.escape(kind)):
        stack(lsblk, mounts)


def test_btrfs_is_mounted_as_compressed_as_the_host_says():
    lsblk = json.dumps(
        {
            "blockdevices": [
                {
                    "name": "vda",
                    "maj:min": "252:0",
                    "size": 2**40,
                    "type": "disk",
                    "fstype": "btrfs",
                    "mountpoint": "/srv",
                }
            ]
        }
    )
    mounts = "19 1 252:0 / /srv rw - btrfs /dev/vda rw,compress=zstd:1,space_cache=v2\n"
    assert stack(lsblk, mounts).stack.devices["/srv"].given["compress"] == "zstd"


def test_what_a_table_says_beyond_its_devices_is_kept():
    disks = "".join(
        f'NAME="nvme{i}n1" MAJ:MIN="259:{i}" TYPE="disk" SIZE="107374182400" MOUNTPOINT=""\n'
        for i in range(1, 6)
    )
    crypt = f"c: 0 2097152 crypt aes-xts-plain64 {KEY} 0 259:1 32768 1 sector_size:4096\n"
    pool = "pool: 0 2097152 thin-pool 259:2 259:3 1024 0 0\n"
    told = stack(crypt + pool, disks).stack.devices
    assert told["c"].params["sector_size"] == 4096
    assert told["pool"].params["block"] == 1024
    rows = "r: 0 2097152 raid raid5_ls 3 128 region_size 1024 3 - 259:1 - - - 259:3\n"
    raid = stack(rows, disks).stack.devices["r"]
    assert raid.params["failed"] == (1,) and raid.on == ("nvme1n1", "r-slot1", "nvme3n1")


def test_a_name_with_a_blank_is_one_device():
    found = stack(
        'NAME="nvme1n1" MAJ:MIN="259:1" TYPE="disk" SIZE="107374182400" FSTYPE="crypto_LUKS"\n',
        f"cr #1: 0 2093056 crypt aes-xts-plain64 {KEY} 0 259:1 4096\n",
        "/dev/mapper/cr\\x20#1 /test ext4 rw 0 0\n/dev/mapper/cr\\040#1 /more ext4 rw 0 0\n",
    )
    assert kinds(found) == {"nvme1n1": "nvme", "cr_#1": "dm-crypt", "/test": "ext4"}
    assert links(found)["/test"] == ["cr_#1"]


@pytest.mark.parametrize(
    ("text", "release", "machine"),
    [
        ("Linux h 6.1.0 #1 SMP sparc64 GNU/Linux", "6.1.0", "sparc64"),
        ("Linux x86_64 6.1.0 #1 SMP sw_64 GNU/Linux", "6.1.0", "sw_64"),
        ("Linux h 6.6.1 #1-Alpine SMP x86_64 Linux", "6.6.1", "x86_64"),
        ("Linux h 5.4.0 #1 SMP x86_64 unknown unknown GNU/Linux", "5.4.0", "x86_64"),
        ("Linux h 6.1.0-18-amd64 #1 SMP Debian 6.1.76-1", "6.1.0-18-amd64", "x86_64"),
        ("5.10.0-30-amd64", "5.10.0-30-amd64", "x86_64"),
    ],
)
def test_an_unknown_machine_is_told_all_the_same(text, release, machine):
    host = Host()
    mounts.read_uname(text, host)
    assert (host.release, host.machine) == (release, machine)
