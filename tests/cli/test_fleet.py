"""A fleet: rows as they come, equal stacks once, what the verdict rests on, what all come to."""

import json
from types import SimpleNamespace

import pytest
from host_sources import LSBLK
from typer.testing import CliRunner

from blockstack.cli import app, fleet
from blockstack.cli.fleet import Fleet, HostRow, Tally, _answer
from blockstack.present.tables.fleet import FleetTable

ONE = ("--kernel", "linux-6.1-x86_64")


def call(*words, **options):
    return CliRunner().invoke(app, [str(w) for w in words], **options)


@pytest.fixture
def hosts(tmp_path):
    """Four hosts, two stacks, and a text that is none."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.json").write_text(LSBLK)
    (tmp_path / "d.json").write_text(LSBLK.replace('"ext4"', '"xfs"'))
    (tmp_path / "bad.json").write_text("hello world\n")
    return tmp_path


@pytest.fixture
def explained(monkeypatch):
    """The stacks that were computed."""
    found = []
    real = fleet.explain_briefly

    def counted(stack, kernel):
        found.append((stack.name, kernel.name))
        return real(stack, kernel)

    monkeypatch.setattr(fleet, "explain_briefly", counted)
    return found


def test_equal_stacks_are_computed_once(hosts, explained):
    told = json.loads(call("check", f"{hosts}/*.json", "--json", *ONE).stdout)
    assert explained == [("a", ONE[1]), ("d", ONE[1])]
    rows = {row["host"] or "bad": row for row in told["hosts"]}
    assert rows.keys() == {"a", "b", "c", "d", "bad"}
    alike = [{k: v for k, v in rows[n].items() if k not in ("host", "source")} for n in "abc"]
    assert alike[0] == alike[1] == alike[2]
    assert told["verdicts"] == {"fits": 4, "not read": 1}
    assert told["fits"] is None


def test_what_is_there_of_a_stopped_run_can_be_read(hosts, monkeypatch):
    real = Fleet.check

    def stopped(self, source):
        if source.endswith("c.json"):
            raise KeyboardInterrupt
        return real(self, source)

    monkeypatch.setattr(Fleet, "check", stopped)
    files = [hosts / f"{name}.json" for name in "abcd"]
    out = call("check", *files, "--json", *ONE)
    assert out.exit_code == 130
    lines = out.stdout.splitlines()[1:]
    assert [json.loads(line.rstrip(","))["host"] for line in lines] == ["a", "b"]
    assert [
        line.split(",")[1] for line in call("check", *files, "--csv", *ONE).stdout.splitlines()
    ] == ["host", "a", "b"]
    plain = call("check", *files, *ONE).stdout
    assert (
        plain.splitlines()[-1].startswith("assumed on 2 of 2 hosts") or "2 hosts: 2 fits" in plain
    )


def test_a_paste_on_standard_input(hosts):
    out = call("check", "-", *ONE, input=LSBLK)
    assert out.exit_code == 0
    assert "stdin" in out.stdout and "fits" in out.stdout


def task(name, fits, peak, reasons=()):
    return SimpleNamespace(
        task=name,
        fits=fits,
        peak_bytes=peak,
        limit_bytes=1000,
        headroom_bytes=1000 - peak,
        why="; ".join(reasons),
        reasons=tuple(reasons),
    )


def test_the_reason_is_the_verdicts_not_the_deepest_tasks():
    deep = task("deep", True, 990, ["rests on assumed rows"])
    unsure = task("unsure", None, 500, ["at least: the frame table lacks f"])
    found = SimpleNamespace(tasks=(deep, unsure), fits=None, worst=deep)
    told = _answer(found)
    assert told.why == "at least: the frame table lacks f" and told.headroom_bytes == 500
    over = task("over", False, 1200)
    found = SimpleNamespace(tasks=(deep, unsure, over), fits=False, worst=over)
    assert _answer(found).why == "over needs 1,200 of 1,000 bytes"
    found = SimpleNamespace(tasks=(deep,), fits=True, worst=deep)
    assert _answer(found).why == ""


def test_reasons_are_counted_over_hosts():
    tally = Tally()
    for host, left in (("a", "/boot (oddfs)"), ("b", "sdb (odd)"), ("c", "")):
        reasons = (f"what was left out may make it deeper: {left}",) if left else ()
        tally.add(HostRow(host, host, fits=None if left else True, reasons=reasons))
    assert tally.to_dict() == {
        "verdicts": {"cannot tell": 2, "fits": 1},
        "reasons": [{"reason": "what was left out may make it deeper", "hosts": ["a", "b"]}],
    }
    assert tally.fits is None


@pytest.mark.parametrize("width", [60, 120, 200])
def test_every_row_has_the_same_widths(width):
    table = FleetTable(["a", "b" * 50], ["linux-6.1-i386", "linux-6.1-x86_64"], width)
    deepest = {
        "task": "direct read fs" * 3,
        "peak_bytes": 12345,
        "headroom_bytes": -5,
        "exact": False,
    }
    row = {
        "host": "a",
        "source": "a",
        "devices": 3,
        "kernel": "linux-6.1-x86_64",
        "fits": False,
        "read": True,
        "deepest": deepest,
        "headroom_bytes": {"linux-6.1-i386": None},
        "at_most": [],
    }
    first, second = table.row(row), table.row(row | {"deepest": None, "read": False})
    assert [c.width for c in first.columns] == [c.width for c in second.columns]
    assert first.show_header and not second.show_header
    rest = list(table.rest())
    assert len(rest) == (1 if width == 200 else 2)
