"""``explain --limits``: queue limits, and where a bio is split."""

import json
from pathlib import Path

from blockstack.base.errors import ConfigError
from blockstack.cli.terminal import printer
from blockstack.engine.study.splits import explain_limits
from blockstack.kernel import Kernel
from blockstack.present.tables.queue_limits import limits_view
from blockstack.scenario.config import Config


def show_limits(
    case: Config,
    kernel: Kernel,
    bs: str | None,
    offset: int | None,
    *,
    limits: bool,
    whole: bool,
    as_json: bool,
    config: Path,
) -> None:
    """Print the limits of a config's stack; with a size, the way of one bio too.

    Raises
    ------
    ConfigError
        ``--bs`` without ``--limits``, ``--offset`` without ``--bs``, a bio that cannot be.
    """
    if not limits:
        raise ConfigError(
            "goes with --limits", path="--bs" if bs is not None else "--offset", hint="add --limits"
        )
    if offset is not None and bs is None:
        raise ConfigError("goes with --bs", path="--offset", hint='add --bs "1 MiB"')
    found = explain_limits(
        case.stack, kernel=kernel, workload=case.workload, bs=bs, offset_sectors=offset or 0
    )
    if as_json:
        print(json.dumps({"config": str(config)} | found.to_dict(), indent=1))
    else:
        out = printer()
        out.print(limits_view(found, whole=whole))
