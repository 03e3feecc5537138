"""Assumptions about the machine and its files: told, untold, and what they change."""

import pytest

from blockstack.base.calls import Cut
from blockstack.base.environment import BARE, UNTOLD, Environment
from blockstack.base.errors import ConfigError
from blockstack.engine.depth.explain import explain
from blockstack.kernel import load_kernel
from blockstack.scenario.config import config_from_dict, config_to_dict
from blockstack.stack import Stack
from blockstack.validation.measured import load_measurements


def test_a_condition_is_met_or_not() -> None:
    assert not UNTOLD.meets("iommu=none") and BARE.meets("iommu=none, swiotlb=false")
    assert UNTOLD.meets("") and not UNTOLD.meets("iommu=none|intel")
    assert Environment(iommu="amd").meets("iommu=none|amd")
    assert Environment(cached_pages="clean").meets("cached_pages=none|clean")


def test_a_reason_ends_in_its_condition() -> None:
    cut = Cut.read(("a", "b", "no IOMMU translates [iommu=none]"))
    assert (cut.reason, cut.when) == ("no IOMMU translates", "iommu=none")
    assert Cut.read(("a", "b", "why")).when == ""


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ({"iommu": "arm"}, "environment.iommu"),
        ({"sync": 1}, "environment.sync"),
        ({"swiotlb": "no"}, "environment.swiotlb"),
        ({"cached": True}, "environment.cached"),
    ],
)
def test_what_there_is_not_is_refused_by_its_path(table: dict[str, object], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Environment.from_dict(table)
    assert caught.value.path == path


def test_a_config_keeps_what_it_tells() -> None:
    table = {
        "devices": {"d": {"kind": "nvme", "size": "1 GiB"}},
        "environment": {"iommu": "none", "sync": False},
    }
    config = config_from_dict(table)
    assert config.environment == Environment(iommu="none", sync=False)
    assert config_from_dict(config_to_dict(config)) == config


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linux-6.1-x86_64", "linux-6.12-x86_64"])
def test_untold_is_the_deeper_way(name: str) -> None:
    stack = Stack("one")
    stack.filesystem("fs", kind="xfs", on=stack.nvme("disk", size="10 GiB"))
    kernel = load_kernel(name)
    whole = explain(stack, kernel=kernel)
    peaks = {task.task: task.peak_bytes for task in whole.tasks}
    assert whole.provenance["environment"] == UNTOLD.to_dict()
    for key, environment in UNTOLD.shallower():
        less = explain(stack, kernel=kernel.override(environment=environment))
        assert all(t.exact for t in less.tasks) == all(t.exact for t in whole.tasks)
        assert all(t.peak_bytes <= peaks[t.task] for t in less.tasks), key
        gone = peaks.keys() - {task.task for task in less.tasks}
        assert any("cached" in task for task in gone) is (key == "cached_pages")
        assert any("sync-work" in task for task in gone) is (key == "sync")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("iommu", "function"),
    [("intel", "intel_iommu_map_pages"), ("amd", "iommu_v1_map_pages"), ("none", "")],
)
def test_the_iommu_maps_below_the_driver(iommu: str, function: str) -> None:
    stack = Stack("one")
    stack.nvme("disk", size="10 GiB")
    for name in ("linux-6.1-x86_64", "linux-6.12-x86_64"):
        told = Environment(iommu=iommu, swiotlb=False)
        tasks = explain(stack, kernel=load_kernel(name).override(environment=told)).tasks
        through = {frame.function for task in tasks for frame in task.path}
        assert not function or function in through
        assert any("iommu" in one for one in through) is bool(function)


def test_a_set_states_its_machine(tmp_path) -> None:
    text = '{"meta": {"kernel": "6.12", "arch": "x86_64"%s}, "stacks": {}}'
    file = tmp_path / "m.json"
    file.write_text(text % "")
    assert load_measurements(file).environment == BARE
    file.write_text(text % ', "environment": {"iommu": "intel"}')
    told = load_measurements(file).environment
    assert (told.iommu, told.sync) == ("intel", False)
    file.write_text(text % ', "environment": {"iommu": "none", "cached_pages": "many"}')
    with pytest.raises(ConfigError, match="cached_pages"):
        load_measurements(file)
