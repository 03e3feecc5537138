"""md on the shipped kernels: published figures, complete paths, what each kernel takes."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from shipped import KERNELS, OF_2_6, SINCE_6

from blockstack.base.calls import Path
from blockstack.base.errors import BlockstackError
from blockstack.engine.plan.layers import Layers
from blockstack.kernel import CallPath, Kernel, LayerRow, load_kernel
from blockstack.kernel.absent import why_absent
from blockstack.kernel.table import ASSUMED
from blockstack.kinds import find_kind
from blockstack.kinds.model import Calls, Kind
from blockstack.kinds.records import Parity
from blockstack.stack import Stack

NAMES = ("md-linear", "md-raid0", "md-raid1", "md-raid10", "md-raid4", "md-raid5", "md-raid6")
MIRRORS = ("md-raid1", "md-raid10")
PARITY = ("md-raid4", "md-raid5", "md-raid6")


@cache
def kernel(name: str) -> Kernel:
    return load_kernel(name)


def new(kernel_name: str) -> bool:
    return kernel_name in SINCE_6


def calls(kind: str, kernel_name: str, bitmap: str = "none") -> Calls:
    found = find_kind(kind).calls_for(kernel(kernel_name).generation.name, {"bitmap": bitmap})
    assert found is not None
    return found


def absent(kind: str, kernel_name: str) -> str:
    return why_absent(kernel(kernel_name), calls(kind, kernel_name))


def submit(kind: str, kernel_name: str, op: str = "read", bitmap: str = "none") -> LayerRow:
    c, k = calls(kind, kernel_name, bitmap), kernel(kernel_name)
    path = c.submit_ops.get(op, c.submit)
    assert path is not None
    return k.rows.layer(path, k.generation.submit_link, nested=True)


def worker(kind: str, kernel_name: str, op: str, bitmap: str = "none") -> CallPath:
    k = kernel(kernel_name)
    return k.rows.spine(calls(kind, kernel_name, bitmap).worker[op].path, k.generation.submit_link)


def functions(path: CallPath) -> list[str]:
    return [step.function.partition("@")[0].partition(".")[0] for step in path.steps]


@pytest.mark.parametrize(
    ("kind", "through"),
    [("md-raid0", 144), ("md-raid1", 156), ("md-raid5", 344), ("md-raid4", 344)],
)
def test_bytes_per_recursion_level_of_2_6_18(kind: str, through: int) -> None:
    """The worked sums published with the frame tables."""
    assert submit(kind, "linux-2.6.18-i386-4k").through.bytes == through


@pytest.mark.parametrize(
    ("name", "peak", "raid5d"), [("linux-6.1-x86_64", 1248, 832), ("linux-6.1-i386", 984, 564)]
)
def test_raid5_worked_sums_of_6_1(name: str, peak: int, raid5d: int) -> None:
    """Driver entry to the deepest function; raid5d to the submission."""
    row = submit("md-raid5", name, "write")
    driver = functions(row.peak).index("__submit_bio") + 1
    assert sum(step.bytes for step in row.peak.steps[driver:]) == peak
    path = worker("md-raid5", name, "write")
    thread = functions(path).index("raid5d")
    assert sum(step.bytes for step in path.steps[thread:]) == raid5d


@pytest.mark.parametrize("name", SINCE_6)
@pytest.mark.parametrize(("kind", "members"), [("md-raid5", 3), ("md-raid6", 4), ("dm-raid5", 3)])
def test_only_a_degraded_array_reads_by_stripes(kind: str, members: int, name: str) -> None:
    """raid5_make_request asks for mddev->degraded == 0 before chunk_aligned_read."""
    found = {}
    for failed in ([], [0]):
        stack = Stack()
        disks = [stack.scsi(f"sd{i}", size="1 GiB") for i in range(members)]
        stack.add("array", kind, on=disks, failed=failed)
        row = Layers(kernel(name), stack).row(stack.devices["array"], "read")
        found[bool(failed)] = "raid5_get_active_stripe" in functions(row.peak)
    assert found == {False: False, True: True}


@pytest.mark.parametrize(("name", "measured"), [("linux-6.1-x86_64", 944), ("linux-6.1-i386", 720)])
def test_raid1_read_is_no_less_than_the_tracer_saw(name: str, measured: int) -> None:
    """Deepest trace below submit_bio_noacct that ended inside raid1_read_request."""
    assert measured <= submit("md-raid1", name).peak.bytes <= measured * 1.1


def paths(c: Calls, k: Kernel) -> Iterator[tuple[str, CallPath]]:
    rows, gen = k.rows, k.generation
    for op, path in {"": c.submit, **c.submit_ops}.items():
        assert path is not None
        row = rows.layer(path, gen.submit_link, nested=True)
        yield f"submit {op}", row.through
        yield f"submit {op} peak", row.peak
    if c.endio is not None:
        row = rows.layer(c.endio, gen.endio_link, nested=not c.endio_stops)
        yield "endio", row.peak if c.endio_stops else row.through
    for name, control, link in (
        ("flush", c.flush, gen.flush_link),
        ("unplug", c.unplug, gen.unplug_link),
    ):
        if control is not None and link is not None:
            yield name, rows.layer(control, link, nested=True).through
    for number, task in enumerate(c.workers()):
        yield f"worker {number}", rows.spine(task.path, gen.submit_link)
    for name, path in c.threads.items():
        yield name, rows.spine(path, gen.submit_link)
    if c.parity is not None and c.parity.unplug_in_submit is not None:
        yield (
            "unplug in submit",
            rows.layer(c.parity.unplug_in_submit, gen.submit_link, nested=False).peak,
        )


@pytest.mark.parametrize("kernel_name", KERNELS)
@pytest.mark.parametrize(
    ("name", "bitmap"),
    [*((name, "none") for name in NAMES), *((name, "internal") for name in NAMES[2:])],
)
def test_every_path_is_complete(name: str, bitmap: str, kernel_name: str) -> None:
    """Every anchor is in the table and every one reaches the next."""
    if absent(name, kernel_name):
        pytest.skip(f"{kernel_name} has no {name}")
    for label, path in paths(calls(name, kernel_name, bitmap), kernel(kernel_name)):
        assert path.exact, (label, path.missing)


@pytest.mark.parametrize("name", PARITY)
@pytest.mark.parametrize("kernel_name", KERNELS)
def test_raid5d_completes_the_upper_bios(name: str, kernel_name: str) -> None:
    """6.1: below async_trigger_callback, in a module that its tables leave out: assumed."""
    k = kernel(kernel_name)
    completion = calls(name, kernel_name).completion
    assert completion is not None
    path = k.rows.spine(completion, k.generation.endio_link)
    assert path.exact
    assumed = {s.function for s in path.steps if s.source == "assumed"}
    key = k.rows.table.find("async_trigger_callback") if new(kernel_name) else None
    lacking = key is not None and k.rows.table.functions[key][0] == ASSUMED
    assert assumed == ({"async_trigger_callback"} if lacking else set())
    assert "raid5d" in functions(path)


def test_a_level_meets_its_own_handler_only() -> None:
    for name in OF_2_6:
        for kind, other in (
            ("md-raid6", "handle_stripe5"),
            ("md-raid5", "handle_stripe6"),
            ("md-raid4", "handle_stripe6"),
        ):
            row = submit(kind, name)
            assert other not in [*functions(row.through), *functions(row.peak)]


@pytest.mark.parametrize("name", SINCE_6)
@pytest.mark.parametrize("kind", MIRRORS)
def test_reads_and_writes_do_not_meet_on_6_1(kind: str, name: str) -> None:
    level = kind.removeprefix("md-")
    write = submit(kind, name, "write")
    assert f"{level}_read_request" in functions(submit(kind, name).through)
    assert f"{level}_read_request" not in functions(write.through + write.peak)
    assert "md_submit_discard_bio" not in functions(write.through + write.peak)


@pytest.mark.parametrize("kind", MIRRORS)
def test_who_submits_a_mirrored_write(kind: str) -> None:
    """2.6: the array's thread; 6.1: the caller, unless a bitmap must be written first."""
    thread = kind.removeprefix("md-") + "d"
    for name in KERNELS:
        for bitmap in ("none", "internal"):
            c = calls(kind, name, bitmap)
            if new(name) and bitmap == "none":
                assert "write" not in c.worker
            else:
                assert c.worker["write"].name == thread
            assert "read" not in c.worker
    deepest = functions(worker(kind, "linux-6.1-x86_64", "write", "internal"))
    assert "md_bitmap_unplug" in deepest


def parity(kind: str, kernel_name: str) -> Parity:
    found = calls(kind, kernel_name).parity
    assert found is not None
    return found


def test_who_handles_a_stripe() -> None:
    """make_request in 2.6.18, and for raid6 in 2.6.24; raid5d otherwise."""
    inline = {
        (kind, name): parity(kind, name).full_stripe_in_caller
        for kind in PARITY
        for name in KERNELS
    }
    assert [key for key, here in inline.items() if here] == [
        ("md-raid4", KERNELS[0]),
        ("md-raid5", KERNELS[0]),
        ("md-raid6", KERNELS[0]),
        ("md-raid6", KERNELS[1]),
    ]
    for (kind, name), here in inline.items():
        c = calls(kind, name)
        assert ("write" in c.worker) is not here
        assert "raid5d" in {task.name for task in c.workers()}
        assert parity(kind, name).read_in_caller is (not new(name))
        assert parity(kind, name).aligned_read is (name != KERNELS[0])
        assert parity(kind, name).rmw is (kind != "md-raid6" or new(name))
        assert c.endio_stops is (name == KERNELS[0])


@pytest.mark.parametrize("name", NAMES)
def test_operations(name: str) -> None:
    """Barriers: only raid1 takes them in 2.6; 2.6.24 has no issue_flush_fn any more."""
    old, middle, *since_6 = (set(calls(name, k).ops) for k in KERNELS)
    barrier = {"fua"} if name == "md-raid1" else set()
    assert old == {"read", "write", "flush"} | barrier
    assert middle == {"read", "write"} | (barrier and {"fua", "flush"})
    for new in since_6:
        assert new == {"read", "write", "flush", "fua"} | (set() if name in PARITY else {"discard"})
    assert (calls(name, KERNELS[1]).flush is None) and calls(name, KERNELS[0]).flush is not None
    for k in SINCE_6:  # a flush waits in md_wq's task, whatever the level; since 6.12 in no other
        task = calls(name, k).worker.get("flush")
        assert task is None if kernel(k).generation.name == "6.12" else task.name == "md"


def test_how_a_straddling_bio_is_cut() -> None:
    for name in NAMES:
        for k in KERNELS:
            c, remaps = calls(name, k), name in ("md-linear", "md-raid0")
            assert c.immediate is (remaps and not new(k))
            if not new(k):
                assert c.split == "loop"
                key = None if c.self_call is None else c.self_call.function
                assert (key is not None) is (remaps or name == "md-raid10")
                if key is not None:
                    table = kernel(k).table
                    function = table.find(key)
                    assert function is not None and table.site(function, function)
            else:
                assert c.split == ("rest-mapped" if name == "md-raid0" else "rest")


def test_a_remapped_bio_completes_without_frames_on_6_1_linear() -> None:
    c = calls("md-linear", "linux-6.1-x86_64")
    assert c.endio == Path(())


def param(kind: str, name: str, value: Any) -> Any:
    entry: Kind = find_kind(kind)
    return next(p for p in entry.params if p.name == name).parse(value, f"devices.md0.{name}")


def test_parameters() -> None:
    assert param("md-raid5", "chunk", "64 KiB") == 128
    assert param("md-raid0", "chunk", "192 KiB") == 384
    assert param("md-raid10", "layout", "f2") == "f2"
    assert param("md-raid6", "failed", [0, 3]) == (0, 3)
    assert param("md-raid1", "bitmap", "internal") == "internal"


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("md-raid5", "chunk", "192 KiB"),
        ("md-raid5", "chunk", "2 KiB"),
        ("md-raid0", "chunk", 1000),
        ("md-raid10", "layout", "x2"),
        ("md-raid10", "layout", "n0"),
        ("md-raid10", "layout", 2),
        ("md-raid5", "failed", [0, 1]),
        ("md-raid6", "failed", [0, 1, 2]),
        ("md-raid6", "failed", [1, 1]),
        ("md-raid1", "bitmap", "external"),
    ],
)
def test_refused_parameters_name_their_path(kind: str, name: str, value: Any) -> None:
    with pytest.raises(BlockstackError) as caught:
        param(kind, name, value)
    assert f"devices.md0.{name}" in str(caught.value)


def test_arity() -> None:
    assert {name: find_kind(name).arity[0] for name in NAMES} == {
        "md-linear": 1,
        "md-raid0": 1,
        "md-raid1": 1,
        "md-raid10": 2,
        "md-raid4": 2,
        "md-raid5": 2,
        "md-raid6": 4,
    }
    assert {find_kind(name).verb for name in NAMES} == {"md"}
