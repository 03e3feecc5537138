"""The numbers behind the generator: exact shares, and the constants of a zipf distribution."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blockstack.base.errors import ConfigError

SEQUENTIAL, UNIFORM, ZIPF = range(3)
_WHOLE = 2**32
_EXACT_TERMS = 10_000  # beyond this the tail of the zeta sum comes from Euler-Maclaurin


class DrawSpec(NamedTuple):
    """How bio *i* is drawn: counter based, a function of ``seed`` and *i* only.

    The fields are those of the engine's plan; sectors have 512 bytes.
    """

    seed: int
    op_threshold: NDArray[np.uint32]  # [5] cumulative: read, write, flush, discard, fua
    op_first: int  # smallest op with a share above zero
    size_mode: int  # 0 table, 1 uniform steps
    size_threshold: NDArray[np.uint32]  # [n] cumulative (mode 0)
    size_sectors: NDArray[np.uint32]  # [n] (mode 0)
    size_lo: int  # sectors (mode 1)
    size_step: int  # sectors (mode 1)
    size_count: int  # number of sizes (mode 1)
    pattern: int  # 0 sequential, 1 uniform, 2 zipf
    align_sectors: int
    stride_sectors: int  # sequential
    span_sectors: int  # sequential
    zipf_n: int
    zipf_theta: float
    zipf_zetan: float
    zipf_eta: float
    zipf_alpha: float
    capacity_sectors: NDArray[np.int64]  # [R] what is left of each root behind the offset
    offset_sectors: int = 0  # added to every sector that is drawn


def thresholds(shares: Sequence[Fraction], path: str = "shares") -> NDArray[np.uint32]:
    """Cumulative 32-bit thresholds of shares that sum to 1.

    A draw ``x`` of 32 bits picks the first ``j`` with ``x <= threshold[j]``. Cumulative shares are
    rounded to the nearest multiple of 2**-32, so every share is met within 2**-32, and exactly
    when it is a multiple of 2**-32. Entries without a share repeat the one before (0 at the
    start: the generator skips those by ``op_first``). The last threshold is 2**32 - 1.

    Raises
    ------
    ConfigError
        A share above zero that is too small to be drawn (below 2**-32).
    """
    out = np.zeros(len(shares), np.uint32)
    total = Fraction(0)
    last = 0
    for j, share in enumerate(shares):
        total += share
        upto = math.floor(total * _WHOLE + Fraction(1, 2))
        if share and upto <= last:
            raise ConfigError(
                "is a share too small to be drawn",
                path=path,
                value=float(share),
                hint="shares below 2**-32 never occur; write 0",
            )
        out[j] = max(upto - 1, 0)
        last = upto
    if total != 1:
        raise ConfigError("do not sum to 1", path=path, value=float(total))
    return out


def zeta(n: int, theta: float) -> float:
    """``sum(k ** -theta for k in 1..n)``, the first 10,000 terms exactly, the rest by
    Euler-Maclaurin to the third derivative (relative error below 1e-14)."""
    head = math.fsum(k**-theta for k in range(1, min(n, _EXACT_TERMS) + 1))
    if n <= _EXACT_TERMS:
        return head
    a, b = float(_EXACT_TERMS), float(n)
    # the integral of x**-theta from a to b, stable where theta is near 1
    p = 1.0 - theta
    log = math.log(b / a)
    integral = a**p * (math.expm1(p * log) / p if p else log)
    ends = (b**-theta - a**-theta) / 2
    first = theta * (a ** (-theta - 1) - b ** (-theta - 1)) / 12
    third = theta * (theta + 1) * (theta + 2) * (b ** (-theta - 3) - a ** (-theta - 3)) / 720
    return math.fsum((head, integral, ends, first, third))


def zipf_constants(n: int, theta: float) -> tuple[float, float, float]:
    """(zetan, eta, alpha) of Gray et al. 1994, as fio's lib/zipf.c has them.

    fio sums at most ten million terms of zetan; here the sum is whole.
    """
    zetan = zeta(n, theta)
    alpha = 1.0 / (1.0 - theta)
    if n <= 2:  # the two closed branches of the draw take everything
        return zetan, 0.0, alpha
    zeta2 = 1.0 + 0.5**theta
    eta = (1.0 - (2.0 / n) ** (1.0 - theta)) / (1.0 - zeta2 / zetan)
    return zetan, eta, alpha


def pareto_constants(h: float) -> tuple[float, float, float]:
    """The zipf generator's numbers with which it draws fio's pareto (lib/zipf.c).

    Its rank is ``n * (eta * u - eta + 1) ** alpha``; pareto's ``n * u ** (log h / log (1 - h))``.
    The large zetan keeps the zipf's own first two ranks out of it.
    """
    return 1e300, 1.0, math.log(h) / math.log1p(-h)
