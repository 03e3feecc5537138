"""Lists of frames: lines of ``scripts/checkstack.pl`` and of gcc's ``-fstack-usage``."""

import re
from dataclasses import dataclass

# scripts/checkstack.pl: "$addr $func [$file]:\t$size" and "... Dynamic ($sub)"
_CHECKSTACK = re.compile(
    r"\s*0x[0-9a-fA-F]+\s+(?P<name>\S+)\s+\[(?P<module>[^\]]+)\]:\s+"
    r"(?:(?P<bytes>\d+)|Dynamic\b.*)\s*\Z"
)
_SU = re.compile(r"(?P<file>[^:\t]+):\d+:\d+:(?P<name>[^\t]+)\t(?P<bytes>\d+)\t(?P<how>[\w,]+)\Z")


@dataclass(frozen=True)
class ListedFrame:
    """One line of a list.

    Attributes
    ----------
    name : str
    where : str
        Module of a checkstack list (``vmlinux``, ``xfs``), source file of gcc's.
    bytes : int or None
        checkstack counts the largest ``sub $N,%rsp`` only: pushes and the return address come on
        top. None: a frame whose size varies.
    how : str
        gcc's word (``static``, ``dynamic,bounded``); ``checkstack``.
    """

    name: str
    where: str
    bytes: int | None
    how: str


def checkstack_line(line: str) -> ListedFrame | None:
    """A line of checkstack.pl's list; None: it is not one."""
    match = _CHECKSTACK.match(line)
    if match is None:
        return None
    size = match["bytes"]
    return ListedFrame(
        match["name"], match["module"], None if size is None else int(size), "checkstack"
    )


def usage_line(line: str) -> ListedFrame | None:
    """A line of a ``.su`` file; None: it is not one."""
    match = _SU.match(line)
    return match and ListedFrame(match["name"], match["file"], int(match["bytes"]), match["how"])


def looks_like_checkstack(text: str) -> bool:
    """Whether the first line that is neither empty nor a comment is one of checkstack.pl."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    first = next(lines, "")
    return checkstack_line(first) is not None
