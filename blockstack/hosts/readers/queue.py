"""Queue limits as sysfs, lsblk and others print them, in the names and units of the kernel's
``struct queue_limits``."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from blockstack.hosts.model.facts import QueueFacts
from blockstack.hosts.model.host import Node
from blockstack.hosts.readers.common import rounded_sectors, whole

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


def from_sysfs(texts: Mapping[str, str | None]) -> QueueFacts:
    """Limits from the texts of a device's files; -1 (misaligned) and text that is no number tell
    nothing."""
    numbers = {name: whole(text, 2**64 - 1) for name, text in texts.items()}
    return QueueFacts(
        **{
            SYSFS[name][0]: int(number * SYSFS[name][1])
            for name, number in numbers.items()
            if number is not None
        }
    )


def from_lsblk(row: Mapping[str, Any]) -> QueueFacts:
    """Limits from a row's columns; a size that is rounded (without -b) tells nothing."""
    found: dict[str, int] = {}
    for column, limit in LSBLK.items():
        value = row.get(column)
        number = whole(value)
        if column in _DISCARDS and number is None and rounded_sectors(value) == (0, True):
            number = 0  # "0B"
        if number is not None:
            found[limit] = number // 512 if limit == "max_discard_sectors" else number
    return QueueFacts(**found)


def told(node: Node) -> dict[str, int]:
    """Limit → value, of all that the sources say."""
    values = {name: getattr(node.queue, name) for name in QueueFacts.__slots__}
    return {name: value for name, value in values.items() if value is not None}
