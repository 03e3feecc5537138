"""Control flow that no instruction shows: exception tables and static keys.

``__ex_table`` sends a faulting instruction to its fixup; ``__jump_table`` turns a nop into a jump
at run time. Both are edges at the depth of the instruction itself.
"""

import numpy as np
import numpy.typing as npt

from blockstack.kernel.extract.image import Image, Section

Pairs = npt.NDArray[np.int64]
#: how far from a static key its code lies
_REACH = 1 << 16


def edges_of(image: Image) -> Pairs:
    """(from, to) addresses of both tables, sorted; empty where there is none."""
    both = np.concatenate([_exceptions(image), _static_keys(image)])
    return both[np.argsort(both[:, 0], kind="stable")]


def _exceptions(image: Image) -> Pairs:
    """Two or three 32-bit offsets from their own place (3.5, 4.6 on), or two addresses."""
    addr, data = image.table("__ex_table")
    # instruction, fixup, handler or type; before 4.6 there was no third word
    tried = [_relative(data, addr, words) for words in (3, 2)]
    tried.append(_absolute(data, image.pointer_bytes, 2))
    return max(tried, key=lambda pairs: _plausible(image, pairs))


def _static_keys(image: Image) -> Pairs:
    """Two 32-bit offsets and a pointer (4.19 on), or three addresses."""
    addr, data = image.table("__jump_table")
    if not data:
        return _search(image)
    words = 4 if image.pointer_bytes == 8 else 3
    tried = [_relative(data, addr, words), _absolute(data, image.pointer_bytes, 3)]
    return max(tried, key=lambda pairs: _plausible(image, pairs))


def _search(image: Image) -> Pairs:
    """Static keys of a linked kernel that does not say where its table is.

    Every pair of 32-bit offsets whose first leads to a nop or jump of the length that a static
    key is patched with, and whose second leads to code near by.
    """
    if image.relocatable:
        return np.empty((0, 2), np.int64)
    found = [
        _keys_in(image, s, text)
        for s in image.sections
        if not s.code
        for text in image.sections
        if text.code and len(text.data) > 1 << 16
    ]
    return np.concatenate([np.empty((0, 2), np.int64), *found])


def _keys_in(image: Image, section: Section, text: Section) -> Pairs:
    words = np.frombuffer(section.data, "<i4", len(section.data) // 4).astype(np.int64)
    wrap = 0xFFFFFFFF if image.pointer_bytes == 4 else -1
    place = np.int64(section.addr - text.addr) + 4 * np.arange(len(words), dtype=np.int64)
    ends = (words + place) & wrap if wrap > 0 else words + place
    code, target = ends[:-1], ends[1:]
    size = len(text.data) - 5
    near = (
        (code >= 0)
        & (code < size)
        & (target >= 0)
        & (target < size)
        & (np.abs(target - code) < _REACH)
    )
    code, target = code[near], target[near]
    raw = np.frombuffer(text.data, np.uint8)
    first, second = raw[code], raw[code + 1]
    patched = (
        ((first == 0x0F) & (second == 0x1F))
        | ((first == 0x66) & (second == 0x90))
        | (first == 0xE9)
        | (first == 0xEB)
        | ((first == 0x3E) & (second == 0x8D))
    )
    base = np.uint64(text.addr).view(np.int64)
    return np.stack([code[patched] + base, target[patched] + base], axis=1)


def _relative(data: bytes, addr: int, words: int) -> Pairs:
    count = len(data) // (4 * words)
    rows = np.frombuffer(data, "<i4", count * words).reshape(-1, words)[:, :2].astype(np.int64)
    base = addr - 2**64 if addr >= 2**63 else addr
    place = base + 4 * words * np.arange(count, dtype=np.int64)
    return np.asarray(rows + place[:, None] + np.array([0, 4]), np.int64)


def _absolute(data: bytes, pointer_bytes: int, words: int) -> Pairs:
    count = len(data) // (pointer_bytes * words)
    rows = np.frombuffer(data, f"<i{pointer_bytes}", count * words).reshape(-1, words)
    rows = rows[:, :2].astype(np.int64)
    return rows & 0xFFFFFFFF if pointer_bytes == 4 else rows


def _plausible(image: Image, pairs: Pairs) -> float:
    """The share of rows whose both ends lie in code."""
    if not len(pairs):
        return -1.0
    code = [(s.addr, s.addr + len(s.data)) for s in image.sections if s.code]
    values = pairs.view(np.uint64)
    inside = np.zeros(values.shape, bool)
    for start, end in code:
        inside |= (values >= np.uint64(start)) & (values < np.uint64(end))
    # a wrong layout hits code by chance; longer rows win a draw
    return float(inside.all(axis=1).mean()) if len(pairs) else -1.0


def jump_table(image: Image, addr: int, low: int, high: int) -> list[int]:
    """Entries of an absolute jump table, as long as they point into [low, high)."""
    word = image.pointer_bytes
    targets: list[int] = []
    raw = image.read(addr, 4096 * word)
    for at in range(0, len(raw) - word + 1, word):
        target = int.from_bytes(raw[at : at + word], "little")
        if not low <= target < high:
            break
        targets.append(target)
    return targets
