"""Forms of a stack's row: kernels of every architecture, debuggers, tracers, decoders.

A row is a head (addresses, stack pointer, marks), a symbol, and a tail (module, source line,
remarks). Each tool has a head of its own; the tails are the same few words in any order.
"""

import re
from dataclasses import dataclass

_HEX = r"[0-9a-fA-F]"
_ADDRESS = rf"(?:0x)?{_HEX}{{8,16}}"
_NAME = r"\.?(?P<name>[A-Za-z_$][\w.$]*)"  # ppc64 puts a dot before the entry point's name
_OFFSET = r"\+(?P<offset>0x[0-9a-fA-F]+|\d+)(?:/(?:0x[0-9a-fA-F]+|\d+))?"
_PLACE = _NAME + _OFFSET
_TAIL = r"(?P<tail>.*)\Z"
_LISTED = r"\.(?:[chSs]|rs|cc|cpp|inc|y|l)"
_LINE = rf"[\w./@+-]+{_LISTED}:(?:\d+|\?)(?::\d+)?"

_FORMS = tuple(
    re.compile(p)
    for p in (
        # crash: " #3 [ffffc900011bc2f0] blk_mq_get_tag at ffffffff8169ff55 [module]"
        rf"\s*#\s*\d+\s+\[(?P<sp>{_ADDRESS})\]\s+{_NAME}(?:{_OFFSET})?\s+at\s+"
        rf"(?P<address>{_ADDRESS}){_TAIL}",
        # powerpc, xmon: "[c00000003c987ab0] [c008000026e90ad4] f+0x9c/0x150 [module]"
        rf"\s*\[(?P<sp>{_ADDRESS})\]\s+\[?(?P<address>{_ADDRESS}|link register\s*)\]?\s+"
        rf"{_PLACE}{_TAIL}",
        # kdb: "0xf7487d74 0xc0211517 f+0x147 (0x1, 0x2)"
        rf"\s*0x(?P<sp>{_HEX}{{8,16}})\s+0x(?P<address>{_HEX}{{8,16}})\s+{_NAME}(?:{_OFFSET})?"
        rf"(?P<tail>(?:\s.*)?)\Z",
        # ksymoops: "Trace; c0141234 <[ext3]f+6f/f0>", ">>EIP; c0112345 <f+12/34>   <====="
        rf"\s*(?:Trace|(?:>>)?[RE]?IP);\s+(?P<address>{_ADDRESS})\s+<(?:\[(?P<module>[\w-]+)\])?"
        rf"{_NAME}\+(?P<hex>{_HEX}+)(?:/{_HEX}+)?>(?P<tail>.*)\Z",
        # systemtap: " 0xffffffff812e6660 : f+0x70/0xc0 [kernel]"
        rf"\s*(?:Returning (?:from|to)\s*:\s*)?(?P<address>0x{_HEX}{{8,16}})\s+:\s+{_PLACE}{_TAIL}",
        # drgn, gdb: "#1  __schedule (kernel/sched/core.c:5940:8)", "#2 0xffff in f (x=1) at a.c:2"
        r"\s*#\d+\s+(?:at\s+)?(?:(?P<address>0x[0-9a-f]+)\s+)?(?:in\s+)?"
        rf"\(?{_NAME}(?:{_OFFSET})?\)?(?P<tail>\s*\(.*|\s+(?:in|at)\s.*)\Z",
        rf"\s*#\d+\s+(?:(?P<address>0x[0-9a-f]+)\s+(?:in\s+)?)?{_PLACE}{_TAIL}",
        # perf, bpftrace -p: "  ffffffff812e6660 f+0x17f ([kernel.kallsyms])"
        rf"\s*(?P<address>{_HEX}{{8,16}})\s+{_NAME}(?:{_OFFSET})?(?P<tail>\s+\(.*)\Z",
        rf"\s*(?P<address>{_HEX}{{8,16}})\s+{_PLACE}{_TAIL}",
        # ftrace's stacktrace: " => f", " => f <ffffffff812e6660>", " => f+0x1/0x2"
        rf"\s*=>\s+{_NAME}(?:{_OFFSET})?(?:\s*[<(](?P<address>{_ADDRESS})[>)])?{_TAIL}",
        # sparc64: "Caller[00000000007e2a34]: f+0x14/0x28"
        rf"\s*Caller\[(?P<address>{_HEX}{{8,16}})\]:\s+{_PLACE}{_TAIL}",
        # klogd -x beside the kernel's own: " [f+92/128] f+0x5c/0x80"
        rf"\s*\[[\w:.$<>/-]+\+\d+/\d+\]\s+{_PLACE}{_TAIL}",
        # inlined functions of early syzkaller reports: "[<     inline     >] f file.c:12"
        rf"\s*\[<\s*(?P<inline>inline)\s*>\]\s+{_NAME}{_TAIL}",
        # s390: "([<0000000000241074>] f+0xf0/0x21c)", "[<...>] 0x12(f)"
        rf"\s*\(\[<(?P<address>{_HEX}+)>\]\s+{_PLACE}\)?{_TAIL}",
        # arm: "[<c0561234>] (f) from [<c0562345>] (g+0x40/0x90)", " f from g+0x10/0x14"
        rf"\s*\[<(?P<address>{_HEX}+)>\]\s+\({_NAME}\)(?P<tail>\s+from\s.*)\Z",
        rf"\s*{_NAME}(?:{_OFFSET})?(?P<tail>\s+from\s+\S+\+0x{_HEX}+.*)\Z",
        # oops of any architecture: an address in brackets (2.6), "?" for a stale one, the place
        rf"\s*(?:[\[(<{{]+(?P<address>(?:0x)?{_HEX}{{1,16}})[\])>}}]+\s*)?(?P<stale>\?\s*)?"
        rf"(?:[({{])?(?::(?P<module>[\w-]+):)?{_PLACE}(?:[)}}](?!\S))?{_TAIL}",
        # decode_stacktrace.sh and syzbot: no offset, but a source line
        rf"\s*(?:\[<(?P<address>{_HEX}+)>\]\s*)?(?P<stale>\?\s*)?(?!(?:at|in)\s)"
        rf"{_NAME}(?P<tail>\s+\(?{_LINE}.*)\Z",
    )
)
#: one of several rows of a line: "[<c0113e60>] [f+13/400]", "<ffffffff8010e5c2>{:ext3:f+126}"
_SEVERAL = re.compile(
    rf"\s*(?:\[<(?P<address>{_HEX}{{8,16}})>\]\s*|<(?P<bracket>{_HEX}{{8,16}})>\s*)?"
    rf"(?:\[(?:(?P<part>[\w-]+):)?{_NAME}\+\d+/\d+\]"
    rf"|\{{(?::(?P<module>[\w-]+):)?(?P<braced>[A-Za-z_$][\w.$]*)\+\d+\}})"
)
_UNNAMED = re.compile(
    rf"\s*(?:\[<(?P<a>{_HEX}{{8,16}})>\]\s*(?:0x{_HEX}+(?:/0x{_HEX}+)?)?"
    rf"|(?:=>\s+)?(?P<stale>\?\s*)?0x(?P<b>{_HEX}{{8,16}})(?:/0x{_HEX}+)?)"
)
#: words that may follow a symbol, in any order
_WORDS = re.compile(
    r"\s*(?:"
    r"(?P<inline>\[inline\]|\(inlined\))"
    r"|(?P<unsure>\(inexact\))"
    r"|\[(?P<module>[\w-]+)(?:[\s(][^\]]*)?\](?:\([A-Z+-]*\))?"
    r"|\((?:[A-Z]{1,4}|unreliable|discriminator\s\d+|interpreter|active)\)"
    r"|\(\[(?P<dso>[\w.-]+)\](?:\.[\w.]+)?\)"
    r"|[(\[](?P<file>/[^)\]]*)[)\]]"
    r"|(?:at|in)\s+(?:\S+\s+at\s+)?" + _LINE + r"|(?P<at>at\s+)" + _ADDRESS + r"\b"
    rf"|(?P<source>\(\s*{_LINE}(?:[^()]|\([^()]*\))*\))"
    rf"|{_LINE}"
    r"|from\s.*"
    r"|\((?:[\w@.>-]+=)+[^()]*\)"
    r"|\((?:0x[0-9a-fA-F]+|<optimized out>|\?)(?:[^()]|\([^()]*\))*\)"
    r"|\(\)"
    r"|<=+|[)}]"
    r")(?!\w)"
)
_AFTER_SOURCE = re.compile(r"\s+(?P<module>[\w-]+)(?:\([A-Z+-]*\))?\s*\Z")
#: names that tools give to the kernel itself
_KERNEL = ("kernel", "vmlinux", "unknown", "guest")
_MODULE_FILE = re.compile(r"(?P<module>[^/]+)\.ko(?:\.\w+)?\Z")


@dataclass(frozen=True)
class Place:
    """What one row says.

    Attributes
    ----------
    name, module : str
        ``name`` is ``0x...`` where the tool had none.
    offset : int or None
        Into the function.
    address : str
        Its digits, as they stand there.
    stack_pointer : int or None
        In the row itself.
    stale, inline, user : bool
        Marked "?"; inlined, so that it keeps no frame; a row of user space.
    """

    name: str
    module: str = ""
    offset: int | None = None
    address: str = ""
    stack_pointer: int | None = None
    stale: bool = False
    inline: bool = False
    user: bool = False


def places_of(line: str, *, within: bool = False) -> tuple[Place, ...]:
    """Rows of a line; empty: it is none.

    Parameters
    ----------
    line : str
        Without a log's prefixes.
    within : bool
        It follows a header or a row: an address alone is a row, too.
    """
    if len(line) > 2000:
        return ()
    several = _several(line, within)
    if several:
        return several
    for form in _FORMS:
        match = form.match(line)
        place = _place(match) if match is not None else None
        if place is not None:
            return (place,)
    return ()


def module_name(name: str) -> str:
    """A module; empty for the names that tools give to the kernel itself."""
    return "" if name.split(".", maxsplit=1)[0] in _KERNEL else name


def _several(line: str, within: bool) -> tuple[Place, ...]:
    """A line that consists of rows in klogd's, 2.6 x86_64's or no symbols' form."""
    found, at = [], 0
    while line[at:].strip():
        match = _SEVERAL.match(line, at)
        if match is not None:
            name = match["name"] or match["braced"]
            address = match["address"] or match["bracket"] or ""
            found.append(Place(name, match["part"] or match["module"] or "", None, address))
        elif within and (match := _UNNAMED.match(line, at)) is not None:
            digits = match["a"] or match["b"]
            rest = line[match.end() : match.end() + 1]
            if rest and not rest.isspace() and rest != "[":
                return ()
            stale = match["stale"] is not None
            found.append(Place(f"0x{digits}", address=digits, stale=stale))
        else:
            return ()
        at = match.end()
    return tuple(found)


def _place(match: re.Match[str]) -> Place | None:
    """The row of a match; None: its tail holds words that no row has."""
    got = match.groupdict()
    tail = _tail(got["tail"] or "")
    if tail is None:
        return None
    module, inline, user, unsure = tail
    offset = got.get("offset")
    digits = (got.get("address") or "").removeprefix("0x").strip()
    address = digits if re.fullmatch(_HEX + "+", digits) else ""
    return Place(
        got["name"],
        got.get("module") or module,
        int(got["hex"], 16) if got.get("hex") else None if offset is None else int(offset, 0),
        address,
        int(got["sp"], 16) if got.get("sp") else None,
        got.get("stale") is not None or unsure,
        inline or got.get("inline") is not None,
        user,
    )


def _tail(text: str) -> tuple[str, bool, bool, bool] | None:
    """Module, inlined, of user space, unsure; None: other words."""
    module, inline, user, unsure, at = "", False, False, False, 0
    while text[at:].strip():
        match = _WORDS.match(text, at)
        if match is None:
            return None
        if match["module"] or match["dso"]:
            module = module_name(match["module"] or match["dso"])
        if match["file"]:
            named = _MODULE_FILE.search(match["file"])
            module = named["module"].replace("-", "_") if named else module
            user = named is None and "vmlinu" not in match["file"] and "kcore" not in match["file"]
        inline = inline or match["inline"] is not None
        unsure = unsure or match["unsure"] is not None
        at = match.end()
        if match["source"] and (after := _AFTER_SOURCE.match(text, at)):
            module, at = after["module"], after.end()
    return module, inline, user, unsure
