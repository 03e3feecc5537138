"""Host drivers of a package: calls through pointers resolved, a row each, a row for the untold."""

import shutil
import subprocess
from dataclasses import replace

import pytest

from blockstack.engine.depth.drivers import least_kernel, over_drivers, untold_drivers
from blockstack.engine.depth.explain import explain, static_tasks
from blockstack.engine.depth.static import each_deepest
from blockstack.kernel import PROFILES, load_kernel
from blockstack.kernel.extract.pointers import pointers_of
from blockstack.kinds.host_drivers import GROUPS, UNTOLD, drivers_of, row_of
from blockstack.results.result import worst
from blockstack.stack import Stack

READ = [name for name in PROFILES if "untold_drivers" in load_kernel(name).table.meta]

SOURCE = """
struct ops { long id; int (*prepare)(int); int (*issue)(int); };
struct host { long pad[20]; int (*done)(int); };
static __attribute__((noinline)) int one(int x) { return x + 1; }
static __attribute__((noinline)) int two(int x) { return x + 2; }
static __attribute__((noinline)) int three(int x) { return x + 3; }
const struct ops table[2] = {{1, one, two}, {2, three, two}};
void attach(struct host *host) { host->done = three; }
int queue(const struct ops *ops, int x) { return ops->prepare(x) + 1; }
int finish(struct host *host, int x) { return host->done(x) + 1; }
int given(int (*fn)(int), int x) { return fn(x) + 1; }
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_a_pointer_leads_to_what_its_field_holds(tmp_path):
    (tmp_path / "m.c").write_text(SOURCE)
    made = ["gcc", "-O2", "-mcmodel=kernel", "-fno-pic", "-c", "m.c", "-o", "m.o"]
    subprocess.run(made, cwd=tmp_path, check=True)
    found = pointers_of(tmp_path / "m.o")
    assert found.sites["queue"] == {8}
    assert found.held[8] >= {"one", "three"}  # an array: its second element, too
    assert found.sites["finish"] == {160}
    assert found.held[160] == {"three"}
    assert found.sites["given"] == {None}


@pytest.mark.parametrize("name", READ)
def test_the_untold_is_as_deep_as_any_that_it_may_be(name):
    table = load_kernel(name).table
    for word in UNTOLD:
        worst = table.meta["untold_drivers"][word]
        assert worst[0] in drivers_of(word), worst
        own = row_of(word)
        for row in map(row_of, drivers_of(word)):
            if row in table.functions:
                assert table.functions[row][1] <= table.functions[own][1]
                for end, depth in table.calls.get(row, {}).items():
                    assert depth <= table.calls[own][end]


@pytest.mark.parametrize("name", READ)
def test_an_untold_driver_fits_if_all_do(name):
    def depth(driver):
        stack = Stack("one")
        stack.scsi("sda", size="10 GiB", driver=driver)
        stack.add("fs", "xfs", "sda")
        found = explain(stack, kernel=name)
        assert found.fits is True
        return stack, found.worst.peak_bytes

    stack, most = depth("generic")
    for driver in ("ahci", "mpt3sas", "qla2xxx", "uas", "virtio-scsi", "hpsa"):
        assert depth(driver)[1] <= most
    (told,) = untold_drivers(stack, load_kernel(name))
    assert "worst: " in told


def test_no_driver_is_in_two_groups():
    names = [name for group in GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    assert len(READ) >= 2


def test_an_untold_driver_overflows_only_if_all_do():
    kernel = load_kernel(READ[-1])
    stack = Stack("one")
    stack.scsi("sda", size="10 GiB", driver="generic")
    stack.add("fs", "swap", "sda")
    bounds = static_tasks(stack, kernel, None)
    deepest = worst(each_deepest(task for static in bounds for task in static.all()))
    least = worst(
        each_deepest(t for one in bounds for t in one.on(least_kernel(kernel)).all())
    ).peak_bytes
    assert least < deepest.peak_bytes

    def verdict(limit):
        (found,) = over_drivers((replace(deepest, limit_bytes=limit, fits=False),), bounds)
        return found.fits

    assert verdict(deepest.peak_bytes - 8) is None
    assert verdict(least // 2) is False
