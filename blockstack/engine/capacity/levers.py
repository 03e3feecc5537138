"""What helps most: each device's speed and servers, the cores, the load, one at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.engine.capacity.figures import Figures
from blockstack.engine.capacity.result import CapacityResult, LoadSpec
from blockstack.engine.capacity.run import prepare
from blockstack.engine.depth.simulate import as_kernel
from blockstack.engine.study.levers import Tornado, weigh
from blockstack.kernel import Kernel
from blockstack.stack import Device, Stack
from blockstack.stack.machine import Machine
from blockstack.workload import Workload

#: a lever: the keys of a service table that it changes together, -1: the other way round
_TOGETHER: Mapping[str, Mapping[str, int]] = {
    "latency": {"read_latency": 1, "write_latency": 1, "program": 1},
    "time of seeks and rotation": {"seek": 1, "track_seek": 1, "rpm": -1},
    "bandwidth": {"bandwidth": 1, "write_bandwidth": 1},
    "round trip": {"rtt": 1},
    "channels": {"channels": 1},
    "queue depth": {"queue_depth": 1},
    "write buffer": {"write_buffer": 1},
    "worker threads": {"threads": 1},
}
#: levers of the leaves by medium
_MEDIA: Mapping[str, Sequence[str]] = {
    "ssd": ("latency", "bandwidth", "channels", "queue depth", "write buffer"),
    "disk": ("time of seeks and rotation", "bandwidth", "queue depth"),
    "memory": (),
}
_ROLES: Mapping[str, Sequence[str]] = {
    "nic": ("bandwidth", "round trip"),
    "stacked": ("bandwidth", "worker threads"),
}
_FACTORS = {"half": 0.5, "twice": 2.0}


def iops_levers(
    stack: Stack,
    workload: Workload,
    base: CapacityResult,
    *,
    kernel: Kernel | str | Path,
    machine: Machine | None = None,
    bios: int = 20_000,
) -> Tornado:
    """IOPS with every lever at half and at twice what it is now, the same bios each time.

    Parameters
    ----------
    stack : Stack
    workload : Workload
    base : CapacityResult
        The run as things are, under a closed load.
    kernel : Kernel, str or Path
    machine : Machine or None
        Those of the base.
    bios : int
        Measured bios of each run.

    Returns
    -------
    Tornado
        Alike devices (one kind, one ``service`` table) are changed together.

    Raises
    ------
    ConfigError
        The base is not of a closed load.
    """
    load, chosen, host = base.load, as_kernel(kernel), machine or Machine()
    if load.mode != "closed":
        raise ConfigError(
            "levers need a closed load",
            path="base.load",
            value=load.mode,
            hint="run capacity with iodepth and without a rate",
        )

    def rate(of: Stack = stack, at: Machine = host, under: LoadSpec = load) -> float:
        model = prepare(
            of, workload, kernel=chosen, machine=at, numjobs=under.numjobs, iodepth=under.iodepth
        )
        return model.run(under, bios=bios).iops

    choices = dict(_load_choices(load, host, rate)) | dict(_device_choices(stack, base, rate))
    difference = base.iops_error * 2**0.5  # of two runs
    levers, idle, left_out = weigh(choices, base.iops, difference)
    return Tornado(
        stack.name,
        base.kernel,
        f"iodepth {load.iodepth} × {load.numjobs}",
        "iops",
        base.iops,
        base.iops_error,
        levers,
        idle,
        left_out,
        base.provenance,
    )


_Settings = Mapping[str, Callable[[], float]]


def _load_choices(
    load: LoadSpec, machine: Machine, rate: Callable[..., float]
) -> Iterator[tuple[str, _Settings]]:
    yield (
        f"iodepth {load.iodepth}",
        {
            str(m): partial(rate, under=replace(load, iodepth=m))
            for m in (load.iodepth // 2, load.iodepth * 2)
            if m
        },
    )
    yield (
        f"numjobs {load.numjobs}",
        {
            str(m): partial(rate, under=replace(load, numjobs=m))
            for m in (load.numjobs // 2, load.numjobs * 2)
            if m
        },
    )
    yield (
        f"cores {machine.cpus}",
        {
            str(m): partial(rate, at=replace(machine, cpus=m))
            for m in (machine.cpus // 2, machine.cpus * 2)
            if m
        },
    )
    yield (
        f"clock {machine.ghz:g} GHz",
        {
            f"{m:g} GHz": partial(rate, at=replace(machine, ghz=m))
            for m in (machine.ghz / 2, machine.ghz * 2)
        },
    )


def _device_choices(
    stack: Stack, base: CapacityResult, rate: Callable[..., float]
) -> Iterator[tuple[str, _Settings]]:
    """Levers of the devices that the bios of the run came to."""
    figures = Figures(stack)
    used = {station.device for station in base.stations}
    groups: dict[tuple[str, str], list[Device]] = {}
    for device in stack.devices.values():
        if device.name in used:
            alike = device.kind, repr(sorted(device.service.items()))
            groups.setdefault(alike, []).append(device)
    for devices in groups.values():
        name = devices[0].name + (f" × {len(devices)}" if len(devices) > 1 else "")
        for what in _levers(devices[0], figures):
            now = {key: figures.get(devices[0], key) for key in _TOGETHER[what]}
            now = {key: value for key, value in now.items() if value}
            if now:
                yield (
                    f"{name}: {what} {_words(now)}",
                    {
                        word: partial(_rate_with, rate, stack, devices, _times(now, what, factor))
                        for word, factor in _FACTORS.items()
                    },
                )


def _levers(device: Device, figures: Figures) -> Sequence[str]:
    role = device.kind_entry.role
    return _MEDIA[str(figures.get(device, "media"))] if role == "leaf" else _ROLES.get(role, ())


def _times(now: Mapping[str, int], what: str, factor: float) -> dict[str, int]:
    return {
        key: max(1, round(value * factor ** _TOGETHER[what][key])) for key, value in now.items()
    }


def _rate_with(
    rate: Callable[..., float], stack: Stack, devices: Sequence[Device], service: Mapping[str, int]
) -> float:
    """The rate of a copy of the stack in which some devices have other figures."""
    changed, copy = {d.name for d in devices}, Stack(stack.name, stack.missing)
    for name, device in stack.devices.items():
        keys: dict[str, Any] = dict(device.given)
        if name in changed:
            keys["service"] = {**device.service, **service}
        copy.add(name, device.kind, **keys)
    return rate(copy)


def _words(now: Mapping[str, int]) -> str:
    """The first figure in its own unit: what the lever's name shows."""
    key, value = next(iter(now.items()))
    if key in ("bandwidth", "write_bandwidth"):
        return f"{value / 1e9:.3g} GB/s" if value >= 1e9 else f"{value / 1e6:.3g} MB/s"
    if key in ("channels", "queue_depth", "write_buffer", "threads"):
        return str(value)
    return f"{value / 1e6:.3g} ms" if value >= 1e6 else f"{value / 1e3:.3g} µs"
