"""NVMe over TCP and DRBD over a network card, against closed forms."""

import math

import pytest
from queueing import mva

import blockstack as bs
from blockstack.kernel import load_kernel
from blockstack.kinds.service import DEFAULTS
from blockstack.scenario.config import parse_config

KERNEL = load_kernel("linux-6.1-x86_64")
RTT, GIGABIT = 100e3, 8.0  # ns, and ns per byte
CARD = 'rtt = "100 us", bandwidth = "1 Gbit/s"'
SSD = (
    'media = "ssd", read_latency = "300 us", write_latency = "200 us", program = "0 us", '
    'channels = 64, bandwidth = "100 GB/s", write_bandwidth = "100 GB/s", queue_depth = 64'
)
EXPONENTIAL = SSD + ', distribution = "exponential"'


def wire(n_bytes):
    """A message in frames of 1,538 bytes on the wire, which carry 1,448 of TCP's payload."""
    return n_bytes + max(1, math.ceil(n_bytes / 1448)) * 90


def config(devices, workload, card=CARD):
    return parse_config(
        f'kernel = "{KERNEL.name}"\n[devices.eth0]\nkind = "nic"\n'
        f"service = {{ {card} }}\n{devices}\n[workload]\n{workload}\n"
        "direct = true\n[machine]\nghz = 20.0\nipc = 8.0\n"
    )


def nvme(service, workload, card=CARD):
    return config(
        '[devices.n]\nkind = "nvme-tcp"\nsize = "10 GiB"\nnic = "eth0"\n'
        f"service = {{ {service} }}\n",
        workload,
        card,
    )


def drbd(service, workload, *, protocol, more="", card=CARD, nic='nic = "eth0"'):
    return config(
        f'[devices.d]\nkind = "nvme"\nsize = "8 GiB"\nservice = {{ {service} }}\n'
        f'[devices.r]\nkind = "drbd"\non = "d"\nprotocol = "{protocol}"\n{nic}\n'
        f"service = {{ {more} }}\n",
        workload,
        card,
    )


def found(case, **load):
    return bs.capacity(
        case.stack, case.workload, kernel=KERNEL, machine=case.machine, **{"bios": 20_000, **load}
    )


def station(result, label):
    return next(s for s in result.stations if s.label == label)


def cpu_ns(result):
    return sum(s.demand_ns for s in result.stations if s.part == "cpu")


CONSTANT = SSD + ', distribution = "constant"'
SIZES = 'rw = "randwrite"\nbs = {}'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workload", "more", "trips", "messages", "media"),
    [
        ('rw = "randread"', "", 1, (72, 4096 + 24 + 24), 300e3),
        (SIZES.format(16384), "", 1, (72 + 16384, 24), 200e3),  # in the capsule, all of it
        (SIZES.format(16896), "", 2, (72, 16896 + 24, 24), 200e3),  # nothing of it: an R2T first
        (SIZES.format(1048576), "", 2, (72, 1048576 + 24, 24), 200e3),  # one R2T for all
        (SIZES.format(262144), ", max_burst = 65536", 5, (72, *[65536 + 24] * 4, 24), 200e3),
        (SIZES.format(8192), ", first_burst = 4096", 2, (72, 8192 + 24, 24), 200e3),
    ],
)
def test_an_nvme_tcp_request_alone(workload, more, trips, messages, media):
    """Round trips, bytes on the wire, the media: nothing is random."""
    result = found(nvme(CONSTANT + more, workload), bios=200)
    data = result.bytes_per_second / result.iops
    assert result.latency_ns == pytest.approx(
        trips * RTT + GIGABIT * sum(map(wire, messages)) + media + data / 100 + cpu_ns(result),
        rel=1e-6,
    )
    assert station(result, "eth0 wire").demand_ns == pytest.approx(trips * RTT)


def test_an_nvme_tcp_link_is_m_d_1():
    """Writes at random times on a link that is 80 % busy (Pollaczek-Khinchine)."""
    service = GIGABIT * wire(72 + 4096)
    result = found(nvme(SSD, 'rw = "randwrite"'), rate_iops=0.8e9 / service, bios=150_000)
    link = station(result, "eth0 send")
    assert link.service_ns == pytest.approx(service, rel=1e-4)
    assert link.utilisation == pytest.approx(0.8, rel=0.02)
    assert link.wait_ns == pytest.approx(0.8 * service / (2 * (1 - 0.8)), rel=0.06)


def test_an_nvme_tcp_link_is_the_bottleneck():
    result = found(nvme(SSD, 'rw = "randread"'), iodepth=64)
    assert result.bottleneck == "eth0 receive"
    assert result.iops == pytest.approx(1e9 / (GIGABIT * wire(4096 + 48)), rel=0.01)


def test_drbd_c_waits_for_the_slower_of_two_disks():
    """The peer's is a message away: E[max(X, Y + r)] = m + r + m/2 exp(-r/m), exponential X, Y."""
    result = found(drbd(EXPONENTIAL, 'rw = "randwrite"', protocol="C"), bios=60_000)
    local = station(result, "submitting cpu").demand_ns
    r = RTT + GIGABIT * (wire(4096 + 40) + wire(40)) + cpu_ns(result) - local
    transfer, m = 4096 / 100, 200e3
    assert result.latency_ns == pytest.approx(
        local + transfer + m + r + m / 2 * math.exp(-r / m), rel=0.015
    )
    for name in ("d media", "d of the peer media"):
        assert station(result, name).visits_per_bio == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("write_ns", [50e3, 500e3])
def test_drbd_b_waits_for_the_peers_memory_and_a_for_neither(write_ns):
    service = CONSTANT.replace("200 us", f"{write_ns / 1e3:g} us")
    local = write_ns + 4096 / 100
    b = found(drbd(service, 'rw = "randwrite"', protocol="B"), bios=500)
    caller, sender = (
        station(b, name).demand_ns for name in ("submitting cpu", "drbd_worker (sends) r cpu")
    )
    away = sender + RTT + GIGABIT * (wire(4096 + 40) + wire(40))
    assert b.latency_ns == pytest.approx(caller + max(local, away), rel=1e-6)
    a = found(drbd(service, 'rw = "randwrite"', protocol="A"), bios=500)
    assert a.latency_ns == pytest.approx(caller + local, rel=1e-6)
    for result in (a, b):  # and yet every write goes there
        assert station(result, "d of the peer media").visits_per_bio == pytest.approx(1, rel=0.01)


@pytest.mark.slow
def test_drbd_a_fills_its_send_buffer():
    """64 KiB of 4 KiB writes are under way for a round trip: 16 in a closed network of a delay and
    the link (exact MVA up to the link's constant service)."""
    card = 'rtt = "1 ms", bandwidth = "10 Gbit/s"'
    case = drbd(SSD, 'rw = "randwrite"', protocol="A", more='send_buffer = "64 KiB"', card=card)
    result = found(case, iodepth=64)
    rate, _, _ = mva([0.8 * (4096 + 40)], 16, 1e6)
    assert result.bottleneck == "r send buffer"
    assert result.iops == pytest.approx(rate * 1e9, rel=0.01)
    large = found(
        drbd(SSD, SIZES.format(131072), protocol="A", more='send_buffer = "64 KiB"', card=card),
        iodepth=4,
        bios=3000,
    )  # each alone in the buffer
    assert large.iops == pytest.approx(1e9 / (1e6 + 0.8 * (131072 + 40)), rel=0.01)


def test_a_peer_that_is_slow_holds_the_writes_back():
    """Protocol A beyond what the disks take: the peer's buffer fills, then the send buffer."""
    slow = SSD.replace("channels = 64", "channels = 1")
    result = found(
        drbd(slow, 'rw = "randwrite"', protocol="A", more="max_buffers = 32"), iodepth=32
    )
    assert result.iops == pytest.approx(5000, rel=0.05)
    assert station(result, "r peer buffer").utilisation > 0.5


@pytest.mark.slow
def test_what_drbd_does_not_send():
    """Reads are local, an empty flush is not waited for, without a card there is no peer."""
    read = found(drbd(CONSTANT, 'rw = "randread"', protocol="C"), bios=200)
    assert read.latency_ns == pytest.approx(300e3 + 4096 / 100 + cpu_ns(read), rel=1e-6)
    alone = found(drbd(CONSTANT, 'rw = "randwrite"', protocol="C", nic=""), bios=200)
    assert not [s for s in read.stations + alone.stations if "peer" in s.label or "eth0" in s.label]
    flushed = found(
        drbd(CONSTANT + ', flush_latency = "10 us"', 'rw = "randwrite"\nfsync = 1', protocol="C"),
        bios=400,
    )
    flush = next(op for op in flushed.ops if op.op == "flush")
    assert flush.total.max_ns < RTT / 2
    trim = found(drbd(CONSTANT, 'rw = "randtrim"', protocol="C"), bios=200)
    assert station(trim, "eth0 send").service_ns == pytest.approx(GIGABIT * wire(40))


def test_the_peer_is_this_host_again():
    """raid1 and dm-linear under DRBD, on the peer's own stations and cores."""
    disks = "".join(
        f'[devices.d{i}]\nkind = "nvme"\nsize = "1 GiB"\nservice = {{ {SSD} }}\n' for i in range(2)
    )
    case = config(
        f'{disks}[devices.m]\nkind = "md-raid1"\non = ["d0", "d1"]\n[devices.lv]\n'
        'kind = "dm-linear"\non = "m"\n[devices.r]\nkind = "drbd"\non = "lv"\n'
        'nic = "eth0"\n',
        'rw = "randwrite"',
    )
    result = found(case, iodepth=4, bios=4000)
    for side in ("", " of the peer"):
        for name in ("d0", "d1"):
            assert station(result, f"{name}{side} media").visits_per_bio == pytest.approx(
                1, rel=0.01
            )
    here = sum(
        s.demand_ns for s in result.stations if s.part == "cpu" and "of the peer" not in s.name
    )
    assert station(result, "all cores").demand_ns == pytest.approx(here, rel=0.01)
    assert sum(layer.ns for layer in result.layers) == pytest.approx(here, rel=0.01)
    assert any("like this host's" in line for line in result.assumed)


def test_defaults_name_their_sources():
    assert "DRBD_MAX_BUFFERS_DEF" in DEFAULTS["drbd"].source
    assert "NVMF_DEF_QUEUE_SIZE" in DEFAULTS["nvme-tcp"].source
