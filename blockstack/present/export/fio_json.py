"""A capacity result in the shape of ``fio --output-format=json+``, with fio's key names.

Scripts that read fio's output read this. What a simulation does not have (CPU of the host, context
switches, faults) is left out rather than made up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blockstack.base import hdr
from blockstack.engine.capacity.result import PERCENTILES, CapacityResult, OpLatency, Spread

#: fio's names of the operations; a FUA write is a write of its own here
_SECTIONS = {"read": "read", "write": "write", "fua": "write", "discard": "trim", "flush": "sync"}
_KIB = 1024


@dataclass(frozen=True)
class FioEntry:
    """One of fio's ``jobs``: a job, or the jobs of a group together.

    Attributes
    ----------
    jobname : str
    groupid : int
    options : mapping of str to str
        Its words as a fio job file would say them; a group's are its first job's.
    ops : tuple of OpLatency
        Of all its jobs, one after the other.
    iodepth : int
    """

    jobname: str
    groupid: int
    options: Mapping[str, str]
    ops: tuple[OpLatency, ...]
    iodepth: int


def fio_json(result: CapacityResult, *, jobname: str, options: dict[str, str]) -> dict[str, Any]:
    """One job's output; ``options`` are its words as a fio job file would say them.

    The ``blockstack`` section has the bottleneck, the stations and what is assumed.
    """
    return fio_jobs(
        [result], [(result, FioEntry(jobname, 0, options, result.ops, result.load.iodepth))]
    )


def fio_jobs(
    results: Sequence[CapacityResult], entries: Sequence[tuple[CapacityResult, FioEntry]]
) -> dict[str, Any]:
    """The output of several jobs, at once or one after the other: an entry each.

    ``blockstack`` is one result's, or a list of each wave's.
    """
    parts = [one.to_dict() for one in results]
    return {
        "fio version": "blockstack",
        "global options": {},
        "jobs": [_job(entry, result.seconds * 1e3) for result, entry in entries],
        "blockstack": parts[0] if len(parts) == 1 else parts,
    }


def _job(entry: FioEntry, runtime_ms: float) -> dict[str, Any]:
    sections: dict[str, list[OpLatency]] = {}
    for op in entry.ops:
        sections.setdefault(_SECTIONS[op.op], []).append(op)
    job: dict[str, Any] = {
        "jobname": entry.jobname,
        "groupid": entry.groupid,
        "error": 0,
        "job options": dict(entry.options),
        "job_runtime": round(runtime_ms),
    }
    for name in ("read", "write", "trim"):
        found = sections.get(name, [])
        job[name] = _section(found, runtime_ms)
    job["sync"] = {
        "total_ios": sum(op.bios for op in sections.get("sync", [])),
        "lat_ns": _latency(sections.get("sync", []), percentiles=True),
    }
    job["latency_depth"] = entry.iodepth
    return job


def _section(ops: list[OpLatency], runtime_ms: float) -> dict[str, Any]:
    """One direction. Bandwidth is in KiB per second, as fio's ``bw``."""
    rate = sum(op.bytes_per_second for op in ops)
    return {
        "io_bytes": round(rate * runtime_ms / 1e3),
        "io_kbytes": round(rate * runtime_ms / 1e3 / _KIB),
        "bw_bytes": round(rate),
        "bw": round(rate / _KIB),
        "iops": sum(op.iops for op in ops),
        "runtime": round(runtime_ms) if ops else 0,
        "total_ios": sum(op.bios for op in ops),
        **_rates("iops", sum(op.iops for op in ops)),
        **_rates("bw", rate / _KIB),
        "short_ios": 0,
        "drop_ios": 0,
        "slat_ns": _summary([(op.bios, op.submission) for op in ops]),
        "clat_ns": _latency(ops, percentiles=True),
        "lat_ns": _summary([(op.bios, op.total) for op in ops]),
    }


def _rates(name: str, mean: float) -> dict[str, float]:
    """fio's samples of a rate over time: one, the whole run, as fio has it of a short one."""
    spread = "bw_dev" if name == "bw" else f"{name}_stddev"
    return {
        f"{name}_min": mean,
        f"{name}_max": mean,
        f"{name}_mean": mean,
        spread: 0.0,
        f"{name}_samples": 1,
    }


def _summary(parts: list[tuple[int, Spread]]) -> dict[str, Any]:
    """min, max, mean, stddev and N of several operations together."""
    total = sum(n for n, _ in parts)
    if not total:
        return {"min": 0, "max": 0, "mean": 0.0, "stddev": 0.0, "N": 0}
    mean = sum(n * s.mean_ns for n, s in parts) / total
    squares = sum(n * (s.stddev_ns**2 + s.mean_ns**2) for n, s in parts) / total
    return {
        "min": round(min(s.min_ns for _, s in parts)),
        "max": round(max(s.max_ns for _, s in parts)),
        "mean": mean,
        "stddev": max(squares - mean * mean, 0.0) ** 0.5,
        "N": total,
    }


def _latency(ops: list[OpLatency], *, percentiles: bool) -> dict[str, Any]:
    """Completion latency with fio's percentiles, and json+'s bins."""
    found = _summary([(op.bios, op.completion) for op in ops])
    if not ops or not percentiles:
        return found
    counts = sum((op.completion_counts for op in ops[1:]), start=ops[0].completion_counts)
    values = hdr.percentiles(counts, PERCENTILES)
    return found | {
        "percentile": {f"{p:f}": v for p, v in zip(PERCENTILES, values, strict=True)},
        "bins": {str(v): n for v, n in hdr.bins(counts).items()},
    }
