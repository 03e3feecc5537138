"""Which kernel stands for a release: every such choice, over the profiles that ship.

A host's kernel is of a series (6.12; with 2.x also the third number: 2.6.18), an architecture and
a flavour. A shipped kernel of the same three stands for it: another build of it may differ in
frames, which is said. One that differs in any of the three gives no verdict.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from blockstack.generations import generation_of, lineage
from blockstack.kernel.profiles import PROFILES

#: where nothing tells which kernel it is
DEFAULT = "linux-6.1-x86_64"
#: what a config says of a host whose kernel no source told
UNKNOWN = "unknown"

_MACHINES = {"amd64": "x86_64", "x86-64": "x86_64", "arm64": "aarch64"} | dict.fromkeys(
    ("i386", "i486", "i586", "i686", "x86", "athlon"), "i386"
)
#: as distributions write an architecture into a release
_ARCH_WORDS = (
    (r"amd64|x86[_-]64", "x86_64"),
    (r"i[3-6]86|pae|(?<=-)686", "i386"),
    (r"arm64|aarch64", "aarch64"),
    (r"armmp|armv\w+|armhf", "arm"),
    (r"s390x|ppc64le|ppc64el|powerpc\w*|riscv64|loongarch64|loong64|mips\w*|ia64|sparc64", ""),
)
#: what makes another kernel of the same source: PREEMPT_RT, a kernel for guests, other schedulers,
#: checks or instrumentation that every frame has
_FLAVOUR = re.compile(
    r"(?:^|[-+._])(rt|realtime|cloud|xen|hardened|kasan|debug|lowlatency|zen)[0-9]*(?=$|[-+._])"
)
_FLAVOURS = {"realtime": "rt"}


@dataclass(frozen=True)
class Build:
    """One build of a kernel, as ``uname`` tells it.

    Attributes
    ----------
    release : str
        ``uname -r``: ``6.12.117+deb12-amd64``; empty: not told.
    machine : str
        ``uname -m``; empty: not told.
    real_time : bool
        ``uname -v`` says PREEMPT_RT.
    """

    release: str = ""
    machine: str = ""
    real_time: bool = False

    @classmethod
    def parse(cls, text: str) -> "Build":
        """What `__str__` wrote: release and machine."""
        words = text.split()
        if text == UNKNOWN or not words:
            return cls()
        plain = [word for word in words[1:] if word != "PREEMPT_RT"]
        return cls(words[0], plain[-1] if plain else "", len(plain) < len(words) - 1)

    def __str__(self) -> str:
        """``6.12.117+deb12-amd64 x86_64``; ``unknown`` when nothing told it."""
        if not self.release:
            return UNKNOWN
        return " ".join(
            filter(None, (self.release, "PREEMPT_RT" if self.real_time else "", self.machine))
        )

    @property
    def version(self) -> tuple[int, ...]:
        """``(6, 12, 117)``; empty when the release does not begin with one."""
        match = re.match(r"([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?", self.release)
        return tuple(int(part or 0) for part in match.groups()) if match else ()

    @property
    def series(self) -> tuple[int, ...]:
        """``(6, 12)``, ``(2, 6, 18)``; empty when it is not told."""
        return self.version if self.version[:1] < (3,) else self.version[:2]

    @property
    def arch(self) -> str:
        """The kernel's: as its release says, else as the machine is called; may be empty."""
        for pattern, arch in _ARCH_WORDS:
            if found := re.search(rf"(?:{pattern})(?![a-z0-9])", self.release.lower()):
                return arch or found[0]
        return _MACHINES.get(self.machine.lower(), self.machine)

    @property
    def flavour(self) -> str:
        """``rt``, ``cloud``, ``xen`` and the like, or empty."""
        if found := _FLAVOUR.search(self.release.lower()):
            return _FLAVOURS.get(found[1], found[1])
        return "rt" if self.real_time else ""


@dataclass(frozen=True)
class Choice:
    """The kernel that stands for a host's.

    Attributes
    ----------
    name : str
    assumed : str
        What taking it for the host's own takes for granted; empty: nothing.
    doubt : str
        Why a depth on it is no verdict on the host; empty: it is one.
    """

    name: str
    assumed: str = ""
    doubt: str = ""


def build_of(kernel: str, arch: str) -> Build:
    """A frame table's own: of ``linux-image-6.1.0-56-amd64 6.1.192-2`` and the like."""
    found = re.search(r"[0-9]+\.[0-9]+\S*", kernel)
    return Build(found[0] if found else "", arch, "PREEMPT_RT" in kernel)


def stands_for(host: Build) -> Choice:
    """The shipped kernel that stands for a host's own.

    Parameters
    ----------
    host : Build
        What ``uname`` says on it.

    Returns
    -------
    Choice
        Of the host's series, architecture and flavour, if one ships. Else the nearest one of its
        architecture, with the doubt: its depths are to look at, not a verdict.
    """
    if not host.version:
        return standing(DEFAULT, _build(DEFAULT), host)
    near = by_nearness(host)
    same = (name for name in (*near, *PROFILES) if not _differs(_build(name), host))
    name = next(same, near[0])
    return standing(name, _build(name), host)


def standing(name: str, own: Build, host: Build) -> Choice:
    """What it takes to let a kernel stand for a host's that nobody has said it stands for.

    Parameters
    ----------
    name : str
        A shipped kernel, or what a frame table is called.
    own, host : Build
        What the kernel is, and what the host says of its own.
    """
    if not host.version:
        return Choice(name, f"no source tells the host's kernel; {name} is assumed")
    if what := _differs(own, host):
        return Choice(
            name,
            doubt=f"the host runs {host}; {name} is of another {what}, so there is no verdict: "
            "--kernel says which kernel stands for it",
        )
    assumed = []
    if not host.arch:
        assumed.append(f"no source tells the architecture; {own.arch} is assumed")
    if host.release != own.release:
        assumed.append(f"the host runs {host.release}, {name} is another build: {own.release}")
    if sizes := _thread_sizes(name):
        assumed.append(f"{sizes} stacks uname does not tell; {name} is assumed")
    return Choice(name, "; ".join(assumed))


def named_for(name: str, own: Build, host: Build) -> Choice:
    """The same where somebody has said so: a difference is shown, and is no doubt."""
    if not host.version:
        return Choice(name)
    if what := _differs(own, host):
        return Choice(
            name, f"the host runs {host}; {name}, of another {what}, was said to stand for it"
        )
    return Choice(name, standing(name, own, host).assumed if host.release != own.release else "")


def candidates(host: Build) -> tuple[str, ...]:
    """The shipped kernels that a host may run whose release no source tells.

    Those of its architecture, or of the default's, from the default's series on: what came before
    names itself by its age. Where some of them ship with the rows of their host drivers, those
    alone: a source that does not tell the kernel seldom tells the driver.
    """
    archs = {profile.platform.arch for profile in PROFILES.values()}
    arch = host.arch if host.arch in archs else _build(DEFAULT).arch
    builds = {name: _build(name) for name in PROFILES}
    every = tuple(
        name
        for name, build in builds.items()
        if build.arch == arch and not build.flavour and build.series >= _build(DEFAULT).series
    )
    return tuple(name for name in every if _has_host_drivers(name)) or every


def _has_host_drivers(name: str) -> bool:
    rows = resources.files("blockstack.kernel") / "data" / "hosts" / PROFILES[name].data
    return rows.is_file()


def closest(release: str, arch: str, named: Mapping[str, Build]) -> str | None:
    """Of kernels that were named and those that ship, the one to lay beside a measured kernel.

    Returns
    -------
    str or None
        A named one of this release, else of its series, else the shipped one of its series, else
        a named one of the architecture.
    """
    host = Build(release, arch)
    fit = {name: build for name, build in named.items() if build.arch == host.arch}
    same = [name for name, build in fit.items() if build.series == host.series]
    exact = [name for name in same if fit[name].release == release]
    shipped = stands_for(host)
    own = [] if shipped.doubt else [shipped.name]
    return next(iter((*exact, *same, *own, *fit)), None)


def shipped_like(generation: str, arch: str) -> tuple[str, ...]:
    """The shipped kernels of a generation, or of the nearest one that it stands on."""
    for one in lineage(generation):
        found = tuple(
            name
            for name, profile in PROFILES.items()
            if profile.generation == one and arch in ("", profile.platform.arch)
        )
        if found:
            return found
    return ()


def of_version(version: tuple[int, ...], arch: str) -> tuple[str, ...]:
    """Shipped kernels of an architecture, those of the generation that spans a version if any.

    ``version`` (0, 0, 0) and ``arch`` "": not told.
    """
    gen = generation_of(version)
    of_arch = tuple(n for n, p in PROFILES.items() if arch in ("", p.platform.arch))
    return (shipped_like(gen.name, arch) if gen else ()) or of_arch


def by_nearness(host: Build) -> tuple[str, ...]:
    """The shipped kernels of a host's architecture, the one that is most like its own first.

    Of the generation that spans the host's version, then the next newer ones, then older ones;
    where no kernel of the architecture ships, those of the default's.
    """
    archs = {profile.platform.arch for profile in PROFILES.values()}
    arch = host.arch if host.arch in archs else PROFILES[DEFAULT].platform.arch
    spanning = of_version(host.version, arch)

    def distance(name: str) -> tuple[bool, bool, tuple[int, ...]]:
        series = _build(name).series
        older = series < host.series
        return (
            name not in spanning,
            older,
            tuple(-n for n in series) if older else series,
        )

    of_arch = [name for name, profile in PROFILES.items() if profile.platform.arch == arch]
    return tuple(sorted(of_arch, key=distance))


def _build(name: str) -> Build:
    """What a shipped kernel is."""
    return Build(PROFILES[name].release, PROFILES[name].platform.arch)


def _differs(own: Build, host: Build) -> str:
    """In what a kernel is another one than the host's, as far as the host tells; or empty."""
    if own.series != host.series:
        return "series"
    if host.arch not in ("", own.arch):
        return "architecture"
    return "flavour" if own.flavour != host.flavour else ""


def _thread_sizes(name: str) -> str:
    """``whether with 4K or 8K`` where the same kernel ships with several thread sizes."""
    if name not in PROFILES:
        return ""
    sizes = sorted(
        profile.platform.thread_size_bytes // 1024
        for profile in PROFILES.values()
        if profile.data == PROFILES[name].data
    )
    return "whether with " + " or ".join(f"{n}K" for n in sizes) if len(sizes) > 1 else ""
