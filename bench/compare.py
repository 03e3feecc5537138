"""``python -m bench.compare``: hops per second by topology and rule, beside C and numba.

Works from the checkout after a plain ``pip install .``: there the folder ``blockstack/`` that
Python would find first has no compiled core, so the installed package is put before it.
"""

import argparse
import json
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent


def use_the_built_package() -> None:
    """Let `import blockstack` find a folder with a compiled core.

    An editable install redirects the import by itself. After a plain one the checkout, which
    ``python -m`` puts first on the path, hides the installed package.
    """
    if "blockstack" in sys.modules or any((CHECKOUT / "blockstack").glob("_core.*.so")):
        return
    elsewhere = [p for p in sys.path if Path(p or ".").resolve() != CHECKOUT]
    if PathFinder.find_spec("blockstack", elsewhere) is not None:
        sys.path[:] = [*elsewhere, str(CHECKOUT)]


use_the_built_package()

from bench import measure, topologies, yardstick  # noqa: E402
from blockstack.engine.plan import core  # noqa: E402
from blockstack.engine.plan.arrays import RULE_NAMES  # noqa: E402

Row = dict[str, Any]
BUSY = 1.5  # load average


def row_of(topology: str, rule: int, *, rounds: int, seconds: float) -> Row:
    """One line of the table; the answers of the programs are compared first."""
    arrays, spec = topologies.plan(topology, rule), topologies.workload()
    counters = measure.same_answers(arrays, spec)
    programs: dict[str, measure.Program] = {"core": core.run, "c": yardstick.run}
    in_numba = measure.numba_program(arrays, spec)
    if in_numba is not None:
        programs["numba"] = in_numba
    found = measure.rates(programs, topology, rule, rounds=rounds, seconds=seconds)
    ratio_to_numba = found["core"].over(found["numba"]) if "numba" in found else None
    return {
        "topology": topology,
        "submission": RULE_NAMES[rule],
        "hops_per_bio": counters.hops / counters.bios,
        "hops_per_second": found["core"].hops_per_second,
        "c_hops_per_second": found["c"].hops_per_second,
        "ratio_to_c": found["core"].over(found["c"]),
        "ratio_to_numba": ratio_to_numba,
    }


def line(row: Row) -> str:
    numba = row["ratio_to_numba"]
    return (
        f"{row['topology']:<18} {row['submission']:<10} {row['hops_per_bio']:>8.1f} "
        f"{row['hops_per_second'] / 1e6:>9.1f} {row['c_hops_per_second'] / 1e6:>9.1f} "
        f"{row['ratio_to_c']:>6.2f} " + (f"{numba:>8.2f}" if numba is not None else f"{'-':>8}")
    )


HEAD = (
    f"{'topology':<18} {'rule':<10} {'hops/bio':>8} {'M hops/s':>9} {'C':>9} {'to C':>6} "
    f"{'to numba':>8}"
)


def two_threads(seconds: float) -> dict[str, float] | None:
    """Two threads over one by rule, on linear-8; None on a machine with one processor."""
    if measure.processors() < 2:
        return None
    return {
        RULE_NAMES[rule]: measure.scaling(
            "linear-8", rule, threads=2, rounds=9, seconds=2 * seconds
        )
        for rule in topologies.RULES
    }


def footer(threads: dict[str, float] | None, load: float) -> list[str]:
    if threads is None:
        lines = ["two threads over one: not measured, this machine has one processor"]
    else:
        pairs = ", ".join(f"{rule} {times:.2f}x" for rule, times in threads.items())
        lines = [f"two threads over one, linear-8: {pairs}"]
    lines.append(f"load average at the start: {load:.2f}")
    if load > BUSY:
        lines.append("the machine was busy: hops per second are too low, only the ratios count")
    return lines


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="fewer topologies, shorter rounds")
    parser.add_argument("--topology", action="append", choices=list(topologies.TOPOLOGIES))
    options = parser.parse_args(arguments)
    rounds, seconds = (5, 0.05) if options.quick else (9, 0.1)
    names = options.topology or (topologies.QUICK if options.quick else topologies.TOPOLOGIES)
    rows = []
    load = os.getloadavg()[0]
    if not options.json:
        print(HEAD)
    for name in names:
        for rule in topologies.RULES:
            rows.append(row_of(name, rule, rounds=rounds, seconds=seconds))
            if not options.json:
                print(line(rows[-1]), flush=True)
    threads = two_threads(seconds)
    if options.json:
        found = {"rows": rows, "two_threads": threads, "load_average": load}
        json.dump(found, sys.stdout, indent=2)
        print()
    else:
        print("\n".join(footer(threads, load)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
