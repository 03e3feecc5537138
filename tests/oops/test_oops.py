"""Stack traces: out of any text, explained by layer, and judged."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from typer.testing import CliRunner

from blockstack.base.errors import BlockstackError
from blockstack.cli import app
from blockstack.kernel import load_kernel, read_frames
from blockstack.kernel.owners import by_file, owner_of
from blockstack.oops.explain import best_kernel, explain_oops
from blockstack.oops.log_lines import bare
from blockstack.oops.read import load_oopses, read_oopses

PUBLISHED = ROOT.parent / "shared" / "kernel" / "published"
needs_published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason="the published traces are not beside the checkout"
)
TABLE = """\
        Depth    Size   Location    (6 entries)
        -----    ----   --------
  0)     1000      48   mempool_alloc+0x12/0x100
  1)      952     152   crypt_map+0xad/0xf0 [dm_crypt]
  2)      800     200   __map_bio+0x4d/0x120 [dm_mod]
  3)      600     100   submit_bio_noacct_nocheck+0x10/0x20
  4)      500     324   ext4_writepages+0x6d1/0xce0
  5)      176     176   ret_from_fork+0x1f/0x30
"""
OOPS = """\
do_IRQ: stack overflow: 492
 [<c0104e50>] show_trace+0x12/0x14
 [<c0104f10>] dump_stack+0x16/0x18
 [<c0106200>] do_IRQ+0xaf/0xd6
 [<c0104a3a>] common_interrupt+0x1a/0x20
 [<c0250001>] generic_make_request+0x14f/0x1b7
 [<c0250100>] ? stale_leftover+0x1/0x2
 [<c02f0002>] __map_bio+0x4c/0x93
 [<c02f0003>] dm_request+0xa0/0xbf
 [<c0250001>] generic_make_request+0x14f/0x1b7
 [<c0250002>] submit_bio+0x68/0x109
 =======================
"""


def prefixed(prefix, text=TABLE):
    return "".join(prefix + line for line in text.splitlines(keepends=True))


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "> ",
        "> > ",
        "[ 1234.567890] ",
        "[    0.123456][  T123] ",
        "<4>[   12.345678] ",
        "Nov 21 10:27:41 host kernel: [123.456789] ",
        "2025-05-25T10:00:00+0200 host kernel: ",
        "> [ 1234.567890] ",
        "JB> ",
    ],
)
def test_prefixes_of_logs_and_mail(prefix):
    for text, rows in ((TABLE, 6), (OOPS, 7)):
        (trace,) = read_oopses(prefixed(prefix, text))
        assert len(trace.rows) == rows, prefix
    assert trace.stated.bytes_left == 492


def test_table():
    (trace,) = read_oopses("Dear all,\n\n 1) a list of prose\n\n" + TABLE + "\nand 2) more\n")
    assert (trace.form, trace.used_bytes, trace.whole, trace.gaps) == ("table", 1000, True, ())
    assert [r.module for r in trace.rows] == ["", "dm_crypt", "dm_mod", "", "", ""]
    assert trace.line == 7


def test_report_without_figures():
    (trace,) = read_oopses(OOPS)
    assert trace.form == "calls" and trace.rows[0].function == "do_IRQ"
    assert [note.split()[:3] for note in trace.notes] == [
        ["1", "rows", "marked"],
        ["2", "rows", "of"],
    ]
    assert "stale_leftover" not in {r.function for r in trace.rows}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (" dump_fs+0x1/0x2", "dump_fs"),
        (" ? f+0x1/0x2 [xfs]", None),
        (" [<ffffffff8111>] f+0x1/0x2 [xfs]", "f"),
        (" f.isra.0+0x1/0x2", "f.isra.0"),
        (" <ffffffff8010e5c2>{system_call+126}", "system_call"),
        (" f+0x1/0x2 [nvme 12ab34cd]", "f"),
        (" [<0>] wait+0x1/0x2", "wait"),
        (" f+0x1/0x2 (unreliable)", "f"),
        (" <TASK> f+0x1/0x2", "f"),
        (" [<c01>] (f+0x1/0x2) from [<c02>] (g+0x1/0x2)", "f"),
    ],
)
def test_forms_of_a_call(line, name):
    text = f"Call Trace:\n a+0x1/0x2\n{line}\n b+0x1/0x2\n"
    names = [r.function for trace in read_oopses(text) for r in trace.rows]
    assert name is None or name in names


def test_places_of_a_row():
    (trace,) = read_oopses(
        TABLE.replace("crypt_map+0xad/0xf0", "crypt_map")
        .replace("__map_bio+0x4d/0x120", "0xc00000000f16b100")
        .replace("[dm_mod]", "")
    )
    assert [r.function for r in trace.rows[1:3]] == ["crypt_map", "0xc00000000f16b100"]
    assert trace.rows[1].module == "dm_crypt"


def test_several_traces_in_a_file():
    traces = read_oopses(
        TABLE + "\n" + TABLE + "\nprose\n" + OOPS + "\nCall Trace:\n a+0x1/0x2\n"
        " b+0x1/0x2\n\nCall Trace:\n c+0x1/0x2\n d+0x3/0x4\n"
    )
    assert [t.form for t in traces] == ["table", "table", "calls", "calls", "calls"]
    assert [t.stated.bytes_left for t in traces] == [None, None, 492, None, None]


@pytest.mark.parametrize("cut", ["....\n", " ...\n", "[...]\n", "[snip]\n", "\n", ""])
def test_rows_that_were_cut_out(cut):
    lines = TABLE.splitlines(keepends=True)
    (trace,) = read_oopses("".join(lines[:3]) + cut + "".join(lines[5:]))
    assert trace.gaps == ((0, 352),) and not trace.whole
    found = explain_oops(trace)
    assert sum(c.bytes for c in found.layers) == found.used_bytes == 1000
    assert "they keep 352 bytes" in " ".join(found.notes)


def test_a_cut_end():
    (trace,) = read_oopses("".join(TABLE.splitlines(keepends=True)[:5]))
    assert not trace.whole and "600 bytes lie outside" in trace.notes[0]
    (late,) = read_oopses("".join(TABLE.splitlines(keepends=True)[4:]))
    assert late.notes == ("starts at row 2",)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        (TABLE.replace("952     152", "952     151"), "add up", 5),
        (TABLE.replace("952     152", "952     953"), "larger than the stack", 4),
        (TABLE.replace("952     152", "9x2     152"), "not a row", 4),
        (TABLE.replace("800     200", "980     200"), "add up", 5),
        (TABLE.replace("crypt_map+0xad/0xf0", "!!"), "not a row", 4),
    ],
)
def test_rows_that_cannot_be(text, words, line):
    with pytest.raises(BlockstackError, match=words) as caught:
        read_oopses(text, "mail.txt")
    assert caught.value.path == f"mail.txt:{line}"


def test_no_trace(tmp_path):
    for text in ("", "hello\n", "1) first\n2) second\n", "said: do_IRQ: stack overflow: 9\n"):
        with pytest.raises(BlockstackError, match="no stack trace"):
            read_oopses(text)
    with pytest.raises(BlockstackError, match="cannot be read"):
        load_oopses(tmp_path / "none")
    binary = tmp_path / "b"
    binary.write_bytes(b"\x7fELF\0\0")
    with pytest.raises(BlockstackError, match="not text"):
        load_oopses(binary)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text(text):
    try:
        read_oopses(text)
    except BlockstackError as error:
        assert error.path.startswith("oops")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.sampled_from([TABLE, OOPS, TABLE + OOPS]), st.data())
def test_damaged_traces(text, data):
    """Any damage to a trace: read, or refused with a line; explained without a crash."""
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        more = data.draw(st.sampled_from(["", "9", "\n", "0)", " ", "....\n", "\x00é", "+0x"]))
        text = text[:at] + more + text[at + data.draw(st.integers(0, 12)) :]
    try:
        found = [explain_oops(trace) for trace in read_oopses(text)]
    except BlockstackError as error:  # of a line, or more bytes left than the stack has
        assert error.path.startswith("oops:") or error.path in ("oops", "bytes left")
        return
    for one in found:
        json.dumps(one.to_dict())
        assert one.used_bytes is None or one.used_bytes >= 0


@given(st.text(max_size=80))
def test_prefixes_are_taken_off_once_and_for_all(line):
    assert bare(bare(line)) == bare(line)


def test_layers():
    def of(name, module="", table=None):
        owner = owner_of(name, module, table)
        return owner.layer, owner.role, owner.how

    assert of("crypt_map") == ("dm-crypt", "stacked", "file")
    assert of("make_request") == ("md", "stacked", "file")  # every personality has one
    assert of("ata_qc_issue")[0] == "ata" and of("blk_mq_submit_bio")[0] == "block layer"
    assert of("anything", "raid1") == ("md-raid1", "stacked", "module")
    assert of("xlog_something_new") == ("xfs", "source", "name")
    assert of("nobody", "zoo") == ("zoo", "unknown", "module")
    assert of("nobody") == ("unknown", "unknown", "unknown")
    assert of("nobody", "vmlinux")[1] == "unknown"
    assert by_file("drivers/md/dm-linear.c").layer == "dm-linear"
    assert by_file("drivers/md/raid10.c").layer == "md-raid10"
    assert by_file("fs/newfs/inode.c").layer == "newfs"
    assert by_file("drivers/block/newdisk.c").layer == "newdisk"
    assert by_file("somewhere") is None


def test_explained_table():
    (trace,) = read_oopses("THREAD_SIZE: 4096\n" + TABLE)
    found = explain_oops(trace, kernel=load_kernel("linux-6.1-x86_64"))
    rows = {r.function: r for r in found.rows}
    assert rows["crypt_map"].layer == "dm-crypt" and rows["__map_bio"].layer == "dm"
    assert rows["mempool_alloc"].static_bytes == load_kernel("linux-6.1-x86_64").rows.table.frame(
        "mempool_alloc"
    )
    assert rows["ret_from_fork"].static_how == "root"
    assert (found.thread_size_bytes, found.limit_bytes, found.fits) == (4096, 4088, True)
    assert found.target_bytes is None and found.remedies == ()
    assert sum(c.bytes for c in found.layers) == 1000


def test_what_to_leave_out():
    """dm goes with its rows and its link; what allocates takes what it called with it."""
    body = TABLE.splitlines(keepends=True)[2:]
    deeper = [re.sub(r"\) +\d+", lambda m: f")     {int(m[0][1:]) + 7300}", line) for line in body]
    root = "  5)     7476    7476   ret_from_fork+1\n"
    text = "THREAD_SIZE: 8192\n" + "".join(deeper[:-1]) + root
    (trace,) = read_oopses(text)
    found = explain_oops(trace, kernel=load_kernel("linux-6.1-x86_64"))
    assert found.used_bytes == 8300 and found.fits is False and found.target_bytes == 8184
    left = {r.layers: (r.how, r.left_bytes, r.fits) for r in found.remedies}
    assert left[("dm-crypt",)] == (("off",), 8100, True)
    assert left[("dm",)] == (("off",), 7900, True)


def test_recursive_layers_go_with_their_link():
    (trace,) = read_oopses(OOPS.replace("492", "100"))
    found = explain_oops(trace, kernel=load_kernel("linux-2.6.18-i386-4k"))
    assert found.used_source == "bytes left" and found.used_bytes == 4096 - 56 - 100
    assert found.fits is True and "shares below are scaled" in " ".join(found.notes)
    with pytest.raises(BlockstackError, match="more bytes left"):
        explain_oops(
            read_oopses(OOPS.replace("492", "9000"))[0], kernel=load_kernel("linux-2.6.18-i386-4k")
        )


def test_interrupts_leave_a_stack_that_is_too_small_for_them():
    (trace,) = read_oopses(
        "# arch: i386   THREAD_SIZE: 8192\n# kernel: 2.6.19-rc6\n" + OOPS.replace("492", "3376")
    )
    found = explain_oops(trace)
    assert found.kernel.startswith("linux-2.6.18") and found.used_bytes == 8136 - 3376
    by_size = {v.thread_size_bytes: v for v in found.sizes}
    assert by_size[8192].used_bytes == 4760 and by_size[8192].fits
    assert by_size[4096].used_bytes <= 4760 and "stacks of their own" in by_size[4096].note


def test_the_kernel_of_the_stated_version_and_architecture():
    (trace,) = read_oopses("# arch: ppc64\n" + TABLE)
    assert best_kernel(trace) is None
    found = explain_oops(trace)
    assert found.kernel == "" and found.rows[0].static_bytes is None and found.known == 0
    (trace,) = read_oopses("# arch: i386\n# kernel: 2.6.26\n" + TABLE)
    assert best_kernel(trace).generation.name == "2.6.24"


LIST = (
    "0xffffffff81e3db07 get_next_block [vmlinux]:            1976\n"
    "0xffffffff8130b9bd crypt_map [dm_crypt]:   48\n"
    "0xffffffff8130b9be odd [vmlinux]: Dynamic (%rax)\n"
)
USAGE = (
    "drivers/md/dm.c:12:5:__map_bio\t64\tstatic\nfs/ext4/inode.c:1:2:ext4_writepages\t400\tstatic\n"
)


def test_lists_as_traces_and_as_kernels(tmp_path):
    (listed,) = read_oopses(LIST)
    assert listed.form == "frames" and listed.rows[2].bytes is None
    found = explain_oops(listed)
    assert found.used_bytes is None and found.fits is None and found.sizes == ()
    (tmp_path / "a.txt").write_text(LIST)
    table = read_frames(tmp_path / "a.txt")
    assert table.arch == "x86_64" and table.frame("get_next_block") == 1976
    assert table.find("odd") is None and table.meta["varying"] == ["odd"]
    (tmp_path / "b.su").write_text(USAGE)
    (trace,) = read_oopses(TABLE)
    rows = {r.function: r for r in explain_oops(trace, kernel=read_frames(tmp_path / "b.su")).rows}
    assert rows["__map_bio"].static_bytes == 64 and rows["__map_bio"].static_how == "frame"
    assert rows["crypt_map"].static_bytes is None
    (tmp_path / "c.txt").write_text(LIST + "not a line\n")
    with pytest.raises(BlockstackError, match=r"c\.txt:4: not a line of checkstack"):
        read_frames(tmp_path / "c.txt")
    with pytest.raises(BlockstackError, match="no such kernel"):
        read_frames(tmp_path / "none")


def run(*words):
    return CliRunner().invoke(app, ["explain", *map(str, words)])


def test_command_line(tmp_path):
    file = tmp_path / "t.txt"
    file.write_text(TABLE)
    shown = run("--oops", file)
    assert (
        shown.exit_code == 0
        and "dm-crypt" in shown.output
        and "What the layers cost" in (shown.output)
    )
    data = json.loads(run("--oops", file, "--json", "--kernel", "linux-6.1-x86_64").stdout)
    (one,) = data["traces"]
    assert one["used_bytes"] == 1000 and one["kernel"] == "linux-6.1-x86_64"
    (tmp_path / "k.su").write_text(USAGE)
    assert run("--oops", file, "--kernel", tmp_path / "k.su").exit_code == 0
    piped = CliRunner().invoke(app, ["explain", "--oops", "-", "--json"], input=TABLE)
    assert json.loads(piped.stdout)["traces"][0]["used_bytes"] == 1000
    called_before = run("--trace", file)
    assert called_before.stdout == shown.stdout and "--trace" not in run("--help").output
    file.write_text(OOPS.replace("492", "0"))
    assert run("--oops", file, "--kernel", "linux-2.6.18-i386-4k").exit_code == 0
    file.write_text(LIST)
    assert run("--oops", file).exit_code == 3
    file.write_text("".join(TABLE.replace("0)     1000      48", "0)     9000    8048")))
    assert run("--oops", file, "--thread-size", "8 KiB").exit_code == 1


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--oops", "none.txt"),
        ("recursive", "--oops", "none.txt"),
        ("--oops", __file__, "--kernel", "none"),
        ("--oops", __file__, "--thread-size", "5 KiB"),
    ],
)
def test_command_line_refuses(words):
    found = run(*words)
    assert found.exit_code == 2 and "error:" in found.output


@needs_published
@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.txt")), ids=lambda p: p.stem)
def test_published(path):
    text = path.read_text()
    (trace,) = load_oopses(path)
    found = explain_oops(trace)
    stated = re.search(r"# stated_max: (\d+)", text)
    if stated:
        assert found.used_bytes == int(stated[1]) == sum(c.bytes for c in found.layers)
        assert trace.whole == ("complete: yes" in text)
    derived = re.search(r"derived_used: (\d+)", text)
    if derived:
        assert found.used_bytes == int(derived[1])
        four = next(v for v in found.sizes if v.thread_size_bytes == 4096)
        assert four.used_bytes <= found.used_bytes  # the interrupts have stacks of their own
    for size in re.findall(r"would overflow an (\d)K stack", text):
        verdict = next(v for v in found.sizes if v.thread_size_bytes == 1024 * int(size))
        assert verdict.fits is False
        assert any(r.fits for r in found.remedies)
    rows = [r for r in found.rows if r.role == "unknown"]
    assert len(rows) <= max(5, len(found.rows) // 5), [r.function for r in rows]
