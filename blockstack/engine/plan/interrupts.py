"""Interrupts on a shared stack: what may strike a task at any depth, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from blockstack.base.errors import ConfigError
from blockstack.engine.plan.arrays import IrqSpec
from blockstack.engine.plan.paths import LayeredPath, deepest, layered
from blockstack.kernel import Kernel
from blockstack.kernel.interrupts import interrupt_paths

#: Assumed: about 2,000 interrupts a second on a machine that makes some 200,000 make_request
#: calls a second. A what-if, to be set with ``--irq-per-hop``; shown as assumed in every report.
ASSUMED_IRQ_PER_HOP = 0.01


@dataclass(frozen=True)
class SharedInterrupts:
    """What interrupts may add on the interrupted task's own stack, by name; empty: nothing.

    One hard interrupt on top of a softirq is the assumed nesting (hard interrupts of these
    kernels may nest deeper; the published traces 27-31 of 2.6.19 show one or two).
    """

    paths: Mapping[str, LayeredPath]

    @property
    def worst_bytes(self) -> int:
        """A softirq with a hard interrupt on top."""
        return sum(path.bytes for path in self.paths.values())

    @property
    def missing(self) -> tuple[str, ...]:
        """What the frame table lacks of them."""
        return tuple(name for path in self.paths.values() for name in path.missing)


def shared_interrupts(kernel: Kernel, completion: LayeredPath) -> SharedInterrupts:
    """Interrupts of a kernel whose stacks are shared.

    Parameters
    ----------
    completion : LayeredPath
        The stack's longest chain above bio_endio, which the block softirq runs.
    """
    if kernel.platform.irq_stacks == "separate":
        return SharedInterrupts({})
    found = interrupt_paths(kernel.rows)
    received = layered("interrupt: softirq", found["softirq"])
    done = layered("interrupt: softirq", found["block"]) + completion
    return SharedInterrupts(
        {
            "softirq": deepest((received, done)),
            "hardirq": layered("interrupt: hardirq", found["hardirq"]),
        }
    )


def irq_spec(interrupts: SharedInterrupts, per_hop: float | None) -> IrqSpec | None:
    """The core's interrupt classes: a hard interrupt alone, or one on top of a softirq.

    Half of the strikes are assumed to raise a softirq. None: interrupts have their own stacks.

    Raises
    ------
    ConfigError
        A probability outside 0 to 1.
    """
    rate = ASSUMED_IRQ_PER_HOP if per_hop is None else per_hop
    if not 0 <= rate < 1:
        raise ConfigError("must be a probability below 1", path="irq_per_hop", value=per_hop)
    if not interrupts.paths or rate == 0:
        return None
    hard = interrupts.paths["hardirq"].bytes
    classes = np.array([hard, interrupts.worst_bytes], np.int32)
    return IrqSpec(rate, classes, np.array([2**31 - 1, 2**32 - 1], np.uint32))
