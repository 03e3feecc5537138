"""What some kinds do beyond their paths: a record per idea, absent where a kind has none of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from blockstack.base.calls import Path


@runtime_checkable
class Record(Protocol):
    """A record of a kind that has paths of its own."""

    def paths(self) -> Iterator[Path]:
        """Each of them."""


@dataclass(frozen=True)
class Parity:
    """What make_request of an array with parity does itself, and what its thread does.

    Attributes
    ----------
    full_stripe_in_caller : bool
        A write for which nothing must be read first is submitted in the caller.
    read_in_caller : bool
        Reads that the stripe cache lacks are submitted in the caller.
    aligned_read : bool
        Reads inside a chunk bypass the stripe cache.
    aligned_read_degraded : bool
        They do so while a member is missing, too, unless it is theirs.
    rmw : bool
        A small write may read what it replaces and the parity, not the rest of the stripe.
    unplug_in_submit : Path or None
        To the members' unplug_fn, when make_request must wait for a free stripe (to 2.6.3x).
    """

    full_stripe_in_caller: bool
    read_in_caller: bool
    aligned_read: bool
    aligned_read_degraded: bool
    rmw: bool
    unplug_in_submit: Path | None = None

    def paths(self) -> Iterator[Path]:
        """Its path, when it has one."""
        if self.unplug_in_submit is not None:
            yield self.unplug_in_submit


@dataclass(frozen=True)
class Cache:
    """What a cache does with a bio.

    Attributes
    ----------
    writes : str
        ``writethrough``, ``writeback``, ``writearound``: where writes go.
    filled : bool
        A read that missed fills the cache.
    drained : bool
        What was written to the cache alone goes to the origin later.
    """

    writes: str
    filled: bool
    drained: bool


@dataclass(frozen=True)
class SelfCall:
    """md to 2.6.3x calls its own make_request for the halves of a bio that straddles a chunk.

    Attributes
    ----------
    function : str
    submits_inside : bool
        The inner call submits by itself (raid10); else it comes back with a remap before.
    """

    function: str
    submits_inside: bool = False


@dataclass(frozen=True)
class Receive:
    """What a protocol does with a packet, from IP on.

    Attributes
    ----------
    data : tuple of Path
        How its data come to the socket's owner, to that one's deepest point: one per protocol.
    answers : Path or None
        TCP's answer to a segment, to the network card's transmit function.
    """

    data: tuple[Path, ...]
    answers: Path | None = None

    def paths(self) -> Iterator[Path]:
        """All of them."""
        yield from (*self.data, *(() if self.answers is None else (self.answers,)))


@dataclass(frozen=True)
class Peer:
    """What a device does only when it is connected to its peer over a network card.

    Attributes
    ----------
    threads : mapping of name to Path
        Tasks that write what the peer sends to the lower devices.
    senders : mapping of name to Path
        Tasks that send, to the card's transmit function.
    completion : Path or None
        Where a bio is completed on the peer's word.
    receive : Receive or None
    """

    threads: Mapping[str, Path] = field(default_factory=dict)
    senders: Mapping[str, Path] = field(default_factory=dict)
    completion: Path | None = None
    receive: Receive | None = None

    def paths(self) -> Iterator[Path]:
        """All of them."""
        yield from (*self.threads.values(), *self.senders.values())
        if self.completion is not None:
            yield self.completion
        if self.receive is not None:
            yield from self.receive.paths()


@dataclass(frozen=True)
class Card:
    """How a network card receives.

    Attributes
    ----------
    poll : Path
        From the receive softirq to IP.
    dpc : Path or None
        NDISwrapper's tasklet, which runs the Windows driver's DPC.
    """

    poll: Path
    dpc: Path | None = None

    def paths(self) -> Iterator[Path]:
        """What it has."""
        yield from (path for path in (self.poll, self.dpc) if path is not None)
