"""Multiple devices (md): linear and the RAID levels, as mdadm builds them; one registry."""

from blockstack.kinds.md.mirrors import RAID1, RAID10
from blockstack.kinds.md.parity import PARITY_KINDS
from blockstack.kinds.md.striping import LINEAR, RAID0
from blockstack.kinds.model import Kind

MD_KINDS: tuple[Kind, ...] = (LINEAR, RAID0, RAID1, RAID10, *PARITY_KINDS)
