"""blockstack: will this stack of block devices overflow the kernel stack, and how fast can it go?

>>> import blockstack as bs
>>> case = bs.load("configs/dm-md-iscsi.toml")
>>> result = bs.simulate(case.stack, case.workload, kernel=case.kernel, bios=1000)
>>> result.fits in (True, False, None)
True
"""

from blockstack.base.environment import Environment
from blockstack.base.errors import BlockstackError
from blockstack.engine.capacity.knee import until_knee
from blockstack.engine.capacity.levers import iops_levers
from blockstack.engine.capacity.result import CapacityResult, LoadSpec
from blockstack.engine.capacity.run import capacity, prepare
from blockstack.engine.depth.explain import explain
from blockstack.engine.depth.simulate import simulate
from blockstack.engine.study.amplification import Amplification, amplification
from blockstack.engine.study.journey import journey, sample_depths
from blockstack.engine.study.levers import Tornado, headroom_levers
from blockstack.engine.study.nesting import LayersThatFit, max_layers
from blockstack.engine.study.stackmap import stack_map
from blockstack.engine.study.survey import growth, headroom_grid
from blockstack.kernel import PROFILES, RULES, FrameTable, Kernel, Platform, load_kernel
from blockstack.present import plots as plot
from blockstack.results.result import Explanation, Frame, Result, TaskDepth
from blockstack.results.sweep import Sweep
from blockstack.scenario.config import Config
from blockstack.scenario.config import load_config as load
from blockstack.stack import Device, Stack
from blockstack.stack.machine import Machine
from blockstack.sweeps.ask import keeping, matters, pareto
from blockstack.sweeps.run import sweep
from blockstack.version import __version__ as __version__
from blockstack.workload import Workload

__all__ = [
    "PROFILES",
    "RULES",
    "Amplification",
    "BlockstackError",
    "CapacityResult",
    "Config",
    "Device",
    "Environment",
    "Explanation",
    "Frame",
    "FrameTable",
    "Kernel",
    "LayersThatFit",
    "LoadSpec",
    "Machine",
    "Platform",
    "Result",
    "Stack",
    "Sweep",
    "TaskDepth",
    "Tornado",
    "Workload",
    "amplification",
    "capacity",
    "explain",
    "growth",
    "headroom_grid",
    "headroom_levers",
    "iops_levers",
    "journey",
    "keeping",
    "load",
    "load_kernel",
    "matters",
    "max_layers",
    "pareto",
    "plot",
    "prepare",
    "sample_depths",
    "simulate",
    "stack_map",
    "sweep",
    "until_knee",
]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
