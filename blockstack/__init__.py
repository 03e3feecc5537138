"""blockstack: will this stack of block devices overflow the kernel stack, and how fast can it go?

>>> import blockstack as bs
>>> case = bs.load("configs/dm-md-iscsi.toml")
>>> result = bs.simulate(case.stack, case.workload, kernel=case.kernel, bios=1000)
>>> result.fits in (True, False, None)
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from blockstack.version import __version__ as __version__

if TYPE_CHECKING:
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
    from blockstack.engine.study.words import by_words
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
    "by_words",
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

#: where each name comes from, once it is asked for; behind a colon its name there, ``*`` the whole
_FROM = {
    "Amplification": "blockstack.engine.study.amplification",
    "BlockstackError": "blockstack.base.errors",
    "CapacityResult": "blockstack.engine.capacity.result",
    "Config": "blockstack.scenario.config",
    "Device": "blockstack.stack",
    "Environment": "blockstack.base.environment",
    "Explanation": "blockstack.results.result",
    "Frame": "blockstack.results.result",
    "FrameTable": "blockstack.kernel",
    "Kernel": "blockstack.kernel",
    "LayersThatFit": "blockstack.engine.study.nesting",
    "LoadSpec": "blockstack.engine.capacity.result",
    "Machine": "blockstack.stack.machine",
    "PROFILES": "blockstack.kernel",
    "Platform": "blockstack.kernel",
    "RULES": "blockstack.kernel",
    "Result": "blockstack.results.result",
    "Stack": "blockstack.stack",
    "Sweep": "blockstack.results.sweep",
    "TaskDepth": "blockstack.results.result",
    "Tornado": "blockstack.engine.study.levers",
    "Workload": "blockstack.workload",
    "amplification": "blockstack.engine.study.amplification",
    "by_words": "blockstack.engine.study.words",
    "capacity": "blockstack.engine.capacity.run",
    "explain": "blockstack.engine.depth.explain",
    "growth": "blockstack.engine.study.survey",
    "headroom_grid": "blockstack.engine.study.survey",
    "headroom_levers": "blockstack.engine.study.levers",
    "iops_levers": "blockstack.engine.capacity.levers",
    "journey": "blockstack.engine.study.journey",
    "keeping": "blockstack.sweeps.ask",
    "load": "blockstack.scenario.config:load_config",
    "load_kernel": "blockstack.kernel",
    "matters": "blockstack.sweeps.ask",
    "max_layers": "blockstack.engine.study.nesting",
    "pareto": "blockstack.sweeps.ask",
    "plot": "blockstack.present.plots:*",
    "prepare": "blockstack.engine.capacity.run",
    "sample_depths": "blockstack.engine.study.journey",
    "simulate": "blockstack.engine.depth.simulate",
    "stack_map": "blockstack.engine.study.stackmap",
    "sweep": "blockstack.sweeps.run",
    "until_knee": "blockstack.engine.capacity.knee",
}


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module 'blockstack' has no attribute {name!r}")
    module, _, other = _FROM[name].partition(":")
    whole = import_module(module)
    found = whole if other == "*" else getattr(whole, other or name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
