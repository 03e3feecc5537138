"""probert's dump of a machine's storage (curtin, subiquity): udev's properties and more.

It does not say which physical volume holds a logical one (see lvm.py). A bcache device is joined
to its backing device by UUID, and to its caches by the set's UUID.
"""

import re
from typing import Any

from blockstack.hosts.model.facts import PROBERT, Facts
from blockstack.hosts.model.host import Host, SourceError
from blockstack.hosts.readers import lvm, udev
from blockstack.hosts.readers.common import read_json, rows_of, sectors, table_of, text_of

MAX_DEPTH = 100


def storage_of(data: Any) -> dict[str, Any] | None:
    """The storage table of a dump, however deep it is wrapped; None: there is none."""
    for _ in range(4):
        if not isinstance(data, dict):
            return None
        if isinstance(data.get("blockdev"), dict):
            return data
        data = data.get("storage", data.get("result"))
    return None


def read_dump(text: str, host: Host) -> None:
    """A probert dump, as JSON."""
    storage = storage_of(read_json(text, "probert"))
    if storage is None:
        raise SourceError("probert: no blockdev", hint="take it with: probert --storage")
    for name, entry in storage["blockdev"].items():
        if isinstance(entry, dict):
            _device(str(name), entry, host)
    _nvme(table_of(storage.get("nvme")), storage["blockdev"], host)
    _maps(table_of(storage.get("multipath")), host)
    _bcache(table_of(storage.get("bcache")), table_of(storage["blockdev"]), host)
    _lvm(table_of(storage.get("lvm")), host)
    for crypt in table_of(storage.get("dmcrypt")).values():
        name, below = (text_of(table_of(crypt).get(k)) for k in ("name", "blkdevs_used"))
        if name and below:
            host.node(f"mapper/{name}").tell(PROBERT, Facts(slaves=(below,), device_type="crypt"))
    for name, entry in table_of(storage.get("filesystem")).items():
        if host.find(name):
            host.node(name).tell(PROBERT, Facts(fstype=text_of(table_of(entry).get("TYPE"))))
    _mounts(rows_of(storage.get("mount")), host)
    for pool in table_of(table_of(storage.get("zfs")).get("zpools")):
        host.lost[f"zpool {pool}"] = "zfs: no such kind in the registry"


def _device(name: str, entry: dict[str, Any], host: Host) -> None:
    properties = {k: v for k, v in entry.items() if isinstance(v, str)}
    node = udev.device({"DEVNAME": name, "SUBSYSTEM": "block", **properties}, host, PROBERT)
    if node is None:
        return
    attrs = table_of(entry.get("attrs"))
    node.tell(
        PROBERT,
        Facts(
            size_sectors=sectors(attrs.get("size"), 1), start_sectors=sectors(attrs.get("start"))
        ),
    )
    if node.facts.size_sectors == 0:
        node.tell(PROBERT, Facts(md_inactive=True if name.startswith("/dev/md") else None))


def _nvme(controllers: dict[str, Any], devices: dict[str, Any], host: Host) -> None:
    """A namespace's transport: its controller's of the same number, else what all have."""
    over = {name: text_of(table_of(c).get("NVME_TRTYPE")) for name, c in controllers.items()}
    common = next(iter(over.values())) if len(set(over.values())) == 1 else None
    for name in devices:
        match = re.fullmatch(r"/dev/(nvme\d+)n\d+", name)
        if match:
            host.node(name).tell(PROBERT, Facts(nvme_transport=over.get(match[1]) or common))


def _maps(multipath: dict[str, Any], host: Host) -> None:
    numbers = {
        text_of(m.get("multipath")): text_of(m.get("sysfs")) for m in rows_of(multipath.get("maps"))
    }
    paths: dict[str, list[str]] = {}
    for row in rows_of(multipath.get("paths")):
        name, device = text_of(row.get("multipath")), text_of(row.get("device"))
        if name and device and not name.startswith("["):
            paths.setdefault(name, []).append(device)
    for name, devices in paths.items():
        node = host.find(f"mapper/{name}") or (
            host.node(numbers[name], f"mapper/{name}") if numbers.get(name) else None
        )
        if node is not None:
            for device in devices:
                host.node(device)
            node.tell(PROBERT, Facts(slaves=tuple(devices), device_type="mpath"))


def _bcache(bcache: dict[str, Any], devices: dict[str, Any], host: Host) -> None:
    caches: dict[str, list[str]] = {}
    for entry in table_of(bcache.get("caching")).values():
        uuid = text_of(table_of(table_of(entry).get("superblock")).get("cset.uuid"))
        caches.setdefault(uuid, []).append(text_of(table_of(entry).get("blockdev")))
    for name, entry in devices.items():
        match = re.search(r"/dev/bcache/by-uuid/(\S+)", text_of(table_of(entry).get("DEVLINKS")))
        backing = table_of(table_of(bcache.get("backing")).get(match[1])) if match else {}
        below = text_of(backing.get("blockdev"))
        if not below or not host.find(below):
            continue
        superblock = table_of(backing.get("superblock"))
        node = host.node(name)
        node.tell(PROBERT, Facts(bcache_backing=below))
        mode = re.search(r"\[(\w+)\]", text_of(superblock.get("dev.data.cache_mode")))
        node.tell(
            PROBERT,
            Facts(
                bcache_mode=mode[1] if mode else None,
                bcache_caches=tuple(
                    c
                    for c in caches.get(text_of(superblock.get("cset.uuid")), ())
                    if c and host.find(c)
                )
                or None,
            ),
        )


def _lvm(report: dict[str, Any], host: Host) -> None:
    for group, devices in table_of(report.get("physical_volumes")).items():
        names = devices if isinstance(devices, list) else []
        lvm.groups(host, group, [d for d in names if isinstance(d, str) and d])
    for entry in table_of(report.get("logical_volumes")).values():
        row = table_of(entry)
        if text_of(row.get("volgroup")) and text_of(row.get("name")):
            lvm.volume(host, row["volgroup"], row["name"], row.get("size"), PROBERT)


def _mounts(rows: list[dict[str, Any]], host: Host) -> None:
    host.tells_mounts |= bool(rows)
    todo = [(row, 0) for row in rows]
    while todo:
        row, depth = todo.pop()
        source, target = text_of(row.get("source")), text_of(row.get("target"))
        if source.startswith("/dev/") and target and host.find(source):
            host.use("fs", text_of(row.get("fstype")), target, (source,), PROBERT)
        elif source.startswith("/dev/") and target:
            host.note(f"{target}: mounted from {source}, of which the dump tells nothing")
        if depth < MAX_DEPTH:
            todo += [(child, depth + 1) for child in rows_of(row.get("children"))]
