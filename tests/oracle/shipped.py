"""The kernels that ship, as tests take them: every profile, or one of each frame table."""

from collections.abc import Mapping

from blockstack.kernel import PROFILES

#: one kernel of each frame table, oldest first, the wider architecture last
KERNELS: tuple[str, ...] = tuple({p.data: n for n, p in reversed(PROFILES.items())}.values())[::-1]
#: those with make_request functions, and those with blk-mq only
OF_2_6 = tuple(n for n in KERNELS if PROFILES[n].release.startswith("2.6."))
SINCE_6 = tuple(n for n in KERNELS if n not in OF_2_6)


def by_generation() -> Mapping[str, tuple[str, ...]]:
    """The kernels of each generation."""
    found: dict[str, tuple[str, ...]] = {}
    for name in KERNELS:
        generation = PROFILES[name].generation
        found[generation] = (*found.get(generation, ()), name)
    return found
