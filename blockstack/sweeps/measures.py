"""What is measured at a point: columns with units, found from one case."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.hints import did_you_mean
from blockstack.engine.capacity.result import LoadSpec
from blockstack.engine.capacity.run import Capacity, prepare
from blockstack.engine.depth.explain import explain
from blockstack.engine.study.nesting import max_layers
from blockstack.kernel import Kernel
from blockstack.results.sweep import LESS, MORE, Column
from blockstack.scenario.chosen import load_chosen
from blockstack.scenario.config import Config
from blockstack.sweeps.case import Case

Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What holds for every point.

    Attributes
    ----------
    bios : int
        Measured bios of a capacity point.
    seed : int or None
        None: the workload's own.
    prices : mapping of device or kind to number
        In any one currency.
    """

    bios: int = 20_000
    seed: int | None = None
    prices: Mapping[str, float] = field(default_factory=dict)


class Kept:
    """What points share, remembered by what it was made from: the newest few."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """The value of ``key``, made now if it is not here."""
        if key not in self._found:
            self._found[key] = make()
            if len(self._found) > self._most:
                self._found.popitem(last=False)
        self._found.move_to_end(key)
        return self._found[key]


@dataclass(frozen=True)
class Bench:
    """What one worker measures with, and what it remembers between points."""

    options: Options
    load_kernel: Callable[[str], Kernel]
    depths: Kept = field(default_factory=lambda: Kept(64))
    models: Kept = field(default_factory=lambda: Kept(4))

    def kernel(self, config: Config) -> Kernel:
        """The case's kernel, with its overrides."""
        chosen = load_chosen(config, None, None, self.load_kernel)
        return chosen.override(submission=config.overrides.submission)


@dataclass(frozen=True)
class Measure:
    """A question to one case."""

    columns: tuple[Column, ...]
    row: Callable[[Case, Config, Bench], Row]


def depth_row(case: Case, config: Config, bench: Bench) -> Row:
    """Verdict and bytes, of every task and of every layer on the deepest path."""

    def find() -> Row:
        found = explain(config.stack, kernel=bench.kernel(config), workload=config.workload)
        worst = found.worst
        layers: dict[str, int] = {}
        for frame in worst.path:
            layers[frame.layer] = layers.get(frame.layer, 0) + frame.bytes
        return {
            "fits": found.fits,
            "exact": worst.exact,
            "peak_bytes": worst.peak_bytes,
            "limit_bytes": worst.limit_bytes,
            "headroom_bytes": worst.headroom_bytes,
            "deepest_task": worst.task,
            "task_bytes": json.dumps({t.task: t.peak_bytes for t in found.tasks}),
            "layer_bytes": json.dumps(layers),
        }

    found: Row = bench.depths.get(_key(case), find)
    return found


def capacity_row(case: Case, config: Config, bench: Bench) -> Row:
    """Rate, latency, the bottleneck."""
    jobs = case.load["numjobs"]

    def make() -> Capacity:
        return prepare(
            config.stack,
            config.workload,
            kernel=bench.kernel(config),
            machine=config.machine,
            numjobs=jobs,
            seed=bench.options.seed,
        )

    model: Capacity = bench.models.get(f"{jobs} {_key(case)}", make)
    rate = case.load.get("rate_iops")
    load = LoadSpec(
        "closed" if rate is None else "open",
        case.load["iodepth"],
        jobs,
        rate,
        case.load.get("thinktime_ns", 0.0),
    )
    found = model.run(load, bios=bench.options.bios)
    tail = dict(zip(_TAIL, found.percentiles_ns(*_TAIL.values()), strict=True))
    return {
        "iops": found.iops,
        "iops_error": found.iops_error,
        "bytes_per_second": found.bytes_per_second,
        "latency_ns": found.latency_ns,
        **tail,
        "saturated": found.saturated,
        "bottleneck": found.bottleneck,
        "ceiling_iops": found.ceiling_iops,
        "cpu_ns_per_bio": sum(layer.ns for layer in found.layers),
    }


def cost_row(case: Case, config: Config, bench: Bench) -> Row:
    """What the leaves cost, and what the stack's tops hold."""
    prices = bench.options.prices
    leaves = [config.stack.devices[name] for name in config.stack.leaves()]
    unpriced = [one.name for one in leaves if not {one.name, one.kind} & set(prices)]
    if unpriced:
        raise ConfigError(
            "has no price",
            path=f"devices.{unpriced[0]}",
            hint="--price nvme=200 or sda=90",
        )
    return {
        "cost": sum(prices.get(one.name, prices.get(one.kind, 0.0)) for one in leaves),
        "usable_bytes": usable_bytes(config),
    }


def usable_bytes(config: Config) -> int:
    """Bytes of the devices that nothing stands on; of a file system, of what it stands on."""
    return sum(
        512 * (config.stack.devices[name].size_sectors or 0) for name in config.stack.roots()
    )


def _key(case: Case) -> str:
    return json.dumps(case.table, sort_keys=True, default=str)


_TAIL = {"p50_ns": 50.0, "p90_ns": 90.0, "p99_ns": 99.0, "p99_9_ns": 99.9}
_DEPTH = Measure(
    (
        Column("fits", "bool", MORE),
        Column("exact", "bool"),
        Column("peak_bytes", "int64", LESS),
        Column("limit_bytes", "int64"),
        Column("headroom_bytes", "int64", MORE),
        Column("deepest_task", "string"),
        Column("task_bytes", "string"),
        Column("layer_bytes", "string"),
    ),
    depth_row,
)
_CAPACITY = Measure(
    (
        Column("iops", "float64", MORE),
        Column("iops_error", "float64"),
        Column("bytes_per_second", "float64", MORE),
        Column("latency_ns", "float64", LESS),
        *(Column(name, "int64", LESS) for name in _TAIL),
        Column("saturated", "bool"),
        Column("bottleneck", "string"),
        Column("ceiling_iops", "float64", MORE),
        Column("cpu_ns_per_bio", "float64", LESS),
    ),
    capacity_row,
)
_COST = Measure((Column("cost", "float64", LESS), Column("usable_bytes", "int64", MORE)), cost_row)
#: measures by name; ``layers:KIND`` is made on demand
MEASURES: Mapping[str, Measure] = {"depth": _DEPTH, "capacity": _CAPACITY, "cost": _COST}
LAYERS = "layers:"


def measure_of(name: str) -> Measure:
    """A measure by name.

    Raises
    ------
    ConfigError
        There is none.
    """
    if name.startswith(LAYERS):
        return _layers(name.removeprefix(LAYERS))
    if name not in MEASURES:
        known = [*MEASURES, f"{LAYERS}dm-linear"]
        raise ConfigError(
            "no such measure",
            path="--measure",
            value=name,
            hint=did_you_mean(name, known, "measures"),
        )
    return MEASURES[name]


def _layers(kind: str) -> Measure:
    """How many nested layers of a kind fit; empty: any number."""
    word = kind.replace("-", "_")

    def row(case: Case, config: Config, bench: Bench) -> Row:
        found = max_layers(
            config.stack, kind, kernel=bench.kernel(config), workload=config.workload
        )
        bounded = [one for one in found if one.layers is not None]
        least = min(bounded, key=lambda one: one.layers or 0, default=None)
        return {
            f"most_{word}_layers": None if least is None else least.layers,
            f"most_{word}_layers_exact": all(one.exact for one in found),
        }

    return Measure(
        (Column(f"most_{word}_layers", "int64", MORE), Column(f"most_{word}_layers_exact", "bool")),
        row,
    )
