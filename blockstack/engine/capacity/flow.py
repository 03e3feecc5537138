"""One bio's calls, as the submission engine replays them, to a graph of visits.

The calls that one task makes in a row are one visit to that task; requests to leaves start when it
ends; what a driver hands to a worker starts after it, in the phases of its algorithm.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blockstack.engine.capacity.build import Flow
from blockstack.engine.capacity.cost import WOKEN
from blockstack.engine.capacity.drivers import DriverWork
from blockstack.engine.capacity.maker import FlowMaker
from blockstack.engine.capacity.requests import Request
from blockstack.engine.plan.arrays import READ
from blockstack.engine.plan.core import Call
from blockstack.engine.plan.mappings import (
    CACHE,
    RAID456,
    SNAPSHOT,
    SNAPSHOT_ORIGIN,
    ParityRow,
)


def flow_of(maker: FlowMaker, calls: Sequence[Call]) -> Flow:
    """The flow of one bio."""
    flow = _Bio(maker, calls).flow
    maker.made += 1
    return flow


@dataclass
class _Bio(DriverWork):
    """One bio's graph while it is made."""

    def __post_init__(self) -> None:
        self.children = [[] for _ in self.calls]
        for number, call in enumerate(self.calls):
            if call.parent >= 0:
                self.children[call.parent].append(number)
        first = self.calls[0]
        root = [int(r) for r in self.maker.plan.arrays.roots].index(first.position)
        source = self.maker.costs.source(root, first.op)
        name = self.maker.plan.entries[root].source
        label = name if name != self.maker.position(first).device.name else f"{name} (raw)"
        ns = self.maker.charge(label, source.instructions, source.how)
        kind = self.maker.plan.stack.devices[name].kind
        ends = self.group([0], self.journalled(kind, first.op), ns)
        self.committed(kind, first.op, ends)

    def group(self, heads: Sequence[int], after: list[int], ns: float = 0.0) -> list[int]:
        """Calls that one task makes in a row, and all below; the nodes that end them."""
        maker, task = self.maker, self.calls[heads[0]].task
        mine = list(self._own(heads, task))
        runs = list(self._requests(mine))
        moved = self.submitted_by_log(mine)
        joined = {n for run in runs for n in run[1:]}
        ns += sum(
            maker.call_ns(self.calls[n], n in joined) + self.inline_crypt(n)
            for n in mine
            if n not in moved
        )
        station, flags = maker.task_station(task)
        if maker.plan.tasks[task].context != "caller":
            worker = maker.costs.worker(task)
            ns += maker.charge(
                maker.plan.tasks[task].name,
                worker.instructions * self._hand_overs(heads) + WOKEN,
                worker.how,
            )
            ns += self.parity_ns(heads)
        if self.instead >= 0:
            station, flags = self.instead, 0
        cpu = [self.flow.visit(station, 0.0, ns, after=after, flags=flags)]
        if self.instead < 0 and maker.plan.tasks[task].context == "caller":
            cpu = self.contended(mine, cpu)
        if self.instead < 0:
            cpu = self.before(mine, cpu)
        done = self._leaves(runs, cpu)
        return [end for head in heads for end in self._ends(head, cpu, done)]

    def _own(self, heads: Iterable[int], task: int) -> Iterable[int]:
        """Calls of this task from the heads down, not those that it hands over."""
        todo = list(reversed(heads if isinstance(heads, list) else list(heads)))
        while todo:
            number = todo.pop()
            yield number
            todo += [c for c in reversed(self.children[number]) if self.calls[c].task == task]

    def _hand_overs(self, heads: Sequence[int]) -> int:
        """How often a worker goes through its loop: once per 4 KiB stripe of a raid4/5/6, where
        the requests to one stripe are handled together, else once per bio."""
        parent = self.calls[heads[0]].parent
        if parent < 0 or self.maker.position(self.calls[parent]).shape.op_kind != RAID456:
            return len(heads)
        row = self.maker.position(self.calls[parent]).shape.row
        pages = (row.row or 8) // 8 if isinstance(row, ParityRow) else 1
        return pages * len({self.calls[head].sector for head in heads})

    def _requests(self, numbers: Iterable[int]) -> Iterable[list[int]]:
        """Calls at leaves, one list per request. What goes on where another ends was merged in the
        plug or by the driver's own loop, up to the largest that a queue takes."""
        by_leaf: dict[tuple[str, int], list[int]] = {}
        for number in numbers:
            if not self.maker.position(self.calls[number]).shape.children:
                call = self.calls[number]
                device = self.maker.position(call).device
                by_leaf.setdefault((device.name, call.op), []).append(number)
        for (name, _), group in by_leaf.items():
            most = self.maker.most_sectors(name)
            yield from _runs(sorted(group, key=lambda n: self.calls[n].sector), self.calls, most)

    def _leaves(self, runs: Iterable[list[int]], cpu: list[int]) -> dict[int, list[int]]:
        """The requests after ``cpu``, and after which nodes each of their calls is complete."""
        ends: dict[int, list[int]] = {}
        for run in runs:
            first = self.calls[run[0]]
            length = sum(self.calls[n].nr for n in run)
            device = self.maker.position(first).device
            most = self.maker.most_sectors(device.name)
            end: list[int] = []
            for at in range(0, max(length, 1), most):  # bio_split_to_limits
                request = Request(device, first.op, first.sector + at, min(most, length - at))
                end += self.maker.requests.add(self.flow, request, cpu)
            ends.update(dict.fromkeys(run, end))
        return ends

    def _ends(self, number: int, cpu: list[int], done: dict[int, list[int]]) -> list[int]:
        """The nodes after which a call's bio is complete."""
        if number in done:
            return done[number]
        call = self.calls[number]
        ends = [
            end
            for c in self.children[number]
            if self.calls[c].task == call.task
            for end in self._ends(c, cpu, done)
        ]
        jobs = [c for c in self.children[number] if self.calls[c].task != call.task]
        after = self.encrypted(number, cpu) if jobs else cpu
        for phase in self._phases(call, jobs):
            after = self.group(phase, after)
        ends += after if jobs else []
        if self.is_replicated(call):
            ends += self.replicated(number, cpu)
        self.behind(number, ends or cpu)
        return self.decrypted(number, ends or cpu)

    def _phases(self, call: Call, jobs: list[int]) -> list[list[int]]:
        """What a driver's worker does, step by step.

        raid4/5/6: the reads that a write needs, then the writes (handle_stripe). A snapshot: the
        old chunk is read, copied out, then the write itself goes (kcopyd).
        """
        kind = self.maker.position(call).shape.op_kind
        reads = [j for j in jobs if self.calls[j].op == READ]
        if kind == CACHE and call.op != READ:
            return []  # dirty blocks go to the origin later: the cache is taken to have room
        if call.op == READ or not reads or kind not in (RAID456, SNAPSHOT, SNAPSHOT_ORIGIN):
            return [jobs] if jobs else []
        writes = [j for j in jobs if self.calls[j].op != READ]
        if kind == RAID456:
            return [reads, writes]
        return [reads, writes[:-1], writes[-1:]] if len(writes) > 1 else [reads, writes]


def _runs(numbers: Sequence[int], calls: Sequence[Call], most: int) -> Iterable[list[int]]:
    """Sorted calls cut where they are not contiguous, or would make too large a request."""
    run: list[int] = []
    for number in numbers:
        call = calls[number]
        if run and (
            calls[run[-1]].sector + calls[run[-1]].nr != call.sector
            or not call.nr
            or sum(calls[n].nr for n in run) + call.nr > most
        ):
            yield run
            run = []
        run.append(number)
    if run:
        yield run
