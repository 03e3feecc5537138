"""fio's iolog, versions 2 (waits) and 3 (time stamps).

fio's iolog.c: version 3 writes ``utime_since_now()``, microseconds, before every action; version 2
has ``wait`` with microseconds in the place of the offset. Offsets and lengths are bytes.
"""

from blockstack.base.units import SECTOR_BYTES
from blockstack.loads.traces.reading import Reading, Row, RowReader, TraceError, whole
from blockstack.workload.trace import DISCARD, FLUSH, READ, WRITE

_OPS = {"read": READ, "write": WRITE, "trim": DISCARD, "sync": FLUSH, "datasync": FLUSH}
_FILES = ("add", "open", "close")


def rows(reading: Reading) -> RowReader:
    """``150 /dev/sda read 122880 4096``, without the time in version 2."""
    version = clock_us = 0

    def row(line: str) -> Row | str:
        nonlocal version, clock_us
        if not version:
            version = _version(line)
            if version == 2:
                reading.notes.append("version 2 has no time stamps: its waits are added up")
            return ""
        words = line.split()
        if version == 3:
            clock_us = whole(words.pop(0))
        name, action, *figures = words
        if action in _FILES and not figures:
            return ""
        if action == "wait" and figures:
            clock_us += whole(figures[0]) if version == 2 else 0
            return ""
        if action not in _OPS:
            raise ValueError("unknown action; known: " + ", ".join((*_OPS, "wait", *_FILES)))
        if _OPS[action] == FLUSH:
            return Row(clock_us * 1000, name, FLUSH, 0, 0)
        offset, length = figures
        return Row(clock_us * 1000, name, _OPS[action], whole(offset), whole(length))

    return row


def _version(line: str) -> int:
    for version in (2, 3):
        if line == f"fio version {version} iolog":
            return version
    raise TraceError(
        "not an iolog of version 2 or 3",
        path="line 1",
        value=line[:100],
        hint='its first line is "fio version 3 iolog"',
    )


class Writer:
    """Version 3; a file is added and opened where it is first used."""

    header = "fio version 3 iolog"

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, time_ns: int, device: str, op: int, sector: int, nr_sectors: int) -> str:
        """The line, or lines, of one bio."""
        time, name = time_ns // 1000, "_".join(device.split()) or "unnamed"
        before = "" if name in self._seen else f"{time} {name} add\n{time} {name} open\n"
        self._seen.add(name)
        if op == FLUSH:
            return f"{before}{time} {name} sync 0 0"
        word = {READ: "read", DISCARD: "trim"}.get(op, "write")
        return f"{before}{time} {name} {word} {sector * SECTOR_BYTES} {nr_sectors * SECTOR_BYTES}"
