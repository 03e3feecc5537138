"""``fit``: a device's figures from fio's results of it."""

from pathlib import Path
from typing import Annotated

import typer

from blockstack.base.errors import ConfigError
from blockstack.base.files import write_text
from blockstack.cli.application import app
from blockstack.cli.boundary import FITS
from blockstack.cli.common import bad_input
from blockstack.cli.terminal import say
from blockstack.engine.capacity.fit import Alone, fit_points
from blockstack.kernel import load_kernel
from blockstack.loads.fio_result import Measured, read_results
from blockstack.stack import Stack
from blockstack.stack.machine import Machine
from blockstack.workload import Workload

#: transfers from this size on are taken to be limited by bandwidth
_LARGE = 64 << 10


@app.command(epilog="Example: `blockstack fit qd1.json qd64.json -o device.toml`")
def fit(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULT...", help="fio's JSON of one SSD alone.")
    ],
    out: Annotated[Path | None, typer.Option("-o", help="Write the service table here.")] = None,
    kind: Annotated[str, typer.Option("--kind", help="nvme, scsi ...")] = "nvme",
    kernel: Annotated[str, typer.Option("--kernel")] = "linux-6.1-x86_64",
) -> None:
    """A `service` table from an SSD's own rates: random ones at two depths or more, large ones.

    Latency comes from the least load, dies from the greatest; the rates between are printed
    beside what the table gives.
    """
    with bad_input(False):
        found = [one for path in results for one in read_results(path)]
        stack = Stack("fit")
        stack.add("disk", kind, size="1 TiB")
        small = _small(found)
        workload = Workload(rw=small[0].rw, bs=small[0].bs_bytes, direct=True)
        alone = Alone(stack, "disk", workload, load_kernel(kernel), Machine())
        service = fit_points(alone, {one.flying: one.iops for one in small})
        for key, op in (("bandwidth", "read"), ("write_bandwidth", "write")):
            large = (o.bytes_per_second for o in found if o.op == op and o.bs_bytes >= _LARGE)
            most = max(large, default=0.0)
            if most:
                service[key] = f"{round(most)} B/s"
        text = "[service]\n" + "".join(
            f"{key} = {value!r}\n".replace("'", '"') for key, value in service.items()
        )
        for one in small:
            rate = alone.rate(service, one.flying)
            share = rate / one.iops
            say(f"{one.flying} in flight: {one.iops:,.0f} measured, {share:.2f} of it here")
        if out is None:
            print(text, end="")
        else:
            write_text(out, text)
            say(f"wrote {out}")
    raise typer.Exit(FITS)


def _small(found: list[Measured]) -> list[Measured]:
    """Random reads of the smallest size, else random writes of it, by what is in flight."""
    for op in ("read", "write"):
        random = [one for one in found if one.op == op and one.rw == f"rand{op}"]
        if random:
            least = min(one.bs_bytes for one in random)
            return sorted((o for o in random if o.bs_bytes == least), key=lambda o: o.flying)
    raise ConfigError("has no random reads or writes", path="RESULT")
