"""SCSI host drivers of a kernel package: what each keeps below its ``queuecommand``.

``python -m blockstack.kernel.extract.host_drivers MODULES FULL.json.gz GENERATION OUT.json.gz``
reads every module below the folder MODULES that has a ``scsi_host_template``, resolves its calls
through pointers (`pointers`, and `RESOLVED` where those do not tell), and writes one row per
driver: the deepest point of its own code, and its depth where it maps memory for the device. FULL
is the table of the whole package (``blockstack kernel extract``).
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from blockstack.base.calls import Cut
from blockstack.base.errors import BlockstackError
from blockstack.base.files import write_bytes
from blockstack.generations import Generation, generation
from blockstack.kernel.common_cuts import COMMON_CUTS
from blockstack.kernel.cuts import CutTable
from blockstack.kernel.extract.host_rules import CUTS, LOADED, PRIVATE, RESOLVED, SAME_OBJECTS
from blockstack.kernel.extract.pointers import Place, Pointers, pointers_of
from blockstack.kernel.extract.sources import module_name
from blockstack.kernel.extract.vmlinuz import read_binary
from blockstack.kernel.graph import CallGraph
from blockstack.kernel.subset import dump
from blockstack.kernel.table import FORMAT, FrameTable, load_table
from blockstack.kinds.host_drivers import FILE, KNOWN, UNTOLD, drivers_of, row_of

#: include/scsi/scsi_host.h: ->queuecommand behind ->cmd_size
_QUEUECOMMAND = 8
#: where the model goes on: mapping memory for the device (kinds/shared/dma.py)
_DMA = re.compile(r"dma_(map|alloc|pool_alloc|pool_zalloc)\w*\Z")
_WANTED = re.compile(rb"scsi_host_alloc|iscsi_host_alloc|ata_host_|ata_pci_|ata_port_|esp_")


@dataclass
class Modules:
    """The modules of one package: files, needs, pointers, each read once."""

    root: Path
    _pointers: dict[str, Pointers] = field(default_factory=dict)

    @cached_property
    def files(self) -> Mapping[str, Path]:
        """Every module's file by name."""
        return {module_name(str(p)): p for p in sorted(self.root.rglob("*.ko*"))}

    def closure(self, name: str) -> list[str]:
        """A module, what it needs, and what is loaded beside it (`LOADED`)."""
        found = dict.fromkeys([name])
        todo = [name]
        while todo:
            one = todo.pop()
            for other in (*self.needs(one), *LOADED.get(one, ())):
                if other in self.files and other not in found:
                    found[other] = None
                    todo.append(other)
        return list(found)

    def needs(self, name: str) -> Sequence[str]:
        """Modules whose symbols a module uses."""
        found = re.search(rb"\0depends=([^\0]*)\0", read_binary(self.files[name]))
        names = found[1].decode().split(",") if found else []
        return [one.replace("-", "_") for one in names if one]

    def pointers(self, name: str) -> Pointers:
        """What a module's file shows."""
        if name not in self._pointers:
            self._pointers[name] = pointers_of(self.files[name])
        return self._pointers[name]

    def folder(self, name: str) -> str:
        """A module's folder below ``kernel/``."""
        return self.files[name].parent.as_posix().rpartition("/kernel/")[2]


@dataclass
class Drivers:
    """The SCSI host drivers of one package, bounded.

    Parameters
    ----------
    table : FrameTable
        Of the whole package.
    gen : Generation
    modules : Modules
    """

    table: FrameTable
    gen: Generation
    modules: Modules

    def names(self) -> Iterator[tuple[str, set[str]]]:
        """Every host driver with its queuecommand: modules that hold a ``scsi_host_template``,
        told by the size of virtio_scsi's."""
        known = self.modules.pointers("virtio_scsi").objects["virtscsi_host_template"][0]
        for name, path in self.modules.files.items():
            folder = self.modules.folder(name)
            if not folder.startswith("drivers/") or not _may_be_a_host(path):
                continue
            objects = self.modules.pointers(name).objects.values()
            found = {at[_QUEUECOMMAND] for n, at in objects if n == known and _QUEUECOMMAND in at}
            found |= {"queuecommand"} if name == "usb_storage" else set()
            found |= {"esp_queuecommand"} if name == "am53c974" else set()
            if found and name not in KNOWN:
                print(f"{name}: in no group of kinds/host_drivers.py, left out")
            elif found and name != "esp_scsi":  # a library
                yield name, found

    @cached_property
    def _by_file(self) -> Mapping[str, str]:
        """Folder of every file of the table."""
        return {row[0]: row[0].rpartition("/")[0] for row in self.table.functions.values()}

    @cached_property
    def _dma(self) -> frozenset[str]:
        return frozenset(filter(_DMA.match, self.table.functions))

    def key(self, module: str, function: str) -> str | None:
        """The table's name of a module's function."""
        folder = self.modules.folder(module)
        for name in (f"{function}@{module}", function):
            found = self.table.own(name)
            if found and (found.endswith(f"@{module}") or self._in(found, folder)):
                return found
        return next((n for n in self.table.named(function) if self._in(n, folder)), None)

    def _in(self, key: str, folder: str) -> bool:
        return self.table.functions[key][0].startswith(folder)

    def row(self, name: str, entries: set[str]) -> tuple[int, dict[str, int], list[str], list[str]]:
        """Deepest point, depth at each mapping for the device, the path, the open sites."""
        modules = self.modules.closure(name)
        edges, open_sites = self._edges(name, modules)
        folders = {self.modules.folder(one) for one in modules}
        files = tuple(
            file
            for file, folder in self._by_file.items()
            if folder in folders and file.rpartition("/")[2] not in _MIDDLE
        )
        cuts = (*self.gen.calls_left_out, *map(Cut.read, CUTS))
        common = tuple(c for c in cuts if not c.when and c.callee not in self.gen.uncut)
        table = CutTable(common + COMMON_CUTS, once=self.gen.former_names)
        graph = CallGraph(self.table, files, edges, table)
        starts = {key for e in entries for m in modules if (key := self.key(m, e)) is not None}
        ends = {end for end in self._dma if _reached(graph, starts, end)}
        found = [graph.longest(s, None, avoid=ends) for s in starts]
        deepest = max((p for p in found if p), key=lambda p: p.bytes)
        depths = {
            end: max(p.bytes for s in starts if (p := graph.longest(s, end, avoid=ends - {end})))
            for end in sorted(ends)
        }
        steps = [step.function for step in deepest.steps]
        return (
            deepest.bytes,
            depths,
            steps,
            [site for site in sorted(open_sites) if _reached(graph, starts, site)],
        )

    def _edges(
        self, name: str, modules: Sequence[str]
    ) -> tuple[tuple[tuple[str, str], ...], set[str]]:
        """Calls through pointers, resolved; the functions that have one that is not."""
        held: dict[Place, set[tuple[str, str]]] = defaultdict(set)
        for module in modules:
            for place, functions in self.modules.pointers(module).held.items():
                if module == name or isinstance(place, str) or module not in _LIBRARIES:
                    held[place] |= {(module, function) for function in functions}
        found: set[tuple[str, str]] = set()
        unresolved: set[str] = set()
        for module in modules:
            own = self._same_objects(module, modules)
            for function, places in self.modules.pointers(module).sites.items():
                caller = self.key(module, function)
                if caller is None:
                    continue
                if (rule := self._rule(function)) is not None:
                    found |= {(caller, callee) for callee in self._matching(rule, modules)}
                    continue
                for one in places:
                    targets = self._targets(one, held if own is None else own, module, function)
                    if targets is None:
                        unresolved.add(caller)
                    else:
                        keys = (self.key(m, f) or self.table.own(f) for m, f in targets)
                        found |= {(caller, key) for key in keys if key}
        return tuple(sorted(found)), unresolved

    @staticmethod
    def _rule(function: str) -> str | None:
        return RESOLVED.get(function.partition(".")[0])

    def _matching(self, rule: str, modules: Sequence[str]) -> Iterator[str]:
        pattern = re.compile(f"(?:{rule})(\\.\\w+)*\\Z")
        for module in modules if rule else ():
            pointers = self.modules.pointers(module)
            names = {f for functions in pointers.held.values() for f in functions}
            for name in names:
                if pattern.match(name) and (key := self.key(module, name)) is not None:
                    yield key

    def _targets(
        self,
        place: Place | None,
        held: Mapping[Place, set[tuple[str, str]]],
        module: str,
        function: str,
    ) -> set[tuple[str, str]] | None:
        """What a pointer may lead to; None: nobody knows."""
        if place is None:
            return self._issue(module, function)
        if isinstance(place, str) and place.partition("+")[0] in ("pv_ops", "hv_hypercall_pg"):
            return set()  # paravirtual operations and the hypervisor's page: leaves
        private = PRIVATE.get(self.gen.name, 0)
        found = held.get(place)
        if not found and isinstance(place, int) and place > private:
            found = held.get(place - private)
        if not found and module == "mvsas":
            found = {pair for pairs in held.values() for pair in pairs}
        return found or None

    def _issue(self, module: str, function: str) -> set[tuple[str, str]] | None:
        """libata's last call: ``->qc_issue``, wherever it is loaded."""
        objects = self._same_objects(module, self._at_hand) or {}
        if module != "libata" or function != "ata_qc_issue":
            if module == "mvsas":
                return {pair for pairs in objects.values() for pair in pairs}
            return None
        own = self.modules.pointers("libahci").objects["ahci_ops"][1]
        at = next(place for place, held in own.items() if held == "ahci_qc_issue")
        return objects.get(at)

    _at_hand: Sequence[str] = ()

    def _same_objects(
        self, module: str, modules: Sequence[str]
    ) -> Mapping[Place, set[tuple[str, str]]] | None:
        """Fields of all objects of the one structure that a module calls through."""
        self._at_hand = modules
        folder = self.modules.folder(module)
        name = "libata" if folder == "drivers/ata" else module
        if name not in SAME_OBJECTS:
            return None
        home, named = SAME_OBJECTS[name]
        size = self.modules.pointers(home).objects[named][0]
        found: dict[Place, set[tuple[str, str]]] = defaultdict(set)
        for one in modules:
            for n, held in self.modules.pointers(one).objects.values():
                for place, function in held.items() if n == size else ():
                    found[place].add((one, function))
        return found


#: libraries whose objects are not the driver's: their offsets tell nothing of its structures
_LIBRARIES = frozenset(
    (
        *("scsi_mod", "libata", "usbcore", "scsi_transport_fc", "scsi_transport_sas"),
        *("scsi_transport_iscsi", "ib_core", "target_core_mod", "configfs", "nvme_fc"),
        *("nvme_core", "nvmet", "nvmet_fc", "qed", "cnic", "cxgb3", "cxgb4", "rdma_cm"),
        *("ib_cm", "iw_cm"),
    )
)
#: the middle layer: what the model has before and after the driver
_MIDDLE = frozenset(("[scsi_mod.ko]", "scsi.c", "scsi_lib.c", "scsi_error.c"))


def _reached(graph: CallGraph, starts: Iterable[str], goal: str) -> bool:
    return goal in starts or any(graph.reaches(start, goal) for start in starts)


def _may_be_a_host(path: Path) -> bool:
    return bool(_WANTED.search(read_binary(path))) or path.name.startswith("usb-storage")


def _ranges(
    functions: dict[str, list[object]],
    calls: dict[str, dict[str, int]],
    opened: Mapping[str, list[str]],
) -> dict[str, list[str]]:
    """A row for each word of an untold driver: the deepest of those that it may be, each way.

    None where one of them is not known: its name is told in its place.
    """
    worst = {}
    for word in UNTOLD:
        rows = [row for name in drivers_of(word) if (row := row_of(name)) in functions]
        unknown = sorted(name for name in drivers_of(word) if name in opened)
        if unknown or not rows:
            worst[word] = ["unknown", *unknown]
            continue
        deepest = max(rows, key=lambda row: max(_depth(functions, row), *calls[row].values(), 0))
        functions[row_of(word)] = [
            0,
            max(_depth(functions, r) for r in rows),
            "static",
        ]
        ends = {end for row in rows for end in calls[row]}
        calls[row_of(word)] = {
            end: max(calls[row].get(end, 0) for row in rows) for end in sorted(ends)
        }
        worst[word] = [deepest.rpartition(" ")[2], str(len(rows))]
    return worst


def _depth(functions: Mapping[str, list[object]], row: str) -> int:
    return int(str(functions[row][1]))


def main(folder: str, full: str, gen: str, out: str) -> None:
    """Write the rows of every host driver."""
    table = load_table(Path(full))
    drivers = Drivers(table, generation(gen), Modules(Path(folder)))
    functions: dict[str, list[object]] = {}
    calls: dict[str, dict[str, int]] = {}
    opened: dict[str, list[str]] = {}
    paths: dict[str, list[str]] = {}
    for name, entries in drivers.names():
        row = row_of(name)
        try:
            n_bytes, depths, steps, unknown = drivers.row(name, entries)
        except BlockstackError as error:  # a cycle that has no longest path
            n_bytes, depths, steps, unknown = 0, {}, [], [error.message]
        functions[row] = [0, n_bytes, "static"]
        calls[row], paths[name] = depths, steps
        if unknown:
            opened[name] = unknown
        print(f"{name:18}{n_bytes:6}{max(depths.values(), default=0):6}  {' '.join(unknown)}")
    worst = _ranges(functions, calls, opened)
    meta = {k: table.meta[k] for k in ("kernel", "arch", "pointer_bytes", "thread_size")}
    meta |= {
        "format": FORMAT,
        "generation": gen,
        "subset_of": table.digest,
        "provenance": "every module of the package with a scsi_host_template",
        "convention": "frame_bytes: deepest point of the driver below its queuecommand, what it "
        "calls outside counted with its frame; calls: its depth where it maps memory",
        "deepest": paths,
        "open": opened,
        "worst": worst,
    }
    data = {"meta": meta, "files": [FILE], "functions": functions, "calls": calls}
    write_bytes(out, dump(data | {"tail": {}, "indirect": {}}))
    print(json.dumps({"drivers": len(functions), "open": len(opened)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
