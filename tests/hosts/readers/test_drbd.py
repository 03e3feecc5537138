"""DRBD's own words: drbdsetup show, drbdadm dump, resource files, drbdsetup status."""

import json

import pytest

from blockstack.hosts.build import build
from blockstack.hosts.formats import recognise
from blockstack.hosts.model.host import Host, SourceError
from blockstack.hosts.sniff import read_text

SECRET = "correct-horse"
SHOW_9 = f"""resource "data" {{
    options {{ quorum majority; }}
    _this_host {{
        node-id 0;
        volume 0 {{
            device minor 3;
            disk "/dev/sdb1";
            meta-disk internal;
            disk {{ size 2097152s; }}
        }}
        volume 1 {{
            device minor 4;
            disk "/dev/sdc";
            meta-disk "/dev/nvme0n1p1";
        }}
    }}
    connection {{
        _peer_node_id 1;
        path {{ _this_host ipv4 10.0.0.1:7789; _remote_host ipv4 10.0.0.2:7789; }}
        net {{ protocol A; shared-secret "{SECRET}"; _name "bob"; }}
        volume 0 {{ disk {{ resync-rate 250k; }} }}
    }}
    connection {{
        _peer_node_id 2;
        net {{ protocol A; _name "carol"; }}
    }}
}}
"""
SHOW_84 = """resource r0 {
    options { }
    net { verify-alg "sha1"; }
    _remote_host { address ipv4 10.0.0.2:7789; }
    _this_host {
        address ipv4 10.0.0.1:7789;
        volume 0 { device minor 0; disk "/dev/sda5"; meta-disk internal;
                   disk { fencing dont-care; } }
    }
}
"""
SHOW_83 = """disk { size 0s _is_default; # bytes
}
protocol B;
_this_host { device minor 1; disk "/dev/sda6"; meta-disk "/dev/sdb" [ 0 ];
             address ipv4 10.0.0.1:1; }
_remote_host { address ipv4 10.0.0.2:1; }
"""
FILE = """# the pair's disks have other names
common { net { protocol B; } }
resource r0 {
    meta-disk internal;
    on alice { device /dev/drbd0 minor 0; disk /dev/sda5; address ipv4 10.0.0.1:7788; }
    on bob.example.org { device /dev/drbd0 minor 0; disk /dev/vdb; address ipv4 10.0.0.2:7788; }
}
"""
STATUS = json.dumps(
    [
        {
            "name": "data",
            "node-id": 0,
            "role": "Primary",
            "devices": [
                {
                    "volume": 0,
                    "minor": 3,
                    "disk-state": "UpToDate",
                    "client": False,
                    "size": 1048576,
                }
            ],
            "connections": [
                {"peer-node-id": 1, "name": "bob"},
                {"peer-node-id": 2, "name": "carol"},
            ],
        }
    ]
)
UNAME = "Linux {} 6.1.0-1 #1 SMP x86_64 GNU/Linux\n"
LSBLK = json.dumps(
    {
        "blockdevices": [
            {
                "name": "sdb",
                "maj:min": "8:16",
                "size": 2 << 30,
                "type": "disk",
                "children": [
                    {
                        "name": "sdb1",
                        "maj:min": "8:17",
                        "size": 1 << 30,
                        "type": "part",
                        "children": [
                            {
                                "name": "drbd3",
                                "maj:min": "147:3",
                                "size": 1 << 30,
                                "type": "disk",
                                "mountpoint": "/srv",
                                "fstype": "ext4",
                            }
                        ],
                    }
                ],
            }
        ]
    }
)


def imported(*texts, skip=()):
    host = Host()
    for text in texts:
        read_text(text, host, "x")
    return build(host, skip=skip)


def test_show_tells_disks_metadata_protocol_and_peers():
    found = imported(SHOW_9)
    devices = found.stack.devices
    one, two = devices["drbd3"], devices["drbd4"]
    assert (one.kind, one.on, one.nic, one.params["protocol"]) == ("drbd", ("sdb1",), "net0", "A")
    assert two.on == ("sdc", "nvme0n1p1") and devices["nvme0n1p1"].kind == "partition"
    assert any("2 peers" in note for note in found.notes)
    assert any("net0" in note for note in found.notes)  # the card's driver is not told
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("text", "name", "on", "protocol"),
    [(SHOW_84, "drbd0", ("sda5",), "C"), (SHOW_83, "drbd1", ("sda6", "sdb"), "B")],
)
def test_show_of_older_releases(text, name, on, protocol):
    device = imported(text).stack.devices[name]
    assert (device.on, device.params["protocol"], device.nic) == (on, protocol, "net0")


@pytest.mark.parametrize(
    ("more", "disk"),
    [
        ((UNAME.format("alice"),), "sda5"),
        ((UNAME.format("bob"),), "vdb"),
        (("# resource r0 on alice: not ignored, not stacked\n",), "sda5"),
    ],
)
def test_a_file_names_all_hosts_and_something_must_tell_which_this_is(more, disk):
    texts = (FILE, *more) if more[0].startswith("Linux") else (more[0] + FILE,)
    device = imported(*texts).stack.devices["drbd0"]
    assert (device.on, device.params["protocol"], device.nic) == ((disk,), "B", "net0")


def test_a_file_alone_or_of_other_hosts_is_an_error():
    for more in ((), (UNAME.format("dave"),)):
        with pytest.raises(SourceError, match=r"drbd0: which of the resource's hosts.*uname -a"):
            imported(FILE, *more)
    alike = FILE.replace("/dev/vdb", "/dev/sda5")
    assert imported(alike).stack.devices["drbd0"].on == ("sda5",)


def test_status_and_lsblk_complete_each_other():
    with pytest.raises(SourceError, match="add: drbdsetup show"):
        imported(STATUS)
    alone = imported(LSBLK).stack.devices["drbd3"]
    assert alone.on == ("sdb1",) and alone.nic is None  # nothing tells of a peer
    found = imported(STATUS, LSBLK, SHOW_9.replace("volume 1", "volume 2"))
    device = found.stack.devices["drbd3"]
    assert device.on == ("sdb1",) and device.nic == "net0"
    assert found.stack.devices["/srv"].on == ("drbd3",)
    newer = json.loads(STATUS)
    newer[0]["devices"][0]["backing_dev"] = "/dev/sdq"
    assert imported(json.dumps(newer)).stack.devices["drbd3"].on == ("sdq",)


def test_a_diskless_client_is_left_out_or_an_error():
    text = SHOW_84.replace('"/dev/sda5"', "none")
    with pytest.raises(SourceError, match=r"diskless.*--skip drbd0"):
        imported(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (SHOW_9[:200], "cut off within resource data"),
        (SHOW_84 + "}", "braces"),
        ("resource r0 {\n" + "a {" * 50, "braces"),
        ('resource r0 {\n on "x', "quotation"),
        ("resource r0 { }\n", "no resource with a device"),
        ("resource r0 { on a { device /dev/mine; disk /dev/sda; } }", "minor number is not told"),
    ],
)
def test_damaged_texts(text, match):
    assert recognise(text).name == "drbd-config"
    with pytest.raises(SourceError, match=match):
        imported(text)


def test_stacked_resources_are_named():
    host = Host()
    stacked = "resource up { stacked-on-top-of r0 { device minor 10; } }\n"
    read_text(SHOW_84 + stacked, host, "x")
    assert any("up is stacked on r0" in note for note in host.notes)
