"""A shipped kernel's SCSI host drivers: rows beside its frame table.

``kernel/extract/host_drivers.py`` makes them.
"""

from dataclasses import replace
from importlib import resources

from blockstack.kernel.table import FrameTable, load_table


def with_drivers(table: FrameTable, data: str) -> FrameTable:
    """The same table with a row for each host driver of its package, if they were read."""
    source = resources.files("blockstack.kernel") / "data" / "hosts" / data
    if not source.is_file():
        return table
    with resources.as_file(source) as path:
        drivers = load_table(path)
    joined = table.joined(drivers)
    return replace(joined, meta={**joined.meta, "untold_drivers": drivers.meta["worst"]})
