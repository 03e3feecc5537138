"""Functions that call themselves: what their further rounds keep on the stack."""

from collections.abc import Mapping

from blockstack.base.calls import Path
from blockstack.kernel.table import FrameTable


def climbs(table: FrameTable, path: Path) -> Mapping[str, int]:
    """Bytes that functions of the path keep in the rounds in which they call themselves."""
    keys = ((table.find(name), rounds) for name, rounds in path.climbs)
    return {key: rounds * (table.site(key, key) or 0) for key, rounds in keys if key}
