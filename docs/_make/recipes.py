"""Writes the tables of the recipe pages: ``python -m docs._make.recipes``.

Each page is prose with one table between two marks; the table is made from a config in
``configs/recipes`` and the variants below. A test makes them again and compares.
"""

import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import blockstack as bs
from blockstack.base.files import write_text
from blockstack.engine.capacity.knee import until_knee
from blockstack.engine.capacity.result import LoadSpec
from blockstack.engine.capacity.run import prepare
from blockstack.present.tables.capacity import rate_text, time_text
from blockstack.scenario.config import load_config

ROOT = Path(__file__).parents[2]
HERE = ROOT / "docs" / "recipes"
CONFIGS = ROOT / "configs" / "recipes"
MARK = re.compile(r"(<!-- table: .*? -->\n).*?(<!-- end -->)", re.DOTALL)
NOTE = "<!-- table: made by python -m docs._make.recipes -->\n"
BIOS = 6000
SWEEP = "iscsi-queue-depth"


@dataclass(frozen=True)
class Variant:
    """One row: what it is called, what it changes in the config (dotted key to value; None takes
    the key away), and the load. All of it is one command."""

    label: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)


def _layers(n: int) -> dict[str, Any]:
    """n dm-linear levels on the disk, the user on top."""
    changes: dict[str, Any] = {
        f"devices.lv{i}": {"kind": "dm-linear", "on": f"lv{i - 1}" if i else "disk"}
        for i in range(n)
    }
    return changes | {"devices.user.on": f"lv{n - 1}" if n else "disk"}


def _disk(kind: str, **service: Any) -> dict[str, Any]:
    return {
        "devices.disk": {"kind": kind, "size": "1 TiB", "service": service}
        if service
        else {"kind": kind, "size": "1 TiB"}
    }


_FAST = _disk("nvme", read_latency="8 us", distribution="constant")
_SLOW = _disk("nvme")
_NULL = _disk("null_blk")
RECIPES: dict[str, list[Variant]] = {
    "dm-layer": [
        Variant(f"{name}, {n} layers", disk | _layers(n), load)
        for name, disk, load in (
            ("85 us disk, iodepth 1", _SLOW, {}),
            ("8 us disk, iodepth 1", _FAST, {}),
            ("null_blk, one core full", _NULL, {"iodepth": 4}),
        )
        for n in (0, 1, 4)
    ],
    "raid5-small-writes": [
        Variant("raid5, 4 KiB writes"),
        Variant(
            "raid5, full stripes (192 KiB)", {"workload.rw": "write", "workload.bs": "192 KiB"}
        ),
        Variant("raid5, 4 KiB reads", {"workload.rw": "randread"}),
        Variant("raid10, 4 KiB writes", {"devices.md0.kind": "md-raid10"}),
        Variant("raid6, 4 KiB writes", {"devices.md0.kind": "md-raid6"}),
    ],
    "fsync-over-network": [
        Variant(
            "local disk",
            {
                "devices.eth0": None,
                "devices.remote": {
                    "kind": "nvme",
                    "size": "1 TiB",
                    "service": {"flush_latency": "76 us"},
                },
            },
        ),
        Variant("network, 147 us round trip"),
        Variant("network, 1 ms round trip", {"devices.eth0.service.rtt": "1 ms"}),
        Variant("network, a flush for every 8 writes", {"workload.fsync": 8}),
    ],
    "max-sectors": [
        Variant("64 KiB requests, queue depth 32"),
        Variant("64 KiB requests, queue depth 128", {"devices.lun.service.queue_depth": 128}),
        Variant("1 MiB requests, queue depth 32", {"devices.lun.service.max_request": "1 MiB"}),
        Variant("4 MiB requests, queue depth 32", {"devices.lun.service.max_request": "4 MiB"}),
    ],
    "replication": [
        Variant(
            "local disk only",
            {"devices.drbd0": None, "devices.eth0": None, "devices.user.on": "local"},
        ),
        Variant("DRBD, no peer", {"devices.drbd0.nic": None, "devices.eth0": None}),
        *(
            Variant(
                f"protocol {word}, {rtt} round trip",
                {"devices.drbd0.protocol": word, "devices.eth0.service.rtt": rtt},
            )
            for rtt in ("100 us", "1 ms")
            for word in "ABC"
        ),
        Variant("C, 1 ms, iodepth 128", {"devices.eth0.service.rtt": "1 ms"}, {"iodepth": 128}),
        Variant(
            "C, link of 1 Gbit/s, iodepth 128",
            {"devices.eth0.service.bandwidth": "1 Gbit/s"},
            {"iodepth": 128},
        ),
        Variant(
            "A, 1 ms, send buffer of 64 KiB",
            {
                "devices.drbd0.protocol": "A",
                "devices.eth0.service.rtt": "1 ms",
                "devices.drbd0.service": {"send_buffer": "64 KiB"},
            },
        ),
    ],
    "crypt-workqueues": [
        Variant(
            f"{word}: {rw}, iodepth {depth}",
            {"devices.luks.workqueue": value, "workload.rw": rw},
            {"iodepth": depth},
        )
        for rw in ("randread", "randwrite")
        for depth in (1, 32)
        for word, value in (("work queues", "read+write"), ("inline", "none"))
    ],
    "raid0-of-nvme": [
        Variant("eight disks by themselves", {"devices.md0": None}, {"iodepth": 32, "numjobs": 16}),
        Variant("raid0", {}, {"iodepth": 32, "numjobs": 16}),
        Variant("raid0, twice the cores", {"machine.cpus": 8}, {"iodepth": 32, "numjobs": 16}),
        Variant(
            "raid0 under four dm layers",
            {
                f"devices.lv{i}": {"kind": "dm-linear", "on": f"lv{i - 1}" if i else "md0"}
                for i in range(4)
            },
            {"iodepth": 32, "numjobs": 16},
        ),
    ],
    "multipath": [
        Variant("one path", {"devices.lun": None, "devices.path1": None, "devices.eth1": None}),
        Variant("round robin over two paths"),
        Variant("round robin, iodepth 4", {}, {"iodepth": 4}),
        Variant(
            "one path, iodepth 4",
            {"devices.lun": None, "devices.path1": None, "devices.eth1": None},
            {"iodepth": 4},
        ),
        Variant("round robin, 4 KiB reads", {"workload.bs": "4 KiB"}),
    ],
    "chunk-size": [
        Variant(f"chunk {chunk}", {"devices.md0.chunk": chunk})
        for chunk in ("16 KiB", "64 KiB", "128 KiB", "512 KiB", "1 MiB")
    ],
    "copy-on-write-chunk": [
        Variant(
            "no snapshot", {"devices.origin": None, "devices.cow": None, "devices.user.on": "data"}
        )
    ]
    + [
        Variant(f"first write, chunk {chunk}", {"devices.origin.chunk": chunk})
        for chunk in ("4 KiB", "64 KiB", "1 MiB")
    ]
    + [Variant("later writes, chunk 64 KiB", {"devices.origin.copied": 1.0})],
    "raid5-threads": [
        Variant(
            f"{threads} thread{'s' if threads > 1 else ''}",
            {"devices.md0.service.threads": threads},
        )
        for threads in (1, 2, 4, 8)
    ],
    "cache-hits": [
        Variant(f"{hits:.0%} hits", {"devices.array.service.hit_ratio": hits})
        for hits in (0.0, 0.5, 0.9, 0.99)
    ],
    "iscsi-queue-depth": [Variant("sweep")],
}
DEFAULT_LOADS: dict[str, dict[str, Any]] = {
    "raid5-small-writes": {"iodepth": 32},
    "max-sectors": {"iodepth": 4, "bios": 1000},
    "replication": {"iodepth": 16},
    "multipath": {"iodepth": 32},
    "chunk-size": {"iodepth": 8},
    "copy-on-write-chunk": {"iodepth": 4},
    "raid5-threads": {"iodepth": 64, "numjobs": 8},
    "cache-hits": {"iodepth": 16},
}


@cache
def _kernel(name: str) -> bs.Kernel:
    return bs.load_kernel(name)


def _toml(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_inner(v)}" for k, v in value.items()) + " }"
    return value if isinstance(value, str) else json.dumps(value)


def _inner(value: Any) -> str:
    return _toml(value) if isinstance(value, Mapping) else json.dumps(value)


def _changes(variant: Variant) -> list[str]:
    return [
        f"{key}={'' if value is None else _toml(value)}" for key, value in variant.changes.items()
    ]


def _load(name: str, variant: Variant) -> dict[str, Any]:
    return {"iodepth": 1, "numjobs": 1, "bios": BIOS, **DEFAULT_LOADS.get(name, {}), **variant.load}


def command(name: str, variant: Variant) -> str:
    """What gives a row: `blockstack capacity` with its options."""
    load = _load(name, variant)
    words = ["blockstack", "capacity", f"configs/recipes/{name}.toml"]
    words += ["--until-knee"] if name == SWEEP else ["--iodepth", str(load["iodepth"])]
    if load["numjobs"] > 1:
        words += ["--numjobs", str(load["numjobs"])]
    words += ["--bios", str(load["bios"])]
    return shlex.join(words + [w for text in _changes(variant) for w in ("--set", text)])


def _row(label: str, r: bs.CapacityResult) -> str:
    p50, p99 = r.percentiles_ns(50.0, 99.0)
    stop = r.bottleneck if r.bottleneck != "iodepth" else "nothing is full"
    return (
        f"| {label} | {r.iops:,.0f} | {rate_text(r.bytes_per_second)} | "
        f"{time_text(r.latency_ns)} | {time_text(p50)} | {time_text(p99)} | {stop} | "
        f"{r.next_bottleneck} ({r.next_ceiling_iops:,.0f}) |"
    )


HEAD = (
    "| | IOPS | bandwidth | mean | p50 | p99 | bottleneck | next (allows IOPS) |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def table(name: str) -> str:
    """The table of one page, as Markdown."""
    rows = []
    for variant in RECIPES[name]:
        case = load_config(CONFIGS / f"{name}.toml", _changes(variant))
        load = _load(name, variant)
        model = prepare(
            case.stack,
            case.workload,
            kernel=_kernel(case.kernel or ""),
            machine=case.machine,
            numjobs=load["numjobs"],
        )
        if name == SWEEP:
            sweep = until_knee(model, LoadSpec("closed"), bios=BIOS)
            rows += [
                _row(f"iodepth {p.load.iodepth}" + (" (the knee)" if p is sweep.at_knee else ""), p)
                for p in sweep.points
            ]
            continue
        rows.append(
            _row(
                variant.label,
                model.run(LoadSpec("closed", load["iodepth"], load["numjobs"]), bios=load["bios"]),
            )
        )
    return HEAD + "\n".join(rows) + "\n\n" + _commands(name)


def _commands(name: str) -> str:
    """Each row's command, folded away."""
    lines = [line for v in RECIPES[name] for line in (f"# {v.label}", command(name, v))]
    return (
        "<details><summary>The command of each row</summary>\n\n```sh\n"
        + "\n".join(lines)
        + "\n```\n\n</details>\n"
    )


def page(name: str) -> str:
    """The page with its table made anew."""
    text = (HERE / f"{name}.md").read_text("utf-8")
    made, count = MARK.subn(lambda m: NOTE + table(name) + m[2], text)
    if count != 1:
        raise ValueError(f"{name}.md: needs one table between its marks")
    return made


if __name__ == "__main__":
    for one in sys.argv[1:] or RECIPES:
        write_text(HERE / f"{one}.md", page(one))
        print(one)
