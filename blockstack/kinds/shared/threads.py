"""Kernel threads: roots of the paths that do not begin in a system call or an interrupt."""


def kthread(*via: str) -> tuple[str, ...]:
    """A kernel thread's root."""
    return ("@kthread", "kthread?", *via)


def kworker(work: str) -> tuple[str, ...]:
    """A work item on a workqueue's thread: run_workqueue to 2.6.24, process_one_work since."""
    return kthread(">worker_thread", "run_workqueue|process_one_work", ">" + work)


WORK_FILES = ("kernel/kthread.c", "kernel/workqueue.c")
