"""Which kernel stands for a release: series, architecture and flavour, of those that ship."""

import pytest

from blockstack.kernel import PROFILES, load_kernel
from blockstack.kernel.choose import (
    DEFAULT,
    Build,
    build_of,
    by_nearness,
    named_for,
    stands_for,
)
from blockstack.kernel.shipped import kernel_for, own_build


@pytest.mark.parametrize("name", PROFILES)
def test_a_shipped_kernel_stands_for_itself(name):
    """The release that a profile gives is the one that its frame table names."""
    profile, own = PROFILES[name], own_build(load_kernel(name))
    assert own.release == profile.release and own.arch == profile.platform.arch
    choice = stands_for(own)
    assert PROFILES[choice.name].data == profile.data and not choice.doubt
    assert "another build" not in choice.assumed


@pytest.mark.parametrize(
    "release, machine, name, part",
    [
        ("6.12.117+deb12-amd64", "x86_64", "linux-6.12-x86_64", ""),
        ("6.12.41+deb13-amd64", "x86_64", "linux-6.12-x86_64", "another build: 6.12.117"),
        ("6.1.0-9-amd64", "x86_64", "linux-6.1-x86_64", "another build: 6.1.0-56-amd64"),
        ("6.1.0-9-686-pae", "i686", "linux-6.1-i386", "another build"),
        ("6.1.5", "", "linux-6.1-x86_64", "no source tells the architecture"),
        ("6.1.0-9-amd64", "i686", "linux-6.1-x86_64", "another build"),  # under linux32
        ("2.6.18-412.el5", "i686", "linux-2.6.18-i386-4k", "4K or 8K"),
        ("2.6.18", "", "linux-2.6.18-i386-4k", "architecture; i386 is assumed"),
        ("2.6.24", "i586", "linux-2.6.24-i386-4k", "4K or 8K"),
        ("", "", DEFAULT, "no source tells the host's kernel"),
        ("rolling", "x86_64", DEFAULT, "no source tells the host's kernel"),
    ],
)
def test_a_kernel_of_the_same_series_is_judged_on(release, machine, name, part):
    choice = stands_for(Build(release, machine))
    assert choice.name == name and not choice.doubt
    assert part in choice.assumed and bool(part) == bool(choice.assumed)


@pytest.mark.parametrize(
    "release, machine, what, near",
    [
        ("2.6.18-6-amd64", "x86_64", "series", "linux-5.10-x86_64"),
        ("2.6.32-754.el6.i686", "i686", "series", "linux-6.1-i386"),
        ("2.6.20", "i686", "series", "linux-2.6.18-i386-4k"),
        ("3.10.0-1160.el7.x86_64", "x86_64", "series", "linux-5.10-x86_64"),
        ("5.14.0-427.el9.s390x", "s390x", "series", "linux-5.10-x86_64"),
        ("6.8.0-31-generic", "x86_64", "series", "linux-6.12-x86_64"),
        ("7.0.1", "x86_64", "series", "linux-7.3-x86_64"),
        ("6.1.0-9-arm64", "", "architecture", "linux-6.1-x86_64"),
        ("6.1.0-9-generic", "aarch64", "architecture", "linux-6.1-x86_64"),
        ("6.12.9-686-pae", "i686", "series", "linux-6.1-i386"),
        ("6.12.41+deb13-rt-amd64", "x86_64", "flavour", "linux-6.12-x86_64"),
        ("6.1.0-9-cloud-amd64", "x86_64", "flavour", "linux-6.1-x86_64"),
    ],
)
def test_another_kernel_gives_no_verdict(release, machine, what, near):
    host = Build(release, machine)
    choice = stands_for(host)
    assert choice.name == near and f"of another {what}" in choice.doubt and not choice.assumed
    assert release in choice.doubt and "--kernel" in choice.doubt
    said = named_for(near, Build(PROFILES[near].release, PROFILES[near].platform.arch), host)
    assert said.name == near and not said.doubt and release in said.assumed


def test_preempt_rt_is_a_flavour_whatever_the_release_is_called():
    assert stands_for(Build("6.12.41", "x86_64", real_time=True)).doubt
    assert build_of("Linux 6.12.41 #1 SMP PREEMPT_RT Debian", "x86_64").flavour == "rt"


@pytest.mark.parametrize(
    "build",
    [Build(), Build("6.1.0-9-amd64"), Build("6.1", "i686"), Build("6.1.90", "x86_64", True)],
)
def test_a_build_is_written_and_read_back(build):
    assert Build.parse(str(build)) == build


def test_the_nearest_first():
    """Of the generation that spans it, then the next newer ones, then the older ones."""
    assert by_nearness(Build("6.6.1", "x86_64")) == (
        "linux-6.12-x86_64",
        "linux-7.3-x86_64",
        "linux-6.1-x86_64",
        "linux-5.10-x86_64",
    )
    assert by_nearness(Build("5.10.1", "x86_64"))[0] == "linux-5.10-x86_64"
    assert by_nearness(Build("2.6.23", "i686"))[0] == "linux-2.6.24-i386-4k"


def test_a_kernel_is_judged_on_what_it_stands_for():
    host = Build("3.10.0-1160.el7.x86_64", "x86_64")
    for kernel, doubt in (
        (kernel_for(None, host), True),
        (kernel_for("linux-6.12-x86_64", host), True),
        (kernel_for("linux-6.12-x86_64", host, said=True), False),
        (kernel_for("linux-6.12-x86_64"), False),
    ):
        assert bool(kernel.doubt) is doubt
        assert bool(kernel.override(thread_size_bytes=8192).doubt) is doubt
    assert kernel_for(None).name == DEFAULT and "no kernel is named" in kernel_for(None).assumed
