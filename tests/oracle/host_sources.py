"""Synthetic hosts, written for the tests: what tools print about them, and trees of sysfs."""

import io
import tarfile

from blockstack.hosts.build import build
from blockstack.hosts.model.host import Host
from blockstack.hosts.model.tree import FolderTree
from blockstack.hosts.sniff import read_text, read_tree

KEY = "deadbeefcafe0123" * 4
PCI = "pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block"


def read(*texts):
    """A host from texts, each recognised by its content."""
    host = Host()
    for text in texts:
        read_text(text, host, "text")
    return host


def stack(*texts, skip=()):
    return build(read(*texts), skip=skip)


def links(imported):
    """``upper → [lower ...]`` of a stack, in member order."""
    return {d.name: list(d.on) for d in imported.stack.devices.values()}


def kinds(imported):
    return {d.name: d.kind for d in imported.stack.devices.values()}


LSBLK = """{"blockdevices": [
 {"name":"sda","kname":"sda","maj:min":"8:0","size":107374182400,"type":"disk","tran":"sata",
  "mountpoint":null,"children":[
   {"name":"sda1","kname":"sda1","maj:min":"8:1","size":1073741824,"start":2048,"type":"part",
    "fstype":"ext4","mountpoint":"/boot"},
   {"name":"sda2","kname":"sda2","maj:min":"8:2","size":53687091200,"start":2099200,
    "type":"part","fstype":"LVM2_member","mountpoint":null,"children":[
     {"name":"my--vg-the--root","kname":"dm-0","maj:min":"253:0","size":32212254720,"type":"lvm",
      "fstype":"xfs","mountpoint":"/"}]}]},
 {"name":"sdb","kname":"sdb","maj:min":"8:16","size":107374182400,"type":"disk","tran":"sata",
  "children":[
   {"name":"my--vg-the--root","kname":"dm-0","maj:min":"253:0","size":32212254720,"type":"lvm",
    "fstype":"xfs","mountpoint":"/"}]}]}"""
TABLE = """my--vg-the--root: 0 41943040 linear 8:2 2048
my--vg-the--root: 41943040 20971520 linear 8:16 2048
"""
INFO = """Name              Maj Min Stat Open Targ Event  UUID
my--vg-the--root  253   0 L--w    1    2      0 LVM-abc
"""
CRYPT = f"""secret: 0 2093056 crypt aes-xts-plain64 {KEY} 0 8:17 4096 1 no_read_workqueue
"""


def write_sysfs(root, disks):
    """A dump of /sys below ``root``; ``disks`` maps a path below devices/ to its attributes,
    whose names may lead into folders; a value that begins with ``->`` makes a link."""
    for path, attributes in disks.items():
        folder = root / "devices" / path
        folder.mkdir(parents=True, exist_ok=True)
        if "partition" not in attributes:
            (root / "block").mkdir(exist_ok=True)
            (root / "block" / folder.name).symlink_to(f"../devices/{path}")
        for name, value in attributes.items():
            at = folder / name
            at.parent.mkdir(parents=True, exist_ok=True)
            if value.startswith("->"):
                at.symlink_to(value[2:])
            else:
                at.write_text(value + "\n")


def tree_host(root):
    host = Host()
    read_tree(FolderTree(root), host)
    return host


def tar_of(members, mode="w:gz"):
    """An archive in memory; a value is bytes, ``("link", target)`` or ``("hard", target)``."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as archive:
        for name, value in members:
            info = tarfile.TarInfo(name)
            if isinstance(value, tuple):
                info.type = tarfile.SYMTYPE if value[0] == "link" else tarfile.LNKTYPE
                info.linkname = value[1]
                archive.addfile(info)
            else:
                info.size = len(value)
                archive.addfile(info, io.BytesIO(value))
    return raw.getvalue()
