"""Exit status means one thing, whatever goes wrong: subprocesses, as a shell runs them."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blockstack.base.errors import BlockstackError, LimitExceeded
from blockstack.cli import app
from blockstack.cli.boundary import as_ours, bug_report, exit_status

MAIN = "configs/raid1.toml"
COMMAND = [sys.executable, "-P", "-c", "from blockstack.cli import main; main()"]


def call(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def shell(*words, **options):
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.run([*COMMAND, *map(str, words)], check=False, **given)


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (OSError(errno.ENAMETOOLONG, "File name too long", "x"), "x: file name too long; give a"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on device; free some"),
        (PermissionError(errno.EACCES, "Permission denied", b"f"), "f: permission denied; run as"),
        (MemoryError(), "memory: there is not enough"),
        (UnicodeDecodeError("utf-8", b"ab\xff", 2, 3, "invalid"), "no text in utf-8, at byte 2"),
        (UnicodeEncodeError("ascii", "\u2500", 0, 1, "range"), "PYTHONUTF8"),
        (BlockstackError("is wrong", path="here"), "here: is wrong"),
    ],
)
def test_what_user_or_system_can_mend_is_bad_input(error, part):
    ours = as_ours(error)
    assert ours is not None and part in str(ours) and "\n" not in str(ours)
    assert isinstance(ours, LimitExceeded) == isinstance(error, MemoryError)


@pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), RecursionError(), ValueError()])
def test_the_rest_is_a_bug_of_ours(error):
    assert as_ours(error) is None


@pytest.fixture
def broken(monkeypatch):
    """A command whose inside raises."""

    def to_raise(error):
        def fail(*_, **__):
            raise error

        monkeypatch.setattr("blockstack.cli.run.explain_stack", fail)

    return to_raise


def test_a_bug_is_70_with_a_report_that_can_be_pasted(broken):
    broken(TypeError("unhashable type: 'list'"))
    found = call("explain", MAIN)
    assert found.exit_code == 70 and found.stdout == ""
    first, versions, *places, last = found.stderr.splitlines()
    assert first == "error: a bug of blockstack: TypeError: unhashable type: 'list'"
    assert versions.startswith("  blockstack ") and "Python 3." in versions
    assert any("cli/run.py:" in line and "explain" in line for line in places)
    assert "no verdict" in last and "Traceback" not in found.stderr
    assert str(Path.home()) not in found.stderr


@pytest.mark.parametrize("words", [("--debug", "explain", MAIN), ("explain", MAIN, "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(broken, words):
    broken(TypeError("odd"))
    found = call(*words)
    assert found.exit_code == 70 and "Traceback (most recent call last)" in found.stderr
    broken(OSError(errno.ENOSPC, "No space left on device"))
    found = call(*words)
    assert found.exit_code == 2 and "Traceback" in found.stderr


def test_an_interrupt_is_130(broken):
    broken(KeyboardInterrupt())
    found = call("explain", MAIN)
    assert found.exit_code == 130 and found.stderr == "interrupted\n"


def test_memory_and_device_are_2_in_one_line(broken):
    broken(MemoryError("a list of bios could not grow"))
    found = call("explain", MAIN, "--json")
    assert found.exit_code == 2 and len(found.stderr.splitlines()) == 1
    assert json.loads(found.stdout)["error"]["path"] == "memory"


def test_what_is_not_a_program_s_end_keeps_its_status():
    def end(status):
        def call():
            raise SystemExit(status)

        return call

    assert [exit_status(end(s)) for s in (0, 1, 3, None, "text")] == [0, 1, 3, 0, 2]
    assert exit_status(lambda: None) == 0


def test_usage_is_bad_input():
    assert call("run", MAIN, "--no-such-option").exit_code == 2
    assert call("no-such-command").exit_code == 2


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("words", [("explain", MAIN), ("explain", MAIN, "--json"), ("capture",)])
def test_a_full_device_under_standard_output_is_2(words):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        found = shell(*words, stdout=full)
    assert found.returncode == 2
    assert found.stderr.count("error: ") == 1 and "no space left" in found.stderr
    assert "Traceback" not in found.stderr and "Exception ignored" not in found.stderr


def test_an_error_is_one_line_when_piped():
    found = shell("run", "nowhere/" + "x" * 200 + ".toml")
    assert found.returncode == 2 and len(found.stderr.splitlines()) == 1 and not found.stdout


def test_a_kernel_of_a_name_that_no_file_can_have(tmp_path):
    config = tmp_path / "long.toml"
    disk = '[devices.sda]\nkind = "scsi"\nsize = "1 TiB"\n'
    for name in ("A" * 300, "a/" * 5000, "a\\u0000b"):
        config.write_text(f'kernel = "{name}"\n{disk}')
        found = call("run", config)
        assert found.exit_code == 2 and "kernel: no such kernel" in found.output


@pytest.mark.slow
def test_an_interrupted_process_ends_with_130():
    with subprocess.Popen(
        [*COMMAND, "run", MAIN, "--bios", "2000M"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as child:
        assert child.stderr is not None
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(4)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in told


def test_a_bug_report_names_places_inside_the_package_only():
    try:
        as_ours(None.x)  # type: ignore[attr-defined]
    except AttributeError as error:
        assert not any(__file__ in line for line in bug_report(error))


@pytest.fixture(scope="module")
def explained():
    return json.loads(call("explain", MAIN, "--json").stdout)


@pytest.mark.parametrize(
    ("place", "value", "part"),
    [
        (("tasks", 0, "path", 0, "bytes"), "table", "tasks[0].path[0].bytes"),
        (("tasks", 0, "path", 0, "layer"), 7, "tasks[0].path[0].layer"),
        (("tasks", 0, "limit_bytes"), {}, "tasks[0].limit_bytes"),
        (("tasks", 0, "task"), [], "tasks[0].task"),
        (("tasks", 0, "path", 0, "function"), ["x"], "tasks[0].path[0].function"),
        (("fits",), 1, "fits"),
        (("tasks",), [], "tasks"),
        (("provenance",), 0, "provenance"),
    ],
)
def test_a_result_of_other_types_is_refused_by_place_and_value(
    explained, tmp_path, place, value, part
):
    data = json.loads(json.dumps(explained))
    at = data
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    file = tmp_path / "r.json"
    file.write_text(json.dumps(data))
    found = call("compare", file, MAIN)
    assert found.exit_code == 2 and f"r.json: {part}: expected" in found.output
    assert "got" in found.output


@pytest.mark.parametrize("text", ["", "{", "[" * 3000, '{"tasks": 1e999}', '"tasks"', "\xff"])
def test_what_is_no_result_is_refused(tmp_path, text):
    file = tmp_path / "r.json"
    file.write_bytes(text.encode("latin-1") + b' "tasks"')
    assert call("compare", file, MAIN).exit_code == 2
