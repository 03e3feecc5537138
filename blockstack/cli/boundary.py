"""Where every error of the command line ends: one line, what to do, and a status of one meaning."""

import errno
import json
import os
import platform
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.text import Text

from blockstack.base.errors import BlockstackError, LimitExceeded
from blockstack.cli.terminal import say
from blockstack.version import __version__

#: 0 fits; 1 the asked limit is passed: stack, load or budget; 70 is sysexits.h EX_SOFTWARE
FITS, OVERFLOWS, BAD_INPUT, CANNOT_TELL, BUG, INTERRUPTED = 0, 1, 2, 3, 70, 130
_PACKAGE = Path(__file__).parents[1]
_HINTS = {
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "free some space, or write elsewhere",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), or write elsewhere",
    errno.EACCES: "run as a user who may, or name another file",
    errno.EPERM: "run as a user who may, or name another file",
    errno.EROFS: "write elsewhere",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}
_FRAMES = 4  # of ours, in the report of a bug


def as_ours(error: BaseException) -> BlockstackError | None:
    """An error that the user or the system can mend, in the house's form; None: a bug of ours."""
    if isinstance(error, BlockstackError):
        return error
    if isinstance(error, MemoryError):
        return LimitExceeded(
            "there is not enough of it" + (f": {error}" if str(error) else ""),
            path="memory",
            hint="ask for less: fewer or smaller bios, a smaller stack",
        )
    if isinstance(error, UnicodeDecodeError):
        return BlockstackError(
            f"is no text in {error.encoding}, at byte {error.start:,}",
            path="input",
            value=error.object[error.start : error.start + 8],
            hint="give the file as it was written",
        )
    if isinstance(error, UnicodeEncodeError):
        return BlockstackError(
            f"has no {error.encoding} for a character",
            path="output",
            value=error.object[error.start : error.start + 1],
            hint="set PYTHONUTF8=1",
        )
    if isinstance(error, OSError):
        name = error.filename
        return BlockstackError(
            (error.strerror or str(error) or type(error).__name__).lower(),
            path=os.fsdecode(name) if isinstance(name, str | bytes) else "output or input",
            hint=_HINTS.get(error.errno or 0, "see that it is there and may be used"),
        )
    return None


def refuse(error: BlockstackError, as_json: bool = False) -> None:
    """Say what is wrong: one line on standard error, and as JSON on standard output."""
    if as_json:
        told = {"message": error.message, "path": error.path, "hint": error.hint}
        print(json.dumps({"error": told}))
    with suppress(OSError):  # a full device under standard error: the status still tells
        say(Text.assemble(("error: ", "bold red"), str(error)))


def status_of(error: BaseException, debug: bool = False) -> int:
    """What an error ends with, once it is told.

    Parameters
    ----------
    error : BaseException
    debug : bool
        The traceback, too.
    """
    if debug:
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        say(Text("interrupted"))
        return INTERRUPTED
    ours = as_ours(error)
    if ours is not None:
        refuse(ours)
        return BAD_INPUT
    with suppress(OSError):
        for line in bug_report(error):
            say(Text(line))
    return BUG


def bug_report(error: BaseException) -> list[str]:
    """What can be pasted into a report: versions and places, no names or data but the error's."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    return [
        f"error: a bug of blockstack: {traceback.format_exception_only(error)[-1].strip()}",
        f"  blockstack {__version__}, Python {platform.python_version()}, {platform.platform()}",
        *(
            f"  {Path(f.filename).relative_to(_PACKAGE.parent)}:{f.lineno} in {f.name}"
            for f in ours[-_FRAMES:]
        ),
        "  no verdict was reached; report these lines with the command, and the input if you may "
        "(--debug: the whole traceback)",
    ]


def exit_status(call: Callable[[], object]) -> int:
    """The status of a call that ends as a program does, once all it wrote has gone out."""
    try:
        call()
        status = FITS
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else FITS if end.code is None else BAD_INPUT
    except KeyboardInterrupt as error:
        status = status_of(error)
    if sys.stdout is None:  # closed by who started us
        return status
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if status != BAD_INPUT:  # else it was told when the first of it did not go out
            return status_of(error)
    return status
