"""The compiled decoder against iced-x86: lengths, displacements and registers that change."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from blockstack import _types
from blockstack.kernel.extract.decode import iced
from blockstack.kernel.extract.types import program

#: what every compiler of C has in it, with registers, memory, calls, branches, SSE
SOURCE = r"""
#include <string.h>
struct op { int (*run)(struct op *, long); struct op *next; char name[40]; };
static struct op *table[8];
long many(struct op *o, long a, unsigned char b, short c, double d, unsigned long long e)
{
    long sum = a * 3 + (b >> 2) - c / 7 + e % 11;
    for (int i = 0; i < 8; i++) {
        if (table[i] && table[i]->run)
            sum += table[i]->run(o, sum << i) ^ (long)d;
        sum = __builtin_popcountl(sum) + __builtin_bswap64(sum) + __builtin_clzl(sum | 1);
    }
    memset(o->name, 0, sizeof o->name);
    __atomic_fetch_add(&sum, 3, __ATOMIC_SEQ_CST);
    __atomic_compare_exchange_n(&o->next, &table[0], o, 0, 5, 5);
    return __atomic_exchange_n(&table[1], o, 5) ? sum : -sum;
}
int jump(int x) { switch (x) { case 1: return 5; case 2: return x * x; case 7: return ~x;
                  case 9: return x | 64; default: return x & 15; } }
double waves(double *a, int n)
{ double s = 0; for (int i = 0; i < n; i++) s += a[i] / i; return s; }
"""
#: one instruction each that compilers rarely write and kernels have
ODD = (
    "65488b0425c0ad0100",  # mov rax, gs:[0x1adc0]
    "f348a5",  # rep movsq
    "0f01d0",  # xgetbv
    "0fc7f0",  # rdrand eax
    "48a1efcdab8967452301",  # movabs rax, [0x123456789abcdef]
    "66b83412",  # mov ax, 0x1234
    "48b8efcdab8967452301",  # movabs rax, 0x123456789abcdef
    "f6c101",  # test cl, 1
    "f7042478563412",  # test dword [rsp], 0x12345678
    "c8100001",  # enter 0x10, 1
    "0fba6c240805",  # bts dword [rsp + 8], 5
    "410fb6c0",  # movzx eax, r8b
    "f30f1efa",  # endbr64
    "f0480fb10a",  # lock cmpxchg [rdx], rcx
    "4887d6",  # xchg rsi, rdx
    "c5fd6f06",  # vmovdqa ymm0, [rsi]
    "c4e37d46c131",  # vperm2i128
    "62f17c48280e",  # vmovaps zmm1, [rsi]
    "ff2425f0ffffff",  # jmp [-16]
    "2eff24c500000000",  # notrack jmp [rax*8]
    "0f0b",  # ud2
)


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder: Path = tmp_path_factory.mktemp("code")
    (folder / "a.c").write_text(SOURCE)
    for i, flags in enumerate((["-O2"], ["-O0"], ["-O3", "-mavx2", "-mbmi2"], ["-Os"])):
        subprocess.run(
            ["gcc", "-c", *flags, "-fno-pic", "-mcmodel=kernel", "-o", f"{i}.o", "a.c"],
            cwd=folder,
            check=True,
        )
        subprocess.run(
            ["objcopy", "-O", "binary", "-j", ".text", f"{i}.o", f"{i}.bin"], cwd=folder, check=True
        )
    return b"".join((folder / f"{i}.bin").read_bytes() for i in range(4)) + bytes.fromhex(
        "".join(ODD)
    )


def test_every_instruction_is_as_long_as_iced_says(code: bytes):
    told = {i.ip: i.len for i in iced().Decoder(64, code, ip=0x1000)}
    rows = _types.decode(code, 0x1000)
    assert len(told) > 500
    ours = {int(r["at"]): int(r["length"]) for r in rows}
    assert {at: n for at, n in told.items() if ours.get(at) != n} == {}


def test_every_register_that_iced_sees_written_is_written(code: bytes):
    ix = iced()
    names = ("AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI")
    numbers = {getattr(ix.Register, f"R{n}"): i for i, n in enumerate(names)}
    numbers |= {getattr(ix.Register, f"R{i}"): i for i in range(8, 16)}
    writes = {
        getattr(ix.OpAccess, n) for n in ("WRITE", "COND_WRITE", "READ_WRITE", "READ_COND_WRITE")
    }
    full, used = ix.RegisterExt.full_register, ix.InstructionInfoFactory()
    rows = {int(r["at"]): r for r in _types.decode(code, 0x1000)}
    lost = []
    for ins in ix.Decoder(64, code, ip=0x1000):
        if ins.mnemonic in (ix.Mnemonic.CALL, ix.Mnemonic.ENTER):
            continue
        told = {
            numbers[full(u.register)]
            for u in used.info(ins).used_registers()
            if u.access in writes and full(u.register) in numbers
        } - {4}
        row = rows[ins.ip]
        ours = {i for i in range(16) if int(row["clob"]) >> i & 1} | {int(row["dst"])}
        ours |= {int(row["src"])} if row["op"] == 12 else {5} if row["op"] == 25 else set()
        if not told <= ours:
            lost.append((hex(ins.ip), str(ins), told - ours))
    assert lost == []


def test_addresses_in_memory_operands_are_as_iced_says(code: bytes):
    ix = iced()
    rows = {int(r["at"]): r for r in _types.decode(code, 0x1000)}
    loads = 0
    for ins in ix.Decoder(64, code, ip=0x1000):
        row = rows[ins.ip]
        if row["op"] not in (3, 4, 5) or ins.mnemonic != ix.Mnemonic.MOV:
            continue
        loads += 1
        disp = ins.memory_displacement
        assert int(row["disp"]) % 2**64 == disp % 2**64, str(ins)
    assert loads > 50


def test_bytes_that_are_no_instruction_end_where_they_end():
    for bad in (b"\x0f", b"\x48", b"\xe8\x00", b"\x0f\x38", b"\xc5\xf8", b"\x62\xf1", b"\x06\x06"):
        rows = _types.decode(bad, 0)
        assert int(rows["length"].sum()) <= len(bad)
        assert len(rows)


def test_any_bytes_are_decoded_to_their_end():
    noise = np.random.default_rng(3).integers(0, 256, 50_000, np.uint8).tobytes()
    rows = _types.decode(noise, 0)
    ends = rows["at"] + rows["length"]
    assert (ends[:-1] <= rows["at"][1:]).all() and ends[-1] <= len(noise)


def test_the_record_is_the_one_that_python_reads():
    row = _types.decode(bytes.fromhex("488b4728"), 0x20)[0]  # mov rax, [rdi + 0x28]
    assert (row["op"], row["dst"], row["base"], row["disp"], row["length"]) == (3, 0, 7, 0x28, 4)
    calls = {name: getattr(program, name) for name in ("CALL", "JMP", "JCC", "RET", "STOP")}
    for text, name in (
        ("e800000000", "CALL"),
        ("eb00", "JMP"),
        ("7400", "JCC"),
        ("c3", "RET"),
        ("0f0b", "STOP"),
    ):
        assert _types.decode(bytes.fromhex(text), 0)[0]["op"] == calls[name]
