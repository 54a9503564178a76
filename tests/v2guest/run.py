"""`./dev test v2`: the tests that cgroup v2 matters to, in a guest that has it (7 minutes).

    python tests/v2guest/run.py [PATH …] [-- PYTEST ARGUMENTS]    these tests
    python tests/v2guest/run.py --shell 'COMMANDS'                 anything else

The guest sees this machine's root, read-only with a tmpfs above it, so it runs this very checkout
(a copy of src and tests as they were at the start) and its .venv. Emulated, Python is 20 times
slower than outside; a boot takes 4 seconds.
"""

import contextlib
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import guest

CHECKOUT = Path(__file__).parents[2]
DEFAULT = (
    "tests/system/cgroup",
    "tests/system/seccomp/test_load.py",
    "tests/system/runtime/test_lifecycle.py",
)
SECONDS = 1500


def main(arguments: list[str]) -> int:
    """The exit code of what ran in the guest."""
    missing = [name for name in ("apt-get", "dpkg", "unshare", "busybox") if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        print(f"skipped: the guest needs root and {', '.join(missing) or 'nothing else'}")
        return 0
    script = " ".join(arguments[1:]) if arguments[:1] == ["--shell"] else _tests(arguments)
    with _snapshot() as copies:
        mounts = "".join(f"mount --bind {shlex.quote(at)} {name}\n" for name, at in copies.items())
        place = shlex.quote(str(CHECKOUT))
        return guest.run(f"cd {place}\n{mounts}cd {place}\n{script}\n", seconds=SECONDS)


@contextlib.contextmanager
def _snapshot() -> Iterator[dict[str, str]]:
    """Copies of what somebody may edit during the run; the guest mounts them over the originals."""
    folder = guest.Parts().cache / f"snapshot-{os.getpid()}"
    copies = {name: str(folder / name) for name in ("src", "tests")}
    try:
        for name, place in copies.items():
            leave_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(CHECKOUT / name, place, symlinks=True, ignore=leave_out)
        yield copies
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tests(arguments: list[str]) -> str:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    paths = arguments[:at] or [path for path in DEFAULT if (CHECKOUT / path).exists()]
    python = str(CHECKOUT / ".venv/bin/python")
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "timeout=600"]
    return shlex.join([*command, *paths, *arguments[at + 1 :]])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the guest is ended too
    sys.exit(main(sys.argv[1:]))
