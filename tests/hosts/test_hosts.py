"""Importers: what each format gives, who wins, and the traps."""

import json

import pytest
from host_sources import (
    CRYPT,
    INFO,
    KEY,
    LSBLK,
    PCI,
    TABLE,
    kinds,
    links,
    read,
    stack,
    tree_host,
    write_sysfs,
)

from blockstack.base.errors import BlockstackError
from blockstack.hosts.build import build
from blockstack.hosts.formats import FORMATS, recognise
from blockstack.hosts.model.host import Host, canonical
from blockstack.hosts.model.naming import disk_of_partition, name_of_number
from blockstack.hosts.narrow import Narrowed
from blockstack.hosts.readers import queue
from blockstack.hosts.sniff import read_sources


def test_names_have_one_spelling():
    assert canonical("/dev/sda") == "sda"
    assert canonical("/dev/block/8:16") == "8:16"
    assert canonical("/dev/my-vg/the-root") == "mapper/my--vg-the--root"
    assert canonical("/dev/cciss/c0d0p1") == "cciss!c0d0p1"
    assert canonical("/dev/mapper/a-b") == "mapper/a-b"


def test_fixed_numbers_and_partition_names():
    assert name_of_number("8:0") == ("sda", "")
    assert name_of_number("8:17") == ("sdb1", "sdb")
    assert name_of_number("65:160") == ("sdaa", "")
    assert name_of_number("253:0") is None
    assert disk_of_partition("nvme0n1p2") == "nvme0n1"
    assert disk_of_partition("sdp1") == "sdp" and disk_of_partition("sdp") is None
    assert disk_of_partition("md127p1") == "md127" and disk_of_partition("md127") is None


def test_lsblk_repeats_a_shared_device_once():
    found = stack(LSBLK)
    assert links(found)["my--vg-the--root"] == ["sda2", "sdb"]
    assert len(found.stack.devices) == 7
    assert kinds(found)["/"] == "xfs" and kinds(found)["/boot"] == "ext4"
    assert any("targets" in note for note in found.notes)


def test_dmsetup_wins_over_lsblk_and_names_double_dashes():
    found = stack(LSBLK, TABLE, INFO)
    root = found.stack.devices["my--vg-the--root"]
    assert [(s.begin, s.end, s.members, s.offsets) for s in root.segments] == [
        (0, 41943040, ("sda2",), (2048,)),
        (41943040, 62914560, ("sdb",), (2048,)),
    ]
    assert not any("targets" in note for note in found.notes)


def test_order_of_sources_does_not_matter():
    one, two = stack(LSBLK, TABLE, INFO), stack(INFO, TABLE, LSBLK)
    assert links(one) == links(two)
    assert {d.name: d.params for d in one.stack.devices.values()} == {
        d.name: d.params for d in two.stack.devices.values()
    }


def test_the_key_of_crypt_is_nowhere():
    host = read(CRYPT)
    assert KEY not in repr(host)
    found = build(host)
    assert found.stack.devices["secret"].params["workqueue"] == "write"
    assert KEY not in repr(found) and KEY not in repr(found.stack.devices)
    for broken in (
        CRYPT.replace("8:17", "8:17 8:18 x"),
        CRYPT.replace(" 0 8:17", " 8:17"),
        CRYPT + "secret: 5 6 zero \n",
        CRYPT.replace("aes", ""),
        CRYPT.replace("aes-xts-plain64 ", ""),
        CRYPT.replace(KEY, ":64:logon:cryptsetup:" + KEY),
    ):
        try:
            host = read(broken)
            assert KEY not in repr(host)
            assert KEY not in repr(build(host))
        except BlockstackError as error:
            assert KEY not in str(error) and KEY not in repr(error.__cause__)


def test_sources_that_contradict():
    with pytest.raises(BlockstackError, match="more than one"):
        read("sda: 0 8 linear 8:0 0\n", LSBLK, LSBLK.replace('"8:16"', '"8:32"'))


def test_a_cycle_names_its_devices():
    table = "a: 0 8 linear 253:1 0\nb: 0 8 linear 253:0 0\n"
    info = INFO.splitlines()[0] + "\na 253 0 L--w 1 1 0 x\nb 253 1 L--w 1 1 0 y\n"
    with pytest.raises(BlockstackError, match=r"stands on itself: . -> . -> .;"):
        stack(table, info)


def test_numbers_given_out_at_boot_need_a_name():
    with pytest.raises(BlockstackError, match=r"253:1.*dmsetup info -c"):
        stack("a: 0 8 linear 253:1 0\n")


def test_mdstat_slots_spares_failed_and_inactive():
    text = """Personalities : [raid6] [raid5] [raid4]
md0 : active raid5 sdc[4] sdd[3](S) sda[0] sdb[1]
      33521664 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/3] [UUU]

md1 : active raid6 sdg[0] sdj[3] sdi[2] sdh[1](F)
      7813735424 blocks super 1.2 level 6, 64k chunk, algorithm 2 [4/3] [U_UU]
      bitmap: 0/30 pages [0KB], 65536KB chunk

md2 : inactive sdk[0](S)
      4883648 blocks

unused devices: <none>
"""
    found = stack(text)
    md0, md1 = found.stack.devices["md0"], found.stack.devices["md1"]
    assert md0.on == ("sda", "sdb", "sdc")
    assert md1.on == ("sdg", "md1-slot1", "sdi", "sdj") and md1.failed == {1}
    assert md1.params["bitmap"] == "internal" and md1.geometry["chunk_sectors"] == 128
    assert any(text.startswith("md2:") for text in found.left_out)


def test_arrays_of_one_container_share_their_disks():
    text = """Personalities : [raid0] [raid1]
md125 : active raid1 sdb[1] sdc[0]
      5242880 blocks super external:/md127/1 [2/2] [UU]

md127 : inactive sdc[1](S) sdb[0](S)
      3315 blocks super external:imsm

md126 : active raid0 sdb[1] sdc[0]
      10485760 blocks super external:/md127/0 128k chunks

unused devices: <none>
"""
    found = stack(text)
    assert links(found)["md125"] == links(found)["md126"] == ["sdc", "sdb"]
    with pytest.raises(BlockstackError, match="in use"):
        stack(text.replace("external:/md127/0", "1.2"))


def test_mdadm_export_meets_mdstat():
    mdstat = """Personalities : [raid1]
md127 : active raid1 sdb1[1] sda1[0]
      29301632 blocks super 1.0 [2/2] [UU]
unused devices: <none>
"""
    export = """MD_LEVEL=raid1
MD_DEVICES=2
MD_DEVNAME=data
MD_DEVICE_dev_sdb1_ROLE=1
MD_DEVICE_dev_sdb1_DEV=/dev/sdb1
MD_DEVICE_dev_sda1_ROLE=0
MD_DEVICE_dev_sda1_DEV=/dev/sda1
"""
    for texts in ((mdstat, export), (export, mdstat)):
        found = stack(*texts)
        assert [d.name for d in found.stack.devices.values() if d.kind == "md-raid1"] == ["md127"]


def test_sysfs_wins_over_lsblk_and_tells_limits(tmp_path):
    write_sysfs(
        tmp_path / "sys",
        {
            f"{PCI}/sda": {
                "dev": "8:0",
                "size": "209715200",
                "queue/max_segments": "168",
                "queue/chunk_sectors": "0",
            },
            f"{PCI}/sda/sda1": {"dev": "8:1", "size": "2097152", "start": "4096", "partition": "1"},
            "virtual/block/dm-0": {
                "dev": "253:0",
                "size": "2000896",
                "dm/name": "my--vg-the--root",
                "dm/uuid": "LVM-x",
                "slaves/sda1": "->../../../x",
            },
        },
    )
    host = tree_host(tmp_path)
    assert queue.told(host.find("sda")) == {"max_segments": 168, "chunk_sectors": 0}
    found = build(host)
    assert links(found)["my--vg-the--root"] == ["sda1"]
    assert found.stack.devices["sda1"].offset_sectors == 4096
    assert found.stack.devices["sda"].params["driver"] == "generic-ata"


def test_bcache_roles_from_links(tmp_path):
    write_sysfs(
        tmp_path / "sys",
        {
            "pci/virtio1/block/vdb": {
                "dev": "252:16",
                "size": "2097152",
                "bcache/x": "1",
                "bcache/cache/cache0": "->../../../vdc/bcache",
            },
            "pci/virtio1/block/vdc": {"dev": "252:32", "size": "1048576"},
            "virtual/block/bcache0": {
                "dev": "251:0",
                "size": "2097136",
                "bcache": "->../../../pci/virtio1/block/vdb/bcache",
                "slaves/vdb": "->x",
                "slaves/vdc": "->x",
            },
        },
    )
    node = tree_host(tmp_path).find("bcache0")
    assert node.facts.bcache_backing == "vdb" and node.facts.bcache_caches == ("vdc",)


def test_mounts_swaps_and_the_file_under_a_loop(tmp_path):
    mountinfo = """19 1 0:19 / /sys rw - sysfs sysfs rw
67 0 8:1 / / rw - ext4 /dev/sda1 rw
68 67 0:43 / /tmp rw - tmpfs tmpfs rw
"""
    swaps = "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 100 0 -2\n/s file 1 0 -3\n"
    base = (
        '{"blockdevices":[{"name":"sda","size":4294967296,"type":"disk","children":['
        '{"name":"sda1","size":1073741824,"type":"part"},'
        '{"name":"sda2","size":1073741824,"type":"part"}]},'
        '{"name":"loop0","size":1048576,"type":"loop"}]}'
    )
    found = stack(base, mountinfo, swaps, "/dev/loop0: [1]:2 (/home/a.img)\n")
    assert links(found) | {"sda": []} == links(found)
    assert links(found)["loop0"] == ["/"] and kinds(found)["/"] == "ext4"
    assert links(found)["swap-sda2"] == ["sda2"]
    assert any("swap file" in note for note in found.notes)
    assert any("start" in note for note in found.notes)
    with pytest.raises(BlockstackError, match=r"tmpfs \(/tmp\)"):
        stack(base, mountinfo, "/dev/loop0: [1]:2 (/tmp/a.img)\n")


def test_unknown_kinds_are_named_with_a_way_out():
    text = (
        '{"blockdevices":[{"name":"xvda","size":4096000,"type":"disk","mountpoint":"/",'
        '"fstype":"odd"},{"name":"vdb","size":4096000,"type":"disk","fstype":"odd",'
        '"mountpoint":"/b"}]}'
    )
    with pytest.raises(BlockstackError, match=r"xvda \(xen-blkfront\).*--skip xen-blkfront"):
        stack(text)
    found = stack(text, skip=("unknown",))
    assert links(found) == {"vdb": []}
    assert {line.split(":")[0] for line in found.left_out} == {"xvda", "/", "/b"}
    assert links(stack(text, skip=("xen-blkfront", "odd"))) == {"vdb": []}


def test_rounded_sizes_are_made_to_fit():
    text = """NAME                 MAJ:MIN RM   SIZE RO TYPE MOUNTPOINT
sda                    8:0    0    25G  0 disk
|-sda1                 8:1    0  18.6G  0 part
| `-vg_a-lv_a (dm-0) 253:0    0  18.6G  0 lvm  [SWAP]
`-sda2                 8:2    0   6.5G  0 part
"""
    found = stack(text)
    assert links(found)["swap-vg_a-lv_a"] == ["vg_a-lv_a"]
    assert any("rounds" in note for note in found.notes)
    disk = found.stack.devices["sda"]
    assert disk.size_sectors >= sum(found.stack.devices[p].size_sectors for p in ("sda1", "sda2"))


def test_pairs_old_and_new_and_their_error():
    pairs = (
        "lsblk: dm-0: failed to get device path\n"
        'NAME="sda" KNAME="sda" MAJ:MIN="8:0" SIZE="1048576" TYPE="disk" MOUNTPOINT=""\n'
        'NAME="sda1" KNAME="sda1" MAJ_MIN="8:1" SIZE="524288" TYPE="part" MOUNTPOINT="/a\\x20b" '
        'FSTYPE="ext4" PKNAME="sda"\n'
    )
    found = stack(pairs)
    assert links(found) == {"sda": [], "sda1": ["sda"], "/a_b": ["sda1"]}
    with pytest.raises(BlockstackError, match="too old"):
        read("/bin/lsblk: invalid option -- 'P'\n\nUsage:\n")


def test_crlf_bom_and_other_encodings(tmp_path):
    file = tmp_path / "lsblk.json"
    file.write_bytes(b"\xef\xbb\xbf" + LSBLK.replace("\n", "\r\n").encode())
    assert links(build(read_sources([file]))) == links(stack(LSBLK))
    file.write_bytes(b"nam\xe9: 0 2048 linear 8:0 0\r\n")
    assert "nam\\xe9" in links(build(read_sources([file])))


@pytest.mark.parametrize(
    "text, part",
    [
        (LSBLK[:300], "cut off"),
        ("hello", "of no format"),
        ("", "of no format"),
        ('{"blockdevices": 5}', "no blockdevices"),
        ("a: 0 8 linear 8:0 0\nrubbish\n", "line 2"),
        ("a: 0 x\n", "of no format"),
        ("a: 0 8 striped 1\n", "striped"),
        ("a: 0 8 linear x y\n", "linear|x"),
        (
            "Personalities : [raid1]\nmd0 : active raid1\nunused devices: <none>\n",
            "without members",
        ),
        ("a: 0 2097152 crypt \nb: 0 8 linear \n", "what the devices stand on"),
    ],
)
def test_damaged_texts_are_refused_in_one_line(text, part):
    with pytest.raises(BlockstackError, match=part):
        build(read(text))


def test_sources_that_are_no_files(tmp_path):
    for source in ("/dev/zero", tmp_path / "nothing", "a\0b", tmp_path):
        with pytest.raises(BlockstackError):
            read_sources([source])


def test_every_format_is_one_entry_with_its_own_name():
    assert len({f.name for f in FORMATS}) == len(FORMATS)
    assert all(f.doc for f in FORMATS)
    assert recognise(LSBLK).name == "lsblk-json" and recognise(TABLE).name == "dmsetup-table"


def test_an_empty_host_says_so():
    with pytest.raises(BlockstackError, match="no device"):
        build(Host())


def test_skipping_what_nothing_tells():
    text = json.dumps(
        {
            "report": [
                {
                    "pv": [
                        {"pv_name": "/dev/md0", "vg_name": "v"},
                        {"pv_name": "/dev/sda", "vg_name": "w"},
                    ]
                },
                {"lv": [{"lv_name": "a", "vg_name": "v"}, {"lv_name": "b", "vg_name": "w"}]},
            ]
        }
    )
    with pytest.raises(BlockstackError, match="md0"):
        stack(text)
    for skip in (["unknown"], ["md0"]):
        found = stack(text, skip=skip)
        assert links(found) == {"sda": [], "w-b": ["sda"]}
        assert any(line.startswith("v-a: stands on md0") for line in found.left_out)


def test_network_file_systems_come_over_a_card():
    found = stack("srv:/x /mnt nfs rw 0 0\n/dev/sda1 / ext4 rw 0 0\n")
    assert kinds(found)["/mnt"] == "nfs" and found.stack.nic_of("/mnt").name == "net0"


def test_sources_that_contradict_each_other_are_named():
    disks = '{"blockdevices": [{"name": "md0", "type": "raid1", "children": []}]}'
    array = "Personalities : [raid5]\nmd0 : active raid5 sda[0] sdb[1] sdc[2]\n      8 blocks\n"
    found = stack(array, disks)
    assert kinds(found)["md0"] == "md-raid5"
    assert any("md_level is raid5 by mdstat, raid1 by lsblk" in note for note in found.notes)
    assert not any("contradict" in note for note in stack(LSBLK, TABLE, INFO).notes)


def test_what_a_user_says_where_no_source_does():
    disks = '{"blockdevices": [{"name": "sda", "type": "disk", "mountpoint": "/"}]}'
    host = read(disks)
    Narrowed(["megaraid_sas"], ["/=xfs"]).tell(host)
    found = build(host)
    assert found.stack.devices["sda"].params["driver"] == "megasas" and kinds(found)["/"] == "xfs"
    host = read(disks)
    Narrowed(["ahci", "sda=virtio-scsi"]).tell(host)
    told = build(host, skip=["unknown"]).stack.devices["sda"]
    assert told.params["driver"] == "virtio-scsi"
    for wrong in (Narrowed(["sdz=ahci"]), Narrowed((), ["xfs"]), Narrowed((), ["sdz=xfs"])):
        with pytest.raises(BlockstackError, match=r"--driver|--fstype"):
            wrong.tell(read(disks))
