"""One stack, a word of a parameter each: what a state of reiser4's history takes off every task."""

import pytest

import blockstack as bs
from blockstack.engine.study.words import parameter_of, words_of
from blockstack.present import plots

KERNEL = "linux-2.6.18-i386-4k"
STATES = ("2005-08", "2005-10", "2006-08")


def test_each_word_is_the_stack_with_that_word() -> None:
    """The points are the bounds of the stack whose file says the word."""
    before, after = (bs.load(f"configs/reiser4-{name}disk.toml") for name in ("before-", ""))
    found = bs.by_words(
        after.stack,
        kernel=KERNEL,
        parameter="fs.version",
        words=STATES[:2],
        workload=after.workload,
    )
    assert found.words == STATES[:2]
    for case, word in zip((before, after), STATES[:2], strict=True):
        own = bs.explain(case.stack, kernel=KERNEL, workload=case.workload).tasks
        points = {p.task: p for p in found.points if p.word == word}
        assert {t.task: (t.peak_bytes, t.fits) for t in own} == {
            name: (p.peak_bytes, p.fits) for name, p in points.items()
        }
        for task in own:
            need = max(task.peak_bytes, task.other_build_bytes) + task.interrupts_bytes
            assert points[task.task].needs_bytes == need
    assert bs.by_words(after.stack, kernel=KERNEL).words == ("",)


def test_words_are_those_that_choose_a_call_path() -> None:
    stack = bs.load("configs/reiser4-disk.toml").stack
    assert parameter_of(stack) == "fs.version"
    assert words_of(stack, "fs", "version") == STATES
    client = bs.load("configs/nfs-client.toml").stack
    assert words_of(client, "home", "transport") == ("tcp", "udp")
    assert parameter_of(bs.load("configs/partition.toml").stack) == ""
    with pytest.raises(bs.BlockstackError, match="chooses no call path"):
        words_of(stack, "fs", "height")
    with pytest.raises(bs.BlockstackError, match="no such device"):
        words_of(stack, "other", "version")


def test_the_picture_says_what_was_taken_off_and_what_is_left() -> None:
    stack = bs.load("configs/nfs-client.toml").stack
    found = bs.by_words(stack, kernel=KERNEL, parameter="home.transport", words=("tcp", "udp"))
    ax = plots.tasks(found)
    texts = [text.get_text() for text in ax.texts]
    rows = {label.get_text() for label in ax.get_yticklabels()}
    by_task = {task: [p for p in found.points if p.task == task] for task in rows}
    for tcp, udp in by_task.values():
        change = f"{udp.needs_bytes - tcp.needs_bytes:+,}".replace("-", "−")
        assert f"{change}, fits" in texts
    assert any("limit" in text for text in texts)
