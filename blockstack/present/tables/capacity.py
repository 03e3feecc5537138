"""A capacity result as tables in a terminal."""

from collections.abc import Collection, Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from blockstack.base.units import format_count
from blockstack.engine.capacity.knee import Knee
from blockstack.engine.capacity.result import CapacityResult, LoadSpec, StationUse

_SHOWN = (50.0, 99.0, 99.9)
_MOST_ROWS = 16


def time_text(ns: float) -> str:
    """``85.3 us``: three significant digits and the unit that fits."""
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= size:
            return f"{ns / size:.3g} {unit}" if ns < 999.5 * size else f"{ns / size:,.0f} {unit}"
    return f"{ns:.3g} ns"


def rate_text(bytes_per_second: float) -> str:
    """``1.23 GB/s``."""
    return f"{format_count(bytes_per_second)}B/s"


def load_text(load: LoadSpec) -> str:
    """``iodepth 16, 4 jobs`` or ``20 k/s Poisson``."""
    if load.rate_iops is not None:
        how = "equal gaps" if load.mode == "paced" else "Poisson"
        return f"open, {format_count(load.rate_iops).strip()} bios/s ({how})"
    jobs = f", {load.numjobs} jobs" if load.numjobs > 1 else ""
    if load.mode == "several":
        return f"several loads at once{jobs}"
    if load.mode == "trace":
        return f"at the times of a trace{jobs}"
    think = f", {time_text(load.thinktime_ns)} of thought" if load.thinktime_ns else ""
    return f"iodepth {load.iodepth}{jobs}{think}"


def _table(*heads: str, wraps: Sequence[int] = (0,)) -> Table:
    """Narrow enough for 80 columns: names wrap, figures do not."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, head in enumerate(heads):
        table.add_column(
            head,
            justify="left" if number == 0 else "right",
            no_wrap=number not in wraps,
            max_width=30 if number in wraps else None,
            overflow="fold",
        )
    return table


def ops_table(result: CapacityResult) -> Table:
    """Rate and latencies per operation."""
    table = _table("op", "IOPS", "bandwidth", "mean", *(f"p{p:g}" for p in _SHOWN), "max")
    for op in result.ops:
        table.add_row(
            op.op,
            f"{op.iops:,.0f}",
            rate_text(op.bytes_per_second),
            time_text(op.total.mean_ns),
            *map(time_text, op.percentiles_ns(*_SHOWN)),
            time_text(op.total.max_ns),
        )
    if len(result.ops) > 1:
        table.add_row(
            "all",
            f"{result.iops:,.0f}",
            rate_text(result.bytes_per_second),
            time_text(result.latency_ns),
            *map(time_text, result.percentiles_ns(*_SHOWN)),
            time_text(max(op.total.max_ns for op in result.ops)),
        )
    return table


def streams_table(result: CapacityResult) -> Table:
    """The loads at once, each by itself."""
    table = _table("job", "op", "IOPS", "bandwidth", "mean", "p50", "p99", "p99.9")
    for stream in result.streams:
        for op in stream.ops:
            table.add_row(
                stream.name,
                op.op,
                f"{op.iops:,.0f}",
                rate_text(op.bytes_per_second),
                time_text(op.total.mean_ns),
                *map(time_text, op.percentiles_ns(*_SHOWN)),
            )
        if not stream.ops:
            table.add_row(stream.name, "", "0")
    return table


def stations_table(stations: Sequence[StationUse], full: Collection[str]) -> Table:
    """Where the bios were: the busiest first. A wire has no servers, its queue is what is in it."""
    table = _table("station", "of", "busy", "visits", "service", "wait", "queue", "allows")
    rows = sorted(stations, key=lambda s: (not s.limited, s.ceiling_iops))
    for s in rows[:_MOST_ROWS]:
        busy = f"{s.utilisation:.0%}" if s.limited else ""
        ceiling = format_count(s.ceiling_iops).strip() if s.limited else ""
        queue = max(s.mean_here - s.utilisation * s.servers, 0) if s.limited else s.mean_here
        table.add_row(
            Text(s.label, "bold red" if s.label in full else ""),
            f"{s.servers}" if s.limited else "",
            busy,
            f"{s.visits_per_bio:.3g}",
            time_text(s.service_ns),
            time_text(s.wait_ns) if s.limited else "",
            f"{queue:.3g}",
            ceiling,
        )
    if len(rows) > _MOST_ROWS:
        table.caption = f"and {len(rows) - _MOST_ROWS} more that allow more (--json)"
        table.caption_justify = "left"
    return table


def layers_table(result: CapacityResult) -> Table:
    """CPU time per bio, layer by layer."""
    table = _table("layer", "instructions/bio", "time/bio", "known by")
    for layer in result.layers:
        table.add_row(layer.layer, f"{layer.instructions:,.0f}", time_text(layer.ns), layer.how)
    return table


def view(result: CapacityResult, *, cpu: bool) -> Iterator[RenderableType]:
    """Everything, part by part."""
    yield Text.assemble((result.stack, "bold"), f" on {result.kernel}, {load_text(result.load)}")
    if result.saturated:
        yield Text(
            "More than the stack can take: bios pile up without end. It reached "
            f"{result.iops:,.0f} IOPS; the latencies below only grow.",
            "bold red",
        )
    elif result.load.mode == "trace":  # one recorded course, not a sample of a steady state
        yield Text(
            f"{format_count(result.iops).strip()} IOPS, "
            f"{rate_text(result.bytes_per_second)}, mean latency "
            f"{time_text(result.latency_ns)}, over the whole trace"
        )
    else:
        yield Text(
            f"{result.iops:,.0f} IOPS ± {result.iops_error:,.0f}, "
            f"{rate_text(result.bytes_per_second)}, mean latency "
            f"{time_text(result.latency_ns)} ± {time_text(result.latency_error_ns)} "
            "(95 % confidence of the simulation, not of its inputs)"
        )
    if result.streams:
        yield streams_table(result)
    yield ops_table(result)
    yield bottleneck_text(result)
    yield stations_table(result.stations, result.full)
    if cpu:
        yield layers_table(result)
    yield Text(
        f"One core could submit {result.iops_per_core:,.0f} of these bios a second "
        "if nothing else were slow."
    )
    yield from (
        Text(
            f"Law of {law.name}: within {law.deviation:.2%} at every queue (worst: {law.station})",
            "dim",
        )
        for law in result.laws
    )
    yield from (Text(f"Assumed: {line}", "yellow") for line in result.assumed)


def bottleneck_text(result: CapacityResult) -> Text:
    """What stops it, and what would be next."""
    if result.bottleneck == "iodepth":
        depth = (
            "the jobs' iodepths are"
            if result.load.mode == "several"
            else f"iodepth {result.load.iodepth} is"
        )
        return Text(
            f"Nothing is full: {depth} the bottleneck. Next: "
            f"{result.next_bottleneck}, at {result.next_ceiling_iops:,.0f} IOPS."
            if result.load.mode in ("closed", "several")
            else f"Nothing is full at this rate. First to be: {result.next_bottleneck}, at "
            f"{result.next_ceiling_iops:,.0f} IOPS.",
            "bold",
        )
    return Text(
        f"Bottleneck: {result.bottleneck}, full at {result.ceiling_iops:,.0f} IOPS. Next: "
        f"{result.next_bottleneck}, at {result.next_ceiling_iops:,.0f}.",
        "bold",
    )


def knee_table(sweep: Knee) -> Table:
    """One row per load, the knee marked."""
    table = _table("load", "IOPS", "bandwidth", "mean", "p99", "busiest", "busy", "", wraps=(0, 5))
    for number, point in enumerate(sweep.points):
        busiest = max((s for s in point.stations if s.limited), key=lambda s: s.utilisation)
        p99 = point.percentile_ns(99.0)
        table.add_row(
            load_text(point.load),
            f"{point.iops:,.0f}",
            rate_text(point.bytes_per_second),
            time_text(point.latency_ns),
            time_text(p99),
            busiest.label,
            f"{busiest.utilisation:.0%}",
            Text("knee", "bold green") if number == sweep.knee else "",
        )
    return table
