"""A plain user's network: bridges in a namespace that only the network process connects."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STORY = Path(__file__).parent / "story_plain.py"
PLAIN_USER = ("setpriv", "--reuid=65533", "--regid=65533", "--clear-groups")
DEADLINE = 90


@pytest.fixture(scope="module")
def seen() -> dict[str, object]:
    """What the story saw, told once for all tests; root tells it as a plain user."""
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-B", str(STORY)]
    if os.geteuid() == 0:
        command = [*PLAIN_USER, *command]
    environment = {"PATH": os.environ["PATH"], "TMPDIR": "/tmp", "HOME": "/tmp"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE, env=environment, check=False
    )
    if "unshare failed: Operation not permitted" in done.stderr:
        pytest.skip("this host forbids user namespaces to plain users")
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("the host's address", "host"),
        ("gateway", "host"),
        ("the host's loopback by the gateway", "ConnectionResetError"),
        ("loopback by a raw route", "ConnectionResetError"),
        ("a closed port", "ConnectionResetError"),
        ("upload", 64 << 20),
        ("udp", True),
        ("udp by the gateway", True),
        ("udp from an internal network", "OSError"),
        ("udp to a closed port", "ConnectionRefusedError"),
        ("allowed", True),
        ("denied", "ConnectionResetError"),
        ("denied udp", "OSError"),
        ("denied dns", "OSError"),
        ("published", "172.17.0.1"),
        ("published udp", "172.18.0.1"),
        ("published, from the container", "172.17.0.1"),
        ("internal network", "OSError"),
        ("joined again", True),
        ("a name", ["172.17.0.2"]),
        ("outbound after a crash", "host"),
        ("published after a crash", "172.17.0.1"),
        ("published after leaving", "ConnectionRefusedError"),
    ],
)
def test_who_reaches_whom(seen: dict[str, object], what: str, expected: object) -> None:
    assert seen[what] == expected


def test_dns_is_answered_by_the_hosts_resolver(seen: dict[str, object]) -> None:
    with open("/etc/resolv.conf") as file:
        if "nameserver" not in file.read():
            pytest.skip("this host has no resolver")
    assert seen["dns"] == "answered"
    assert seen["dns at the gateway"] == "answered"
