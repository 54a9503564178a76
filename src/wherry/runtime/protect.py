"""A sealed copy of the interpreter to run from (CVE-2019-5736).

A container can execute `/proc/self/exe` while we are about to become its program, and so get hold
of the file that we run from. Where that is a memfd which nobody can write to any more, there is
nothing to be had; the copy costs 3 ms.
"""

import fcntl
import os
import sys

from wherry.kit.errors import PreconditionFailed

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_CHUNK = 1 << 24


def is_sealed() -> bool:
    """Whether this process runs from a file that can never be written to."""
    descriptor = os.open("/proc/self/exe", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS == _SEALS
    except OSError:
        return False  # EINVAL: an ordinary file
    finally:
        os.close(descriptor)


def require_sealed() -> None:
    """Raises PreconditionFailed in a process that a container could overwrite."""
    if not is_sealed():
        raise PreconditionFailed(
            "containers are made from a sealed interpreter only; "
            "call wherry.runtime.protect.run_sealed first, or use wherry-runtime"
        )


def sealed_copy(path: str = "/proc/self/exe") -> int:
    """A descriptor on a sealed copy of a program, close-on-exec."""
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        try:
            copy = os.memfd_create("wherry-runtime", flags | _MFD_EXEC)
        except OSError:  # before kernel 6.3 every memfd is executable
            copy = os.memfd_create("wherry-runtime", flags)
        while os.sendfile(copy, source, None, _CHUNK):
            pass
        fcntl.fcntl(copy, fcntl.F_ADD_SEALS, _SEALS)
        return copy
    finally:
        os.close(source)


_MFD_EXEC = 0x10


def run_sealed(statement: str, arguments: list[str], search: str) -> None:
    """Replace this process by a sealed interpreter that runs a statement; returns never.

    `search` is put on sys.path. The new one gets no user's or site's packages (-I -S): the
    runtime needs the standard library alone, and starts faster.
    """
    copy = sealed_copy()
    # a real path as argv[0], or the interpreter does not find its library
    program = os.path.realpath(sys.executable)
    code = f"import sys; sys.path.insert(0, {search!r}); {statement}"
    argv = [program, "-I", "-S", "-X", "utf8", "-c", code, *arguments]
    os.execve(f"/proc/self/fd/{copy}", argv, dict(os.environ))
