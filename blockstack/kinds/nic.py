"""Network interfaces: from the driver's xmit function down."""

from blockstack.errors import ConfigError
from blockstack.kinds.model import Calls, Kind, Param, Path
from blockstack.kinds.params import choice, size_bytes
from blockstack.kinds.requests import Cuts

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
_E1000 = Calls(submit=E1000_XMIT)
# loopback_xmit only queues the packet for the receiving softirq (netif_rx)
_LOOPBACK = Calls(submit=Path((">loopback_xmit",), files=("drivers/net/loopback.c",), cuts=_SG))
_GENERIC = Calls(submit=Path((">hard_start_xmit",)),
                 note="no driver is named: its xmit function is unknown, the depth a lower bound")
# NDISwrapper (never part of the kernel) runs a binary Windows driver; its frames are in no table:
# the anchor is missing, and a path is a lower bound unless assumed figures take its place. Its
# later releases queue packets and call the driver from a work queue's thread (driver/wrapndis.c,
# tx_skbuff and tx_worker), whose stack has the kernel's size, too.
_NDISWRAPPER = Calls(
    submit=Path((">tx_skbuff (ndiswrapper)",)),
    note="a Windows driver's stack use is unknown; `driver_stack` is what the user assumes. "
         "Windows limits a driver to about three pages: Microsoft, Using the Kernel Stack, "
         "learn.microsoft.com/windows-hardware/drivers/kernel/using-the-kernel-stack")


def _all(calls: Calls) -> dict[str, Calls]:
    return {"2.6.18": calls, "2.6.24": calls, "6.1": calls}


_DRIVERS = {"e1000": _all(_E1000), "loopback": _all(_LOOPBACK), "generic": _all(_GENERIC),
            "ndiswrapper": {"2.6.18": _NDISWRAPPER, "2.6.24": _NDISWRAPPER}}


def _stack(value: object, path: str) -> int:
    n = size_bytes(4096, 2**20)(value, path)
    if n % 4096:
        raise ConfigError("must be a multiple of 4096 bytes", path=path, value=value)
    return n


NIC = Kind(
    "nic", "nic", "leaf", (0, 0), "network interface and its driver",
    params=(
        Param("driver", choice(*sorted(_DRIVERS)), "e1000", "e1000, loopback, generic (unknown "
              "driver) or ndiswrapper (a Windows driver)"),
        Param("context", choice("caller", "private", "user"), "caller",
              "ndiswrapper: where the Windows driver runs: on the caller's stack, on a private "
              "one, or in user space"),
        Param("private_stack", _stack, 12288, "ndiswrapper: size of the private stack"),
        Param("driver_stack", size_bytes(1, 2**20), None,
              "ndiswrapper: bytes of stack the Windows driver is assumed to need; absent: unknown"),
    ),
    calls=_all(_E1000), verb="nic", variant="driver", variants=_DRIVERS)
