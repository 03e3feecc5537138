"""Names of functions: what gcc appends to them, and where they are defined."""

import re
from functools import lru_cache

from blockstack.base.calls import split_place

#: what gcc appends when it clones or splits a function
_CLONE = re.compile(r"\.(?:part|isra|constprop|cold)(?:\.\d+)?(?=\.|\Z)")


@lru_cache(maxsize=200_000)
def base_name(name: str) -> str:
    """``"f.isra.0@fs/x.c"`` without gcc's clone suffixes: ``"f@fs/x.c"``."""
    function, at, file = name.partition("@")
    return _CLONE.sub("", function) + at + file


def plain_name(name: str) -> str:
    """``"f.isra.0@fs/x.c"`` without clone suffixes and place: ``"f"``."""
    if "." not in name and "@" not in name:
        return name  # most
    return split_place(base_name(name))[0]
