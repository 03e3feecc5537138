"""One device on one kernel: its rows per operation, its worker, its completion."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from blockstack.base.calls import Path
from blockstack.base.errors import UnsupportedKind
from blockstack.engine.plan.arrays import OP_NAMES
from blockstack.engine.plan.network import over_nic, receptions, send, windows_driver
from blockstack.engine.plan.paths import LayeredPath, deepest, layered
from blockstack.generations import generations_with
from blockstack.kernel import CallPath, Kernel, LayerRow, Step
from blockstack.kernel.absent import why_absent
from blockstack.kinds import Calls, served_hint
from blockstack.kinds.model import Worker
from blockstack.stack import Device, Stack

EMPTY = LayerRow(CallPath(), CallPath())


@dataclass
class Layers:
    """Rows of a stack's devices on one kernel, computed once per kind and operation.

    Parameters
    ----------
    kernel : Kernel
    stack : Stack
    """

    kernel: Kernel
    stack: Stack
    _rows: dict[tuple[str, str], LayerRow] = field(default_factory=dict)
    _absent: dict[str, str] = field(default_factory=dict)
    _calls: dict[str, Calls] = field(default_factory=dict)
    _identities: dict[str, str] = field(default_factory=dict)

    def calls(self, device: Device) -> Calls:
        """How this kernel's generation runs the device's kind.

        Raises
        ------
        UnsupportedKind
            The kernel does not have that kind.
        """
        if device.name not in self._calls:
            self._calls[device.name] = self._find_calls(device)
        return self._calls[device.name]

    def _find_calls(self, device: Device) -> Calls:
        kind, gen = device.kind_entry, self.kernel.generation.name
        calls = kind.calls_for(gen, device.params)
        if calls is None:
            word = kind.word(device.params)
            in_these = kind.calls if word is None else kind.variants.get(word, {})
            have = ", ".join(generations_with(in_these) or generations_with(kind.entries)) or (
                "none that ships"
            )
            raise UnsupportedKind(
                f"{self.kernel.name} has no {kind.label(device.params)}",
                path=f"devices.{device.name}.kind",
                value=device.kind,
                hint=f"kernel generations that have it: {have}" + served_hint(device.kind, gen),
            )
        self._check_present(device, calls)
        return calls

    def _check_present(self, device: Device, calls: Calls) -> None:
        key = device.kind + repr(sorted(device.params.items(), key=str))
        if key not in self._absent:
            self._absent[key] = why_absent(self.kernel, calls)
        if self._absent[key]:
            raise UnsupportedKind(
                f"{self.kernel.name} has no {device.kind}: {self._absent[key]}",
                path=f"devices.{device.name}.kind",
                value=device.kind,
                hint="extract the kernel with all of its modules, or name another one",
            )

    def row(self, device: Device, op: str) -> LayerRow:
        """Through and peak of the device for one operation of `OP_NAMES`."""
        if device.name not in self._identities:
            self._identities[device.name] = self._identity(device)
        key = (self._identities[device.name], op)
        if key not in self._rows:
            self._rows[key] = self._row(device, op)
        return self._rows[key]

    def nic(self, device: Device) -> Device | None:
        """The network card under a network device."""
        return None if device.nic is None else self.stack.devices[device.nic]

    def _row(self, device: Device, op: str) -> LayerRow:
        gen, calls = self.kernel.generation, self.calls(device)
        if device.kind_entry.role in ("source", "nic"):
            return EMPTY  # a source maps its bios itself, a card sends: both in the entry point
        # a loop device only queues: all its lower bios are its worker's
        nested = device.kind_entry.role == "stacked" and not (
            device.kind_entry.mapping == "remap" and op in calls.worker
        )
        if op == "flush" and gen.flush_link:
            if calls.flush is None:
                return EMPTY
            return self.kernel.rows.layer(calls.flush, gen.flush_link, nested=nested)
        if calls.issues_clones:
            rows = (
                self.kernel.rows.layer(path, gen.submit_link, nested=False)
                for path in self._cloned(device, op)
            )
            return max(rows, key=lambda row: row.peak.bytes)
        path = calls.path_for(op, degraded=bool(device.failed))
        if path is None:  # a partition: generic_make_request itself remaps
            return EMPTY
        # without a worker it sends in the caller; nvme-tcp may do either
        sends = not calls.worker or calls.sends_in_caller
        nic = self.nic(device) if sends else None
        row = self.kernel.rows.layer(
            over_nic(self.kernel, path, nic), gen.submit_link, nested=nested
        )
        driver = None if nic is None else windows_driver(self.kernel, nic)
        if driver is not None:
            row = LayerRow(row.through, row.peak + driver.path)
        return row if nested is False else self._with_self_call(calls, device, row)

    def _with_self_call(self, calls: Calls, device: Device, row: LayerRow) -> LayerRow:
        """md of 2.6 calls itself for the halves of a cut bio: one level, counted for every bio.

        raid0 and linear come back with a remap before they submit, raid10 submits inside.
        """
        n_bytes = self.self_bytes(device)
        if not n_bytes or calls.self_call is None:
            return row
        level = CallPath((Step(f"{calls.self_call.function} (itself)", n_bytes),))
        inside = calls.self_call.submits_inside
        return LayerRow(row.through + level if inside else row.through, row.peak + level)

    def _identity(self, device: Device) -> str:
        """What the rows of a device depend on: its kind and parameters, and of a request-based
        dm device those of the disks that it issues to."""
        own = device.kind + repr(sorted(device.params.items(), key=str)) + str(device.nic)
        if not self.calls(device).issues_clones:
            return own
        return own + "".join(self._identity(self.stack.devices[name]) for name in device.on)

    def _cloned(self, device: Device, op: str) -> Iterator[Path]:
        """A request-based dm device's path, continued by ->queue_rq of the disks under it.

        Raises
        ------
        UnsupportedKind
            A lower device without a request queue that takes clones (dm-table.c
            device_is_rq_stackable), or one whose queue only kblockd runs.
        """
        own = self.calls(device).path_for(op)
        assert own is not None
        for lower in (self.stack.devices[name] for name in device.on):
            calls = self.calls(lower)
            path = calls.path_for(op) or Path(())
            driver = path.from_first_indirect()
            has_queue = path.via[:1] == ("blk_mq_submit_bio",) and driver != path
            if lower.kind_entry.role != "leaf" or not has_queue:
                raise UnsupportedKind(
                    f"request-based {device.kind} does not stand on {lower.kind}",
                    path=f"devices.{device.name}.on",
                    value=lower.name,
                    hint='queue_mode = "bio", or disks with a request queue',
                )
            yield own.then(driver)

    def check_op(self, device: Device, op: str) -> None:
        """Raise `UnsupportedKind` when the device does not pass ``op`` on in this kernel."""
        calls = self.calls(device)
        if op not in calls.ops:
            raise UnsupportedKind(
                f"{device.kind} on {self.kernel.name} does not take {op}",
                path=f"devices.{device.name}",
                value=op,
                hint="it takes: " + ", ".join(calls.ops),
            )

    def self_bytes(self, device: Device) -> int:
        """Bytes of one self-call level (md's bio_pair in kernels to 2.6.3x)."""
        call = self.calls(device).self_call
        if call is None:
            return 0
        key = self.kernel.table.find(call.function)
        return 0 if key is None else self.kernel.table.site(key, key) or 0

    def worker(self, device: Device) -> Worker | None:
        """The task that submits the device's lower bios when the caller does not."""
        calls = self.calls(device)
        workers = calls.worker
        return next((workers[op] for op in ("write", *OP_NAMES) if op in workers), calls.thread)

    def endio(self, device: Device, upper: LayeredPath) -> LayeredPath:
        """Completion of a bio under ``device``: from bio_endio to the deepest function.

        Parameters
        ----------
        upper : LayeredPath
            The same for the bio above the device.
        """
        calls = self.calls(device)
        if device.kind_entry.role == "source":
            return upper
        if calls.endio is None:
            return upper if calls.immediate else LayeredPath()
        row = self.kernel.rows.layer(
            calls.endio, self.kernel.generation.endio_link, nested=not calls.endio_stops
        )
        own = layered(device.name, row.peak)
        if calls.endio_stops:
            return own
        return deepest((layered(device.name, row.through) + upper, own))

    def inline(self, device: Device, op: str) -> CallPath | None:
        """A leaf that completes inside the submit call: from its entry to bio_endio."""
        calls = self.calls(device)
        path = calls.path_for(op)
        if not calls.inline_completion or path is None:
            return None
        gen = self.kernel.generation
        return self.kernel.rows.layer_to(path, gen.submit_link, gen.endio_link)

    def transmissions(self, device: Device) -> Iterator[tuple[str, CallPath, int, str]]:
        """Tasks in which a network leaf sends: (name, path, limit in bytes, context)."""
        nic = self.nic(device)
        calls = self.calls(device)
        own = {worker.name: worker.path for worker in calls.worker.values()}
        senders = own if calls.peer is None else calls.peer.senders
        for name, path in senders.items():
            sending = send(self.kernel, path, nic)
            yield name, sending.path, self.kernel.platform.limit_bytes, "worker"
            if sending.private is not None:
                yield "ndiswrapper", sending.private, sending.private_bytes, "private"
        driver = (
            None if nic is None or self.calls(device).worker else windows_driver(self.kernel, nic)
        )
        if driver is not None and driver.private is not None:
            yield "ndiswrapper", driver.private, driver.private_bytes, "private"

    def receptions(self, device: Device) -> Iterator[tuple[str, CallPath, int, str]]:
        """Softirqs that receive for a device with a card, in the form of `transmissions`."""
        nic = self.nic(device)
        if nic is None:
            return
        calls = self.calls(device)
        packets = calls.receive or (None if calls.peer is None else calls.peer.receive)
        if packets is None:
            return
        limit = self.kernel.platform.limit_of("softirq")
        # a driver that the kernel's build leaves out is missing from the path, as when it sends
        card = nic.kind_entry.calls_for(self.kernel.generation.name, nic.params) or self.calls(nic)
        for name, path in receptions(self.kernel, packets, nic, card):
            yield name, path, limit, "softirq"
