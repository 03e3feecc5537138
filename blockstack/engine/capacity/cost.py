"""CPU time per layer: counted on real kernels where it was, else estimated from the path's length.

An estimate is the number of functions on a layer's deepest path (submission and completion) times
what dm-linear costs per function; where both are known it is 10 to 25 % too low (docs/capacity.md).
The cost of a completion is counted with the submission.
"""

from dataclasses import dataclass, field
from functools import cache, cached_property

from blockstack.engine.plan.arrays import OP_NAMES
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.layers import Layers
from blockstack.engine.plan.model import Plan
from blockstack.engine.plan.paths import LayeredPath
from blockstack.kernel import CallPath, load_kernel
from blockstack.kernel.cost import MeasuredCosts, measured_costs
from blockstack.stack import Device, Stack
from blockstack.stack.machine import Machine

_NULL_MODES = {"bio": "null-bio", "bio-memory": "null-bio", "mq": "null-mq", "mq-memory": "null-mq"}
#: kinds with one hardware queue, for which elevator_get_default (6.1 block/elevator.c) takes
#: mq-deadline
_SCHEDULED = frozenset({"scsi", "iscsi", "nbd", "virtio-blk"})


#: of a request at a real driver, beyond what null_blk counts: its doorbell and DMA mapping, the
#: interrupt, the completion and wake-up, and the submitter's own code. From two published rows of
#: single devices (validation/data/capacity.toml, `calibrates`): 3.01 us an I/O on NVMe and 7.35 us
#: on a SCSI SSD, taken as 3 GHz and one instruction per cycle, less what is counted here.
DRIVER = {"nvme": 4500, "scsi": 9900}
#: virtio-blk: the notification's exit and the injected interrupt, 1 us each of a core at 3 GHz:
#: assumed
VIRTIO_EXITS = 6000
#: of a target for each request beside its disk's own path: what TCP takes to receive a command and
#: to send an answer, 2 us each of a core at 3 GHz, assumed
TARGET_MESSAGES = 12_000
#: the I/O thread of QEMU for each request: the notification's eventfd, the queue's element,
#: io_submit and io_getevents, the interrupt's eventfd; 5 us at 3 GHz, assumed
HOST_THREAD = 15_000
_OTHER_DRIVER = DRIVER["nvme"]
CALIBRATED = (
    "drivers, interrupts, wake-ups and the submitter's own code are calibrated on published "
    "rows of one NVMe (3.01 us an I/O) and one SCSI SSD (7.35 us), taken as 3 GHz and an IPC of 1"
)
#: a thread that a bio is handed to is woken and switched to: 1 us of a core at 3 GHz, assumed
WOKEN = 3000
#: per page of a bio after its first (6.1 lib/iov_iter.c iov_iter_get_pages2, block/bio.c
#: bio_iov_add_page, the driver's scatter list, bio_release_pages): assumed
PER_PAGE = 150


@dataclass(frozen=True)
class Cost:
    """Instructions of one bio at one place, and how they are known."""

    instructions: float
    how: str  # measured, estimated, given

    def __add__(self, other: "Cost") -> "Cost":
        order = ("measured", "given", "estimated")
        how = max(self.how, other.how, key=order.index)
        return Cost(self.instructions + other.instructions, how)


def functions_of(path: CallPath | LayeredPath) -> int:
    """How many functions lie on a path; the processor's own saved registers are none."""
    if isinstance(path, LayeredPath):
        return sum(functions_of(part) for _, part in path.parts)
    return sum(step.function != "pt_regs" for step in path.steps)


def _word(op: int) -> str:
    """Reads and flushes cost a read's figures, everything else a write's."""
    return "read" if OP_NAMES[op] in ("read", "flush") else "write"


@dataclass
class Costs:
    """Costs of one plan's devices, sources and workers.

    Parameters
    ----------
    plan : Plan
    machine : Machine
    """

    plan: Plan
    machine: Machine
    _layers: Layers = field(init=False)
    _found: dict[tuple[str, int], Cost] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._layers = Layers(self.plan.kernel, self.plan.stack)

    @cached_property
    def measured(self) -> MeasuredCosts:
        """Counts for the kernel's architecture."""
        return measured_costs(self.plan.kernel.platform.arch)

    @property
    def _yardstick(self) -> tuple[int, int, int]:
        return _counted_functions(self.measured.kernel)

    def per_function(self, op: int) -> float:
        """Instructions per function on a path: dm-linear's."""
        return self.measured.per_dm_linear(_word(op)) / self._yardstick[0]

    def _raw_source(self, op: int) -> float:
        """System call, direct I/O and the block layer's entry: null_blk less its own path."""
        word = _word(op)
        return self.measured.bare("null-bio", word) - self._yardstick[1] * self.per_function(op)

    def ns(self, cost: Cost) -> float:
        """Time on one of the machine's cores."""
        return cost.instructions / self.machine.instructions_per_ns

    def source(self, root: int, op: int) -> Cost:
        """From the system call to the block layer's entry, per bio."""
        entry = self.plan.entries[root]
        top = self.plan.stack.devices[entry.source]
        raw = self._raw_source(op)
        is_raw = top.kind_entry.role != "source" or top.kind == "raw"
        if op not in entry.submit or is_raw:
            return Cost(raw, self._best())
        length = functions_of(entry.submit[op]) / self._yardstick[2]
        return Cost(raw * max(length, 1.0), "estimated")

    def _best(self) -> str:
        """Counted on this kernel, or on its architecture's only."""
        return "measured" if self.plan.kernel.name == self.measured.kernel else "estimated"

    def layer(self, device: Device, op: int) -> Cost:
        """One bio at one device, its worker apart."""
        key = (device.name, op)
        if key not in self._found:
            self._found[key] = self._cost(device, op)
        return self._found[key]

    def _cost(self, device: Device, op: int) -> Cost:
        given = device.service.get("cpu")
        if given is not None:
            return Cost(given * self.machine.instructions_per_ns, "given")
        if device.kind_entry.role == "leaf":
            return self._leaf(device, op)
        counted = self.measured.layer(device.kind, _word(op))
        if counted is not None:
            return Cost(counted, self._best())
        functions = layer_functions(self._layers, device, OP_NAMES[op])
        return Cost(functions * self.per_function(op), "estimated")

    def _leaf(self, device: Device, op: int) -> Cost:
        m, word, source = self.measured, _word(op), self._raw_source(op)
        if device.kind == "null_blk":
            base = _NULL_MODES[str(device.params.get("mode", "mq"))]
            return Cost(m.bare(base, word) - source, self._best())
        if device.kind in ("brd", "zram"):
            how = self._best() if device.kind == "brd" else "estimated"
            return Cost(m.bare("brd", word) - source, how)
        # a request's way to a real driver is null_blk's; its interrupt is not in the count, and
        # null_blk's writes are left out because nobody looked into why they cost three reads
        whole = m.scheduled("read") if device.kind in _SCHEDULED else m.bare("null-mq", "read")
        driver = DRIVER.get(device.kind, _OTHER_DRIVER)
        driver += VIRTIO_EXITS * (device.kind == "virtio-blk")
        return Cost(whole - self._raw_source(0) + driver, "estimated")

    def host_request(self) -> float:
        """Instructions of the host of a virtual machine for each request: its I/O thread's own,
        and a request at its scheduled disk."""
        return self.measured.scheduled("read") + DRIVER["scsi"] + HOST_THREAD

    def target_request(self) -> float:
        """Instructions of a network target for each request: two messages, and its disk's path."""
        return self.measured.bare("null-mq", "read") + DRIVER["nvme"] + TARGET_MESSAGES

    def pages(self, nr_sectors: int) -> Cost:
        """What grows with a bio's pages."""
        return Cost(max(nr_sectors - 1, 0) // 8 * PER_PAGE, "estimated")

    def merged(self) -> Cost:
        """A bio that joins a request in the plug, or of the same worker: submit_bio_noacct,
        blk_mq_submit_bio, blk_attempt_plug_merge, bio_attempt_back_merge (6.1 blk-merge.c)."""
        return Cost(4 * self.per_function(1), "estimated")

    def worker(self, task: int) -> Cost:
        """What a worker runs for each hand-over before it submits."""
        return Cost(functions_of(self.plan.tasks[task].entry) * self.per_function(1), "estimated")

    def transmission(self, device: Device) -> tuple[str, Cost] | None:
        """The task in which a network leaf sends, and its cost per request."""
        for name, path, _, context in self._layers.transmissions(device):
            if context == "worker":
                return name, Cost(functions_of(path) * self.per_function(1), "estimated")
        return None


def layer_functions(layers: Layers, device: Device, op: str) -> int:
    """Functions from a layer's entry to its nested submission, and of its end_io."""
    row, calls = layers.row(device, op), layers.calls(device)
    down = row.through if row.through.steps else row.peak
    up = 0
    if calls.endio is not None and calls.endio.via:
        link = layers.kernel.generation.endio_link
        up = functions_of(
            layers.kernel.rows.layer(calls.endio, link, nested=not calls.endio_stops).through
        )
    return functions_of(down) + up


@cache
def _counted_functions(kernel_name: str) -> tuple[int, int, int]:
    """Functions of dm-linear, of null_blk's bio mode, of a raw O_DIRECT read's entry point, on the
    shipped kernel that was counted on."""
    kernel = load_kernel(kernel_name)
    stack = Stack("counted")
    null = stack.add("null", "null_blk", size="1 GiB", mode="bio")
    linear = stack.add("linear", "dm-linear", null)
    stack.add("user", "raw", linear)
    plan = compile_plan(stack, kernel, ops=("read",), direct=True)
    layers = Layers(kernel, stack)
    inline = layers.inline(null, "read")
    assert inline is not None
    return (
        layer_functions(layers, linear, "read"),
        functions_of(inline),
        functions_of(plan.entries[0].submit[0]),
    )
