"""``host``: the machine that it runs on, in one command."""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, cast

import typer
from rich.text import Text

from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.cli.application import app
from blockstack.cli.common import (
    STATUS,
    DriverOpt,
    FstypeOpt,
    JsonOpt,
    KernelOpt,
    SkipOpt,
    bad_input,
    open_host,
    show_notes,
)
from blockstack.cli.kernel import extraction_progress
from blockstack.cli.terminal import errors, printer, say
from blockstack.engine.depth.explain import explain
from blockstack.engine.study.levers import headroom_levers
from blockstack.hosts.build import Imported
from blockstack.hosts.capture import script
from blockstack.hosts.narrow import Narrowed
from blockstack.kernel import Kernel, load_kernel
from blockstack.kernel.choose import Build
from blockstack.kernel.shipped import own_build
from blockstack.present.tables import depth as tables
from blockstack.results.result import Explanation
from blockstack.scenario.chosen import load_chosen, taken_for_granted
from blockstack.scenario.config import Config

#: what the table of tasks leaves to `explain`
_LEVERS = 3
_KERNEL = "kernel"  # of a capture: what `capture.sh` brings along


@contextmanager
def gathered(root: Path) -> Iterator[Path]:
    """What this machine's /sys, /proc and tools say, as the archive that ``capture`` makes."""
    with tempfile.TemporaryDirectory(prefix="blockstack-host-") as folder:
        archive = Path(folder) / f"{os.uname().nodename.partition('.')[0] or 'host'}.tar.gz"
        ran = subprocess.run(
            ["sh", "-s", str(archive)],
            input=script(),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "ROOT": "" if root == Path("/") else str(root)},
        )
        if ran.returncode or not archive.is_file():
            raise ConfigError(
                "tells of no block devices",
                path=str(root),
                value=(ran.stderr.strip().splitlines() or [""])[-1][-200:],
                hint="give what its tools print: lsblk -J | blockstack check -",
            )
        yield archive


def own_frames(root: Path, case: Config) -> tuple[str | None, str]:
    """The table of this machine's own kernel, made on first use; or None, and why there is none."""
    from blockstack.kernel.extract.running import cache_folder, running_kernel, table_of

    host = Build.parse(case.host_kernel)
    shipped = own_build(load_chosen(case, None, None))
    if (host.release, host.arch) == (shipped.release, shipped.arch):
        return None, ""
    try:
        running = running_kernel(root, host.release)
        with extraction_progress() as bar:
            path = table_of(running, cache_folder(os.environ, Path.home()), bar)
        load_kernel(path)
    except BlockstackError as error:
        return None, f"this kernel's own frames: {error}"
    return str(path), ""


@contextmanager
def captured_kernel(source: str) -> Iterator[Path | None]:
    """The kernel that a capture took along, unpacked; None: it has none, or is no capture."""
    with tempfile.TemporaryDirectory(prefix="blockstack-kernel-") as folder:
        found = Path(source, "blockstack-capture", _KERNEL)
        if found.is_dir() or (found := Path(source, _KERNEL)).is_dir():
            yield found
            return
        if not Path(source).is_file() or not tarfile.is_tarfile(source):
            yield None
            return
        inside = f"blockstack-capture/{_KERNEL}"
        with tarfile.open(source) as archive:
            members = [m for m in archive if m.isfile() and _is_below(m.name, inside)]
            for member in members:  # extractall's filter came with 3.11.4
                target = Path(folder, member.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as stream:
                    shutil.copyfileobj(cast(IO[bytes], archive.extractfile(member)), stream)
        yield Path(folder, inside) if members else None


def _is_below(name: str, folder: str) -> bool:
    """A name of an archive that stays in the folder, whatever it says."""
    return name.startswith(f"{folder}/") and ".." not in name.split("/")


def captured_frames(source: str, case: Config) -> tuple[str | None, str]:
    """The table of a captured host's own kernel, as `own_frames`."""
    with captured_kernel(source) as root:
        return (None, "") if root is None else own_frames(root, case)


def open_this_host(
    root: Path,
    kernel: str | None,
    skip: list[str] | None,
    narrowed: Narrowed,
) -> tuple[Config, Imported, Kernel]:
    """This machine's stack, and the kernel that it runs or what stands for it."""
    with gathered(root) as archive:
        console = errors()
        with console.status("reading this machine"):
            case, found = open_host([archive], kernel, skip or (), narrowed)
        if kernel is None:
            own, why_not = own_frames(root, case)
            if own is not None:
                case, found = open_host([archive], own, skip or (), narrowed)
            elif why_not:
                say(why_not, "dim")
    return case, found, load_chosen(case, None, None)


@app.command(
    epilog="Example: `blockstack host`; as root it sees more. Exit status: as for `explain`."
)
def host(
    kernel: KernelOpt = None,
    skip: SkipOpt = None,
    driver: DriverOpt = None,
    fstype: FstypeOpt = None,
    root: Annotated[
        Path,
        typer.Option("--root", help="Another root for /sys, /proc, /boot and /lib.", hidden=True),
    ] = Path("/"),
    as_json: JsonOpt = False,
) -> None:
    """Will this machine's own stack overflow? Its devices, its own kernel's frames, one sentence.

    Reads /sys, /proc, what the storage tools print, and the running kernel's image and modules,
    whose frames are kept under ~/.cache/blockstack for the next time. Root is needed for dmsetup,
    multipath and LVM, and where the image is not for all to read.
    """
    with bad_input(as_json):
        narrowed = Narrowed(driver or (), fstype or ())
        case, imported, chosen = open_this_host(root, kernel, skip, narrowed)
        found = explain(case.stack, kernel=chosen)
        helps = what_helps(case, imported, chosen, found)
    if as_json:
        told = {"sentence": sentence(found), "helps": helps, "left_out": list(imported.left_out)}
        print(json.dumps(told | found.to_dict(), indent=1))
    else:
        out = printer()
        out.print(Text(sentence(found), "bold"))
        out.print(tables.tasks_table(found.tasks, out.width))
        for line in helps:
            out.print(Text(f"Would help: {line}"))
        show_notes(taken_for_granted(case, chosen), imported.left_out)
    raise typer.Exit(STATUS[found.fits])


def sentence(found: Explanation) -> str:
    """The verdict in one sentence."""
    worst = found.worst
    least = "" if worst.exact else "at least "
    depth = f"{least}{worst.peak_bytes:,} of {worst.limit_bytes:,} bytes ({worst.task})"
    on = f"on {found.kernel}"
    if found.fits is True:
        return f"{found.stack} fits {on}: the deepest task needs {depth}."
    if found.fits is False:
        return f"{found.stack} overflows {on}: the deepest task needs {depth}."
    why = next((task.why for task in found.tasks if task.fits is None), "")
    return f"{found.stack}: cannot tell {on}; the deepest task needs {depth}; {why}."


def what_helps(case: Config, imported: Imported, kernel: Kernel, found: Explanation) -> list[str]:
    """What would turn the verdict, most first: what to tell, then what to change."""
    if found.fits is True:
        return []
    helps = []
    if os.geteuid() != 0:
        helps.append("run it as root: dmsetup, multipath and LVM tell more")
    helps += [f"{name}: {why}" for name, why in case.stack.missing.items()]
    if kernel.doubt:
        helps.append(f"frames of this kernel itself: {kernel.doubt}")
    if found.fits is False or not helps:
        levers = headroom_levers(case.stack, kernel=kernel)
        for lever in levers.levers[:_LEVERS]:
            best = max(lever.swings, key=lambda swing: swing.value)
            if best.value > levers.base:
                gain = int(best.value - levers.base)
                helps.append(f"{lever.name} {best.setting}: {gain:,} bytes more headroom")
    return helps
