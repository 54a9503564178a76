"""testcontainers and python-on-whales against both: they see the same."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compat.pair import VERSION, Daemon, Pair

STORY = Path(__file__).parent / "clients_story.py"
NEEDS = {"generic": "testcontainers", "strategies": "testcontainers", "networks": "testcontainers"}


def told(daemon: Daemon, name: str) -> dict[str, object]:
    """The story's answer, from the engine's network namespace."""
    environment = {
        **os.environ,
        "DOCKER_HOST": f"unix://{daemon.socket}",
        "DOCKER_API_VERSION": VERSION,
        "DOCKER_CONFIG": "/nonexistent",
        "TESTCONTAINERS_RYUK_DISABLED": "true",
        "TESTCONTAINERS_HOST_OVERRIDE": "localhost",
        "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
    }
    words = ["nsenter", f"--net=/proc/{daemon.pid}/ns/net", sys.executable, str(STORY), name]
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode == 0, f"{daemon.name}: {done.stderr}"
    answer = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize("name", ["generic", "strategies", "networks", "whales"])
def test_they_see_the_same(daemons: Pair, name: str) -> None:
    package = NEEDS.get(name, "python_on_whales")
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    theirs, ours = (told(daemon, name) for daemon in daemons.both)
    assert ours == theirs
    assert all(ours.values()), ours
    for daemon in daemons.both:
        assert not daemon.must("ps", "-aq"), daemon.name
