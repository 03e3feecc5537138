"""Measure a kernel: build stacks of devices in a QEMU guest, ask the kernel's own stack tracer.

``python -m bench.guest.measure UNPACKED OUT.json [STACK ...]``: UNPACKED is a ``linux-image``
package of Debian (``dpkg-deb -x``), OUT.json is what `blockstack validate` reads. Of this machine
it takes qemu-system-x86, busybox-static, kmod, cpio, xz-utils, gcc and what builds the stacks
(dmsetup, mdadm, e2fsprogs, xfsprogs, btrfs-progs, f2fs-tools, dosfstools, cryptsetup-bin,
bcache-tools); no virtualisation, no root. Half a minute a stack. What was measured is written after
every stack.
"""

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from threading import Timer
from typing import Any, TextIO

from bench.guest.machine import MACHINES, Machine, arguments
from bench.guest.stacks import STACKS, Built
from blockstack.base.files import write_text

HERE = Path(__file__).parent
_TOOLS = (
    "dmsetup",
    "mdadm",
    "mke2fs",
    "mkfs.xfs",
    "mkfs.btrfs",
    "mkfs.f2fs",
    "mkfs.vfat",
    "losetup",
    "make-bcache",
    "integritysetup",
    "mkswap",
    "swapon",
    "wipefs",
)
_APPLETS = (
    "sh",
    "mount",
    "umount",
    "cat",
    "echo",
    "dd",
    "truncate",
    "mkdir",
    "sleep",
    "sync",
    "grep",
    "sed",
    "cut",
    "tail",
    "tr",
    "uname",
    "poweroff",
    "swapoff",
)
#: folders of modules that the stacks need, below lib/modules/RELEASE/kernel
_MODULES = (
    "block",
    "drivers/block",
    "drivers/md",
    "drivers/scsi",
    "drivers/nvme",
    "drivers/ata",
    "drivers/virtio",
    "drivers/dax",
    "fs",
    "lib",
    "crypto",
    "arch/x86/crypto",
)
#: what udev would do
_MAKE_BCACHE = """#!/bin/sh
/sbin/make-bcache "$@" || exit 1
for disk in vdb vdc; do echo /dev/$disk > /sys/fs/bcache/register; done
sleep 1
[ -e /dev/bcache0 ]
"""
#: far more than a stack takes under emulation
_SECONDS_A_STACK = 300
_PROGRAMS = "/sbin:/usr/sbin:/bin:/usr/bin"
_ROW = re.compile(r"@@ROW\s+\d+\)\s+\d+\s+(\d+)\s+([^\s+]+)\+0x")
#: rows from the top of a stack that start a task of any sort
_STARTS = (
    "ret_from_fork",
    "ret_from_fork_asm",
    "kthread",
    "worker_thread",
    "process_one_work",
    "process_scheduled_works",
    "md_thread",
)


def script(stacks: Mapping[str, Built]) -> str:
    """What the guest does: build, trace the workload twice, take down."""
    lines = []
    for name, built in stacks.items():
        lines += [f"echo '@@STACK {name}'", "failed="]
        for command in (*built.before, *built.commands):
            told = shlex.quote(f"@@FAILED {command}")
            lines.append(
                f"( {command} ) > /tmp/out 2>&1 || {{ failed=1; echo {told}; tail -3 /tmp/out; }}"
            )
        work = "pressure" if built.load == "mem" else f"work {built.load} {built.target} $round"
        lines += [
            'if [ -z "$failed" ]; then',
            "for round in 1 2; do",
            "begin",
            f"{work} > /tmp/out 2>&1 || {{ echo '@@FAILED work'; tail -3 /tmp/out; }}",
            "sleep 1; sync; sleep 1",
            "finish",
            "done",
            "fi",
            "take_down > /dev/null 2>&1",
        ]
    return "\n".join(lines) + "\n"


def context(functions: Sequence[str]) -> str:
    """What a task is in, by its outermost functions: ``syscall:fsync``, ``kthread:raid5d``."""
    plain = [name.partition(".")[0] for name in functions]
    if "exc_page_fault" in plain[:3]:
        return "pagefault"
    if plain[:1] and plain[0].startswith("entry_SYSCALL"):
        inner = next((name for name in plain[1:] if name != "do_syscall_64"), "")
        return "syscall:" + inner.removeprefix("__x64_sys_")
    return "kthread:" + next((name for name in plain if name not in _STARTS), "")


def parse(
    console: Iterable[str], told: TextIO | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each stack's deepest trace, as `blockstack validate` reads it.

    A stack that could not be built, or whose workload failed, is told and left out.

    Parameters
    ----------
    console : iterable of str
        The guest's lines.
    told : text file or None
        Where a failure is told; None: nowhere.
    """
    runs: dict[str, list[tuple[int, list[tuple[str, int]]]]] = {}
    name, failed, broken = "", False, set()
    for line in console:
        if failed and told and "@@" not in line:
            print(f"    {line.rstrip()}", file=told)  # what the command said
        mark, _, rest = line.strip().partition("@@")[2].partition(" ")
        failed = mark == "FAILED" or (failed and not mark)
        if mark == "STACK":
            name = rest
        elif mark == "FAILED":
            if told:
                print(f"{name}: failed: {rest}", file=told)
            broken.add(name)
        elif mark == "MAX":
            runs.setdefault(name, []).append((int(rest), []))
        elif row := _ROW.search(line):
            runs[name][-1][1].append((row[2], int(row[1])))
    for name in runs.keys() - broken:
        most, frames = max(runs[name])
        yield (
            name,
            {
                "max_bytes": most,
                "context": context([f for f, _ in reversed(frames)]),
                "frames": [list(frame) for frame in frames],
            },
        )


def _copy(tool: str, root: Path) -> str:
    """A program and its libraries; where it lies."""
    found = shutil.which(tool, path=_PROGRAMS)
    if found is None:
        sys.exit(f"{tool} is not installed here")
    libraries = subprocess.run(["ldd", found], capture_output=True, text=True, check=False).stdout
    for path in (found, *re.findall(r"(/\S+) \(0x", libraries)):
        to = root / path.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
    return found


def _only(package: Path, *patterns: str) -> Path:
    """The one path of a package that fits."""
    found = [path for pattern in patterns for path in package.glob(pattern)]
    if len(found) != 1:
        print(
            f"{package}: not an unpacked linux-image package (no {patterns[0]}); unpack one: "
            "dpkg-deb -x linux-image-*.deb FOLDER",
            file=sys.stderr,
        )
        sys.exit(2)
    return found[0]


def _copy_modules(package: Path, root: Path) -> None:
    release = _only(package, "lib/modules/*", "usr/lib/modules/*")
    to = root / "lib/modules" / release.name
    for folder in _MODULES:
        if (release / "kernel" / folder).is_dir():
            shutil.copytree(release / "kernel" / folder, to / "kernel" / folder)
    for path in release.glob("modules.*"):
        shutil.copy(path, to)
    for packed in to.rglob("*.ko.xz"):
        subprocess.run(["unxz", str(packed)], check=True)
    depmod = shutil.which("depmod", path=_PROGRAMS) or sys.exit("depmod is not installed here")
    subprocess.run([depmod, "-b", str(root), release.name], check=True)


def image(package: Path, stacks: Mapping[str, Built], folder: Path, machine: Machine) -> Path:
    """The guest's first file system: busybox, tools, modules, workload and script."""
    root = folder / "root"
    for name in ("bin", "sbin", "dev", "proc", "sys", "mnt", "run", "tmp", "etc"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in _APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    for tool in _TOOLS:
        _copy(tool, root)
    (root / "sbin/mkfs.ext4").symlink_to("mke2fs")
    (root / "sbin/modprobe").symlink_to(_copy("kmod", root))
    shutil.copy("/etc/mke2fs.conf", root / "etc")
    (root / "bin/make-bcache").write_text(_MAKE_BCACHE)
    (root / "bin/make-bcache").chmod(0o755)
    _copy_modules(package, root)
    subprocess.run(
        ["gcc", "-O1", "-static", "-o", str(root / "bin/work"), str(HERE / "work.c")], check=True
    )
    shutil.copy(HERE / "init.sh", root / "init")
    (root / "init").chmod(0o755)
    (root / "stacks.sh").write_text(script(stacks))
    if machine.iommu != "none":
        (root / "iommu").touch()
    packed = folder / "guest.cpio.gz"
    subprocess.run(
        f"cd {shlex.quote(str(root))} && find . | cpio -o -H newc --quiet | gzip -1 > "
        f"{shlex.quote(str(packed))}",
        shell=True,
        check=True,
    )
    return packed


def kernel_image(package: Path) -> Path:
    """The kernel of a package: Debian's from 7.2 on has it among the modules."""
    return _only(package, "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz", "lib/modules/*/vmlinuz")


def measure(package: Path, stacks: Mapping[str, Built], out: Path, machine: Machine) -> int:
    """Boot the kernel, trace every stack, and read the answers from its console.

    ``out`` is written after every stack, so that what was measured is kept whatever comes after.

    Returns
    -------
    int
        How many stacks were measured.
    """
    kernel, release = kernel_image(package), _only(package, "lib/modules/*", "usr/lib/modules/*")
    lines: list[str] = []
    measured = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = image(package, stacks, folder, machine)
        words = [*arguments(kernel, first, folder, machine)]
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace"
        ) as guest:
            assert guest.stdout is not None
            timer = Timer(_SECONDS_A_STACK * (1 + len(stacks)), guest.kill)
            timer.daemon = True
            timer.start()
            begun = 0
            for line in guest.stdout:
                lines.append(line)
                if "@@STACK" in line or "@@DONE" in line:
                    measured = _keep(lines[:-1], stacks, out, release.name, machine)
                if "@@STACK" in line:
                    begun += 1
                    stack = line.strip().partition("@@STACK ")[2]
                    print(f"{begun}/{len(stacks)} {stack}", file=sys.stderr, flush=True)
            timer.cancel()
    parsed = dict(parse(lines, sys.stderr))
    if not any("@@DONE" in line for line in lines):
        print(
            f"the guest did not come to its end; {len(parsed)} stacks are kept:\n"
            + "".join(lines[-20:]),
            file=sys.stderr,
        )
    return measured


def _keep(
    lines: Sequence[str], stacks: Mapping[str, Built], out: Path, release: str, machine: Machine
) -> int:
    """Write what the guest has told so far; how many stacks that is."""
    version = next(
        (line.partition("@@VERSION ")[2].strip() for line in lines if "@@VERSION" in line), ""
    )
    meta = {
        "kernel": release,
        "version": version,
        "arch": "x86_64",
        "thread_size_bytes": 16384,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "method": "depths as the kernel's stack tracer (CONFIG_STACK_TRACER) gave them, QEMU "
        f"guest with {machine.cpus} CPU, randomize_kstack_offset=off; tracer set to the functions "
        "of the block layer, its drivers and file systems; the deeper of two runs; rows are "
        "function and bytes, innermost first, the innermost one seen at its entry",
        "provenance": "bench/guest, with the kernel image of the Debian package "
        f"linux-image-{release}",
    }
    if machine.iommu != "none":
        meta["environment"] = {"iommu": machine.iommu}
    blocks = dict(parse(lines))
    found = {
        name: {"target": built.target, "commands": list(built.commands), "block": blocks[name]}
        for name, built in stacks.items()
        if name in blocks
    }
    write_text(out, json.dumps({"meta": meta, "stacks": found}, indent=1) + "\n")
    return len(found)


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(
        prog="python -m bench.guest.measure",
        description=__doc__.replace("``", ""),
        epilog="stacks: " + " ".join(STACKS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("package", type=Path, help="an unpacked linux-image package")
    options.add_argument("out", type=Path, help="the file to write")
    options.add_argument("stacks", nargs="*", default=[], metavar="stack", help="default: all")
    options.add_argument("--iommu", choices=MACHINES, default="none", help="default: none")
    options.add_argument("--cpus", type=int, default=1, help="default: 1")
    given = options.parse_args()
    unknown = sorted(set(given.stacks) - STACKS.keys())
    if unknown:
        near = get_close_matches(unknown[0], STACKS, 3)
        options.error(
            f"no such stack: {', '.join(unknown)}"
            + (f"; did you mean {' or '.join(near)}?" if near else "; --help lists them")
        )
    if not given.out.parent.is_dir():
        options.error(f"{given.out}: no such folder")
    kernel_image(given.package)
    if not any(any(given.package.glob(f"{at}lib/modules/*/kernel")) for at in ("", "usr/")):
        options.error(f"{given.package}: has no modules (lib/modules/RELEASE/kernel)")
    wanted = {n: built for n, built in STACKS.items() if not given.stacks or n in given.stacks}
    found = measure(given.package, wanted, given.out, Machine(given.iommu, given.cpus))
    print(f"{given.out}: {found} stacks", file=sys.stderr)


if __name__ == "__main__":
    main()
