"""The script that collects, on a host without Python, what the importers read."""

from importlib import resources

_LINES = {"MASK": "MASK=${MASK:-no}\n", "WITH_KERNEL": "WITH_KERNEL=${WITH_KERNEL:-no}\n"}


def script(*, mask: bool = False, with_kernel: bool = False) -> str:
    """The capture script (POSIX sh).

    Parameters
    ----------
    mask : bool
        Serial numbers and the like are masked, too.
    with_kernel : bool
        It takes the running kernel's image and loaded modules along.
    """
    text = (resources.files("blockstack.hosts") / "capture.sh").read_text(encoding="utf-8")
    for word, asked in (("MASK", mask), ("WITH_KERNEL", with_kernel)):
        if asked:
            text = text.replace(_LINES[word], f"{word}=${{{word}:-yes}}\n")
    return text
