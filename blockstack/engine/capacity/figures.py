"""How fast each device is: the config's ``service`` tables, filled up with published figures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blockstack.kinds.service import defaults_of
from blockstack.stack import Device, Stack

_NONE: Any = object()


@dataclass
class Figures:
    """Service figures by device and key, and which of them nobody has given.

    Attributes
    ----------
    stack : Stack
    taken : mapping of kind source to (devices, keys)
        Defaults that were asked for.
    """

    stack: Stack
    taken: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    _known: dict[tuple[str, str], Any] = field(default_factory=dict)

    def get(self, device: Device, key: str, fallback: Any = None) -> Any:
        """A figure of a device: its own, or its kind's published one, which is noted as assumed."""
        known = self._known.get((device.name, key))
        if known is None:
            known = self._find(device, key)
            self._known[device.name, key] = known
        return fallback if known is _NONE else known

    def _find(self, device: Device, key: str) -> Any:
        if key in device.service:
            return device.service[key]
        defaults = defaults_of(device.kind_entry, device.service)
        if key not in defaults.figures:
            return _NONE
        devices = self.taken.setdefault(defaults.source, {}).setdefault(device.name, [])
        if key not in devices:
            devices.append(key)
        return defaults.figures[key]

    def assumed(self) -> Iterator[str]:
        """One line for each source of defaults: which figures of which devices rest on it."""
        for source, devices in self.taken.items():
            by_keys: dict[tuple[str, ...], list[str]] = {}
            for name, keys in devices.items():
                by_keys.setdefault(tuple(sorted(keys)), []).append(name)
            for figures, names in by_keys.items():
                more = f" and {len(names) - 4} more" if len(names) > 4 else ""
                yield f"{', '.join(names[:4])}{more}: {', '.join(figures)} ({source})"


def transfer_ns(n_bytes: int, bytes_per_second: int | None) -> float:
    """Time on a link or bus; without a bandwidth none."""
    return n_bytes * 1e9 / bytes_per_second if bytes_per_second else 0.0


def disk_seek(figures: Mapping[str, float], sectors: int) -> tuple[float, float]:
    """Seek to the next track, and per square root of the sectors, so that the mean over uniform
    places (8/15 of the root of the device) is the published average."""
    track, mean = float(figures["track_seek"]), float(figures["seek"])
    root = max(mean - track, 0.0) / (8 / 15 * float(sectors) ** 0.5)
    return track, root
