"""What disks behind a network have in common."""

from blockstack.kinds.model import REQUIRED, Param
from blockstack.kinds.params import sectors, text

SIZE = Param("size", sectors(), REQUIRED, "capacity of the remote disk")
LUN = Param(
    "lun", text, "", "the unit behind a path: devices with the same `lun` share its medium in time"
)
