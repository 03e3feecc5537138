"""The kernel that runs on a machine: which build it is, where its files lie, its frames.

The build id of the running kernel is in /sys/kernel/notes (kernel/ksysfs.c), whoever asks. A table
that was made of its image and modules is kept under that id.
"""

import fcntl
import hashlib
import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blockstack.base.errors import BlockstackError
from blockstack.kernel.extract.build import Progress, extract, write_table

_NT_GNU_BUILD_ID = 3  # include/uapi/linux/elf.h, and binutils
#: where distributions put it: with symbols first, then what boots
_IMAGES = (
    "usr/lib/debug/boot/vmlinux-{}",
    "usr/lib/debug/lib/modules/{}/vmlinux",
    "boot/vmlinux-{}",
    "boot/vmlinuz-{}",
    "usr/lib/modules/{}/vmlinuz",
    "lib/modules/{}/vmlinuz",
)
#: folders of modules that a bio, or what it allocates and sends, can enter
_ON_THE_WAY = re.compile(
    r"/kernel/(?:block|fs|net|crypto|lib|arch/x86/crypto|drivers/(?:ata|block|cdrom|dax|dma|hv|"
    r"infiniband|iommu|md|memstick|message|mmc|mtd|net|nvdimm|nvme|scsi|target|usb/(?:core|host|"
    r"storage)|virtio|xen))/"
)


#: crypto/api.c crypto_larval_lookup loads an algorithm when somebody asks for it
_ON_DEMAND = re.compile(r"/kernel/(?:crypto|arch/x86/crypto)/")


@dataclass(frozen=True)
class Running:
    """A running kernel.

    Attributes
    ----------
    release : str
        As ``uname -r`` prints it.
    version : str
        /proc/version, which names the build.
    build_id : str
        In hexadecimal; empty: it does not tell.
    image : Path or None
        Its vmlinux or vmlinuz; None: there is none, or it cannot be read.
    modules : tuple of Path
        Those that are loaded and can lie on a bio's way, and ciphers, which are loaded on demand.
    why_not : str
        Why there is no image.
    """

    release: str
    version: str
    build_id: str
    image: Path | None
    modules: tuple[Path, ...]
    why_not: str = ""

    @property
    def key(self) -> str:
        """What a table of it is kept under: release, build, and which modules were read."""
        names = " ".join(sorted(path.name for path in self.modules))
        return f"{self.build}-{hashlib.sha256(names.encode()).hexdigest()[:8]}"

    @property
    def build(self) -> str:
        """Release and build id, or what stands for that."""
        known = self.build_id or hashlib.sha256(self.version.encode()).hexdigest()
        return f"{self.release or 'unknown'}-{known[:16]}"


def build_id(notes: bytes) -> str:
    """The GNU build id among ELF notes, in hexadecimal; empty: there is none."""
    at = 0
    while at + 12 <= len(notes):
        name, size, kind = struct.unpack_from("<III", notes, at)
        begin = at + 12 + (name + 3 & ~3)
        if kind == _NT_GNU_BUILD_ID and notes[at + 12 : at + 16] == b"GNU\0":
            return notes[begin : begin + size].hex()
        at = begin + (size + 3 & ~3)
    return ""


def running_kernel(root: Path = Path("/"), release: str = "") -> Running:
    """What a machine says of the kernel that it runs.

    Parameters
    ----------
    root : Path
        Where /sys, /proc, /boot and /lib are.
    release : str
        Of which it is asked; empty: what /proc/version says.
    """
    version = _text(root / "proc/version").strip()
    told = re.match(r"Linux version (\S+)", version)
    release = release or (told[1] if told else "")
    notes = _bytes(root / "sys/kernel/notes")
    image, why_not = _image(root, release)
    loaded = [line.split(" ", 1)[0] for line in _text(root / "proc/modules").splitlines()]
    return Running(
        release, version, build_id(notes), image, _modules(root, release, loaded), why_not
    )


def _image(root: Path, release: str) -> tuple[Path | None, str]:
    there = [path for one in _IMAGES if (path := root / one.format(release)).is_file()]
    for path in there:
        if os.access(path, os.R_OK):
            return path, ""
    if there:
        return None, f"{there[0]} is for root to read: run it once as root"
    return (
        None,
        f"there is no image of {release or 'the running kernel'} in /boot or /usr/lib/modules",
    )


def _modules(root: Path, release: str, loaded: Sequence[str]) -> tuple[Path, ...]:
    for folder in ("lib/modules", "usr/lib/modules"):
        base = root / folder / release
        if release and base.is_dir():
            files = _by_name(base)
            found = (files.get(name.replace("-", "_")) for name in loaded)
            kept = {path for path in found if path and _ON_THE_WAY.search(path.as_posix())}
            kept |= {path for path in files.values() if _ON_DEMAND.search(path.as_posix())}
            return tuple(sorted(kept))
    return ()


def _by_name(folder: Path) -> Mapping[str, Path]:
    return {
        path.name.partition(".ko")[0].replace("-", "_"): path
        for path in folder.rglob("*.ko*")
        if path.is_file()
    }


def _text(path: Path) -> str:
    return _bytes(path).decode(errors="replace")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def cache_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Where a user's tables are kept (the XDG base directory specification)."""
    base = environment.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else home / ".cache") / "blockstack" / "frames"


def table_of(running: Running, folder: Path, progress: Progress | None = None) -> Path:
    """The frame table of a running kernel, made on first use.

    Parameters
    ----------
    running : Running
    folder : Path
        Where tables are kept; of two runs at once one makes the table and the other waits for it.
    progress : callable, optional
        As `extract` takes it.

    Returns
    -------
    Path
        Of the table.

    Raises
    ------
    BlockstackError
        No image that can be read, an image of another build, or a folder that cannot be written.
    """
    path = folder / f"{running.key}.json.gz"
    if path.is_file():
        return path
    if running.image is None:
        known = sorted(folder.glob(f"{running.build}-*.json.gz")) if running.build_id else []
        if known:  # made of this build where it had other modules loaded: the one with most
            return max(known, key=lambda one: one.stat().st_size)
        raise BlockstackError(
            running.why_not, path="kernel", hint="name a kernel that stands for it: --kernel"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / f"{running.key}.lock"):
            if not path.is_file():
                data = extract([running.image, *running.modules], progress=progress)
                _same_build(running, str(data["meta"]["kernel"]))
                write_table(data, path)
    except OSError as error:
        raise BlockstackError(
            f"cannot be written: {error.strerror}",
            path=str(folder),
            hint="set XDG_CACHE_HOME to a folder that can",
        ) from error
    return path


def _same_build(running: Running, kernel: str) -> None:
    """An image on disk may be a newer one than runs: an update that waits for a reboot."""
    build = kernel.removeprefix(f"Linux {running.release} ")
    if running.version and build not in running.version:
        raise BlockstackError(
            "is not the kernel that runs: an update waits for a reboot",
            path=str(running.image),
            value=kernel,
            hint="reboot, or name a kernel that stands for it: --kernel",
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time; the lock ends with the process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
