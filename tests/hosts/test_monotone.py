"""Less said is never more certain: removing a source, or a line that describes a device which
another line still names, never turns "cannot tell" or "overflows" into "fits"."""

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from blockstack.base.errors import BlockstackError
from blockstack.engine.depth.explain import explain
from blockstack.hosts.build import build
from blockstack.hosts.model.host import Host
from blockstack.hosts.sniff import read_text

KEY = "0f" * 32


@dataclass
class Made:
    """A host as four tools print it: lines per source."""

    lsblk: list[str] = field(default_factory=list)
    table: list[str] = field(default_factory=list)
    info: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)
    minor: int = 0

    def device(self, name, number, kind, below, fstype="", where=""):
        kname = f"dm-{number.split(':')[1]}" if number.startswith("253:") else name
        for parent in below or ("",):
            self.lsblk.append(
                f'NAME="{name}" KNAME="{kname}" MAJ:MIN="{number}" SIZE="10737418240" '
                f'TYPE="{kind}" PKNAME="{parent}" FSTYPE="{fstype}" MOUNTPOINT="{where}"'
            )
        return kname, number

    def mapped(self, name, kind, target, below, uuid):
        number = f"253:{self.minor}"
        self.table.append(f"{name}: 0 {16777216 - 65536 * self.minor} {target}")
        self.info.append(f"{name} 253 {self.minor} L--w 1 1 0 {uuid}")
        self.minor += 1
        return self.device(name, number, kind, [kname for kname, _ in below])

    def sources(self):
        info = ["Name Maj Min Stat Open Targ Event UUID", *self.info]
        return [s for s in (self.lsblk, self.table, info, self.mounts) if s]


def crypt(host, on, i):
    target = f"crypt aes-xts-plain64 {KEY} 0 {on[1]} 4096"
    return host.mapped(f"luks{i}", "crypt", target, [on], f"CRYPT-LUKS2-aa-luks{i}")


def linear(host, on, i):
    return host.mapped(f"vg{i}-a", "lvm", f"linear {on[1]} 2048", [on], f"LVM-a{i}")


def thin(host, on, i):
    data = host.mapped(f"vg{i}-p_tdata", "lvm", f"linear {on[1]} 2048", [on], f"LVM-b{i}-tdata")
    meta = host.mapped(f"vg{i}-p_tmeta", "lvm", f"linear {on[1]} 4096", [on], f"LVM-c{i}-tmeta")
    target = f"thin-pool {meta[1]} {data[1]} 128 0 0"
    pool = host.mapped(f"vg{i}-p-tpool", "lvm", target, [data, meta], f"LVM-d{i}-tpool")
    return host.mapped(f"vg{i}-t", "lvm", f"thin {pool[1]} 1", [pool], f"LVM-e{i}")


def mirror(host, on, i):
    images = [
        host.mapped(f"vg{i}-m_mimage_{k}", "lvm", f"linear {on[1]} {k}", [on], f"LVM-f{i}{k}")
        for k in (0, 1)
    ]
    log = host.mapped(f"vg{i}-m_mlog", "lvm", f"linear {on[1]} 99", [on], f"LVM-g{i}")
    rows = " ".join(f"{number} 0" for _, number in images)
    target = f"mirror disk 2 {log[1]} 1024 2 {rows}"
    return host.mapped(f"vg{i}-m", "lvm", target, [*images, log], f"LVM-h{i}")


def vdo(host, on, i):
    return host.mapped(f"vdo{i}", "vdo", f"vdo V4 {on[1]} 2621440", [on], f"VDO-{i}")


def era(host, on, i):
    return host.mapped(f"odd{i}", "dm", f"era {on[1]} {on[1]} 8192", [on], "")


DISKS = {
    "nvme{}n1": "259:{}0",
    "vd{}": "252:{}6",
    "rbd{}": "251:{}",
    "mmcblk{}": "179:{}",
    "sd{}": "8:{}6",
}
LAYERS = (crypt, linear, thin, mirror, vdo, era)


@st.composite
def hosts(draw):
    host = Made()
    for i in range(draw(st.integers(1, 2))):
        form = draw(st.sampled_from(["nvme{}n1", "nvme{}n1", "vd{}", *DISKS]))
        letter = "ab"[i] if form[:2] in ("vd", "sd") else str(i)
        on = host.device(form.format(letter), DISKS[form].format(i), "disk", [])
        for n, layer in enumerate(draw(st.lists(st.sampled_from(LAYERS), max_size=2))):
            on = layer(host, on, f"{i}{n}")
        fstype = draw(st.sampled_from(["", "ext4", "xfs", "oddfs", "zfs_member"]))
        if fstype:
            where = "" if fstype == "zfs_member" else f"/m{i}"
            host.lsblk[:] = [
                line.replace('FSTYPE="" MOUNTPOINT=""', f'FSTYPE="{fstype}" MOUNTPOINT="{where}"')
                if f'KNAME="{on[0]}"' in line
                else line
                for line in host.lsblk
            ]
            if where:
                host.mounts.append(f"/dev/{on[0]} {where} {fstype} rw 0 0")
    return host.sources()


def verdict(sources):
    """What `check` says: True fits, False overflows, None cannot tell or not read."""
    host = Host()
    try:
        for lines in sources:
            read_text("\n".join(lines) + "\n", host, "text")
        return explain(build(host, skip=("unknown",)).stack, kernel="linux-6.1-x86_64").fits
    except BlockstackError:
        return None


def names_of(line):
    """The names of the device that a line describes."""
    if line.startswith("NAME="):
        return re.findall(r'(?:NAME|KNAME|MAJ:MIN)="([^"]+)"', line)[:3]
    if line.startswith("/dev/"):
        return [line.split()[1]]
    if line.startswith("Name "):
        return ["253"]
    return [line.split()[0].rstrip(":")]


def less(sources):
    """Every host that tells a source or a line less, and still names all devices."""
    for i, lines in enumerate(sources):
        yield from cut(sources, i, range(len(lines)))
        for j in range(len(lines)):
            yield from cut(sources, i, (j,))


def cut(sources, i, without):
    """The sources without some lines of one, unless a device would be gone from all of them."""
    lines = [line for j, line in enumerate(sources[i]) if j not in without]
    told = [one for one in (*sources[:i], lines, *sources[i + 1 :]) if one]
    rest = " ".join(line for one in told for line in one)
    for line in (sources[i][j] for j in without):
        known = (re.search(rf"(?<![\w-]){re.escape(n)}(?![\w-])", rest) for n in names_of(line))
        # a signature without its device is all that names the stack above
        if "_member" in line or not any(known):
            return
    yield told


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(hosts())
def test_less_said_is_never_more_certain(sources):
    assume(verdict(sources) is not True)
    for told in less(sources):
        assert verdict(told) is not True, "\n".join(line for lines in told for line in lines)


def test_some_of_these_hosts_fit():
    host = Made()
    on = thin(host, crypt(host, host.device("nvme0n1", "259:0", "disk", []), 0), 1)
    host.mounts.append(f"/dev/{on[0]} /srv ext4 rw 0 0")
    assert verdict(host.sources()) is True
