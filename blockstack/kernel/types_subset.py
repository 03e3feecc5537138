"""The types of a whole kernel cut down to the functions of a table that ships.

``python -m blockstack.kernel.types_subset FULL.json.gz blockstack/kernel/data/NAME.json.gz``
writes ``blockstack/kernel/data/types/NAME.json.gz``: ``sites``, ``members`` and ``roots`` of FULL
(`blockstack kernel extract` of the same build), by the names that the table that ships has.
"""

import gzip
import json
import sys
from pathlib import Path

from blockstack.base.files import write_bytes
from blockstack.kernel.subset import dump
from blockstack.kernel.table import load_table
from blockstack.kernel.typed import cut


def main(full: str, shipped: str) -> None:
    """Cut the types of ``full`` down to the functions of ``shipped``, and write them."""
    data = json.loads(gzip.decompress(Path(full).read_bytes()))
    table = load_table(Path(shipped))
    names: dict[str, str] = {}

    def name(function: str) -> str:
        if function not in names:
            here = function if function in table.functions else table.find(function)
            names[function] = here or function
        return names[function]

    found = cut(data, (*table.calls, *table.tail, *table.indirect), name)
    keys = ("kernel", "arch", "date", "provenance")
    found["meta"] = {key: data["meta"][key] for key in keys} | {"of": table.digest}
    out = Path(shipped).parent / "types" / Path(shipped).name
    out.parent.mkdir(exist_ok=True)
    write_bytes(out, dump(found))
    print(f"{out}: {len(found['sites']):,} functions, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
