"""``kernel check``: what kinds claim of pointer calls, held against a kernel's own types."""

import json
from typing import Annotated

import typer

from blockstack.cli.boundary import CANNOT_TELL, FITS, OVERFLOWS
from blockstack.cli.common import JsonOpt, bad_input
from blockstack.cli.kernel import kernel_app
from blockstack.cli.terminal import printer
from blockstack.kernel.check import check_kernel
from blockstack.present.tables.claims import claims_view


@kernel_app.command("check", epilog="Example: `blockstack kernel check linux-6.12-x86_64`")
def kernel_check(
    table: Annotated[
        str, typer.Argument(help="A shipped kernel or a table with types, of `kernel extract`.")
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows of each list.")] = 40,
    as_json: JsonOpt = False,
) -> None:
    """Hold the pointer calls that kinds claim against what a kernel's types tell.

    Exit status: 0 none is contradicted, 1 one is, 3 the table has no types, 2 bad input.
    """
    with bad_input(as_json):
        found = check_kernel(table)
    if as_json:
        print(json.dumps(found.to_dict() if found else {"kernel": table, "claims": None}, indent=1))
    else:
        out = printer()
        if found is None:
            out.print(f"{table} has no types: its pointer calls are those that kinds write")
        for part in claims_view(found, limit) if found else ():
            out.print(part)
    raise typer.Exit(CANNOT_TELL if found is None else FITS if found.holds else OVERFLOWS)
