"""Device kinds: sources."""

from blockstack.kinds.model import Kind

SOURCE_KINDS: tuple[Kind, ...] = ()
