"""Network interfaces: from the driver's xmit function down."""

from blockstack.base.calls import Path
from blockstack.base.errors import ConfigError
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import choice, size_bytes
from blockstack.kinds.records import Card
from blockstack.kinds.shared.requests import Cuts
from blockstack.kinds.shared.tcp import (
    BACKLOG,
    BACKLOG_V2_6_18,
    SOFTIRQ,
    UNKNOWN_POLL_V2_6_18,
    gro_poll,
)

# these nics gather fragments and sum checksums, so that tcp_sendpage never falls back to a copy
_SG: Cuts = (("tcp_sendpage", "sock_no_sendpage", "only for a nic without NETIF_F_SG"),)
_E1000_CUTS: Cuts = (
    *_SG,
    ("e1000_tso", "pskb_expand_head", "only for a cloned header of a TSO packet"),
    ("e1000_xmit_frame", "pskb_expand_head", "only for a cloned header of a TSO packet"),
    ("e1000_xmit_frame", "__pskb_pull_tail", "only for the 82544's and 82571's TSO quirks"),
    ("e1000_xmit_frame", "e1000_mng_write_dhcp_info", "only for DHCP packets"),
)
_E1000_FILES = ("drivers/net/e1000/e1000_main.c", "drivers/net/ethernet/intel/e1000/[e1000.ko]")
#: the Intel e1000 driver from its xmit function on (2.6.18 and 6.1)
E1000_XMIT = Path((">e1000_xmit_frame",), files=_E1000_FILES, cuts=_E1000_CUTS)
# loopback_xmit only queues the packet for the receiving softirq (netif_rx)
_LOOPBACK = Path((">loopback_xmit",), files=("drivers/net/loopback.c",), cuts=_SG)
_UNKNOWN = Path((">hard_start_xmit",))
_UNKNOWN_NOTE = "no driver is named: its functions are unknown, the depth a lower bound"
# NDISwrapper (never part of the kernel) runs a binary Windows driver; its frames are in no table:
# the anchor is missing, and a path is a lower bound unless assumed figures take its place. Its
# later releases queue packets and call the driver from a work queue's thread (driver/wrapndis.c,
# tx_skbuff and tx_worker), whose stack has the kernel's size, too. Its
# interrupt handler queues a DPC (KeInsertQueueDpc), which Windows runs at DISPATCH_LEVEL: a tasklet
# here. The DPC indicates packets (NdisMIndicateReceivePacket): netif_rx takes them.
_RECEIVING = {
    "caller": "the Windows driver receives in its DPC, assumed to be a tasklet on the softirq's "
    "stack that needs as much there as `driver_stack` says",
    "private": "the Windows driver's DPC is assumed to switch to the private stack, too; sending "
    "runs at DISPATCH_LEVEL, which keeps tasklets off, so that the two do not nest",
    "user": "in the kernel are left: the wrapper's transmit function, which queues a packet for "
    "the driver's process, and the receive softirq for what that process hands in "
    "(netif_rx); the process's own system calls are not counted",
}
_NDISWRAPPER = Calls(
    submit=Path((">tx_skbuff (ndiswrapper)",)),
    card=Card(
        BACKLOG_V2_6_18, dpc=Path((*SOFTIRQ, ">tasklet_action"), files=("kernel/softirq.c",))
    ),
    notes={"context": _RECEIVING},
    note="a Windows driver's stack use is unknown; `driver_stack` is what the user assumes. "
    "Windows limits a driver to about three pages: Microsoft, Using the Kernel Stack, "
    "learn.microsoft.com/windows-hardware/drivers/kernel/using-the-kernel-stack",
)


def _driver(xmit: Path, v2_6: Path, v6_1: Path, note: str = "") -> dict[str, Calls]:
    """An in-tree driver: its transmit function, and how it receives to 2.6.24 and in 6.1."""
    return {
        gen: Calls(submit=xmit, card=Card(poll), note=note)
        for gen, poll in (("2.6.18", v2_6), ("2.6.24", v2_6), ("6.1", v6_1))
    }


_DRIVERS = {
    # drivers/net/e1000 of the 2.6 configurations is without NAPI (CONFIG_E1000_NAPI unset):
    # e1000_clean_rx_irq ends in netif_rx; 6.1: adapter->clean_rx is e1000_clean_rx_irq or, with
    # jumbo frames, e1000_clean_jumbo_rx_irq
    "e1000": _driver(
        E1000_XMIT,
        BACKLOG_V2_6_18,
        gro_poll(">e1000_clean", ">e1000_clean_rx_irq", "napi_gro_receive", files=_E1000_FILES),
    ),
    "loopback": _driver(_LOOPBACK, BACKLOG_V2_6_18, BACKLOG),
    "generic": _driver(
        _UNKNOWN,
        UNKNOWN_POLL_V2_6_18,
        gro_poll(">poll (unknown driver)", ">napi_gro_receive"),
        _UNKNOWN_NOTE,
    ),
    "ndiswrapper": {"2.6.18": _NDISWRAPPER, "2.6.24": _NDISWRAPPER},
}

_WINDOWS = ("driver", "ndiswrapper")


def _stack(value: object, path: str) -> int:
    n = size_bytes(4096, 2**20)(value, path)
    if n % 4096:
        raise ConfigError("must be a multiple of 4096 bytes", path=path, value=value)
    return n


NIC = Kind(
    "nic",
    "nic",
    "leaf",
    (0, 0),
    "network interface and its driver",
    params=(
        Param(
            "driver",
            choice(*sorted(_DRIVERS)),
            "e1000",
            "e1000, loopback, generic (unknown driver) or ndiswrapper (a Windows driver)",
        ),
        Param(
            "context",
            choice("caller", "private", "user"),
            "caller",
            "ndiswrapper: where the Windows driver runs: on the caller's stack, on a private "
            "one, or in user space",
            only=_WINDOWS,
        ),
        Param(
            "private_stack",
            _stack,
            12288,
            "ndiswrapper: size of the private stack",
            only=("context", "private"),
        ),
        Param(
            "driver_stack",
            size_bytes(1, 2**20),
            None,
            "ndiswrapper: bytes of stack the Windows driver is assumed to need; absent: unknown",
            only=_WINDOWS,
        ),
    ),
    calls=_DRIVERS["e1000"],
    verb="nic",
    variant="driver",
    variants=_DRIVERS,
)
