"""The same containers for a plain user: root of a user namespace with one id, no cgroup."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

NOBODY = "65533"
HERE = Path(__file__).parent


@pytest.mark.root
def test_life_and_execs_in_a_user_namespace() -> None:
    for program in ("setpriv", "unshare"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    folder = tempfile.mkdtemp(prefix="wherry-plain-")
    shutil.chown(folder, int(NOBODY), int(NOBODY))
    drop = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
    inside = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
    tests = [str(HERE / "test_life.py"), str(HERE / "test_exec.py")]
    options = ["-q", "-p", "no:cacheprovider", "--basetemp", f"{folder}/base", "-k", "own"]
    environment = {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "TMPDIR": folder,
        "HOME": folder,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(
            [*drop, *inside, sys.executable, "-m", "pytest", *options, *tests],
            env=environment, cwd=HERE.parents[2], capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "passed, 1 skipped" in done.stdout  # the one that needs a memory cgroup
    finally:
        shutil.rmtree(folder)
