# The door: arrays, lengths, indexes and memory are checked here, once; nothing in the loop can
# fail but by what the load does, and that it says.

cdef object MOST_BYTES = 1 << 31        # of memory for the bios in flight
cdef object MOST_STREAMS = 64           # each with histograms of 2.7 MB

cdef tuple SERVICE_FIELDS = (           # name, dtype, length
    ("kind", "uint8", "S"), ("dist", "uint8", "S"), ("servers", "int32", "S"),
    ("pool", "int32", "S"), ("merge", "uint8", "S"), ("lookahead", "int32", "S"),
    ("most_sectors", "int64", "S"), ("disk_ns", "float64", "S5"), ("quantiles", "float64", "Q"),
    ("table", "int32", "S"), ("spread", "int32", "S"), ("cores", "int32", "C"),
    ("node_start", "int32", "T1"), ("op", "uint8", "T"), ("bio_bytes", "int64", "T"),
    ("station", "int32", "N"), ("flags", "uint8", "N"), ("random_ns", "float64", "N"),
    ("constant_ns", "float64", "N"), ("sector", "int64", "N"), ("end", "int64", "N"),
    ("node_op", "uint8", "N"), ("succ_start", "int32", "N1"), ("succ", "int32", "E"),
)


cdef size_t _address(array) except? 0:
    return array.ctypes.data


def _fields(plan):
    sizes = {"S": len(plan.kind), "C": len(plan.cores), "T": len(plan.op), "N": len(plan.station),
             "E": len(plan.succ), "Q": len(plan.quantiles)}
    sizes |= {"S5": 5 * sizes["S"], "T1": sizes["T"] + 1, "N1": sizes["N"] + 1}
    if not (sizes["S"] and sizes["T"] and sizes["N"]):
        raise ValueError("station: at least one station, one template and one node")
    out = {}
    for name, dtype, size in SERVICE_FIELDS:
        array = getattr(plan, name)
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1 \
                or not array.flags.c_contiguous or len(array) != sizes[size]:
            raise ValueError(f"{name}: must be a C-contiguous {dtype} array of {sizes[size]}")
        out[name] = array
    return out


def _rule(wrong, name, text):
    if np.any(wrong):
        raise ValueError(f"{name}[{int(np.flatnonzero(wrong)[0])}]: {text}")


def _check_stations(f):
    _rule(f["kind"] > TOKENS, "kind", "no such kind of station")
    _rule(f["dist"] > DISK, "dist", "no such distribution")
    _rule(f["servers"] < 1, "servers", "at least one")
    _rule((f["spread"] < 1) | (np.arange(len(f["spread"])) + f["spread"] > len(f["spread"])),
          "spread", "as many stations as there are from here on")
    _rule((f["pool"] < -1) | (f["pool"] >= len(f["cores"])), "pool", "no such pool")
    _rule((f["kind"] != QUEUE) & ((f["pool"] >= 0) | (f["merge"] != 0) | (f["dist"] == DISK)),
          "kind", "only a queue has a pool, merges, or a moving head")
    _rule((f["lookahead"] < 1) | (f["lookahead"] > PICKS), "lookahead", f"1 to {PICKS}")
    _rule(f["cores"] < 1, "cores", "at least one")
    _rule(~np.isfinite(f["disk_ns"]) | (f["disk_ns"] < 0), "disk_ns", "not a time")
    _rule(~np.isfinite(f["quantiles"]) | (f["quantiles"] < 0), "quantiles", "not a time")
    tables = len(f["quantiles"]) // QUANTILES
    if len(f["quantiles"]) % QUANTILES:
        raise ValueError(f"quantiles: {QUANTILES} per table")
    _rule((f["dist"] == EMPIRICAL) & ((f["table"] < 0) | (f["table"] >= tables)), "table",
          "no such table")


def _check_csr(name, start, total, least):
    if start[0] != 0 or start[-1] != total or np.any(np.diff(start) < least):
        raise ValueError(f"{name}: must go from 0 to {total} and not fall")


def _check_nodes(f, jobs):
    stations, nodes = len(f["kind"]), len(f["station"])
    _check_csr("node_start", f["node_start"], nodes, 1)
    _check_csr("succ_start", f["succ_start"], len(f["succ"]), 0)
    last = f["station"].astype(np.int64) + np.where(f["flags"] & PER_JOB, jobs - 1, 0)
    _rule((f["station"] < 0) | (last >= stations), "station", "no such station")
    tokens = f["kind"][f["station"]] == TOKENS
    _rule(tokens & ((f["flags"] & SPREAD) != 0), "flags", "a token is of one station")
    for name in ("random_ns", "constant_ns"):
        _rule(~np.isfinite(f[name]) | (f[name] < 0) | (f[name] > 1e15), name, "not a time")
    _rule(f["node_op"] >= NOPS, "node_op", "no such op")
    _rule(f["op"] >= NOPS, "op", "no such op")
    _rule((f["sector"] < 0) | (f["end"] < f["sector"]), "sector", "not a range")
    _rule(f["bio_bytes"] < 0, "bio_bytes", "not a size")
    releases = (f["flags"] & RELEASE) != 0
    _rule(releases & ~tokens, "flags", "only a token is given back")
    template = np.repeat(np.arange(len(f["op"])), np.diff(f["node_start"]))
    local = np.arange(nodes) - f["node_start"][template]
    owner = np.repeat(np.arange(nodes), np.diff(f["succ_start"]))
    size = np.diff(f["node_start"])[template[owner]]
    _rule((f["succ"] <= local[owner]) | (f["succ"] >= size), "succ",
          "successors come later in their template")
    keys = template[tokens].astype(np.int64) * stations + f["station"][tokens]
    count = np.maximum(f["end"] - f["sector"], 1)[tokens]
    _rule(count > f["servers"][f["station"][tokens]], "end", "more tokens than there are")
    left = np.bincount(np.unique(keys, return_inverse=True)[1],
                       np.where(releases[tokens], -count, count)) if keys.size else np.zeros(0)
    _rule(left != 0, "flags", "a bio gives back as many tokens as it takes")
    foreground = np.add.reduceat((f["flags"] & BACKGROUND) == 0, f["node_start"][:-1],
                                 dtype=np.uint32)
    _rule(foreground == 0, "flags", "a bio has at least one node that it waits for")
    need = np.bincount(f["succ"] + f["node_start"][template[owner]], minlength=nodes)
    return local.astype(np.uint32), need.astype(np.uint32), np.ascontiguousarray(
        foreground, dtype=np.uint32)


def _is_plain(f, local, recorded):
    """Whether the network is queues and servers only, and every template a chain."""
    last = np.zeros(len(f["station"]), dtype=bool)
    last[f["node_start"][1:] - 1] = True
    if np.any(np.diff(f["succ_start"]) != ~last) or np.any(f["succ"] != local[~last] + 1):
        return False
    return bool(recorded == 0 and np.all(f["kind"] == QUEUE) and np.all(f["dist"] <= EXPONENTIAL)
                and np.all(f["pool"] < 0) and not np.any(f["merge"]) and not np.any(f["flags"]))


def _check_loads(loads, templates, cap, width):
    if not 1 <= len(loads) <= MOST_STREAMS:
        raise ValueError(f"loads: 1 to {MOST_STREAMS}")
    if len(loads) > 1 and any(load.mode == TRACE for load in loads):
        raise ValueError("loads: a trace is alone")
    if sum(load.jobs for load in loads) > 1 << 20:
        raise ValueError("jobs: at most 2**20")
    if sum(load.jobs * load.depth for load in loads if load.mode == CLOSED) > cap:
        raise ValueError("max_flying: less than jobs * depth")
    for load in loads:
        first, count = load.templates or (0, templates)
        if first < 0 or count < 1 or first + count > templates:
            raise ValueError(f"templates: {first}, {count} of {templates}")
        _check_load(load)
    if cap * width * (sizeof(Visit) + sizeof(Event) + 4) > MOST_BYTES or cap * width >= 1 << 31:
        raise ValueError(f"max_flying: {cap} bios of {width} visits need too much memory")


def _check_load(load):
    if load.mode not in (CLOSED, OPEN, PACED, TRACE):
        raise ValueError(f"mode: no such load, got {load.mode}")
    if not 1 <= load.jobs <= 1 << 20 or not 1 <= load.depth <= 1 << 20:
        raise ValueError("jobs, depth: 1 to 2**20")
    if load.mode in (OPEN, PACED) and not 0 < load.gap_ns < 1e15:
        raise ValueError(f"gap_ns: must be positive, got {load.gap_ns}")
    if not 0 <= load.think_ns < 1e15:
        raise ValueError(f"think_ns: not a time, got {load.think_ns}")
    times = load.times_ns
    if not isinstance(times, np.ndarray) or times.dtype != "float64" or times.ndim != 1 \
            or not times.flags.c_contiguous:
        raise ValueError("times_ns: must be a C-contiguous float64 array")
    if len(times) and (not np.all(np.isfinite(times)) or np.any(np.diff(times) < 0)
                       or times[0] < 0):
        raise ValueError("times_ns: must not fall, and begin at 0 or later")


cdef class _Sim:
    """Everything that a run needs, allocated before it starts."""
    cdef Sim c
    cdef object keep

    def __cinit__(self, plan, loads, seed, max_flying, record):
        memset(&self.c, 0, sizeof(Sim))
        f = _fields(plan)
        _check_stations(f)
        jobs = [load.jobs for load in loads]
        local, need, foreground = _check_nodes(f, sum(jobs))
        width = int(np.diff(f["node_start"]).max())
        _check_loads(loads, len(f["op"]), max_flying, width)
        first, count = record
        cdef Sim *s = &self.c
        s.plain = len(loads) == 1 and _is_plain(f, local, count)
        s.n_stations = len(f["kind"])
        s.templates = len(f["op"])
        s.width = width
        s.cap = max_flying
        s.stations = <Station *>calloc(s.n_stations, sizeof(Station))
        s.pools = <Pool *>calloc(len(f["cores"]) + 1, sizeof(Pool))
        s.nodes = <Node *>calloc(len(need), sizeof(Node))
        s.visits = <Visit *>calloc(<size_t>s.cap * s.width, sizeof(Visit))
        s.bios = <Bio *>calloc(s.cap, sizeof(Bio))
        s.todo = <u32 *>calloc(<size_t>s.cap * s.width + 1, sizeof(u32))
        s.n_streams = len(loads)
        s.streams = <Stream *>calloc(s.n_streams, sizeof(Stream))
        s.tally = <Tally *>calloc(s.n_streams * NOPS, sizeof(Tally))
        waiting = sum(load.jobs * load.depth for load in loads)  # thinking, or to arrive
        s.heap = <Event *>calloc(<size_t>(s.cap * s.width + waiting + FANOUT + 2), sizeof(Event))
        if (s.stations == NULL or s.pools == NULL or s.nodes == NULL or s.visits == NULL
                or s.bios == NULL or s.todo == NULL or s.heap == NULL or s.streams == NULL
                or s.tally == NULL):
            raise MemoryError
        counts = np.zeros((2, s.n_streams * NOPS * SLOTS), dtype=np.uint64)
        stream_of = np.repeat(np.arange(s.n_streams, dtype=np.uint32), jobs)
        s.most_rows = min(count * width, 1 << 20)
        s.record_first = first
        s.record_count = count
        rows = np.zeros((s.most_rows, 6))
        self.keep = {**f, "foreground": foreground, "counts": counts, "rows": rows,
                     "stream_of": stream_of, "times": loads[0].times_ns}
        s.succ = <const i32 *>_address(f["succ"])
        s.start = <const i32 *>_address(f["node_start"])
        s.op = <const u8 *>_address(f["op"])
        s.bytes = <const i64 *>_address(f["bio_bytes"])
        s.foreground = <const u32 *>_address(foreground)
        s.lat = <u64 *>_address(counts)
        s.clat = s.lat + <size_t>s.n_streams * NOPS * SLOTS
        s.stream_of = <const u32 *>_address(stream_of)
        s.rows = <double *>_address(rows)
        s.times = <const double *>_address(loads[0].times_ns)
        s.n_times = len(loads[0].times_ns)
        self._stations(f, seed)
        self._streams(loads)
        self._nodes(f, local, need)
        self._start()

    def __dealloc__(self):
        for pointer in (<size_t>self.c.stations, <size_t>self.c.pools, <size_t>self.c.nodes,
                        <size_t>self.c.visits, <size_t>self.c.bios, <size_t>self.c.todo,
                        <size_t>self.c.heap, <size_t>self.c.streams, <size_t>self.c.tally):
            free(<void *><size_t>pointer)

    cdef void _stations(self, f, seed) except *:
        cdef Sim *s = &self.c
        cdef Station *st
        cdef u32 i
        cdef u64 key = mix64(<u64>(int(seed) & 0xFFFFFFFFFFFFFFFF) + <u64>0x9E3779B97F4A7C15ULL)
        s.key = mix64(key)
        for i in range(s.n_stations):
            st = &s.stations[i]
            st.kind = f["kind"][i]
            st.dist = f["dist"][i]
            st.servers = st.free = f["servers"][i]
            st.pool = f["pool"][i]
            st.merge = f["merge"][i]
            st.lookahead = f["lookahead"][i]
            st.most_sectors = f["most_sectors"][i]
            st.head = st.tail = NONE
            st.picks = <u64>1 << 40         # apart from the draws of service times
            st.key = mix64(key + (<u64>i + 1) * <u64>0xD1B54A32D192ED03ULL)
            st.seek_ns, st.seek_root_ns, st.period_ns, st.expire_ns, st.pass_ns = (
                float(x) for x in f["disk_ns"][5 * i:5 * i + 5])
            st.spread = f["spread"][i]
            if st.dist == EMPIRICAL:
                st.quantile = (<const double *>_address(f["quantiles"])
                               + QUANTILES * <i32>f["table"][i])
        for i in range(<u32>len(f["cores"])):
            s.pools[i].free = f["cores"][i]
            s.pools[i].head = s.pools[i].tail = NONE

    cdef void _streams(self, loads) except *:
        """Jobs are numbered through; the first stream's luck does not depend on the others."""
        cdef Sim *s = &self.c
        cdef Stream *stream
        cdef u32 i, job = 0
        for i in range(s.n_streams):
            stream = &s.streams[i]
            load = loads[i]
            first, count = load.templates or (0, s.templates)
            stream.mode = load.mode
            stream.depth = load.depth
            stream.first_job = job
            stream.jobs = load.jobs
            job += stream.jobs
            stream.first_kind = stream.next_kind = first
            stream.end_kind = first + count
            stream.gap_ns = load.gap_ns
            stream.think_ns = load.think_ns
            stream.key = s.key if i == 0 else mix64(
                s.key + <u64>i * <u64>0xD1B54A32D192ED03ULL)

    cdef void _nodes(self, f, local, need) except *:
        cdef Node *n
        cdef Py_ssize_t i
        for i in range(len(need)):
            n = &self.c.nodes[i]
            n.random_ns = f["random_ns"][i]
            n.constant_ns = f["constant_ns"][i]
            n.sector = f["sector"][i]
            n.end = f["end"][i]
            n.station = f["station"][i]
            n.need = need[i]
            n.local = local[i]
            n.first = f["succ_start"][i]
            n.count = f["succ_start"][i + 1] - n.first
            n.flags = f["flags"][i]
            n.op = f["node_op"][i]

    cdef void _start(self) except *:
        """All places free; the first bios, or the first arrivals."""
        cdef Sim *s = &self.c
        cdef Stream *stream
        cdef u32 i, j
        for i in range(s.cap):
            s.bios[i].next = i + 1 if i + 1 < s.cap else NONE
        s.free_bio = 0
        forget(s)
        for i in range(s.n_streams):
            stream = &s.streams[i]
            if stream.mode != CLOSED:
                next_arrival(s, i)
                continue
            for j in range(stream.jobs * stream.depth):
                launch(s, stream.first_job + j % stream.jobs, s.plain)
                if s.plain:
                    settle_plain(s)
                else:
                    settle(s)
