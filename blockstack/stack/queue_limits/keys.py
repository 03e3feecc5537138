"""``[devices.NAME.limits]``: queue limits that a config sets, from text to checked numbers."""

from collections.abc import Callable, Mapping
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.hints import check_keys
from blockstack.base.units import SECTOR_BYTES, UINT_MAX, USHRT_MAX, parse_bytes, parse_sectors
from blockstack.kinds import Kind
from blockstack.stack.queue_limits.numbers import PAGE_BYTES, PAGE_SECTORS

Parse = Callable[[Any, str], int]
#: what /sys/block/*/queue lets an administrator change on any device
SETTABLE = ("max_sectors", "max_discard_sectors")


def _between(least: int, most: int, value: int, given: Any, path: str, unit: str) -> int:
    if not least <= value <= most:
        raise ConfigError(f"must be {least} to {most} {unit}", path=path, value=given)
    return value


def _sectors(least: int = 0) -> Parse:
    """A length: text with a unit, or a number of sectors as the kernel counts them."""

    def parse(value: Any, path: str) -> int:
        number = isinstance(value, int) and not isinstance(value, bool)
        n_sectors = value if number else parse_sectors(value, path)
        return _between(least, UINT_MAX, n_sectors, value, path, "sectors of 512 bytes")

    return parse


def _bytes(
    least: int = 0, most: int = UINT_MAX, *, power_of_two: bool = False, multiple: int = 1
) -> Parse:
    def parse(value: Any, path: str) -> int:
        n_bytes = _between(least, most, parse_bytes(value, path), value, path, "bytes")
        if power_of_two and n_bytes & (n_bytes - 1):
            raise ConfigError("must be a power of two", path=path, value=value)
        if n_bytes % multiple:
            raise ConfigError(f"must be a multiple of {multiple} bytes", path=path, value=value)
        return n_bytes

    return parse


def _count(least: int, most: int) -> Parse:
    def parse(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError("must be a whole number", path=path, value=value)
        return _between(least, most, value, value, path, "")

    return parse


def _mask(least: int = 0) -> Parse:
    """A mask of address bits: one less than a power of two, or 0 where that means none."""

    def parse(value: Any, path: str) -> int:
        mask = _count(least, 2**64 - 1)(value, path)
        if mask & (mask + 1):
            raise ConfigError("must be one less than a power of two", path=path, value=value)
        return mask

    return parse


_BLOCK = _bytes(SECTOR_BYTES, PAGE_BYTES, power_of_two=True)
#: 6.1 block/blk-settings.c: what the setters accept; a page must always fit
LIMIT_KEYS: Mapping[str, Parse] = {
    "logical_block_size": _BLOCK,
    "physical_block_size": _bytes(SECTOR_BYTES, 2**30, power_of_two=True),
    "io_min": _bytes(SECTOR_BYTES, multiple=SECTOR_BYTES),
    "io_opt": _bytes(multiple=SECTOR_BYTES),
    "alignment_offset": _bytes(multiple=SECTOR_BYTES),
    "max_hw_sectors": _sectors(PAGE_SECTORS),
    "max_sectors": _sectors(PAGE_SECTORS),
    "max_dev_sectors": _sectors(),
    "chunk_sectors": _sectors(),
    "max_segments": _count(1, USHRT_MAX),
    "max_segment_size": _bytes(PAGE_BYTES),
    "seg_boundary_mask": _mask(PAGE_BYTES - 1),
    "virt_boundary_mask": _mask(),
    "dma_alignment": _mask(),
    "max_discard_sectors": _sectors(),
    "max_discard_segments": _count(1, USHRT_MAX),
    "max_integrity_segments": _count(0, USHRT_MAX),
    "max_write_zeroes_sectors": _sectors(),
    "discard_granularity": _bytes(multiple=SECTOR_BYTES),
    "discard_alignment": _bytes(multiple=SECTOR_BYTES),
}


def has_queue(kind: Kind) -> bool:
    """Whether devices of this kind have a request queue of their own."""
    return kind.role in ("leaf", "stacked") and kind.name != "partition"


def stands_alone(kind: Kind) -> bool:
    """Whether the queue's limits do not follow from lower devices."""
    return kind.role == "leaf" or kind.name == "loop"


def read_limits(kind: Kind, given: Any, path: str) -> dict[str, int]:
    """The limits that a config sets for a device.

    Parameters
    ----------
    kind : Kind
    given : object
        The ``limits`` table.
    path : str
        ``devices.sda``.

    Returns
    -------
    dict of str to int
        In the kernel's units: sectors of 512 bytes, bytes, masks.

    Raises
    ------
    ConfigError
        A device without a queue, keys or values that the kernel does not take.
    """
    where = f"{path}.limits"
    if not isinstance(given, Mapping):
        raise ConfigError(
            "not a table",
            path=where,
            value=given,
            hint=f'write [{where}] and max_sectors = "512 KiB" below',
        )
    if not has_queue(kind):
        raise ConfigError(
            f"{kind.name} has no queue of its own",
            path=where,
            hint="set the limits of the device that it stands on",
        )
    check_keys(given, LIMIT_KEYS, where)
    if not stands_alone(kind):
        for key in given:
            if key not in SETTABLE:
                raise ConfigError(
                    "follows from the lower devices",
                    path=f"{where}.{key}",
                    value=given[key],
                    hint=f"set it there; here: {', '.join(SETTABLE)}",
                )
    values = {key: LIMIT_KEYS[key](value, f"{where}.{key}") for key, value in given.items()}
    _check_pairs(values, given, where)
    return values


def _check_pairs(values: Mapping[str, int], given: Mapping[str, Any], where: str) -> None:
    for small, large in (
        ("logical_block_size", "physical_block_size"),
        ("max_sectors", "max_hw_sectors"),
    ):
        if small in values and large in values and values[small] > values[large]:
            raise ConfigError(
                f"is more than {large}",
                path=f"{where}.{small}",
                value=given[small],
                hint=f"{large} is {given[large]}",
            )
    block = values.get("logical_block_size", SECTOR_BYTES) // SECTOR_BYTES
    for key in ("max_hw_sectors", "max_sectors", "chunk_sectors"):
        if values.get(key, 0) % block:
            raise ConfigError(
                "is not a whole number of logical blocks",
                path=f"{where}.{key}",
                value=given[key],
                hint=f"a multiple of {block * SECTOR_BYTES} bytes",
            )
