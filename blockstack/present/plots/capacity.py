"""Capacity: latency, load and knee, what is busy."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from blockstack.engine.capacity.knee import Knee
from blockstack.engine.capacity.result import CapacityResult, StationUse
from blockstack.present.style import (
    COLOURS,
    DIM,
    INK,
    OVER,
    axes,
    busy_colour,
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

    Parameters
    ----------
    result : CapacityResult
        From `blockstack.capacity`.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        x: latency in microseconds, logarithmic; y: per cent of bios that take longer, logarithmic.
    """
    from matplotlib.ticker import LogLocator

    ax = axes(ax, 8.4, 4.8)
    wanted = np.concatenate((np.linspace(0, 99, 100), 100 - np.logspace(0, -2, 41)))
    us = np.array(result.percentiles_ns(*wanted)) / 1000
    ax.plot(us, 100 - wanted, color=COLOURS[0], lw=2.2)
    for per_cent, ns in zip(_MARKED, result.percentiles_ns(*_MARKED), strict=True):
        ax.plot([ns / 1000], [100 - per_cent], "o", color=COLOURS[0], ms=5)
        ax.annotate(
            f"p{per_cent:g}  {_time(ns)}",
            (ns / 1000, 100 - per_cent),
            xytext=(7, 2),
            textcoords="offset points",
            fontsize=8.5,
            color=INK,
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.008, 120)
    ax.set_yticks([100, 10, 1, 0.1, 0.01], ["100 %", "10 %", "1 %", "0.1 %", "0.01 %"])
    ax.margins(x=0.16)
    for set_form in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
        set_form("{x:,.0f}")
    ax.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    ax.set_xlabel("latency (µs)")
    ax.set_ylabel("bios that take longer")
    plain(ax, f"{result.stack} on {result.kernel}: latency, {_load(result)}")
    corner(ax, result.provenance)
    return ax


def load(found: Knee, ax: "Axes | None" = None) -> "Axes":
    """Throughput and 99th percentile against load, with the knee.

    Parameters
    ----------
    found : Knee
        From `blockstack.until_knee`.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        x: load; left y: IOPS; right y: latency in micro- or milliseconds.
    """
    ax = axes(ax, 8.4, 4.8)
    closed = found.points[0].load.rate_iops is None
    at = [float(p.load.rate_iops or p.load.iodepth) for p in found.points]
    iops = [p.iops for p in found.points]
    p99_ns = [p.percentile_ns(99.0) for p in found.points]
    unit, scale = ("ms", 1e6) if max(p99_ns) >= 1e7 else ("µs", 1e3)
    p99 = [ns / scale for ns in p99_ns]
    ax.plot(at, iops, "o-", color=COLOURS[0], lw=2.2, ms=4)
    right = ax.twinx()
    right.plot(at, p99, "s--", color=COLOURS[5], lw=1.6, ms=4)
    ax.axvline(at[found.knee], color=DIM, lw=1.2, ls=":")
    left = found.knee < len(at) // 2 or at[found.knee] == at[0]
    ax.annotate(
        f"knee: {iops[found.knee]:,.0f} IOPS, p99 {_time(p99_ns[found.knee])}",
        (at[found.knee], 1),
        xycoords=ax.get_xaxis_transform(),
        va="top",
        xytext=(5 if left else -5, -3),
        textcoords="offset points",
        fontsize=8.5,
        ha="left" if left else "right",
    )
    if closed:
        ax.set_xscale("log", base=2)
        ax.set_xticks(at, [f"{n:.0f}" for n in at])
    ax.set_ylim(0, max(iops) * 1.16)
    right.set_ylim(0, max(p99) * 1.16)
    ax.set_xlabel("iodepth" if closed else "offered IOPS")
    ax.set_ylabel("IOPS", color=COLOURS[0])
    right.set_ylabel(f"99th percentile ({unit})", color=COLOURS[5])
    thousands(ax.yaxis)
    thousands(right.yaxis)
    right.spines["top"].set_visible(False)
    first = found.points[0]
    plain(ax, f"{first.stack} on {first.kernel}: load and knee", keep=("left", "bottom", "right"))
    corner(ax, first.provenance)
    return ax


def busy(
    result: CapacityResult, ax: "Axes | None" = None, *, alike: Mapping[str, str] | None = None
) -> "Axes":
    """Utilisation of the stations, the busiest first, with the rate at which each is full.

    Parameters
    ----------
    result : CapacityResult
    ax : Axes, optional
        Where to draw; None: a figure of its own.
    alike : mapping of device to device, optional
        From `engine.study.stackmap.alike_devices`: stations of alike devices are one bar.

    Returns
    -------
    Axes
        x: utilisation in per cent, of several stations that of the busiest.
    """
    limited = _grouped(result, alike or {})
    shown = limited[:_BARS]
    ax = axes(ax, 8.4, 1.4 + 0.34 * len(shown))
    ax.axvline(100, color=OVER, lw=1.2, ls="--", zorder=1)
    for y, group in enumerate(shown):
        most, least = group[0].utilisation * 100, group[-1].utilisation * 100
        ax.barh(y, most, color=busy_colour(most / 100), height=0.7, edgecolor=DIM, lw=0.5)
        span = f"{most:.0f} %" if f"{most:.0f}" == f"{least:.0f}" else f"{least:.0f}–{most:.0f} %"
        ax.text(
            most + 1,
            y,
            f"{span}, full at {group[0].ceiling_iops:,.0f} IOPS",
            va="center",
            fontsize=8,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    ax.set_yticks(range(len(shown)), [_station(group) for group in shown], fontsize=8.5)
    ax.invert_yaxis()
    ax.set_xlim(0, 150)
    ax.set_xticks([0, 25, 50, 75, 100])
    less = f"; {len(limited) - _BARS} less busy not shown" if len(limited) > _BARS else ""
    ax.set_xlabel(f"utilisation (%){less}")
    plain(
        ax,
        f"{result.stack} on {result.kernel}, {_load(result)}\nbottleneck: "
        f"{result.bottleneck}, then {result.next_bottleneck}",
    )
    corner(ax, result.provenance)
    return ax


def _grouped(result: CapacityResult, alike: Mapping[str, str]) -> list[list[StationUse]]:
    """Stations of alike devices together, the busiest first, inside of a group as well."""
    groups: dict[tuple[str, str, bool, str], list[StationUse]] = {}
    for station in sorted((s for s in result.stations if s.limited), key=lambda s: -s.utilisation):
        whose = alike.get(station.device, station.device)
        key = (station.work, whose, station.remote, station.part)
        groups.setdefault(key, []).append(station)
    return list(groups.values())


def _station(group: Sequence[StationUse]) -> str:
    many = f" × {len(group)}" if len(group) > 1 else ""
    return short(f"{min(s.name for s in group)}{many} {group[0].part}", 34)


def _time(ns: float) -> str:
    """``1.87 ms``: three digits."""
    for unit, scale in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= scale:
            return f"{ns / scale:.3g} {unit}"
    return f"{ns:.0f} ns"


def _load(result: CapacityResult) -> str:
    spec = result.load
    return (
        f"iodepth {spec.iodepth} × {spec.numjobs}"
        if spec.rate_iops is None
        else f"{spec.rate_iops:,.0f} IOPS offered"
    )
