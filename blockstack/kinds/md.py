"""Device kinds: md."""

from blockstack.kinds.model import Kind

MD_KINDS: tuple[Kind, ...] = ()
