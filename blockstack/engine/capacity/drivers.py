"""What drivers do beyond passing bios on: ciphers, parity, logs, journals, copies, counters.

Each adds visits or time to the graph of one bio, as the code named beside it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from blockstack.base.units import SECTOR_BYTES
from blockstack.engine.capacity.build import Flow
from blockstack.engine.capacity.cost import WOKEN
from blockstack.engine.capacity.figures import transfer_ns
from blockstack.engine.capacity.maker import FlowMaker
from blockstack.engine.capacity.requests import Request
from blockstack.engine.plan.arrays import FLUSH, FUA, READ, WRITE
from blockstack.engine.plan.core import Call
from blockstack.engine.plan.mappings import RAID456
from blockstack.stack import Device

#: AES-256 has 14 rounds for 16 bytes, and cores since Ice Lake and Zen start two AESENC a cycle
#: (Agner Fog, Instruction tables): 0.44 cycles a byte; a fifth more for XTS's tweak and the loads
#: is assumed. `cryptsetup benchmark` says it for a machine.
CIPHER_CYCLES = 0.53
#: instructions for each sector_size bytes: crypt_convert_block_skcipher, the skcipher walk,
#: kernel_fpu_begin and _end (6.1 drivers/md/dm-crypt.c, crypto/skcipher.c): assumed
CIPHER_UNIT = 300
#: raid4/5/6: a write is copied into the stripe cache (async_memcpy) and read again for its parity
#: (async_xor): 10 GB/s of a core for the one and 20 for the other, assumed. A page to a member is a
#: bio of its own, prepared, submitted and ended as dm-linear's clone is (ops_run_io of 6.1 raid5.c)
PARITY_RATE = 6_700_000_000
#: times that md's count of bios moves between cores for each bio
_LINE_MOVES = 3
#: of a host that mirrors another one's writes
PEER = " of the peer"
#: requests that one transaction of DRBD's activity log may cover (6.1
#: drivers/block/drbd/drbd_actlog.c AL_UPDATES_PER_TRANSACTION), and the extents of 4 MiB that are
#: hot at once (DRBD_AL_EXTENTS_DEF, 6.1 include/linux/drbd_limits.h)
AL_UPDATES, AL_HOT_BYTES = 64, 1237 * 4 * 2**20
#: what one bit of a write-intent bitmap stands for at least: mdadm's default for large members
BITMAP_CHUNK = 64 * 2**20


@dataclass
class DriverWork:
    """One bio's graph while it is made, and what drivers add to it.

    Attributes
    ----------
    maker : FlowMaker
    calls : sequence of Call
    flow : Flow
    children : list of list of int
        Calls that each call made.
    instead : int
        The station of the thread that does another task's part; -1: none.
    """

    maker: FlowMaker
    calls: Sequence[Call]
    flow: Flow = field(default_factory=Flow)
    instead: int = -1
    children: list[list[int]] = field(default_factory=list)

    def group(self, heads: Sequence[int], after: list[int], ns: float = 0.0) -> list[int]:
        """Calls that one task makes in a row, and all below; the nodes that end them."""
        raise NotImplementedError

    def device(self, number: int) -> Device:
        """The device that a call is at."""
        return self.maker.position(self.calls[number]).device

    def writes(self, number: int) -> bool:
        """Whether a call carries data to be kept."""
        return self.calls[number].op in (WRITE, FUA)

    def leaves_below(self, number: int) -> list[int]:
        """Calls at leaves that a call leads to in its own task."""
        found, todo = [], [number]
        while todo:
            one = todo.pop()
            below = [c for c in self.children[one] if self.calls[c].task == self.calls[one].task]
            found += [] if below or self.children[one] else [one]
            todo += below
        return found

    # --- a file system's fsync --------------------------------------------------------------------

    def journalled(self, kind: str, op: int) -> list[int]:
        """ext3's and ext4's fsync: jbd2 is woken and writes a descriptor and the inode's blocks
        (6.1 fs/jbd2/commit.c jbd2_journal_commit_transaction) before the disk is flushed."""
        if op != FLUSH or kind not in ("ext3", "ext4"):
            return []
        ns = self.maker.charge("jbd2", 2 * WOKEN, "estimated")
        thread = self.maker.stations.task("jbd2")
        cpu = [self.flow.visit(thread, 0.0, ns, flags=0)]
        return self._journal(WRITE, 24, cpu)

    def committed(self, kind: str, op: int, ends: list[int]) -> None:
        """The commit block, and xfs's log record, which are FUA writes after the flush
        (journal_submit_commit_record; 6.1 fs/xfs/xfs_log.c xlog_write_iclog)."""
        if op == FLUSH and kind in ("ext3", "ext4", "xfs"):
            self._journal(FUA, 8, ends)

    def _journal(self, op: int, nr_sectors: int, after: list[int]) -> list[int]:
        """A write to the middle of the first disk that the flush comes to."""
        leaf = next(
            self.device(n)
            for n, call in enumerate(self.calls)
            if not self.maker.position(call).shape.children
        )
        request = Request(leaf, op, leaf.size_sectors // 2 // 8 * 8, nr_sectors)
        return self.maker.requests.add(self.flow, request, after)

    # --- before the requests go down --------------------------------------------------------------

    def before(self, numbers: Sequence[int], cpu: list[int]) -> list[int]:
        """What a task's requests wait for: a log's entry, a bitmap's bit, a new block."""
        for number in numbers:
            cpu = self._delayed(number, cpu)
            if self.writes(number):
                cpu = self._logged(number, cpu)
                cpu = self._marked(number, cpu)
                cpu = self._zeroed(number, cpu)
        return cpu

    def _delayed(self, number: int, cpu: list[int]) -> list[int]:
        """dm-delay: a timer wakes kdelayd (6.1 drivers/md/dm-delay.c)."""
        parent = self.calls[number].parent
        if parent < 0 or self.device(parent).kind != "dm-delay":
            return cpu
        ns = float(self.device(parent).params["delay"])
        timer = self.maker.stations.timer(self.device(parent))
        return [self.flow.visit(timer, ns, after=cpu)] if ns else cpu

    def _logged(self, number: int, cpu: list[int]) -> list[int]:
        """DRBD: a write to an extent that is not in the activity log goes on in do_submit, one
        thread per device, which waits for the log's transaction and then submits what it covers
        (6.1 drivers/block/drbd/drbd_req.c do_submit, drbd_actlog.c al_write_transaction)."""
        device, maker = self.device(number), self.maker
        if not self._is_logged(number):
            return cpu
        get = maker.stations.figures.get
        leaves = [self.device(leaf) for leaf in self.leaves_below(number)]
        latency = max((float(get(leaf, "write_latency", 0)) for leaf in leaves), default=0.0)
        # while it submits one batch the next one gathers: half of what is in flight
        batch = min(AL_UPDATES, max(1, maker.flying * maker.numjobs // 2))
        ns = sum(maker.call_ns(self.calls[n], False) for n in self._below(number))
        ns += maker.charge(f"drbd_submit {device.name}", WOKEN, "estimated")
        station = maker.stations.task("drbd_submit", 1, device.name)
        return [self.flow.visit(station, 0.0, ns + latency / batch, after=cpu)]

    def _is_logged(self, number: int) -> bool:
        """Whether DRBD hands a write to the thread that keeps its activity log."""
        device = self.device(number)
        return (
            device.kind == "drbd"
            and not self.maker.stations.side
            and self.writes(number)
            and self._is_cold(device)
        )

    def submitted_by_log(self, numbers: Sequence[int]) -> set[int]:
        """Calls that a log's thread makes, not the task that brought the bio."""
        return {c for n in numbers if self._is_logged(n) for c in self._below(n)}

    def _is_cold(self, device: Device) -> bool:
        """Whether places are mostly outside what the activity log holds."""
        work = self.maker.workload
        size = min(work.size_sectors or device.size_sectors, device.size_sectors) * SECTOR_BYTES
        return work.columns is None and work.is_random and size > 2 * AL_HOT_BYTES

    def _below(self, number: int) -> list[int]:
        found, todo = [], list(self.children[number])
        while todo:
            one = todo.pop()
            found.append(one)
            todo += self.children[one]
        return found

    def _marked(self, number: int, cpu: list[int]) -> list[int]:
        """md's internal bitmap: a write to a clean chunk waits until its bit is on every member
        (6.1 md-bitmap.c md_bitmap_unplug); what is in flight together shares the write. A stream
        sets a bit for each chunk; on disks random writes nearly always find a clean one, on SSDs a
        bit set before the bitmap's daemon clears it."""
        device, maker = self.device(number), self.maker
        if device.params.get("bitmap", "none") != "internal":
            return cpu
        work, stack = maker.workload, maker.plan.stack
        members = [stack.devices[name] for name in device.on]
        is_disk = all(
            m.kind_entry.role == "leaf" and maker.stations.figures.get(m, "media") == "disk"
            for m in members
        )
        nr_bytes = max(self.calls[number].nr, 1) * SECTOR_BYTES
        shared = maker.flying * maker.numjobs
        if not work.is_random:
            shared = max(shared, BITMAP_CHUNK // nr_bytes)
        if not is_disk or maker.made % shared:
            return cpu
        return [
            end
            for member in members
            for end in maker.requests.add(self.flow, Request(member, WRITE, 16, 8), cpu)
        ]

    def _zeroed(self, number: int, cpu: list[int]) -> list[int]:
        """dm-thin: a new block is zeroed unless the bio covers it (6.1 drivers/md/dm-thin.c
        schedule_zero), by kcopyd, before the bio goes on."""
        parent = self.calls[number].parent
        if parent < 0 or self.device(parent).kind != "dm-thin":
            return cpu
        thin, pool = self.device(parent), self.device(number)
        block = int(pool.params.get("block", 0))
        if thin.params.get("blocks") != "unmapped" or self.calls[number].nr >= block:
            return cpu
        ends = list(cpu)
        for leaf in self.leaves_below(number):
            at = self.calls[leaf].sector // block * block
            request = Request(self.device(leaf), WRITE, at, block)
            ends = self.maker.requests.add(self.flow, request, ends)
        return ends

    # --- behind the answer ------------------------------------------------------------------------

    def behind(self, number: int, ends: list[int]) -> None:
        """dm-integrity's journal: what it has taken is copied to its place by integrity-writer
        (6.1 drivers/md/dm-integrity.c do_journal_write), so that every byte is written twice."""
        device = self.device(number)
        if (
            device.kind != "dm-integrity"
            or device.params["mode"] != "journal"
            or not self.writes(number)
        ):
            return
        before, own = self.flow.background, self.instead
        self.flow.background = True
        self.instead = self.maker.stations.task("integrity_writer", 1, device.name)
        self.group(self.children[number], ends)
        self.flow.background, self.instead = before, own

    # --- md: a counter, and parity ----------------------------------------------------------------

    def contended(self, numbers: Sequence[int], cpu: list[int]) -> list[int]:
        """Cores that fight over an array's count of bios: md_handle_request (6.1 drivers/md/md.c)
        reads `suspended`, adds one to `active_io` beside it and takes it off again; each moves the
        cache line. A counter per CPU since 6.3."""
        maker = self.maker
        if maker.numjobs < 2 or maker.plan.kernel.generation.name == "6.12":
            return cpu
        for number in numbers:
            device = maker.position(self.calls[number]).device
            if device.kind.startswith("md-"):
                ns = _LINE_MOVES * _line_ns(maker.stations.machine.cpus)
                station = maker.stations.line(device)
                cpu = [self.flow.visit(station, 0.0, ns, after=cpu)]
        return cpu

    def parity_ns(self, heads: Sequence[int]) -> float:
        """XOR over the bytes of a write, at the array's `bandwidth` where the config gives one."""
        parent = (
            self.calls[self.calls[heads[0]].parent]
            if self.calls[heads[0]].parent >= 0
            else (self.calls[0])
        )
        position = self.maker.position(parent)
        if position.shape.op_kind != RAID456 or self.calls[heads[0]].op == READ:
            return 0.0
        given = position.device.service.get("bandwidth")
        n_bytes = parent.nr * SECTOR_BYTES
        ns = transfer_ns(n_bytes, given or PARITY_RATE)
        members = sum(self.calls[head].nr for head in heads) // 8
        return self.maker.charge(
            f"{position.device.name} parity",
            ns * self.maker.stations.machine.instructions_per_ns
            + members * self.maker.costs.measured.per_dm_linear("write"),
            "given" if given else "estimated",
        )

    # --- DRBD: the same again on another host -----------------------------------------------------

    def is_replicated(self, call: Call) -> bool:
        """Reads are local, and an empty flush is the peer's barrier that nobody waits for (6.1
        drbd_req.c drbd_process_write_request: QUEUE_AS_DRBD_BARRIER)."""
        device = self.maker.position(call).device
        return device.kind == "drbd" and device.nic is not None and call.op not in (READ, FLUSH)

    def replicated(self, number: int, cpu: list[int]) -> list[int]:
        call, stations = self.calls[number], self.maker.stations

        def write(after: list[int]) -> list[int]:
            """The peer's stack below is this host's once more, on stations of its own."""
            stations.side += PEER
            ends = self.group(self.children[number], after)
            stations.side = stations.side.removesuffix(PEER)
            return ends

        return self.maker.links.replicated(
            self.flow, self.maker.position(call).device, call.op, call.nr * SECTOR_BYTES, cpu, write
        )

    # --- dm-crypt: bytes through a cipher, where the workqueues say -------------------------------

    def _crypt_ns(self, call: Call) -> float:
        device, machine = self.maker.position(call).device, self.maker.stations.machine
        n_bytes, rate = call.nr * SECTOR_BYTES, device.service.get("bandwidth")
        if rate is None:
            rate = round(machine.ghz * 1e9 / CIPHER_CYCLES)
        units = n_bytes / int(device.params.get("sector_size", SECTOR_BYTES))
        instructions = transfer_ns(n_bytes, rate) * machine.instructions_per_ns
        return self.maker.charge(
            f"{device.name} cipher", instructions + units * CIPHER_UNIT, "estimated"
        )

    def _is_crypt(self, number: int, *ops: int) -> bool:
        call = self.calls[number]
        return self.maker.position(call).device.kind == "dm-crypt" and call.op in ops

    def _queued(self, number: int, op: str) -> bool:
        """Whether kcryptd does it (6.1: no no_read_workqueue, no no_write_workqueue)."""
        device = self.maker.position(self.calls[number]).device
        return op in str(device.params.get("workqueue", "read+write")).split("+")

    def inline_crypt(self, number: int) -> float:
        """Encryption in the caller: without a write workqueue."""
        hands_over = any(
            self.calls[c].task != self.calls[number].task for c in self.children[number]
        )
        if not self._is_crypt(number, WRITE, FUA) or hands_over:
            return 0.0
        return self._crypt_ns(self.calls[number])

    def encrypted(self, number: int, after: list[int]) -> list[int]:
        """kcryptd encrypts before dmcrypt_write submits."""
        if not self._is_crypt(number, WRITE, FUA):
            return after
        return self._kcryptd(number, after)

    def decrypted(self, number: int, ends: list[int]) -> list[int]:
        """A read is decrypted when its data are there: by kcryptd, or where it completes (on the
        submitter's CPU)."""
        if not self._is_crypt(number, READ):
            return ends
        if self._queued(number, "read"):
            return self._kcryptd(number, ends)
        ns = self._crypt_ns(self.calls[number])
        station, flags = self.maker.submitter()
        return [self.flow.visit(station, 0.0, ns, after=ends, flags=flags)]

    def _kcryptd(self, number: int, after: list[int]) -> list[int]:
        device = self.maker.position(self.calls[number]).device
        station = self.maker.stations.task("kcryptd", self.maker.stations.machine.cpus, device.name)
        # process_one_work, kcryptd_crypt
        worker = WOKEN + 2 * self.maker.costs.per_function(1)
        ns = self._crypt_ns(self.calls[number]) + self.maker.charge(
            f"kcryptd {device.name}", worker, "estimated"
        )
        return [self.flow.visit(station, 0.0, ns, after=after)]


def _line_ns(cpus: int) -> float:
    """A dirty cache line from core to core, assumed: 60 ns inside a socket and 120 ns between two;
    more than 32 cores are taken for two sockets, between which half of the moves go."""
    return 60.0 if cpus <= 32 else 90.0
