"""Parameters of arrays: chunk, layout, bitmap, failed members."""

import re
from collections.abc import Callable
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.kinds.model import Param
from blockstack.kinds.params import choice, indices, sectors

_LAYOUT = re.compile(r"[nfo][1-9]\d?\Z")
#: mdadm's default since 3.1 (2009); 64 KiB before
_CHUNK_SECTORS = 1024

BITMAP_WORDS = ("none", "internal")
BITMAP_PARAM = Param(
    "bitmap",
    choice(*BITMAP_WORDS),
    "none",
    "write-intent bitmap: none or internal (mdadm --bitmap)",
)


def chunk(*, power_of_two: bool) -> Param:
    """raid0 takes any multiple of 4 KiB since 2.6.31; raid10 and raid4/5/6 powers of two."""
    return Param(
        "chunk",
        sectors(8, 2**31, multiple=8, power_of_two=power_of_two),
        _CHUNK_SECTORS,
        'chunk size, e.g. "64 KiB" (a multiple of 4 KiB)',
    )


def layout(value: Any, path: str) -> str:
    """A raid10 layout as mdadm writes it."""
    if not isinstance(value, str) or not _LAYOUT.match(value):
        raise ConfigError(
            "not a RAID 10 layout",
            path=path,
            value=value,
            hint='write "n2" (near), "f2" (far) or "o2" (offset), 2 copies each',
        )
    return value


def failed_members(most: int) -> Callable[[Any, str], tuple[int, ...]]:
    """Failed members; with more than ``most`` the array is gone."""

    def parse(value: Any, path: str) -> tuple[int, ...]:
        members = indices(value, path)
        if len(members) > most:
            raise ConfigError(
                f"survives the loss of {most} member{'s' * (most > 1)} only",
                path=path,
                value=value,
                hint=f"name at most {most} of the members",
            )
        return members

    return parse
