"""Bio sources on the shipped kernels: published figures, complete paths, what each kernel takes."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from pace import one_quick, quick_where
from shipped import KERNELS, OF_2_6, SINCE_6

from blockstack.base.calls import Path
from blockstack.engine.depth.explain import explain
from blockstack.engine.plan.entries import source_completion
from blockstack.engine.plan.layers import Layers
from blockstack.generations import in_generation
from blockstack.kernel import CallPath, Kernel, load_kernel
from blockstack.kinds import find_kind
from blockstack.stack import Stack
from blockstack.validation.bounds import as_the_tracer_saw

OLD = KERNELS[0]
BLOCK = ("raw", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat", "swap")
SOURCES = (*BLOCK, "reiser4", "nfs", "nfsd")
REISER4 = ("2005-08", "2005-10", "2006-08")


@cache
def kernel(name: str) -> Kernel:
    return load_kernel(name)


def entry(kind: str, name: str, kernel_name: str) -> Path:
    entries = in_generation(find_kind(kind).entries, kernel(kernel_name).generation.name)
    assert entries is not None
    return entries[name]


@cache
def way(kind: str, name: str, kernel_name: str, deepest: bool = False) -> CallPath:
    gen = kernel(kernel_name).generation
    goal = gen.submit_link
    if name == "flush" and gen.flush_link:
        goal = gen.flush_link
    elif name == "unplug" and gen.unplug_link:
        goal = gen.unplug_link
    return kernel(kernel_name).rows.spine(entry(kind, name, kernel_name), None if deepest else goal)


def fixed(path: CallPath) -> int:
    """Bytes without the random part that some kernels put at a system call's start."""
    return sum(s.bytes for s in path.steps if s.function != "randomize_kstack_offset")


def functions(path: CallPath) -> list[str]:
    return [step.function.partition("@")[0].partition(".")[0] for step in path.steps]


def ways(kinds: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for k in KERNELS:
        gen = kernel(k).generation.name
        for kind in kinds:
            for name in in_generation(find_kind(kind).entries, gen) or {}:
                # i386's table lacks functions of system calls beside read and write: `explain`
                # names those that it leaves out (test_system_calls.py)
                if "x86_64" in k or name not in find_kind(kind).beside:
                    yield kind, name, k


def test_xfs_direct_write_of_2_6_18_is_the_published_base() -> None:
    """964 bytes, published with the frame tables, count submit_bio's own frame, which its tail
    jump to generic_make_request leaves."""
    path, table = way("xfs", "write-direct", OLD), kernel(OLD).table
    assert path.bytes + table.frame("submit_bio") == 964
    assert functions(path)[-2:] == ["dio_bio_submit", "submit_bio"]


@pytest.mark.parametrize(("kind", "below_vfs"), [("raw", 472), ("xfs", 584 - 16)])
def test_direct_writes_of_6_1_are_the_worked_sums(kind: str, below_vfs: int) -> None:
    """168 + 24 entry, 216 pwrite64 to vfs_write; of xfs's 584 submit_bio's tail jump leaves 16."""
    assert fixed(way(kind, "write-direct", "linux-6.1-x86_64")) == 168 + 24 + 216 + below_vfs


def test_pwritev_to_a_raw_device_is_the_traced_one() -> None:
    """The stack tracer of a running 6.1 kernel: 176 entry, 24, 64 do_pwritev, 240, 48, 120,
    104 blkdev_write_iter, 304, 64 submit_bio_wait, each row's call below it included."""
    traced = 176 + 24 + 64 + 240 + 48 + 120 + 104 + 304 + 64
    assert fixed(way("raw", "writev-direct", "linux-6.1-x86_64")) == traced


@pytest.mark.parametrize(
    "chain",
    [
        # the functions of kernel traces that J. Juhl published (LKML, 2006-11-21), 2.6.19-rc6
        (
            "writeback_inodes",
            "sync_sb_inodes",
            "__writeback_single_inode",
            "do_writepages",
            "xfs_vm_writepage",
            "xfs_page_state_convert",
            "xfs_bmap",
            "xfs_iomap",
            "xfs_iomap_write_allocate",
            "xfs_bmapi",
            "xfs_alloc_vextent",
            "xfs_alloc_fix_freelist",
            "xfs_alloc_insert",
            "xfs_alloc_get_freelist",
            "xfs_alloc_search_busy",
            "_xfs_log_force",
            "xlog_bdstrat_cb",
            "xfs_buf_iorequest",
            "submit_bio",
        )
    ],
)
def test_xfs_writeback_of_2_6_18_takes_the_published_way(chain: tuple[str, ...]) -> None:
    for name in ("write", "writeback", "reclaim"):
        found = functions(way("xfs", name, OLD))
        assert [f for f in found if f in chain] == [f for f in chain if f in found]
        missing = set(chain) - set(found)
        assert missing <= {
            "writeback_inodes",
            "sync_sb_inodes",
            "__writeback_single_inode",
            "do_writepages",
        } and (not missing or name == "reclaim")


def test_allocation_below_xfs_bmapi_adds_about_two_kilobytes() -> None:
    path = way("xfs", "writeback", OLD)
    below = path.steps[functions(path).index("xfs_bmapi") :]
    assert 1600 <= sum(step.bytes for step in below) <= 2200


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name", "kernel_name"), quick_where(ways(BLOCK), KERNELS[-1]))
def test_ways_are_complete(kind: str, name: str, kernel_name: str) -> None:
    path = way(kind, name, kernel_name)
    assert path.steps
    assert path.exact, path.missing


@pytest.mark.slow
@pytest.mark.parametrize("kernel_name", KERNELS)
@pytest.mark.parametrize("name", ["read", "read-direct", "writeback"])
def test_the_deepest_point_is_no_shallower_than_the_submit(name: str, kernel_name: str) -> None:
    for kind in ("raw", "xfs"):
        assert (
            way(kind, name, kernel_name, deepest=True).bytes >= way(kind, name, kernel_name).bytes
        )


@pytest.mark.parametrize("kernel_name", KERNELS)
def test_direct_io_takes_no_buffered_way(kernel_name: str) -> None:
    for kind in ("raw", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat"):
        if in_generation(find_kind(kind).entries, kernel(kernel_name).generation.name) is None:
            continue
        for op in ("read", "write"):
            direct = functions(way(kind, f"{op}-direct", kernel_name))
            assert not {
                "generic_file_buffered_write",
                "generic_perform_write",
                "filemap_read",
                "do_generic_mapping_read",
                "do_writepages",
            } & set(direct)
            assert fixed(way(kind, f"{op}-direct", kernel_name)) <= 1450


@pytest.mark.slow
def test_reads_allocate_nothing() -> None:
    for kind, name, k in ways(("ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat")):
        beside = find_kind(kind).beside  # bounded with whatever they may be followed into
        if name.startswith("read") and "cached" not in name and name not in beside:  # cached writes
            assert not {
                "ext3_new_blocks",
                "ext4_mb_new_blocks",
                "xfs_alloc_vextent",
                "start_this_handle",
                "start_transaction",
                "btrfs_cow_block",
                "f2fs_reserve_block",
                "fat_add_cluster",
            } & set(functions(way(kind, name, k)))


@pytest.mark.parametrize("kernel_name", SINCE_6)
def test_vfat_reads_its_table_below_every_mapping(kernel_name: str) -> None:
    """fat_get_cluster walks the chain (fs/fat/cache.c): the deepest bio reads the table."""
    table = ["fat_get_cluster", "fat_ent_read", "fat_ent_bread", "__bread_gfp"]
    for name in (
        "read",
        "write",
        "fault",
        "fsync",
        "writeback",
        "kswapd",
        "read-direct-meta",
        "write-gap",
        "write-direct-grow",
    ):
        if (name, kernel(kernel_name).generation.name) == ("kswapd", "6.12"):
            continue  # see below
        found = functions(way("vfat", name, kernel_name))
        first = found.index(table[0])
        assert found[first : first + len(table)] == table, name
        assert name in ("write", "write-gap") or "fat_add_cluster" not in found, name
    gap, write = (functions(way("vfat", n, kernel_name)) for n in ("write-gap", "write"))
    assert (gap.count("fat_write_begin"), write.count("fat_write_begin")) == (2, 1)


def test_kswapd_writes_no_vfat_pages_in_6_12() -> None:
    """fat.ko of Debian's 6.12.117 has no fat_writepage."""
    ways_in = find_kind("vfat").entries
    assert set(ways_in["6.1"]) - set(ways_in["6.12"]) == {"kswapd"}


@pytest.mark.parametrize("kernel_name", SINCE_6)
def test_f2fs_leaves_checkpoints_to_its_thread(kernel_name: str) -> None:
    """checkpoint_merge: who needs a checkpoint waits for f2fs_ckpt."""
    for name in ("fsync", "writeback", "write"):
        assert "f2fs_write_checkpoint" not in functions(way("f2fs", name, kernel_name))
    assert "f2fs_write_checkpoint" in functions(way("f2fs", "checkpoint", kernel_name))


def test_btrfs_reads_checksums_without_read_ahead() -> None:
    """A window has fewer sectors than a leaf holds checksums; a direct read's bio may have more,
    and where the read-ahead is the deeper branch, it takes it. No lookup changes the tree."""
    assert "reada_for_search" in functions(way("btrfs", "read-direct-csum", "linux-6.1-i386"))
    for name in (n for n in find_kind("btrfs").entries["6.1"] if n.endswith("-csum")):
        for k in SINCE_6:
            found = functions(way("btrfs", name, k))
            assert "split_leaf" not in found and "btrfs_submit_data_write_bio" not in found
            assert "direct" in name or "reada_for_search" not in found


def test_direct_io_ends_in_its_own_end_io() -> None:
    """A tracer of block/ sees bio_check_pages_dirty's bio_put deepest on i386, not writeback's."""
    stack = Stack()
    stack.add("fs", "raw", on=stack.scsi("sda", size="1 GiB"))
    found = {}
    for direct in (False, True):
        for k in (kernel("linux-6.1-i386"), as_the_tracer_saw(kernel("linux-6.1-i386"))):
            ended = source_completion(stack, "fs", Layers(k, stack), direct)
            found[direct, k.rows.entered is not None] = ended.frames()[1].function
    assert found == {
        (False, False): "mpage_end_io",
        (False, True): "mpage_end_io",
        (True, False): "mpage_end_io",
        (True, True): "blkdev_bio_end_io",
    }


@pytest.mark.parametrize("kernel_name", KERNELS)
def test_a_card_s_frames_are_the_way_in_s(kernel_name: str) -> None:
    """No driver of block devices calls the network card's."""
    stack = Stack()
    card = stack.nic("eth0", driver="loopback")
    row = Layers(kernel(kernel_name), stack).row(stack.devices[card.name], "write")
    assert row.peak.bytes == row.through.bytes == 0


def test_reclaim_is_entered_once() -> None:
    for kind, name, k in ways(BLOCK):
        if name in ("reclaim", "fault", "kswapd") and k in OF_2_6:
            for deepest in (False, True):
                found = functions(way(kind, name, k, deepest))
                assert found.count("try_to_free_pages") == (name != "kswapd")


#: from the system call to the tree's search for a parent, the bytes of each call: the entry point
#: (root, VFS, context), the transaction's commit, the flush's scan, the search, a carry over a
#: neighbour that is not in memory, the read of its block
REISER4_READ = {
    "2005-08": (
        *(8, 60, 28, 24, 164, 292, 24, 44, 76),
        *(36, 464, 28, 92, 92, 192, 172, 80, 212, 148, 100, 140, 224),
        *(48, 12, 8, 76, 368, 68, 24, 40),
    ),
    "2005-10": (
        *(8, 60, 28, 24, 188, 24, 32, 8, 76),
        *(136, 28, 92, 80, 180, 164, 80, 120, 56, 100, 128, 228),
        *(48, 12, 8, 72, 368, 68, 24, 40),
    ),
    "2006-08": (
        *(8, 60, 28, 24, 160, 24, 32, 8, 100),
        *(136, 28, 92, 84, 180, 196, 80, 136, 76, 100, 144, 228),
        *(48, 12, 8, 72, 368, 88, 24, 56),
    ),
}


def reiser4(version: str, name: str, height: int = 2) -> CallPath:
    params = {"version": version, "height": height}
    found = find_kind("reiser4").entries_for("2.6.18", params)
    assert found is not None
    return kernel(OLD).rows.spine(found[name], "generic_make_request")


def scanned(path: CallPath) -> list[str]:
    return [f.partition("@")[0].partition(".")[0] for f in functions(path)]


#: the functions behind these bytes, from read(2)'s reservation on
REISER4_COMMIT = {
    "2005-08": "txnmgr_force_commit_all txn_end flush_current_atom jnode_flush",
    "2005-10": "txnmgr_force_commit_all force_commit_atom_nolock txn_end flush_current_atom",
    "2006-08": "txnmgr_force_commit_all force_commit_atom reiser4_txn_end flush_current_atom",
}
REISER4_SEARCH = """scan_common scan_unformatted jnode_lock_parent_coord coord_by_key traverse_tree
    cbk_node_lookup handle_eottl {0}carry carry_paste insert_paste_common shift_node40
    tap_to_coord {0}tap_move zload_ra formatted_readahead reiser4_get_neighbor renew_sibling_link
    jload_gfp {0}page_io"""


@pytest.mark.parametrize("version", REISER4)
def test_reiser4_reads_commit_in_the_reader(version: str) -> None:
    """read(2) reserves for the inode's time, which may commit: by hand, call by call; in 2005-08
    nothing is deeper."""
    table, new = kernel(OLD).table, "reiser4_" if version == "2006-08" else ""
    names = ["read_unix_file", "reiser4_grab_space", *REISER4_COMMIT[version].split()]
    names += REISER4_SEARCH.format(new).split()
    keys = [table.find(f"{name}@{version}") or "" for name in names]
    keys = ["vfs_read", *(["reiser4_read@2005-08"] if version == "2005-08" else []), *keys]
    own = [
        table.site(a, b) or table.indirect_site(a) or 0 for a, b in pairwise((*keys, "submit_bio"))
    ]
    by_hand = REISER4_READ[version]
    assert by_hand[:3] == (8, 60, 28)
    assert [n for n in own if n] == [n for n in by_hand[3:] if n]
    deepest = reiser4(version, "read")
    assert deepest.exact and deepest.bytes >= sum(by_hand)
    assert (deepest.bytes == sum(by_hand)) == (version == "2005-08")


@pytest.mark.slow
def test_what_the_change_for_small_stacks_took_off() -> None:
    """The entry points lost their context (README of the tables): 160 -> 24, 148 -> 32, 300 -> 100;
    jnode_flush, 464, was broken up."""
    table = kernel(OLD).table
    for name, before_, after in (
        ("reiser4_writepage", 160, 24),
        ("reiser4_readpages", 164, 28),
        ("reiser4_sync_inodes", 148, 32),
        ("read_unix_file", 292, 188),
        ("write_unix_file", 260, 176),
        ("flush_current_atom", 36, 136),
    ):
        frames = [table.frame(table.find(f"{name}@{v}") or "") for v in REISER4[:2]]
        assert frames == [before_, after], name
    for name in ("read", "write", "fsync", "sync", "unlink", "rename", "fault"):
        assert reiser4("2005-10", name).bytes < reiser4("2005-08", name).bytes - 100, name


@pytest.mark.slow
@pytest.mark.parametrize("version", one_quick(REISER4))
def test_reiser4_entry_points_are_complete(version: str) -> None:
    found = find_kind("reiser4").entries_for("2.6.18", {"version": version, "height": 5})
    assert found is not None
    listed = {n for names in find_kind("reiser4").entry_ops.values() for n in names}
    assert set(found) <= listed
    for name in found:
        path = reiser4(version, name)
        assert path.exact, (name, path.missing)
        # only functions of this state, none of another
        labels = {f.rpartition("@")[2] for f in functions(path) if "@20" in f}
        assert labels <= {version}
    assert ("reclaim" in found) == (version != "2006-08")


@pytest.mark.parametrize("version", one_quick(REISER4))
def test_the_flush_climbs_the_tree(version: str) -> None:
    """alloc_one_ancestor keeps 88 bytes while it calls itself for the parent (flush.c): one level
    more or none, where the deepest chain is another."""
    depths = [reiser4(version, "ktxnmgrd", height).bytes for height in range(2, 9)]
    steps = [b - a for a, b in pairwise(depths)]
    assert set(steps[1:]) == {88} and 0 <= steps[0] <= 88
    deep = scanned(reiser4(version, "ktxnmgrd", 8))
    assert "alloc_one_ancestor" in deep


#: nfsd to the file system's writev in 2.6.18: root, nfsd, svc_process, nfsd_dispatch,
#: nfsd3_proc_write, nfsd_write, nfsd_vfs_write, vfs_writev, do_readv_writev; ext3's own chain
#: from there on is test_ways_are_complete's
NFSD_WRITE = 20 + 60 + 52 + 36 + 52 + 44 + 92 + 16 + 112


@pytest.mark.parametrize("fs", ["ext3", "xfs"])
@pytest.mark.parametrize("name", OF_2_6)
def test_nfsd_of_2_6_goes_on_in_the_exported_file_system(name: str, fs: str) -> None:
    k = kernel(name)
    gen = k.generation.name
    served, files = find_kind("nfsd").calls[gen].file_ops, find_kind(fs).calls[gen].files
    for way_in, path in find_kind("nfsd").entries[gen].items():
        for file in files[served[way_in]]:
            found = k.rows.spine(path.then(file), "generic_make_request")
            assert found.exact, found.missing
    path = (
        find_kind("nfsd")
        .entries["2.6.18"]["write"]
        .then(find_kind(fs).calls["2.6.18"].files["write"][0])
    )
    steps = kernel(OLD).rows.spine(path, "generic_make_request").steps
    first = [s.function for s in steps].index("do_readv_writev") + 1
    assert sum(s.bytes for s in steps[:first]) == NFSD_WRITE


def test_nfsd_of_2_6_answers_over_tcp_and_udp() -> None:
    """Down to the card: a datagram is fragmented, a segment is not; by hand to sock_sendmsg and
    to tcp_recvmsg (2.6.18)."""
    peer = find_kind("nfsd").calls["2.6.18"].peer
    assert peer is not None
    senders = peer.senders
    found = {n: kernel(OLD).rows.spine(p, "dev_hard_start_xmit") for n, p in senders.items()}
    assert all(path.exact for path in found.values())
    udp, tcp, asked = (functions(found[n]) for n in ("reply (UDP)", "reply (TCP)", "request (TCP)"))
    assert "ip_fragment" in udp and "ip_fragment" not in tcp
    assert "tcp_transmit_skb" in tcp and "tcp_transmit_skb" in asked
    reply = 20 + 60 + 52 + 32 + 12 + 128 + 40 + 60 + 12  # nfsd ... inet_sendpage, sock_no_sendpage
    assert before(found["reply (UDP)"], "sock_sendmsg") == reply
    assert before(found["request (TCP)"], "tcp_recvmsg") == 20 + 60 + 68 + 232 + 80 + 16 + 216 + 36


def test_the_client_of_2_6_sends_datagrams_and_takes_them() -> None:
    """By hand (2.6.18): rpciod to the card, and a datagram from IP to the rpc's pages; a server
    of either protocol only wakes a thread."""
    nfs, rows = find_kind("nfs"), kernel(OLD).rows
    sent = rows.spine(nfs.entry_variants[3, "udp"]["2.6.18"]["rpciod"], "dev_hard_start_xmit")
    rpc = 20 + 28 + 68 + 44 + 36 + 32 + 44  # worker_thread, run_workqueue, __rpc_execute ...
    page = 88 + 40 + 60 + 12 + 208 + 24 + 156 + 36 + 44  # xs_udp_send_request, inet_sendpage ...
    wire = 44 + 72 + 48 + 28 + 36  # ip_output, ip_fragment, neigh_resolve_output ...
    assert sent.exact and sent.bytes == rpc + page + wire
    received = nfs.variants[3, "udp"]["2.6.18"].receive
    assert received is not None and received.answers is None
    taken = rows.spine(received.data[0])
    assert before(taken, "csum_partial_copy_to_xdr") == 56 + 24 + 20 + 44
    served = find_kind("nfsd").calls["2.6.18"].receive
    assert served is not None
    woken = [functions(rows.spine(path)) for path in served.data]
    assert ["tcp_v4_rcv" in path for path in woken] == [True, False]
    assert before(rows.spine(served.data[1]), "svc_sock_enqueue") == 56 + 24 + 20 + 32


#: from do_readv_writev to the point where reiser4's own way begins: its write is no vector's
_REISER4_SERVED = {
    "2005-08": (164 + 260, "extent2tail"),  # reiser4_write, write_unix_file
    "2006-08": (148 + 56 + 100 + 156, "batch_write_unix_file"),  # do_sync_write ...
}


#: by hand, of compressed files: from the root to readahead's call, and to the cluster's page; none
#: of a state's context is left on the stack of the later two
_COMPRESSED = {
    # reiser4_read, read_cryptcompress, generic_file_read, __generic_file_aio_read ...
    "2005-08": (120 + 164 + 24 + 140 + 72 + 124 + 32 + 32, 120 + 164),
    "2005-10": (120 + 32 + 140 + 72 + 124 + 32 + 32, 120),
    "2006-08": (120 + 32 + 148 + 16 + 72 + 124 + 32 + 32, 120),
}


@pytest.mark.parametrize("version", sorted(_COMPRESSED))
def test_reiser4_compresses_files_where_its_plugin_does(version: str) -> None:
    """pt_regs, sys_read and vfs_read are 120 bytes; clusters are read at readahead, and written
    where a write makes room."""
    params = {"version": version, "files": "cryptcompress", "height": 2}
    found = find_kind("reiser4").entries_for("2.6.18", params)
    assert found is not None
    rows = kernel(OLD).rows
    read, write = (rows.spine(found[name], "generic_make_request") for name in ("read", "write"))
    assert read.exact and write.exact
    above_readahead, above_write = _COMPRESSED[version]
    assert before(read, "__do_page_cache_readahead") == above_readahead
    assert before(write, "write_cryptcompress") == above_write
    unix = reiser4(version, "read")
    assert not {f for f in functions(unix) if "cryptcompress" in f or "ctail" in f}
    assert all(rows.spine(path).exact for path in found.values())


@pytest.mark.parametrize("version", sorted(_REISER4_SERVED))
def test_nfsd_goes_through_reiser4(version: str) -> None:
    file = find_kind("reiser4").variants[version, "unix"]["2.6.18"].files["write"][0]
    path = find_kind("nfsd").entries["2.6.18"]["write"].then(file)
    found = kernel(OLD).rows.spine(path, "generic_make_request")
    own, first = _REISER4_SERVED[version]
    assert found.exact and before(found, first) == NFSD_WRITE + own


def before(path: CallPath, function: str) -> int:
    return sum(s.bytes for s in path.steps[: functions(path).index(function)])


@pytest.mark.slow
@pytest.mark.parametrize("version", one_quick([3, 4]))
@pytest.mark.parametrize("k", SINCE_6)
def test_nfs_of_6_1_is_complete(k: str, version: int) -> None:
    """The client's ways end in the card's driver, the server's in the exported file system's."""
    rows = kernel(k).rows
    for path in find_kind("nfs").entries_for("6.1", {"version": version}).values():
        found = rows.spine(path)
        assert found.exact and "xs_tcp_send_request" in functions(found)
    served = find_kind("nfsd").calls["6.1"].file_ops
    for name, path in find_kind("nfsd").entries_for("6.1", {"version": version}).items():
        for file in find_kind("ext4").calls["6.1"].files[served[name]]:
            found = rows.spine(path.then(file), "submit_bio_noacct")
            assert found.exact, found.missing
            assert ("nfsd4_proc_compound" in functions(found)) == (version == 4)


def test_nfs_lookup_is_the_traced_one() -> None:
    """The stack tracer of a running 6.1 kernel (x86_64): what nfs_lookup, nfs4_proc_lookup and
    the functions below them keep down to xs_tcp_send_request."""
    path = find_kind("nfs").entries_for("6.1", {"version": 4})["open"]
    via = (
        "nfs_lookup",
        ">nfs4_proc_lookup",
        "_nfs4_proc_lookup",
        "nfs4_do_call_sync",
        *path.via[path.via.index("rpc_run_task") :],
    )
    steps = {
        s.function: s.bytes
        for s in kernel("linux-6.1-x86_64").rows.spine(replace(path, via=via)).steps
    }
    traced = {
        "nfs_lookup": 72,
        "nfs4_proc_lookup": 48,
        "nfs4_proc_lookup_common": 128,
        "_nfs4_proc_lookup": 200,
        "nfs4_do_call_sync": 120,
        "rpc_run_task": 64,
        "rpc_execute": 32,
        "__rpc_execute": 88,
        "call_transmit": 16,
        "xprt_transmit": 96,
        "xs_tcp_send_request": 312,
    }
    assert 0 <= sum(steps[f] for f in traced) - sum(traced.values()) <= 8


def test_nfs_client_sends_in_the_writer_of_2_6_18_and_in_rpciod_of_6_1() -> None:
    old = functions(way("nfs", "write", OLD, deepest=True))
    assert old.index("balance_dirty_pages_ratelimited_nr") < old.index("xs_tcp_send_request")
    assert way("nfs", "write", OLD, deepest=True).exact
    new = functions(way("nfs", "rpciod", "linux-6.1-x86_64", deepest=True))
    assert new.index("process_one_work") < new.index("xs_tcp_send_request")
    assert way("nfs", "write", KERNELS[1], deepest=True).exact


@pytest.mark.parametrize("name", SOURCES)
def test_entries_have_ops(name: str) -> None:
    kind = find_kind(name)
    assert kind.role == "source" and kind.mapping == "remap" and kind.verb == name
    assert kind.arity == {"nfs": (0, 0), "btrfs": (1, None)}.get(name, (1, 1))
    assert set(kind.entries) == set(kind.calls)
    for gen, entries in kind.entries.items():
        for op, names in kind.entry_ops.items():
            word = op.partition("-")[0]
            if word in kind.calls[gen].ops:
                assert any(n in entries for n in names), (gen, op)
        listed = {n for names in kind.entry_ops.values() for n in names} | {"unplug"}
        assert set(entries) <= listed | kind.beside.keys()
        assert not listed & kind.beside.keys()


def test_kernels_without_a_source() -> None:
    assert set(find_kind("ext4").entries) == {"6.1"}
    assert "6.1" not in find_kind("ext3").entries  # its own driver left in 4.3
    assert set(find_kind("reiser4").entries) == {"2.6.18"}


@pytest.mark.parametrize("kernel_name", one_quick(reversed(KERNELS)))
def test_file_systems_in_the_middle(kernel_name: str) -> None:
    """Under a loop device or a server: from the file operation to submit_bio, without a root."""
    k = kernel(kernel_name)
    for name in ("ext3", "ext4", "xfs", "vfat"):
        calls = in_generation(find_kind(name).calls, k.generation.name)
        if calls is None:
            continue
        for path in (
            calls.submit,
            *calls.submit_ops.values(),
            *(path for files in calls.files.values() for path in files),
        ):
            if path is None:
                assert calls.files
                continue
            # a server's fsync: whatever nfsd_sync calls
            via = ("nfsd_sync", *path.via) if path.via == ("submit_bio",) else path.via
            found = k.rows.spine(replace(path, via=via), k.generation.submit_link)
            assert found.exact and found.bytes < way(name, "write", kernel_name).bytes + 500
            assert found.bytes > (190 if "blkdev_issue_flush" in path.via else 450)


@pytest.mark.slow
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("kernel_name", one_quick(reversed(SINCE_6)))
def test_only_a_preallocated_file_has_extents_to_split(kernel_name: str, direct: bool) -> None:
    """A loop device's worker allocates either way; below ext4_split_extent_at: in its file only."""
    chains, peaks = {}, {}
    for preallocated in (True, False):
        stack = Stack("image")
        stack.nvme("disk", size="1 GiB")
        stack.add("root", "ext4", "disk")
        stack.loop("loop0", on="root", direct=direct, preallocated=preallocated)
        worker = next(
            t for t in explain(stack, kernel=kernel(kernel_name)).tasks if t.task == "loop loop0"
        )
        chains[preallocated] = [f.function for f in worker.path]
        peaks[preallocated] = worker.peak_bytes
    assert peaks[False] < peaks[True]
    assert ("ext4_split_extent_at", "ext4_ext_insert_extent") in pairwise(chains[True])
    assert "ext4_split_extent_at" not in chains[False]
    assert {"ext4_ext_insert_extent", "ext4_new_meta_blocks"} <= {*chains[False]}


@pytest.mark.parametrize("kernel_name", KERNELS)
def test_roots(kernel_name: str) -> None:
    """pt_regs and padding; a 2.6 thread keeps two words of pt_regs and what its helper pushes."""
    first = {
        "linux-2.6.18-i386-4k": (68, 20),
        "linux-2.6.24-i386-4k": (72, 24),
        "linux-6.1-x86_64": (168, 168),
        "linux-6.1-i386": (76, 76),
        "linux-6.12-x86_64": (168, 168),
    }[kernel_name]
    k = kernel(kernel_name)
    for root, expected in zip(("@syscall", "@kthread"), first, strict=True):
        rows = k.generation.roots[(k.platform.arch, root)].rows
        assert sum(n for _, n in rows) == expected
