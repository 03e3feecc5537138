"""A fleet as folders of pasted outputs: so many hosts of so many different stacks."""

import json
import random
from pathlib import Path
from typing import Any

GIB = 1 << 30
RELEASES = ("6.1.0-50-amd64", "6.12.117+deb13-amd64")


def write_fleet(folder: Path, *, hosts: int, stacks: int) -> list[Path]:
    """Write a folder for each host, with what ``lsblk -J`` and ``uname -a`` print.

    Parameters
    ----------
    folder : Path
    hosts, stacks : int
        Host ``i`` has stack ``i % stacks``; no two stacks are the same.

    Returns
    -------
    list of Path
    """
    found = []
    for i in range(hosts):
        path = folder / f"host{i:04d}"
        path.mkdir(parents=True)
        release = RELEASES[i % stacks % len(RELEASES)]
        (path / "lsblk.json").write_text(json.dumps(listing(i % stacks)))
        (path / "uname_-a").write_text(f"Linux {path.name} {release} #1 SMP x86_64 GNU/Linux\n")
        found.append(path)
    return found


def listing(stack: int) -> dict[str, Any]:
    """What ``lsblk -J`` prints on a host: a file system over LVM, mostly over crypt, md, disks."""
    draw = random.Random(stack)
    fstype = draw.choice(["ext4", "xfs", "btrfs"])
    disks = draw.choice([1, 2, 3, 4])
    nvme = draw.random() < 0.5
    top = _node("vg-root", "253:1", 40 + stack, "lvm", fstype=fstype, mountpoint="/")
    if draw.random() < 0.5:
        top = _node("luks", "253:0", 90 + stack, "crypt", fstype="LVM2_member", children=[top])
    if disks > 1:
        level = draw.choice(["raid1", "raid10", "raid5"]) if disks > 2 else "raid1"
        top = _node("md0", "9:0", 100 + stack, level, children=[top])
    return {
        "blockdevices": [
            _node(
                f"nvme{i}n1" if nvme else f"sd{'abcd'[i]}",
                f"259:{i}" if nvme else f"8:{16 * i}",
                200 + stack,
                "disk",
                tran="nvme" if nvme else "sata",
                children=[top],
            )
            for i in range(disks)
        ]
    }


def _node(name: str, number: str, gib: int, kind: str, **more: Any) -> dict[str, Any]:
    plain = {"name": name, "kname": name, "maj:min": number, "size": gib * GIB, "type": kind}
    return {**plain, "fstype": None, "mountpoint": None, **more}
