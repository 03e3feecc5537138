"""What can go wrong, always with the path, the value and the way out."""

from typing import Any

_MISSING: Any = object()


def _shown(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # Python refuses to print integers of more than 4,300 digits
        return f"a {type(value).__name__} too long to print"


class BlockstackError(ValueError):
    """Base of every error that blockstack raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence.
    path : str
        Where: a file, a key inside it (``host.toml: devices.md0.on[1]``) or a parameter's name.
    value : object
        The offending value, shown with ``repr``.
    hint : str
        The way out.
    """

    def __init__(
        self, message: str, *, path: str = "", value: object = _MISSING, hint: str = ""
    ) -> None:
        self.message = message
        self.path = path
        self.value = None if value is _MISSING else value
        self.hint = hint
        text = f"{path}: {message}" if path else message
        if value is not _MISSING:
            shown = _shown(value)
            text += f" (got {shown if len(shown) <= 120 else shown[:117] + '...'})"
        if hint:
            text += f"; {hint}"
        super().__init__(text)

    def under(self, prefix: str) -> "BlockstackError":
        """The same error, its path prefixed with ``prefix`` (a file, an outer key)."""
        path = f"{prefix}: {self.path}" if self.path else prefix
        value = _MISSING if self.value is None else self.value
        return type(self)(self.message, path=path, value=value, hint=self.hint)


class ConfigError(BlockstackError):
    """A config, a parameter or a topology that cannot be what it says."""


class UnsupportedKind(BlockstackError):
    """A device kind, an operation or a mapping that the named kernel does not have."""


class UnknownFrame(BlockstackError):
    """A function that a call path needs is not in the kernel's frame table."""


class UnknownKernel(BlockstackError):
    """A frame table of a kernel or an architecture that no generation of the model covers."""


class LimitExceeded(BlockstackError):
    """A run that would pass a bound of the program itself (nesting, memory)."""
