"""A reader of queue/* for the tests: captured or made trees, as plain limits."""

import tarfile
from pathlib import Path

from blockstack.generations import StackRules
from blockstack.stack.queue_limits.numbers import (
    Limits,
)
from blockstack.stack.queue_limits.rules import limit_names

#: sysfs file -> (limit, what one unit of the file is in the limit's unit)
FILES = {
    "logical_block_size": ("logical_block_size", 1),
    "physical_block_size": ("physical_block_size", 1),
    "minimum_io_size": ("io_min", 1),
    "optimal_io_size": ("io_opt", 1),
    "max_hw_sectors_kb": ("max_hw_sectors", 2),
    "max_sectors_kb": ("max_sectors", 2),
    "max_segments": ("max_segments", 1),
    "max_segment_size": ("max_segment_size", 1),
    "virt_boundary_mask": ("virt_boundary_mask", 1),
    "chunk_sectors": ("chunk_sectors", 1),
    "discard_granularity": ("discard_granularity", 1),
    "discard_max_bytes": ("max_discard_sectors", 1 / 512),
    "discard_max_hw_bytes": ("max_hw_discard_sectors", 1 / 512),
    "max_discard_segments": ("max_discard_segments", 1),
    "write_zeroes_max_bytes": ("max_write_zeroes_sectors", 1 / 512),
    "max_integrity_segments": ("max_integrity_segments", 1),
    "dma_alignment": ("dma_alignment", 1),
}
BESIDE = {"alignment_offset": "alignment_offset", "discard_alignment": "discard_alignment"}


def read_files(files: dict[str, str]) -> dict[str, int]:
    """Limits from the texts of queue/* and of the two files beside it."""
    found = {}
    for name, (limit, unit) in FILES.items():
        if name in files:
            found[limit] = int(int(files[name]) * unit)
    return found | {limit: int(files[name]) for name, limit in BESIDE.items() if name in files}


def limits_of(values: dict[str, int]) -> Limits:
    """The queue's limits; what the tree does not show is a new queue's."""
    return Limits(**values)


def read_tar(path: Path) -> tuple[str, dict[str, dict[str, str]], dict[str, list[str]]]:
    """Kernel version, device -> file -> text, device -> its slaves."""
    version, devices, slaves = "", {}, {}
    with tarfile.open(path) as archive:
        for member in archive:
            parts = member.name.split("/")
            if len(parts) > 2 and parts[-2] == "slaves":
                slaves.setdefault(parts[-3], []).append(parts[-1])
            if not member.isfile():
                continue
            stream = archive.extractfile(member)
            if parts[-2:] == ["proc", "version"]:
                version = stream.read().decode().split()[2]
            elif len(parts) > 2 and parts[-2] == "queue" and parts[-1] in FILES:
                devices.setdefault(parts[-3], {})[parts[-1]] = _text(stream)
            elif parts[-1] in BESIDE and len(parts) > 2:
                devices.setdefault(parts[-2], {})[parts[-1]] = _text(stream)
    return version, {n: f for n, f in devices.items() if "logical_block_size" in f}, slaves


def _text(stream) -> str:
    return stream.read().replace(b"\0", b"").decode().strip()


def compare(made: Limits, captured: dict[str, int], rules: StackRules) -> dict[str, tuple]:
    """Limit -> (computed, captured), of those that the kernel has and that differ."""
    return {
        name: (getattr(made, name), value)
        for name, value in captured.items()
        if name in limit_names(rules) and getattr(made, name) != value
    }
