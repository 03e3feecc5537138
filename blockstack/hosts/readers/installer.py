"""Storage configs of installers: curtin's and subiquity's storage config, ansible's storage role.

Only the fields that say what stands on what are read: never a key or a password.
"""

from collections.abc import Iterable
from typing import Any

from blockstack.hosts.model.facts import ANSIBLE, CURTIN, Facts
from blockstack.hosts.model.host import Host, SourceError, mapper_name
from blockstack.hosts.readers import lvm
from blockstack.hosts.readers.common import rounded_sectors, rows_of, table_of, text_of

MAX_VISITED = 100_000
MAX_DEPTH, MAX_EVENTS, MAX_MERGED = 100, 1_000_000, 10_000


def load_yaml(text: str) -> Any:
    """YAML (or JSON) without Python objects, bounded in depth, events and merged keys.

    libyaml's composer recurses in C: the depth is counted on its events before. Merge keys
    (``<<``) copy what they merge, which doubles from level to level in a bomb.

    Raises
    ------
    BlockstackError
        Damaged YAML, with the place, or one that passes the bounds.
    """
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        def flatten_mapping(self, node: Any) -> None:
            super().flatten_mapping(node)
            if len(node.value) > MAX_MERGED:
                raise SourceError("YAML: merged keys without end", hint="take the << out")

    try:
        _bounded(yaml.parse(text, Loader=base))
        return yaml.load(text, Loader=Loader)
    except (
        yaml.YAMLError,
        RecursionError,
        ValueError,
        TypeError,
        OverflowError,
        AttributeError,
        KeyError,
    ) as error:
        if isinstance(error, SourceError):
            raise
        place = getattr(error, "problem_mark", None)
        where = f"line {place.line + 1}" if place is not None else ""
        raise SourceError(
            f"not YAML: {getattr(error, 'problem', None) or type(error).__name__}", path=where
        ) from error


def _bounded(events: Iterable[Any]) -> None:
    depth = 0
    for count, event in enumerate(events):
        name = type(event).__name__
        depth += name.endswith("StartEvent") - name.endswith("EndEvent")
        if depth > MAX_DEPTH or count > MAX_EVENTS:
            raise SourceError(
                "YAML: nested too deep, or too long",
                value=max(depth, count),
                hint=f"at most {MAX_DEPTH} levels and {MAX_EVENTS:,} values",
            )


def actions_of(data: Any) -> list[dict[str, Any]] | None:
    """The actions of a storage config; None: there is none."""
    for _ in range(4):
        if isinstance(data, list) or not isinstance(data, dict):
            break
        if isinstance(data.get("config"), list):
            data = data["config"]
            break
        data = data.get("storage", data.get("autoinstall"))
    rows = rows_of(data)
    return rows if any("type" in r and "id" in r for r in rows) else None


def read_yaml(text: str, host: Host) -> None:
    """A storage config of curtin or subiquity, or variables of ansible's storage role."""
    data = load_yaml(text)
    host.tells_mounts = True  # an installer's config is whole
    actions = actions_of(data)
    if actions is not None:
        _curtin(actions, host)
    elif isinstance(data, dict) and "layout" in _storage(data):
        raise SourceError(
            "a storage layout by name: the installer decides what it becomes",
            value=text_of(table_of(_storage(data)["layout"]).get("name")),
            hint="give what was installed: lsblk --json -O -b, or /sys",
        )
    elif not _ansible(data, host):
        raise SourceError(
            "YAML without storage: neither curtin's config nor ansible's "
            "storage_pools and storage_volumes"
        )


def _storage(data: dict[str, Any]) -> dict[str, Any]:
    return table_of(table_of(data.get("autoinstall", data)).get("storage"))


def _name(row: dict[str, Any]) -> str:
    return str(row.get("id", ""))


def _size(row: dict[str, Any], key: str = "size") -> int | None:
    """Sectors; curtin takes ``1G`` and ``1GB`` alike as binary."""
    found = rounded_sectors(row[key] if isinstance(row.get(key), int) else text_of(row.get(key)))
    return None if found is None else found[0]


class _Curtin:
    """Actions by id, and the device name that each stands for."""

    def __init__(self, actions: list[dict[str, Any]]) -> None:
        self.rows = {_name(row): row for row in actions}

    def device(self, identifier: Any) -> str:
        """The node's name of an action."""
        row = self.rows.get(str(identifier))
        if row is None:
            raise SourceError(
                "no such id in this storage config", path="storage.config", value=identifier
            )
        kind, name = row.get("type"), text_of(row.get("name"))
        if kind == "disk":
            if text_of(row.get("multipath")):
                return f"mapper/{row['multipath']}"
            path = text_of(row.get("path"))
            return path if path.startswith("/dev/") and path.count("/") == 2 else _name(row)
        if kind == "lvm_partition":
            group = table_of(self.rows.get(str(row.get("volgroup"))))
            return mapper_name(text_of(group.get("name")) or "vg", name or _name(row))
        if kind == "dm_crypt":
            return f"mapper/{text_of(row.get('dm_name')) or _name(row)}"
        return name if kind in ("raid", "bcache") and name else _name(row)


def _curtin(actions: list[dict[str, Any]], host: Host) -> None:
    config = _Curtin(actions)
    for row in actions:
        kind = text_of(row.get("type"))
        reader = _ACTIONS.get(kind)
        if reader is not None:
            reader(row, config, host)
        elif kind not in _PASSED:
            host.note(f"{_name(row)}: an action of type {kind or '?'} is not modelled")


def _disk(row: dict[str, Any], config: _Curtin, host: Host) -> None:
    name = config.device(_name(row))
    node = host.node(name)
    node.tell(CURTIN, Facts(is_disk=True, size_sectors=_size(row)))
    if text_of(row.get("path")).startswith("iscsi:"):
        node.tell(CURTIN, Facts(transport="iscsi"))
    if text_of(row.get("multipath")):
        path = text_of(row.get("path")) or f"{_name(row)}-path"
        host.node(path).tell(CURTIN, Facts(is_disk=True))
        node.tell(CURTIN, Facts(slaves=(path,), device_type="mpath"))


def _partition(row: dict[str, Any], config: _Curtin, host: Host) -> None:
    if row.get("flag") == "extended":
        host.note(f"{_name(row)}: an extended partition only holds others; it is left out")
        return
    node = host.node(_name(row))
    node.tell(
        CURTIN,
        Facts(
            parent=config.device(row.get("device")),
            size_sectors=_size(row),
            start_sectors=_size(row, "offset"),
        ),
    )


def _raid(row: dict[str, Any], config: _Curtin, host: Host) -> None:
    devices = row.get("devices")
    members = [config.device(d) for d in devices] if isinstance(devices, list) else []
    level = str(row.get("raidlevel", "")).removeprefix("raid")
    words = {"stripe": "0", "mirror": "1"}
    node = host.node(config.device(_name(row)))
    for member in members:
        host.node(member)
    level = words.get(level, level)
    node.tell(
        CURTIN,
        Facts(
            md_level=f"raid{level}" if level.isdigit() else level,
            md_members=dict(enumerate(members)) or None,
        ),
    )


def _bcache(row: dict[str, Any], config: _Curtin, host: Host) -> None:
    node = host.node(config.device(_name(row)))
    backing = config.device(row.get("backing_device"))
    host.node(backing)
    node.tell(CURTIN, Facts(bcache_backing=backing))
    if row.get("cache_device"):
        cache = config.device(row.get("cache_device"))
        host.node(cache)
        node.tell(CURTIN, Facts(bcache_caches=(cache,)))
    node.tell(CURTIN, Facts(bcache_mode=text_of(row.get("cache_mode"))))


def _group(row: dict[str, Any], config: _Curtin, host: Host) -> None:
    devices = row.get("devices")
    lvm.groups(
        host,
        text_of(row.get("name")) or "vg",
        [config.device(d) for d in devices] if isinstance(devices, list) else [],
    )


def _volume(row: dict[str, Any], config: _Curtin, host: Host) -> None:
    group = table_of(config.rows.get(str(row.get("volgroup"))))
    lvm.volume(
        host,
        text_of(group.get("name")) or "vg",
        text_of(row.get("name")) or _name(row),
        row.get("size"),
        CURTIN,
        "linear",  # curtin/commands/block_meta.py lvm_partition_handler: a plain lvcreate
    )


def _crypt(row: dict[str, Any], config: _Curtin, host: Host) -> None:
    node = host.node(config.device(_name(row)))
    below = config.device(row.get("volume"))
    host.node(below)
    node.tell(CURTIN, Facts(slaves=(below,), device_type="crypt"))


def _format(row: dict[str, Any], config: _Curtin, host: Host) -> None:
    if row.get("fstype") == "swap":
        device = config.device(row.get("volume"))
        host.node(device)
        host.use("swap", "swap", "[SWAP]", (device,), CURTIN)


def _mount(row: dict[str, Any], config: _Curtin, host: Host) -> None:
    formatted = table_of(config.rows.get(str(row.get("device"))))
    if formatted.get("type") != "format" or formatted.get("fstype") == "swap":
        return
    device = config.device(formatted.get("volume"))
    host.node(device)
    fstype = {"fat32": "vfat", "fat16": "vfat", "fat": "vfat"}.get(
        text_of(formatted.get("fstype")), text_of(formatted.get("fstype"))
    )
    host.use("fs", fstype, text_of(row.get("path")) or _name(row), (device,), CURTIN)


_PASSED = ("nvme_controller", "device")
_ACTIONS = {
    "disk": _disk,
    "partition": _partition,
    "raid": _raid,
    "bcache": _bcache,
    "lvm_volgroup": _group,
    "lvm_partition": _volume,
    "dm_crypt": _crypt,
    "format": _format,
    "mount": _mount,
    "dasd": _disk,
}


# ---- ansible: linux-system-roles.storage ----


def _ansible(data: Any, host: Host) -> bool:
    """Every storage_pools and storage_volumes in variables, plays or tasks; what is "absent" in
    one is passed over, the first definition of a name counts."""
    todo: list[Any] = [data]
    visited: set[int] = set()
    found = False
    pools: dict[str, dict[str, Any]] = {}
    volumes: dict[str, dict[str, Any]] = {}
    while todo and len(visited) < MAX_VISITED:
        one = todo.pop(0)
        if id(one) in visited or not isinstance(one, dict | list):
            continue
        visited.add(id(one))
        for row in rows_of(one.get("storage_pools")) if isinstance(one, dict) else ():
            found = True
            if row.get("state") != "absent":
                pools.setdefault(str(row.get("name")), row)
        for row in rows_of(one.get("storage_volumes")) if isinstance(one, dict) else ():
            found = True
            if row.get("state") != "absent":
                volumes.setdefault(str(row.get("name")), row)
        todo += list(one.values()) if isinstance(one, dict) else one
    for name, row in pools.items():
        _pool(name, row, host)
    for name, row in volumes.items():
        _plain_volume(name, row, host)
    return found


def _disks(row: dict[str, Any], key: str, owner: str) -> list[str]:
    value = row.get(key)
    disks = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    for disk in disks:
        if not isinstance(disk, str) or "{{" in disk:
            raise SourceError(
                "the disks are a template, whose value is not in this file",
                path=f"{owner}.{key}",
                value=disk,
                hint="write the disks' names, such as [sdb, sdc]",
            )
    return [str(d) for d in disks]


def _pool(name: str, row: dict[str, Any], host: Host) -> None:
    disks = _disks(row, "disks", name)
    for disk in disks:
        host.node(disk).tell(ANSIBLE, Facts(is_disk=True))
    level = text_of(row.get("raid_level"))
    if level:
        array = host.node(f"md/{name}")
        array.tell(ANSIBLE, Facts(md_level=level, md_members=dict(enumerate(disks)) or None))
        disks = [f"md/{name}"]
    if row.get("encryption") is True:
        disks = [_encrypted(d, host) for d in disks]
    lvm.groups(host, name, disks)
    for volume in rows_of(row.get("volumes")):
        if volume.get("state") != "absent":
            _lvm_volume(name, volume, host)


def _encrypted(device: str, host: Host) -> str:
    name = f"mapper/luks-{device.rpartition('/')[2]}"
    host.node(device)
    host.node(name).tell(ANSIBLE, Facts(slaves=(device,), device_type="crypt"))
    return name


def _lvm_volume(group: str, row: dict[str, Any], host: Host) -> None:
    name = str(row.get("name"))
    device = mapper_name(group, name)
    lvm.volume(host, group, name, row.get("size"), ANSIBLE)
    for key, kind in (
        ("raid_level", str(row.get("raid_level"))),
        ("cached", "cache"),
        ("thin", "thin"),
        ("compression", "vdo"),
        ("deduplication", "vdo"),
    ):
        if row.get(key):
            host.node(device).tell(ANSIBLE, Facts(lvm_segtype=kind))
    host.node(device).tell(ANSIBLE, Facts(lvm_segtype="linear"))  # the role's plain lvcreate
    _on_top(device, row, host)


def _plain_volume(name: str, row: dict[str, Any], host: Host) -> None:
    disks = _disks(row, "disks", name)
    for disk in disks:
        host.node(disk).tell(ANSIBLE, Facts(is_disk=True))
    device = disks[0] if disks else ""
    if row.get("type") == "raid" or row.get("raid_level"):
        device = f"md/{name}"
        host.node(device).tell(
            ANSIBLE,
            Facts(
                md_level=text_of(row.get("raid_level")) or "raid1",
                md_members=dict(enumerate(disks)) or None,
            ),
        )
    if device:
        _on_top(device, row, host)


def _on_top(device: str, row: dict[str, Any], host: Host) -> None:
    if row.get("encryption") is True:
        device = _encrypted(device, host)
    if text_of(row.get("mount_point")).startswith("/"):
        host.use("fs", text_of(row.get("fs_type")) or "xfs", row["mount_point"], (device,), ANSIBLE)
