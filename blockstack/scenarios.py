"""The scenarios that ship with the package: complete configs, found by name without a checkout."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


@cache
def scenarios() -> dict[str, Path]:
    """Shipped configs by name.

    An installed package holds them in ``blockstack/configs``; in a checkout they lie beside it.
    """
    for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs"):
        found = {path.stem: path for path in sorted(folder.glob("*.toml"))}
        if found:
            return found
    return {}


def find_scenario(path: Path) -> Path | None:
    """The shipped config that ``dm-md-iscsi``, ``dm-md-iscsi.toml`` or
    ``configs/dm-md-iscsi.toml`` means where there is no such file; None: none."""
    named = path.parent in (Path(), Path("configs")) and path.suffix in ("", ".toml")
    return scenarios().get(path.stem if path.suffix == ".toml" else path.name) if named else None
