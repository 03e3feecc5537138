"""Parameters that all caches have, dm's and bcache."""

from blockstack.kinds.model import Param
from blockstack.kinds.params import fraction, sectors


def block(default: int, text: str) -> Param:
    """The unit of caching."""
    return Param("block", sectors(least=1, most=2**21), default, f"block of the cache; {text}")


HITS = Param("hits", fraction, 0.5, "share of the blocks that the cache holds when they are read")
