"""Reports of stacks by whatever wrote them: rows, what they state, and the depth that it proves."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from report_texts import (
    ARM,
    ARM64,
    CRASH,
    CRASH_NMI,
    DECODED,
    DOUBLE_FAULT,
    FUNCTIONS,
    GREATEST,
    GUARD_PAGE,
    HASHED,
    I386_OVERRAN,
    INCLUSIVE,
    KASAN,
    KLOGD,
    PERF,
    PPC64,
    PPC64_OVERFLOW,
    RISCV,
    S390,
    TEXTS,
    X86_64_2_6,
)
from typer.testing import CliRunner

from blockstack.cli import app
from blockstack.oops.explain import explain_oops
from blockstack.oops.read import load_oopses, read_oopses

CASES = ROOT.parent / "shared" / "cases" / "oops"
needs_cases = pytest.mark.skipif(
    not CASES.is_dir(), reason="the collected reports are not beside the checkout"
)
LOG_PREFIXES = (
    "[ 2893.044339] ",
    "[   12.345678][    C3] ",
    "[  100.859714] [ T459] ",
    "<4>[ 2893.044339] ",
    "[Sat Nov 29 10:11:12 2025] ",
    "Nov 29 10:11:12 box kernel: [ 2893.044339] ",
    "Nov 29 10:11:12 box [ 2893.044339] ",
    "Nov 29 10:11:12 box ",
    "Nov  9 10:11:12 box klogd[12]: ",
    "2025-11-29T10:11:12.123456+01:00 box kernel: ",
    "2025-11-29T10:11:12Z ",
    "<4>1 2025-11-29T10:11:12Z box kernel - - - ",
    "4,1234,2893044339,-;",
    "kern  :warn  : [ 2893.044339] ",
    "11-29 10:11:12.123  0  0 W kernel  : ",
    "console_1  | ",
    "> > [ 2893.044339] ",
    "",
)


def functions(text):
    return [row.function for trace in read_oopses(text) for row in trace.rows]


def explained(text, **options):
    (trace,) = read_oopses(text)
    return explain_oops(trace, **options)


def prefixed(prefix, text):
    return "".join(prefix + line for line in text.splitlines(keepends=True))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_rows_of_every_form(name):
    assert " ".join(functions(TEXTS[name])) == FUNCTIONS[name]


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(FUNCTIONS)), st.sampled_from(LOG_PREFIXES))
def test_any_logs_prefix_before_any_form(name, prefix):
    assert " ".join(functions(prefixed(prefix, TEXTS[name]))) == FUNCTIONS[name]


#: forms with three rows in a row, so that a prefix that nobody knows can be learned
LEARNABLE = sorted(set(FUNCTIONS) - {"RISCV", "KLOGD_2_4", "DRGN", "CRASH_NMI", "PERF", "FTRACE"})


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(LEARNABLE),
    st.from_regex(r"\A[g-z]{3,6}[/=;@][g-z]{4}(?: \([g-z]{3}\))?[|:] \Z", fullmatch=False),
    st.booleans(),
)
def test_a_prefix_that_nobody_knows_is_learned(name, prefix, counted):
    lines = TEXTS[name].splitlines()
    text = "\n".join(f"{n * counted}{prefix}{line}" for n, line in enumerate(lines, 7))
    assert " ".join(functions(text)) == FUNCTIONS[name]


@pytest.mark.parametrize("key", ["MESSAGE", "log", "msg"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_records_of_json(name, key):
    lines = TEXTS[name].splitlines()
    records = [{"PRIORITY": "3", key: line} for line in lines]
    text = "\n".join(json.dumps(record) for record in records)
    for form in (text, json.dumps(records, indent=1)):
        assert " ".join(functions(form)) == FUNCTIONS[name]


def test_journald_writes_bytes_and_fields():
    raw = "\n".join(json.dumps({"MESSAGE": list(s.encode())}) for s in DECODED.splitlines())
    fields = "".join(f"_BOOT_ID=1\nMESSAGE={line}\n\n" for line in DECODED.splitlines())
    assert functions(raw) == functions(fields) == functions(DECODED)


@pytest.mark.parametrize("text", [GUARD_PAGE, INCLUSIVE])
def test_a_guard_page_that_was_hit(text):
    """16,384 bytes down to RSP; the rows explain some, the pointer's row none in its prologue."""
    found = explained(text)
    assert (found.used_bytes, found.used_source, found.limit_bytes) == (
        16384,
        "stack pointer",
        16376,
    )
    assert found.overflowed and found.fits is False and not found.exact
    rows = {r.function: r for r in found.rows}
    assert rows["crypt_map"].static_bytes == 0 and found.rows[0] is rows["crypt_map"]
    assert 0 < found.explained_bytes == sum(r.static_bytes or 0 for r in found.rows)
    assert found.explained_bytes + found.unexplained_bytes == 16384
    notes = " ".join(found.notes)
    assert "guard page was hit" in notes and f"no row explains {found.unexplained_bytes:,}" in notes


def test_a_guard_page_by_its_registers():
    """CR2 below RSP's page says the same where the bounds are hashed, or nothing is said."""
    for text in (HASHED, DOUBLE_FAULT):
        found = explained(text)
        assert (found.used_bytes, found.overflowed, found.fits) == (16384, True, False)
        assert "8 bytes below the stack pointer" in " ".join(found.notes)
    assert "hashed" in " ".join(explained(HASHED).notes)
    elsewhere = DOUBLE_FAULT.replace("CR2: ffffb80001243ff8", "CR2: ffffb80001143ff8")
    assert not explained(elsewhere).overflowed


def test_registers_after_a_report_are_not_the_next_ones():
    first, second = read_oopses(GUARD_PAGE + "Call Trace:\n a+0x1/0x2\n b+0x1/0x2\n")
    assert first.rows[0].function == "crypt_map" and second.rows[0].function == "a"
    assert second.stated.pointer is None and not second.stated.overflow


def test_a_larger_stack_is_judged_by_its_own_size():
    found = explained(KASAN)
    assert (found.thread_size_bytes, found.used_bytes) == (32768, 0xAF8000 - 0xAEFFE0)
    assert found.fits is False and "2 rows marked [inline]" in " ".join(found.notes)
    assert found.rows[0].static_bytes != 0  # past its prologue


@pytest.mark.parametrize(
    ("text", "arch"),
    [(ARM64, "arm64"), (RISCV, "riscv"), (PPC64, "ppc64"), (S390, "another"), (ARM, "arm")],
)
def test_other_architectures_are_not_judged_with_tables_of_x86(text, arch):
    found = explained(text)
    assert found.arch == arch and found.kernel == "" and found.static_bytes == 0
    assert all(r.static_bytes is None for r in found.rows) and found.fits is not True
    assert "not judged with those of x86" in " ".join(found.notes)
    assert explained(text, kernel=None, thread_size_bytes=16384).fits is not True or arch == "ppc64"


def test_overflows_of_other_architectures():
    found = explained(ARM64)
    assert (found.used_bytes, found.limit_bytes) == (0x4000 - 0x40, 0x4000)
    assert found.overflowed and found.fits is False and not found.remedies
    assert explained(RISCV).used_bytes == 0x4000 + 0x20
    for text in (PPC64_OVERFLOW, ARM):
        assert explained(text).overflowed and explained(text).fits is False


def test_frames_by_the_rows_own_stack_pointers():
    rows = explained(PPC64).rows
    assert [r.bytes for r in rows] == [272, 128, 416, None]
    assert rows[0].stack_pointer == "0xc000000012a0b4c0"
    for text in (CRASH, CRASH_NMI):
        found = explained(text)
        assert [r.bytes for r in found.rows] == [136, 24, 24, 1208, 176]
        assert found.used_bytes == 0xC000 - 0xB9E0 == found.explained_bytes
        assert found.exact and found.fits is True
    assert "on the stack of an exception" in " ".join(explained(CRASH_NMI).notes)


def test_the_pointer_and_the_thread_info_give_the_depth():
    found = explained(KLOGD)
    assert (found.thread_size_bytes, found.used_bytes) == (8192, 0x2000 - 0x1A90)
    four = explained(KLOGD.replace("f6a4a000", "f6a4b000"))  # 8 KiB cannot begin there
    assert (four.thread_size_bytes, four.used_bytes) == (4096, 0x1000 - 0xA90)
    old = explained(X86_64_2_6)
    assert (old.thread_size_bytes, old.used_bytes) == (8192, 0x2000 - 0x1A98)
    assert [r.module for r in old.rows] == ["dm_mod", "", "dm_mod", "", ""]


def test_a_stack_that_was_overrun():
    found = explained(I386_OVERRAN)
    assert found.overflowed and found.fits is False and found.used_bytes == 8192 - 0x30
    assert "taken for 8,192 bytes" in " ".join(found.notes)


def test_the_greatest_depth_of_a_boot():
    found = explained(GREATEST)
    assert (found.form, found.rows, found.title) == ("stated", (), GREATEST.splitlines()[1])
    assert found.used_bytes == found.limit_bytes - 1016 and found.fits is True
    notes = " ".join(found.notes)
    assert "1 more lines" in notes and "tells its architecture" in notes
    assert [t.form for t in read_oopses(GREATEST + DECODED)] == ["calls", "stated"]
    assert read_oopses(GREATEST + DECODED)[0].stated.bytes_left is None


def test_bytes_left_below_nothing():
    found = explained("do_IRQ: stack overflow: -24\n", thread_size_bytes=8192)
    assert found.used_bytes == found.limit_bytes + 24 and found.fits is False


def test_an_overflow_without_a_row():
    found = explained("Kernel panic - not syncing: kernel stack overflow\n")
    assert found.overflowed and found.fits is False and found.of == 0


def test_recursion_is_named():
    (one,) = explained(S390).recursion
    assert one.functions == ("generic_make_request", "__clone_bio_x", "dm_split_x")
    assert one.times == 2
    turns = "".join(f" {f}+0x1/0x9\n" for f in ["top", *["a", "b"] * 5, "c", "d", "c", "e"])
    found = explained("Call Trace:\n" + turns).recursion
    assert [(r.functions, r.times) for r in found] == [(("a", "b"), 5), (("c",), 2)]
    assert explained(PERF).recursion == ()


def test_a_part_of_a_chain_is_no_whole_depth():
    found = explained(PERF)
    assert found.used_source == "static" and not found.exact and found.fits is None
    assert "is no entry code" in " ".join(found.notes)


def test_a_guess_is_told():
    found = explained(
        "Call Trace:\n submit_bio+0x1/0x2\n kthread+0x1/0x2\n ret_from_fork+0x1/0x2\n"
    )
    assert found.arch == "" and found.fits is None
    assert "tells its architecture: taken for" in " ".join(found.notes)


def test_exit_status_and_headline(tmp_path):
    file = tmp_path / "report.txt"
    for text, status, words in (
        (GUARD_PAGE, 1, "overflowed"),
        (ARM64, 1, "overflowed"),
        (PPC64_OVERFLOW, 1, "overflowed"),
        (PPC64, 3, "at least"),
        (S390, 3, "cannot tell the depth"),
        (CRASH, 0, "fits"),
        (GREATEST, 0, "fits"),
    ):
        file.write_text(text)
        shown = CliRunner().invoke(app, ["explain", "--oops", str(file)])
        assert (shown.exit_code, words in shown.output) == (status, True), shown.output


#: what each collected report is: overflowed, its depth (None: not told), functions at its ends
EXPECTED = {
    "01-guard-page-x86_64": (True, 16384, "blk_mq_submit_bio", "ret_from_fork"),
    "02-overflow-arm64": (True, 16176, "el1h_64_sync", "kthread"),
    "03-syzbot": (True, 32792, "blk_mq_submit_bio", "entry_SYSCALL_64_after_hwframe"),
    "04-decode_stacktrace": (False, None, "blk_mq_submit_bio", "iomap_writepages"),
    "05-crash-bt": (False, 15960, "__schedule", "ret_from_fork"),
    "06-ppc64-sp": (False, 1440, "__list_add_valid_or_report", "start_kernel_thread"),
    "08-klogd-2.6.9": (False, 652, "do_origin", "kernel_thread_helper"),
    "09-ksymoops-2.4": (False, None, "call_do_IRQ", "ext3_get_block_handle"),
    "11-perf-script": (False, None, "submit_bio_noacct_nocheck", "submit_bio"),
    "12-syslog-no-tag": (False, None, "dm_request", "sysenter_past_esp"),
    "13b-s390-readable": (False, None, "__map_bio", "generic_make_request"),
    "14-greatest-stack-depth": (False, 16376 - 720, "", ""),
    "15-guard-page-6.2-hashed": (True, 16384, "exc_int3", "preempt_count_sub"),
}


@needs_cases
@pytest.mark.parametrize("name", EXPECTED)
def test_collected_reports(name):
    (trace,) = load_oopses(CASES / f"{name}.txt")
    found = explain_oops(trace)
    overflowed, depth, inner, outer = EXPECTED[name]
    assert found.overflowed is overflowed and (found.fits is False) is overflowed
    assert depth is None or found.used_bytes == depth
    assert not found.rows or (found.rows[0].function, found.rows[-1].function) == (inner, outer)
    rows = {r.function: r.bytes for r in found.rows}
    if name.startswith("01"):
        assert (found.explained_bytes, found.unexplained_bytes) == (1784, 14600)
    if name.startswith("05"):
        assert rows["schedule"] == 32
    if name.startswith("06"):
        assert (rows["raid5_make_request"], rows["md_handle_request"]) == (320, 144)
    if name[:2] in ("13", "15"):
        assert found.recursion
