"""The twin's draws: synthetic bios and interrupts, counter based, one Python integer at a time."""

import math
from collections.abc import Iterable
from types import SimpleNamespace
from typing import NamedTuple

from blockstack.engine.plan.arrays import FLUSH, DrawSpec, IrqSpec

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


class Bio(NamedTuple):
    position: int
    op: int
    sector: int
    nr: int


def mix64(z: int) -> int:
    """Finalizer of splitmix64 (Steele, Lea, Flood 2014)."""
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def hash32(x: int) -> int:
    return mix64((x + 1) & MASK) >> 32


def pick(sector: int, n: int) -> int:
    """One of *n* for a region of 64 KiB."""
    return mix64(((sector >> 7) + 1) & MASK) * n >> 64


def first_at_least(draw: int, thresholds: Iterable[int]) -> int:
    """Index of the first cumulative threshold that is not below *draw*."""
    return next(j for j, t in enumerate(thresholds) if draw <= int(t))


def draw_bio(plan: SimpleNamespace, spec: DrawSpec, i: int) -> tuple[int, Bio]:
    """Root number and bio number *i* of the synthetic workload."""
    key = mix64((spec.seed + GOLDEN) & MASK)
    a = mix64((key + (2 * i + 1) * GOLDEN) & MASK)
    b = mix64((key + (2 * i + 2) * GOLDEN) & MASK)
    low, high = b & 0xFFFFFFFF, b >> 32
    root = first_at_least(mix64(a ^ b) >> 32, plan.root_threshold) if len(plan.roots) > 1 else 0
    position = plan.roots[root]
    op = spec.op_first + first_at_least(low, spec.op_threshold[spec.op_first :])
    if op == FLUSH:
        return root, Bio(position, FLUSH, 0, 0)
    if spec.size_mode == 1:
        nr = spec.size_lo + (high * spec.size_count >> 32) * spec.size_step
    else:
        nr = int(spec.size_sectors[first_at_least(high, spec.size_threshold)])
    room = int(spec.capacity_sectors[root]) - nr
    align = spec.align_sectors
    if spec.pattern == 0:
        sector = (i * spec.stride_sectors & MASK) % spec.span_sectors
        if sector > room:
            sector = room // align * align
    elif spec.pattern == 1:
        sector = (a * (room // align + 1) >> 64) * align
    else:
        block = mix64((zipf_rank(spec, a) + key) & MASK) % spec.zipf_n
        sector = min(block * align, room // align * align)
    return root, Bio(position, op, sector + spec.offset_sectors, nr)


def zipf_rank(spec: DrawSpec, a: int) -> int:
    """Rank by Gray et al. 1994, as fio draws it."""
    u = (a >> 11) * 2.0**-53
    uz = u * spec.zipf_zetan
    if uz < 1.0:
        return 0
    if uz < 1.0 + math.pow(0.5, spec.zipf_theta):
        return 1
    rank = spec.zipf_n * math.pow(spec.zipf_eta * u - spec.zipf_eta + 1.0, spec.zipf_alpha)
    return min(int(rank), spec.zipf_n - 1)


class Interrupts:
    """Strikes of one source bio: a stream of draws of its own."""

    def __init__(self, spec: IrqSpec, seed: int, i: int) -> None:
        self.spec = spec
        key = mix64((seed + GOLDEN) & MASK)
        self.base, self.i, self.j = mix64(key ^ 0x1234567), i, 0
        self.countdown = self.next_countdown()

    def draw(self) -> int:
        index = self.i * 2**20 + self.j
        self.j += 1
        return mix64((self.base + index * GOLDEN) & MASK)

    def next_countdown(self) -> int:
        u = (self.draw() >> 11) * 2.0**-53 + 2.0**-54
        return math.floor(min(math.log(u) / math.log1p(-self.spec.per_hop), 2.0**62))

    def strike(self, sp: int, peak: int) -> int | None:
        """Depth of the strike during this hop, None when there is none."""
        if self.countdown > 0:
            self.countdown -= 1
            return None
        draw = self.draw()
        cost = int(self.spec.bytes[first_at_least(draw & 0xFFFFFFFF, self.spec.threshold)])
        self.countdown = self.next_countdown()
        return sp + ((draw >> 32) * (peak + 1) >> 32) + cost
