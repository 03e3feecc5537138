"""Record the bounds of the shipped measured stacks: ``python tests/record_golden.py``.

Run it when bounds changed on purpose, and look at the difference before committing it.
"""

import json
from pathlib import Path

from blockstack.validation import Report, kernel_for, measured_files, validate

GOLDEN = Path(__file__).parent / "golden"


def figures(report: Report) -> dict[str, list[int | None]]:
    """Predicted and typical bytes by stack."""
    return {r.name: [r.predicted_bytes, r.typical_bytes] for r in report.rows}


def write(report: Report) -> None:
    """One line per stack."""
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(pair)}"
                       for name, pair in figures(report).items())
    (GOLDEN / f"{report.kernel}.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    for measured in measured_files():
        write(validate(measured, kernel_for(measured)))
