"""sysfs, live or dumped: what the running kernel itself says about its block devices.

``/sys/block`` (or ``/sys/class/block``, or ``/sys/dev/block``) leads to one folder per disk;
partitions are folders inside it. ``slaves`` and ``bcache`` links tell what stands on what.
"""

import posixpath
import re

from blockstack.hosts.model.facts import CAPTURE, SYSFS, Facts, Source
from blockstack.hosts.model.host import Host, Node
from blockstack.hosts.model.tree import Tree
from blockstack.hosts.readers import queue
from blockstack.hosts.readers.common import sectors, whole

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


def read(tree: Tree, host: Host, source: Source = SYSFS) -> None:
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


def _device(tree: Tree, at: str, host: Host, source: Source) -> None:
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
    node.tell(
        source,
        Facts(
            size_sectors=sectors(tree.text(f"{at}/size")),
            dm_uuid=tree.text(f"{at}/dm/uuid"),
            transport=transport_of(at),
        ),
    )
    if tree.has(f"{at}/partition"):
        node.tell(
            source,
            Facts(
                parent=posixpath.basename(posixpath.dirname(at)),
                start_sectors=whole(tree.text(f"{at}/start")),
            ),
        )
    if source is CAPTURE or tree.has(f"{at}/slaves"):  # a listing may not have followed the link
        node.tell(source, Facts(slaves=tuple(tree.names(f"{at}/slaves"))))
    if not tree.has(f"{at}/partition"):  # a partition's queue is its disk's
        texts = {name: tree.text(f"{at}/{name}") for name in queue.SYSFS}
        node.tell(source, queue.from_sysfs(texts))
    node.tell(source, Facts(backing_file=tree.text(f"{at}/loop/backing_file")))
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


def _host_driver(tree: Tree, at: str, node: Node, source: Source) -> None:
    """The SCSI host's or the NVMe controller's driver, where the tree tells it."""
    match = re.search(r"(?:.*/)?(host\d+)/", at)
    if match:
        above = at[: match.end() - 1]
        proc = tree.text(f"class/scsi_host/{match[1]}/proc_name") or tree.text(
            f"{above}/scsi_host/{match[1]}/proc_name"
        )
        driver = tree.link(f"{posixpath.dirname(above)}/driver")
        node.tell(
            source,
            Facts(
                host_driver=proc
                if proc and proc != "<NULL>"
                else driver and posixpath.basename(driver)
            ),
        )
    controllers = re.findall(r"nvme\d+", posixpath.dirname(at))
    for name in dict.fromkeys(controllers):
        node.tell(source, Facts(nvme_transport=tree.text(f"class/nvme/{name}/transport")))
    subsystem = re.search(r"(.*/nvme-subsys\d+)/", at + "/")
    for name in tree.names(subsystem[1]) if subsystem else ():
        if re.match(r"nvme\d+\Z", name):
            node.tell(
                source,
                Facts(
                    nvme_transport=tree.text(f"{subsystem[1]}/{name}/transport")
                    if subsystem
                    else None
                ),
            )


def _bcache(tree: Tree, at: str, kname: str, node: Node, source: Source) -> None:
    """``bcacheN/bcache`` leads to the backing device's folder; its set's caches are links."""
    link = tree.link(f"{at}/bcache")
    if link is None or not kname.startswith("bcache"):
        return
    backing = posixpath.basename(posixpath.dirname(link))
    node.tell(source, Facts(bcache_backing=backing))
    mode = re.search(r"\[(\w+)\]", tree.text(f"{at}/bcache/cache_mode") or "")
    node.tell(source, Facts(bcache_mode=mode[1] if mode else None))
    base = posixpath.normpath(posixpath.join(at, link))
    caches = []
    for name in tree.names(f"{base}/cache"):
        target = tree.link(f"{base}/cache/{name}") if name.startswith("cache") else None
        if target:
            caches.append(posixpath.basename(posixpath.dirname(target)))
    node.tell(source, Facts(bcache_caches=tuple(caches) or None))


def _md(tree: Tree, at: str, node: Node, source: Source) -> None:
    """Personality, chunk, layout and members by role (Documentation/admin-guide/md.rst)."""
    level = tree.text(f"{at}/level")
    if not level:  # an inactive array has none
        node.tell(source, Facts(md_inactive=True))
        return
    members: dict[int, str] = {}
    for name in tree.names(at):
        match = _MEMBER.match(name)
        target = tree.link(f"{at}/{name}/block") if match else None
        if match and target:
            members[int(match[1])] = posixpath.basename(target)
    node.tell(
        source,
        Facts(
            md_level=level,
            md_members=members or None,
            md_disks=whole((tree.text(f"{at}/raid_disks") or "").split(" ")[0]),
            md_chunk_bytes=whole(tree.text(f"{at}/chunk_size")),
            md_layout=whole(tree.text(f"{at}/layout")),
        ),
    )
    location = tree.text(f"{at}/bitmap/location")
    node.tell(source, Facts(md_bitmap=None if location is None else location not in ("none", "")))
    version = tree.text(f"{at}/metadata_version") or ""
    node.tell(
        source,
        Facts(
            md_container=version.removeprefix("external:/").partition("/")[0]
            if version.startswith("external:/")
            else None
        ),
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
                host.node(member).tell(SYSFS, Facts(fs_members=tuple(members)))
