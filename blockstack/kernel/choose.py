"""Which shipped kernel stands for a host's own."""

import re

#: used where nothing is known, or where no shipped kernel is of the host's series
DEFAULT = "linux-6.1-x86_64"
_I386 = ("i386", "i486", "i586", "i686")


def kernel_for(release: str, machine: str) -> tuple[str, str]:
    """A shipped kernel's name for ``uname -r`` and ``-m``, and what that assumes.

    Returns
    -------
    name : str
    assumption : str
        Empty when the host's kernel is of the shipped one's series and architecture.
    """
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    if match is None:
        return DEFAULT, f"no source tells the host's kernel; {DEFAULT} is assumed"
    series = match[0] if match[1] == "2" else f"{match[1]}.{match[2]}"
    i386 = machine in _I386 or (not machine and re.search(r"i[3-6]86|PAE|-686", release))
    if series == "6.1" and (machine == "x86_64" or (not machine and not i386)):
        return "linux-6.1-x86_64", "" if machine else "no source tells the architecture; x86_64"
    if series == "6.1" and i386:
        return "linux-6.1-i386", ""
    if series in ("2.6.18", "2.6.24") and i386:
        name = f"linux-{series}-i386-4k"
        return name, (
            f"the host runs {release}: whether with 4K or 8K stacks uname does not tell; "
            f"4K is assumed ({name})"
        )
    name = "linux-6.1-i386" if i386 else DEFAULT
    return name, f"the host runs {release} {machine}".rstrip() + (
        f", which is not shipped; {name} stands for it (assumed)"
    )
