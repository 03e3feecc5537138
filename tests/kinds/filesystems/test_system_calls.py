"""Entry points beside read and write: every shipped file system of 6.1 and later has them."""

from dataclasses import replace

import pytest

import blockstack as bs
from blockstack.base.environment import BARE, UNTOLD
from blockstack.kernel import load_kernel
from blockstack.kinds import KINDS
from blockstack.kinds.filesystems.system_calls import BESIDE

KERNELS = ("linux-6.1-x86_64", "linux-6.12-x86_64")
SYSTEMS = ("ext4", "xfs", "btrfs", "f2fs", "vfat", "raw")


def ways(name, kernel):
    kind = KINDS[name]
    params = {param.name: param.default for param in kind.params}
    found = kind.entries_for(kernel.generation.name, params)
    return {entry: found[entry] for entry in kind.beside if entry in found}


@pytest.mark.parametrize("kernel_name", KERNELS)
@pytest.mark.parametrize("name", SYSTEMS)
def test_the_shipped_tables_have_all_of_them(name, kernel_name):
    kernel = load_kernel(kernel_name)
    link = kernel.generation.submit_link
    lacking = {
        entry: path.missing
        for entry, way in ways(name, kernel).items()
        if (path := kernel.rows.spine(way, link)).missing
    }
    assert not lacking


def test_what_a_file_system_lacks_is_told_apart_from_what_was_forgotten():
    kernel = load_kernel("linux-6.12-x86_64")
    assert ways("xfs", kernel).keys() >= BESIDE.keys()
    assert BESIDE.keys() - ways("ext4", kernel).keys() == {"reflink"}
    assert not {"mkdir", "stat", "mount"} & ways("raw", kernel).keys()


@pytest.mark.parametrize(
    ("entry", "key"), [("mkdir", "create_xattrs"), ("read-direct-mapped", "mapped_buffers")]
)
def test_an_assumption_that_does_not_hold_is_the_shallower_way(entry, key):
    kernel = load_kernel("linux-6.12-x86_64")
    way = ways("ext4", kernel)[entry]
    rows = [
        kernel.override(environment=replace(UNTOLD, **{key: one})).rows for one in (True, False)
    ]
    known = [one.spine(way, "submit_bio_noacct").bytes for one in rows if not one.leaves_out(way)]
    assert sorted(set(known), reverse=True) == known
    assert len(known) == 1 or known[1] < known[0]


def test_a_call_that_shares_extents_has_them_shared():
    bare = load_kernel("linux-6.12-x86_64").override(environment=BARE)
    path = bare.rows.spine(ways("xfs", bare)["reflink"], "submit_bio_noacct")
    assert path.exact and "xfs_file_remap_range" in [step.function for step in path.steps]


def test_a_table_that_lacks_their_functions_is_named():
    stack = bs.Stack("plain")
    stack.add("fs", "ext4", on=stack.add("disk", "nvme", size="10 GiB"))
    modern, older = (
        bs.explain(stack, kernel=name) for name in ("linux-6.12-x86_64", "linux-6.1-i386")
    )
    assert any(task.task == "mkdir fs" for task in modern.tasks)
    assert not any("not bounded" in note for note in modern.notes)
    assert not any(task.task == "mkdir fs" for task in older.tasks)
    assert any(note.startswith("ext4: not bounded") and "mkdir" in note for note in older.notes)
