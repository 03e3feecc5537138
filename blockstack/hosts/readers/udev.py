"""udev's view: ``udevadm info --export-db``, and the same properties inside a probert dump."""

import posixpath
import re
from collections.abc import Mapping

from blockstack.hosts.model.facts import DMSETUP, UDEV, Facts, Source
from blockstack.hosts.model.host import Host, Node, SourceError
from blockstack.hosts.readers import md
from blockstack.hosts.readers.common import sectors
from blockstack.hosts.readers.sysfs import transport_of


def read_db(text: str, host: Host) -> None:
    """``udevadm info --export-db``: records of ``E: KEY=VALUE`` lines, blank lines between."""
    found = False
    for record in re.split(r"\n\s*\n", text):
        properties: dict[str, str] = {}
        for line in record.splitlines():
            key, eq, value = line.removeprefix("E: ").partition("=")
            if line.startswith("E: ") and eq:
                properties[key] = value
        found |= device(properties, host, UDEV) is not None
    if not found:
        raise SourceError(
            "udev's database without block devices", hint="take it with: udevadm info --export-db"
        )


def device(properties: Mapping[str, str], host: Host, source: Source) -> Node | None:
    """Facts from the properties of one device; None: not a block device.

    Links below /dev/disk are no names here: all paths of a multipath device share them.
    """
    name = properties.get("DEVNAME", "").removeprefix("/dev/")
    if properties.get("SUBSYSTEM") != "block" or not name or re.fullmatch(r"nvme\d+c\d+n\d+", name):
        return None
    number = f"{properties.get('MAJOR', '')}:{properties.get('MINOR', '')}"
    mapped = properties.get("DM_NAME", "")
    node = host.node(
        f"/dev/{name}",
        number if re.fullmatch(r"\d{1,8}:\d{1,8}", number) else "",
        f"mapper/{mapped}" if mapped else "",
    )
    path = properties.get("DEVPATH", "")
    node.tell(
        source,
        Facts(
            dm_uuid=properties.get("DM_UUID"),
            fstype=properties.get("ID_FS_TYPE"),
            transport=transport_of(path),
        ),
    )
    if properties.get("ID_PATH", "").startswith("ip-") and "-iscsi-" in properties["ID_PATH"]:
        node.tell(DMSETUP, Facts(transport="iscsi"))  # the session's own path says so, too
    if properties.get("DEVTYPE") == "partition" and not mapped:
        node.tell(
            source,
            Facts(
                parent=posixpath.basename(posixpath.dirname(path)),
                start_sectors=sectors(properties.get("ID_PART_ENTRY_OFFSET")),
                size_sectors=sectors(properties.get("ID_PART_ENTRY_SIZE")),
            ),
        )
    elif re.match(r"part\d+-", properties.get("DM_UUID", "")):
        disk = properties.get("ID_PART_ENTRY_DISK", "")
        node.tell(source, Facts(slaves=(disk,) if disk else None))
    if properties.get("MD_LEVEL") and properties.get("DEVTYPE") != "partition":
        md.export(properties, host, source, kname=name)
    return node
