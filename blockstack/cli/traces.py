"""``convert``: a trace into another format, and what it says of itself."""

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from blockstack.base.registry import OPS
from blockstack.base.units import SECTOR_BYTES, format_bytes, format_count
from blockstack.cli.application import app
from blockstack.cli.common import JsonOpt, bad_input
from blockstack.cli.terminal import say
from blockstack.loads.traces.convert import Statement, stated, target_format, write_trace
from blockstack.loads.traces.formats import FORMATS, open_trace
from blockstack.loads.traces.reading import TraceError
from blockstack.present.tables.capacity import time_text
from blockstack.workload.trace import Trace

FromOpt = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="The trace's format, where its content does not say it: "
        + ", ".join(f.name for f in FORMATS)
        + ".",
    ),
]
SkipBadOpt = Annotated[
    int,
    typer.Option(
        "--skip-bad", min=0, metavar="N", help="Pass over up to N malformed rows, and count them."
    ),
]
_SHOWN = 6


@app.command(
    epilog="Example: `blockstack convert hm_0.csv.gz hm_0.iolog`; with one file: what it "
    "is. Packed files (gzip, bzip2, xz) are read as they are."
)
def convert(
    source: Annotated[str, typer.Argument(metavar="A", help="A trace; - is standard input.")],
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="B", help="The file to write (.gz packs); none: only the statement."
        ),
    ] = None,
    form: FromOpt = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="Format of B: "
            + ", ".join(f.name for f in FORMATS if f.line or f.save)
            + "; default: by its ending.",
        ),
    ] = None,
    skip_bad: SkipBadOpt = 0,
    sort: Annotated[
        bool, typer.Option("--sort", help="In order of arrival; needs memory for the whole trace.")
    ] = False,
    as_json: JsonOpt = False,
) -> None:
    """Convert a block trace, and state its units, span and rate: a mistaken unit shows there."""
    with bad_input(as_json):
        if target is None and to is not None:
            raise TraceError("needs a file to write", path="--to", value=to, hint="name B")
        aim = None if target is None else target_format(target, to)
        with open_trace(source, form=form, skip_bad=skip_bad) as file:
            statement = Statement(file)
            chunks = stated(file, statement)
            plain_fua = 0
            if target is not None and aim is not None:
                plain_fua = write_trace(_sorted(chunks) if sort else chunks, target, aim)
            else:
                for _ in chunks:
                    pass
    if as_json:
        print(
            json.dumps(
                statement.to_dict()
                | {
                    "written": target,
                    "to": None if aim is None else aim.name,
                    "fua_written_as_write": plain_fua,
                },
                indent=1,
            )
        )
        return
    show_statement(statement)
    if aim is not None:
        also = f"; {plain_fua:,} FUA writes became plain writes" if plain_fua else ""
        say(f"wrote {target}: {aim.name}, {aim.units}{also}")


def _sorted(chunks: Iterator[Trace]) -> Iterator[Trace]:
    yield Trace.joined(list(chunks)).sorted()


def show_statement(statement: Statement) -> None:
    """What a trace is, on standard error."""
    for line in statement_lines(statement):
        say(line)


def statement_lines(statement: Statement) -> Iterator[str]:
    """The statement, line by line."""
    file, reading = statement.file, statement.file.reading
    ops = ", ".join(f"{int(n):,} {op}" for op, n in zip(OPS, statement.by_op, strict=True) if n)
    names = list(reading.devices)
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    yield f"{file.path}: {file.form.name} ({file.form.doc})"
    yield f"units: {file.form.units}"
    yield f"bios: {statement.bios:,} ({ops}) on {', '.join(names[:_SHOWN])}{more}"
    mean = statement.n_bytes / statement.bios / 1024
    yield (
        f"sizes: mean {mean:.3g} KiB, largest "
        f"{format_bytes(statement.largest_sectors * SECTOR_BYTES)}; the last ends at "
        f"{format_count(statement.end_sectors * SECTOR_BYTES)}B"
    )
    began = f", from {statement.began:%Y-%m-%d %H:%M:%S} UTC" if statement.began else ""
    rate = (
        f"mean {format_count(statement.iops).strip()} IOPS"
        if statement.iops is not None
        else "all at one time: no rate"
    )
    yield f"span: {time_text(statement.span_ns)}{began}; {rate}"
    if statement.is_coarse:
        yield (
            f"coarse clock: {statement.bios:,} bios at {statement.times:,} times; a replay "
            "sends those of one time at once"
        )
    if statement.backward:
        yield f"not in order: {statement.backward:,} rows are earlier than the row before"
    if reading.rounded:
        yield f"rounded outward to whole sectors: {reading.rounded:,} bios"
    yield from (f"left out: {n:,} {what}" for what, n in reading.left_out.most_common())
    if reading.bad:
        yield f"malformed, skipped: {reading.bad:,}; the first: {reading.first_bad}"
    yield from (f"note: {note}" for note in reading.notes)
