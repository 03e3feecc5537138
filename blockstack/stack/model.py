"""A stack of block devices: built with the kernel's verbs, checked at every step."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import networkx as nx

from blockstack.base.errors import ConfigError
from blockstack.base.hints import listed
from blockstack.kinds import Kind, find_kind
from blockstack.stack.checks import (
    Claims,
    check_arity,
    check_failed,
    check_lower_kinds,
    find_device,
    takes_nic,
    uses_nic,
)
from blockstack.stack.device import Device, LinkRole, Lower
from blockstack.stack.keys import read_keys
from blockstack.stack.shape import Draft, derive_shape
from blockstack.stack.verbs import Verbs

_NAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}\Z")
On = str | Device | Sequence[str | Device] | None


class Stack(Verbs):
    """Devices and what they stand on, from the leaves up.

    A device can stand on devices that are defined already, so there is no cycle; a config, whose
    devices come in any order, is sorted by the loader.

    Parameters
    ----------
    name : str
        For tables and plots.
    missing : mapping of name to reason
        Devices and file systems of the host that are not in the stack and may lie on a path: what
        stands here can overflow for certain, but nothing "fits" for certain.

    Examples
    --------
    >>> stack = Stack("lwn-2005")
    >>> disks = [stack.scsi(f"sd{c}", size="100 GiB") for c in "abc"]
    >>> md0 = stack.md("md0", level="raid5", members=disks, chunk="64 KiB")
    >>> root = stack.dm("vg-root", target="linear", on=md0)
    >>> stack.roots()
    ('vg-root',)
    """

    def __init__(self, name: str = "stack", missing: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.missing: dict[str, str] = dict(missing or {})
        self.graph: nx.DiGraph = nx.DiGraph()
        self._devices: dict[str, Device] = {}
        self._lower: dict[str, tuple[Lower, ...]] = {}
        self._claims = Claims()

    @property
    def devices(self) -> Mapping[str, Device]:
        """Devices by name, every one after those that it stands on."""
        return MappingProxyType(self._devices)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Stack)
            and self.name == other.name
            and self._devices == other._devices
            and self.missing == other.missing
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Stack({self.name!r}: {len(self._devices)} devices)"

    def lower(self, name: str) -> tuple[Lower, ...]:
        """Lower block devices of a device, in member order; a network card is not among them.

        Raises
        ------
        ConfigError
            There is no such device.
        """
        find_device(name, self._devices, "device")
        return self._lower[name]

    def nic_of(self, name: str) -> Device | None:
        """The network card under a device, or None."""
        nic = find_device(name, self._devices, "device").nic
        return None if nic is None else self._devices[nic]

    def roots(self) -> tuple[str, ...]:
        """Devices that nobody stands on, in order of definition; cards are left out."""
        degree = dict(self.graph.in_degree())
        return tuple(
            name
            for name, device in self._devices.items()
            if not degree[name] and device.kind_entry.role != "nic"
        )

    def leaves(self) -> tuple[str, ...]:
        """Devices where the bytes end, in order of definition."""
        return tuple(
            name for name, device in self._devices.items() if device.kind_entry.role == "leaf"
        )

    def warnings(self) -> tuple[str, ...]:
        """What is not in the stack; idle cards, overlapping partitions."""
        degree = dict(self.graph.in_degree())
        idle = [
            f"devices.{name}: no device uses this network card"
            for name, device in self._devices.items()
            if device.kind_entry.role == "nic" and not degree[name]
        ]
        absent = (
            [f"left out: {listed(f'{n} ({why})' for n, why in self.missing.items())}"]
            if (self.missing)
            else []
        )
        return (*absent, *idle, *self._overlapping_partitions())

    def _overlapping_partitions(self) -> Iterable[str]:
        by_disk: dict[str, list[Device]] = {}
        for device in self._devices.values():
            if device.kind == "partition":
                by_disk.setdefault(device.on[0], []).append(device)
        for parts in by_disk.values():
            parts.sort(key=lambda d: d.offset_sectors)
            for one, two in itertools.pairwise(parts):
                if two.offset_sectors < one.offset_sectors + one.size_sectors:
                    yield (
                        f"devices.{two.name}: overlaps {one.name} on {one.on[0]}, which ends at "
                        f"sector {one.offset_sectors + one.size_sectors}"
                    )

    def add(self, name: str, kind: str, on: On = None, **keys: Any) -> Device:
        """Add a device of any kind; the verbs are short forms of this.

        Parameters
        ----------
        name : str
            Not used yet, without spaces.
        kind : str
            A name of the registry (``"dm-linear"``, ``"md-raid5"``, ``"xfs"`` ...).
        on : str, Device or sequence of them
            Lower devices in order.
        **keys
            What a config would say: the kind's parameters, and ``size``, ``start``, ``nic``,
            ``table``, ``offsets``, ``limits`` where the kind has them. None means absent.

        Returns
        -------
        Device

        Raises
        ------
        ConfigError
            With the key's path (``devices.md0.on[1]``), the value and the way out.
        """
        path = f"devices.{name}"
        self._check_name(name, path)
        entry = find_kind(kind, f"{path}.kind")
        device = self._build(name, entry, on, {k: v for k, v in keys.items() if v is not None})
        check_failed(device, path)
        self._claims.take(
            entry,
            name,
            [self._devices[one] for one in device.on],
            path,
            str(device.given.get("container", "")),
        )
        self._link(device)
        return device

    def _check_name(self, name: object, path: str) -> None:
        if not isinstance(name, str) or not _NAME.match(name):
            raise ConfigError(
                "not a device name",
                path="devices",
                value=name,
                hint="1 to 200 characters without spaces",
            )
        if name in self._devices:
            raise ConfigError("is defined twice", path=path, hint="device names are unique")

    def _build(self, name: str, entry: Kind, on: On, given: dict[str, Any]) -> Device:
        """The device, checked against what is under it, and not yet part of the stack."""
        path = f"devices.{name}"
        read = read_keys(entry, given, self._devices, path)
        if read.ranges and on is not None:
            raise ConfigError(
                "`on` and `table` exclude each other",
                path=f"{path}.on",
                hint="the table names the lower devices",
            )
        lower = self._find_lower(on, path) if not read.ranges else _distinct(read.ranges)
        nic = read.nic
        if takes_nic(entry) and nic is None:
            lower, nic = _split_nic(lower)
        check_arity(entry, len(lower), path)
        check_lower_kinds(entry, lower, path)
        self._check_nic(entry.name, uses_nic(entry), nic, lower, path)
        shape = derive_shape(
            Draft(path, entry, read.params, lower, read.size, read.start, read.ranges, read.offsets)
        )
        if on is not None:
            given = {"on": _plain_on(on), **given}
        return Device(
            name,
            entry.name,
            read.params,
            tuple(d.name for d in lower),
            None if nic is None else nic.name,
            shape.size_sectors,
            shape.segments,
            shape.geometry,
            shape.offset_sectors,
            read.limits,
            read.service,
            {key: _plain(one) for key, one in given.items()},
        )

    def _find_lower(self, on: On, path: str) -> list[Device]:
        if on is None:
            return []
        if isinstance(on, str | Device):
            return [self._resolve(on, f"{path}.on")]
        if not isinstance(on, Sequence):
            raise ConfigError("not a device name or a list of them", path=f"{path}.on", value=on)
        return [self._resolve(one, f"{path}.on[{i}]") for i, one in enumerate(on)]

    def _resolve(self, one: object, path: str) -> Device:
        device = find_device(one.name if isinstance(one, Device) else one, self._devices, path)
        if isinstance(one, Device) and one != device:
            raise ConfigError(
                "belongs to another stack",
                path=path,
                value=one.name,
                hint=f"devices here: {listed(self._devices)}",
            )
        return device

    def _check_nic(
        self, kind: str, wanted: bool, nic: Device | None, lower: Sequence[Device], path: str
    ) -> None:
        for i, device in enumerate(lower):
            if device.kind_entry.role == "nic":
                raise ConfigError(
                    f"{kind} cannot stand on a network card",
                    path=f"{path}.on[{i}]",
                    value=device.name,
                    hint="put iscsi or nbd between",
                )
        if wanted and nic is None:
            cards = [d.name for d in self._devices.values() if d.kind_entry.role == "nic"]
            raise ConfigError(
                f"{kind} needs a network card",
                path=f"{path}.nic",
                hint=f"nic = one of: {listed(cards)}"
                if cards
                else 'define one: kind = "nic", and name it with `nic`',
            )

    def _link(self, device: Device) -> None:
        """Put a checked device into the tables and the graph."""
        roles: list[LinkRole] = ["data"] * len(device.on)
        if device.kind_entry.mapping.startswith("snapshot"):
            roles[1:] = ["cow"] * (len(roles) - 1)
        first = {
            name: s.offsets[i]
            for s in reversed(device.segments)
            for i, name in enumerate(s.members)
        }
        lower = tuple(
            Lower(name, first.get(name, device.offset_sectors), role, i)
            for i, (name, role) in enumerate(zip(device.on, roles, strict=True))
        )
        self._devices[device.name] = device
        self._lower[device.name] = lower
        self.graph.add_node(device.name, device=device)
        for link in lower:
            if not self.graph.has_edge(device.name, link.device):
                self.graph.add_edge(
                    device.name,
                    link.device,
                    offset_sectors=link.offset_sectors,
                    role=link.role,
                    index=link.index,
                )
        if device.nic is not None:
            self.graph.add_edge(
                device.name, device.nic, offset_sectors=0, role="nic", index=len(lower)
            )


def _distinct(ranges: Iterable[tuple[int, int, Device, int]]) -> list[Device]:
    return list({device.name: device for _, _, device, _ in ranges}.values())


def _split_nic(lower: list[Device]) -> tuple[list[Device], Device | None]:
    """A card may also be named in ``on``: it is no block device, so it becomes the `nic`."""
    cards = [d for d in lower if d.kind_entry.role == "nic"]
    if len(cards) != 1:
        return lower, None
    return [d for d in lower if d is not cards[0]], cards[0]


def _plain_on(on: On) -> Any:
    if on is None or isinstance(on, str):
        return on
    return on.name if isinstance(on, Device) else [_plain_on(one) for one in on]


def _plain(value: Any) -> Any:
    """What a config file can say: names for devices, lists for tuples."""
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Device):
        return value.name
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value
