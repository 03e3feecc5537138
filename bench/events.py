"""``python -m bench.events``: the event loop beside the same algorithm in C, and beside SimPy."""

import os
from importlib.util import find_spec

from bench.compare import use_the_built_package

use_the_built_package()

from bench import bench_service as measured  # noqa: E402


def main() -> None:
    """One line per network; the answers are compared first, with C bit for bit."""
    print(f"{'network':<28} {'M events/s':>10} {'ratio':>16}")
    for depth in measured.DEPTHS:
        measured.same_answers(depth)
        speed, ratio = measured.closed_ratio(depth)
        print(
            f"{f'ring of 8, {depth} in flight':<28} {speed / 1e6:>10.1f} {ratio:>8.2f} of C",
            flush=True,
        )
    if find_spec("simpy") is not None:
        speed, ratio, _, _ = measured.mm8_ratio()
        print(f"{'M/M/8, 0.8 busy (customers)':<28} {speed / 1e6:>10.1f} {ratio:>6.0f} x SimPy")
    print(f"load average: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
