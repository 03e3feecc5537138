"""A chain of functions that a kernel printed, and what a frame table has for each of them."""

from dataclasses import dataclass
from typing import Literal

#: how the table knows a row: the call itself, a tail jump between, the deepest call through a
#: pointer, the whole frame (never less than the truth), entry code by its structs, not at all
How = Literal["call", "tail", "pointer", "frame", "root", "missing"]


@dataclass(frozen=True)
class ChainFrame:
    """One function of a call chain, and what the table has for it.

    Attributes
    ----------
    function : str
    bytes : int
        Kept while the next row's function runs; of the last row: its frame.
    how : {"call", "tail", "pointer", "frame", "root", "missing"}
    file : str
        Source file; empty when the table lacks the function.
    """

    function: str
    bytes: int
    how: How
    file: str = ""


@dataclass(frozen=True)
class CallChain:
    """A call chain in a frame table, outermost first."""

    frames: tuple[ChainFrame, ...]

    @property
    def bytes(self) -> int:
        """Sum over the rows."""
        return sum(f.bytes for f in self.frames)

    @property
    def missing(self) -> tuple[str, ...]:
        """Functions that the table lacks: the sum is then a lower bound."""
        return tuple(dict.fromkeys(f.function for f in self.frames if f.how == "missing"))
