"""Frame tables out of kernel binaries: machine code, or what gcc wrote about it."""

from blockstack.kernel.extract.build import extract, write_table
from blockstack.kernel.extract.compare import compare, comparison_view

__all__ = ["compare", "comparison_view", "extract", "write_table"]
