"""Device kinds: leaves."""

from blockstack.kinds.model import Kind

LEAF_KINDS: tuple[Kind, ...] = ()
