"""Coverage-guided fuzzing of every reader with atheris (not part of the test suite).

    pip install atheris
    python tests/fuzz/readers.py -max_total_time=300 -timeout=20 -rss_limit_mb=2000

The first byte of an input chooses the format, the rest is what the tool printed; the seeds are the
samples of ``tests/hosts/test_fuzz.py``. Anything but an answer or a `BlockstackError` ends the run,
and libFuzzer writes the input beside (``crash-...``); give that file as the argument to run it
again.
"""

import contextlib
import importlib
import sys
import tempfile
from pathlib import Path

from blockstack.base.errors import BlockstackError
from blockstack.hosts.build import build
from blockstack.hosts.formats import FORMATS
from blockstack.hosts.model.host import Host
from blockstack.hosts.model.tree import decode
from blockstack.hosts.sniff import read_text

atheris = importlib.import_module("atheris")  # an optional tool: not among the extras


def one_input(data: bytes) -> None:
    """Read one text as the format that its first byte names, or as whatever it looks like."""
    if not data:
        return
    text, host = decode(data[1:]), Host()
    with contextlib.suppress(BlockstackError):
        if data[0] < len(FORMATS):
            FORMATS[data[0]].read(text, host)
        else:
            read_text(text, host, "fuzz")
        build(host, skip=("unknown",))


def write_seeds(folder: Path) -> None:
    """The samples, each under the number of the format that it is."""
    tests = Path(__file__).parents[1]
    sys.path += [str(tests / "hosts"), str(tests / "oracle")]
    from test_fuzz import SAMPLES  # after instrument_all: hypothesis would be instrumented

    for number, text in enumerate(SAMPLES):
        found = next(i for i, f in enumerate(FORMATS) if f.looks(text))
        (folder / f"{number}").write_bytes(bytes([found]) + text.encode())


if __name__ == "__main__":
    atheris.instrument_all()  # instrument_imports sees little behind an editable install's loader
    with tempfile.TemporaryDirectory() as seeds:
        write_seeds(Path(seeds))
        named = [a for a in sys.argv[1:] if not a.startswith("-")]
        atheris.Setup([*sys.argv, *([] if named else [seeds])], one_input)
        atheris.Fuzz()
