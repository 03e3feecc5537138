"""Device mapper tables and the commands that build block devices: read, or refused by name."""

import pytest

from blockstack.base.errors import BlockstackError
from blockstack.commands.dm_table import target_spec
from blockstack.commands.parse import read_commands
from blockstack.commands.storage import expanded
from blockstack.validation.measured import Measured, stack_of

VG = ("pvcreate /dev/vdb /dev/vdc /dev/vdd", "vgcreate vg /dev/vdb /dev/vdc /dev/vdd")


def built(commands, target):
    """The device of ``target``, and the kinds under it by device name."""
    stack = stack_of(Measured("x", tuple(commands), target, None))
    (root,) = stack.roots()
    return stack.devices[root], {name: d.kind for name, d in stack.devices.items()}


@pytest.mark.parametrize(
    ("line", "kind", "on", "keys"),
    [
        (
            "0 8 striped 2 128 /dev/a 0 /dev/b 2048",
            "dm-striped",
            "/dev/a /dev/b",
            {"chunk": "65536 B"},
        ),
        (
            "0 8 mirror core 2 1024 nosync 2 /dev/a 0 /dev/b 0 1 handle_errors",
            "dm-mirror",
            "/dev/a /dev/b",
            {},
        ),
        (
            "0 8 crypt aes-xts-plain64 abab 0 /dev/a 0 2 no_read_workqueue allow_discards",
            "dm-crypt",
            "/dev/a",
            {"workqueue": "write"},
        ),
        (
            "0 8 multipath 0 0 1 1 round-robin 0 1 1 /dev/a 100",
            "dm-multipath",
            "/dev/a",
            {"queue_mode": "rq"},
        ),
        (
            "0 8 multipath 3 queue_if_no_path queue_mode bio 1 alua 2 1 service-time 0 2 1 /dev/a "
            "1 "
            "/dev/b 1 service-time 0 1 1 /dev/c 1",
            "dm-multipath",
            "/dev/a /dev/b /dev/c",
            {"queue_mode": "bio"},
        ),
        (
            "0 8 multipath 2 queue_mode mq 0 1 1 queue-length 0 1 2 /dev/a 1000 1",
            "dm-multipath",
            "/dev/a",
            {"queue_mode": "rq"},
        ),
        (
            "0 8 raid raid1 3 0 region_size 1024 2 - /dev/a - /dev/b",
            "dm-raid1",
            "/dev/a /dev/b",
            {"bitmap": "none"},
        ),
        (
            "0 8 raid raid1 1 0 2 /dev/m /dev/a /dev/n -",
            "dm-raid1",
            "/dev/a",
            {"bitmap": "internal"},
        ),
        (
            "0 8 raid raid5_ls 3 128 region_size 1024 3 /dev/m /dev/a - - /dev/n /dev/b",
            "dm-raid5",
            "/dev/a missing /dev/b",
            {"chunk": "65536 B", "failed": [1], "bitmap": "internal"},
        ),
        (
            "0 8 raid raid10 5 128 raid10_copies 2 raid10_format far 4 - /dev/a - /dev/b - /dev/c "
            "- "
            "/dev/d",
            "dm-raid10",
            "/dev/a /dev/b /dev/c /dev/d",
            {"chunk": "65536 B", "layout": "f2", "bitmap": "none"},
        ),
        (
            "0 8 thin-pool /dev/m /dev/d 128 0 1 skip_block_zeroing",
            "dm-thin-pool",
            "/dev/d /dev/m",
            {},
        ),
        (
            "0 8 writecache s /dev/o /dev/c 4096 2 high_watermark 60",
            "dm-writecache",
            "/dev/o /dev/c",
            {"block": "4096 B"},
        ),
        (
            "0 8 cache /dev/m /dev/c /dev/o 512 1 writeback smq 0",
            "dm-cache",
            "/dev/o /dev/c /dev/m",
            {"block": "262144 B", "mode": "writeback"},
        ),
        (
            "0 8 integrity /dev/a 0 - D 1 internal_hash:crc32c",
            "dm-integrity",
            "/dev/a",
            {"mode": "direct"},
        ),
        ("0 8 delay /dev/a 0 5 /dev/a 0 10", "dm-delay", "/dev/a", {}),
    ],
)
def test_targets(line, kind, on, keys):
    spec = target_spec(line.split(), {})
    assert (spec.kind, " ".join(spec.on), dict(spec.keys)) == (kind, on, keys)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 8 striped 2 128 /dev/a 0", "a device is missing"),
        ("0 8 striped two 128 /dev/a 0", "whole number"),
        ("5 8 linear /dev/a 0", "begins at 0"),
        ("0 8", "start, length, target"),
        ("0 8 mirror disk 2 /dev/l 1024 2 /dev/a 0 /dev/b 0", "log of type disk"),
        ("0 8 snapshot /dev/a /dev/b N 16", "persistent"),
        ("0 8 crypt aes abab 0 /dev/a 0 1 integrity:28:aead", "authenticated"),
        ("0 8 multipath 0 0 0 0", "without paths"),
        ("0 8 raid raid5_la 3 128 journal_dev /dev/j 3 - /dev/a - /dev/b - /dev/c", "journal_dev"),
        ("0 8 raid raid7 1 0 2 - /dev/a - /dev/b", "raid7"),
        ("0 8 thin /dev/p 0 /dev/o", "external origin"),
        ("0 8 writecache p /dev/o /dev/c 4096 0", "persistent memory"),
        ("0 8 cache /dev/m /dev/c /dev/o 512 1 passthrough smq 0", "passthrough"),
        ("0 8 integrity /dev/a 0 28 J 0", "internal_hash"),
        ("0 8 delay /dev/a 0 5 /dev/b 0 10", "different devices"),
    ],
)
def test_targets_that_are_refused(line, words):
    with pytest.raises(ValueError, match=words):
        target_spec(line.split(), {})


def test_mixed_tables_are_refused_with_the_command():
    command = "printf '0 8 linear /dev/vdb 0\\n8 8 striped 1 8 /dev/vdc 0' | dmsetup create a"
    with pytest.raises(BlockstackError, match="striped") as error:
        read_commands("x", [command])
    assert "dmsetup create a" in str(error.value)


@pytest.mark.parametrize(
    "commands",
    [
        ("echo '0 8192 linear /dev/vdb 0' | dmsetup create a",),
        ("dmsetup create a --table '0 8192 linear /dev/vdb 0'",),
        ("modprobe dm-mod && dmsetup create --uuid LVM-1 a --table '0 8192 linear /dev/vdb 0'",),
    ],
)
def test_forms_of_dmsetup(commands):
    device, kinds = built(commands, "/dev/mapper/a")
    assert device.kind == "dm-linear" and "vdb" in kinds


@pytest.mark.parametrize(
    ("command", "kind", "on", "params"),
    [
        (
            "mdadm --create /dev/md0 --run --level=5 --chunk=64 --raid-devices=3 missing /dev/vdb "
            "/dev/vdc",
            "md-raid5",
            3,
            {"chunk": 128, "failed": (0,)},
        ),
        (
            "mdadm -C /dev/md0 -l1 -n2 -b internal /dev/vd[b-c]",
            "md-raid1",
            2,
            {"bitmap": "internal"},
        ),
        (
            "mdadm -C /dev/md0 -l 10 -p f2 -c 1M -n 4 /dev/vd{b,c,d,e}",
            "md-raid10",
            4,
            {"layout": "f2", "chunk": 2048},
        ),
        (
            "mdadm --build /dev/md0 --level=stripe --raid-devices=2 -c 64K /dev/vdb /dev/vdc",
            "md-raid0",
            2,
            {"chunk": 128},
        ),
        (
            "mdadm --create /dev/md0 -l6 -n4 -x1 --layout=left-symmetric /dev/vd[b-f]",
            "md-raid6",
            4,
            {},
        ),
        (
            "yes | mdadm --create /dev/md0 --level=mirror -n2 missing /dev/vdb 2>/dev/null",
            "md-raid1",
            1,
            {},
        ),
        (
            "mdadm -C /dev/md0 -l1 -n2 /dev/vdb /dev/vdc; mdadm --grow /dev/md0 --bitmap=internal",
            "md-raid1",
            2,
            {"bitmap": "internal"},
        ),
        (
            "mdadm -C /dev/md0 -l5 -n3 /dev/vd[bcd] && mdadm /dev/md0 --fail /dev/vdc --remove "
            "/dev/vdc",
            "md-raid5",
            3,
            {"failed": (1,)},
        ),
    ],
)
def test_mdadm(command, kind, on, params):
    device, _ = built([command], "/dev/md0")
    assert (device.kind, len(device.on)) == (kind, on)
    assert {key: device.params[key] for key in params} == params


def test_globs_are_expanded():
    assert expanded(["/dev/vd[b-d]", "/dev/sd{e,f}1", "x{a,b}"]) == [
        "/dev/vdb",
        "/dev/vdc",
        "/dev/vdd",
        "/dev/sde1",
        "/dev/sdf1",
        "x{a,b}",
    ]


@pytest.mark.parametrize(
    ("commands", "mode"),
    [
        (("make-bcache --writeback -C /dev/vdb -B /dev/vdc",), "writeback"),
        (("make-bcache -B /dev/vdc -C /dev/vdb",), "writethrough"),
        (
            (
                "make-bcache -C -b 512k /dev/vdb",
                "make-bcache -B /dev/vdc",
                "echo /dev/vdb > /sys/fs/bcache/register",
                "echo 1-2-3 > /sys/block/bcache0/bcache/attach",
                "echo writearound > /sys/block/bcache0/bcache/cache_mode",
            ),
            "writearound",
        ),
    ],
)
def test_bcache(commands, mode):
    device, _ = built(commands, "/dev/bcache0")
    assert (device.kind, device.on, device.params["mode"]) == ("bcache", ("vdc", "vdb"), mode)


def test_drbd():
    alone, _ = built(
        (
            "dd if=/dev/zero of=/dev/vdc bs=1M count=4",
            "drbdadm create-md r0",
            "drbdadm attach r0 || drbdadm up r0",
        ),
        "/dev/drbd0",
    )
    assert (alone.kind, alone.on, alone.nic) == ("drbd", ("vdc",), None)
    apart, _ = built(
        (
            "drbdsetup new-minor r0 1 0",
            "drbdsetup attach 1 /dev/vdb /dev/vdc flexible",
            "drbdsetup net-options r0 1 --protocol=A",
        ),
        "/dev/drbd1",
    )
    assert apart.on == ("vdb", "vdc") and apart.params["protocol"] == "A"


@pytest.mark.parametrize(
    ("commands", "target", "kinds"),
    [
        (("lvcreate -L 100M -n a vg",), "/dev/vg/a", {"vg-a": "dm-linear"}),
        (("lvcreate -i2 -I64k -l100%FREE -n a vg",), "/dev/mapper/vg-a", {"vg-a": "dm-striped"}),
        (
            ("lvcreate --type raid1 -m1 -L 100M -n a vg",),
            "/dev/vg/a",
            {"a": "dm-raid1", "vg-a_rimage_0": "dm-linear", "vg-a_rimage_1": "dm-linear"},
        ),
        (
            ("lvcreate --type raid5 -i2 -L 100M -n a vg",),
            "/dev/vg/a",
            {"a": "dm-raid5", "vg-a_rimage_2": "dm-linear"},
        ),
        (
            ("lvcreate -L 100M -T vg/p", "lvcreate -V 1G -T vg/p -n a"),
            "/dev/vg/a",
            {"vg-p": "dm-thin-pool", "vg-p_tmeta": "dm-linear", "vg-p_tdata": "dm-linear"},
        ),
        (
            ("lvcreate -L 100M -n a vg /dev/vdb", "lvcreate -s -L 10M -n s vg/a"),
            "/dev/vg/a",
            {"vg-a-real": "dm-linear", "vg-s-cow": "dm-linear"},
        ),
        (
            (
                "lvcreate -n a -L 1G vg /dev/vdb",
                "lvcreate -n fast -L 100M vg /dev/vdc",
                "lvconvert --yes --type writecache --cachevol fast vg/a",
            ),
            "/dev/vg/a",
            {"vg-a_wcorig": "dm-linear", "vg-fast": "dm-linear"},
        ),
        (
            (
                "lvcreate -n a -L 1G vg /dev/vdb",
                "lvcreate -n fast -L 100M vg /dev/vdc",
                "lvconvert -y --type cache --cachemode writeback --cachevol fast vg/a",
            ),
            "/dev/vg/a",
            {"vg-a_corig": "dm-linear"},
        ),
    ],
)
def test_lvm(commands, target, kinds):
    _, found = built((*VG, *commands), target)
    names = {name: kind for name, kind in kinds.items() if name in found or name.startswith("vg-")}
    assert {name: found.get(name, found.get(name.removeprefix("vg-"))) for name in names} == names


@pytest.mark.parametrize(
    ("commands", "target", "kind", "params"),
    [
        (
            ("integritysetup format -q --no-wipe /dev/vdb", "integritysetup open /dev/vdb g"),
            "/dev/mapper/g",
            "dm-integrity",
            {"mode": "journal"},
        ),
        (
            ("integritysetup open --integrity-bitmap-mode --integrity crc32c /dev/vdb g",),
            "/dev/mapper/g",
            "dm-integrity",
            {"mode": "bitmap"},
        ),
        (
            ("integritysetup open -D /dev/vdb g",),
            "/dev/mapper/g",
            "dm-integrity",
            {"mode": "direct"},
        ),
        (
            (
                "cryptsetup -q luksFormat /dev/vdb /tmp/k",
                "cryptsetup open --type luks --key-file /tmp/k --perf-no_write_workqueue /dev/vdb "
                "g",
            ),
            "/dev/mapper/g",
            "dm-crypt",
            {"workqueue": "read"},
        ),
        (("cryptsetup -c aes-xts-plain64 create g /dev/vdb",), "/dev/mapper/g", "dm-crypt", {}),
        (("modprobe zram", "zramctl -s 400M /dev/zram0"), "/dev/zram0", "zram", {}),
        (("echo mq-deadline > /sys/block/vdb/queue/scheduler",), "/dev/vdb", "virtio-blk", {}),
    ],
)
def test_other_tools(commands, target, kind, params):
    device, _ = built(commands, target)
    assert device.kind == kind
    assert {key: device.params[key] for key in params} == params


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("mdadm -C /dev/md0 -l5 -n3 --write-journal /dev/vde /dev/vd[bcd]", "journal"),
        ("mdadm -C /dev/md0 -l5 -n3 -k ppl /dev/vd[bcd]", "parity log"),
        ("mdadm -C /dev/md0 -l faulty -n1 /dev/vdb", "faulty"),
        ("mdadm --grow /dev/md0 --raid-devices=4 --add /dev/vde", "changes its form"),
        ("dmsetup create a", "the table is neither"),
        ("dmsetup reload a --table '0 8 linear /dev/vdb 0'", "loaded over another"),
        ("cryptsetup luksFormat --integrity hmac-sha256 /dev/vdb", "authenticated"),
        ("integritysetup open --data-device /dev/vdc /dev/vdb g", "metadata device"),
        ("zramctl -a zstd -s 1G /dev/zram0", "zstd"),
        ("echo /dev/vdb > /sys/block/zram0/backing_dev", "backing device"),
        ("echo bfq > /sys/block/vdb/queue/scheduler", "bfq"),
        ("make-bcache -C /dev/vdb /dev/vdc -B /dev/vdd", "several caches"),
        ("lvcreate -L 1G -n a other", "no command makes the volume group"),
        ("vgcreate vg /dev/vdb && lvcreate --type vdo -n a -L 1G vg", "vdo"),
        ("vgcreate vg /dev/vdb && lvcreate --type raid1 -m1 -n a -L 1G vg", "2 physical volumes"),
    ],
)
def test_what_the_model_does_not_follow_is_named(command, words):
    with pytest.raises(BlockstackError, match=words) as error:
        read_commands("x", [command])
    assert command[:40] in str(error.value)
