"""Binaries in, a frame table out."""

import datetime
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.base.files import write_bytes
from blockstack.kernel.extract.decode import Decoder
from blockstack.kernel.extract.elf import load_elf
from blockstack.kernel.extract.identity import banner, thread_size, version
from blockstack.kernel.extract.image import Image
from blockstack.kernel.extract.naming import Batch, assemble, found_of
from blockstack.kernel.extract.orc import Orc, orc_table
from blockstack.kernel.extract.scan import Known, Scanner
from blockstack.kernel.extract.sources import (
    BUILT_IN,
    Hints,
    SourceFiles,
    module_file,
    module_name,
    place,
    shipped_hints,
)
from blockstack.kernel.extract.types.sites import Resolver
from blockstack.kernel.extract.types.written import typed_keys
from blockstack.kernel.extract.vmlinuz import read_binary, with_symbols
from blockstack.kernel.lists import looks_like_checkstack
from blockstack.kernel.table import FORMAT, count
from blockstack.kernel.usage import from_usage

METHOD = "stack-pointer abstract interpretation of the machine code as shipped"
CONVENTION = (
    "frame_bytes = deepest stack use of the function itself, return address, saved registers, "
    "locals and pushed arguments included; calls[caller][callee] = caller bytes (return address "
    "of the caller included) in use at the deepest such call; callee frame adds to it. tail = "
    "jumps, caller bytes left on the stack at the jump ('*': through a pointer). indirect = "
    "depths of calls through pointers. kind: static | bounded (pushes arguments around calls) | "
    "aligned (and $-N,SP: worst-case padding included) | dynamic | stack-switch"
)
#: called with bytes done, bytes in all, and what is being read
Progress = Callable[[int, int, str], None]
_MODULE = re.compile(r"\.ko(\.(xz|gz|zst))?\Z")
_KERNEL = re.compile(r"vmlinu[xz](-.*)?\Z")


@dataclass
class _Run:
    """What the binaries of one extraction share."""

    total: int
    progress: Progress | None
    done: int = 0
    types: bool = True
    known: Known = field(default_factory=Known)
    orc: Orc = field(default_factory=Orc)
    decoder: Decoder | None = None
    hints: Hints = field(default_factory=dict)
    hints_from: str = ""
    hinted: int = 0
    kernel: str = ""
    compiler: str = ""
    arch: str = ""
    suspect: int = 0
    guessed: int = 0
    resolver: Resolver = field(default_factory=Resolver)
    depths: dict[tuple[int, int], int] = field(default_factory=dict)
    typed: dict[int, Batch] = field(default_factory=dict)
    provenance: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def tell(self, step: int, what: str) -> None:
        self.done += step
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total, what)


def collect(inputs: Sequence[Path]) -> list[Path]:
    """Files to read: kernels first, then modules and objects, folders searched.

    Raises
    ------
    BlockstackError
        A path that does not exist or a folder with nothing in it.
    """
    kernels: list[Path] = []
    objects: list[Path] = []
    for path in inputs:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
            found = [p for p in inside if _MODULE.search(p.name)]
            images = [p for p in inside if _KERNEL.match(p.name)]
            found = found or next(
                filter(
                    None, ([p for p in inside if p.suffix == kind] for kind in (".o", ".ci", ".su"))
                ),
                [],
            )
            if not found and not images:
                raise BlockstackError(
                    "has no vmlinux, vmlinuz, .ko, .o, .ci or .su files", path=str(path)
                )
            # a debug package's vmlinux says more than the vmlinuz beside it
            kernels += sorted(images, key=lambda p: not p.name.startswith("vmlinux"))[:1]
            objects += found
        elif not path.is_file():
            raise BlockstackError("no such file or folder", path=str(path))
        elif _MODULE.search(path.name) or path.suffix in (".o", ".su", ".ci"):
            objects.append(path)
        else:
            kernels.append(path)
    return [*dict.fromkeys(kernels), *dict.fromkeys(objects)]


def extract(
    inputs: Sequence[Path],
    *,
    progress: Progress | None = None,
    kernel: str = "",
    arch: str = "",
    types: bool = True,
) -> dict[str, Any]:
    """Frames and calls of a kernel.

    Parameters
    ----------
    inputs : sequence of Path
        vmlinux or vmlinuz, modules, objects, or folders of them (an unpacked package); or
        gcc's ``.su`` and ``.ci`` files, or lists of scripts/checkstack.pl.
    progress : callable, optional
        ``progress(done_bytes, total_bytes, file_name)``.
    kernel : str
        What to call the kernel when its files do not say.
    arch : {"", "x86_64", "i386"}
        Of ``.su`` and ``.ci`` files and lists, which do not say.
    types : bool
        Whether the types that an x86_64 kernel carries (BTF) tell what its pointers call.

    Returns
    -------
    dict
        A file of format ``blockstack-frames-1``; see `write_table`.

    Raises
    ------
    BlockstackError
        Nothing to read, not a kernel, mixed architectures, or the extra is not installed.
    """
    paths = collect(inputs)
    if not paths:
        raise BlockstackError(
            "nothing to extract from",
            path="kernel extract",
            hint="give vmlinux or vmlinuz and a folder of modules",
        )
    if any(_is_text(p) for p in paths):
        return _from_texts(paths, kernel, arch)
    run = _Run(sum(p.stat().st_size for p in paths), progress, types=types)
    batches = [_one(path, run, whole=len(paths) > 1) for path in paths]
    data = assemble([b for b in batches if b is not None])
    if not data["functions"]:
        raise BlockstackError(
            "no function with machine code found",
            path=str(paths[0]),
            hint="stripped? give the unstripped file or a vmlinuz",
        )
    run.kernel = kernel or run.kernel
    if run.typed:
        data |= _resolve(run)
    return {"meta": _meta(run, paths, data)} | data


def _resolve(run: _Run) -> dict[str, Any]:
    """What the pointer calls of the images with types may call."""
    names = {
        (image, found.start): found.names
        for image, batch in run.typed.items()
        for found in batch.found
    }
    return typed_keys(
        run.resolver.run(),
        run.depths,
        lambda image, start: next(iter(names.get((image, start), ())), None),
        lambda image, start: names.get((image, start), ()),
    )


def _is_text(path: Path) -> bool:
    """gcc's own files by their ending, a checkstack list by its first line."""
    if path.suffix in (".su", ".ci"):
        return True
    with path.open("rb") as file:
        start = file.read(4096)
    return b"\0" not in start and looks_like_checkstack(start.decode(errors="replace"))


def _from_texts(paths: Sequence[Path], kernel: str, arch: str) -> dict[str, Any]:
    binary = [p for p in paths if not _is_text(p)]
    if binary:
        raise BlockstackError(
            "machine code and gcc's own figures are not mixed",
            path=str(binary[0]),
            hint="extract them into two tables",
        )
    return from_usage(paths, kernel=kernel, arch=arch)


def _one(path: Path, run: _Run, *, whole: bool) -> Batch | None:
    """One binary; a module without symbols among many is left out and counted."""
    size = path.stat().st_size
    run.tell(0, path.name)
    data = read_binary(path)
    digest = hashlib.sha256(data).hexdigest()
    image, data = _load(path, data)
    if run.arch and image.arch != run.arch:
        raise BlockstackError(
            f"is for {image.arch}, the files before it for {run.arch}",
            path=str(path),
            hint="extract one kernel at a time",
        )
    run.arch = image.arch
    if run.decoder is None:
        run.decoder = Decoder(image.pointer_bytes)
    if not image.symbols and whole:
        run.skipped.append(path.name)
        run.tell(size, path.name)
        return None
    if len(run.provenance) < 16:
        run.provenance.append(f"{path.name} sha256:{digest[:16]}")
    _identify(image, run, path)
    own = _own_name(image, path)
    files = SourceFiles(image, own, run.hints, data)
    tag = module_name(path.name) if image.relocatable else "vmlinux"
    batch = Batch(tag.removesuffix(".o"), [])
    scanner = Scanner(image, run.known, run.decoder)
    calls: frozenset[int] = frozenset()
    number = len(run.typed)
    if run.types and image.arch == "x86_64" and (run.typed or image.btf):
        calls = run.resolver.add(image, batch.tag, scanner.ranges)
        run.typed[number] = batch
    batch.found = _scan(scanner, files, run, size, (number, calls))
    return batch


def _load(path: Path, data: bytes) -> tuple[Image, bytes]:
    if data[:4] == b"\x7fELF":
        image = load_elf(data, path.name)
        if image.symbols or image.relocatable:
            return image, data
    data = with_symbols(data, path.name)
    return load_elf(data, path.name), data


def _own_name(image: Image, path: Path) -> str:
    if not image.relocatable:
        return BUILT_IN
    if _MODULE.search(path.name):
        return module_file(path.as_posix())
    return image.single_file or path.with_suffix(".c").name


def _scan(
    scanner: Scanner,
    files: SourceFiles,
    run: _Run,
    size: int,
    pointers: tuple[int, frozenset[int]],
) -> list[Any]:
    """Functions of an image; ``pointers``: its number among those with types, and where it calls
    through pointers."""
    image = scanner.image
    code = sum(r.end - r.start for r in scanner.ranges) or 1
    times = Counter(name for r in scanner.ranges for name in r.names)
    orc = orc_table(image)
    run.orc.tables += orc is not None
    spent = 0.0

    def tick(step: int) -> None:
        nonlocal spent
        spent += step * size / code
        if spent > 1 << 16 and not image.relocatable:
            run.tell(int(spent), image.name)
            spent -= int(spent)

    start = run.done
    found = []
    for r, flow in scanner.run(tick):
        run.suspect += bool(flow.suspect)
        run.guessed += bool(flow.guessed)
        number, calls = pointers
        if calls:
            run.depths |= {(number, at): depth for at, depth in flow.points if at in calls}
        if orc is not None:
            run.orc.check(orc, r.names[0], flow.points)
            flow.points = []
        found.append(
            found_of(
                image,
                r,
                flow,
                files.find(r.names[0], r.start, r.file, unique=times[r.names[0]] == 1),
            )
        )
    found.sort(key=lambda f: f.start)
    for f, file in zip(found, place(found, files), strict=True):
        run.hinted += f.file != file
        f.file = file
    run.hinted += files.hinted
    run.tell(start + size - run.done, image.name)
    return found


def _identify(image: Image, run: _Run, path: Path) -> None:
    """Kernel and compiler, from the banner, the module's vermagic or the object's comment."""
    if not run.kernel and not image.relocatable:
        told = banner(image)
        if told is not None:
            release, compiler, build = (g.decode("latin-1") for g in told.groups())
            run.kernel = f"Linux {release} {build}"
            run.compiler = compiler.partition(", GNU ld")[0]
    info = image.section(".modinfo")
    if not run.kernel and info is not None:
        match = re.search(rb"vermagic=([^\0]+)", bytes(info.data))
        run.kernel = f"Linux {match[1].decode('latin-1')} (modules)" if match else ""
    run.kernel = run.kernel or path.name
    run.compiler = run.compiler or image.comment
    if not run.hints and not run.hints_from:
        run.hints, run.hints_from = (
            shipped_hints(image.arch, version(run.kernel))
            if (run.kernel.startswith("Linux "))
            else ({}, "")
        )


def _meta(run: _Run, paths: Sequence[Path], data: dict[str, Any]) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "format": FORMAT,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "kernel": run.kernel,
        "arch": run.arch,
        "pointer_bytes": 8 if run.arch == "x86_64" else 4,
        "thread_size": thread_size(run.kernel, run.arch),
        "compiler": run.compiler,
        "method": METHOD,
        "convention": CONVENTION,
        "provenance": "; ".join(run.provenance)
        + (
            f"; {len(paths) - len(run.provenance)} more" if len(paths) > len(run.provenance) else ""
        ),
        "counts": count(data)
        | {
            "files_read": len(paths),
            "without_symbols": len(run.skipped),
            "joins_in_doubt": run.suspect,
            "entered_by_guess": run.guessed,
        },
    }
    if run.orc.tables:
        meta["orc"] = run.orc.summary()
    if run.hinted:
        meta["source_files"] = f"{run.hinted} by function name and place from {run.hints_from}"
    return meta


def write_table(data: dict[str, Any], path: Path) -> None:
    """Write a frame table, gzip'ed unless the name ends in ``.json``; the same bytes each time.

    Raises
    ------
    BlockstackError
        The file cannot be written.
    """
    raw = json.dumps(data, separators=(",", ":")).encode()
    try:
        write_bytes(path, raw if path.suffix == ".json" else gzip.compress(raw, 6, mtime=0))
    except OSError as error:
        why = error.strerror or error
        raise BlockstackError(f"cannot be written: {why}", path=str(path)) from error
