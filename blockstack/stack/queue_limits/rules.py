"""Which limits a kernel's queues have, and which rules stack them: by the kernel's version."""

from blockstack.base.errors import ConfigError
from blockstack.generations import StackRules, limits_read
from blockstack.stack.queue_limits.numbers import LIMIT_NAMES


def limit_names(rules: StackRules) -> tuple[str, ...]:
    """The limits that a kernel's queues have."""
    return rules.only or tuple(name for name in LIMIT_NAMES if name not in rules.lacks)


def rules_for(version: str) -> StackRules:
    """The rules of a kernel: those of the newest one read that is not newer.

    Parameters
    ----------
    version : str
        ``"2.6.18"``, ``"4.16.15-200.fc27.x86_64"`` ...

    Raises
    ------
    ConfigError
        Not a version, or older than the oldest kernel that was read.
    """
    read = dict(sorted(limits_read().items(), key=lambda row: _number(row[0])))
    wanted = _number(version)
    found = [name for name in read if _number(name) <= wanted]
    if not wanted or not found:
        raise ConfigError(
            "no queue limits are known for this kernel",
            path="kernel",
            value=version,
            hint=f"from {next(iter(read))} on",
        )
    return read[found[-1]]


def _number(version: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in version.split("-", maxsplit=1)[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
