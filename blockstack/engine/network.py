"""Sending over a network card: the protocol's path, the driver's, NDISwrapper's ways out."""

from dataclasses import dataclass

from blockstack.kernel import CallPath, Kernel, Step
from blockstack.kinds.model import Path
from blockstack.stack import Device

#: an in-tree driver whose frame stands in for NDISwrapper's own transmit function
_STAND_IN = "e1000_xmit_frame"


@dataclass(frozen=True)
class Sending:
    """What lies on which stack when a packet is handed to the card.

    Attributes
    ----------
    path : CallPath
        On the sending thread's stack, the driver included where it runs there.
    private : CallPath or None
        On a stack of the driver's own.
    private_bytes : int
        Size of that stack.
    """

    path: CallPath
    private: CallPath | None = None
    private_bytes: int = 0


def send(kernel: Kernel, path: Path, nic: Device | None) -> Sending:
    """Join a protocol's path with the driver of the card under it.

    NDISwrapper runs a Windows driver of unknown depth: on the caller's stack, on a private stack
    of N bytes, or in user space. ``driver_stack`` is what the user assumes for it.
    """
    thread = kernel.rows.spine(over_nic(kernel, path, nic))
    driver = None if nic is None else windows_driver(kernel, nic)
    return Sending(thread) if driver is None else Sending(
        thread + driver.path, driver.private, driver.private_bytes)


def over_nic(kernel: Kernel, path: Path, nic: Device | None) -> Path:
    """A protocol's path, continued by the in-tree driver of the card under it."""
    if nic is None or nic.params["driver"] == "ndiswrapper":
        return path
    calls = nic.kind_entry.calls_for(kernel.generation.name, nic.params)
    return path if calls is None or calls.submit is None else path.then(calls.submit)


def windows_driver(kernel: Kernel, nic: Device) -> Sending | None:
    """What NDISwrapper and the driver under it add; None: the card has an in-tree driver."""
    if nic.params["driver"] != "ndiswrapper":
        return None
    context, need = nic.params["context"], nic.params["driver_stack"]
    driver = (CallPath((), ("the Windows driver under ndiswrapper",)) if need is None else
              CallPath((Step("Windows driver under ndiswrapper", need, "assumed"),)))
    if context == "caller":
        return Sending(_wrapper(kernel) + driver)
    if context == "private":
        return Sending(_wrapper(kernel), driver, nic.params["private_stack"])
    return Sending(_wrapper(kernel))


def _wrapper(kernel: Kernel) -> CallPath:
    """NDISwrapper's own transmit function: in no table, taken to be like an in-tree driver's."""
    key = kernel.table.find(_STAND_IN)
    if key is None:
        return CallPath((), ("ndiswrapper's transmit function",))
    return CallPath((Step(f"ndiswrapper transmit (taken as {_STAND_IN})", kernel.table.frame(key),
                          "assumed"),))
