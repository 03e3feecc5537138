"""What md's levels and dm's targets do to the limits that they stack (6.1, where not said)."""

from collections.abc import Callable, Mapping

from blockstack.base.units import SECTOR_BYTES, USHRT_MAX
from blockstack.generations import StackRules
from blockstack.stack.device import Device
from blockstack.stack.queue_limits.numbers import (
    PAGE_BYTES,
    Limits,
    replace,
    set_io_min,
)
from blockstack.stack.queue_limits.stacking import (
    set_max_hw_sectors,
)

Hint = Callable[[Limits, Device, StackRules], Limits]
RAID5_MAX_REQ_SECTORS = 256 << 3  # RAID5_MAX_REQ_STRIPES of 4 KiB, drivers/md/raid5.c
_RAID456 = ("md-raid4", "md-raid5", "md-raid6")


def _chunk_bytes(device: Device) -> int:
    return int(device.params["chunk"]) * SECTOR_BYTES


def _raid0(limits: Limits, device: Device, rules: StackRules) -> Limits:
    """drivers/md/raid0.c raid0_run: no bio is longer than a chunk."""
    chunk = int(device.params["chunk"])
    limits = set_max_hw_sectors(limits, chunk, rules)
    limits = set_io_min(replace(limits, max_write_zeroes_sectors=chunk), chunk * SECTOR_BYTES)
    return replace(limits, io_opt=chunk * SECTOR_BYTES * len(device.on))


def _raid1(limits: Limits, device: Device, rules: StackRules) -> Limits:
    """drivers/md/raid1.c raid1_run."""
    return replace(limits, max_write_zeroes_sectors=0)


def _raid10(limits: Limits, device: Device, rules: StackRules) -> Limits:
    """drivers/md/raid10.c raid10_run and raid10_set_io_opt."""
    disks, near = device.geometry["disks"], device.geometry["near_copies"]
    wide = disks if disks % near else disks // near
    limits = set_io_min(replace(limits, max_write_zeroes_sectors=0), _chunk_bytes(device))
    return replace(limits, io_opt=_chunk_bytes(device) * wide)


def _raid5(limits: Limits, device: Device, rules: StackRules) -> Limits:
    """drivers/md/raid5.c raid5_run, before the members: whole stripes are preferred."""
    data = len(device.on) - device.geometry["parity_disks"]
    stripe = data * (_chunk_bytes(device) // PAGE_BYTES) * PAGE_BYTES
    limits = set_io_min(replace(limits, max_write_zeroes_sectors=0), _chunk_bytes(device))
    return replace(
        limits,
        io_opt=_chunk_bytes(device) * data,
        discard_granularity=1 << (stripe - 1).bit_length(),
    )


def _raid5_after(limits: Limits, device: Device, rules: StackRules) -> Limits:
    """raid5_run, after the members: a bit per stripe in a request; no discards, as the module
    parameter devices_handle_discard_safely is off."""
    limits = replace(
        limits, max_discard_sectors=0, max_hw_discard_sectors=0, max_segments=USHRT_MAX
    )
    return set_max_hw_sectors(limits, RAID5_MAX_REQ_SECTORS, rules)


#: level -> (before the members are stacked, after)
MD_HINTS: Mapping[str, tuple[Hint | None, Hint | None]] = {
    "md-raid0": (_raid0, None),
    "md-raid1": (_raid1, None),
    "md-raid10": (_raid10, None),
    **dict.fromkeys(_RAID456, (_raid5, _raid5_after)),
}


def _striped(limits: Limits, device: Device, rules: StackRules) -> Limits:
    """drivers/md/dm-stripe.c stripe_io_hints."""
    chunk = _chunk_bytes(device)
    return replace(set_io_min(limits, chunk), io_opt=chunk * len(device.on))


def _crypt(limits: Limits, device: Device, rules: StackRules) -> Limits:
    """drivers/md/dm-crypt.c crypt_io_hints."""
    sector = int(device.params["sector_size"])
    logical = max(limits.logical_block_size, sector)
    return replace(
        limits,
        max_segment_size=PAGE_BYTES,
        logical_block_size=logical,
        physical_block_size=max(limits.physical_block_size, sector),
        io_min=max(limits.io_min, sector),
        dma_alignment=logical - 1 if rules.dma else limits.dma_alignment,
    )


def _pool(limits: Limits, device: Device, rules: StackRules) -> Limits:
    """drivers/md/dm-thin.c pool_io_hints: requests that divide a block."""
    block = int(device.params["block"])
    most = limits.max_sectors
    if most < block:
        while block % most:
            if most & (most - 1) == 0:
                most -= 1
            most = 1 << (most.bit_length() - 1)
    limits = replace(limits, max_sectors=most)
    opt = limits.io_opt // SECTOR_BYTES
    if opt < block or opt % block:
        preferred = most if most <= block and block % most == 0 else block
        limits = set_io_min(limits, preferred * SECTOR_BYTES)
        limits = replace(limits, io_opt=block * SECTOR_BYTES)
    return limits


def _thin(limits: Limits, device: Device, rules: StackRules) -> Limits:
    """drivers/md/dm-thin.c thin_io_hints: 16 GiB at most, whole blocks."""
    return replace(
        limits,
        discard_granularity=device.geometry["block_sectors"] * SECTOR_BYTES,
        max_discard_sectors=2048 * 1024 * 16,
    )


def _dm_raid1(limits: Limits, device: Device, rules: StackRules) -> Limits:
    """drivers/md/dm-raid.c raid_io_hints: raid1 has no chunk."""
    return replace(set_io_min(limits, 0), io_opt=0)


DM_HINTS: Mapping[str, Hint] = {
    "dm-striped": _striped,
    "dm-crypt": _crypt,
    "dm-thin-pool": _pool,
    "dm-thin": _thin,
    "dm-raid1": _dm_raid1,
}
# num_discard_bios, discards_supported, num_write_zeroes_bios of the targets' constructors; crypt
# as with allow_discards; snapshots without discard_zeroes_cow
_DISCARDS = {
    "dm-linear": "lower",
    "dm-striped": "lower",
    "dm-crypt": "lower",
    "dm-mirror": "lower",
    "dm-delay": "lower",
    "dm-multipath": "lower",
    "dm-thin-pool": "lower",
    "dm-thin": "own",
    "dm-raid1": "lower",
}
_WRITE_ZEROES = dict.fromkeys(("dm-linear", "dm-striped", "dm-multipath"), "lower")


def passes_on(kind: str, operation: str) -> str:
    """Whether a dm target takes ``"discard"`` or ``"write-zeroes"``: ``""`` no, ``"lower"`` if
    all lower devices do, ``"own"`` whatever they do."""
    return (_DISCARDS if operation == "discard" else _WRITE_ZEROES).get(kind, "")


def has_merge_fn(device: Device, rules: StackRules) -> bool:
    """Kernels to 2.6.24: whether the queue has a merge_bvec_fn, which dm and md do not ask
    (``*_mergeable_bvec`` in the frame tables; raid5's came with 2.6.20)."""
    parity = _RAID456 if rules.raid456_merge_fn else ()
    return not rules.topology and device.kind in ("md-linear", "md-raid0", "md-raid10", *parity)
