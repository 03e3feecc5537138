"""Capacity: latency, load and knee, what is busy."""

from typing import TYPE_CHECKING

import numpy as np

from blockstack.engine.capacity.knee import Knee
from blockstack.engine.capacity.result import CapacityResult
from blockstack.present.style import (
    COLOURS,
    DIM,
    FITS,
    INK,
    OVER,
    UNKNOWN,
    axes,
    corner,
    plain,
    short,
    thousands,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: per cent that a latency curve marks
_MARKED = (50.0, 90.0, 99.0, 99.9, 99.99)
_BARS = 12


def latency(result: CapacityResult, ax: "Axes | None" = None) -> "Axes":
    """The share of bios that are done within a time, to 99.99 %.

    Returns
    -------
    Axes
        x: latency in microseconds, logarithmic; y: per cent of bios that take longer, logarithmic.
    """
    ax = axes(ax, 8.4, 4.8)
    wanted = np.concatenate((np.linspace(0, 99, 100), 100 - np.logspace(0, -2, 41)))
    us = np.array(result.percentile_ns(*wanted)) / 1000
    ax.plot(us, 100 - wanted, color=COLOURS[0], lw=2.2)
    for per_cent, ns in zip(_MARKED, result.percentile_ns(*_MARKED), strict=True):
        ax.plot([ns / 1000], [100 - per_cent], "o", color=COLOURS[0], ms=5)
        ax.annotate(f"p{per_cent:g}  {ns / 1000:,.4g} µs", (ns / 1000, 100 - per_cent),
                    xytext=(7, 2), textcoords="offset points", fontsize=8.5, color=INK)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.008, 120)
    ax.set_yticks([100, 10, 1, 0.1, 0.01], ["100 %", "10 %", "1 %", "0.1 %", "0.01 %"])
    ax.margins(x=0.16)
    ax.set_xlabel("latency (µs)")
    ax.set_ylabel("bios that take longer")
    plain(ax, f"{result.stack} on {result.kernel}: latency, {_load(result)}")
    corner(ax, result.provenance)
    return ax


def load(found: Knee, ax: "Axes | None" = None) -> "Axes":
    """Throughput and 99th percentile against load, with the knee.

    Returns
    -------
    Axes
        x: load; left y: IOPS; right y: latency in microseconds.
    """
    ax = axes(ax, 8.4, 4.8)
    closed = found.points[0].load.rate_iops is None
    at = [float(p.load.rate_iops or p.load.iodepth) for p in found.points]
    iops = [p.iops for p in found.points]
    p99 = [p.percentile_ns(99.0)[0] / 1000 for p in found.points]
    ax.plot(at, iops, "o-", color=COLOURS[0], lw=2.2, ms=4)
    right = ax.twinx()
    right.plot(at, p99, "s--", color=COLOURS[5], lw=1.6, ms=4)
    ax.axvline(at[found.knee], color=DIM, lw=1.2, ls=":")
    ax.annotate(f"knee: {iops[found.knee]:,.0f} IOPS, p99 {p99[found.knee]:,.4g} µs",
                (at[found.knee], 0), xytext=(5, 8), textcoords="offset points", fontsize=8.5)
    if closed:
        ax.set_xscale("log", base=2)
        ax.set_xticks(at, [f"{n:.0f}" for n in at])
    ax.set_ylim(0, max(iops) * 1.12)
    right.set_ylim(0, max(p99) * 1.12)
    ax.set_xlabel("iodepth" if closed else "offered IOPS")
    ax.set_ylabel("IOPS", color=COLOURS[0])
    right.set_ylabel("99th percentile (µs)", color=COLOURS[5])
    thousands(ax.yaxis)
    thousands(right.yaxis)
    right.spines["top"].set_visible(False)
    first = found.points[0]
    plain(ax, f"{first.stack} on {first.kernel}: load and knee", keep=("left", "bottom", "right"))
    corner(ax, first.provenance)
    return ax


def busy(result: CapacityResult, ax: "Axes | None" = None) -> "Axes":
    """Utilisation of the stations, the busiest first, with the rate at which each is full.

    Returns
    -------
    Axes
        x: utilisation in per cent.
    """
    limited = sorted((s for s in result.stations if s.limited), key=lambda s: -s.utilisation)
    shown = limited[:_BARS]
    ax = axes(ax, 8.4, 1.4 + 0.34 * len(shown))
    for y, station in enumerate(shown):
        share = station.utilisation * 100
        colour = OVER if share > 95 else UNKNOWN if share > 70 else FITS
        ax.barh(y, share, color=colour, height=0.7)
        ax.text(share + 1, y, f"{share:.0f} %, full at {station.ceiling_iops:,.0f} IOPS",
                va="center", fontsize=8, color=INK)
    ax.set_yticks(range(len(shown)), [short(f"{s.name} {s.part}", 34) for s in shown], fontsize=8.5)
    ax.invert_yaxis()
    ax.set_xlim(0, 150)
    ax.set_xticks([0, 25, 50, 75, 100])
    ax.axvline(100, color=OVER, lw=1.2, ls="--")
    less = f"; {len(limited) - _BARS} less busy not shown" if len(limited) > _BARS else ""
    ax.set_xlabel(f"utilisation (%){less}")
    plain(ax, f"{result.stack} on {result.kernel}, {_load(result)}\nbottleneck: "
              f"{result.bottleneck}, then {result.next_bottleneck}")
    corner(ax, result.provenance)
    return ax


def _load(result: CapacityResult) -> str:
    spec = result.load
    return (f"iodepth {spec.iodepth} × {spec.numjobs}" if spec.rate_iops is None
            else f"{spec.rate_iops:,.0f} IOPS offered")


