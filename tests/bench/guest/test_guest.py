"""The guest that measures kernels: its stacks are understood, its console is read."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from bench.guest import measure
from bench.guest.stacks import STACKS
from blockstack.kinds import KINDS
from blockstack.validation.measured import Measured, stack_of

CONSOLE = """
SeaBIOS @@STACK
@@VERSION #1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1
@@STACK ext4_nvme
@@MAX 300
@@ROW         Depth    Size   Location    (3 entries)
@@ROW         -----    ----   --------
@@ROW   0)      300      44   blk_mq_submit_bio+0x1/0x5f0
@@ROW   1)      256      80   ext4_sync_file.isra.0+0x2b/0x90 [ext4]
@@ROW   2)      176     176   entry_SYSCALL_64_after_hwframe+0x76/0x7e
@@MAX 280
@@ROW   0)      280     280   kthread+0x1/0x90
@@STACK dm-thin
@@FAILED dmsetup create g1
device-mapper: no such target
@@MAX 900
@@ROW   0)      900     900   kthread+0x1/0x90
@@STACK empty
@@DONE
""".splitlines()


def test_the_deeper_of_two_runs_is_kept():
    told = io.StringIO()
    ((name, block),) = measure.parse(CONSOLE, told)
    assert name == "ext4_nvme" and block["max_bytes"] == 300
    assert block["frames"] == [
        ["blk_mq_submit_bio", 44],
        ["ext4_sync_file.isra.0", 80],
        ["entry_SYSCALL_64_after_hwframe", 176],
    ]
    assert block["context"] == "syscall:ext4_sync_file"
    words = told.getvalue()
    assert "dm-thin: failed: dmsetup create g1" in words and "no such target" in words


@pytest.mark.parametrize(
    ("outermost", "context"),
    [
        ("entry_SYSCALL_64_after_hwframe do_syscall_64 __x64_sys_fsync", "syscall:fsync"),
        ("entry_SYSCALL_64_after_hwframe do_syscall_64 do_pwritev", "syscall:do_pwritev"),
        ("entry_SYSCALL_64_after_hwframe __x64_sys_io_submit io_submit_one", "syscall:io_submit"),
        ("asm_exc_page_fault exc_page_fault handle_mm_fault", "pagefault"),
        ("ret_from_fork_asm ret_from_fork kthread md_thread raid5d", "kthread:raid5d"),
        ("ret_from_fork kthread worker_thread process_one_work wb_workfn", "kthread:wb_workfn"),
    ],
)
def test_contexts(outermost, context):
    assert measure.context(outermost.split()) == context


@pytest.mark.parametrize("name", STACKS)
def test_every_stack_is_understood(name):
    """What builds it in the guest is what `validate` reads; its name says what it is."""
    built = STACKS[name]
    kinds = {
        d.kind
        for d in stack_of(Measured(name, built.commands, built.target, None)).devices.values()
    }
    named = [
        word.partition("-x")[0].removesuffix("-bitmap").removesuffix("-degraded")
        for word in name.split("_")
    ]
    assert kinds >= {word for word in named if word in KINDS}


def test_words_that_are_no_kinds_of_their_own():
    def device(name, kind):
        built = STACKS[name]
        stack = stack_of(Measured(name, built.commands, built.target, None))
        return next(d for d in stack.devices.values() if d.kind == kind)

    loop = device("loop-dio_ext4_virtio-blk", "loop").params
    assert loop["direct"] and not loop["preallocated"]
    assert device("ext4_loop_ext4_virtio-blk", "loop").params["preallocated"]
    assert device("btrfs-raid1_virtio-blk", "btrfs").params["profile"] == "raid1"
    modes = [
        device(f"dm-multipath-{mode}_virtio-scsi", "dm-multipath").params["queue_mode"]
        for mode in ("bio", "rq")
    ]
    assert modes[0] == "bio" != modes[1]


def test_the_guest_s_script_is_shell():
    text = measure.script(STACKS)
    subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    subprocess.run(["sh", "-n", str(measure.HERE / "init.sh")], check=True)
    assert text.count("@@STACK") == len(STACKS) and "pressure >" in text


def test_the_workload_compiles(tmp_path: Path):
    probe = subprocess.run(
        ["gcc", "-static", "-x", "c", "-", "-o", str(tmp_path / "probe")],
        input="int main(void) { return 0; }",
        text=True,
        check=False,
    )
    if probe.returncode:
        pytest.skip("gcc or a static libc is not here")
    subprocess.run(
        [
            "gcc",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O1",
            "-static",
            "-o",
            str(tmp_path / "work"),
            str(measure.HERE / "work.c"),
        ],
        check=True,
    )
    done = subprocess.run([tmp_path / "work"], check=False)
    assert done.returncode == 2  # it wants a target


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "out.json"], "dpkg-deb -x"),
        (["package", "out.json"], "has no modules"),
        (["package", "nowhere/out.json"], "no such folder"),
        (["package", "out.json", "ext4_nvm"], "did you mean ext4_nvme"),
        (["package", "out.json", "zzz"], "--help lists them"),
    ],
)
def test_bad_input_is_told_before_anything_runs(words, message, tmp_path, monkeypatch, capsys):
    (tmp_path / "package/boot").mkdir(parents=True)
    (tmp_path / "package/boot/vmlinuz-6.12.0").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["measure", *words])
    with pytest.raises(SystemExit) as ended:
        measure.main()
    assert ended.value.code == 2 and message in capsys.readouterr().err
