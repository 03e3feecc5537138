"""Functions that call themselves: what their further rounds keep on the stack."""

from collections.abc import Iterator, Mapping

from blockstack.base.calls import Path
from blockstack.kernel.table import FrameTable


def climbs(table: FrameTable, path: Path) -> Mapping[str, int]:
    """Bytes that functions of the path keep in the rounds in which they call themselves."""
    keys = ((key, rounds) for name, rounds in path.climbs for key in _all(table, name))
    return {key: rounds * (table.site(key, key) or 0) for key, rounds in keys}


def _all(table: FrameTable, name: str) -> Iterator[str]:
    """Every function of this name that calls itself: one source may be built several times."""
    found = table.find(name)
    if found is not None:
        yield from {found, *(key for key in table.named(name) if table.site(key, key))}
