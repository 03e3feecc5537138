"""The scenarios that ship with the package: complete configs, found by name without a checkout."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


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
    if path.parent not in (Path(), Path("configs")):
        return None
    return scenarios().get(path.name.removesuffix(".toml"))  # not stem: "iscsi-6.1" has no suffix
