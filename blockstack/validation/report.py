"""Whole files of measured stacks beside their bounds, and the set that ships with the package."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.kernel import Kernel, kernel_of
from blockstack.validation.bounds import Comparison, as_traced, compare
from blockstack.validation.measured import Measurements, load_measurements

#: measured stacks of Debian's 6.1 and 6.12: facts and figures, with their provenance in ``meta``
SHIPPED = Path(__file__).parent / "data"
#: ``progress(done, total, stack)``
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Report:
    """All comparisons of one file.

    Attributes
    ----------
    kernel, measured_kernel : str
        Predicted with, measured on.
    rows : tuple of Comparison
    budgets : mapping of name to bytes
        What may come on top of a block path, bounded by itself.
    table : str
        Digest of the frame table.
    """

    kernel: str
    measured_kernel: str
    rows: tuple[Comparison, ...]
    budgets: dict[str, int] = field(default_factory=dict)
    table: str = ""

    @property
    def modelled(self) -> tuple[Comparison, ...]:
        """Stacks that have a bound."""
        return tuple(r for r in self.rows if not r.refused)

    @property
    def holds_all(self) -> bool | None:
        """No bound is below what was measured; None: there is no bound at all."""
        return all(r.holds for r in self.modelled) if self.modelled else None

    def summary(self) -> dict[str, Any]:
        """Counts and ratios, with the keys of ``--json``."""
        ratios = [r.ratio for r in self.modelled if r.ratio is not None]
        typical = [
            r.typical_bytes / r.measured_bytes for r in self.modelled if r.typical_bytes is not None
        ]
        untold = [
            r.worst_bytes / r.measured_bytes for r in self.modelled if r.worst_bytes is not None
        ]
        return {
            "stacks": len(self.rows),
            "modelled": len(self.modelled),
            "refused": len(self.rows) - len(self.modelled),
            "holds": sum(bool(r.holds) for r in self.rows),
            "median_ratio": _round(_quantile(ratios, 0.5)),
            "p90_ratio": _round(_quantile(ratios, 0.9)),
            "typical_median_ratio": _round(_quantile(typical, 0.5)),
            "typical_p90_ratio": _round(_quantile(typical, 0.9)),
            "untold_median_ratio": _round(_quantile(untold, 0.5)),
            "untold_p90_ratio": _round(_quantile(untold, 0.9)),
            **self._traced(),
        }

    def _traced(self) -> dict[str, Any]:
        """How far the sums over the traced paths are from what was measured."""
        told = [(r, r.traced_bytes) for r in self.rows if r.traced_bytes is not None]
        errors = [abs(n - r.measured_bytes) / r.measured_bytes for r, n in told]
        whole = [(r, n) for r, n in told if not r.traced.missing]
        return {
            "traced": len(told),
            "traced_complete": len(whole),
            "traced_mean_error": _round(fmean(errors) if errors else None),
            "traced_complete_mean_error": _round(
                fmean(abs(n - r.measured_bytes) / r.measured_bytes for r, n in whole)
                if whole
                else None
            ),
            "traced_complete_max_error_bytes": max(
                (abs(n - r.measured_bytes) for r, n in whole), default=None
            ),
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "kernel": self.kernel,
            "measured_kernel": self.measured_kernel,
            "table": self.table,
            "budgets_bytes": self.budgets,
            "summary": self.summary(),
            "stacks": {r.name: _plain(r) for r in self.rows},
        }


def _plain(r: Comparison) -> dict[str, Any]:
    return {
        "measured_bytes": r.measured_bytes,
        "predicted_bytes": r.predicted_bytes,
        "typical_bytes": r.typical_bytes,
        "ratio": _round(r.ratio),
        "context": r.context,
        "exact": r.exact,
        "refused": r.refused or None,
        "holds": r.holds,
        "task": r.task,
        "all_bytes": r.all_bytes,
        "differs": r.differs,
        "worst_bytes": r.worst_bytes,
        "worst_task": r.worst_task,
        "traced_bytes": r.traced_bytes,
        "traced_missing": list(r.traced.missing),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of them do not exceed (0.5: the median)."""
    if not values:
        return None
    if share == 0.5:
        return median(values)
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def validate(
    measurements: Measurements, kernel: Kernel, progress: Progress | None = None
) -> Report:
    """Compare every stack of a file that has a ``block`` figure.

    The guests were booted with randomize_kstack_offset=off, so it is left out of the bounds.

    Parameters
    ----------
    progress : callable, optional
        ``progress(done, total, stack)``, before each stack.
    """
    plain = as_traced(kernel.override(stack_offset=False))
    typical = as_traced(plain, rare=False)
    told = [m for m in measurements.stacks if m.block is not None]
    rows = []
    for i, measured in enumerate(told):
        if progress is not None:
            progress(i, len(told), measured.name)
        rows.append(compare(measured, plain, typical))
    budgets = {name: path.bytes for name, path in kernel.rows.budgets().items()}
    return Report(plain.name, measurements.kernel, tuple(rows), budgets, kernel.table.digest)


def record(report: Report) -> dict[str, Any]:
    """What is recorded of a report: the frame table, and predicted and typical bytes by stack."""
    return {
        "table": report.table,
        "stacks": {r.name: [r.predicted_bytes, r.typical_bytes] for r in report.rows},
    }


def recorded() -> tuple[Report, ...]:
    """The bounds of the stacks that ship, as they were recorded; nothing is computed.

    `validate` does that, and a test holds the record against it.

    Raises
    ------
    BlockstackError
        A kernel's frames are not those of its record.
    """
    return tuple(_recorded(measured) for measured in measured_files())


def _recorded(measured: Measurements) -> Report:
    kernel = kernel_for(measured)
    file = SHIPPED / "bounds" / f"{kernel.name}.json"
    bounds = json.loads(file.read_text())
    if bounds["table"] != kernel.table.digest:
        raise BlockstackError(
            "the recorded bounds are another frame table's",
            path=str(file),
            value=kernel.table.digest,
            hint="python -m docs._make.pages",
        )
    rows = []
    for one in measured.stacks:
        if one.block is not None:
            predicted, typical = bounds["stacks"][one.name]
            rows.append(
                Comparison(
                    one.name,
                    one.block.context,
                    one.block.max_bytes,
                    predicted_bytes=predicted,
                    typical_bytes=typical,
                    refused="" if predicted else "recorded without a bound",
                )
            )
    return Report(kernel.name, measured.kernel, tuple(rows), table=kernel.table.digest)


def merged(reports: Sequence[Report]) -> dict[str, Any]:
    """Plain data of all files: ``summary`` and ``stacks`` over all of them, ``kernels`` each.

    A stack that several files have is named ``NAME (KERNEL)`` from the second on.
    """
    whole = Report("", "", tuple(row for report in reports for row in report.rows))
    stacks: dict[str, Any] = {}
    kernels: dict[str, Any] = {}
    for report in reports:
        plain, label = report.to_dict(), report.kernel
        if label in kernels:  # two files that one frame table stands for
            label += f", measured {report.measured_kernel} {len(kernels)}"
        kernels[label] = plain
        for name, row in plain["stacks"].items():
            stacks[name if name not in stacks else f"{name} ({label})"] = {
                "kernel": report.kernel,
                **row,
            }
    return {"summary": whole.summary(), "stacks": stacks, "kernels": kernels}


def measured_files(where: Path | None = None) -> Iterator[Measurements]:
    """The files of measured stacks in a folder; None: those that ship.

    Raises
    ------
    BlockstackError
        There is none.
    """
    folder = SHIPPED if where is None else where
    paths = (
        [p for ending in ("*.json", "*.json.gz") for p in sorted(folder.glob(ending))]
        if (folder.is_dir())
        else [folder]
    )
    if not paths:
        raise BlockstackError(
            "no files of measured stacks",
            path=str(where),
            hint="give a folder of *.json files, or one of them",
        )
    yield from (load_measurements(path) for path in paths)


def kernel_for(measurements: Measurements, kernels: Iterable[str] = ()) -> Kernel:
    """The kernel to compare with: see `kernel_of`.

    Raises
    ------
    BlockstackError
        There is none.
    """
    try:
        return kernel_of(measurements.kernel, measurements.arch, kernels)
    except BlockstackError as error:
        raise error.under(str(measurements.path)) from error
