"""Devices by file (CDI), as root and as a plain user."""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.engine import Engine, end_daemon, engine, start_daemon

DESCRIPTION = {
    "cdiVersion": "0.6.0",
    "kind": "acme.com/thing",
    "devices": [{"name": "zero", "containerEdits": {
        "env": ["THING=zero"],
        "deviceNodes": [{"path": "/dev/thing", "hostPath": "/dev/zero"}],
        "mounts": [{"hostPath": "/usr", "containerPath": "/acme"}],
    }}],
}  # fmt: skip


@pytest.fixture(scope="module")
def here() -> Iterator[Engine]:
    with engine() as made:
        folder = made.folder / "cdi"
        folder.mkdir()
        (folder / "acme.json").write_text(json.dumps(DESCRIPTION))
        end_daemon(made)
        start_daemon(made, "--cdi-spec-dir", str(folder))
        yield made


def create(here: Engine, name: str, request: dict[str, Any], script: str) -> None:
    """What no command line of today can say."""
    body = {
        "Image": "busybox", "Cmd": ["sh", "-c", script],
        "HostConfig": {"DeviceRequests": [request]},
    }  # fmt: skip
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(here.folder / "s"))
        connection = http.client.HTTPConnection("docker")
        connection.sock = sock
        kind = {"Content-Type": "application/json"}
        connection.request("POST", f"/containers/create?name={name}", json.dumps(body), kind)
        response = connection.getresponse()
        assert response.status == 201, response.read()


def test_a_device_is_there_with_all_that_belongs_to_it(here: Engine) -> None:
    script = "echo $THING; head -c 3 /dev/thing | cat -v; ls /acme | grep bin"
    request = {"Driver": "cdi", "DeviceIDs": ["acme.com/thing=zero"]}
    create(here, "with-device", request, script)
    assert here.out("start", "-a", "with-device") == "zero\n^@^@^@bin\nsbin"
    here.run("rm", "with-device")


def test_a_device_that_nobody_describes(here: Engine) -> None:
    create(here, "without", {"Driver": "cdi", "DeviceIDs": ["acme.com/thing=x"]}, "true")
    said = here.run("start", "without", code=1).stderr
    assert "unresolvable CDI devices acme.com/thing=x" in said
    here.run("rm", "without")


def test_gpus_without_a_driver(here: Engine) -> None:
    said = here.run("run", "--rm", "--gpus", "all", "busybox", "true", code=125).stderr
    assert 'could not select device driver "" with capabilities: [[gpu]]' in said
