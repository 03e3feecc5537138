"""Queue limits as sysfs, lsblk and others print them, in the names and units of the kernel's
``struct queue_limits``: one fact per limit, so that sysfs wins limit by limit."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from blockstack.hosts.host import Node
from blockstack.hosts.readers.common import rounded_sectors, whole

PREFIX = "limit."
#: file → (limit, the limit's units in one unit of the file): 6.1 block/blk-sysfs.c
SYSFS: Mapping[str, tuple[str, Fraction]] = {
    f"queue/{name}": (limit, Fraction(unit))
    for name, limit, unit in (
        ("logical_block_size", "logical_block_size", "1"),
        ("physical_block_size", "physical_block_size", "1"),
        ("minimum_io_size", "io_min", "1"),
        ("optimal_io_size", "io_opt", "1"),
        ("max_hw_sectors_kb", "max_hw_sectors", "2"),
        ("max_sectors_kb", "max_sectors", "2"),
        ("max_segments", "max_segments", "1"),
        ("max_segment_size", "max_segment_size", "1"),
        ("virt_boundary_mask", "virt_boundary_mask", "1"),
        ("chunk_sectors", "chunk_sectors", "1"),
        ("dma_alignment", "dma_alignment", "1"),
        ("discard_granularity", "discard_granularity", "1"),
        ("discard_max_bytes", "max_discard_sectors", "1/512"),
        ("max_discard_segments", "max_discard_segments", "1"),
        ("max_integrity_segments", "max_integrity_segments", "1"),
        ("write_zeroes_max_bytes", "max_write_zeroes_sectors", "1/512"),
    )
} | {name: (name, Fraction(1)) for name in ("alignment_offset", "discard_alignment")}
#: lsblk's columns; it has neither lengths nor segments nor chunks
LSBLK: Mapping[str, str] = {
    "alignment": "alignment_offset",
    "min-io": "io_min",
    "opt-io": "io_opt",
    "phy-sec": "physical_block_size",
    "log-sec": "logical_block_size",
    "disc-aln": "discard_alignment",
    "disc-gran": "discard_granularity",
    "disc-max": "max_discard_sectors",
}
_DISCARDS = ("disc-aln", "disc-gran", "disc-max")  # printed as sizes


def note(node: Node, limit: str, value: int | None, source: str) -> None:
    """One limit of a device's queue, in the kernel's units."""
    node.put(PREFIX + limit, value, source)


def from_sysfs(node: Node, name: str, text: str | None, source: str) -> None:
    """One file of a device's folder; -1 (misaligned) and text that is no number tell nothing."""
    number = whole(text, 2**64 - 1)
    if number is not None:
        limit, unit = SYSFS[name]
        note(node, limit, int(number * unit), source)


def from_lsblk(node: Node, row: Mapping[str, Any]) -> None:
    """A row's columns; a size that is rounded (without -b) tells nothing."""
    for column, limit in LSBLK.items():
        value = row.get(column)
        if column not in _DISCARDS:
            note(node, limit, whole(value), "lsblk")
            continue
        number = whole(value)
        if number is None and rounded_sectors(value) == (0, True):
            number = 0  # "0B"
        if number is not None:
            note(node, limit, number // 512 if limit == "max_discard_sectors" else number, "lsblk")


def told(node: Node) -> dict[str, int]:
    """Limit → value, of all that the sources say."""
    return {
        key.removeprefix(PREFIX): fact.value
        for key, fact in node.facts.items()
        if key.startswith(PREFIX)
    }
