"""What a SAN's tools say: ``multipath -ll``, ``iscsiadm -m session -P 3``, ``nvme list``,
``lsscsi --transport``."""

import re
from typing import Any

from blockstack.hosts.model.facts import ISCSIADM, LSSCSI, MULTIPATH, NVME, Facts
from blockstack.hosts.model.host import Host, Node, SourceError
from blockstack.hosts.readers.common import read_json, rows_of, sectors, text_of

_MAP = re.compile(r"(?:(?:[a-z]+: )?(\S+) \((.+?)\) |(\S.*?) )(dm-\d+) +\S")
_PATH = re.compile(r"[\s|`\\_+-]*\d+:\d+:\d+:\d+\s+(\S+)\s+(\d{1,8}:\d{1,8})\s")


def read_multipath(text: str, host: Host) -> None:
    """``multipath -ll``, of version 0.4.5 (``\\_ 3:0:1:4 sdk``) or later, with -v or without."""
    node: Node | None = None
    paths: dict[str, None] = {}
    for line in text.splitlines():
        found, path = _MAP.match(line), _PATH.match(line)
        if found and not path:
            node, paths = host.node(found[4], f"mapper/{found[1] or found[3]}"), {}
            node.tell(MULTIPATH, Facts(device_type="mpath"))
        elif path and node is not None and path[1] not in ("-", "#:#:#:#"):
            paths[next(iter(host.node(path[1], path[2]).names))] = None
            node.tell(MULTIPATH, Facts(slaves=tuple(paths)), again=True)
        elif node is not None and "queue_mode bio" in line:
            node.tell(MULTIPATH, Facts(queue_mode="bio"))
    if node is None:
        raise SourceError("multipath -ll: no device", hint="take it as root: multipath -ll")


def read_iscsi(text: str, host: Host) -> None:
    """``iscsiadm -m session -P 3``: which disks come over which network interface."""
    card = ""
    disks = 0
    for line in text.splitlines():
        word, _, value = line.strip().partition(": ")
        if word == "Iface Netdev":
            card = "" if value.startswith(("<", "[")) else value.strip()
        match = re.match(r"Attached scsi disk (\S+)", line.strip())
        if match:
            disks += 1
            node = host.node(match[1])
            node.tell(ISCSIADM, Facts(transport="iscsi", netdev=card))
    if not disks:
        raise SourceError(
            "iscsiadm: sessions, but no disks",
            hint="take it as root with: iscsiadm -m session -P 3",
        )


def read_lsscsi(text: str, host: Host) -> None:
    """``lsscsi --transport``: the transport of each disk."""
    words = (
        ("fc:", "fc"),
        ("iqn.", "iscsi"),
        ("sata:", "ata"),
        ("ata:", "ata"),
        ("sas:", "sas"),
        ("usb:", "usb"),
        ("spi:", "scsi"),
    )
    found = False
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3 or not fields[0].startswith("[") or not fields[-1].startswith("/dev/"):
            continue
        found = True
        if fields[1] == "disk":
            node = host.node(fields[-1])
            for field in fields[2:-1]:
                node.tell(
                    LSSCSI,
                    Facts(
                        transport=next((w for start, w in words if field.startswith(start)), None)
                    ),
                )
    if not found:
        raise SourceError("lsscsi: no device", hint="take it with: lsscsi --transport")


def read_nvme(text: str, host: Host) -> None:
    """``nvme list -o json`` in both of nvme-cli's schemas, and libnvme's tree."""
    data = read_json(text, "nvme list")
    devices = rows_of(data.get("Devices")) if isinstance(data, dict) else []
    hosts = rows_of(data.get("hosts")) if isinstance(data, dict) else []
    found = 0
    for row in devices:
        if text_of(row.get("DevicePath")):  # nvme-cli 1.x, and 2.x without -v
            found += _namespace(row, text_of(row.get("DevicePath")), "", host)
        for subsystem in rows_of(row.get("Subsystems")):  # nvme-cli 2.x with -v
            found += _subsystem(subsystem, host)
    for one in hosts:
        for subsystem in rows_of(one.get("subsystems")):
            for space in rows_of(subsystem.get("namespaces")):
                controllers = rows_of(space.get("controller")) + [
                    c for p in rows_of(space.get("paths")) for c in rows_of(p.get("controller"))
                ]
                over = text_of(controllers[0].get("transport")) if controllers else ""
                found += _namespace(space, text_of(space.get("name")), over, host)
    if not found:
        raise SourceError(
            "NVMe JSON without namespaces (a fabrics config, or list-subsys)",
            hint="take it with: nvme list -v -o json",
        )


def _subsystem(subsystem: dict[str, Any], host: Host) -> int:
    found, over = 0, ""
    for controller in rows_of(subsystem.get("Controllers")):
        over = text_of(controller.get("Transport")) or over
        for space in rows_of(controller.get("Namespaces")):
            found += _namespace(space, text_of(space.get("NameSpace")), over, host)
    for space in rows_of(subsystem.get("Namespaces")):
        found += _namespace(space, text_of(space.get("NameSpace")), over, host)
    return found


def _namespace(row: dict[str, Any], name: str, transport: str, host: Host) -> int:
    if not re.fullmatch(r"(/dev/)?nvme\d+n\d+", name):
        return 0
    node = host.node(name)
    node.tell(
        NVME, Facts(nvme_transport=transport, size_sectors=sectors(row.get("PhysicalSize"), 1))
    )
    return 1
