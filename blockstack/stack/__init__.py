"""What stands on what: devices, checks, sizes."""

from blockstack.stack.device import Device, Lower, Segment
from blockstack.stack.model import Stack

__all__ = ["Device", "Lower", "Segment", "Stack"]
