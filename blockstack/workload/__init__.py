"""What arrives at a stack: bios in fio's words, or as columns."""

from blockstack.workload.columns import Columns, make_columns
from blockstack.workload.draw import DrawSpec, thresholds, zeta, zipf_constants
from blockstack.workload.model import Workload
from blockstack.workload.sizes import Sizes, parse_bs, parse_bssplit

__all__ = [
    "Columns",
    "DrawSpec",
    "Sizes",
    "Workload",
    "make_columns",
    "parse_bs",
    "parse_bssplit",
    "thresholds",
    "zeta",
    "zipf_constants",
]
