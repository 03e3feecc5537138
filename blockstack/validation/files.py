"""Whole files of measured stacks beside their bounds, and the set that ships with the package."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from blockstack.base.environment import BARE
from blockstack.base.errors import BlockstackError
from blockstack.kernel import Kernel, kernel_of
from blockstack.results.validation import Comparison, Validation
from blockstack.validation.bounds import as_the_tracer_saw, compare
from blockstack.validation.measured import Measurements, load_measurements

#: measured stacks of Debian's 6.1 and 6.12: facts and figures, with their provenance in ``meta``
SHIPPED = Path(__file__).parent / "data"
#: ``progress(done, total, stack)``
Progress = Callable[[int, int, str], None]


def validate(
    measurements: Measurements, kernel: Kernel, progress: Progress | None = None
) -> Validation:
    """Compare every stack of a file that has a ``block`` figure.

    The guests were booted with randomize_kstack_offset=off, so it is left out of the bounds.

    Parameters
    ----------
    progress : callable, optional
        ``progress(done, total, stack)``, before each stack.
    """
    plain = as_the_tracer_saw(
        kernel.override(stack_offset=False, environment=measurements.environment)
    )
    typical = as_the_tracer_saw(plain, rare=False)
    told = [m for m in measurements.stacks if m.block is not None]
    rows = []
    for i, measured in enumerate(told):
        if progress is not None:
            progress(i, len(told), measured.name)
        rows.append(compare(measured, plain, typical))
    budgets = {name: path.bytes for name, path in kernel.rows.budgets().items()}
    return Validation(plain.name, measurements.kernel, tuple(rows), budgets, kernel.table.digest)


def record(found: Validation) -> dict[str, Any]:
    """What is kept of a validation: the frame table, predicted and typical bytes by stack."""
    return {
        "table": found.table,
        "stacks": {r.name: [r.predicted_bytes, r.typical_bytes] for r in found.rows},
    }


def recorded() -> tuple[Validation, ...]:
    """The bounds of the stacks that ship, as they were recorded; nothing is computed.

    Those of the guest's default machine: a set with an environment of its own is smaller, and was
    chosen for it. `validate` does that, and a test holds the record against it.

    Raises
    ------
    BlockstackError
        A kernel's frames are not those of its record.
    """
    return tuple(
        _recorded(measured) for measured in measured_files() if measured.environment == BARE
    )


def _recorded(measured: Measurements) -> Validation:
    kernel = kernel_for(measured)
    file = SHIPPED / "bounds" / f"{measured.name}.json"
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
    return Validation(kernel.name, measured.kernel, tuple(rows), table=kernel.table.digest)


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
