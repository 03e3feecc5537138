"""Whole commands against their budgets: CPU seconds of the process, nothing cached.

``python -m bench.cli`` runs each command a few times and prints the median, the budget and the
ratio; ``--only WORD`` those whose name has the word. A command's seconds are user and system time
of the process as the kernel counts them (`os.wait4`), so that a busy machine changes them little.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.fleet import write_fleet

ROOT = Path(__file__).parents[1]
MAIN = "configs/dm-md-iscsi.toml"
START = (sys.executable, "-P", "-m", "blockstack")


@dataclass(frozen=True)
class Budget:
    """A command and the CPU seconds that it may take; ``{out}`` is an empty folder."""

    name: str
    words: tuple[str, ...]
    seconds: float


BUDGETS = (
    Budget("--help", ("--help",), 0.25),
    Budget("--version", ("--version",), 0.25),
    Budget("explain", ("explain", MAIN), 0.6),
    Budget("run, 1 M bios, four rules", ("run", MAIN, "--bios", "1M"), 2.2),
    Budget("plot depth", ("plot", "depth", MAIN, "-o", "{out}/a.svg"), 1.2),
    Budget("plot stack", ("plot", "stack", MAIN, "-o", "{out}/a.svg"), 1.2),
    Budget("plot growth", ("plot", "growth", MAIN, "-o", "{out}/a.svg"), 1.2),
    Budget(
        "plot tornado-iops",
        ("plot", "tornado-iops", "configs/nvme-lvm-luks.toml", "-o", "{out}/a.svg"),
        3.0,
    ),
    Budget("report", ("report", MAIN, "-o", "{out}/review"), 5.0),
    Budget(
        "explain --max-layers dm-crypt",
        ("explain", "configs/luks-raid1.toml", "--max-layers", "dm-crypt"),
        2.0,
    ),
    Budget("check, 1,000 hosts of 50 stacks", ("check", "{out}/fleet/*", "--json"), 60.0),
)


@dataclass(frozen=True)
class Ran:
    """What one run of a command took."""

    seconds: float
    mib: float
    status: int


def measure(words: Sequence[str], environment: dict[str, str]) -> Ran:
    """Run a command to its end: CPU seconds and the most memory of the process."""
    child = subprocess.Popen(
        [*START, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment,
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
    return Ran(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, child.returncode)


def median(budget: Budget, rounds: int) -> Ran:
    """The median of some runs, each in a folder of its own.

    Raises
    ------
    RuntimeError
        The command refused its input or broke.
    """
    runs = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            if any("{out}/fleet" in word for word in budget.words):
                write_fleet(Path(folder) / "fleet", hosts=1000, stacks=50)
            words = [word.replace("{out}", folder) for word in budget.words]
            environment = {**os.environ, "XDG_CACHE_HOME": folder}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has it
            runs.append(measure(words, environment))
        if runs[-1].status not in (0, 1, 3):
            raise RuntimeError(f"{budget.name}: status {runs[-1].status}")
    seconds = statistics.median(run.seconds for run in runs)
    return Ran(seconds, max(run.mib for run in runs), runs[-1].status)


def table(budgets: Sequence[Budget], rounds: int) -> Iterator[str]:
    """Lines of a Markdown table, each when it is measured."""
    yield "| command | CPU s | budget | ratio | MiB |"
    yield "|---|--:|--:|--:|--:|"
    for budget in budgets:
        ran = median(budget, rounds)
        ratio = ran.seconds / budget.seconds
        yield (
            f"| {budget.name} | {ran.seconds:.2f} | {budget.seconds:g} | {ratio:.2f} | "
            f"{ran.mib:.0f} |"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.cli", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each; default: 5")
    parser.add_argument("--only", default="", help="those whose name has this word")
    given = parser.parse_args()
    chosen = [one for one in BUDGETS if given.only in one.name]
    for line in table(chosen, max(1, given.rounds)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
