"""Every parameter of every kind changes the capacity of some workload, or says why it does not."""

import pytest

import blockstack as bs
from blockstack.kernel import load_kernel
from blockstack.kinds import KINDS
from blockstack.scenario.config import config_from_dict

KERNEL = load_kernel("linux-6.1-x86_64")
SSD = {"media": "ssd", "flush_latency": "20 us"}
FAST = {**SSD, "channels": 512, "bandwidth": "32 GB/s"}
DISK = {"media": "disk"}
RANDREAD = {"rw": "randread", "direct": True}
RANDWRITE = {"rw": "randwrite", "direct": True}
WRITE = {"rw": "write", "bs": "1 MiB", "direct": True}
READ = {"rw": "read", "bs": "1 MiB", "direct": True}

#: parameters of depth only
WITHOUT = {
    ("md-linear", "chunk"): "rounds the members' sizes",
    ("scsi", "driver"): "one SCSI driver is what the CPU time is calibrated on",
    ("partition", "start"): "a place",
    ("loop", "preallocated"): "which functions a write may need",
    ("loop", "direct"): "the page cache of its file is not counted",
    ("nic", "driver"): "the card's own code is not counted",
    ("nic", "context"): "where the card's interrupt runs",
    ("nic", "private_stack"): "a stack's size",
    ("nic", "driver_stack"): "a stack's depth",
    ("btrfs", "compress"): "compression is not counted",
    ("reiser4", "version"): "its trees are not counted",
    ("reiser4", "height"): "its trees are not counted",
    ("reiser4", "files"): "its plugins are not counted",
    ("nfs", "version"): "a client's server is not described",
    ("nfs", "transport"): "a client's server is not described",
    ("nfsd", "version"): "a client's part is not counted",
}
#: members, their medium, what else the device says, two values, the workload, bios in flight
EFFECT = {
    ("dm-striped", "chunk"): (2, DISK, {}, ("16 KiB", "2 MiB"), READ, 1),
    ("dm-crypt", "workqueue"): (1, FAST, {}, ("none", "read+write"), READ, 8),
    ("dm-crypt", "sector_size"): (1, SSD, {}, (512, 4096), READ, 1),
    ("dm-delay", "delay"): (1, SSD, {}, ("0 us", "5 ms"), RANDREAD, 1),
    ("dm-snapshot-origin", "chunk"): (2, SSD, {}, ("4 KiB", "512 KiB"), RANDWRITE, 1),
    ("dm-snapshot-origin", "copied"): (2, SSD, {}, (0.0, 1.0), RANDWRITE, 1),
    ("dm-snapshot", "chunk"): (2, SSD, {}, ("4 KiB", "512 KiB"), RANDWRITE, 1),
    ("dm-snapshot", "copied"): (2, SSD, {}, (0.0, 1.0), RANDWRITE, 1),
    ("dm-integrity", "mode"): (1, SSD, {}, ("journal", "direct"), WRITE, 4),
    ("dm-multipath", "queue_mode"): (2, SSD, {}, ("rq", "bio"), RANDREAD, 32),
    ("dm-writecache", "block"): (2, DISK, {}, ("4 KiB", "64 KiB"), READ, 1),
    ("dm-writecache", "hits"): (2, SSD, {}, (0.0, 0.5), RANDREAD, 32),
    ("dm-cache", "block"): (2, DISK, {}, ("64 KiB", "1 MiB"), READ, 1),
    ("dm-cache", "hits"): (2, SSD, {}, (0.0, 1.0), RANDREAD, 32),
    ("dm-cache", "mode"): (2, (DISK, SSD), {}, ("writethrough", "writeback"), RANDWRITE, 1),
    ("bcache", "block"): (2, DISK, {}, ("4 KiB", "64 KiB"), READ, 1),
    ("bcache", "hits"): (2, SSD, {}, (0.0, 1.0), RANDREAD, 32),
    ("bcache", "mode"): (2, (DISK, SSD), {}, ("writethrough", "writeback"), RANDWRITE, 1),
    ("dm-raid0", "chunk"): (2, DISK, {}, ("16 KiB", "2 MiB"), READ, 1),
    ("md-raid0", "chunk"): (2, DISK, {}, ("16 KiB", "2 MiB"), READ, 1),
    ("dm-raid10", "chunk"): (4, DISK, {}, ("16 KiB", "2 MiB"), READ, 1),
    ("md-raid10", "chunk"): (4, DISK, {}, ("16 KiB", "2 MiB"), READ, 1),
    ("dm-raid10", "layout"): (4, DISK, {}, ("n2", "f2"), WRITE, 4),
    ("md-raid10", "layout"): (4, DISK, {}, ("n2", "f2"), WRITE, 4),
    ("null_blk", "mode"): (0, {}, {}, ("bio", "mq"), RANDREAD, 1),
    ("drbd", "protocol"): (1, SSD, {"nic": "eth0"}, ("A", "C"), RANDWRITE, 1),
    ("btrfs", "profile"): (2, SSD, {}, ("single", "raid1"), RANDWRITE, 32),
}
for _kind in ("raid4", "raid5", "raid6"):
    for _side in ("dm", "md"):
        _name = f"{_side}-{_kind}"
        EFFECT[_name, "chunk"] = (5, DISK, {}, ("16 KiB", "1 MiB"), WRITE, 1)
        EFFECT[_name, "failed"] = (5, SSD, {}, ([], [0]), RANDREAD, 8)
        EFFECT[_name, "bitmap"] = (5, DISK, {}, ("none", "internal"), RANDWRITE, 1)
for _name in ("dm-raid1", "md-raid1", "dm-raid10", "md-raid10"):
    EFFECT[_name, "bitmap"] = (4, DISK, {}, ("none", "internal"), RANDWRITE, 1)
LUNS = ("scsi", "nvme", "iscsi", "nbd", "nvme-tcp")
#: shown through a device above: two paths, or a thin device on its pool
ABOVE = {(kind, "lun") for kind in LUNS} | {("dm-thin-pool", "block"), ("dm-thin", "blocks")}


def latency(devices, workload, flying):
    case = config_from_dict({"devices": devices, "workload": workload})
    return bs.capacity(
        case.stack, case.workload, kernel=KERNEL, iodepth=flying, bios=200
    ).latency_ns


def test_every_parameter_is_in_one_list():
    sizes = {"size"}
    known = {(name, p.name) for name, kind in KINDS.items() for p in kind.params} - {
        (name, size) for name in KINDS for size in sizes
    }
    lists = (set(WITHOUT), set(EFFECT), ABOVE)
    assert set().union(*lists) == known
    assert sum(map(len, lists)) == len(known)


@pytest.mark.slow
@pytest.mark.parametrize("key", EFFECT, ids=".".join)
def test_a_parameter_has_its_effect(key):
    kind, name = key
    members, service, more, values, workload, flying = EFFECT[key]
    each = service if isinstance(service, tuple) else (service,) * members
    devices = {
        f"d{i}": {"kind": "scsi", "size": "8 GiB", "service": one} for i, one in enumerate(each)
    }
    if "nic" in more:
        devices["eth0"] = {"kind": "nic"}
    top = {"kind": kind, **more, **({"on": [*devices][:members]} if members else {"size": "8 GiB"})}
    found = [latency({**devices, "top": {**top, name: v}}, workload, flying) for v in values]
    assert abs(found[0] / found[1] - 1) > 0.01, found


@pytest.mark.slow
@pytest.mark.parametrize("kind", LUNS)
def test_paths_to_one_unit_wait_for_one_medium(kind):
    disk = {"kind": kind, "size": "8 GiB", "service": {**SSD, "channels": 2}}
    devices = {"eth0": {"kind": "nic"}} if KINDS[kind].verb in ("iscsi", "nbd", "nvme_tcp") else {}
    if devices:
        disk["nic"] = "eth0"
    found = [
        latency(
            {
                **devices,
                "a": {**disk, **lun},
                "b": {**disk, **lun},
                "top": {"kind": "dm-multipath", "queue_mode": "bio", "on": ["a", "b"]},
            },
            RANDREAD,
            16,
        )
        for lun in ({}, {"lun": "unit"})
    ]
    assert found[1] > 1.3 * found[0]


@pytest.mark.parametrize(
    ("pool", "thin"),
    [
        ({"block": "64 KiB"}, {"blocks": "mapped"}),
        ({"block": "1 MiB"}, {"blocks": "unmapped"}),
    ],
)
def test_a_new_block_of_a_thin_device_takes_longer(pool, thin):
    def of(pool, thin):
        disk = {"kind": "scsi", "size": "8 GiB", "service": SSD}
        return latency(
            {
                "d": disk,
                "m": disk,
                "pool": {"kind": "dm-thin-pool", "on": ["d", "m"], **pool},
                "top": {"kind": "dm-thin", "on": "pool", **thin},
            },
            RANDWRITE,
            1,
        )

    assert of(pool, thin) != pytest.approx(of({"block": "64 KiB"}, {"blocks": "unmapped"}), rel=0.3)
