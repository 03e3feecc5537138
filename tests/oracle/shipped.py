"""The kernels that ship, as tests take them: every profile, or one of each frame table."""

from collections.abc import Mapping

from blockstack.kernel import PROFILES

#: one kernel of each frame table, oldest first, the wider architecture last
TABLES: tuple[str, ...] = tuple({p.data: n for n, p in reversed(PROFILES.items())}.values())[::-1]
#: generations whose sources were read for what the shipped configs and measured stacks need, and
#: not yet kind by kind: a path whose functions their tables lack says "at least"
PARTLY_READ = ("5.10", "7.3")
KERNELS = tuple(n for n in TABLES if PROFILES[n].generation not in PARTLY_READ)
#: those with make_request functions, and those with blk-mq only
OF_2_6 = tuple(n for n in KERNELS if PROFILES[n].release.startswith("2.6."))
SINCE_6 = tuple(n for n in KERNELS if n not in OF_2_6)


def by_generation() -> Mapping[str, tuple[str, ...]]:
    """The kernels of each generation."""
    found: dict[str, tuple[str, ...]] = {}
    for name in TABLES:
        generation = PROFILES[name].generation
        found[generation] = (*found.get(generation, ()), name)
    return found
