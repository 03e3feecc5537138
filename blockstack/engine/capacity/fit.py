"""A device's figures from its own measured rates: latency from one request in flight, dies from
many."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.engine.capacity.run import capacity
from blockstack.kernel import Kernel
from blockstack.kinds.service import read_service
from blockstack.stack import Stack
from blockstack.stack.machine import Machine
from blockstack.workload import Workload

_BIOS, _ROUNDS, _MOST_DIES = 20_000, 12, 4096


def with_service(stack: Stack, device: str, service: Mapping[str, Any]) -> Stack:
    """A copy of a stack in which one device has other figures, as a config writes them."""
    copy = Stack(stack.name, stack.missing)
    for name, one in stack.devices.items():
        keys: dict[str, Any] = dict(one.given)
        if name == device:
            keys["service"] = read_service(one.kind_entry, service, f"devices.{name}.service")
        copy.add(name, one.kind, **keys)
    return copy


@dataclass(frozen=True)
class Alone:
    """A device by itself, under the workload that was measured.

    Attributes
    ----------
    stack : Stack
    device : str
    workload : Workload
    kernel : Kernel or str
    machine : Machine
    """

    stack: Stack
    device: str
    workload: Workload
    kernel: Kernel | str
    machine: Machine

    def rate(self, service: Mapping[str, Any], threads: int) -> float:
        """Bios per second with so many threads, one request each, on as many cores."""
        return capacity(
            with_service(self.stack, self.device, service),
            self.workload,
            kernel=self.kernel,
            machine=replace(self.machine, cpus=max(self.machine.cpus, threads)),
            numjobs=threads,
            bios=_BIOS,
        ).iops


def fit_points(alone: Alone, points: Mapping[int, float]) -> dict[str, Any]:
    """A `service` table through the first and the last point of an SSD's curve.

    Parameters
    ----------
    alone : Alone
    points : mapping of int to float
        Threads, one request each, to rate in 1/s.

    Returns
    -------
    dict
        ``media``, ``read_latency`` and ``write_latency`` (one mean of both), ``program`` (none),
        ``channels``.

    Raises
    ------
    ConfigError
        Fewer than two points, or rates that do not rise.
    """
    few, many = min(points, default=0), max(points, default=0)
    if few == many or not 0 < points[few] < points[many]:
        raise ConfigError("needs two rising rates", path="points", value=dict(points))
    wanted = few * 1e9 / points[few]
    latency = wanted
    for _ in range(3):  # what cores and links take is not the media's
        latency += wanted - few * 1e9 / alone.rate(_service(latency, _MOST_DIES), few)
    low, high = 1, _MOST_DIES
    for _ in range(_ROUNDS):
        dies = round((low * high) ** 0.5)
        if alone.rate(_service(latency, dies), many) < points[many]:
            low = dies
        else:
            high = dies
        if high - low <= 1:
            break
    # few dies are a coarse measure: the nearer of two
    return min(
        (_service(latency, dies) for dies in (low, high)),
        key=lambda one: abs(alone.rate(one, many) - points[many]),
    )


def _service(latency_ns: float, dies: int) -> dict[str, Any]:
    each = f"{max(round(latency_ns), 1)} ns"
    return {
        "media": "ssd",
        "read_latency": each,
        "write_latency": each,
        "program": "0 us",
        "channels": dies,
        "bandwidth": "32 GB/s",
        "write_bandwidth": "32 GB/s",
    }
