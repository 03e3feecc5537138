"""sysfs, live or dumped: what the running kernel itself says about its block devices.

``/sys/block`` (or ``/sys/class/block``, or ``/sys/dev/block``) leads to one folder per disk;
partitions are folders inside it. ``slaves`` and ``bcache`` links tell what stands on what.
"""

import posixpath
import re

from blockstack.hosts.host import Host, Node
from blockstack.hosts.readers import queue
from blockstack.hosts.readers.common import sectors, whole
from blockstack.hosts.tree import Tree

_MEMBER = re.compile(r"rd(\d{1,4})\Z")


def looks(tree: Tree) -> str | None:
    """Where sysfs lies in a tree (``""``, ``sys``, ``dump/sys``); None: nowhere."""
    for prefix in ("", "sys", *(f"{top}/sys" for top in tree.names("")[:50])):
        base = f"{prefix}/" if prefix else ""
        for place in ("block", "class/block", "dev/block"):
            if any(
                tree.has(f"{base}{place}/{name}/{mark}")
                for mark in ("dev", "size")
                for name in tree.names(base + place)[:20]
            ):
                return prefix
        if tree.names(base + "class/nvme") or tree.names(base + "class/nvme-subsystem"):
            return prefix
    return None


def read(tree: Tree, host: Host, source: str = "sysfs") -> None:
    """Facts of all block devices below a sysfs root."""
    folders = _folders(tree)
    for folder in folders:
        _device(tree, folder, host, source)
    _multi_device_file_systems(tree, host)


def _folders(tree: Tree) -> list[str]:
    """The folders of all block devices, links resolved; paths of NVMe multipath are hidden."""
    found: dict[str, None] = {}
    for place in ("block", "class/block", "dev/block"):
        for name in tree.names(place):
            at = tree.resolve(f"{place}/{name}")
            if at:
                found[at] = None
    for at in list(found):
        for name in tree.names(at):
            if tree.has(f"{at}/{name}/partition"):
                found[f"{at}/{name}"] = None
    if not found:  # a dump of NVMe controllers only
        for name in tree.names("class/nvme"):
            at = tree.resolve(f"class/nvme/{name}") or ""
            found |= {f"{at}/{n}": None for n in tree.names(at) if re.match(r"nvme\d+n\d+\Z", n)}
        for name in tree.names("class/nvme-subsystem"):
            at = tree.resolve(f"class/nvme-subsystem/{name}") or ""
            found |= {f"{at}/{n}": None for n in tree.names(at) if re.match(r"nvme\d+n\d+\Z", n)}
        for at in list(found):
            found |= {f"{at}/{n}": None for n in tree.names(at) if tree.has(f"{at}/{n}/partition")}
    return list(found)


def _device(tree: Tree, at: str, host: Host, source: str) -> None:
    kname = posixpath.basename(at)
    if tree.text(f"{at}/hidden") == "1":
        return
    number = tree.text(f"{at}/dev") or ""
    mapped = tree.text(f"{at}/dm/name")
    node = host.node(
        kname,
        number if re.fullmatch(r"\d{1,8}:\d{1,8}", number) else "",
        f"mapper/{mapped}" if mapped else "",
    )
    node.put("size_sectors", sectors(tree.text(f"{at}/size")), source)
    node.put("dm_uuid", tree.text(f"{at}/dm/uuid"), source)
    node.put("path", at, source)
    node.put("transport", transport_of(at), source)
    if tree.has(f"{at}/partition"):
        node.put("parent", posixpath.basename(posixpath.dirname(at)), source)
        node.put("start_sectors", whole(tree.text(f"{at}/start")), source)
    if source == "capture" or tree.has(f"{at}/slaves"):  # a listing may not have followed the link
        node.put("slaves", tuple(tree.names(f"{at}/slaves")), source)
    if not tree.has(f"{at}/partition"):  # a partition's queue is its disk's
        for name in queue.SYSFS:
            queue.from_sysfs(node, name, tree.text(f"{at}/{name}"), source)
    node.put("backing_file", tree.text(f"{at}/loop/backing_file"), source)
    _host_driver(tree, at, node, source)
    _bcache(tree, at, kname, node, source)
    if tree.has(f"{at}/md"):
        _md(tree, f"{at}/md", node, source)


def transport_of(path: str) -> str | None:
    """What a device's sysfs path says about its transport."""
    for mark, word in (
        ("/session", "iscsi"),
        ("/ata", "ata"),
        ("/rport-", "fc"),
        ("/usb", "usb"),
        ("/expander-", "sas"),
        ("/port-", "sas"),
        ("/nvme-fabrics/", "nvme-fabrics"),
        ("/nvme", "nvme"),
    ):
        if mark in path:
            return word
    if "/virtio" in path:
        return "virtio-scsi" if "/host" in path else "virtio"
    return None


def _host_driver(tree: Tree, at: str, node: Node, source: str) -> None:
    """The SCSI host's or the NVMe controller's driver, where the tree tells it."""
    match = re.search(r"(?:.*/)?(host\d+)/", at)
    if match:
        above = at[: match.end() - 1]
        proc = tree.text(f"class/scsi_host/{match[1]}/proc_name") or tree.text(
            f"{above}/scsi_host/{match[1]}/proc_name"
        )
        driver = tree.link(f"{posixpath.dirname(above)}/driver")
        node.put(
            "host_driver",
            proc if proc and proc != "<NULL>" else driver and posixpath.basename(driver),
            source,
        )
    controllers = re.findall(r"nvme\d+", posixpath.dirname(at))
    for name in dict.fromkeys(controllers):
        node.put("nvme_transport", tree.text(f"class/nvme/{name}/transport"), source)
    subsystem = re.search(r"(.*/nvme-subsys\d+)/", at + "/")
    for name in tree.names(subsystem[1]) if subsystem else ():
        if re.match(r"nvme\d+\Z", name):
            node.put(
                "nvme_transport",
                tree.text(f"{subsystem[1]}/{name}/transport") if subsystem else None,
                source,
            )


def _bcache(tree: Tree, at: str, kname: str, node: Node, source: str) -> None:
    """``bcacheN/bcache`` leads to the backing device's folder; its set's caches are links."""
    link = tree.link(f"{at}/bcache")
    if link is None or not kname.startswith("bcache"):
        return
    backing = posixpath.basename(posixpath.dirname(link))
    node.put("bcache_backing", backing, source)
    mode = re.search(r"\[(\w+)\]", tree.text(f"{at}/bcache/cache_mode") or "")
    node.put("bcache_mode", mode[1] if mode else None, source)
    base = posixpath.normpath(posixpath.join(at, link))
    caches = []
    for name in tree.names(f"{base}/cache"):
        target = tree.link(f"{base}/cache/{name}") if name.startswith("cache") else None
        if target:
            caches.append(posixpath.basename(posixpath.dirname(target)))
    node.put("bcache_caches", tuple(caches) or None, source)


def _md(tree: Tree, at: str, node: Node, source: str) -> None:
    """Personality, chunk, layout and members by role (Documentation/admin-guide/md.rst)."""
    level = tree.text(f"{at}/level")
    if not level:  # an inactive array has none
        node.put("md_inactive", True, source)
        return
    members: dict[int, str] = {}
    for name in tree.names(at):
        match = _MEMBER.match(name)
        target = tree.link(f"{at}/{name}/block") if match else None
        if match and target:
            members[int(match[1])] = posixpath.basename(target)
    node.put("md_level", level, source)
    node.put("md_members", members or None, source)
    node.put("md_disks", whole((tree.text(f"{at}/raid_disks") or "").split(" ")[0]), source)
    node.put("md_chunk_bytes", whole(tree.text(f"{at}/chunk_size")), source)
    node.put("md_layout", whole(tree.text(f"{at}/layout")), source)
    location = tree.text(f"{at}/bitmap/location")
    node.put("md_bitmap", None if location is None else location not in ("none", ""), source)
    version = tree.text(f"{at}/metadata_version") or ""
    node.put(
        "md_container",
        version.removeprefix("external:/").partition("/")[0]
        if version.startswith("external:/")
        else None,
        source,
    )


def _multi_device_file_systems(tree: Tree, host: Host) -> None:
    """Members of btrfs and bcachefs: a mount names only one of them."""
    for kind, pattern, inner in (("btrfs", r".*", "devices"), ("bcachefs", r"dev-\d+\Z", "")):
        for uuid in tree.names(f"fs/{kind}"):
            base = f"fs/{kind}/{uuid}" + (f"/{inner}" if inner else "")
            members = []
            for name in tree.names(base):
                if not re.match(pattern, name):
                    continue
                target = name if kind == "btrfs" else tree.link(f"{base}/{name}/block")
                if target:
                    members.append(posixpath.basename(target))
            for member in members:
                host.node(member).put("fs_members", tuple(members), "sysfs")
