"""Multiple devices (md): linear and the RAID levels, as mdadm builds them."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.kinds.md.parity import parity_calls
from blockstack.kinds.md.v2_6 import LINEAR_OLD, RAID0_OLD, raid1_old, raid10_old
from blockstack.kinds.md.v6_1 import LINEAR, RAID0, raid1_new, raid10_new
from blockstack.kinds.md.v6_12 import later_md
from blockstack.kinds.model import Calls, Kind, Param
from blockstack.kinds.params import choice, indices, sectors

_LAYOUT = re.compile(r"[nfo][1-9]\d?\Z")
#: mdadm's default since 3.1 (2009); 64 KiB before
_CHUNK_SECTORS = 1024

BITMAP_WORDS = ("none", "internal")
_BITMAP = Param(
    "bitmap",
    choice(*BITMAP_WORDS),
    "none",
    "write-intent bitmap: none or internal (mdadm --bitmap)",
)


def _chunk(*, power_of_two: bool) -> Param:
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


def _with_bitmap(
    name: str,
    mapping: str,
    least: int,
    doc: str,
    *,
    params: tuple[Param, ...] = (),
    calls: Callable[..., Mapping[str, Calls]],
    most: int | None = None,
) -> Kind:
    """A kind whose threads also write the bitmap when there is one."""
    plain = calls(bitmap=False)
    return Kind(
        name,
        "stacked",
        mapping,
        (least, most),
        doc,
        params=(*params, _BITMAP),
        calls=plain,
        verb="md",
        variant="bitmap",
        variants={"none": plain, "internal": calls(bitmap=True)},
    )


def _raid1(*, bitmap: bool) -> Mapping[str, Calls]:
    return {**raid1_old(bitmap=bitmap), **later_md(raid1_new(bitmap=bitmap), clones=True)}


def _raid10(*, bitmap: bool) -> Mapping[str, Calls]:
    return {**raid10_old(bitmap=bitmap), **later_md(raid10_new(bitmap=bitmap), clones=True)}


def _parity(level: int, least: int, doc: str) -> Kind:
    most = 2 if level == 6 else 1
    failed = Param("failed", failed_members(most), (), "numbers of failed members, from 0")
    # 63: the core keeps failed members as bits of a word
    return _with_bitmap(
        f"md-raid{level}",
        "raid456",
        least,
        doc,
        most=63,
        params=(_chunk(power_of_two=True), failed),
        calls=partial(parity_calls, level),
    )


MD_KINDS = (
    Kind(
        "md-linear",
        "stacked",
        "segments",
        (1, None),
        "md linear: members one after the other",
        params=(
            Param(
                "chunk", sectors(0, 2**31), 0, "members are rounded down to this (0: not at all)"
            ),
        ),
        calls={**LINEAR_OLD, **later_md({"6.1": LINEAR}, endio=RAID0.endio)},
        verb="md",
    ),
    Kind(
        "md-raid0",
        "stacked",
        "stripe",
        (1, None),
        "md raid0: striping, with zones when members differ in size",
        params=(_chunk(power_of_two=False),),
        calls={**RAID0_OLD, **later_md({"6.1": RAID0})},
        verb="md",
    ),
    _with_bitmap(
        "md-raid1", "mirror", 1, "md raid1: mirrors; writes go on in raid1d", calls=_raid1
    ),
    _with_bitmap(
        "md-raid10",
        "raid10",
        2,
        "md raid10: striped copies, near, far or offset",
        params=(
            _chunk(power_of_two=True),
            Param("layout", layout, "n2", 'copies: "n2" near, "f2" far, "o2" offset'),
        ),
        calls=_raid10,
    ),
    _parity(4, 2, "md raid4: striping with a parity disk"),
    _parity(5, 2, "md raid5: rotating parity, left-symmetric"),
    _parity(6, 4, "md raid6: rotating P and Q, left-symmetric"),
)
