"""Topology checks: who may stand on whom, how often, and who holds a device exclusively."""

from collections.abc import Iterable, Mapping, Sequence

from blockstack.base.errors import ConfigError
from blockstack.base.hints import did_you_mean
from blockstack.kinds import Kind
from blockstack.stack.device import Device

NO_FILES = frozenset({"raw", "swap", "nfs", "nfsd"})  # sources that keep no files for others
ON_FILES = frozenset({"loop", "nfsd"})  # what stands on a file system, not on a block device
NEEDS_NIC = frozenset({"iscsi", "nbd", "nvme-tcp", "nfs", "nfsd"})
MAY_HAVE_NIC = NEEDS_NIC | {"drbd"}  # drbd: alone, or connected to its peer


def is_filesystem(kind: Kind) -> bool:
    """Whether files on it can carry a loop device or be exported."""
    return kind.role == "source" and kind.name not in NO_FILES


def uses_nic(kind: Kind) -> bool:
    """Whether a network card stands under devices of this kind."""
    return kind.name in NEEDS_NIC


def takes_nic(kind: Kind) -> bool:
    """Whether devices of this kind may have a network card under them."""
    return kind.name in MAY_HAVE_NIC


def find_device(name: object, devices: Mapping[str, Device], path: str) -> Device:
    """The device of that name.

    Raises
    ------
    ConfigError
        It is not defined; the hint lists those that are.
    """
    if not isinstance(name, str):
        raise ConfigError(
            "not a device name", path=path, value=name, hint="write the name of a device"
        )
    if name not in devices:
        raise ConfigError(
            "no such device", path=path, value=name, hint=did_you_mean(name, devices, "devices")
        )
    return devices[name]


def check_lower_kinds(kind: Kind, lower: Sequence[Device], path: str) -> None:
    """Refuse a lower device that this kind cannot stand on."""
    for i, device in enumerate(lower):
        where = f"{path}.on[{i}]"
        below = device.kind_entry
        if kind.name in ON_FILES:
            if not is_filesystem(below) and (kind.name, below.name) != ("loop", "nfs"):
                raise ConfigError(
                    f"{kind.name} stands on a file system",
                    path=where,
                    value=device.name,
                    hint=f"{device.name} is {below.name}; put ext4, xfs ... between",
                )
        elif below.role == "source":
            raise ConfigError(
                f"{kind.name} cannot stand on {below.name}",
                path=where,
                value=device.name,
                hint="only loop and nfsd stand on a file system: put a loop device between",
            )
        elif kind.name == "partition" and below.name == "partition":
            raise ConfigError(
                "a partition has no partitions",
                path=where,
                value=device.name,
                hint="put a loop or dm device between",
            )


def check_arity(kind: Kind, n_lower: int, path: str) -> None:
    """Refuse too few or too many lower devices."""
    least, most = kind.arity
    if kind.role in ("leaf", "nic"):
        least = most = 0
    if uses_nic(kind) and kind.name != "nfsd":
        least, most = 0, 0  # the card is named by `nic`, nothing else stands below
    if kind.name == "nfsd":
        least, most = 1, 1
    if n_lower and most == 0:
        raise ConfigError(
            f"{kind.name} stands on no other device",
            path=f"{path}.on",
            value=n_lower,
            hint="leave `on` out",
        )
    if n_lower < least or (most is not None and n_lower > most):
        wanted = f"{least} or more" if most is None else f"{least} to {most}"
        if most == least:
            wanted = str(least)
        devices = "device" if wanted == "1" else "devices"
        raise ConfigError(
            f"{kind.name} stands on {wanted} {devices}, not {n_lower}",
            path=f"{path}.on",
            hint=f"name {wanted} lower {devices}",
        )


def check_failed(device: Device, path: str) -> None:
    """A RAID that has lost more members than it can is no device."""
    failed = sorted(device.failed)
    where = f"{path}.failed"
    disks = len(device.on)
    if failed and failed[-1] >= disks:
        raise ConfigError(
            "no such member",
            path=where,
            value=failed[-1],
            hint=f"members are numbered 0 to {disks - 1}",
        )
    figures = device.geometry
    if "parity_disks" in figures and len(failed) > figures["parity_disks"]:
        raise ConfigError(
            f"{device.kind} does not survive {len(failed)} failed members",
            path=where,
            value=failed,
            hint=f"at most {figures['parity_disks']}",
        )
    if device.kind_entry.mapping == "mirror" and failed and len(failed) >= disks:
        raise ConfigError(
            "no member is left", path=where, value=failed, hint="leave at least one member"
        )
    if "near_copies" in figures and failed:
        _check_raid10_copies(figures, frozenset(failed), where)


def _check_raid10_copies(figures: Mapping[str, int], failed: frozenset[int], where: str) -> None:
    """Each set of copies (drivers/md/raid10.c enough()) must keep a member."""
    disks, near = figures["disks"], figures["near_copies"]
    copies = near * figures["far_copies"]
    for first in range(0, disks * near, near):
        if all((first + i) % disks in failed for i in range(copies)):
            raise ConfigError(
                "all copies of some chunks are on failed members",
                path=where,
                value=sorted(failed),
                hint="leave one member of each set of copies",
            )


def claim_of(kind: Kind, index: int = 0, container: str = "") -> str | None:
    """How a kind holds its lower device number ``index``, as bd_claim (fs/block_dev.c) sees it.

    All dm devices share one holder, so they may share a device; so do the arrays of one container
    (external metadata: lock_rdev with claim_rdev, drivers/md/md.c) and the bcache devices of one
    cache set. Any other md array, a mounted file system and a swap area each hold theirs alone.
    A partition, a raw source, and what stands on files hold nothing.
    """
    if kind.name in {"partition", "raw", *ON_FILES}:
        return None
    if kind.name == "bcache" and index:
        return "bcache"
    if container:
        return f"container {container}"
    return "dm" if kind.name.startswith("dm-") else "alone"


class Claims:
    """Who holds what; a second exclusive holder is refused, as the kernel does with EBUSY."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, str]] = {}  # device -> (class, first holder)

    def take(
        self, kind: Kind, name: str, lower: Iterable[Device], path: str, container: str = ""
    ) -> None:
        """Note that ``name`` holds each of the lower devices.

        Raises
        ------
        ConfigError
            One of them is held by another device already.
        """
        new: dict[str, tuple[str, str]] = {}
        for i, device in enumerate(lower):
            claim = claim_of(kind, i, container)
            if claim is None:
                return
            where = f"{path}.on[{i}]"
            if claim == "alone" and device.name in new:
                raise ConfigError(
                    f'"{name}" names this device twice',
                    path=where,
                    value=device.name,
                    hint="a member can be used once",
                )
            new[device.name] = (claim, name)
            if device.kind == "partition":  # bd_contains: the whole disk is held by its partitions
                new[device.on[0]] = ("partitions", name)
            for held in (device.name, *(device.on if device.kind == "partition" else ())):
                self._check_free(held, new[held][0], where)
        for held, holder in new.items():
            self._held.setdefault(held, holder)

    def _check_free(self, device: str, claim: str, where: str) -> None:
        held, holder = self._held.get(device, (claim, ""))
        if held != claim or (claim == "alone" and holder):
            raise ConfigError(
                f'already in use by "{holder}"',
                path=where,
                value=device,
                hint="the kernel says EBUSY: put partitions or dm devices between",
            )


def find_cycle(lower_of: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The names on one cycle, the first one repeated at the end; empty when there is none.

    Iterative: a chain of 10,000 devices is no problem. O(devices + links).
    """
    done: set[str] = set()
    for start in lower_of:
        if start in done:
            continue
        path = [start]
        on_path = {start}
        iterators = [iter(lower_of[start])]
        while iterators:
            below = next(iterators[-1], None)
            if below is None:
                iterators.pop()
                done.add(path[-1])
                on_path.discard(path.pop())
            elif below in on_path:
                return (*path[path.index(below) :], below)
            elif below not in done and below in lower_of:
                path.append(below)
                on_path.add(below)
                iterators.append(iter(lower_of[below]))
    return ()
