"""Files are written whole or not at all: what interrupts a write leaves the old one."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: str | Path) -> Iterator[BinaryIO]:
    """A stream whose bytes become the file when the block ends, all of them or none.

    They go to a file beside it, reach the disk, and take the name in one step; of two writers the
    last one's file stands. A link keeps pointing where it does, a file keeps its mode. What is no
    regular file (a pipe, a device) is written as it is.

    Raises
    ------
    OSError
        With the name of the file that was asked for.
    """
    given = Path(path)
    try:
        target = Path(os.path.realpath(given))
        old = target.stat() if target.exists() else None
        if old is not None and not stat.S_ISREG(old.st_mode):
            with given.open("wb") as stream:
                yield stream
            return
        with _beside(target, old) as stream:
            yield stream
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(given)) from error


@contextmanager
def _beside(target: Path, old: os.stat_result | None) -> Iterator[BinaryIO]:
    new = target.with_name(f".blockstack-{secrets.token_hex(8)}")
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(number, "wb") as stream:
            if old is not None:
                os.fchmod(number, stat.S_IMODE(old.st_mode))
            yield stream
            stream.flush()
            os.fsync(number)
        new.replace(target)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """The name, too, is on the disk; where a file system cannot, the file itself still is."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def write_text(path: str | Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all; lines end as they are."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write bytes, whole or not at all."""
    with written_whole(path) as stream:
        stream.write(data)
