"""Frames out of machine code: against gcc's own account, against counts by hand, on garbage."""

import gzip
import json
import random
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
from pace import one_quick
from places import ROOT
from typer.testing import CliRunner

from blockstack.base.errors import BlockstackError
from blockstack.cli import app
from blockstack.kernel.extract import vmlinuz
from blockstack.kernel.extract.build import collect, extract, write_table
from blockstack.kernel.extract.compare import compare
from blockstack.kernel.extract.elf import load_elf
from blockstack.kernel.extract.sources import module_file, module_name
from blockstack.kernel.extract.vmlinuz import read_binary, with_symbols
from blockstack.kernel.names import base_name
from blockstack.kernel.table import load_table

CORPUS = ROOT / "tests/corpus"
SHARED = ROOT.parent / "shared" / "kernel" / "frames"
BITS64 = "-m64 -mcmodel=kernel -mno-red-zone -mno-sse -mpreferred-stack-boundary=3"
BITS32 = "-m32 -mregparm=3 -mpreferred-stack-boundary=2"
COMMON = (
    "-w -ffreestanding -fno-pic -fno-pie -fno-stack-protector "
    "-fno-asynchronous-unwind-tables -fcf-protection=none"
)
RETPOLINE = f"{BITS64} -mindirect-branch=thunk-extern -mfunction-return=thunk-extern"
VARIANTS = {
    "x86_64-O2": f"{BITS64} -O2",
    "x86_64-O0": f"{BITS64} -O0",
    "x86_64-Os-retpoline": f"{RETPOLINE} -Os",
    "x86_64-O3-frame-pointer": f"{BITS64} -O3 -fno-omit-frame-pointer",
    "i386-O2": f"{BITS32} -O2 -fomit-frame-pointer",
    "i386-O0": f"{BITS32} -O0",
    "i386-Os-frame-pointer": f"{BITS32} -Os -fno-omit-frame-pointer",
}
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc to compile the corpus")
pytest.importorskip("iced_x86", reason="the extra 'frames' is not installed")


@cache
def can_compile(flags: str) -> bool:
    """Whether this machine's gcc targets x86 with these flags."""
    with tempfile.TemporaryDirectory() as folder:  # gcc leaves its own accounts where it runs
        done = subprocess.run(
            ["gcc", *flags.split(), *COMMON.split(), "-x", "c", "-c", "-o", "/dev/null", "-"],
            input=b"int f;",
            capture_output=True,
            check=False,
            cwd=folder,
        )
    return done.returncode == 0


def compiled(tmp_path: Path, source: Path, flags: str) -> Path:
    """An object file, its .su beside it."""
    if not can_compile(flags):
        pytest.skip(f"gcc does not take {flags}")
    out = tmp_path / f"{source.stem}.o"
    extra = [] if source.suffix == ".s" else ["-fstack-usage"]
    subprocess.run(
        ["gcc", *flags.split(), *COMMON.split(), *extra, "-c", str(source), "-o", str(out)],
        cwd=tmp_path,
        check=True,
    )
    return out


def account(path: Path) -> dict[str, tuple[int, str]]:
    """A .su file: function to bytes and kind, clone suffixes off."""
    rows = (line.split("\t") for line in path.read_text().splitlines())
    return {
        base_name(name.split(":")[-1]).split(".")[0]: (int(size), how) for name, size, how in rows
    }


def frames(data: dict) -> dict[str, tuple[int, str]]:
    """Frame and kind by name, clone suffixes off."""
    return {name.split(".")[0]: (row[1], row[2]) for name, row in data["functions"].items()}


@needs_gcc
@pytest.mark.parametrize("variant", one_quick(VARIANTS))
def test_frames_equal_gcc(tmp_path: Path, variant: str) -> None:
    """At least 99.5 % of the frames; a realigned one within its padding and never less."""
    generated = tmp_path / "generated.c"
    generated.write_text(
        subprocess.run(
            [sys.executable, str(CORPUS / "generate.py"), "100", "11"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    rows = []
    for source in (CORPUS / "shapes.c", generated):
        out = compiled(tmp_path, source, VARIANTS[variant])
        found = frames(extract([out]))
        wanted = account(out.with_suffix(".su"))
        assert wanted.keys() <= found.keys()
        rows += [(name, *found[name], *wanted[name]) for name in wanted]
    assert len(rows) > 125
    # gcc leaves the padding of a realigned frame out of its figure; we count the worst case
    plain = [r for r in rows if r[2] != "aligned"]
    differ = [r for r in plain if r[1] != r[3]]
    assert len(plain) > 100
    assert len(differ) <= 0.005 * len(plain), differ
    assert all(0 <= ours - gcc < 64 for _, ours, kind, gcc, _ in rows if kind == "aligned")
    assert {kind for _, _, kind, _, how in rows if how == "dynamic"} == {"dynamic"}


@needs_gcc
@pytest.mark.parametrize("flags", [f"{BITS64} -O2", f"{BITS32} -O2"], ids=["x86_64", "i386"])
def test_where_gcc_is_not_the_whole_truth(tmp_path: Path, flags: str) -> None:
    """Realignment padding, pushes in assembly, edges that only tables show."""
    out = compiled(tmp_path, CORPUS / "beyond.c", flags)
    data = extract([out])
    found, gcc = frames(data), account(out.with_suffix(".su"))
    word = data["meta"]["pointer_bytes"]
    if word == 8:  # on i386 the pushed argument is as deep
        assert found["save_flags"][0] == gcc["save_flags"][0] + word
    assert 0 < found["aligned32"][0] - gcc["aligned32"][0] < 32
    assert found["aligned32"][1] == "aligned"
    assert found["in_a_loop"][1] == "dynamic"
    assert found["faults"][0] == gcc["faults"][0]
    # the slow side of a static key is entered by a nop only
    assert found["static_key"][0] == gcc["static_key"][0]
    assert data["calls"]["static_key"]["sink"] == found["static_key"][0]
    assert data["meta"]["counts"]["joins_in_doubt"] == 0


@needs_gcc
def test_calls_and_depths_per_site(tmp_path: Path) -> None:
    """On i386 the depth differs by call; tail calls leave nothing; pointers are counted."""
    data = extract([compiled(tmp_path, CORPUS / "shapes.c", f"{BITS32} -O2 -fomit-frame-pointer")])
    assert data["meta"]["arch"] == "i386"
    assert data["meta"]["pointer_bytes"] == 4
    calls, tail, functions = data["calls"], data["tail"], data["functions"]
    assert tail["tail_pointer"] == {"*": 0}
    assert data["indirect"]["pointer"]
    assert calls["cold"]["complain"] >= calls["cold"]["use"]
    assert calls["sites"]["sink"] == functions["sites"][1]
    assert calls["stops"]["never"] > 0
    assert functions["recursive"][1] >= calls["recursive"]["use"]
    assert not any(".cold" in name for name in functions)
    assert {c for c in calls["clones"] if c.startswith("specialised")} == {
        next(n for n in functions if n.startswith("specialised"))
    }


@needs_gcc
def test_by_hand_64(tmp_path: Path) -> None:
    """Stack switch, exact second alignment, thunks, ud2, noreturn, ftrace entry, cold part."""
    data = extract([compiled(tmp_path, CORPUS / "hand64.s", "-m64")])
    rows, calls, tail = data["functions"], data["calls"], data["tail"]
    assert rows["on_other_stack"][1:] == [16, "stack-switch"]
    # 16, worst padding 56, 72 more; the second alignment is then exact: 72 - 64 = 8 -> 24
    assert rows["aligned_twice"][1:] == [16 + 56 + 72 + 24, "aligned"]
    assert data["indirect"]["through_thunk"] == [32]
    assert tail["through_thunk"] == {"*": 0}
    assert "tail" not in rows
    assert "returns_by_thunk" not in tail
    assert calls["warns"] == {"other": 48}
    assert calls["stops"] == {"panic": 24}
    assert calls["after_stops"] == {"other": 8}
    assert calls["traced"] == {"traced_part.cold.target": 16, "complain": 32}
    assert rows["traced"][1] == 32


@needs_gcc
def test_by_hand_32(tmp_path: Path) -> None:
    """What a callee pops is off the caller's stack; a call to the next line is a push; and what
    `test_by_hand_64` has."""
    data = extract([compiled(tmp_path, CORPUS / "hand32.s", "-m32")])
    rows, calls, tail = data["functions"], data["calls"], data["tail"]
    assert rows["on_other_stack"][1:] == [8, "stack-switch"]
    # 8, worst padding 28, 72 more; the second alignment is then exact: 72 + 8 is 5 times 16
    assert rows["aligned_twice"][1:] == [8 + 28 + 72 + 8, "aligned"]
    assert data["indirect"]["through_thunk"] == [20]
    assert tail["through_thunk"] == {"*": 0}
    assert "returns_by_thunk" not in tail
    assert calls["stops"] == {"panic": 16}
    assert calls["traced"] == {"other": 8, "complain": 20}
    assert "traced.cold" not in rows
    assert calls["caller"] == {"pops_eight": 28, "plain": 24}
    assert rows["caller"][1] == 28
    assert rows["pops_eight"][1] == 8
    assert rows["plain"][1] == 8
    assert data["meta"]["counts"]["joins_in_doubt"] == 0


@needs_gcc
def test_written_table_loads_and_repeats(tmp_path: Path) -> None:
    """The file is of the shipped format, the same bytes each time, and knows no path."""
    out = compiled(tmp_path, CORPUS / "shapes.c", f"{BITS64} -O2")
    for name in ("a.json.gz", "b.json.gz", "c.json"):
        write_table(extract([out]), tmp_path / name)
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    text = gzip.decompress((tmp_path / "a.json.gz").read_bytes()).decode()
    assert str(tmp_path) not in text
    assert json.loads(text) == json.loads((tmp_path / "c.json").read_text())
    table = load_table(tmp_path / "a.json.gz")
    assert table.frame("leaf") == 8
    assert table.functions["locals"][0].endswith("shapes.c")
    assert table.meta["compiler"].startswith("GCC")
    with pytest.raises(BlockstackError, match="cannot be written"):
        write_table(extract([out]), tmp_path / "none" / "x.json.gz")


@needs_gcc
def test_two_definitions_of_a_name(tmp_path: Path) -> None:
    """An exported function keeps the plain name; the static one is told apart by its file."""
    objects = []
    for stem, text in (
        (
            "one",
            "static __attribute__((noinline)) int f(int a) { char b[64]; "
            "use(b); return *b; } int go1(int a) { return f(a) + 1; }",
        ),
        ("two", "int f(int a) { return a; }"),
    ):
        (tmp_path / f"{stem}.c").write_text(f"int use(void *); {text}\n")
        objects.append(compiled(tmp_path, tmp_path / f"{stem}.c", f"{BITS64} -O1"))
    data = extract(objects)
    assert data["functions"]["f"][1] == 8
    other = next(n for n in data["functions"] if n.startswith("f") and "one" in n)
    assert data["functions"][other][1] > 64
    assert list(data["calls"]["go1"]) == [other]


@needs_gcc
def test_gccs_own_files(tmp_path: Path) -> None:
    """.su gives frames, .ci frames and calls; neither is mixed with machine code."""
    out = compiled(tmp_path, CORPUS / "shapes.c", f"{BITS64} -O2 -fcallgraph-info=su")
    su = extract([out.with_suffix(".su")], kernel="Linux 6.1 (test)")
    assert su["meta"]["arch"] == "x86_64"
    assert su["meta"]["kernel"] == "Linux 6.1 (test)"
    ours = extract([out])
    ci = extract([out.with_suffix(".ci")])
    assert ci["functions"]["locals"][1:] == su["functions"]["locals"][1:]
    for caller, callees in ours["calls"].items():
        if caller in ci["calls"]:
            known = {c for c in callees if c in ci["functions"]}
            assert known <= ci["calls"][caller].keys(), caller
    assert extract([out.with_suffix(".su")], arch="i386")["meta"]["pointer_bytes"] == 4
    with pytest.raises(BlockstackError, match="not mixed"):
        extract([out, out.with_suffix(".su")])
    bad = tmp_path / "bad.su"
    bad.write_text("nonsense\n")
    with pytest.raises(BlockstackError, match=r"bad\.su:1"):
        extract([bad])


@pytest.mark.slow
@needs_gcc
def test_garbage_is_refused_politely(tmp_path: Path) -> None:
    """Truncated and garbled files: a table or a BlockstackError, nothing else."""
    out = compiled(tmp_path, CORPUS / "shapes.c", f"{BITS32} -O1 -g")
    whole = out.read_bytes()
    rng = random.Random(5)
    broken = tmp_path / "broken.o"
    refused = 0
    for turn in range(120):
        data = bytearray(whole)
        if turn % 3 == 0:
            data = data[: rng.randrange(len(data))]
        else:
            # headers and tables lie at both ends
            ends = [*range(16, 64), *range(len(data) - 1400, len(data))]
            places = ends if turn % 3 == 1 else range(4, len(data))
            for _ in range(rng.randrange(1, 12)):
                data[rng.choice(places)] = rng.randrange(256)
        broken.write_bytes(data)
        try:
            extract([broken])
        except BlockstackError as error:
            refused += 1
            assert "broken.o" in str(error)
    assert refused > 30


def test_what_is_not_a_kernel(tmp_path: Path) -> None:
    """Each with its path and a way out."""
    text = tmp_path / "vmlinux"
    text.write_text("hello")
    with pytest.raises(BlockstackError, match="neither an ELF file nor a kernel image"):
        extract([text])
    with pytest.raises(BlockstackError, match="no such file"):
        extract([tmp_path / "missing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BlockstackError, match="has no vmlinux"):
        extract([tmp_path / "empty"])
    with pytest.raises(BlockstackError, match="nothing to extract"):
        extract([])
    with pytest.raises(BlockstackError, match="not an ELF"):
        load_elf(b"MZ" + bytes(600), "x.ko")
    arm = bytearray(64)
    arm[:6] = b"\x7fELF\x02\x01"
    arm[16:20] = b"\x01\x00\xb7\x00"
    with pytest.raises(BlockstackError, match="another machine"):
        load_elf(bytes(arm), "arm.ko")
    for magic in (b"\xfd7zXZ\0", b"\x1f\x8b"):
        (tmp_path / "x.ko.xz").write_bytes(magic + b"garbage")
        with pytest.raises(BlockstackError, match="cannot be read"):
            read_binary(tmp_path / "x.ko.xz")


def test_missing_extra_names_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No decoder, no symbol finder: the error says what to install."""
    monkeypatch.setitem(sys.modules, "vmlinux_to_elf.core.auto_unpack", None)
    image = bytearray(1024)
    image[0x202:0x206] = b"HdrS"
    with pytest.raises(BlockstackError, match=r"pip install '\.\[frames\]'"):
        with_symbols(bytes(image), "vmlinuz")
    monkeypatch.setitem(sys.modules, "iced_x86", None)
    path = tmp_path / "a.o"
    path.write_bytes(b"\x7fELF\x02\x01" + bytes(10) + b"\x01\x00\x3e\x00" + bytes(44))
    with pytest.raises(BlockstackError, match=r"pip install '\.\[frames\]'"):
        extract([path])


def test_boot_image_packed_by_lz4() -> None:
    """The legacy format of CONFIG_KERNEL_LZ4, in blocks of 8 MiB."""
    block = pytest.importorskip("lz4.block")
    inside = bytes(9 << 20) + b"the end"
    packed = b"\x02\x21\x4c\x18"
    for part in (inside[: 8 << 20], inside[8 << 20 :]):
        chunk = block.compress(part, store_size=False)
        packed += len(chunk).to_bytes(4, "little") + chunk
    packed += len(inside).to_bytes(4, "little")
    image = bytearray(1024 + 300) + packed + bytes(64)
    image[0x1F1] = 1
    image[0x202:0x206] = b"HdrS"
    image[0x248:0x250] = (300).to_bytes(4, "little") + len(packed).to_bytes(4, "little")
    assert vmlinuz._lz4_payload(bytes(image)) == inside
    image[1024 + 300] = 0
    assert vmlinuz._lz4_payload(bytes(image)) is None


def test_module_names_and_folders(tmp_path: Path) -> None:
    """Modules are filed as the shipped tables do; a package's folder is searched."""
    assert module_name("x/dm-mod.ko.xz") == "dm_mod"
    assert module_file("/lib/modules/6.1/kernel/drivers/md/dm-mod.ko") == "drivers/md/[dm_mod.ko]"
    for name in ("boot/vmlinuz-6.1", "boot/System.map-6.1", "lib/kernel/fs/a.ko", "lib/b.ko.xz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in collect([tmp_path])] == ["vmlinuz-6.1", "b.ko.xz", "a.ko"]


@needs_gcc
def test_compare_and_commands(tmp_path: Path) -> None:
    """The commands write a table, compare two, and fail with status 2."""
    folder = tmp_path / "kernel" / "fs"
    folder.mkdir(parents=True)
    for turn, size in (("a", 40), ("b", 104)):
        (tmp_path / "m.c").write_text(
            f"int use(void *); int grows(int a) {{ char b[{size}]; "
            "use(b); return *b; } int stays(int a) { return a; }\n"
        )
        out = compiled(tmp_path, tmp_path / "m.c", f"{BITS64} -O2")
        shutil.copy(out, folder / "m.ko")
        done = CliRunner().invoke(
            app,
            [
                "kernel",
                "extract",
                str(folder / "m.ko"),
                "-o",
                str(tmp_path / f"{turn}.json.gz"),
                "--name",
                "Linux 6.1",
                "--json",
            ],
        )
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["meta"]["kernel"] == "Linux 6.1"
    tables = [str(tmp_path / f"{t}.json.gz") for t in "ab"]
    done = CliRunner().invoke(app, ["kernel", "compare", *tables, "--json"])
    found = json.loads(done.stdout)
    assert (found["in_both"], found["equal"], found["grew"], found["shrank"]) == (2, 1, 1, 0)
    assert found["changed"][0]["name"] == "grows"
    assert found["changed"][0]["delta_bytes"] == 64
    done = CliRunner().invoke(app, ["kernel", "compare", *tables])
    assert "grows" in done.stdout
    assert "+64" in done.stdout
    assert compare(*(load_table(Path(t)) for t in reversed(tables))).changed[0].delta_bytes == -64
    done = CliRunner().invoke(app, ["kernel", "extract", str(tmp_path / "no"), "-o", "x"])
    assert done.exit_code == 2


@pytest.mark.skipif(not SHARED.is_dir(), reason="the whole frame tables are not at hand")
def test_shared_table_compares_with_itself() -> None:
    """A whole kernel against the part of it that ships: nothing differs."""
    path = SHARED / "linux-6.1-x86_64.json.gz"
    if not path.is_file():
        pytest.skip("the shared x86_64 table is not there")
    table = load_table(path)
    same = compare(table, table)
    assert not same.changed
    assert same.equal > 10_000
