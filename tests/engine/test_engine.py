"""Plan, bound and simulation on real stacks: three roads to one number, and closed forms."""

import dataclasses
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pace import one_quick

import blockstack as bs
from blockstack.engine.depth.bound import Bound
from blockstack.engine.plan.arrays import NOPS, OP_NAMES
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.core import run
from blockstack.engine.plan.demand import demand_of, source_of
from blockstack.engine.plan.mappings import CopiesRow, ParityRow
from blockstack.engine.study.nesting import with_layers, without_layers
from blockstack.kernel import load_kernel

OLD = "linux-2.6.18-i386-4k"
NEW = "linux-6.1-x86_64"
DIRECT = bs.Workload(rw="randread", bs="4 KiB", direct=True, bios=200)


@pytest.fixture(scope="module")
def old():
    return load_kernel(OLD)


@pytest.fixture(scope="module")
def new():
    return load_kernel(NEW)


def chain(layers, leaf="scsi", kind="dm-linear", fs="ext3"):
    stack = bs.Stack(f"chain-{layers}")
    below = stack.add("disk", leaf, size="100 GiB")
    for i in range(layers):
        below = stack.add(f"lv{i}", kind, on=below)
    stack.add("fs", fs, on=below)
    return stack


def submitter(result):
    return next(t for t in result.tasks if t.how == "simulated" and t.context == "caller")


def entry_bytes(plan, op):
    return int(plan.arrays.entry[OP_NAMES.index(op)])


@pytest.mark.parametrize("layers", [1, 2, 5, 13])
def test_recursive_peak_is_the_sum_over_the_longest_path(old, layers):
    """Closed form: entry + n * through(dm-linear) + peak(leaf)."""
    stack = chain(layers)
    plan = compile_plan(stack, old, ops=("read",), direct=True)
    leaf = int(plan.arrays.peak[(len(plan.positions) - 1) * NOPS])
    expected = entry_bytes(plan, "read") + layers * 176 + leaf
    result = bs.simulate(stack, DIRECT, kernel=old, submission="recursive")
    assert submitter(result).peak_bytes == expected
    assert result.peak_nesting == layers + 1


@pytest.mark.parametrize("rule", ["fifo", "two-list", "lifo"])
def test_serialised_peak_is_entry_plus_the_largest_layer(old, rule):
    """Closed form: flat in the number of layers."""
    peaks = {
        submitter(bs.simulate(chain(n), DIRECT, kernel=old, submission=rule)).peak_bytes
        for n in (1, 4, 16)
    }
    plan = compile_plan(chain(4), old, ops=("read",), direct=True)
    largest = max(int(p) for p in plan.arrays.peak[::NOPS])
    assert peaks == {entry_bytes(plan, "read") + largest}


def test_completion_grows_by_the_measured_bytes_per_layer():
    """The measured kernels: +64 bytes (x86_64) and +88 (i386) per dm level, inline completion."""
    workload = bs.Workload(rw="randread", direct=True, bios=10)
    for name, step in ((NEW, 64), ("linux-6.1-i386", 88)):
        kernel = load_kernel(name)
        deep = [
            submitter(bs.simulate(chain(n, leaf="brd", fs="raw"), workload, kernel=kernel))
            for n in (60, 61, 62)
        ]
        assert [b.peak_bytes - a.peak_bytes for a, b in pairwise(deep)] == [step, step]


def test_deepest_path_sums_to_the_peak_under_every_rule(old):
    case = bs.load("configs/dm-md-iscsi.toml")
    for rule in bs.RULES:
        result = bs.simulate(case.stack, case.workload, kernel=old, submission=rule, bios=3000)
        for task in result.tasks:
            assert sum(f.bytes for f in task.path) == task.peak_bytes, task.task


def test_main_story_recursion_overflows_4k_and_serialised_does_not():
    case = bs.load("configs/dm-md-iscsi.toml")
    results = {
        rule: bs.simulate(case.stack, case.workload, kernel=case.kernel, submission=rule, bios=2000)
        for rule in bs.RULES
    }
    assert results["recursive"].fits is False
    assert results["recursive"].headroom_bytes < 0
    assert results["recursive"].overflows > 0
    for rule in ("fifo", "two-list", "lifo"):
        assert results[rule].fits is True, rule
        assert results[rule].overflows == 0
    assert len({r.peak_bytes for rule, r in results.items() if rule != "recursive"}) == 1


# --- engine <= bound, equal when reached --------------------------------------------------------

STACKED = [
    "dm-linear",
    "dm-crypt",
    "md-raid0",
    "md-raid1",
    "md-raid5",
    "md-linear",
    "dm-striped",
    "md-raid10",
    "dm-mirror",
]
NEWER = [
    "dm-linear",
    "bcache",
    "dm-writecache",
    "dm-cache",
    "dm-raid5",
    "dm-raid10",
    "drbd",
    "dm-multipath",
    "dm-switch",
    "dm-raid1",
]
MEMBERS = {
    "md-raid5": 3,
    "md-raid10": 2,
    "md-raid1": 2,
    "md-raid0": 2,
    "md-linear": 2,
    "dm-striped": 2,
    "dm-mirror": 2,
    "bcache": 2,
    "dm-writecache": 2,
    "dm-cache": 3,
    "dm-raid5": 3,
    "dm-raid10": 2,
    "dm-raid1": 2,
}
CHUNKED = ("md-raid0", "md-raid5", "dm-striped", "md-raid10", "dm-raid5", "dm-raid10")
MODES = {
    "bcache": ("mode", ["writeback", "writethrough", "writearound", "none"]),
    "dm-cache": ("mode", ["writeback", "writethrough"]),
    "dm-multipath": ("queue_mode", ["bio"]),
    "md-raid10": ("layout", ["n2", "f2", "o2"]),
    "dm-raid10": ("layout", ["n2", "f2", "o2"]),
    "dm-raid5": ("bitmap", ["none", "internal"]),
}


@st.composite
def stacks(draw, kinds=tuple(STACKED)):
    """Random unbalanced stacks over scsi disks."""
    stack = bs.Stack("random")
    limits = st.sampled_from(
        [
            None,
            {"max_sectors": 64},
            {"max_sectors": 40, "chunk_sectors": 48, "physical_block_size": 4096},
        ]
    )
    tops = [
        stack.scsi(f"sd{i}", size="10 GiB", limits=draw(limits))
        for i in range(draw(st.integers(2, 7)))
    ]
    for i in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(kinds))
        need = MEMBERS.get(kind, 1)
        if len(tops) < need:
            continue
        members = [tops.pop(draw(st.integers(0, len(tops) - 1))) for _ in range(need)]
        keys = {"chunk": "64 KiB"} if kind in CHUNKED else {}
        if kind in MODES:
            keys[MODES[kind][0]] = draw(st.sampled_from(MODES[kind][1]))
        tops.append(stack.add(f"d{i}", kind, on=members, **keys))
    stack.add("fs", "raw", on=tops[-1])
    return stack


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    stack=stacks(),
    rule=st.sampled_from(bs.RULES),
    rw=st.sampled_from(["randread", "randwrite", "randrw"]),
    kernel=st.sampled_from([OLD, NEW]),
)
def test_engine_never_passes_the_bound(stack, rule, rw, kernel):
    check_against_the_bound(stack, rule, rw, kernel)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    stack=stacks(tuple(NEWER)),
    rule=st.sampled_from(bs.RULES),
    rw=st.sampled_from(["randread", "randwrite", "randrw"]),
)
def test_engine_never_passes_the_bound_of_newer_kinds(stack, rule, rw):
    check_against_the_bound(stack, rule, rw, NEW)


def check_against_the_bound(stack, rule, rw, kernel):
    """Simulate, and compare every task's peak with its bound."""
    workload = bs.Workload(rw=rw, bs="4 KiB-256 KiB", direct=True)
    the_kernel = _kernel(kernel).override(submission=rule)
    demand = demand_of(workload)
    plan = compile_plan(stack, the_kernel, ops=demand.ops, direct=True)
    counters = run(plan.arrays, source_of(workload, plan.capacity_sectors, 1), count=400)
    bound = Bound(plan, demand.max_sectors, demand.align_sectors).tasks()
    for task, peak in enumerate(counters.peak_bytes):
        if peak > 0:
            assert peak <= bound[task].bytes, plan.tasks[task].name
    root = int(plan.arrays.task[plan.arrays.roots[0]])
    # counts tell of a visit, not how often one bio came by: a device that is entered anew for
    # each piece (md under the recursive rule) is reached only by a bio of that many pieces
    visits = {(v.position, v.op) for v in bound[root].visits}
    once = len(visits) == len(bound[root].visits)
    reached = once and all(counters.visits[p * NOPS + op] for p, op in visits)
    if reached and not _splits(plan):
        assert counters.peak_bytes[root] == bound[root].bytes


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    stack=stacks(),
    rule=st.sampled_from(bs.RULES),
    rw=st.sampled_from(["randread", "randwrite", "randrw"]),
    kernel=st.sampled_from([OLD, NEW]),
)
def test_explain_is_never_below_a_run(stack, rule, rw, kernel):
    """The public answers: every task of a run, beside the same task explained; no workload: any."""
    workload = bs.Workload(rw=rw, bs="4 KiB-256 KiB", direct=True)
    ran = bs.simulate(stack, workload, kernel=_kernel(kernel), submission=rule, bios=300)
    for told in (workload, None):
        found = bs.explain(stack, kernel=_kernel(kernel), submission=rule, workload=told)
        bound = {(t.task, t.context): t for t in found.tasks}
        for task in ran.tasks:
            assert task.peak_bytes <= bound[task.task, task.context].peak_bytes, task.task
            assert (
                sum(f.bytes for f in bound[task.task, task.context].path)
                == bound[task.task, task.context].peak_bytes
            )


@pytest.mark.parametrize("level", ["raid0", "raid10"])
@pytest.mark.parametrize("bs_text", ["4k-128k", "4k-256k", "512-1m"])
def test_self_calls_of_md_are_in_the_explained_path(level, bs_text, old):
    """md of 2.6 calls itself for the halves of a cut bio: more levels the longer the bio."""
    stack = bs.Stack("self")
    disks = [stack.scsi(f"sd{c}", size="1 GiB") for c in "abcd"]
    stack.filesystem(
        "fs", kind="ext3", on=stack.md("md0", level=level, members=disks, chunk="64 KiB")
    )
    workload = bs.Workload(rw="randwrite", bs=bs_text)
    ran = bs.simulate(stack, workload, kernel=old, bios=5000)
    found = bs.explain(stack, kernel=old, workload=workload)
    assert submitter(ran).peak_bytes == next(
        t.peak_bytes for t in found.tasks if t.task == submitter(ran).task
    )


def test_a_run_that_missed_the_deepest_path_is_no_proof(old):
    """Bios that never complete a stripe in the caller: the bound passes the limit all the same."""
    stack = bs.Stack("parity")
    disks = [stack.scsi(f"sd{c}", size="1 GiB") for c in "abc"]
    top = stack.md("md0", level="raid5", members=disks, chunk="64 KiB")
    for i in range(9):
        top = stack.dm(f"lv{i}", target="linear", on=top)
    stack.filesystem("fs", kind="ext3", on=top)
    ran = submitter(bs.simulate(stack, bs.Workload(rw="write", bs="4k"), kernel=old, bios=2000))
    assert ran.how == "simulated" and ran.peak_bytes <= ran.limit_bytes
    assert ran.fits is None and "the bound is" in ran.why


def test_an_overflow_says_what_it_rests_on(old):
    stack = bs.Stack("ndis")
    nic = stack.nic("wlan0", driver="ndiswrapper", driver_stack="8 KiB")
    stack.filesystem("fs", kind="ext3", on=stack.nbd("nbd0", size="1 GiB", nic=nic))
    worst = bs.explain(stack, kernel=old).worst
    assert worst.fits is False and "rests on assumed" in worst.why


_KERNELS = {}


def _kernel(name):
    return _KERNELS.setdefault(name, load_kernel(name))


def _splits(plan):
    return any(
        p.shape.segments or isinstance(p.shape.row, ParityRow | CopiesRow) for p in plan.positions
    )


def test_bound_names_the_heaviest_not_the_deepest_nested(old):
    """An asymmetric graph: a short heavy branch beside a long light one."""
    stack = bs.Stack("asymmetric")
    mirror = stack.md(
        "md0", level="raid1", members=[stack.scsi(f"m{i}", size="1 GiB") for i in range(2)]
    )  # a write's recursion ends here
    light = stack.dm("light1", target="linear", on=mirror)
    heavy = stack.nbd("nbd0", size="1 GiB", nic=stack.nic("eth0"))  # sends in the caller
    stack.add("top", "dm-linear", table=[[0, 1024, light, 0], [1024, 1024, heavy, 0]])
    stack.add("fs", "raw", on="top")
    result = bs.simulate(
        stack,
        dataclasses.replace(DIRECT, rw="randwrite", bios=500),
        kernel=old,
        submission="recursive",
    )
    path = [f.layer for f in submitter(result).path]
    assert "nbd0" in path and "light1" not in path
    assert result.peak_nesting == 3  # reached on the light branch


def test_same_seed_same_digest_and_threads_do_not_matter(old):
    case = bs.load("configs/dm-md-iscsi.toml")
    first, again, threaded = (
        bs.simulate(case.stack, case.workload, kernel=old, bios=30_000, seed=7, threads=n)
        for n in (1, 1, 3)
    )
    other = bs.simulate(case.stack, case.workload, kernel=old, bios=30_000, seed=8)
    assert first.digest() == again.digest() == threaded.digest() != other.digest()


def test_result_round_trips_through_json(old):
    result = bs.simulate(chain(2), DIRECT, kernel=old)
    again = bs.Result.from_dict(json.loads(json.dumps(result.to_dict())))
    assert again == result and again.digest() == result.digest()
    with pytest.raises(bs.BlockstackError, match="result: object missing required field"):
        bs.Result.from_dict({})


def test_kinds_that_a_kernel_lacks_are_errors(old):
    stack = bs.Stack("modern")
    stack.add("fs", "raw", on=stack.nvme("nvme0", size="1 GiB"))
    with pytest.raises(bs.BlockstackError, match=r"devices\.nvme0\.kind.*has no nvme"):
        bs.simulate(stack, DIRECT, kernel=old)


@pytest.mark.slow
def test_unknown_frames_are_never_a_false_fits(old):
    case = bs.load("configs/reiser4-4k.toml")
    found = bs.explain(case.stack, kernel=old, workload=case.workload)
    through_fs = [t for t in found.tasks if "fs" in t.task and t.context == "caller"]
    assert through_fs and not any(t.fits for t in through_fs)
    assert all(not t.exact and t.missing for t in through_fs if t.fits is None)


def test_raid1_writes_go_on_on_raid1d_and_raid5_runs_in_the_caller(old):
    for level, expect, keys in (("raid1", True, {}), ("raid5", False, {"chunk": "64 KiB"})):
        stack = bs.Stack(level)
        disks = [stack.scsi(f"sd{i}", size="1 GiB") for i in range(3)]
        stack.filesystem("fs", kind="raw", on=stack.md("md0", level=level, members=disks, **keys))
        found = bs.explain(
            stack, kernel=old, workload=bs.Workload(rw="randwrite", bs="512 KiB", direct=True)
        )
        task = next(t for t in found.tasks if t.task.startswith("write"))
        on_caller = any(f.layer.startswith("sd") for f in task.path)
        assert on_caller is not expect
        assert any(t.task.startswith(f"{level}d") for t in found.tasks)


def test_memory_is_constant_in_the_number_of_bios(old):
    """The arrays that a run returns do not grow; peak RSS is watched by the benchmark."""
    plan = compile_plan(chain(3), old, ops=("read",), direct=True)
    source = source_of(DIRECT, plan.capacity_sectors, 0)
    few, many = (run(plan.arrays, source, count=n) for n in (10, 200_000))
    assert few.visits.shape == many.visits.shape
    assert int(many.visits.sum()) == 200_000 * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("disks", "profile", "copies"),
    [
        (1, "single", 1),
        (3, "single", 1),
        (3, "raid0", 1),
        (2, "raid1", 2),
        (3, "raid1", 2),
        (3, "raid1c3", 3),
        (4, "raid10", 2),
        (1, "dup", 2),
    ],
)
def test_btrfs_spreads_its_bios(new, disks, profile, copies):
    """Its own mapping costs no frames: depths are those of one disk; each copy is written."""

    def stack(n, word):
        s = bs.Stack(word)
        for i in range(n):
            s.nvme(f"n{i}", size="20 GiB")
        s.filesystem("fs", kind="btrfs", on=[f"n{i}" for i in range(n)], profile=word)
        return s

    load = bs.Workload(rw="randwrite", bs="4 KiB-256 KiB", bios=2000)
    result = bs.simulate(stack(disks, profile), load, kernel=new)
    alone = bs.simulate(stack(1, "single"), load, kernel=new)
    written = sum(leaf["sectors"] for leaf in result.leaves.values())
    assert written == pytest.approx(
        copies * sum(leaf["sectors"] for leaf in alone.leaves.values()), rel=0.1
    )
    assert all(leaf["sectors"] for leaf in result.leaves.values())
    assert result.peak_bytes == alone.peak_bytes


def test_leaves_get_every_sector():
    case = bs.load("configs/raid0-unequal.toml")
    workload = bs.Workload(rw="randread", bs="4 KiB-256 KiB", direct=True, seed=3)
    result = bs.simulate(case.stack, workload, kernel=case.kernel, bios=5000)
    assert sum(leaf["sectors"] for leaf in result.leaves.values()) > 5000 * 8
    assert set(result.leaves) == set(case.stack.leaves())
    assert result.hops >= result.bios


def test_columns_workload_and_its_errors(old):
    columns = bs.Workload.from_columns(
        np.array([0, 1]), np.array([0, 64]), np.array([8, 128]), direct=True
    )
    result = bs.simulate(chain(1), columns, kernel=old)
    assert result.bios == 2 and result.hops == 4
    beyond = bs.Workload.from_columns([0], [2**40], [8], direct=True)
    with pytest.raises(bs.BlockstackError, match="beyond"):
        bs.simulate(chain(1), beyond, kernel=old)


# --- shared stacks: interrupts ------------------------------------------------------------------


@pytest.mark.slow
def test_interrupts_strike_shared_stacks_only():
    case = bs.load("configs/xfs-raid5-8k.toml")
    eight = bs.simulate(case.stack, case.workload, kernel="linux-2.6.18-i386-8k", bios=20_000)
    four = bs.simulate(case.stack, case.workload, kernel=OLD, bios=2000)
    assert four.interrupts is None
    assert eight.interrupts.strikes > 0
    assert eight.interrupts.peak_bytes > submitter(eight).peak_bytes / 2
    again = bs.simulate(case.stack, case.workload, kernel="linux-2.6.18-i386-8k", bios=20_000)
    assert again.interrupts == eight.interrupts
    none = bs.simulate(
        case.stack, case.workload, kernel="linux-2.6.18-i386-8k", bios=2000, irq_per_hop=0.0
    )
    assert none.interrupts is None
    with pytest.raises(bs.BlockstackError, match="probability"):
        bs.simulate(case.stack, case.workload, kernel="linux-2.6.18-i386-8k", irq_per_hop=1.5)


# --- how deep is safe ---------------------------------------------------------------------------


def test_max_layers_is_the_last_that_fits(old):
    stack = chain(1)
    rows = {
        (r.direction): r
        for r in bs.max_layers(
            stack, "dm-linear", kernel=old, submission="recursive", workload=DIRECT
        )
    }
    row = rows["submission"]
    assert row.bytes_per_layer == 184  # the build with the flags of 2005 decides; 176 otherwise
    assert row.layers > 0
    assert row.may_fit > row.layers  # page reclaim may need stack on top

    def verdicts(n):
        piled = with_layers(without_layers(stack, "dm-linear"), "dm-linear", n)
        found = bs.explain(piled, kernel=old, submission="recursive", workload=DIRECT)
        return [
            (t.fits, t.headroom_bytes >= t.interrupts_bytes)
            for t in found.tasks
            if not t.task.startswith("completion")
        ]

    assert all(fits for fits, _ in verdicts(row.layers))
    assert not all(fits for fits, _ in verdicts(row.layers + 1))
    assert all(room for _, room in verdicts(row.may_fit))
    assert not all(room for _, room in verdicts(row.may_fit + 1))


def test_max_layers_counts_the_layers_that_the_stack_has(old):
    rows = [
        bs.max_layers(chain(n), "dm-linear", kernel=old, submission="recursive", workload=DIRECT)[0]
        for n in (0, 1, 5, 40)
    ]
    assert [row.present_layers for row in rows] == [0, 1, 5, 40]
    assert len({row.layers for row in rows}) == 1 and rows[0].layers > 0


def test_max_layers_knows_a_task_by_what_it_is_not_by_its_letters(new):
    """Devices named as parts of entry points: the same answer as under names like no other."""

    def rows(disk):
        stack = bs.Stack("s")
        stack.add("fs", "xfs", on=stack.nvme(disk, size="1 GiB"))
        return bs.max_layers(stack, "dm-linear", kernel=new)

    plain = rows("nvme0")
    for disk in ("read", "e", "writeback", "completion"):
        assert [
            dataclasses.replace(r, task=p.task) for r, p in zip(rows(disk), plain, strict=True)
        ] == [*plain]
        assert rows(disk)[1].task == plain[1].task.replace("nvme0", disk)


def test_layers_are_taken_out_with_their_offsets():
    stack = bs.Stack("s")
    disk = stack.scsi("sda", size="1 GiB")
    stack.add("low", "dm-linear", on=disk, offset="1 MiB", size="512 MiB")
    stack.add("mid", "dm-linear", table=[[0, 2048, "low", 8], [2048, 2048, "low", 4096]])
    stack.add("secret", "dm-crypt", on="mid")
    bare = without_layers(stack, "dm-crypt")
    assert list(bare.devices) == ["sda", "low", "mid"]
    bare = without_layers(stack, "dm-linear")
    assert list(bare.devices) == ["sda", "secret"] and bare.devices["secret"].on == ("sda",)
    stack = bs.Stack("s")
    disk = stack.scsi("sda", size="1 GiB")
    stack.add("low", "dm-linear", on=disk, offset="1 MiB", size="512 MiB")
    stack.add("stripe", "dm-striped", on=["low"], chunk="64 KiB")
    stack.add("home", "raw", on="stripe")
    assert without_layers(stack, "dm-linear").devices["stripe"].on == ("sda",)


def test_layers_that_share_a_device_stay():
    stack = bs.Stack("s")
    disk = stack.scsi("sda", size="1 GiB")
    for name in ("a", "b"):
        lv = stack.add(name, "dm-linear", on=disk, size="64 MiB")
        stack.add(f"fs-{name}", "xfs", on=lv)
    assert without_layers(stack, "dm-linear") == stack


def test_max_layers_knows_flat_rules_and_completion(new):
    stack = bs.Stack("s")
    stack.add("fs", "raw", on=stack.dm("lv", target="linear", on=stack.nvme("nvme0", size="1 GiB")))
    rows = {r.direction: r for r in bs.max_layers(stack, "dm-linear", kernel=new, workload=DIRECT)}
    assert rows["submission"].layers is None
    assert rows["completion"].bytes_per_layer == 64
    assert rows["completion"].layers > 10
    with pytest.raises(bs.BlockstackError, match="must stand on one device"):
        bs.max_layers(stack, "md-raid5", kernel=new)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["recursive", "fifo"])
def test_an_exported_file_system_stands_on_so_many_layers(rule: str) -> None:
    """So many dm layers under the export fit, by a bound of their own, and one more does not."""
    case = bs.load("configs/raid-dm-nfs.toml")
    kernel = "linux-2.6.18-i386-4k"
    limits = {
        row.direction: row
        for row in bs.max_layers(
            case.stack, "dm-linear", kernel=kernel, submission=rule, workload=case.workload
        )
    }
    bare = without_layers(case.stack, "dm-linear")

    def fits(n: int) -> bool | None:
        return bs.explain(
            with_layers(bare, "dm-linear", n),
            kernel=kernel,
            submission=rule,
            workload=case.workload,
        ).worst.fits

    most = min(row.layers for row in limits.values() if row.layers is not None)
    assert with_layers(bare, "dm-linear", 1).devices["fs"].on == ("md0+dm-linear-1",)
    assert fits(most) is True and fits(most + 1) is not True
    assert (rule == "recursive") == (limits["submission"].layers < limits["completion"].layers)


# --- every config runs --------------------------------------------------------------------------

CONFIGS = sorted(Path("configs").glob("*.toml"))


@pytest.mark.parametrize("path", one_quick(CONFIGS), ids=lambda p: p.stem)
def test_every_config_runs(path):
    case = bs.load(path)
    kernel = load_kernel(case.kernel)
    results = [
        bs.simulate(case.stack, case.workload, kernel=kernel, submission=rule, bios=300)
        for rule in (kernel.rule, "fifo")
    ]
    found = bs.explain(case.stack, kernel=kernel, workload=case.workload)
    for result in results:
        assert result.fits in (True, False, None)
        assert result.bios == 300
        assert sum(f.bytes for f in result.deepest_path) == result.peak_bytes
    static = {t.task: t.peak_bytes for t in found.tasks}
    assert results[0].peak_bytes <= max(static.values())
    assert all(t.peak_bytes > 0 for t in found.tasks)
    assert case.description


def test_a_task_tells_its_device_direction_and_reasons_as_fields():
    """Nothing needs to read them out of the task's name or the text of its verdict."""
    case = bs.load("configs/dm-md-iscsi.toml")
    tasks = bs.explain(case.stack, kernel=case.kernel).tasks
    named = {t.device for t in tasks}
    assert named == {"fs", "md0", "sda"}
    assert {t.task.split()[0] for t in tasks if t.direction == "completion"} == {"completion"}
    assert {t.direction for t in tasks} == {"submission", "completion"}
    assert any(t.reasons for t in tasks)
    assert all("; ".join(t.reasons) == t.why for t in tasks)


def test_what_enters_beside_the_workload_reaches_the_workers(new):
    """A write of a part of a block reads it first: dm-crypt's worker decrypts under writes, too."""
    stack = bs.Stack("crypt")
    disk = stack.add("disk", "nvme", size="100 GiB")
    stack.add("fs", "ext4", on=stack.add("secret", "dm-crypt", on=disk))
    write, read = (compile_plan(stack, new, ops=(op,)) for op in ("write", "read"))
    root = int(write.arrays.roots[0])
    own, both = Bound(write, 256).tasks(), Bound(write, 256, beside=((root, 0),)).tasks()
    assert {write.tasks[n].name for n in both} >= {
        read.tasks[n].name for n in Bound(read, 256).tasks()
    }
    assert all(both[n].bytes >= task.bytes for n, task in own.items())
    # whatever was asked before, the answer is the same
    asked = Bound(write, 256)
    asked.below(root, 0, 8)
    assert asked.tasks() == own
