"""What assumptions are worth, and verdicts over the machines that they leave open."""

import re
from dataclasses import replace

import pytest

import blockstack as bs
from blockstack.base.environment import BARE, UNTOLD
from blockstack.kernel import load_kernel

KERNEL = "linux-6.12-x86_64"


def plain():
    stack = bs.Stack("plain")
    stack.add("fs", "xfs", on=stack.add("disk", "nvme", size="10 GiB"))
    return stack


def test_each_assumption_s_worth_is_the_difference_that_it_makes():
    found = bs.explain(plain(), kernel=KERNEL)
    told = dict(re.findall(r"with (\w+) = (?:\w+): ([\d,]+) bytes less", "\n".join(found.notes)))
    assert told  # a server's disk behind an IOMMU, at least
    for key, environment in UNTOLD.shallower():
        kernel = load_kernel(KERNEL).override(environment=environment)
        less = max(
            task.peak_bytes
            for task in bs.explain(plain(), kernel=kernel).tasks
            if task.context in ("caller", "worker")
        )
        expected = found.worst.peak_bytes - less
        assert int(told.get(key, "0").replace(",", "")) == expected, key


def sized(kernel, thread_size_bytes):
    """A kernel with thread stacks of any size, also one that no kernel has."""
    return kernel._on(replace(kernel.platform, thread_size_bytes=thread_size_bytes))


@pytest.fixture(scope="module")
def between():
    """A kernel whose stacks the deepest task passes as untold, and none of the tasks as told."""
    kernel = load_kernel(KERNEL)
    deep = bs.explain(plain(), kernel=kernel).worst
    least = bs.explain(plain(), kernel=kernel.override(environment=BARE)).worst
    limit = (deep.peak_bytes + least.peak_bytes) // 2
    return sized(kernel, kernel.platform.thread_size_bytes + limit - deep.limit_bytes)


def test_an_overflow_on_some_machines_only_is_no_verdict(between):
    found = bs.explain(plain(), kernel=between)
    over = [task for task in found.tasks if task.peak_bytes > task.limit_bytes]
    assert over and found.fits is None
    for task in over:
        assert task.fits is None and "overflows as untold; with iommu = none" in task.why


def test_an_overflow_on_all_machines_is_one(between):
    deep = bs.explain(plain(), kernel=between).worst.peak_bytes
    small = sized(between, between.platform.thread_size_bytes - deep // 2)
    assert bs.explain(plain(), kernel=small).fits is False


def test_what_is_told_divides_nothing(between):
    found = bs.explain(plain(), kernel=between.override(environment=BARE))
    assert not any("as untold" in task.why for task in found.tasks)
    assert found.fits is not False
