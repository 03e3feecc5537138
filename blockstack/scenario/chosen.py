"""A case's kernel: its own, or the one that stands for its host's."""

from collections.abc import Callable

from blockstack.kernel import Kernel, load_kernel
from blockstack.kernel.choose import Build
from blockstack.kernel.shipped import kernel_for
from blockstack.scenario.config import Config, parse_thread_size


def load_chosen(
    case: Config,
    kernel: str | None,
    thread_size: str | None,
    load: Callable[[str], Kernel] = load_kernel,
) -> Kernel:
    """A case's kernel, or the one given instead, with the thread size that is asked for."""
    chosen = kernel_for(
        kernel or case.kernel,
        _host_of(case),
        said=kernel is not None or case.kernel_given,
        load=load,
    )
    size = (
        parse_thread_size(thread_size, "--thread-size")
        if thread_size
        else case.overrides.thread_size_bytes
    )
    return chosen.override(thread_size_bytes=size, environment=case.environment)


def _host_of(case: Config) -> Build | None:
    return Build.parse(case.host_kernel) if case.host_kernel else None


def taken_for_granted(case: Config, chosen: Kernel) -> tuple[str, ...]:
    """What a case assumes, with what letting this kernel stand for the host's does.

    What `import` wrote of the kernel is said anew, of the one that is used.
    """
    host = _host_of(case)
    written = kernel_for(case.kernel, host, said=case.kernel_given).taken if host else ()
    return tuple(
        dict.fromkeys((*(one for one in case.assumed if one not in written), *chosen.taken))
    )
