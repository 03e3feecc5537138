"""blockstack: will this stack of block devices overflow the kernel stack, and how fast can it go?

>>> import blockstack as bs
>>> case = bs.load("configs/dm-md-iscsi.toml")
>>> result = bs.simulate(case.stack, case.workload, kernel=case.kernel, bios=1000)
>>> result.fits in (True, False, None)
True
"""

from blockstack.config import Config
from blockstack.config import load_config as load
from blockstack.engine.capacity.result import CapacityResult
from blockstack.engine.capacity.run import capacity
from blockstack.engine.explain import explain
from blockstack.engine.nesting import LayerLimit, max_layers
from blockstack.engine.simulate import simulate
from blockstack.errors import BlockstackError
from blockstack.kernel import PROFILES, RULES, FrameTable, Kernel, Platform, load_kernel
from blockstack.present import plots as plot
from blockstack.result import Explanation, Frame, Result, TaskDepth
from blockstack.stack import Device, Stack
from blockstack.stack.machine import Machine
from blockstack.workload import Workload

__version__ = "0.1.0"

__all__ = [
    "PROFILES", "RULES", "BlockstackError", "CapacityResult", "Config", "Device", "Explanation",
    "Frame", "FrameTable", "Kernel", "LayerLimit", "Machine", "Platform", "Result", "Stack",
    "TaskDepth", "Workload", "capacity", "explain", "load", "load_kernel", "max_layers", "plot",
    "simulate",
]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
