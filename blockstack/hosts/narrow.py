"""What a user says where no source does: the host driver of disks, the type of file systems."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from blockstack.hosts.model.facts import USER, Facts, Source
from blockstack.hosts.model.host import Host, Node, SourceError

#: of a driver that is said for all disks: any source that names one disk's is nearer
_OF_ALL = Source("user, for all disks", 0)


@dataclass(frozen=True)
class Narrowed:
    """``--driver`` and ``--fstype`` as given: ``[DISK=]DRIVER``, ``DEVICE|MOUNT=TYPE``."""

    drivers: Sequence[str] = ()
    fstypes: Sequence[str] = ()

    def tell(self, host: Host) -> None:
        """Note it at the devices that it names.

        Raises
        ------
        BlockstackError
            No source names such a device or mount point.
        """
        for text in self.drivers:
            disk, named, driver = text.rpartition("=")
            if named:
                self._find(host, disk, "--driver").tell(USER, Facts(host_driver=driver))
                continue
            for node in host.nodes():
                if re.fullmatch(r"sd[a-z]+", node.kname or "") and not node.facts.transport:
                    node.tell(_OF_ALL, Facts(host_driver=driver))
        for text in self.fstypes:
            where, named, fstype = text.rpartition("=")
            if not named:
                raise SourceError("needs DEVICE=TYPE", path="--fstype", value=text)
            place = next((use.on[0] for use in host.uses if use.where == where and use.on), where)
            self._find(host, place, "--fstype").tell(USER, Facts(fstype=fstype))

    @staticmethod
    def _find(host: Host, name: str, option: str) -> Node:
        found = host.find(name) or host.find(f"mapper/{name}")
        if found is None:
            raise SourceError(
                "no source names this device", path=option, value=name, hint="see blockstack import"
            )
        return found
