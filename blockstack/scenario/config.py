"""Configs: a stack, a workload and a kernel's name in one TOML file, in and out."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blockstack.base.environment import UNTOLD, Environment
from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.base.files import write_text
from blockstack.base.hints import check_keys, did_you_mean
from blockstack.base.registry import RULES
from blockstack.base.shown import Shown
from blockstack.base.units import format_bytes, parse_bytes
from blockstack.scenario.changes import changed
from blockstack.scenario.devices import read_devices
from blockstack.scenario.shipped import find_scenario, scenarios
from blockstack.scenario.toml import write_toml
from blockstack.stack.machine import Machine
from blockstack.stack.model import Stack
from blockstack.workload import Workload

TOP_KEYS = (
    "kernel",
    "name",
    "description",
    "submission",
    "thread_size",
    "host_kernel",
    "kernel_given",
    "assumed",
    "missing",
    "devices",
    "workload",
    "machine",
    "environment",
)
MAX_FILE_BYTES = 64 * 2**20
_THREAD_SIZES = (2**10, 2**20)


@dataclass(frozen=True)
class Overrides:
    """What a config changes about its kernel, for a what-if.

    Attributes
    ----------
    submission : {None, "recursive", "fifo", "two-list", "lifo"}
        None: the kernel's own rule.
    thread_size_bytes : int or None
        None: the kernel's own.
    """

    submission: str | None = None
    thread_size_bytes: int | None = None


@dataclass(frozen=True, repr=False)
class Config(Shown):
    """A complete scenario.

    Attributes
    ----------
    stack : Stack
    workload : Workload
    kernel : str or None
        A shipped kernel's name or the path of a frame table; looked up by the kernel loader.
    overrides : Overrides
    machine : Machine
        Cores and their speed, for the capacity model.
    environment : Environment
        What is told of the machine and its files; the rest counts as the deeper way.
    name, description : str
    host_kernel : str
        What the host says of its kernel, release and machine, or ``unknown``; empty: the stack is
        no host's.
    kernel_given : bool
        Somebody has said that ``kernel`` stands for the host's, whatever that is.
    assumed : tuple of str
        What the import of a host took for granted; said whenever the config is used.
    path : str
        Where it was read; empty for one that was made in memory.
    """

    stack: Stack
    workload: Workload
    kernel: str | None = None
    overrides: Overrides = field(default_factory=Overrides)
    machine: Machine = field(default_factory=Machine)
    environment: Environment = UNTOLD
    name: str = ""
    description: str = ""
    host_kernel: str = ""
    kernel_given: bool = False
    assumed: tuple[str, ...] = ()
    path: str = field(default="", compare=False)

    def headline(self) -> str:
        """Name, stack and kernel."""
        devices = len(self.stack.devices)
        return (
            f"{self.name or self.stack.name or 'a stack without a name'}, {devices} devices, "
            f"kernel {self.kernel or 'not told'}"
        )


def parse_submission(value: object, path: str = "submission") -> str:
    """One of the four submission rules."""
    if not isinstance(value, str) or value not in RULES:
        raise ConfigError(
            "no such submission rule",
            path=path,
            value=value,
            hint=did_you_mean(value, RULES, "rules"),
        )
    return value


def parse_thread_size(value: Any, path: str = "thread_size") -> int:
    """A thread size in bytes: a power of two, as the kernel masks the stack pointer with it."""
    size = parse_bytes(value, path)
    least, most = _THREAD_SIZES
    if not least <= size <= most or size & (size - 1):
        span = f"{format_bytes(least)} to {format_bytes(most)}"
        raise ConfigError(
            "not a thread size",
            path=path,
            value=value,
            hint=f'a power of two from {span}, such as "4 KiB"',
        )
    return size


def load_config(path: str | Path, changes: Sequence[str] = ()) -> Config:
    """Read a config file.

    Parameters
    ----------
    path : str or Path
        UTF-8 TOML; a byte order mark and CRLF line ends are fine. Where there is no such file,
        the name of a shipped scenario (``dm-md-iscsi``, ``configs/dm-md-iscsi.toml``).
    changes : sequence of str
        What if: keys that are set or taken away; see `blockstack.changes`.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        ``host.toml: devices.md0.on[1]: no such device (got 'sdx'); did you mean "sdc"?``
    """
    file = Path(path)
    try:
        if not file.exists():
            file = find_scenario(file) or file
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(
            "no such file, and no such shipped scenario",
            path=str(file),
            hint=did_you_mean(file.name.removesuffix(".toml"), scenarios(), "scenarios"),
        ) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", path=str(file)) from error
    except ValueError as error:  # a NUL in the name
        raise ConfigError("not a file name", path=repr(str(file))) from error
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(
            "is too large for a config",
            path=str(file),
            hint=f"at most {format_bytes(MAX_FILE_BYTES)}",
        )
    return parse_config(raw, source=str(file), changes=changes)


def parse_config(
    text: str | bytes, *, source: str = "config", changes: Sequence[str] = ()
) -> Config:
    """A config from TOML text; ``source`` stands in front of every error's path."""
    try:
        return config_from_dict(changed(_read_toml(text), changes), source=source)
    except BlockstackError as error:
        raise error.under(source) from error


def config_from_dict(table: Mapping[str, Any], *, source: str = "") -> Config:
    """A config from the nested dict that TOML gives.

    Raises
    ------
    ConfigError
        Unknown keys, devices that cannot stand as they are said to, a workload that cannot be.
    """
    _check_integers(table)
    check_keys(table, TOP_KEYS, "")
    words = {key: _text(table, key) for key in ("kernel", "name", "description", "host_kernel")}
    name = words["name"] or (Path(source).stem if source else "stack")
    submission = table.get("submission")
    thread_size = table.get("thread_size")
    overrides = Overrides(
        None if submission is None else parse_submission(submission),
        None if thread_size is None else parse_thread_size(thread_size),
    )
    missing = _table(table, "missing")
    stack = read_devices(
        _table(table, "devices"), name, {one: _text(missing, one, "missing.") for one in missing}
    )
    workload = Workload.from_dict(_table(table, "workload"), "workload")
    machine = Machine.from_dict(_table(table, "machine"), "machine")
    return Config(
        stack,
        workload,
        words["kernel"] or None,
        overrides,
        machine,
        Environment.from_dict(_table(table, "environment")),
        name,
        words["description"],
        words["host_kernel"],
        _flag(table, "kernel_given"),
        _texts(table, "assumed"),
        source,
    )


def _read_toml(text: str | bytes) -> dict[str, Any]:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"not UTF-8 at byte {error.start}", hint="save the file as UTF-8"
            ) from error
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from error
    except (ValueError, RecursionError) as error:  # endless digits, arrays a thousand deep
        raise ConfigError(f"not a config: {type(error).__name__} while reading TOML") from error


def _check_integers(table: Mapping[str, Any]) -> None:
    """TOML promises 64 bits; Python's parser reads any number of digits."""
    todo: list[tuple[str, Any]] = [("", table)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, str):
            continue
        if isinstance(value, int):
            if not -(2**63) <= value < 2**63:
                raise ConfigError("an integer of more than 64 bits", path=path)
        elif isinstance(value, list):
            todo += [
                (f"{path}[{i}]", one) for i, one in enumerate(value) if not isinstance(one, str)
            ]
        elif isinstance(value, Mapping):
            todo += [
                (f"{path}.{key}" if path else str(key), one)
                for key, one in value.items()
                if not isinstance(one, str)
            ]


def _text(table: Mapping[str, Any], key: str, above: str = "") -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise ConfigError("must be a text", path=above + key, value=value)
    return value


def _flag(table: Mapping[str, Any], key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise ConfigError("must be true or false", path=key, value=value)
    return value


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ConfigError("must be a list of texts", path=key, value=values)
    return tuple(values)


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise ConfigError("not a table", path=key, value=value, hint=f"write [{key}]")
    return value


def config_to_dict(config: Config) -> dict[str, Any]:
    """The nested dict that `config_from_dict` reads back to an equal config."""
    words = {
        "name": config.name,
        "description": config.description,
        "kernel": config.kernel,
        "host_kernel": config.host_kernel,
        "submission": config.overrides.submission,
    }
    table: dict[str, Any] = {key: value for key, value in words.items() if value}
    if config.overrides.thread_size_bytes is not None:
        table["thread_size"] = config.overrides.thread_size_bytes
    if config.kernel_given:
        table["kernel_given"] = True
    if config.assumed:
        table["assumed"] = list(config.assumed)
    if config.machine != Machine():
        table["machine"] = config.machine.to_dict()
    if config.environment.told():
        table["environment"] = config.environment.told()
    if config.stack.missing:
        table["missing"] = dict(config.stack.missing)
    table["devices"] = {
        name: {"kind": device.kind, **device.given} for name, device in config.stack.devices.items()
    }
    table["workload"] = config.workload.to_dict()
    return table


def dump_config(config: Config) -> str:
    """The config as TOML text."""
    return write_toml(config_to_dict(config))


def save_config(config: Config, path: str | Path) -> None:
    """Write the config as a TOML file."""
    write_text(path, dump_config(config))
