"""Bios' journeys as the trace events that ui.perfetto.dev and chrome://tracing read.

The Trace Event Format: complete events (``"ph": "X"``) in microseconds, one track per station.
"""

from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.engine.capacity.result import CapacityResult


def perfetto_events(result: CapacityResult) -> dict[str, Any]:
    """A track per station, with a waiting and a served part for each visit, and one per bio.

    Raises
    ------
    ConfigError
        No bio was followed.
    """
    rows = result.rows
    if rows is None or not len(rows):
        raise ConfigError("no bio was followed", path="follow", hint="run with follow=1 or more")
    start = float(rows[:, 3].min())
    tracks = sorted({int(row[1]) for row in rows})
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": result.stack}},
        {"ph": "M", "pid": 2, "name": "process_name", "args": {"name": "bios"}},
    ]
    events += [
        {
            "ph": "M",
            "pid": 1,
            "tid": track,
            "name": "thread_name",
            "args": {"name": result.places[track]},
        }
        for track in tracks
    ]
    ends: dict[int, tuple[float, float]] = {}
    for bio, station, _, arrived, began, done in rows.tolist():
        name = result.places[int(station)]
        first, last = ends.get(int(bio), (arrived, done))
        ends[int(bio)] = (min(first, arrived), max(last, done))
        for what, since, until in (("waits", arrived, began), (name, began, done)):
            if until > since:
                events.append(_event(what, int(bio), 1, int(station), since - start, until - since))
    for bio, (first, last) in sorted(ends.items()):
        events.append(_event(f"bio {bio}", bio, 2, bio, first - start, last - first))
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"stack": result.stack, "kernel": result.kernel},
    }


def _event(name: str, bio: int, pid: int, tid: int, at_ns: float, ns: float) -> dict[str, Any]:
    return {
        "ph": "X",
        "pid": pid,
        "tid": tid,
        "name": name,
        "ts": at_ns / 1e3,
        "dur": ns / 1e3,
        "args": {"bio": bio},
    }
