"""The first practical part of the thesis, as `examples/scp_between_containers.py` does it."""

import subprocess
import sys
from pathlib import Path

from tests.journeys.debian import cache
from tests.journeys.engine import engine

EXAMPLE = Path(__file__).parents[2] / "examples/scp_between_containers.py"
INSTALL = (
    "rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/repo ./' >/etc/apt/sources.list"
    " && apt-get -q update && apt-get -qy install --no-install-recommends openssh-server"
)


def test_scp_between_containers() -> None:
    made = cache()
    with engine() as host:
        host.run("import", str(made.image), "debian:base")
        bind = f"{made.repository}:/repo:ro"
        words = ("run", "--name", "maker", "--network", "none", "-v", bind, "debian:base")
        host.run(*words, "sh", "-c", f"export DEBIAN_FRONTEND=noninteractive; {INSTALL}")
        host.run("commit", "maker", "with-ssh")
        host.run("rm", "maker")
        done = subprocess.run(
            [sys.executable, EXAMPLE, "with-ssh"],
            env=host.environment, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("1048576 bytes from ")
        assert host.out("ps", "-aq") == ""
