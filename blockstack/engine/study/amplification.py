"""Split and amplification: what each layer makes of a bio, counted call by call."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from blockstack.base.shown import Listing, Shown
from blockstack.engine.depth.simulate import as_kernel
from blockstack.engine.plan.arrays import OP_NAMES
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.core import replays
from blockstack.engine.plan.demand import demand_of, source_of
from blockstack.engine.study.stackmap import alike_devices
from blockstack.kernel import Kernel
from blockstack.stack import Stack
from blockstack.workload import Workload

#: bios that are followed, until they have made so many calls
_BIOS, _CALLS, _LEAST = 5000, 100_000, 64


@dataclass
class _Count:
    bios_in: int = 0
    sectors_in: int = 0
    bios_out: int = 0
    sectors_out: int = 0
    out_by_op: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class LayerSplit:
    """Bios and sectors that came into alike devices and went on to what is under them.

    Attributes
    ----------
    names : tuple of str
    kind : str
    bios_in, sectors_in : int
        Given to them by what stands above; a rest that a device gives itself again is not counted.
    bios_out, sectors_out : int
        Given to lower devices, by the device's workers too; of a leaf 0.
    out_by_op : mapping of operation to bios
    """

    names: tuple[str, ...]
    kind: str
    bios_in: int
    sectors_in: int
    bios_out: int
    sectors_out: int
    out_by_op: Mapping[str, int]

    @property
    def is_leaf(self) -> bool:
        """Nothing went on."""
        return not self.bios_out

    @property
    def bios_ratio(self) -> float:
        """Bios out per bio in."""
        return self.bios_out / self.bios_in

    @property
    def sectors_ratio(self) -> float | None:
        """Sectors out per sector in; None: no sectors came in (flushes)."""
        return self.sectors_out / self.sectors_in if self.sectors_in else None


@dataclass(frozen=True, repr=False)
class Amplification(Shown):
    """Layers from the top down.

    Attributes
    ----------
    stack, kernel, submission : str
    bios, sectors : int
        Source bios that were followed, and what they asked for.
    layers : tuple of LayerSplit
    provenance : mapping
    """

    stack: str
    kernel: str
    submission: str
    bios: int
    sectors: int
    layers: tuple[LayerSplit, ...]
    provenance: Mapping[str, Any]

    def headline(self) -> str:
        """Bios above and below."""
        return (
            f"{self.bios:,} bios to {self.stack} become {self.leaf_bios:,} at its lowest devices "
            f"({self.kernel}, {self.submission})"
        )

    def listing(self) -> Listing:
        """Layers from the top down."""
        rows = [
            (
                ", ".join(layer.names[:3]) + (" ..." if len(layer.names) > 3 else ""),
                layer.kind,
                f"{layer.bios_in:,}",
                f"{layer.bios_out:,}",
                f"{layer.bios_ratio:.2f}",
            )
            for layer in self.layers
        ]
        return Listing(("devices", "kind", "bios in", "bios out", "ratio"), rows)

    @property
    def leaf_bios(self) -> int:
        """Bios that came to the lowest devices."""
        return sum(layer.bios_in for layer in self.layers if layer.is_leaf)

    @property
    def leaf_sectors(self) -> int:
        """Sectors that came to the lowest devices."""
        return sum(layer.sectors_in for layer in self.layers if layer.is_leaf)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with the ratios."""
        rows = [
            asdict(layer) | {"bios_ratio": layer.bios_ratio, "sectors_ratio": layer.sectors_ratio}
            for layer in self.layers
        ]
        return asdict(self) | {
            "layers": rows,
            "leaf_bios": self.leaf_bios,
            "leaf_sectors": self.leaf_sectors,
        }


def amplification(
    stack: Stack,
    workload: Workload,
    *,
    kernel: Kernel | str | Path,
    submission: str | None = None,
    seed: int | None = None,
) -> Amplification:
    """Follow a sample of the workload's bios, and count what goes into and out of each device.

    Parameters
    ----------
    stack : Stack
        Devices and what they stand on.
    workload : Workload
        What arrives; sizes in sectors of 512 bytes.
    kernel : Kernel, str or Path
        A shipped name, or the path of a frame table.
    submission : {None, "recursive", "fifo", "two-list", "lifo"}
        None: the kernel's own rule.
    seed : int or None
        Same inputs and seed give the same answer, bit for bit. None: the workload's own.

    Returns
    -------
    Amplification
        Bios and sectors of the sampled bios, device by device, in and out.

    Raises
    ------
    BlockstackError
        As for `simulate`.
    """
    chosen = as_kernel(kernel).override(submission=submission)
    demand = demand_of(workload)
    plan = compile_plan(
        stack, chosen, ops=demand.ops, direct=workload.direct, max_sectors=demand.max_sectors
    )
    source = source_of(workload, plan.capacity_sectors, seed)
    device = [position.device.name for position in plan.positions]
    count: dict[str, _Count] = {name: _Count() for name in stack.devices}
    followed = sectors = calls_made = 0
    for calls in replays(plan.arrays, source, range(min(_BIOS, demand.bios))):
        followed, calls_made = followed + 1, calls_made + len(calls)
        sectors += calls[0].nr
        for call in calls:
            here = device[call.position]
            above = device[calls[call.parent].position] if call.parent >= 0 else None
            if above == here:
                continue
            count[here].bios_in += 1
            count[here].sectors_in += call.nr
            if above is not None:
                count[above].bios_out += 1
                count[above].sectors_out += call.nr
                count[above].out_by_op[OP_NAMES[call.op]] += 1
        if calls_made > _CALLS and followed >= _LEAST:
            break
    provenance = chosen.provenance() | {
        "seed": workload.seed if seed is None else seed,
        "plan": plan.digest,
        "overrides": list(chosen.overrides),
        "stack": stack.name,
    }
    return Amplification(
        stack.name, chosen.name, chosen.rule, followed, sectors, _by_layer(stack, count), provenance
    )


def _by_layer(stack: Stack, count: Mapping[str, _Count]) -> tuple[LayerSplit, ...]:
    """Alike devices added up, in the order from the top down, without those nothing came to."""
    groups: dict[str, list[str]] = {}
    for name, first in alike_devices(stack).items():
        if count[name].bios_in:
            groups.setdefault(first, []).append(name)
    return tuple(
        LayerSplit(
            tuple(names),
            stack.devices[names[0]].kind,
            sum(count[n].bios_in for n in names),
            sum(count[n].sectors_in for n in names),
            sum(count[n].bios_out for n in names),
            sum(count[n].sectors_out for n in names),
            dict(sum((count[n].out_by_op for n in names), Counter())),
        )
        for names in groups.values()
    )
