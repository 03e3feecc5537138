"""What disks behind a network have in common."""

from blockstack.kinds.model import REQUIRED, Param
from blockstack.kinds.params import sectors

SIZE = Param("size", sectors(), REQUIRED, "capacity of the remote disk")
