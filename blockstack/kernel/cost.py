"""What an I/O costs in instructions, as counted on real kernels; see ``data/cost.toml``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from blockstack.generations import GENERATIONS

_DM_LINEAR = "dm-linear"


@dataclass(frozen=True)
class MeasuredCosts:
    """Instructions per 4 KiB O_DIRECT I/O at queue depth 1 on one architecture.

    Attributes
    ----------
    arch, method : str
    depths : tuple of int
        Numbers of dm-linear layers that were counted.
    table : mapping
        Base (``null-bio``, ``null-mq``, ``brd``), then op, to a count per depth; 0: not counted.
    single : mapping
        Op, then kind, to the count of one layer over brd (``mq-deadline``: over null-mq).
    """

    arch: str
    method: str
    depths: tuple[int, ...]
    table: Mapping[str, Mapping[str, tuple[int, ...]]]
    single: Mapping[str, Mapping[str, int]]

    @property
    def kernel(self) -> str:
        """The shipped kernel that was counted on."""
        on = {arch: k for gen in GENERATIONS.values() for arch, k in gen.counted_on.items()}
        return on[self.arch]

    def bare(self, base: str, op: str) -> float:
        """No layer at all. The bare brd write was not counted: one layer less than one layer."""
        counted = self.table[base][op][0]
        return counted or self.table[base][op][1] - self.per_dm_linear(op)

    def per_dm_linear(self, op: str) -> float:
        """One more dm-linear layer: the slope from 1 to 16 over null_blk's bio mode."""
        counts = self.table["null-bio"][op]
        return (counts[-1] - counts[1]) / (self.depths[-1] - self.depths[1])

    def layer(self, kind: str, op: str) -> float | None:
        """One layer of ``kind`` over a brd; None: not counted."""
        if kind == _DM_LINEAR:
            return self.per_dm_linear(op)
        counted = self.single[op].get(kind)
        return None if counted is None else counted - self.bare("brd", op)

    def scheduled(self, op: str) -> float:
        """A null_blk mq disk behind mq-deadline."""
        return self.single[op]["mq-deadline"]


@cache
def measured_costs(arch: str) -> MeasuredCosts:
    """The shipped counts of an architecture."""
    text = (resources.files("blockstack.kernel") / "data" / "cost.toml").read_text("utf-8")
    data: dict[str, Any] = tomllib.loads(text)
    mine = data[arch]
    table = {
        base: {op: tuple(counts) for op, counts in mine[base].items()}
        for base in ("null-bio", "null-mq", "brd")
    }
    return MeasuredCosts(arch, data["method"], tuple(data["depths"]), table, mine["single"])
