"""The twin's mapping rules: the ordered list of lower bios that one driver call emits."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import NamedTuple, TypeVar

from reference_draws import Bio, hash32, pick

from blockstack.engine.plan.arrays import (
    DISCARD,
    FLUSH,
    FRONT,
    LIMIT_DISCARD,
    LIMIT_FRONT,
    LIMIT_REST,
    LOOP,
    NLIMITS,
    NO_LIMIT,
    NOPS,
    READ,
    REST,
    REST_MAPPED,
    WRITE,
)
from blockstack.engine.plan.mappings import (
    ALIGNED_READ,
    CACHE,
    DRAINED,
    FILLED,
    FULL_STRIPE_IN_CALLER,
    MIRROR,
    PATHS,
    RAID10,
    RAID456,
    READ_IN_CALLER,
    REMAP,
    ROW_WORDS,
    SEGMENTS,
    SNAPSHOT,
    SNAPSHOT_ORIGIN,
    WRITE_BACK,
    WRITE_THROUGH,
    CacheRow,
    CopiesRow,
    ParityRow,
    SnapshotRow,
)

R = TypeVar("R", bound=NamedTuple)
BLOCK = 8  # sectors: the stripe cache of raid4/5/6 works in 4 KiB blocks


class Emission(NamedTuple):
    """One bio that a driver call hands on."""

    bio: Bio
    worker: bool  # True: a job for another task
    piece: int = 0  # number of the piece it came from


def row_of(plan: SimpleNamespace, p: int, record: type[R]) -> R:
    """The row of a position's mapping, by name."""
    at = ROW_WORDS * p
    return record(*plan.mapping[at : at + len(record._fields)])


def children_of(plan: SimpleNamespace, p: int) -> range:
    return range(plan.child_start[p], plan.child_start[p + 1])


def down(plan: SimpleNamespace, bio: Bio, c: int, lower: Bio, *, worker: bool = False) -> Emission:
    """*lower*, an offspring of *bio*, for child slot *c*; its sector still lacks the offset."""
    worker = worker or bool(plan.context[bio.position * NOPS + bio.op])
    target = plan.wchild[c] if worker else plan.child[c]
    offset = 0 if lower.op == FLUSH else plan.child_offset[c]
    return Emission(lower._replace(position=target, sector=lower.sector + offset), worker)


def segment_at(plan: SimpleNamespace, p: int, sector: int) -> int:
    """The segment of a sector; the last one goes on without end."""
    *segments, last = range(plan.seg_start[p], plan.seg_start[p + 1])
    return next((s for s in segments if sector < plan.seg_end[s]), last)


def next_boundary(plan: SimpleNamespace, bio: Bio) -> int | None:
    """First sector above ``bio.sector`` where this kind of device cuts."""
    p, sector = bio.position, bio.sector
    kind = plan.op_kind[p]
    if kind == SEGMENTS:
        s = segment_at(plan, p, sector)
        begin, chunk = plan.seg_begin[s], plan.seg_chunk[s]
        last = s + 1 == plan.seg_start[p + 1]
        ends = [] if last else [plan.seg_end[s]]
        if chunk:
            ends.append(begin + ((sector - begin) // chunk + 1) * chunk)
        return min(ends, default=None)
    if kind == RAID10:
        chunk = row_of(plan, p, CopiesRow).chunk
    elif kind == RAID456 and bio.op == READ:
        raid = row_of(plan, p, Array)
        if raid.failed or not raid.flags & ALIGNED_READ:
            return None
        chunk = raid.chunk
    elif kind in (SNAPSHOT_ORIGIN, SNAPSHOT):
        chunk = row_of(plan, p, SnapshotRow).chunk
    elif kind == CACHE:
        chunk = row_of(plan, p, CacheRow).block
    else:
        return None
    return int((sector // chunk + 1) * chunk)


def cut(plan: SimpleNamespace, bio: Bio) -> list[Bio]:
    """The pieces of a bio, in order of sectors."""
    if bio.op == FLUSH:
        return [bio]
    pieces, end = [], bio.sector + bio.nr
    rest = bio
    while (boundary := next_boundary(plan, rest)) is not None and boundary < end:
        pieces.append(rest._replace(nr=boundary - rest.sector))
        rest = rest._replace(sector=boundary, nr=end - boundary)
    return [*pieces, rest]


def map_piece(plan: SimpleNamespace, bio: Bio) -> Iterator[Emission]:
    """``children(piece)``: the lower bios of one piece, in the driver's order."""
    p, op, sector, _ = bio
    kind, slots = plan.op_kind[p], children_of(plan, p)
    if kind == REMAP:
        yield down(plan, bio, slots[0], bio)
    elif kind == SEGMENTS and op != FLUSH:
        yield map_segment(plan, bio)
    elif kind == PATHS or (kind == MIRROR and op == READ):
        yield down(plan, bio, slots[pick(sector, len(slots))], bio)
    elif kind in (SEGMENTS, MIRROR) or (kind in (RAID10, CACHE) and op == FLUSH):
        for c in slots:
            yield down(plan, bio, c, bio)
    elif kind == RAID10:
        copies = list(raid10_copies(plan, bio))
        if op == READ:
            copies = [copies[pick(sector, len(copies))]]
        for disk, lower in copies:
            yield down(plan, bio, slots[disk], bio._replace(sector=lower))
    elif kind == RAID456:
        yield from map_raid456(plan, bio)
    elif kind == SNAPSHOT_ORIGIN:
        yield from map_origin(plan, bio)
    elif kind == SNAPSHOT:
        yield from map_snapshot(plan, bio)
    elif kind == CACHE:
        yield from map_cache(plan, bio)


def map_segment(plan: SimpleNamespace, bio: Bio) -> Emission:
    s = segment_at(plan, bio.position, bio.sector)
    first, width, chunk = plan.seg_first[s], plan.seg_width[s], plan.seg_chunk[s]
    into = bio.sector - plan.seg_begin[s]
    if width == 1:
        return down(plan, bio, first, bio._replace(sector=into))
    n, inside = divmod(into, chunk)
    lower = n // width * chunk + inside
    return down(plan, bio, first + n % width, bio._replace(sector=lower))


def raid10_copies(plan: SimpleNamespace, bio: Bio) -> Iterator[tuple[int, int]]:
    """(disk, sector) of every copy: raid10_find_phys, drivers/md/raid10.c of 2.6.18."""
    p = bio.position
    disks, near, far, far_offset, chunk, stride = row_of(plan, p, CopiesRow)
    number, inside = divmod(bio.sector, chunk)
    stripe, dev = divmod(number * near, disks)
    if far_offset:
        stripe, stride = stripe * far, chunk
    base = stripe * chunk + inside
    for _ in range(near):
        for f in range(far):
            yield (dev + f * near) % disks, base + f * stride
        dev += 1
        if dev == disks:
            dev, base = 0, base + chunk


class Row(NamedTuple):
    """Which disk does what in one stripe."""

    data: list[int]  # disk of data chunk 0, 1, ...
    parity: list[int]


class Array(ParityRow):
    """A raid4/5/6: what follows from its row."""

    @property
    def data(self) -> int:
        return self.disks - self.parity

    @property
    def alive(self) -> list[int]:
        """Live disks in descending order, as handle_stripe goes through them."""
        return [d for d in reversed(range(self.disks)) if not self.failed >> d & 1]

    def row(self, stripe: int) -> Row:
        """Left-symmetric layout (raid4: the last disk holds the parity)."""
        if self.level == 4:
            return Row(list(range(self.data)), [self.disks - 1])
        pd = self.disks - 1 - stripe % self.disks
        order = [(pd + j) % self.disks for j in range(self.disks)]
        return Row(order[self.parity :], order[: self.parity])


def map_raid456(plan: SimpleNamespace, bio: Bio) -> Iterator[Emission]:
    p, op, sector, nr = bio
    raid = row_of(plan, p, Array)
    slots = children_of(plan, p)
    if op == FLUSH:
        for d in sorted(raid.alive):
            yield down(plan, bio, slots[d], bio)
    elif op == READ:
        one_chunk = sector // raid.chunk == (sector + nr - 1) // raid.chunk
        stripe, dd = divmod(sector // raid.chunk, raid.data)
        disk = raid.row(stripe).data[dd]
        if raid.flags & ALIGNED_READ and one_chunk and disk in raid.alive:
            lower = stripe * raid.chunk + sector % raid.chunk
            yield down(plan, bio, slots[disk], bio._replace(sector=lower))
        else:
            yield from raid456_read(plan, raid, bio)
    else:
        yield from raid456_write(plan, raid, bio)


def raid456_read(plan: SimpleNamespace, raid: Array, bio: Bio) -> Iterator[Emission]:
    """A read through the stripe cache; a block of a failed disk is rebuilt from all others."""
    slots = children_of(plan, bio.position)
    for block in range(bio.sector // BLOCK * BLOCK, bio.sector + bio.nr, BLOCK):
        stripe, dd = divmod(block // raid.chunk, raid.data)
        disk = raid.row(stripe).data[dd]
        lower = stripe * raid.chunk + block % raid.chunk
        part = bio._replace(sector=lower, nr=BLOCK)
        for d in [disk] if disk in raid.alive else raid.alive:
            yield down(plan, bio, slots[d], part, worker=not raid.flags & READ_IN_CALLER)


def raid456_write(plan: SimpleNamespace, raid: Array, bio: Bio) -> Iterator[Emission]:
    """Full-stripe, read-modify or reconstruct write, row of 4 KiB blocks by row."""
    slots, end = children_of(plan, bio.position), bio.sector + bio.nr
    blocks = range(bio.sector // BLOCK * BLOCK, end, BLOCK)
    for block in blocks:
        stripe, dd = divmod(block // raid.chunk, raid.data)
        row, inside = raid.row(stripe), block % raid.chunk
        mates = [(stripe * raid.data + d) * raid.chunk + inside for d in range(raid.data)]
        touched = [d for d, mate in enumerate(mates) if mate in blocks]
        covered = [d for d in touched if bio.sector <= mates[d] and mates[d] + BLOCK <= end]
        if dd != touched[-1]:
            continue  # the row is handled when its last touched block comes by
        part = bio._replace(sector=stripe * raid.chunk + inside, nr=BLOCK)
        if len(covered) == raid.data:
            for d in raid.alive:
                yield down(plan, bio, slots[d], part, worker=not raid.flags & FULL_STRIPE_IN_CALLER)
            continue
        written = {row.data[d] for d in touched} | set(row.parity)
        kept = {row.data[d] for d in range(raid.data) if d not in covered}
        read = stripe_reads(raid, written, kept)
        for disks, op in ((read, READ), (written, bio.op)):
            for d in raid.alive:
                if d in disks:
                    yield down(plan, bio, slots[d], part._replace(op=op), worker=True)


def stripe_reads(raid: Array, written: set[int], kept: set[int]) -> set[int]:
    """Disks to read before a partial write (handle_stripe_dirtying, drivers/md/raid5.c)."""

    def cost(disks: set[int]) -> int:
        return sum(1 if d in raid.alive else 2 * raid.disks for d in disks)

    reads = kept
    if raid.rmw and cost(written) < cost(kept):
        reads = written
    return set(raid.alive) if cost(reads) >= 2 * raid.disks else reads


def map_origin(plan: SimpleNamespace, bio: Bio) -> Iterator[Emission]:
    """Before the first write to a chunk its old contents go to every snapshot."""
    p = bio.position
    real, *cows = children_of(plan, p)
    chunk, threshold = row_of(plan, p, SnapshotRow)
    c = bio.sector // chunk
    if bio.op in (READ, FLUSH, DISCARD) or hash32(c) < threshold:
        yield down(plan, bio, real, bio)
        return
    whole = Bio(p, WRITE, c * chunk, chunk)
    yield down(plan, bio, real, whole._replace(op=READ), worker=True)
    for cow in cows:
        yield down(plan, bio, cow, whole, worker=True)
    yield down(plan, bio, real, bio, worker=True)


def map_snapshot(plan: SimpleNamespace, bio: Bio) -> Iterator[Emission]:
    p = bio.position
    origin, cow = children_of(plan, p)
    chunk, threshold = row_of(plan, p, SnapshotRow)
    c = bio.sector // chunk
    if bio.op == FLUSH or hash32(c) < threshold:
        yield down(plan, bio, cow, bio)
    elif bio.op == READ:
        yield down(plan, bio, origin, bio)
    elif bio.op != DISCARD:
        whole = Bio(p, WRITE, c * chunk, chunk)
        yield down(plan, bio, origin, whole._replace(op=READ), worker=True)
        yield down(plan, bio, cow, whole, worker=True)
        yield down(plan, bio, cow, bio, worker=True)


def map_cache(plan: SimpleNamespace, bio: Bio) -> Iterator[Emission]:
    """Origin and cache; a worker fills the cache after a miss and drains what was written."""
    p = bio.position
    origin, cache, *_ = children_of(plan, p)
    chunk, threshold, mode, flags = row_of(plan, p, CacheRow)
    fills, drains = bool(flags & FILLED), bool(flags & DRAINED)
    if bio.op == DISCARD:
        yield down(plan, bio, origin, bio)
    elif bio.op == READ:
        hit = hash32(bio.sector // chunk) < threshold
        yield down(plan, bio, cache if hit else origin, bio)
        if fills and not hit:
            yield down(plan, bio, cache, bio._replace(op=WRITE), worker=True)
    elif mode == WRITE_BACK:
        yield down(plan, bio, cache, bio)
        if drains:
            yield down(plan, bio, cache, bio._replace(op=READ), worker=True)
            yield down(plan, bio, origin, bio._replace(op=WRITE), worker=True)
    else:  # through or around
        yield down(plan, bio, origin, bio)
        if mode == WRITE_THROUGH:
            yield down(plan, bio, cache, bio)


class Call(NamedTuple):
    """What one driver call does."""

    emissions: list[Emission]
    splits: int
    pieces: int
    served: int  # sectors left after the limits' cut
    immediate: bool


def longest(plan: SimpleNamespace, bio: Bio) -> tuple[int, int]:
    """Sectors of the bio that the queue takes at once, and how it splits the rest off."""
    row = NLIMITS * (NOPS * bio.position + bio.op)
    most, memory, chunk, physical, logical, how = plan.limit[row : row + NLIMITS]
    if how == NO_LIMIT or bio.op == FLUSH:
        return bio.nr, NO_LIMIT
    if how == LIMIT_DISCARD:
        if bio.nr > most:
            beyond = max(0, bio.sector + most - physical) % chunk
            most -= beyond if beyond < most else 0
        return most, how
    if chunk:
        most = min(most, (bio.sector // chunk + 1) * chunk - bio.sector)
    if how == LIMIT_REST:
        whole = (bio.sector + most) // physical * physical - bio.sector
        most = whole if whole > 0 else most // logical * logical or most
        most = min(most, memory or most)
    return most, how


def driver_call(plan: SimpleNamespace, bio: Bio) -> Call:
    """One make_request call: cut, map, and put in the order of the split style."""
    p, style = bio.position, plan.split[bio.position]
    out: list[Emission] = []
    most, how = longest(plan, bio)
    front, splits, left = bio._replace(nr=min(bio.nr, most)), 0, []
    if bio.nr > most:
        rest = bio._replace(sector=bio.sector + most, nr=bio.nr - most)
        left = [Emission(rest, worker=False)]
        splits = 1
    if how != LIMIT_FRONT:
        out += left
    pieces = cut(plan, front)
    m, first = len(pieces), pieces[0]
    after = front._replace(sector=first.sector + first.nr, nr=front.nr - first.nr)
    itself = [Emission(after, worker=False)] if m > 1 else []

    def children(numbers: range) -> list[Emission]:
        return [e._replace(piece=i) for i in numbers for e in map_piece(plan, pieces[i])]

    front_part = children(range(1))
    if style == LOOP:
        out += front_part + children(range(1, m))
        splits += m - 1
    elif style == FRONT:
        out += front_part + itself
        splits += len(itself)
    elif style == REST:
        out += itself + front_part
        splits += len(itself)
    else:
        assert style == REST_MAPPED
        out += children(range(1, m)) + front_part
        splits += m - 1
    if how == LIMIT_FRONT and left:
        if style == FRONT and m > 1:  # the rest of the front is one with the rest
            out[-1] = Emission(after._replace(nr=after.nr + left[0].bio.nr), worker=False)
            splits -= 1
        else:
            out += left
            m += 1
    callers = sum(not e.worker for e in out)
    immediate = bool(plan.immediate[p]) and splits == 0 and callers == 1
    return Call(out, splits, m, front.nr, immediate)
