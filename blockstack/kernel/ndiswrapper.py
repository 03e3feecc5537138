"""NDISwrapper: where a Windows network driver's stack comes from.

NDISwrapper (never part of the kernel) runs a binary Windows driver. Nobody has published how much
stack such drivers use; Windows gives them about three pages, 12 KiB on i386 (Microsoft, "Using
the Kernel Stack", learn.microsoft.com/windows-hardware/drivers/kernel/using-the-kernel-stack),
more than a 4K or 8K Linux stack has. Three ways out were discussed: go on as it is, on the stack
of the task that happens to call; switch to a private stack; move the driver to user space.

Its later releases queue packets and let a work queue's thread call the driver (driver/wrapndis.c,
``tx_skbuff`` and ``tx_worker``): the driver then runs on that thread's stack, which has the
kernel's size, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blockstack.kernel.paths import CallPath, Step

# assumed: as much as e1000_xmit_frame keeps in the 2.6.18 table; for a private stack or user space
# also the switch or the copy into a queue
_WRAPPER = Step("tx_skbuff (ndiswrapper)", 100, "assumed")
_UNKNOWN = "the Windows driver's stack use"


@dataclass(frozen=True)
class DriverStack:
    """A Windows driver's share of the stacks.

    Attributes
    ----------
    caller : CallPath
        On the stack of the task that transmits, below ``dev_hard_start_xmit``.
    own : CallPath
        On a stack of the driver's own; empty when it has none in the kernel.
    own_limit_bytes : int
        Size of that stack; 0 when there is none.
    context : str
        ``caller``, ``private`` or ``user``.
    """

    caller: CallPath
    own: CallPath
    own_limit_bytes: int
    context: str


def driver_stack(params: Mapping[str, Any]) -> DriverStack:
    """How the parameters of a nic with ``driver = "ndiswrapper"`` spread the driver's stack use.

    Parameters
    ----------
    params : mapping
        ``context``, ``private_stack`` (bytes) and ``driver_stack`` (bytes, None when unknown).
    """
    wrapper = CallPath((_WRAPPER,))
    bytes_ = params.get("driver_stack")
    driver = (CallPath((), (_UNKNOWN,)) if bytes_ is None
              else CallPath((Step("Windows driver", int(bytes_), "assumed"),)))
    context = str(params.get("context", "caller"))
    if context == "caller":
        return DriverStack(wrapper + driver, CallPath(), 0, context)
    if context == "private":
        return DriverStack(wrapper, driver, int(params["private_stack"]), context)
    return DriverStack(wrapper, CallPath(), 0, context)
