"""Network interfaces, and the disks behind them: one registry."""

from blockstack.kinds.model import Kind
from blockstack.kinds.network.drbd import DRBD
from blockstack.kinds.network.iscsi import ISCSI
from blockstack.kinds.network.nbd import NBD
from blockstack.kinds.network.nic import NIC
from blockstack.kinds.network.nvme_tcp import NVME_TCP

NETWORK_KINDS: tuple[Kind, ...] = (NIC, ISCSI, NBD, NVME_TCP, DRBD)
