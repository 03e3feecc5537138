"""The script that collects, on a host without Python, what the importers read."""

from importlib import resources

_MASK_LINE = "MASK=${MASK:-no}\n"


def script(*, mask: bool = False) -> str:
    """The capture script (POSIX sh); ``mask``: serial numbers and the like are masked, too."""
    text = (resources.files("blockstack.hosts") / "capture.sh").read_text(encoding="utf-8")
    return text.replace(_MASK_LINE, "MASK=${MASK:-yes}\n") if mask else text
