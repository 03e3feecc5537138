"""Predicted rates beside published ones: the rows of ``data/capacity.toml``, and how they run."""

import re
import statistics
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.units import parse_count
from blockstack.engine.capacity.fit import Alone, fit_points
from blockstack.engine.capacity.result import CapacityResult
from blockstack.engine.capacity.run import capacity
from blockstack.kinds import KINDS
from blockstack.scenario.config import Config, config_from_dict

#: the rows name no kernel: all but the oldest ran something between 4.x and 6.x
KERNEL = "linux-6.1-x86_64"
_RANGE = re.compile(r"([a-z]+)(\d+)\.\.[a-z]*(\d+)\Z")
_MERGED = ("leaf", "workload", "machine", "nic", "set")
_UNITS: Mapping[str, float] = {"iops": 1.0, "MB/s": 1e6, "MiB/s": 2.0**20, "GB/s": 1e9}
CPU = "us of CPU per I/O"


@dataclass(frozen=True)
class Published:
    """One published measurement.

    Attributes
    ----------
    name, source, unit : str
    measured : object
        A figure, a list of them, or figures by number of threads or percentile.
    stack : sequence of mapping
        Devices, lowest first.
    leaf, nic, machine, workload, changes : mapping
        ``service`` keys of every leaf and every card; cores; fio's words; keys of single devices.
    leaf_points : mapping of int to float
        One drive's rate by number of threads.
    guessed : tuple of str
    judged, calibrates : bool
    """

    name: str
    source: str
    unit: str
    measured: Any
    stack: Sequence[Mapping[str, Any]]
    leaf: Mapping[str, Any] = field(default_factory=dict)
    nic: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    workload: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    leaf_points: Mapping[int, float] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()
    judged: bool = True
    calibrates: bool = False
    cpu_us_per_io: float | None = None

    @property
    def counted(self) -> bool:
        """Whether the row judges the model."""
        return self.judged and not self.calibrates


@dataclass(frozen=True, eq=False)
class Judged:
    """A published figure and what the model says.

    Attributes
    ----------
    row : Published
    point : str
        Which of the row's figures, where it has several.
    unit : str
    measured, predicted : float
        In ``unit``.
    result : CapacityResult
    """

    row: Published
    point: str
    unit: str
    measured: float
    predicted: float
    result: CapacityResult

    @property
    def ratio(self) -> float:
        """Predicted over measured."""
        return self.predicted / self.measured


@dataclass(frozen=True)
class Score:
    """How good the counted rows are: median |ratio - 1|, and the share that is off by more than a
    factor of two."""

    rows: int
    median_error: float
    off_by_two: float


def read_published(path: str | Path | None = None) -> list[Published]:
    """The shipped rows, or those of a file of the same form.

    Raises
    ------
    ConfigError
        A row that is like one that is not there.
    """
    if path is None:
        text = (resources.files("blockstack.validation") / "data" / "capacity.toml").read_text(
            "utf-8"
        )
    else:
        text = Path(path).read_text("utf-8")
    rows: dict[str, dict[str, Any]] = {}
    for table in tomllib.loads(text)["rows"]:
        rows[table["name"]] = _whole(table, rows)
    return [_row(table) for table in rows.values()]


def _whole(table: Mapping[str, Any], rows: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A row with what it takes from another one."""
    if "same_as" not in table:
        return dict(table)
    if table["same_as"] not in rows:
        raise ConfigError("no such row before this one", path="same_as", value=table["same_as"])
    whole = dict(rows[table["same_as"]])
    for key, value in table.items():
        whole[key] = {**whole.get(key, {}), **value} if key in _MERGED else value
    return whole


def _row(table: Mapping[str, Any]) -> Published:
    keys = {key: value for key, value in table.items() if key not in ("same_as", "set")}
    keys["changes"] = table.get("set", {})
    keys["guessed"] = tuple(table.get("guessed", ()))
    keys["leaf_points"] = {int(k): float(v) for k, v in table.get("leaf_points", {}).items()}
    return Published(**keys)


def _expanded(name: str) -> list[str]:
    """``d0..d7`` as eight names."""
    found = _RANGE.match(name)
    if not found:
        return [name]
    return [f"{found[1]}{i}" for i in range(int(found[2]), int(found[3]) + 1)]


def config_of(row: Published, service: Mapping[str, Any] | None = None) -> Config:
    """A row's stack and workload as a config; ``service`` in place of its leaf's."""
    devices: dict[str, dict[str, Any]] = {}
    leaf = row.leaf if service is None else service
    for table in row.stack:
        role = KINDS[table["kind"]].role
        for name in _expanded(table["name"]):
            device = {key: value for key, value in table.items() if key != "name"}
            if "on" in device:
                device["on"] = _expanded(device["on"])
            if role == "leaf":
                device.setdefault("size", "1 TiB")
            if role == "leaf" and leaf:
                device["service"] = dict(leaf)
            if role == "nic" and row.nic:
                device["service"] = dict(row.nic)
            devices[name] = device
    for path, value in row.changes.items():
        name, key = path.split(".", 1)
        devices[name][key] = value
    words = {k: v for k, v in row.workload.items() if k not in ("iodepth", "numjobs")}
    words.setdefault("direct", True)
    return config_from_dict(
        {"kernel": KERNEL, "devices": devices, "workload": words, "machine": dict(row.machine)}
    )


def judge(row: Published, *, bios: int = 20_000) -> Iterator[Judged]:
    """Run a row: one `Judged` for each of its figures that a run can give."""
    service = None
    if row.leaf_points:
        one = config_of(row)
        leaf = next(d.name for d in one.stack.devices.values() if d.kind_entry.role == "leaf")
        alone = Alone(one.stack, leaf, one.workload, one.kernel or KERNEL, one.machine)
        service = fit_points(alone, row.leaf_points)
    points = row.measured if isinstance(row.measured, Mapping) else {"": row.measured}
    for point, measured in points.items():
        if isinstance(measured, list) or not row.judged:
            continue
        jobs = int(point) if point else int(row.workload.get("numjobs", 1))
        result = _run(row, service, jobs, bios)
        yield Judged(row, str(point), row.unit, measured, _figure(row.unit, result), result)
        if row.cpu_us_per_io is not None:
            yield Judged(row, "cpu", CPU, row.cpu_us_per_io, _figure(CPU, result), result)


def _run(row: Published, service: Mapping[str, Any] | None, jobs: int, bios: int) -> CapacityResult:
    config = config_of(row, service)
    return capacity(
        config.stack,
        config.workload,
        kernel=config.kernel or KERNEL,
        machine=config.machine,
        iodepth=parse_count(str(row.workload.get("iodepth", 1))),
        numjobs=jobs,
        bios=bios,
    )


def _figure(unit: str, result: CapacityResult) -> float:
    if unit == CPU:
        return sum(layer.ns for layer in result.layers) / 1e3
    return (result.iops if unit == "iops" else result.bytes_per_second) / _UNITS[unit]


def score(found: Sequence[Judged]) -> Score:
    """Over the rows that count."""
    ratios = [one.ratio for one in found if one.row.counted]
    if not ratios:
        return Score(0, 0.0, 0.0)
    far = sum(ratio > 2 or ratio < 0.5 for ratio in ratios)
    return Score(
        len(ratios), statistics.median(abs(ratio - 1) for ratio in ratios), far / len(ratios)
    )
