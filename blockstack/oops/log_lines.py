"""Lines of kernel logs as people paste them: records of journald and docker, prefixes off.

Prefixes that log daemons, consoles and mail programs write are known. Any other one is learned:
three lines in a row that differ in digits only before a row of a stack share a prefix.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?"
#: a host's name, where no word of a report's own stands there
_HOST = (
    r"(?:(?!(?:Call|Modules|Stack|Process|[Kk]ernel|Code|Task|IRQ|Overflow|Thread|Insufficient|"
    r"Internal|Unable|Corrupt|Oops|Backtrace|PC|LR|EIP|Krnl|Returning)\b|0x|[0-9a-f]{8,16}\s)\w[\w.-]*\s(?!\s*:|\([\w./+-]+:\d))?"
)
_PREFIXES = tuple(
    re.compile(p)
    for p in (
        r"\s{0,3}(?:\w{0,3}[>|]\s?)+",  # quoted mail
        # syslog, rsyslog's and the BSDs' with a year, with or without host and tag
        r"[A-Z][a-z]{2}\s+\d+\s(?:\d{4}\s)?\d\d:\d\d:\d\d(?:\.\d+)?\s" + _HOST,
        r"(?:\d\s)?" + _DATE + r"\s" + _HOST,  # journalctl -o short-iso, RFC 5424
        r"\[" + _DATE + r"\]\s?",
        r"[\w./-]{0,24}\[\d+\]:\s",  # a tag with a process: klogd[123]:
        r"(?:kernel|klogd|vmunix|journal|dmesg|console|netconsole):\s?",
        r"kernel\s(?:-\s){1,3}",  # RFC 5424: tag, process, message id, structured data
        r"<\d{1,3}>(?:1\s)?",  # log level
        r"\d+,\d+,\d+,[^;\s]{1,24};",  # /dev/kmsg
        r"\w+\s*:\s?(?:emerg|alert|crit|err|warn|notice|info|debug)\s*:\s",  # dmesg --decode
        # dmesg; with thread or CPU; with a date (-T)
        r"\[\s*\d+\.\d{3,9}\](?:\s?\[\s*[TC]\d+\])*",
        r"\[[A-Z][a-z]{2}\s[A-Z][a-z]{2}\s+\d+\s\d\d:\d\d:\d\d\s\d{4}\]",
        r"\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?\s",
        r"\d\d-\d\d\s\d\d:\d\d:\d\d\.\d+\s+(?:\d+\s+\d+\s+)?[VDIWEF](?:/|\s+)\w+\s*"
        r"(?:\(\s*\d+\))?:\s",  # logcat
        r"[\w.-]{1,40}\s+\|\s",  # docker compose
    )
)
#: keys that log daemons keep a line's text under: journald, docker, test runners
_TEXT_KEYS = ("MESSAGE", "msg", "message", "log")
_FIELD = re.compile(r"\s*MESSAGE=(?P<text>.*)")  # journalctl -o export, -o verbose
#: what stands before a place and is no prefix: a register, a held lock
_LABEL = re.compile(
    r"(?i)\b(?:[re]?ip|pc|lr|nip|epc|era|ra|sp|psw|tpc|at|in|from|to|r\d+|#\d+)\b\s*(?:is\s*)?:?"
    r"[\s\d:(\[<{a-f]*\Z"
)
_WORDS = re.compile(r"(?<=[\s:|\]>;])(?=\S)")
_SHAPE = re.compile(r"\d+|\s+")
_ALIKE = 3  # lines in a row
_MOST_WORDS = 16


def bare(line: str) -> str:
    """A line without the prefixes of mails and logs; a row's own brackets stay."""
    line = line.rstrip()
    before = None
    while before != line:
        before = line
        for prefix in _PREFIXES:
            match = prefix.match(line)
            if match is not None and match.end():
                line = line[match.end() :]
    return line


def messages(text: str, is_row: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """Line numbers and lines of a log, without records, fields and prefixes.

    Parameters
    ----------
    text : str
    is_row : callable
        Whether a line that starts there is a row of a stack, so that what precedes it elsewhere
        can be told for a prefix.
    """
    lines = [(number, bare(line)) for number, line in _texts(text)]
    learned = _learned([line for _, line in lines], is_row)
    for number, line in lines:
        match = next((m for prefix in learned if (m := prefix.match(line))), None)
        yield number, line if match is None else bare(line[match.end() :])


def _texts(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; a record of JSON or a field gives its message's lines."""
    lines = text.splitlines()
    records = _records(text)
    if records:
        for number, message in records:
            for line in message.splitlines():
                yield number, line
        return
    fields = [(n, m["text"]) for n, line in enumerate(lines, 1) if (m := _FIELD.match(line))]
    yield from fields or enumerate(lines, 1)


def _records(text: str) -> list[tuple[int, str]]:
    """Messages of a text that is JSON from its start: one object per line, pretty, or a list."""
    found: list[tuple[int, str]] = []
    at, decoder = 0, json.JSONDecoder()
    while True:
        start = re.compile(r"[\s\x1e,\[\]-]*").match(text, at)
        at = start.end() if start else at
        if at >= len(text) or text[at] != "{":
            break
        try:
            record, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        number = text.count("\n", 0, at) + 1
        found += [(number, message)] if (message := _message(record)) is not None else []
        at = end
    return found


def _message(record: Any) -> str | None:
    """The text of one record; journald writes bytes that are no UTF-8 as a list of numbers."""
    value = next((record[key] for key in _TEXT_KEYS if key in record), None)
    if isinstance(value, list) and all(isinstance(n, int) and 0 <= n < 256 for n in value):
        return bytes(value).decode(errors="replace")
    return value if isinstance(value, str) else None


def _learned(lines: Sequence[str], is_row: Callable[[str], bool]) -> list[re.Pattern[str]]:
    """Prefixes that stand before rows of at least three lines in a row, and differ in digits."""
    found: dict[str, re.Pattern[str]] = {}
    last, times = "", 0
    for line in lines:
        prefix = _before_row(line, is_row)
        shape = _shape(prefix)
        times = times + 1 if shape and shape == last else int(bool(shape))
        last = shape
        if times >= _ALIKE and shape not in found:
            found[shape] = re.compile(shape)
    return list(found.values())


def _before_row(line: str, is_row: Callable[[str], bool]) -> str:
    """What stands before a row; empty where the line is a row, or holds none."""
    if len(line) > 400 or not line.strip() or is_row(line):
        return ""
    for match in list(_WORDS.finditer(line))[:_MOST_WORDS]:
        prefix = line[: match.start()]
        if is_row(line[match.start() :]):
            return "" if _LABEL.search(prefix) else prefix.rstrip()
    return ""


def _shape(prefix: str) -> str:
    """A pattern for prefixes that differ in digits and blanks."""
    parts, at = [], 0
    for match in _SHAPE.finditer(prefix):
        parts += [re.escape(prefix[at : match.start()]), r"\d+" if match[0].isdigit() else r"\s+"]
        at = match.end()
    return "".join(parts) + re.escape(prefix[at:]) if prefix else ""
