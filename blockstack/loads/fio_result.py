"""fio's results (``--output-format=json``): what a device did, for a fit."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.units import parse_bytes


@dataclass(frozen=True)
class Measured:
    """One job's rate in one direction.

    Attributes
    ----------
    rw : str
    op : str
        ``read`` or ``write``.
    bs_bytes, iodepth, numjobs, rwmixread : int
    iops, bytes_per_second, latency_ns : float
    """

    rw: str
    op: str
    bs_bytes: int
    iodepth: int
    numjobs: int
    rwmixread: int
    iops: float
    bytes_per_second: float
    latency_ns: float

    @property
    def flying(self) -> int:
        """Requests in flight, of all jobs."""
        return self.iodepth * self.numjobs


def read_results(path: str | Path) -> list[Measured]:
    """Every job of a result.

    Raises
    ------
    ConfigError
        Not fio's JSON.
    """
    try:
        table = json.loads(Path(path).read_text("utf-8"))
        return [one for job in table["jobs"] for one in _of_job(job, table, str(path))]
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", path=str(path)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            "is no result of fio", path=str(path), hint="fio --output-format=json"
        ) from error


def _of_job(job: dict[str, Any], table: dict[str, Any], path: str) -> Iterator[Measured]:
    words = {**table.get("global options", {}), **job["job options"]}
    for op in ("read", "write"):
        found = job[op]
        if found["total_ios"]:
            yield Measured(
                str(words.get("rw", op)),
                op,
                parse_bytes(str(words.get("bs", "4k")), f"{path}: bs"),
                int(words.get("iodepth", 1)),
                int(words.get("numjobs", 1)),
                int(words.get("rwmixread", 50)),
                float(found["iops"]),
                float(found["bw_bytes"]),
                float(found["lat_ns"]["mean"]),
            )
