"""Device kinds: network."""

from blockstack.kinds.model import Kind

NETWORK_KINDS: tuple[Kind, ...] = ()
