"""What a call costs: frame tables of real kernels, call paths, platforms."""

from blockstack.base.registry import RULES
from blockstack.generations.platform import Platform
from blockstack.kernel.graph import CallPath, Step
from blockstack.kernel.layer import LayerRow
from blockstack.kernel.profiles import PROFILES
from blockstack.kernel.rows import RowSource
from blockstack.kernel.shipped import Kernel, kernel_of, load_kernel, read_frames
from blockstack.kernel.table import FrameTable, load_table

__all__ = [
    "PROFILES",
    "RULES",
    "CallPath",
    "FrameTable",
    "Kernel",
    "LayerRow",
    "Platform",
    "RowSource",
    "Step",
    "kernel_of",
    "load_kernel",
    "load_table",
    "read_frames",
]
