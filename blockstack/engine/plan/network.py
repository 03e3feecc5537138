"""Sending and receiving over a network card: protocol, driver, NDISwrapper's ways out."""

from collections.abc import Iterator
from dataclasses import dataclass

from blockstack.base.calls import Path
from blockstack.kernel import CallPath, Kernel, Step
from blockstack.kinds.model import Calls
from blockstack.kinds.records import Receive
from blockstack.kinds.shared.tcp import SOFTIRQ
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
    return (
        Sending(thread)
        if driver is None
        else Sending(thread + driver.path, driver.private, driver.private_bytes)
    )


def over_nic(kernel: Kernel, path: Path, nic: Device | None) -> Path:
    """A protocol's path, continued by the in-tree driver of the card under it."""
    if nic is None or nic.params["driver"] == "ndiswrapper":
        return path
    calls = nic.kind_entry.calls_for(kernel.generation.name, nic.params)
    return path if calls is None or calls.submit is None else path.then(calls.submit)


def receptions(
    kernel: Kernel, packets: Receive, nic: Device, calls: Calls
) -> Iterator[tuple[str, CallPath]]:
    """What the receiving softirqs have on their stack: the network's and a Windows driver's own.

    Parameters
    ----------
    packets : Receive
    calls : Calls
        The card's.
    """
    assert calls.card is not None  # a nic's
    poll = Path(SOFTIRQ).then(calls.card.poll)
    found = [kernel.rows.spine(poll.then(data)) for data in packets.data]
    if packets.answers is not None:
        found.append(send(kernel, poll.then(packets.answers), nic).path)
    deepest = max(found, key=lambda path: path.bytes)
    yield "receive", sum((CallPath((), path.missing) for path in found), deepest)
    driver = windows_driver(kernel, nic, "DPC")
    if driver is not None and calls.card.dpc is not None and nic.params["context"] != "user":
        yield "receive (driver's DPC)", kernel.rows.spine(calls.card.dpc) + driver.path


def windows_driver(kernel: Kernel, nic: Device, what: str = "transmit") -> Sending | None:
    """What NDISwrapper and the driver under it add; None: the card has an in-tree driver."""
    if nic.params["driver"] != "ndiswrapper":
        return None
    context, need = nic.params["context"], nic.params["driver_stack"]
    driver = (
        CallPath((), ("the Windows driver under ndiswrapper",))
        if need is None
        else CallPath((Step("Windows driver under ndiswrapper", need, "assumed"),))
    )
    wrapper = _wrapper(kernel, what)
    if context == "caller":
        return Sending(wrapper + driver)
    if context == "private":
        return Sending(wrapper, driver, nic.params["private_stack"])
    return Sending(wrapper)


def _wrapper(kernel: Kernel, what: str) -> CallPath:
    """NDISwrapper's own function: in no table, taken to be like an in-tree driver's transmit."""
    key = kernel.table.find(_STAND_IN)
    if key is None:
        return CallPath((), (f"ndiswrapper's {what} function",))
    return CallPath(
        (Step(f"ndiswrapper {what} (taken as {_STAND_IN})", kernel.table.frame(key), "assumed"),)
    )
