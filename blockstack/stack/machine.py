"""The machine that the stack runs on: how many cores, how fast."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.hints import check_keys


@dataclass(frozen=True)
class Machine:
    """What turns instructions into time. All three are assumed unless the config says them.

    Attributes
    ----------
    cpus : int
        Cores that run the kernel's tasks.
    ghz : float
        Clock of a core.
    ipc : float
        Instructions per cycle on the block layer's path: what the calibration of the costs takes.
    """

    cpus: int = 8
    ghz: float = 3.0
    ipc: float = 1.0

    def __post_init__(self) -> None:
        if (
            isinstance(self.cpus, bool)
            or not isinstance(self.cpus, int)
            or not (1 <= self.cpus <= 4096)
        ):
            raise ConfigError("must be a whole number from 1 to 4096", path="cpus", value=self.cpus)
        for name, most in (("ghz", 20), ("ipc", 16)):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not (0 < value <= most)
            ):
                raise ConfigError(
                    f"must be a number above 0, at most {most}", path=name, value=value
                )

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], path: str = "machine") -> "Machine":
        """A machine from a config's table."""
        check_keys(table, [f.name for f in fields(cls)], path)
        try:
            return cls(**table)
        except ConfigError as error:
            raise ConfigError(
                error.message, path=f"{path}.{error.path}", value=error.value
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """The table that `from_dict` reads."""
        return asdict(self)

    @property
    def instructions_per_ns(self) -> float:
        """How many instructions a core runs in a nanosecond."""
        return self.ghz * self.ipc

    def assumed(self) -> str:
        """One line for every output that rests on it."""
        return (
            f"{self.cpus} cores at {self.ghz:g} GHz, {self.ipc:g} instructions per cycle"
            f"{' (assumed)' if self == Machine() else ''}"
        )
