"""Device mapper kinds: published figures, anchors, structure."""

from functools import cache

import pytest
from pace import one_quick
from shipped import KERNELS

from blockstack.base.calls import Path
from blockstack.generations import in_generation
from blockstack.kernel import load_kernel as load_any_kernel
from blockstack.kinds import KINDS
from blockstack.kinds.model import Calls, Kind

load_kernel = cache(load_any_kernel)
DM = tuple(kind for name, kind in KINDS.items() if name.startswith("dm-"))


def _calls(kernel_name: str) -> list[tuple[Kind, str, Calls]]:
    gen = load_kernel(kernel_name).generation.name
    return [
        (kind, word, calls)
        for kind in DM
        for word, rows in {"": kind.calls, **kind.variants}.items()
        if (calls := in_generation(rows, gen)) is not None
    ]


def _linked(calls: Calls, kernel_name: str) -> list[tuple[str, Path, str]]:
    gen = load_kernel(kernel_name).generation
    rows = [
        ("submit", calls.submit, gen.submit_link),
        ("endio", calls.endio, gen.endio_link),
        ("flush", calls.flush, gen.flush_link),
        ("unplug", calls.unplug, gen.unplug_link),
    ]
    rows += [(f"submit {op}", path, gen.submit_link) for op, path in calls.submit_ops.items()]
    return [(name, path, link) for name, path, link in rows if path is not None and link]


@pytest.mark.parametrize(
    ("kernel", "through"),
    [("linux-2.6.18-i386-4k", 176), ("linux-6.1-x86_64", 256), ("linux-6.1-i386", 316)],
)
def test_published_bytes_per_linear_level(kernel: str, through: int) -> None:
    k = load_kernel(kernel)
    submit = KINDS["dm-linear"].calls[k.generation.name].submit
    assert submit is not None
    row = k.rows.layer(submit, k.generation.submit_link, nested=True)
    assert row.through.exact
    assert row.through.bytes == through


def test_published_peak_and_completion_of_linear() -> None:
    """6.1 x86_64: 600 (608 with the frame of the pool's allocator) and 64 bytes. On i386 the
    published 540 goes through dm_stats_account_io, which runs only after ``dmsetup message 0
    @stats_create``: cut here."""
    endio = {"linux-6.1-x86_64": 64, "linux-6.1-i386": 88}
    for name, through in endio.items():
        k = load_kernel(name)
        calls = KINDS["dm-linear"].calls["6.1"]
        assert calls.submit is not None and calls.endio is not None
        peak = k.rows.layer(calls.submit, k.generation.submit_link, nested=True).peak.bytes
        assert peak == 608 if name.endswith("x86_64") else peak <= 540
        assert k.rows.layer(calls.endio, "bio_endio", nested=True).through.bytes == through


@pytest.mark.parametrize("kernel", one_quick(KERNELS))
def test_every_row_is_connected_in_the_shipped_tables(kernel: str) -> None:
    k = load_kernel(kernel)
    for kind, word, calls in _calls(kernel):
        for name, path, link in _linked(calls, kernel):
            # a cloned request goes on to another queue, without a bio; a leaf goes on to nothing
            ends = calls.issues_clones or kind.role == "leaf"
            nested = not calls.endio_stops if name == "endio" else not ends
            row = k.rows.layer(path, link, nested=nested)
            assert row.through.exact, (kind.name, word, name, row.through.missing)
            assert row.peak.bytes >= row.through.bytes, (kind.name, name)
            assert (row.through.bytes > 0) is nested, (kind.name, name)
        for op, worker in calls.worker.items():
            spine = k.rows.spine(worker.path, k.generation.submit_link)
            assert spine.exact, (kind.name, op, spine.missing)


@pytest.mark.parametrize("kernel", KERNELS)
def test_cuts_and_followed_files_exist_in_the_table(kernel: str) -> None:
    """A file that no function comes from would narrow a path without a word."""
    files = {row[0] for row in load_kernel(kernel).table.functions.values()}
    for kind, _, calls in _calls(kernel):
        for name, path, _ in _linked(calls, kernel):
            for file in path.files:
                known = (
                    any(f.startswith(file) for f in files)
                    if file.endswith("/")
                    else (file in files)
                )
                assert known or not file.startswith("drivers/md/dm"), (kind.name, name, file)
            assert all(reason for _, _, reason in path.cuts), (kind.name, name)


def test_structure() -> None:
    arity = {
        "dm-linear": (1, None),
        "dm-striped": (1, None),
        "dm-mirror": (2, 9),
        "dm-crypt": (1, 1),
        "dm-snapshot": (2, 2),
        "dm-snapshot-origin": (1, None),
    }
    mapping = {
        "dm-linear": "segments",
        "dm-striped": "segments",
        "dm-mirror": "mirror",
        "dm-crypt": "remap",
        "dm-snapshot": "snapshot",
        "dm-snapshot-origin": "snapshot-origin",
    }
    for name, ends in arity.items():
        assert KINDS[name].arity == ends
        assert KINDS[name].mapping == mapping[name]
        assert set(KINDS[name].calls) == {"2.6.18", "2.6.24", "6.1"}
    for kind in DM:
        for gen, calls in kind.calls.items():
            assert calls.split == ("loop" if gen.startswith("2.6") else "front")
            assert not calls.immediate  # dm always nests (2.6) or queues (6.1)
            assert set(calls.worker) <= set(calls.ops)
            assert set(calls.submit_ops) <= set(calls.ops)
            if gen.startswith("2.6"):
                assert "discard" not in calls.ops
            if gen == "2.6.24":
                assert not {"flush", "fua"} & set(calls.ops)  # barriers are refused


def test_who_submits() -> None:
    """dm-crypt moved: the caller (2.6.18), kcryptd (2.6.24), dmcrypt_write for writes (6.1)."""
    crypt = KINDS["dm-crypt"]
    assert not crypt.calls["2.6.18"].worker
    assert {w.name for w in crypt.calls["2.6.24"].worker.values()} == {"kcryptd"}
    assert {op: w.name for op, w in crypt.calls["6.1"].worker.items()} == {"write": "dmcrypt_write"}
    inline = crypt.calls_for("6.1", {"workqueue": "read"})
    assert inline is not None and not inline.worker
    for gen in ("2.6.18", "2.6.24", "6.1"):
        assert KINDS["dm-mirror"].calls[gen].worker["write"].name == "kmirrord"
        assert "read" not in KINDS["dm-mirror"].calls[gen].worker
        assert KINDS["dm-snapshot"].calls[gen].worker["write"].name == "kcopyd"


def test_inline_encryption_is_deeper() -> None:
    k = load_kernel("linux-6.1-x86_64")
    bytes_ = {}
    for word in ("read+write", "read"):
        calls = KINDS["dm-crypt"].calls_for("6.1", {"workqueue": word})
        assert calls is not None
        row = k.rows.layer(calls.submit_ops["write"], k.generation.submit_link, nested=True)
        bytes_[word] = row.through.bytes, row.peak.bytes
    assert bytes_["read"] > bytes_["read+write"]


def test_flush_goes_deeper_than_read() -> None:
    k = load_kernel("linux-6.1-x86_64")
    calls = KINDS["dm-linear"].calls["6.1"]
    assert calls.submit is not None
    link = k.generation.submit_link
    flush = k.rows.layer(calls.submit_ops["flush"], link, nested=True).through
    read = k.rows.layer(calls.submit, link, nested=True).through
    assert flush.bytes > read.bytes
    assert "__send_empty_flush" in {s.function for s in flush.steps}
    assert "__send_empty_flush" not in {s.function for s in read.steps}


@pytest.mark.parametrize(
    ("kernel", "kind", "op", "measured"),
    [
        # bytes from submit_bio_noacct(_nocheck) down, as the stack tracer of a running 6.1 saw them
        ("linux-6.1-x86_64", "dm-linear", "read", 96 + 32 + 128 + 32 + 88 + 104 + 48),
        ("linux-6.1-x86_64", "dm-crypt", "read", 96 + 32 + 128 + 48 + 40 + 32 + 32 + 88 + 104 + 48),
        (
            "linux-6.1-x86_64",
            "dm-raid1",
            "read",
            96 + 32 + 128 + 48 + 8 + 88 + 184 + 280 + 32 + 88 + 104 + 48,
        ),
        (
            "linux-6.1-x86_64",
            "dm-thin",
            "read",
            96 + 32 + 128 + 48 + 128 + 88 + 120 + 72 + 24 + 48 + 40 + 80 + 96 + 48,
        ),
        ("linux-6.1-i386", "dm-linear", "read", 60 + 72 + 20 + 116 + 28 + 20 + 60 + 80 + 8),
        (
            "linux-6.1-i386",
            "dm-raid1",
            "read",
            60 + 72 + 20 + 116 + 28 + 20 + 68 + 112 + 188 + 28 + 44 + 64 + 8,
        ),
        (
            "linux-6.1-i386",
            "dm-thin",
            "read",
            60 + 72 + 20 + 116 + 28 + 96 + 44 + 72 + 96 + 48 + 28 + 40 + 20 + 16 + 56 + 56 + 8,
        ),
    ],
)
def test_peak_bounds_what_was_measured(kernel: str, kind: str, op: str, measured: int) -> None:
    k = load_kernel(kernel)
    calls = KINDS[kind].calls["6.1"]
    path = calls.submit_ops.get(op, calls.submit)
    assert path is not None
    peak = k.rows.layer(path, k.generation.submit_link, nested=True).peak.bytes
    assert measured <= peak <= 1.25 * measured


def test_thin_leaves_new_blocks_to_the_pool() -> None:
    thin = KINDS["dm-thin"]
    for word, writes in (("mapped", False), ("unmapped", True)):
        calls = thin.calls_for("6.1", {"blocks": word})
        assert calls is not None
        assert ("write" in calls.worker) is writes
        assert {"flush", "fua", "discard"} <= set(calls.worker)
        assert "read" not in calls.worker


def test_md_under_dm_keeps_the_personality() -> None:
    k = load_kernel("linux-6.1-x86_64")
    calls = KINDS["dm-raid1"].calls["6.1"]
    assert calls.submit is not None and calls.endio is not None
    link = k.generation.submit_link
    names = [s.function for s in k.rows.layer(calls.submit, link, nested=True).through.steps]
    assert names.index("raid_map") < names.index("raid1_make_request")
    assert "md_submit_bio" not in names
    ends = [s.function for s in k.rows.layer(calls.endio, "bio_endio", nested=True).through.steps]
    assert ends.count("bio_endio") == 2  # md's bio, then dm's clone
