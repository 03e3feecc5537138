"""Names from outside are hostile: what a sink would act on becomes what it shows.

Data keep a name as it was read; each sink has one function, applied where text leaves for it.
"""

import re

#: C0, DEL, C1; direction marks, embeddings, overrides, isolates (Unicode TR 9); line separators
_ACTS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_TERMINAL = re.compile(f"[{_ACTS}\ud800-\udfff]")
#: what XML 1.0 has no way to write (section 2.2, Char), and what turns text around
_XML = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_SHOWN = "\ufffd"


def for_terminal(text: str) -> str:
    """Control and bidi characters as one sign each: the picture of a C0 control, else U+FFFD."""
    return _TERMINAL.sub(lambda m: chr(0x2400 + ord(m[0])) if ord(m[0]) < 32 else _SHOWN, text)


def for_xml(text: str) -> str:
    """SVG or HTML, whose text is escaped already, without what no parser takes."""
    return _XML.sub(_SHOWN, text)


def for_csv(value: object) -> object:
    """A cell that no spreadsheet takes for a formula, on one line; numbers are as they are."""
    if not isinstance(value, str):
        return value
    plain = for_terminal(value).replace("\n", "\u240a").replace("\t", "\u2409")
    return "'" + plain if plain[:1] in ("=", "+", "-", "@") else plain
