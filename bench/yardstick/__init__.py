"""The C yardstick: built with the system's compiler at first use, called in this process."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blockstack.engine.plan import arrays as numbers
from blockstack.engine.plan import mappings
from blockstack.engine.plan.arrays import NLIMITS, NOPS, DrawSpec, LimitRow, PlanArrays
from blockstack.engine.plan.core import RunCounters

HERE = Path(__file__).parent
HEADERS = ("plan.h", "state.h", "raid456.h", "map.h", "build.h")
SOURCES = ("engine.c", "map.c", "raid456.c", "build.c")
# One translation unit; tail calls stay calls, as in the core: the recursion must be a recursion.
# No vectors out of a bio's fields, as in the core: faster here too.
FLAGS = tuple(
    "-O3 -std=gnu11 -fno-optimize-sibling-calls -fno-tree-slp-vectorize "  # noqa: SIM905
    "-fvisibility=hidden".split()
)
SHARED = ("-shared", "-fPIC", "-x", "c", "-")
_POINTERS = tuple(
    "op_kind split immediate queue task max_sectors through peak child_start child wchild "  # noqa: SIM905
    "child_offset seg_start seg_begin seg_end seg_first seg_width seg_chunk mapping entry "
    "task_entry task_limit".split()
)


class _Plan(ctypes.Structure):
    _fields_ = (
        ("positions", ctypes.c_int64),
        ("tasks", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in _POINTERS),
        ("root", ctypes.c_int32),
        ("rule", ctypes.c_int32),
    )


class _Draw(ctypes.Structure):
    _fields_ = (
        *((n, ctypes.c_uint64) for n in ("seed", "lo", "step", "count", "shift", "capacity")),
        ("op_threshold", ctypes.c_uint32 * NOPS),
    )


class _Counters(ctypes.Structure):
    _fields_ = (
        *((n, ctypes.c_void_p) for n in ("visits", "sectors", "overflows", "peak", "peak_bio")),
        *(
            (n, ctypes.c_uint64)
            for n in ("splits", "jobs", "peak_pending", "peak_jobs", "peak_nesting")
        ),
    )


def compiler() -> str | None:
    """The system's C compiler, if there is one."""
    return shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc")


@cache
def build(
    name: str, headers: tuple[str, ...], sources: tuple[str, ...], *libraries: str, before: str = ""
) -> ctypes.CDLL:
    """A shared library of this folder's C files after ``before``, compiled once per text and
    compiler."""
    gcc = compiler()
    if gcc is None:
        raise RuntimeError("the yardstick needs a C compiler (gcc)")
    text = before.encode() + b"".join((HERE / file).read_bytes() for file in (*headers, *sources))
    digest = hashlib.sha256(text + repr((gcc, FLAGS)).encode()).hexdigest()[:16]
    cache_dir = Path(os.environ.get("XDG_CACHE_HOME") or tempfile.gettempdir())
    folder = cache_dir / f"blockstack-yardstick-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise RuntimeError(f"{folder}: belongs to another user")
    built = folder / f"{name}-{digest}.so"
    if not built.exists():
        fresh = folder / f"{name}-{digest}.{os.getpid()}"
        unit = before + "".join(f'#include "{HERE / file}"\n' for file in sources)
        command = [gcc, *FLAGS, *SHARED, "-o", str(fresh), *libraries]
        subprocess.run(command, input=unit.encode(), check=True)
        fresh.replace(built)
    return ctypes.CDLL(str(built))


def contract() -> str:
    """The plan's numbers and the rows of its mappings as C, from what the package has in Python."""
    constants = {
        name: value
        for module in (numbers, mappings)
        for name, value in vars(module).items()
        if name.isupper() and name[0] != "_" and isinstance(value, int)
    }
    records = {
        record.__name__.removesuffix("Row").lower(): record for record in mappings.ROWS.values()
    }
    lines = ["#include <stdint.h>"]
    lines += [f"#define {name} {value}" for name, value in constants.items()]
    for name, record in records.items():
        fields = " ".join(f"int64_t {field};" for field in record._fields)
        lines.append(f"struct {name}_row {{ {fields} }};")
    members = " ".join(f"struct {name}_row {name};" for name in records)
    lines.append(f"union mapping_row {{ int64_t words[{mappings.ROW_WORDS}]; {members} }};")
    return "\n".join(lines) + "\n"


def _library() -> ctypes.CDLL:
    return build("yardstick", HEADERS, SOURCES, before=contract())


def _plan(arrays: PlanArrays, max_sectors: NDArray[np.int64]) -> _Plan:
    columns = arrays._asdict() | {"max_sectors": max_sectors}
    pointers = {name: columns[name].ctypes.data for name in _POINTERS}
    return _Plan(
        positions=len(arrays.op_kind),
        tasks=len(arrays.task_limit),
        root=int(arrays.roots[0]),
        rule=int(arrays.rule[0]),
        **pointers,
    )


def _draw(spec: DrawSpec) -> _Draw:
    return _Draw(
        seed=spec.seed,
        lo=spec.size_lo,
        step=spec.size_step,
        count=spec.size_count,
        shift=spec.align_sectors.bit_length() - 1,
        capacity=int(spec.capacity_sectors[0]),
        op_threshold=(ctypes.c_uint32 * NOPS)(*spec.op_threshold.tolist()),
    )


def run(arrays: PlanArrays, spec: DrawSpec, *, first: int = 0, count: int) -> RunCounters:
    """Like `blockstack.engine.core.run`, for the benchmark's plans and workload only."""
    positions, tasks = len(arrays.op_kind), len(arrays.task_limit)
    visits = np.zeros(positions * NOPS, dtype=np.uint64)
    sectors = np.zeros(positions, dtype=np.uint64)
    overflows = np.zeros(tasks, dtype=np.uint64)
    peak, peak_bio = np.zeros(tasks, dtype=np.int64), np.zeros(tasks, dtype=np.int64)
    columns = (visits, sectors, overflows, peak, peak_bio)
    out = _Counters(*(column.ctypes.data for column in columns))
    # the benchmark's limits are lengths, the same for every operation
    max_sectors = arrays.limit.reshape(-1, NOPS, NLIMITS)[
        :, 0, LimitRow._fields.index("most")
    ].copy()
    plan, draw = _plan(arrays, max_sectors), _draw(spec)
    status = _library().yardstick_run(
        ctypes.byref(plan),
        ctypes.byref(draw),
        ctypes.c_uint64(first),
        ctypes.c_uint64(count),
        ctypes.byref(out),
    )
    if status:
        raise MemoryError("the yardstick could not build its nodes")
    return RunCounters(
        bios=count,
        splits=out.splits,
        jobs=out.jobs,
        peak_pending=out.peak_pending,
        peak_jobs=out.peak_jobs,
        peak_nesting=out.peak_nesting,
        irq_strikes=0,
        irq_overflows=0,
        irq_peak=0,
        visits=visits,
        sectors=sectors,
        overflows=overflows,
        peak_bytes=peak,
        peak_bio=peak_bio,
    )
