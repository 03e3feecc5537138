"""Multiple devices: linear and the RAID levels."""

from blockstack.kinds.md.levels import MD_KINDS

__all__ = ["MD_KINDS"]
