"""Lines of kernel logs as people paste them: prefixes off, and what they state beside an oops."""

import re
from dataclasses import dataclass, replace
from typing import Any

_PREFIXES = tuple(
    re.compile(p)
    for p in (
        r"\s{0,3}(?:\w{0,3}[>|]\s?)+",  # quoted mail
        r"[A-Z][a-z]{2}\s+\d+\s\d\d:\d\d:\d\d\s\S+\skernel:\s?",  # syslog
        r"\d{4}-\d\d-\d\dT\S+\s(?:\S+\s)?kernel:\s?",  # journalctl -o short-iso
        r"<\d+>",  # log level
        r"\[\s*\d+\.\d{3,6}\](?:\[\s*[TC]\d+\])?",  # dmesg, with thread or CPU
        r"kernel:\s",
    )
)
_ARCH = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "i386": "i386",
    "i486": "i386",
    "i586": "i386",
    "i686": "i386",
}
_STATED = {
    "thread_size_bytes": re.compile(r"THREAD_SIZE[:=\s]+(?P<n>\d{4,6})\b"),
    "bytes_left": re.compile(
        r"\A\s*#?\s*reported_bytes_left:\s*(?P<n>\d+)"
        r"|\A\s*do_IRQ: (?:\w+ )?stack overflow: (?P<m>\d+)"
        r"|used greatest stack depth: (?P<k>\d+) bytes left"
    ),
    "kernel": re.compile(
        r"\A\s*#\s*kernel:\s*(?P<t>\S.*?)\s*(?:\s{3,}|\Z)"
        r"|(?:Not tainted|Tainted: [A-Z ]+)\s+\(?(?P<u>\d+\.\d+[\w.+-]*)"
        r"|Linux version (?P<v>\S+)"
    ),
    "arch": re.compile(r"\barch:\s*(?P<t>[\w-]+)"),
    "title": re.compile(
        r"\A\s*#\s*(?:stack|title):\s*(?P<t>\S.*?)\s*\Z"
        r"|\A\s*(?P<u>(?:BUG|kernel BUG|PANIC|Oops|WARNING|do_IRQ)[: ].*?)\s*\Z"
    ),
}


@dataclass(frozen=True)
class Stated:
    """What a text says about the oops that follows.

    Attributes
    ----------
    kernel, title : str
    arch : str
        ``x86_64``, ``i386``, or the text's own word for another one.
    thread_size_bytes, bytes_left : int or None
    """

    kernel: str = ""
    arch: str = ""
    title: str = ""
    thread_size_bytes: int | None = None
    bytes_left: int | None = None

    def outlasting(self) -> "Stated":
        """What also holds for the next oops of the same text."""
        return replace(self, title="", bytes_left=None)


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


def stated_by(before: Stated, line: str) -> Stated:
    """``before``, with what this line says."""
    found = before
    for name, pattern in _STATED.items():
        match = pattern.search(line)
        text = next((g for g in match.groups() if g is not None), None) if match else None
        if text is None:
            continue
        value: Any = (
            int(text)
            if name in ("thread_size_bytes", "bytes_left")
            else (_ARCH.get(text, text) if name == "arch" else text)
        )
        found = replace(found, **{name: value})
    return found
