"""The assumptions that a host settles; what it does not tell stays the deeper way."""

from dataclasses import replace

from blockstack.base.environment import UNTOLD, Environment
from blockstack.hosts.model.host import Host, canonical

_FEATURES = {"rmapbt": "rmapbt", "reflink": "shared_extents"}


def environment_of(host: Host) -> Environment:
    """What the sources say of IOMMU and of every XFS file system.

    A feature is off only where each mounted XFS is told to be without it.
    """
    found = UNTOLD
    if len(host.iommu) == 1:
        found = replace(found, iommu=next(iter(host.iommu)))
    elif host.iommu:
        host.note(f"sources differ about the IOMMU ({', '.join(host.iommu)}): counted as untold")
    told = {canonical(name): features for name, features in host.xfs.items()}
    mounted = [use.on for use in host.uses if use.kind == "fs" and use.fstype == "xfs"]
    for feature, key in _FEATURES.items():
        without = {name for name, features in told.items() if features.get(feature) is False}
        if mounted and all(_names(host, on) & without for on in mounted):
            found = Environment.from_dict({key: False}, base=found)
    return found


def _names(host: Host, devices: tuple[str, ...]) -> set[str]:
    """Every name of the devices that carry a file system."""
    return {name for device in devices for name in (device, *host.node(device).names)}
