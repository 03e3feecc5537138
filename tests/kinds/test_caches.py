"""bcache, DRBD, dm-writecache, dm-cache, request-based multipath, dm-raid: who works where."""

from functools import cache

import pytest

import blockstack as bs
from blockstack.base.calls import Path
from blockstack.base.errors import BlockstackError
from blockstack.engine.depth.static import StaticTasks
from blockstack.engine.plan.arrays import NOPS, WRITE
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.core import run
from blockstack.engine.plan.demand import source_of
from blockstack.kernel import load_kernel as load_any_kernel
from blockstack.kernel.common_cuts import RARE_CUTS
from blockstack.kernel.rows import RowSource
from blockstack.kinds import KINDS

load_kernel = cache(load_any_kernel)
NEW = ("linux-6.1-x86_64", "linux-6.1-i386")


def disks(stack, n, **keys):
    return [
        stack.scsi(f"sd{chr(97 + i)}", size="8 GiB", driver="virtio-scsi", **keys) for i in range(n)
    ]


def tasks(stack, kernel="linux-6.1-x86_64", ops=("read", "write")):
    plan = compile_plan(stack, load_kernel(kernel), ops=ops)
    return {t.task: t for t in StaticTasks(plan, 2048, 8).all()}


def peak_names(kind, op="read", kernel="linux-6.1-x86_64", **params):
    """Functions of the deepest local path and of the way to the lower device."""
    k = load_kernel(kernel)
    calls = KINDS[kind].calls_for("6.1", params)
    path = calls.submit_ops.get(op, calls.submit)
    row = k.rows.layer(path, k.generation.submit_link, nested=True)
    assert row.through.exact and row.peak.exact
    return [s.function for s in row.through.steps], [s.function for s in row.peak.steps]


@pytest.mark.slow
@pytest.mark.parametrize("kernel", NEW)
@pytest.mark.parametrize(
    "kind",
    [
        "bcache",
        "drbd",
        "dm-writecache",
        "dm-cache",
        "dm-raid0",
        "dm-raid4",
        "dm-raid5",
        "dm-raid6",
        "dm-raid10",
        "dm-thin",
        "dm-thin-pool",
        "dm-integrity",
        "dm-verity",
    ],
)
def test_every_task_of_a_kind_is_known(kind, kernel):
    """No anchor of any thread or work queue is missing from the shipped tables."""
    stack = bs.Stack("x")
    least, most = KINDS[kind].arity
    keys = {}
    if kind == "drbd":
        stack.nic("eth0")
        keys["nic"] = "eth0"
    stack.add("d", kind, on=disks(stack, max(least, min(most or 4, 4))), **keys)
    ops = KINDS[kind].calls["6.1"].ops
    found = tasks(
        stack,
        kernel,
        [
            op
            for op in ("read", "write", "flush", "discard")
            if op in ops and not (op == "discard" and kind[-1] in "456")
        ],
    )
    assert {name: t.missing for name, t in found.items() if not t.exact} == {}
    assert len(found) > 4


def test_cloned_requests_lie_on_the_disk_driver():
    """blk_insert_cloned_request issues to the path's queue in the same stack, at any depth of
    dm-linear above, and no second bio is submitted."""
    stack = bs.Stack("x")
    stack.dm("m", target="multipath", on=disks(stack, 2))
    stack.dm("l", target="linear", on="m")
    path = [f.function for f in tasks(stack)["write l"].path]
    assert path.index("dm_mq_queue_rq") < path.index("scsi_queue_rq")
    assert path.count("submit_bio_noacct_nocheck") == 1
    plain = bs.Stack("y")
    plain.dm("l", target="linear", on=disks(plain, 1)[0])
    grows = tasks(stack)["write l"].peak_bytes - tasks(plain)["write l"].peak_bytes
    k = load_kernel("linux-6.1-x86_64")
    assert grows == sum(
        k.table.site(a, b) or 0
        for a, b in (
            ("dm_mq_queue_rq", "blk_insert_cloned_request"),
            ("blk_insert_cloned_request", "__blk_mq_try_issue_directly"),
        )
    ) + (k.table.indirect_site("__blk_mq_try_issue_directly"))


def test_what_a_clone_cannot_be_issued_to():
    stack = bs.Stack("x")
    (disk,) = disks(stack, 1)
    stack.dm("l", target="linear", on=disk)
    stack.dm("m", target="multipath", on="l")
    with pytest.raises(BlockstackError, match="does not stand on dm-linear"):
        tasks(stack)
    other = bs.Stack("y")
    other.dm("l", target="linear", on=disks(other, 1)[0])
    other.dm("m", target="multipath", on="l", queue_mode="bio")
    assert tasks(other)["write m"].exact


def test_paths_are_one_disk():
    stack = bs.Stack("x")
    with pytest.raises(BlockstackError, match="different sizes"):
        stack.dm("m", target="multipath", on=[*disks(stack, 1), stack.nvme("n", size="1 GiB")])


def test_bcache_never_touches_its_btree_below_submit_bio():
    through, _ = peak_names("bcache")
    assert {"cache_lookup_fn", "cached_dev_cache_miss"} <= set(through)
    for op in ("read", "write"):
        for names in peak_names("bcache", op):
            assert not {"btree_split", "__bch_btree_node_write", "bch_btree_node_read"} & set(names)
    stack = bs.Stack("x")
    stack.add("c", "bcache", on=disks(stack, 2), mode="writeback")
    worker = [f.function for f in tasks(stack)["bch_data_insert_keys of bcache c"].path]
    assert "btree_split" in worker


@pytest.mark.parametrize(
    ("mode", "written"),
    [("writeback", {1}), ("writethrough", {0, 1}), ("writearound", {0}), ("none", {0})],
)
def test_where_bcache_writes_go(mode, written):
    stack = bs.Stack("x")
    stack.add("c", "bcache", on=disks(stack, 2), mode=mode)
    plan = compile_plan(stack, load_kernel("linux-6.1-x86_64"), ops=("write",), direct=True)
    workload = bs.Workload(rw="randwrite", bs="4 KiB", direct=True)
    counters = run(plan.arrays, source_of(workload, plan.capacity_sectors, 1), count=50)
    taken = {
        position.device.name
        for i, position in enumerate(plan.positions)
        if position.task == 0 and counters.visits[i * NOPS + WRITE]
    }
    assert taken == {"c", *(("sda", "sdb")[i] for i in written)}


def test_a_tree_of_two_levels_is_walked_twice():
    """`Path.again`: one more frame of the function that calls itself; the typical figure has it
    not."""
    k = load_kernel("linux-6.1-x86_64")
    calls = KINDS["bcache"].calls["6.1"]
    rare = RowSource(k.table, k.generation, k.platform, None, RARE_CUTS)
    deep = k.rows.layer(calls.submit, "submit_bio_noacct", nested=True).through
    flat = rare.layer(calls.submit, "submit_bio_noacct", nested=True).through
    level = k.table.site("bch_btree_map_keys_recurse", "bch_btree_map_keys_recurse")
    assert deep.bytes - flat.bytes == level > 0


def test_an_optional_anchor_that_was_inlined_is_passed_over():
    """drbd_submit_bio has __drbd_make_request inlined; the function is in the table for others."""
    k = load_kernel("linux-6.1-x86_64")
    assert k.table.find("__drbd_make_request")
    through, _ = peak_names("drbd")
    assert "__drbd_make_request" not in through
    strict = KINDS["drbd"].calls["6.1"].submit
    strict = strict.replace_via(tuple(a.rstrip("?") for a in strict.via))
    row = k.rows.layer(
        Path(strict.via, files=strict.files, cuts=strict.cuts), "submit_bio_noacct", nested=True
    )
    assert row.through.missing == ("drbd_submit_bio -> __drbd_make_request",)


def test_drbd_alone_and_with_a_peer():
    alone, pair = bs.Stack("a"), bs.Stack("b")
    alone.add("d", "drbd", on=disks(alone, 1))
    pair.nic("eth0")
    pair.add("d", "drbd", on=disks(pair, 1), nic="eth0", protocol="A")
    assert not any("drbd_receiver" in name or "sends" in name for name in tasks(alone))
    found = tasks(pair)
    sender = [f.function for f in found["drbd_worker (sends) d"].path]
    assert sender.index("w_send_dblock") < sender.index("tcp_sendmsg")
    assert "drbd_receiver d" in found


def test_metadata_on_a_deeper_device_counts_for_the_pool_only():
    shallow, deep = bs.Stack("a"), bs.Stack("b")
    for stack, meta in ((shallow, "sdb"), (deep, "crypt")):
        disks(stack, 2)
        if meta == "crypt":
            stack.dm("crypt", target="crypt", on="sdb", workqueue="none")
        stack.dm("p", target="thin-pool", on=["sda", meta])
        stack.dm("t", target="thin", on="p")
    name = "do_worker of dm-thin-pool p"
    assert tasks(deep)[name].peak_bytes >= tasks(shallow)[name].peak_bytes
    assert tasks(deep)["write t"].peak_bytes == tasks(shallow)["write t"].peak_bytes


@pytest.mark.slow
@pytest.mark.parametrize("kernel", NEW)
def test_plugged_writes_are_submitted_below_the_end_of_the_plug(kernel):
    """raid1_unplug (raid1-10.c, 6.1): the bitmap, then the data, in the stack of whoever ends the
    plug; without a bitmap nothing waits in a plug."""
    found = {}
    for bitmap in ("none", "internal"):
        stack = bs.Stack("x")
        stack.md("m", level=1, members=disks(stack, 2), bitmap=bitmap)
        stack.dm("l", target="linear", on="m")
        found[bitmap] = tasks(stack, kernel, ("read", "write", "flush"))
    assert not [name for name in found["none"] if "plug" in name]
    fsync = found["internal"]["fsync l (plug of m)"]
    names = [f.function for f in fsync.path]
    assert names.index("raid1_unplug") < names.index("scsi_queue_rq") and fsync.exact
    assert fsync.peak_bytes > found["internal"]["fsync l"].peak_bytes
    assert fsync.context == "caller"
    assert found["internal"]["writeback l (plug of m)"].context == "worker"


def test_a_worker_ends_its_own_plug():
    """dmcrypt_write plugs what it submits (dm-crypt.c, 6.1), also over an array."""
    stack = bs.Stack("x")
    stack.md("m", level=10, members=disks(stack, 2), bitmap="internal")
    stack.dm("c", target="crypt", on="m")
    found = tasks(stack)
    row = found["dmcrypt_write c (plug of m)"]
    assert row.context == "worker" and "raid10_unplug" in [f.function for f in row.path]
