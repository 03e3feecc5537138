"""The keys of one device, from text to checked values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.hints import check_keys
from blockstack.base.units import parse_sectors
from blockstack.kinds import Kind
from blockstack.kinds.model import REQUIRED
from blockstack.kinds.service import read_service
from blockstack.stack.checks import find_device, takes_nic
from blockstack.stack.device import Device
from blockstack.stack.queue_limits.keys import has_queue, read_limits
from blockstack.stack.shape import MAX_SECTORS


@dataclass(frozen=True)
class Keys:
    """Parameters of the kind, and the keys that the stack itself understands (sectors)."""

    params: Mapping[str, Any]
    size: int | None = None
    start: int | None = None
    nic: Device | None = None
    ranges: tuple[tuple[int, int, Device, int], ...] = ()
    offsets: tuple[int, ...] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    service: Mapping[str, Any] = field(default_factory=dict)


def topology_keys(kind: Kind) -> tuple[str, ...]:
    """Keys beside the kind's own parameters."""
    keys: list[str] = []
    if kind.role == "leaf" or kind.name in ("partition", "loop", "nfs", "raw", "swap"):
        keys.append("size")
    if kind.name.startswith("dm-"):
        keys.append("size")
    if kind.name == "partition":
        keys.append("start")
    if kind.name.startswith("md-"):
        keys.append("container")  # arrays of one container (external metadata) share their disks
    if kind.name == "dm-linear":
        keys += ["table", "offset"]
    if kind.name == "dm-striped":
        keys.append("offsets")
    if takes_nic(kind):
        keys.append("nic")
    if has_queue(kind):
        keys.append("limits")
    if kind.role != "source":
        keys.append("service")
    return tuple(keys)


def read_keys(
    kind: Kind, given: Mapping[str, Any], devices: Mapping[str, Device], path: str
) -> Keys:
    """Check the keys of a device and give them their units.

    Raises
    ------
    ConfigError
        Unknown or missing keys, values that cannot be.
    """
    extra = topology_keys(kind)
    known = {p.name for p in kind.params}
    check_keys(given, [*(p.name for p in kind.params), *(k for k in extra if k not in known)], path)
    params = _read_params(kind, given, path)
    if not isinstance(given.get("container", ""), str):
        raise ConfigError(
            "not a name",
            path=f"{path}.container",
            value=given["container"],
            hint='write the container\'s name, such as "md127"',
        )
    size = _sectors(given, "size", path) if "size" in extra or "size" in known else None
    if size is None and kind.role == "leaf":
        raise ConfigError(
            f"{kind.name} needs this key", path=f"{path}.size", hint='write size = "100 GiB"'
        )
    start_key = "offset" if kind.name == "dm-linear" else "start"
    nic = None
    if "nic" in given and takes_nic(kind):
        nic = find_device(
            given["nic"].name if isinstance(given["nic"], Device) else given["nic"],
            devices,
            f"{path}.nic",
        )
        if nic.kind_entry.role != "nic":
            raise ConfigError(
                "is not a network card",
                path=f"{path}.nic",
                value=nic.name,
                hint='name a device of kind "nic"',
            )
    return Keys(
        params,
        size,
        _sectors(given, start_key, path, least=0),
        nic,
        _read_table(given, devices, path),
        _read_offsets(given, path),
        read_limits(kind, given["limits"], path) if "limits" in given else {},
        read_service(kind, given.get("service", {}), f"{path}.service"),
    )


def _read_params(kind: Kind, given: Mapping[str, Any], path: str) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for param in kind.params:
        where = f"{path}.{param.name}"
        if param.name == "nic":
            continue  # a link, not a figure
        if param.name in given:
            params[param.name] = param.parse(given[param.name], where)
        elif param.default is REQUIRED:
            raise ConfigError(f"{kind.name} needs this key", path=where, hint=param.doc)
        else:
            params[param.name] = param.default
    for param in kind.params:
        if param.only and param.name in given and params[param.only[0]] != param.only[1]:
            raise ConfigError(
                f'means nothing with {param.only[0]} = "{params[param.only[0]]}"',
                path=f"{path}.{param.name}",
                value=given[param.name],
                hint=f'leave it out, or write {param.only[0]} = "{param.only[1]}"',
            )
    return params


def _sectors(given: Mapping[str, Any], key: str, path: str, least: int = 1) -> int | None:
    if key not in given:
        return None
    where = f"{path}.{key}"
    sectors = parse_sectors(given[key], where)
    if not least <= sectors <= MAX_SECTORS:
        raise ConfigError(
            f"must be {least} to {MAX_SECTORS} sectors of 512 bytes", path=where, value=given[key]
        )
    return sectors


def _row_sectors(value: Any, where: str) -> int:
    """A figure of a dm table: plain numbers are sectors, as dmsetup has them."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= MAX_SECTORS:
            raise ConfigError("not a number of sectors", path=where, value=value)
        return value
    return parse_sectors(value, where)


def _read_table(
    given: Mapping[str, Any], devices: Mapping[str, Device], path: str
) -> tuple[tuple[int, int, Device, int], ...]:
    if "table" not in given:
        return ()
    table = given["table"]
    form = "write [[start, length, device, offset], ...] in sectors"
    if not isinstance(table, Sequence) or isinstance(table, str) or not table:
        raise ConfigError("not a dm table", path=f"{path}.table", value=table, hint=form)
    rows = []
    for i, row in enumerate(table):
        where = f"{path}.table[{i}]"
        if not isinstance(row, Sequence) or isinstance(row, str) or len(row) not in (3, 4):
            raise ConfigError("not a row of a dm table", path=where, value=row, hint=form)
        name = row[2].name if isinstance(row[2], Device) else row[2]
        rows.append(
            (
                _row_sectors(row[0], f"{where}[0]"),
                _row_sectors(row[1], f"{where}[1]"),
                find_device(name, devices, f"{where}[2]"),
                _row_sectors(row[3], f"{where}[3]") if len(row) == 4 else 0,
            )
        )
    for key in ("size", "offset"):
        if key in given:
            raise ConfigError(
                f"`{key}` and `table` exclude each other",
                path=f"{path}.{key}",
                hint="the table says both",
            )
    return tuple(rows)


def _read_offsets(given: Mapping[str, Any], path: str) -> tuple[int, ...] | None:
    if "offsets" not in given:
        return None
    offsets = given["offsets"]
    if not isinstance(offsets, Sequence) or isinstance(offsets, str):
        raise ConfigError(
            "not a list of offsets",
            path=f"{path}.offsets",
            value=offsets,
            hint="one per member, in sectors",
        )
    return tuple(_row_sectors(one, f"{path}.offsets[{i}]") for i, one in enumerate(offsets))
