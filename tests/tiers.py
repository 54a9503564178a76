"""`./dev test [TIER …] [-- PYTEST ARGUMENTS]`: runs the tiers, as root and as a plain user.

| tier     | shows                                         | needs                        |
|----------|-----------------------------------------------|------------------------------|
| unit     | decisions, formats, parsers                   | nothing                      |
| contract | one suite a protocol, on each implementation  | nothing                      |
| system   | the real kernel: runtime, monitor, networks   | root, and again a plain user |
| compat   | the same as Docker: dockerd, runc, registries | Debian's packages            |
| journeys | what a person does, by the command line       | root, and again a plain user |
| v2       | cgroup v2, in a guest (only when asked for)   | root, Debian's packages      |
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO

SUITES = ("--aiodocker", "--docker-py")
"""Other people's suites instead of ours: `tests/compat/suites`."""
TIERS = ("unit", "contract", "system", "compat", "journeys")
TWICE = ("system", "journeys")
SIDE = ("compat",)
"""All tiers together run in two lanes, this one beside the others: most of the time they wait."""
GUEST = "v2"
HERE = Path(__file__).parent
PLAIN_USER = 65533
NO_TESTS = 5


class Run(NamedTuple):
    """A tier, as root or as a plain user."""

    title: str
    go: Callable[[TextIO | None], int]


def main(arguments: list[str]) -> int:
    """The exit code: 0 when every tier passed."""
    if arguments[:1] == ["compat"] and {word.partition("=")[0] for word in arguments} & {*SUITES}:
        command = [sys.executable, "-m", "tests.compat.suites", *arguments[1:]]
        return subprocess.run(command, check=False, cwd=HERE.parent).returncode
    names, extra = _split(arguments)
    lanes = [[name for name in names if (name in SIDE) is side] for side in (False, True)]
    if len(names) < len(TIERS) or (os.cpu_count() or 1) < 2:
        failed = [run.title for run in _runs(names, extra) if not _passed(run)]
    else:
        with ThreadPoolExecutor() as pool:
            ended = pool.map(lambda lane: _run_apart(_runs(lane, extra)), lanes)
            failed = [title for titles in ended for title in titles]
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _runs(names: list[str], extra: list[str]) -> list[Run]:
    found = []
    who = "root" if os.geteuid() == 0 else "a plain user"
    for tier in names:
        found.append(Run(f"{tier} as {who}", partial(_run, tier, extra)))
        if tier in TWICE and os.geteuid() == 0:
            found.append(Run(f"{tier} as a plain user", partial(_run_plain, tier, extra)))
    return found


def _passed(run: Run) -> bool:
    print(f"\n== {run.title}", flush=True)
    return run.go(None) in (0, NO_TESTS)


def _run_apart(runs: list[Run]) -> list[str]:
    """One lane of two: what a run prints is shown when it has ended. Those that failed."""
    failed = []
    for run in runs:
        print(f"== {run.title}: begun", flush=True)
        began = time.monotonic()
        with tempfile.TemporaryFile("w+") as output:
            passed = run.go(output) in (0, NO_TESTS)
            output.seek(0)
            took = f"{time.monotonic() - began:.0f} s"
            print(f"\n== {run.title}, {took}\n{output.read()}", flush=True)
        if not passed:
            failed.append(run.title)
    return failed


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    names = arguments[:at] or list(TIERS)
    for name in names:
        if name not in (*TIERS, GUEST):
            sys.exit(f"unknown tier {name!r}: {' '.join((*TIERS, GUEST))}")
    return names, arguments[at + 1 :]


def _run(tier: str, extra: list[str], output: TextIO | None) -> int:
    command = [sys.executable, "-m", "pytest", "-q", str(HERE / tier), *extra]
    if tier == GUEST:
        command = [sys.executable, str(HERE / "v2guest/run.py"), "--", *extra]
    return subprocess.run(command, check=False, stdout=output, stderr=output).returncode


def _run_plain(tier: str, extra: list[str], output: TextIO | None) -> int:
    """The tier once more, as a user with no rights, no home and no subordinate ids."""
    home = tempfile.mkdtemp(prefix="wherry-plain-")
    os.chown(home, PLAIN_USER, PLAIN_USER)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **({"USER": pwd.getpwuid(PLAIN_USER).pw_name} if _known() else {}),
    }
    command = [
        "setpriv", f"--reuid={PLAIN_USER}", f"--regid={PLAIN_USER}", "--clear-groups",
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / tier), *extra,
    ]  # fmt: skip
    try:
        return subprocess.run(
            command, check=False, env=environment, stdout=output, stderr=output
        ).returncode
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _known() -> bool:
    try:
        pwd.getpwuid(PLAIN_USER)
    except KeyError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
