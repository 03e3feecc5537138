"""Measured stacks beside their bounds: what a validation found, per stack and per file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

from blockstack.results.call_chain import CallChain
from blockstack.results.result import Frame


@dataclass(frozen=True)
class Comparison:
    """One measured stack beside its bounds.

    Attributes
    ----------
    name, context : str
    measured_bytes : int
        The ``block`` pass; ``all_bytes`` is the pass that traced every function.
    chain : CallChain
        What the frame table has for the functions that the tracer saw, call by call: it must add
        up to ``measured_bytes`` but for alignment.
    predicted_bytes : int or None
        The bound for the measured context; of all contexts when none was told or none matches.
    worst_bytes : int or None
        The bound of all contexts, that of the task ``worst_task``.
    typical_bytes : int or None
        The bound without the calls that are real but rare.
    exact : bool
    task : str
        Task that the bound is for.
    refused : str
        Why there is no bound; empty otherwise.
    parting : tuple of str or None
        The first measured function that the predicted path does not have, outermost first, and
        what the path has there; None: it has all of them.
    """

    name: str
    context: str
    measured_bytes: int
    chain: CallChain = field(default=CallChain(()), repr=False)
    all_bytes: int | None = None
    predicted_bytes: int | None = None
    worst_bytes: int | None = None
    worst_task: str = ""
    typical_bytes: int | None = None
    exact: bool = False
    task: str = ""
    refused: str = ""
    parting: tuple[str, str] | None = None
    path: tuple[Frame, ...] = field(default=(), repr=False)

    @property
    def chain_bytes(self) -> int | None:
        """Sum over the measured call chain, told its functions only; None: it has none."""
        return self.chain.bytes if self.chain.frames else None

    @property
    def ratio(self) -> float | None:
        """Predicted over measured."""
        return (
            None if self.predicted_bytes is None else (self.predicted_bytes / self.measured_bytes)
        )

    @property
    def holds(self) -> bool | None:
        """Whether the bound is not below what was measured; None: refused."""
        return (
            None if self.predicted_bytes is None else (self.predicted_bytes >= self.measured_bytes)
        )


@dataclass(frozen=True)
class Validation:
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
            **self._chains(),
        }

    def _chains(self) -> dict[str, Any]:
        """How far the sums over the call chains are from what was measured."""
        told = [(r, r.chain_bytes) for r in self.rows if r.chain_bytes is not None]
        errors = [abs(n - r.measured_bytes) / r.measured_bytes for r, n in told]
        whole = [(r, n) for r, n in told if not r.chain.missing]
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
        "differs": "" if r.parting is None else " | ".join(r.parting),
        "worst_bytes": r.worst_bytes,
        "worst_task": r.worst_task,
        "traced_bytes": r.chain_bytes,
        "traced_missing": list(r.chain.missing),
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


def merged(files: Sequence[Validation]) -> dict[str, Any]:
    """Plain data of several files: ``summary`` and ``stacks`` over all of them, ``kernels`` each.

    A stack that several files have is named ``NAME (KERNEL)`` from the second on.
    """
    whole = Validation("", "", tuple(row for found in files for row in found.rows))
    stacks: dict[str, Any] = {}
    kernels: dict[str, Any] = {}
    for found in files:
        plain, label = found.to_dict(), found.kernel
        if label in kernels:  # two files that one frame table stands for
            label += f", measured {found.measured_kernel} {len(kernels)}"
        kernels[label] = plain
        for name, row in plain["stacks"].items():
            stacks[name if name not in stacks else f"{name} ({label})"] = {
                "kernel": found.kernel,
                **row,
            }
    return {"summary": whole.summary(), "stacks": stacks, "kernels": kernels}
