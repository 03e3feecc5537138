"""Time to import, run and explain a SAN host, by number of devices: linear, seconds for 10,000."""

import gc
import json
from collections.abc import Callable
from time import process_time
from typing import Any

import pytest
from effort import calls_of

from blockstack.engine.depth.explain import explain
from blockstack.engine.depth.simulate import simulate
from blockstack.hosts.build import Imported, build
from blockstack.hosts.model.host import Host
from blockstack.hosts.sniff import read_text
from blockstack.kernel import Kernel, load_kernel
from blockstack.results.result import Explanation, Result
from blockstack.stack import Stack
from blockstack.workload import Workload

KERNEL = "linux-6.1-x86_64"
PATHS = 8
SIZES = [100, 1_000, 10_000]


def letters(index: int) -> str:
    """``a`` ... ``z``, ``aa`` ... as the kernel names SCSI disks."""
    text, index = "", index + 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def san(devices: int) -> tuple[str, str, str]:
    """lsblk, dmsetup table and info of a host: 8 paths, a multipath map and a volume per LUN."""
    luns = devices // (PATHS + 2)
    disks, tables, info = [], [], ["Name Maj Min Stat Open Targ Event  UUID"]
    for lun in range(luns):
        volume = {
            "name": f"vg{lun}-lv",
            "kname": f"dm-{luns + lun}",
            "type": "lvm",
            "maj:min": f"253:{luns + lun}",
            "size": 1 << 39,
            "fstype": "xfs",
            "mountpoint": f"/data/{lun}",
        }
        mpath = {
            "name": f"mpath{lun}",
            "kname": f"dm-{lun}",
            "type": "mpath",
            "maj:min": f"253:{lun}",
            "size": 1 << 40,
            "children": [volume],
        }
        numbers = []
        for path in range(PATHS):
            n = lun * PATHS + path
            numbers.append(f"{600 + n // 256}:{n % 256}")
            name = f"sd{letters(n)}"
            disks.append(
                {
                    "name": name,
                    "kname": name,
                    "maj:min": numbers[-1],
                    "size": 1 << 40,
                    "type": "disk",
                    "tran": "fc",
                    "children": [mpath],
                }
            )
        paths = " ".join(f"{number} 1" for number in numbers)
        tables += [
            f"mpath{lun}: 0 {1 << 31} multipath 2 queue_mode bio 0 1 1 "
            f"service-time 0 {PATHS} 1 {paths}",
            f"vg{lun}-lv: 0 {1 << 30} linear 253:{lun} 2048",
        ]
        info += [
            f"mpath{lun}  253 {lun} L--w 1 1 0 mpath-{lun}",
            f"vg{lun}-lv  253 {luns + lun} L--w 1 1 0 LVM-{lun}",
        ]
    return json.dumps({"blockdevices": disks}), "\n".join(tables) + "\n", "\n".join(info) + "\n"


def imported(texts: tuple[str, ...]) -> Imported:
    host = Host()
    for text in texts:
        read_text(text, host, "bench")
    return build(host)


@pytest.mark.parametrize("devices", SIZES)
def bench_import(benchmark: Any, devices: int) -> None:
    """Three texts to a stack; seconds per device in ``extra_info``."""
    benchmark.group = "import"
    texts = san(devices)
    found = benchmark.pedantic(imported, args=(texts,), rounds=1 if devices > 1_000 else 3)
    luns = devices // (PATHS + 2)
    kinds = [d.kind for d in found.stack.devices.values()]
    assert kinds.count("dm-linear") == kinds.count("dm-multipath") == luns
    assert kinds.count("xfs") == luns and kinds.count("scsi") >= luns
    if benchmark.stats:  # not with --benchmark-disable
        benchmark.extra_info["us_per_device"] = benchmark.stats.stats.min / devices * 1e6


def run(stack: Stack, kernel: Kernel) -> Result:
    """100,000 bios of the default workload."""
    return simulate(stack, Workload(rw="randrw"), kernel=kernel, bios=100_000)


def depths(result: Result | Explanation) -> set[int]:
    """Every task's bytes: LUNs that are alike have the same, however many there are."""
    return {task.peak_bytes for task in result.tasks}


@pytest.mark.parametrize("devices", SIZES)
def bench_import_and_run(benchmark: Any, devices: int) -> None:
    """From texts to a verdict: import, plan, 100,000 bios."""
    benchmark.group = "import-run"
    texts, kernel = san(devices), load_kernel(KERNEL)
    one_lun = depths(run(imported(san(PATHS + 2)).stack, kernel))

    def whole() -> Result:
        return run(imported(texts).stack, kernel)

    result = benchmark.pedantic(whole, rounds=1)
    assert result.bios == 100_000 and result.fits is True  # whichever FC host driver it is
    assert depths(result) == one_lun
    assert sum(leaf["bios"] for leaf in result.leaves.values()) == 100_000 + result.splits
    if benchmark.stats:
        benchmark.extra_info["us_per_device"] = benchmark.stats.stats.min / devices * 1e6


@pytest.mark.parametrize("step", ["import", "run", "explain"])
def bench_growth(benchmark: Any, step: str) -> None:
    """Ten times the devices: the calls grow as they do, and so should the CPU time."""
    benchmark.group = "growth"
    kernel = load_kernel(KERNEL)
    texts = {devices: san(devices) for devices in SIZES}
    stacks = {devices: imported(text).stack for devices, text in texts.items()}
    works: dict[str, Callable[[int], Any]] = {
        "import": lambda devices: imported(texts[devices]),
        "run": lambda devices: run(stacks[devices], kernel),
        "explain": lambda devices: explain(stacks[devices], kernel=kernel),
    }
    work = works[step]
    least = work(SIZES[0])  # finds the kernel's paths, which all sizes share

    def seconds(devices: int) -> float:
        gc.collect()
        gc.disable()  # as timeit does: it costs by what else is alive
        try:
            start = process_time()
            found = work(devices)
            spent = process_time() - start
        finally:
            gc.enable()
        if step != "import":
            assert depths(found) == depths(least)
        return spent

    few, many = SIZES[:2]
    assert calls_of(lambda: work(many)) < 1.2 * many / few * calls_of(lambda: work(few))
    few, many = SIZES[1:] if benchmark.enabled else SIZES[:2]
    took = min(seconds(few) for _ in range(3))
    benchmark.extra_info["growth"] = benchmark.pedantic(seconds, args=(many,), rounds=1) / took
