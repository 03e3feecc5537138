"""The errors that users catch: the public names of what ``blockstack.base.errors`` defines."""

from blockstack.base.errors import (
    BlockstackError,
    ConfigError,
    LimitExceeded,
    UnknownFrame,
    UnknownKernel,
    UnsupportedKind,
)

__all__ = [
    "BlockstackError",
    "ConfigError",
    "LimitExceeded",
    "UnknownFrame",
    "UnknownKernel",
    "UnsupportedKind",
]
