"""Queue limits as the core's numbers: where each device splits the bios that are given to it.

Three places of 6.1: blk-mq's and md's bio_split_to_limits (get_max_io_size), dm's max_io_len, and
dm-crypt's own 1 MiB. Kernels to 2.6.24 never build a bio that passes the limits.
"""

from collections.abc import Iterable, Mapping, Sequence

from blockstack.base.errors import ConfigError
from blockstack.base.units import SECTOR_BYTES, format_bytes
from blockstack.engine.plan import arrays as arr
from blockstack.engine.plan.arrays import DISCARD, FLUSH, FUA, WRITE, LimitRow
from blockstack.engine.plan.mapping import Shape
from blockstack.engine.plan.mappings import RAID456, SnapshotRow
from blockstack.stack import Device
from blockstack.stack.queue_limit_tree import DeviceLimits
from blockstack.stack.queue_limits.numbers import (
    PAGE_SECTORS,
    max_discard_grain,
    segments_sectors,
)

NO_ROW = LimitRow(0, 0, 0, 0, 0, arr.NO_LIMIT)
MOST_SECTORS = 2**31 - 1  # of one bio, in the core
#: 6.1 drivers/md/dm-crypt.c crypt_map: BIO_MAX_VECS pages of a write
CRYPT_WRITE_SECTORS = 256 * 8
#: targets that call dm_set_target_max_io_len; a mirror's and dm-raid's region is not modelled
_CUTTING = ("dm-striped", "dm-thin", "dm-snapshot", "dm-snapshot-origin")


def limit_row(device: Device, found: DeviceLimits | None, op: int) -> LimitRow:
    """How a 6.1 device splits bios of one operation (a number of `OP_NAMES`).

    Returns
    -------
    LimitRow
        `NO_ROW` when it takes them as they are.
    """
    if found is None or op == FLUSH or device.kind == "partition":
        return NO_ROW
    limits, is_dm = found.limits, device.kind.startswith("dm-")
    if op == DISCARD:
        most, grain, offset = max_discard_grain(limits)
        if not most or not (found.splits or is_dm):
            return NO_ROW
        most = min(most, MOST_SECTORS - MOST_SECTORS % grain)
        return LimitRow(most, 0, grain, offset, 1, arr.LIMIT_DISCARD)
    most = min(limits.max_sectors, MOST_SECTORS)
    if found.splits:
        memory = segments_sectors(limits)
        return LimitRow(
            most,
            memory if memory < most else 0,
            limits.chunk_sectors,
            limits.physical_block_size // SECTOR_BYTES,
            limits.logical_block_size // SECTOR_BYTES,
            arr.LIMIT_REST,
        )
    if device.kind in _CUTTING:
        block = device.geometry.get("block_sectors", 0)
        return LimitRow(most, 0, block, 1, 1, arr.LIMIT_FRONT)
    if device.kind == "dm-crypt" and op in (WRITE, FUA):
        return LimitRow(CRYPT_WRITE_SECTORS, 0, 0, 1, 1, arr.LIMIT_FRONT)
    return NO_ROW


def may_split(row: LimitRow, n_sectors: int) -> bool:
    """Whether a bio of up to so many sectors can be split by a row, wherever it begins."""
    most, memory, chunk, physical, _, how = row
    if how == arr.NO_LIMIT or n_sectors <= 1:
        return False
    if how == arr.LIMIT_DISCARD:
        return n_sectors > most
    never = most - physical + 1 if how == arr.LIMIT_REST else most
    return bool(chunk) or n_sectors > min(never, memory or never)


def limit_rows(
    walk: Iterable[tuple[Device, Shape, Iterable[str]]],
    tree: Mapping[str, DeviceLimits],
    ops: Sequence[int],
    max_sectors: int,
) -> dict[tuple[str, int], LimitRow]:
    """The rows that can matter: those of devices that are given bios long enough.

    Parameters
    ----------
    walk : iterable of (Device, Shape, names of lower devices)
        Positions, parents before children.
    tree : mapping of str to DeviceLimits
    ops : sequence of int
    max_sectors : int
        Longest bio of the workload.

    Returns
    -------
    dict of (device, operation) to LimitRow
    """
    longest: dict[str, int] = {}
    devices: dict[str, Device] = {}
    for device, shape, lower in walk:
        devices[device.name] = device
        n_sectors = longest.setdefault(device.name, max_sectors)
        if shape.op_kind == RAID456:
            n_sectors = max(n_sectors, PAGE_SECTORS)
        elif isinstance(shape.row, SnapshotRow):  # copies whole chunks
            n_sectors = max(n_sectors, shape.row.chunk)
        for low in lower:
            longest[low] = max(longest.get(low, 0), n_sectors)
    rows = {}
    for name, device in devices.items():
        for op in {*ops, *_copied(ops)}:
            row = limit_row(device, tree.get(name), op)
            if may_split(row, longest[name]):
                rows[name, op] = row
    return rows


def _copied(ops: Sequence[int]) -> tuple[int, ...]:
    """A write may set off reads and writes below (raid5, snapshots)."""
    return (arr.READ, WRITE) if {WRITE, FUA} & set(ops) else ()


def check_blocks(
    roots: Iterable[str], tree: Mapping[str, DeviceLimits], align_sectors: int, path: str
) -> None:
    """Refuse bios that the kernel refuses: no whole number of logical blocks.

    Parameters
    ----------
    roots : iterable of str
        The block devices that bios are given to.
    tree : mapping of str to DeviceLimits
    align_sectors : int
        What every bio's size and place is a multiple of.
    path : str

    Raises
    ------
    ConfigError
    """
    for name in roots:
        found = tree.get(name)
        block = found.limits.logical_block_size if found is not None else SECTOR_BYTES
        if align_sectors * SECTOR_BYTES % block:
            raise ConfigError(
                f"{name} takes whole blocks of {block:,} bytes only",
                path=path,
                value=f"multiples of {align_sectors * SECTOR_BYTES} B",
                hint=f"size and place must be multiples of {format_bytes(block)}",
            )
