"""Shell command lines, taken apart: simple commands, options and their values. Nothing is run."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SEPARATORS = frozenset(("|", "||", "&&", ";", "&"))
_REDIRECTIONS = frozenset((">", ">>", "<", ">&", "<<<"))


@dataclass(frozen=True)
class Simple:
    """One simple command.

    Attributes
    ----------
    tool : str
        Its name without folders: ``mkfs.ext4``.
    words : tuple of str
        Everything after it.
    text_in : str
        What a pipe or a here-string gives it, where that is text of an ``echo`` or ``printf``.
    writes_to : str
        File that its output goes to.
    """

    tool: str
    words: tuple[str, ...]
    text_in: str = ""
    writes_to: str = ""


def simple_commands(line: str) -> Iterator[Simple]:
    """The simple commands of a line, in order; ``echo`` and ``printf`` into a pipe are its text.

    Raises
    ------
    ValueError
        Quotes that do not close.
    """
    text = ""
    for words, after in _parts(line):
        command = _simple(words, text)
        text = ""
        if command is None:
            continue
        if command.tool in ("echo", "printf") and after == "|":
            text = printed(command)
        else:
            yield command


def _parts(line: str) -> Iterator[tuple[list[str], str]]:
    """Words up to each separator, and the separator."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for token in lexer:
        if token in _SEPARATORS:
            yield words, token
            words = []
        else:
            words.append(token)
    yield words, ""


def _simple(words: Sequence[str], text: str) -> Simple | None:
    kept: list[str] = []
    target = ""
    rest = iter(words)
    for word in rest:
        if word in _REDIRECTIONS:
            other = next(rest, "")
            if kept and kept[-1] in ("1", "2"):
                number = kept.pop()
                target = target if number == "2" else other
            elif word == "<<<":
                text = other
            elif word in (">", ">>"):
                target = other
        else:
            kept.append(word)
    while kept and ("=" in kept[0].partition("/")[0] or kept[0] in ("sudo", "env", "nice")):
        kept.pop(0)  # X=1 command, sudo command
    return Simple(Path(kept[0]).name, tuple(kept[1:]), text, target) if kept else None


def printed(command: Simple) -> str:
    """What an ``echo`` or ``printf`` prints."""
    words = list(command.words)
    escapes = command.tool == "printf"
    while words and words[0] in ("-e", "-n", "-en", "-ne"):
        escapes = escapes or "e" in words.pop(0)
    text = " ".join(words)
    return text.replace("\\n", "\n").replace("\\t", "\t") if escapes else text


@dataclass(frozen=True)
class Options:
    """Options with their values (empty: a flag), and the other words."""

    pairs: tuple[tuple[str, str], ...]
    words: tuple[str, ...]

    def __contains__(self, names: object) -> bool:
        return any(name == names for name, _ in self.pairs)

    def has(self, *names: str) -> bool:
        """Whether any of these options is given."""
        return any(name in names for name, _ in self.pairs)

    def all(self, *names: str) -> tuple[str, ...]:
        """The values of these options, in order."""
        return tuple(value for name, value in self.pairs if name in names)

    def get(self, *names: str, default: str = "") -> str:
        """The last value of these options."""
        return (self.all(*names) or (default,))[-1]

    def listed(self, *names: str) -> tuple[str, ...]:
        """The values of these options, taken apart at commas (``-o a,b -o c``)."""
        return tuple(word for value in self.all(*names) for word in value.split(",") if word)


def options(words: Sequence[str], valued: Iterable[str]) -> Options:
    """Take the options out of a command's words.

    Parameters
    ----------
    valued : iterable of str
        Options that are followed by a value: ``-d``, ``--profile``. A long option may carry it
        after ``=``, a short one in the same word.
    """
    known = frozenset(valued)
    pairs: list[tuple[str, str]] = []
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            others += rest
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            pairs.append((name, value if equals else next(rest, "") if name in known else ""))
        elif word.startswith("-") and len(word) > 1:
            pairs += _short(word, known, rest)
        else:
            others.append(word)
    return Options(tuple(pairs), tuple(others))


def _short(word: str, known: frozenset[str], rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """``-qf``, ``-t ext4``, ``-text4``."""
    if word in known:  # also options of several letters with one dash
        yield word, next(rest, "")
        return
    for i, letter in enumerate(word[1:], start=2):
        name = "-" + letter
        if name in known:
            yield name, word[i:] or next(rest, "")
            return
        yield name, ""
