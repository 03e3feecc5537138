"""Pointer calls of small objects, resolved by the types that stand beside them."""

import subprocess
from pathlib import Path

import pytest
from btf_bytes import Builder

from blockstack.base.errors import BlockstackError
from blockstack.kernel.extract.elf import load_elf
from blockstack.kernel.extract.scan import ranges_of
from blockstack.kernel.extract.types import btf as kinds
from blockstack.kernel.extract.types.btf import Btf
from blockstack.kernel.extract.types.sites import Resolved, Resolver
from blockstack.kernel.extract.types.written import typed_keys

SOURCE = r"""
struct node { struct node *next, *prev; };
struct ops { long (*open)(struct file *); long (*write)(struct file *, long); };
struct file { const struct ops *ops; long pos; void *data; };
struct work { struct node entry; void (*func)(struct work *); };
struct dev { long flags; struct file *file; struct work work; long (*done)(struct file *); };
long a_open(struct file *f) { return f->pos; }
long a_write(struct file *f, long n) { return f->pos + n; }
long b_open(struct file *f) { return -f->pos; }
long b_write(struct file *f, long n) { return f->pos - n; }
long finished(struct file *f) { return f->pos * 2; }
const struct ops a_ops = { a_open, a_write };
const struct ops b_ops = { b_open, b_write };
void use_a(struct file *f) { f->ops = &a_ops; }
void use_b(struct file *f) { f->ops = &b_ops; }
long call_open(struct file *f) { return f->ops->open(f) + 1; }
long tail_write(struct file *f) { return f->ops->write(f, 7); }
__attribute__((noinline)) long apply(struct file *f, long (*fn)(struct file *))
{ return fn(f) + 3; }
long passes(struct file *f) { return apply(f, a_open) * 2; }
void ran(struct work *w)
{
    struct dev *d = (struct dev *)((char *)w - __builtin_offsetof(struct dev, work));
    d->flags = d->file->ops->open(d->file) + d->done(d->file);
}
void queue(struct dev *d) { d->work.func = ran; d->done = finished; }
void run_one(struct work *w) { w->func(w); w->entry.next = 0; }
long spilled(struct file *f, long n)
{
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = n * i;
    __asm__ volatile("" : : "r"(a) : "memory", "rbx", "rbp", "r12", "r13", "r14", "r15");
    return f->ops->write(f, a[n & 3]) + a[2];
}
long unknown(long *p) { return ((long (*)(long))p[3])(1) + 1; }
"""
HEADER = "struct file;\n"


def described() -> Builder:
    b = Builder()
    long = b.number("long", 8)
    file, ops, work, node, dev = (b.struct(n, 0) for n in ("file", "ops", "work", "node", "dev"))
    p_file, p_ops, p_work, p_node, p_dev = map(b.pointer, (file, ops, work, node, dev))
    p_void, p_long = b.pointer(0), b.pointer(long)
    opens, writes = b.proto(long, p_file), b.proto(long, p_file, long)
    runs = b.proto(0, p_work)
    p_open, p_write, p_run = map(b.pointer, (opens, writes, runs))
    b.fill(node, 16, ("next", p_node, 0), ("prev", p_node, 8))
    b.fill(ops, 16, ("open", p_open, 0), ("write", p_write, 8))
    b.fill(file, 24, ("ops", p_ops, 0), ("pos", long, 8), ("data", p_void, 16))
    b.fill(work, 24, ("entry", node, 0), ("func", p_run, 16))
    b.fill(
        dev, 48, ("flags", long, 0), ("file", p_file, 8), ("work", work, 16), ("done", p_open, 40)
    )
    for name in ("a_open", "b_open", "finished", "call_open", "tail_write", "passes"):
        b.function(name, opens)
    for name in ("a_write", "b_write", "spilled"):
        b.function(name, writes)
    takes_file, takes_dev = b.proto(0, p_file), b.proto(0, p_dev)
    b.function("use_a", takes_file)
    b.function("use_b", takes_file)
    b.function("apply", b.proto(long, p_file, p_open))
    b.function("ran", runs)
    b.function("run_one", runs)
    b.function("queue", takes_dev)
    b.function("unknown", b.proto(long, p_long))
    return b


@pytest.fixture(scope="module", params=["-O2", "-O1", "-Os"])
def resolved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Resolved:
    folder: Path = tmp_path_factory.mktemp("object")
    (folder / "m.c").write_text(HEADER + SOURCE)
    subprocess.run(
        [
            *("gcc", "-c", request.param, "-fno-pic", "-mcmodel=kernel", "-mgeneral-regs-only"),
            *("-fcf-protection=none", "-fno-inline", "-fno-ipa-cp", "-fno-ipa-sra"),
            *("-o", "m.o", "m.c"),
        ],
        cwd=folder,
        check=True,
    )
    image = load_elf((folder / "m.o").read_bytes(), "m.o")
    image.btf = described().bytes()
    resolver = Resolver()
    resolver.add(image, "m", ranges_of(image))
    return resolver.run()


@pytest.fixture(scope="module")
def written(resolved: Resolved):
    names = {
        (o, s): n
        for n, o, s in zip(
            resolved.program.names, resolved.program.owners, resolved.program.starts, strict=True
        )
    }
    return typed_keys(
        resolved, {}, lambda i, s: names.get((i, s), [None])[0], lambda i, s: names[i, s]
    )


def members(written, function: str) -> list[list[str]]:
    return [row[2] for row in written["sites"][function]]


def functions(written, member: str) -> set[str]:
    return {name for name, _ in written["members"][member]}


def test_a_call_through_a_member_names_it(written):
    assert members(written, "call_open") == [["ops.open"]]
    assert members(written, "tail_write") == [["ops.write"]]


def test_tables_fill_the_members_that_they_are(written):
    assert functions(written, "ops.open") == {"a_open", "b_open"}
    assert functions(written, "ops.write") == {"a_write", "b_write"}
    assert dict(written["members"]["ops.open"]) == {"a_open": "a_ops", "b_open": "b_ops"}


def test_a_parameter_holds_what_callers_pass(written):
    assert members(written, "apply") == [["apply#1"]]
    assert functions(written, "apply#1") == {"a_open"}


def test_a_stored_function_is_held_by_the_member_and_owned_by_its_module(written):
    assert functions(written, "work.func") == {"ran"}
    assert written["members"]["dev.done"] == [["finished", "m"]]


def test_container_of_leads_back_to_the_struct_around(written):
    assert members(written, "ran") == [["ops.open"], ["dev.done"]]


def test_a_register_that_was_saved_keeps_its_type(written):
    assert members(written, "spilled") == [["ops.write"]]


def test_what_no_type_tells_is_open(written):
    assert [row[1] for row in written["sites"]["unknown"]] == ["open"]


def test_nothing_fits_a_member_but_functions_of_its_prototype(resolved, written):
    assert "a_write" not in functions(written, "ops.open")
    assert "ran" not in functions(written, "apply#1")


def test_split_types_go_on_behind_the_kernels():
    base = Builder()
    long = base.number("long", 8)
    base.struct("shared", 8, ("a", long, 0))
    own = Builder(first=3, base=base.strings, split=True)
    p = own.pointer(2)
    own.struct("mine", 16, ("it", p, 0), ("n", long, 8))
    again = Builder(first=3, base=base.strings, split=True)
    again.struct("mine", 16, ("it", again.pointer(2), 0))
    types = Btf()
    for builder in (base, own, again):
        types.add(builder.bytes(), "x")
    mine = [t for t in types.structs() if types.name(t) == "mine"]
    assert len(mine) == 1  # one name and one size are one struct
    it, n = types.members(mine[0])
    assert (it.name, n.name, n.offset) == ("it", "n", 8)
    assert types.name(types.strip(types.refs[types.strip(it.type)])) == "shared"
    assert types.kinds[types.strip(n.type)] == kinds.INT


@pytest.mark.parametrize("damage", [b"", b"\x9f\xeb\x01", b"x" * 40])
def test_damaged_types_are_an_error_that_names_the_file(damage: bytes):
    with pytest.raises(BlockstackError, match=r"damaged BTF") as error:
        Btf().add(damage, "m.ko")
    assert "m.ko" in str(error.value)
