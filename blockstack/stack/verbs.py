"""The verbs that build a stack: short forms of `Stack.add` in the words of the tools."""

from collections.abc import Sequence
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.stack.device import Device

On = str | Device | Sequence[str | Device] | None


class Verbs:
    """One method per tool; each calls `add` and returns the new `Device`.

    Lower devices are given by name or as the `Device` that an earlier verb has returned.
    Sizes are text with a unit (``"100 GiB"``) or bytes. See `Stack.add` for the errors.
    """

    def add(self, name: str, kind: str, on: On = None, **keys: Any) -> Device:
        """Add a device of any kind."""
        raise NotImplementedError

    def scsi(self, name: str, **keys: Any) -> Device:
        """A SCSI disk: ``size``, ``driver``."""
        return self.add(name, "scsi", **keys)

    def nvme(self, name: str, **keys: Any) -> Device:
        """An NVMe namespace: ``size``."""
        return self.add(name, "nvme", **keys)

    def virtio_blk(self, name: str, **keys: Any) -> Device:
        """A paravirtual disk: ``size``."""
        return self.add(name, "virtio-blk", **keys)

    def brd(self, name: str, **keys: Any) -> Device:
        """A RAM disk: ``size``."""
        return self.add(name, "brd", **keys)

    def null_blk(self, name: str, **keys: Any) -> Device:
        """A null block device: ``size``."""
        return self.add(name, "null_blk", **keys)

    def nic(self, name: str, **keys: Any) -> Device:
        """A network card: ``driver``."""
        return self.add(name, "nic", **keys)

    def iscsi(self, name: str, *, nic: str | Device, **keys: Any) -> Device:
        """An iSCSI disk over a network card: ``size``."""
        return self.add(name, "iscsi", nic=nic, **keys)

    def nbd(self, name: str, *, nic: str | Device, **keys: Any) -> Device:
        """A network block device over a network card: ``size``."""
        return self.add(name, "nbd", nic=nic, **keys)

    def nvme_tcp(self, name: str, *, nic: str | Device, **keys: Any) -> Device:
        """An NVMe disk over TCP and a network card: ``size``."""
        return self.add(name, "nvme-tcp", nic=nic, **keys)

    def partition(self, name: str, *, on: str | Device, **keys: Any) -> Device:
        """A partition: ``start``, ``size``."""
        return self.add(name, "partition", on, **keys)

    def dm(self, name: str, *, target: str, on: On = None, **keys: Any) -> Device:
        """A device mapper device: ``target="linear"`` on one device, or with ``table=[[start,
        length, device, offset], ...]`` in sectors; striped, mirror, crypt, snapshot ..."""
        return self.add(name, f"dm-{target}", on, **keys)

    def md(
        self, name: str, *, level: str | int, members: Sequence[str | Device], **keys: Any
    ) -> Device:
        """An md array: ``level`` as mdadm has it (``"raid5"``, ``5``, ``"linear"``), ``chunk``,
        ``layout``, ``failed`` (numbers of failed members)."""
        word = str(level)
        if isinstance(members, str):
            raise ConfigError(
                "not a list of members",
                path=f"devices.{name}.members",
                value=members,
                hint=f'write ["{members}", ...]',
            )
        return self.add(name, f"md-raid{word}" if word.isdigit() else f"md-{word}", members, **keys)

    def loop(self, name: str, *, on: str | Device, **keys: Any) -> Device:
        """A loop device over a file on a file system: ``size``, ``direct``, ``preallocated``."""
        return self.add(name, "loop", on, **keys)

    def filesystem(self, name: str, *, kind: str, on: str | Device, **keys: Any) -> Device:
        """A mounted file system: ``kind="xfs"``, ``"ext3"`` ..."""
        return self.add(name, kind, on, **keys)

    def swap(self, name: str, *, on: str | Device, **keys: Any) -> Device:
        """A swap area, written under page reclaim."""
        return self.add(name, "swap", on, **keys)

    def raw(self, name: str, *, on: str | Device, **keys: Any) -> Device:
        """The block device itself, read and written by a task."""
        return self.add(name, "raw", on, **keys)

    def nfs(self, name: str, *, nic: str | Device, **keys: Any) -> Device:
        """An NFS client over a network card."""
        return self.add(name, "nfs", nic=nic, **keys)

    def nfsd(self, name: str, *, on: str | Device, nic: str | Device, **keys: Any) -> Device:
        """An NFS server that exports a file system."""
        return self.add(name, "nfsd", on, nic=nic, **keys)
