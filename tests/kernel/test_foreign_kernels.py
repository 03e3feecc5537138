"""Kernels that nobody prepared for: which generation, what was renamed, what is missing."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from pace import one_quick
from places import ROOT

from blockstack.base.calls import Cut
from blockstack.base.calls import Path as Anchors
from blockstack.base.errors import BlockstackError, UnsupportedKind
from blockstack.engine.depth.explain import explain
from blockstack.generations import GENERATIONS, generation_of
from blockstack.kernel import PROFILES, FrameTable, kernel_of, load_kernel
from blockstack.kernel.call_chain import call_chain
from blockstack.kernel.choose import build_of
from blockstack.kernel.cuts import CutTable
from blockstack.kernel.graph import CallGraph
from blockstack.kernel.rows import RowSource
from blockstack.kinds import find_kind
from blockstack.scenario.config import load_config

CONFIGS = ROOT / "configs"


def made(calls, files=None, indirect=None, **more):
    """A small table; every frame 8 bytes, every function in block/a.c unless told."""
    names = set(calls) | {c for d in calls.values() for c in d}
    functions = {n: ((files or {}).get(n, "block/a.c"), 8, "static") for n in names}
    return FrameTable(
        {"pointer_bytes": 8, "arch": "x86_64", "kernel": "test"},
        functions,
        calls,
        {},
        indirect or {},
        **more,
    )


def rows(table, **renames):
    gen = replace(
        GENERATIONS["6.1"],
        submit_link="link",
        dispatch=("link",),
        edges=(),
        cuts=(),
        renames=renames,
    )
    return RowSource(replace(table, renames=renames), gen, PROFILES["linux-6.1-x86_64"].platform)


@pytest.mark.parametrize(
    ("release", "name", "read"),
    [
        ("2.6.18-4-686", "2.6.18", True),
        ("2.6.21", "2.6.18", False),
        ("2.6.22", "2.6.24", False),
        ("2.6.24.7", "2.6.24", True),
        ("5.10.0-30-amd64", "5.10", False),
        ("5.15.3", "5.10", False),
        ("5.16.1", "6.1", False),
        ("6.1.0-47-amd64", "6.1", True),
        ("6.5.11", "6.1", False),
        ("6.8.0-31-generic", "6.12", False),
        ("Linux 6.12.117+deb12-amd64 #1 SMP", "6.12", True),
        ("6.17.2", "6.12", False),
        ("7.0.1", "7.3", False),
        ("7.3.4", "7.3", False),
    ],
)
def test_generation_by_version(release, name, read):
    gen = generation_of(build_of(release, "").version)
    assert gen.name == name
    assert (gen.doubt == "") is read
    assert gen.rule == {"2.6.18": "recursive", "2.6.24": "fifo"}.get(name, "two-list")


@pytest.mark.parametrize("release", ["2.4.37", "2.6.32-5-686", "3.10.0", "4.19.0-27", "5.8.1", "x"])
def test_versions_without_anchors_have_no_generation(release):
    assert generation_of(build_of(release, "").version) is None


def test_a_renamed_function_takes_its_place():
    calls = {"link": {"drv": 10}, "drv": {"new": 20}, "new": {"link": 30}}
    found = rows(made(calls), old=("new",)).layer(Anchors(("drv", "old")), "link", nested=True)
    assert [s.function for s in found.through.steps] == ["link", "drv", "new"]
    assert found.through.exact


def test_a_function_that_is_no_longer_called_there_gives_way():
    """It is in the table, for others; the path goes by its other name, or without it."""
    calls = {"link": {"drv": 10}, "drv": {"new": 20}, "new": {"link": 30}, "old": {"link": 500}}
    path = Anchors(("drv", "old"))
    assert rows(made(calls), old=("new",)).layer(path, "link", nested=True).through.bytes == 60
    assert rows(made(calls), old=()).layer(path, "link", nested=True).through.bytes == 60
    plain = rows(made(calls)).layer(path, "link", nested=True).through
    assert plain.missing == ("drv -> old",)


def test_a_thread_starts_in_c_since_6_6():
    """Assembly counts what it pushed, its C function what it keeps; neither: a lower bound."""
    calls = {"kthread": {"work": 40}, "ret_from_fork_asm": {"ret_from_fork": 20}}
    table = made(calls, indirect={"ret_from_fork": [32]})
    source = replace(rows(table), generation=GENERATIONS["6.12"])
    path = Anchors(("@kthread", "kthread"))
    assert [(s.function, s.bytes) for s in source.spine(path, "work").steps] == [
        ("pt_regs", 168),
        ("ret_from_fork_asm", 12),
        ("ret_from_fork", 32),
        ("kthread", 40),
    ]
    assert rows(table).spine(path, "work").bytes == 208
    lacks = replace(rows(made({"kthread": {"work": 40}})), generation=GENERATIONS["6.12"])
    assert lacks.spine(path, "work").missing == ("ret_from_fork_asm", "ret_from_fork")
    blind = replace(
        rows(made({"kthread": {"work": 40}}, indirect={"ret_from_fork": [32]})),
        generation=GENERATIONS["6.12"],
    ).spine(path, "work")
    assert blind.missing == ("ret_from_fork_asm",) and blind.bytes == 168 + 32 + 40
    roots = {root: GENERATIONS["6.12"].roots["x86_64", root] for root in ("@kthread",)}
    traced = call_chain(table, ["ret_from_fork_asm", "ret_from_fork", "kthread", "work"], roots)
    assert [f.bytes for f in traced.frames] == [180, 32, 40, 8]


def test_a_cut_holds_under_the_new_name():
    cuts = CutTable((Cut("old", "error", "reason enough", "error"),), once={"new": ("old",)})
    assert cuts.is_cut("new", "error")
    assert not cuts.is_cut("other", "error")


def test_a_budget_that_a_path_wants_is_wanted_under_the_new_name():
    cut = Cut("*", "reclaim", "has a budget of its own", "budget")
    cuts = CutTable((cut,), frozenset({("old", "reclaim")}), {"new": ("old",)})
    assert not cuts.is_cut("new", "reclaim")
    assert cuts.is_cut("other", "reclaim")


def test_what_only_its_module_tells_is_followed_with_the_folder():
    files = {
        "a": "drivers/md/dm.c",
        "b": "drivers/md/[dm_mod.ko]",
        "c": "drivers/md/[dm_mod.ko]",
        "d": "drivers/scsi/[scsi_mod.ko]",
        "e": "drivers/scsi/[scsi_mod.ko]",
    }
    table = made({"a": {"b": 8}, "b": {"c": 100, "d": 8}, "d": {"e": 1000}}, files)
    graph = CallGraph(table, ("drivers/md/dm.c",), (), CutTable(()))
    assert graph.longest("a", None).bytes == 8 + 100 + 8


def test_one_of_several_is_found_by_file_or_module():
    table = made(
        {"f": {}, "f@drivers/md/raid10.c": {}, "f@dm_flakey": {}},
        {
            "f": "drivers/md/raid1.c",
            "f@drivers/md/raid10.c": "drivers/md/raid10.c",
            "f@dm_flakey": "drivers/md/[dm_flakey.ko]",
        },
    )
    assert table.find("f@raid10") == "f@drivers/md/raid10.c"
    assert table.find("f@drivers/md/raid1.c") == table.find("f@raid1") == "f"
    assert table.find("f@drivers/md/dm-flakey.c") == "f@dm_flakey"
    assert table.find("f@raid5") is None


@cache
def shipped() -> FrameTable:
    return load_kernel("linux-6.1-x86_64").table


def without(tmp_path: Path, *, functions=(), files=(), kernel="Linux 6.1.0-99-amd64 (test)"):
    """The shipped table without some functions, as a file of another kernel's."""
    table = shipped()
    kept = {
        n: row for n, row in table.functions.items() if n not in functions and row[0] not in files
    }
    order = sorted({row[0] for row in kept.values()})
    place = {file: i for i, file in enumerate(order)}

    def side(part):
        return {
            a: {b: n for b, n in calls.items() if b == "*" or b in kept}
            for a, calls in part.items()
            if a in kept
        }

    path = tmp_path / "foreign.json"
    path.write_text(
        json.dumps(
            {
                "meta": {k: v for k, v in table.meta.items() if k != "generation"}
                | {"kernel": kernel},
                "files": order,
                "functions": {n: [place[r[0]], *r[1:]] for n, r in kept.items()},
                "calls": side(table.calls),
                "tail": side(table.tail),
                "indirect": {a: n for a, n in table.indirect.items() if a in kept},
            }
        )
    )
    return load_kernel(path)


def explained(kernel, name="nvme-lvm-luks.toml"):
    case = load_config(CONFIGS / name)
    return explain(case.stack, kernel=kernel, workload=case.workload)


@pytest.mark.slow
def test_a_whole_foreign_table_gives_the_shipped_figures(tmp_path: Path):
    mine, shipped = explained(without(tmp_path)), explained(load_kernel("linux-6.1-x86_64"))
    assert mine.worst.peak_bytes == shipped.worst.peak_bytes
    assert mine.fits is shipped.fits is True


@pytest.mark.parametrize(
    "name",
    one_quick(
        (
            "nvme_queue_rq",
            "dm_submit_bio_remap",
            "ext4_iomap_begin",
            "dd_insert_requests",
            "blk_mq_dispatch_rq_list",
        )
    ),
)
def test_a_missing_anchor_or_indirect_call_is_named(tmp_path: Path, name):
    """At least, and by name: never a smaller number that looks exact."""
    found = explained(without(tmp_path, functions={name}))
    missing = {m for task in found.tasks for m in task.missing}
    # 5.10 calls submit_bio_noacct where later kernels call dm_submit_bio_remap: that edge is named
    words = {"dm_submit_bio_remap": "kcryptd_io_read -> submit_bio_noacct"}
    assert any(words.get(name, name) in text for text in missing)
    assert found.fits is None
    assert any(not task.exact for task in found.tasks)


@pytest.mark.slow
def test_a_driver_that_the_kernel_lacks_is_an_error(tmp_path: Path):
    kernel = without(tmp_path, files={"drivers/nvme/host/pci.c"})
    with pytest.raises(UnsupportedKind, match=r"has no nvme: .* no function of drivers/nvme"):
        explained(kernel)


@pytest.mark.slow
def test_an_unread_version_is_an_assumption_of_the_verdict(tmp_path: Path):
    found = explained(without(tmp_path, kernel="Linux 6.3.0 (test)"))
    assert found.fits is True
    assert any("read in Linux 6.1, assumed of 6.3" in why for why in found.notes)
    assert any("assumed of 6.3" in row for row in found.worst.assumed)


@pytest.mark.slow
def test_real_time_kernels_say_what_the_model_lacks(tmp_path: Path):
    kernel = without(tmp_path, kernel="Linux 6.1.0-47-rt-amd64 #1 SMP PREEMPT_RT Debian")
    assert "PREEMPT_RT" in kernel.generation.doubt


def test_refused_versions_name_the_covered_ones(tmp_path: Path):
    with pytest.raises(BlockstackError, match=r"2\.6\.22 to before 2\.6\.30, 5\.9 to before"):
        without(tmp_path, kernel="Linux 4.19.0 (test)")


@pytest.mark.slow
def test_a_dropped_kind_is_an_error_that_says_why(tmp_path: Path):
    kernel = without(tmp_path, functions={"linear_make_request"}, kernel="Linux 6.12.1 (test)")
    assert kernel.generation.name == "6.12"
    with pytest.raises(UnsupportedKind, match="only where CONFIG_MD_LINEAR is set"):
        text = (CONFIGS / "md-linear.toml").read_text().replace('"ext3"', '"ext4"')
        (tmp_path / "c.toml").write_text(text)
        explain(load_config(tmp_path / "c.toml").stack, kernel=kernel)


def test_a_generation_has_the_kinds_of_the_one_that_it_stands_on():
    assert GENERATIONS["6.12"].lineage == ("6.12", "6.1")
    linear, raid1 = find_kind("dm-linear"), find_kind("md-raid1")
    assert linear.calls_for("6.12", {}) is linear.calls_for("6.1", {})
    params = {"bitmap": "none"}
    ends = [raid1.calls_for(gen, params).endio.via for gen in ("6.1", "6.12")]
    assert ends[1] == (*ends[0], "bio_endio", ">md_end_clone_io")
    assert find_kind("ext3").calls_for("6.12", {}) is None


def test_kernel_by_release(tmp_path: Path):
    named = []
    for release in ("6.1.0-99-amd64", "6.12.9-amd64"):
        named.append(str(tmp_path / f"{release}.json"))
        Path(named[-1]).write_text(
            json.dumps(
                {
                    "meta": {
                        "format": "blockstack-frames-1",
                        "pointer_bytes": 8,
                        "arch": "x86_64",
                        "kernel": f"Linux {release} #1 (test)",
                    },
                    "files": ["a.c"],
                    "functions": {"f": [0, 8, "static"]},
                    "calls": {},
                    "tail": {},
                    "indirect": {},
                }
            )
        )
    assert kernel_of("6.1.0-56-amd64", "x86_64").name == "linux-6.1-x86_64"
    assert kernel_of("6.1.0-56-amd64", "x86_64", named).name == "6.1.0-99-amd64"
    assert kernel_of("6.12.9-amd64", "x86_64", named).name == "6.12.9-amd64"
    assert kernel_of("6.1.0-56-amd64", "x86_64", named[1:]).name == "linux-6.1-x86_64"
    assert kernel_of("6.9.1", "x86_64", named).name == "6.1.0-99-amd64"
    assert kernel_of("6.1.0-50-686-pae", "i386", named).name == "linux-6.1-i386"
    assert kernel_of("6.12.9-amd64", "x86_64").name == "linux-6.12-x86_64"
    with pytest.raises(BlockstackError, match=r"kernel extract /boot/vmlinuz-6\.9\.7-amd64"):
        kernel_of("6.9.7-amd64", "x86_64")
