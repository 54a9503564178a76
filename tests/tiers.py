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
from pathlib import Path

SUITES = ("--aiodocker", "--docker-py")
"""Other people's suites instead of ours: `tests/compat/suites`."""
TIERS = ("unit", "contract", "system", "compat", "journeys")
TWICE = ("system", "journeys")
GUEST = "v2"
HERE = Path(__file__).parent
PLAIN_USER = 65533
NO_TESTS = 5


def main(arguments: list[str]) -> int:
    """The exit code: 0 when every tier passed."""
    if arguments[:1] == ["compat"] and {word.partition("=")[0] for word in arguments} & {*SUITES}:
        command = [sys.executable, "-m", "tests.compat.suites", *arguments[1:]]
        return subprocess.run(command, check=False, cwd=HERE.parent).returncode
    names, extra = _split(arguments)
    failed = []
    for tier in names:
        if _run(tier, extra) not in (0, NO_TESTS):
            failed.append(tier)
        if tier in TWICE and os.geteuid() == 0 and _run_plain(tier, extra) not in (0, NO_TESTS):
            failed.append(f"{tier} as a plain user")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    names = arguments[:at] or list(TIERS)
    for name in names:
        if name not in (*TIERS, GUEST):
            sys.exit(f"unknown tier {name!r}: {' '.join((*TIERS, GUEST))}")
    return names, arguments[at + 1 :]


def _run(tier: str, extra: list[str]) -> int:
    who = "root" if os.geteuid() == 0 else "a plain user"
    print(f"\n== {tier} as {who}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", str(HERE / tier), *extra]
    if tier == GUEST:
        command = [sys.executable, str(HERE / "v2guest/run.py"), "--", *extra]
    return subprocess.run(command, check=False).returncode


def _run_plain(tier: str, extra: list[str]) -> int:
    """The tier once more, as a user with no rights, no home and no subordinate ids."""
    print(f"\n== {tier} as a plain user", flush=True)
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
        return subprocess.run(command, check=False, env=environment).returncode
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
