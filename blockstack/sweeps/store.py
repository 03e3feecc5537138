"""Finished points on disk, by what they were made from: a killed sweep loses none."""

import hashlib
import json
import sqlite3
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import TracebackType
from typing import Any

from blockstack.base.errors import BlockstackError

#: a second process that writes the same file waits so long
_WAIT_S = 60.0
_TABLE = "create table if not exists point (digest text primary key, row text, error text)"


class StoreError(BlockstackError):
    """A cache that cannot be read or written."""


class Store:
    """Rows by digest. Every one is in the file before the next is asked for.

    A point that failed is kept for the run that saw it, and tried again by the next.
    """

    def __init__(self, path: str | Path) -> None:
        """``path`` empty: a file of its own that goes when the store is closed."""
        self._path = str(path)
        try:
            if self._path:
                Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=normal")
            self._db.execute(_TABLE)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"cannot be used: {error}", path=self._path, hint="--cache FILE, or --no-cache"
            ) from error

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def finished(self, digest: str) -> bool:
        """The point is there and did not fail."""
        sql = "select 1 from point where digest = ? and error = ''"
        return self._db.execute(sql, (digest,)).fetchone() is not None

    def put(self, digest: str, row: dict[str, Any], error: str = "") -> None:
        """Keep a point."""
        try:
            self._db.execute(
                "insert or replace into point values (?, ?, ?)", (digest, json.dumps(row), error)
            )
        except sqlite3.Error as fault:
            raise StoreError(f"cannot be written: {fault}", path=self._path) from fault

    def get(self, digest: str) -> tuple[dict[str, Any], str] | None:
        """A point's row and error; None: it is not there."""
        found = self._db.execute("select row, error from point where digest = ?", (digest,))
        one = found.fetchone()
        return None if one is None else (json.loads(one[0]), one[1])


def digest_of(parts: object) -> str:
    """A name for what JSON says; the order of keys does not matter."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_digest() -> str:
    """Of the package's files: another blockstack computes every point anew."""
    found = hashlib.sha256()
    todo: list[Traversable] = [resources.files("blockstack")]
    while todo:
        for one in sorted(todo.pop().iterdir(), key=lambda file: file.name):
            if one.is_dir() and one.name != "__pycache__":
                todo.append(one)
            elif one.is_file():
                found.update(one.name.encode() + hashlib.sha256(one.read_bytes()).digest())
    return found.hexdigest()
