"""Interrupts on a shared stack: what may strike a task at any depth, and how often."""

import numpy as np

from blockstack.engine.arrays import IrqSpec
from blockstack.engine.paths import LayeredPath, layered
from blockstack.errors import ConfigError
from blockstack.kernel import Kernel
from blockstack.kernel.interrupts import interrupt_paths

#: Assumed: about 2,000 interrupts a second on a machine that makes some 200,000 make_request
#: calls a second. A what-if, to be set with ``--irq-per-hop``; shown as assumed in every report.
ASSUMED_IRQ_PER_HOP = 0.01


def shared_interrupts(kernel: Kernel) -> dict[str, LayeredPath]:
    """What interrupts may add on the interrupted task's own stack, by name; empty: nothing.

    One hard interrupt on top of a softirq is the assumed nesting (FACTS.md section 2: hard
    interrupts of these kernels may nest deeper; the published traces 27-31 show one or two).
    """
    if kernel.platform.irq_stacks == "separate":
        return {}
    return {name: layered(f"interrupt: {name}", path)
            for name, path in interrupt_paths(kernel.rows).items()}


def interrupt_bytes(kernel: Kernel, context: str) -> int:
    """Bytes that interrupts may add on a task's own stack.

    Separate stacks: the entry frames before the switch. Shared: softirq and hard interrupt whole.
    """
    if context in ("softirq", "hardirq"):
        return 0
    if kernel.platform.irq_stacks == "separate":
        return kernel.platform.irq_entry_bytes
    return sum(path.bytes for path in shared_interrupts(kernel).values())


def irq_spec(kernel: Kernel, per_hop: float | None) -> IrqSpec | None:
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
    paths = shared_interrupts(kernel)
    if not paths or rate == 0:
        return None
    hard = paths["hardirq"].bytes
    classes = np.array([hard, hard + paths["softirq"].bytes], np.int32)
    return IrqSpec(rate, classes, np.array([2**31 - 1, 2**32 - 1], np.uint32))
