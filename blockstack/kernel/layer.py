"""One layer on one kernel: what its driver keeps on the stack."""

from dataclasses import dataclass

from blockstack.kernel.graph import CallPath


@dataclass(frozen=True)
class LayerRow:
    """One layer on one kernel.

    Attributes
    ----------
    through : CallPath
        Entry of the block layer for this device to the call that submits the lower bio; empty for
        a leaf.
    peak : CallPath
        Entry to the deepest local function, nothing submitted; a serialised nested submit (which
        only queues) is included.
    """

    through: CallPath
    peak: CallPath


@dataclass(frozen=True)
class Found:
    """An anchor as one table has it."""

    name: str
    indirect: bool
    optional: bool
    asked: str  # what the path calls it
