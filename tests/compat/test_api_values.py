"""Debian's dockerd as the oracle: its answers become our values and are written again, byte for
byte, in the form of API 1.41; and its words for bad input are ours."""

import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wherry.api import old_requests, versions
from wherry.dockerapi import filters
from wherry.dockerapi.container_answers import Change, ContainerInspect, ContainerSummary
from wherry.dockerapi.containers import decode_create
from wherry.dockerapi.encode import encode_json, encode_tree
from wherry.dockerapi.events import Event
from wherry.dockerapi.images import HistoryEntry, ImageInspect, ImageSummary
from wherry.dockerapi.networks import NetworkResource
from wherry.dockerapi.system import DiskUsage, Info, Version
from wherry.dockerapi.version import ApiVersion
from wherry.dockerapi.volumes import VolumeList
from wherry.kit.errors import InvalidInput

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.getuid() != 0 or shutil.which("dockerd") is None, reason="needs root and dockerd"
    ),
]
V1_41 = ApiVersion(1, 41)


class Daemon:
    """A dockerd of our own, asked over its socket."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "docker.sock")
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [
                    "dockerd",
                    f"--host=unix://{self.path}",
                    f"--data-root={folder}/data",
                    f"--exec-root={folder}/exec",
                    f"--pidfile={folder}/pid",
                    "--bridge=none",
                    "--iptables=false",
                ],
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        for _ in range(300):
            if os.path.exists(self.path) and self.ask("GET", "/_ping")[0] == 200:
                return
            time.sleep(0.1)
        raise AssertionError("dockerd did not start")

    def ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> tuple[int, bytes]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.path)
            connection = http.client.HTTPConnection("docker")
            connection.sock = sock
            connection.request(method, path, body, {"Content-Type": kind} if body else {})
            response = connection.getresponse()
            return response.status, response.read()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture(scope="module")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("d"))
    try:
        daemon.wait()
        daemon.ask(
            "POST",
            "/images/create?fromSrc=-&repo=tiny&tag=1&changes=CMD%20sh",
            _tiny_tar(),
            "application/x-tar",
        )
        wanted = {
            "Image": "tiny:1",
            "Labels": {"a": "b"},
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {
                "NetworkMode": "none",
                "Binds": ["vol:/v"],
                "PortBindings": {"80/tcp": [{"HostPort": "8080"}]},
                "Tmpfs": {"/t": ""},
                "Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/m", "ReadOnly": True}],
            },
        }
        status, _ = daemon.ask("POST", "/containers/create?name=c1", json.dumps(wanted).encode())
        assert status == 201
        yield daemon
    finally:
        daemon.stop()


def _tiny_tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo("hello")
        member.size = 2
        tar.addfile(member, io.BytesIO(b"hi"))
    return out.getvalue()


ROWS: list[tuple[str, Any, Callable[[Any], bytes]]] = [
    (
        "/containers/c1/json?size=1",
        ContainerInspect,
        lambda value: encode_tree(versions.container(value, V1_41)),
    ),
    (
        "/containers/json?all=1&size=1",
        list[ContainerSummary],
        lambda values: encode_tree(versions.summaries(values, V1_41)),
    ),
    (
        "/images/json",
        list[ImageSummary],
        lambda values: encode_tree(versions.image_summaries(values, V1_41)),
    ),
    ("/images/tiny:1/json", ImageInspect, lambda value: encode_tree(versions.image(value, V1_41))),
    ("/images/tiny:1/history", list[HistoryEntry], encode_json),
    ("/version", Version, encode_json),
    ("/system/df", DiskUsage, lambda value: encode_tree(versions.usage(value, V1_41))),
    (
        "/networks",
        list[NetworkResource],
        lambda values: encode_tree([versions.network(value, V1_41) for value in values]),
    ),
    ("/volumes", VolumeList, encode_json),
    ("/containers/c1/changes", list[Change] | None, encode_json),
]


@pytest.mark.parametrize(("path", "kind", "shown"), ROWS)
def test_values_are_written_as_dockerd_wrote_them(
    dockerd: Daemon, path: str, kind: Any, shown: Callable[[Any], bytes]
) -> None:
    status, body = dockerd.ask("GET", path)
    assert status == 200
    value = msgspec.json.decode(body, type=kind)
    assert shown(value) == body


def test_info_has_the_same_fields_in_the_same_order(dockerd: Daemon) -> None:
    """Values that move between two calls are not compared."""
    _, body = dockerd.ask("GET", "/info")
    ours = versions.info(msgspec.json.decode(body, type=Info), V1_41)
    assert list(ours) == list(json.loads(body))


def test_events_are_written_as_dockerd_wrote_them(dockerd: Daemon) -> None:
    _, body = dockerd.ask("GET", f"/events?since=1&until={int(time.time()) + 1}")
    lines = body.splitlines(keepends=True)
    assert lines
    for line in lines:
        assert encode_json(msgspec.json.decode(line, type=Event)) == line


BAD_BODIES = [
    b"{",
    b'{"Image":5}',
    b'{"Image":"x',
    b"[]",
    b"null",
    b"{}",
    b'{"Tty":"yes"}',
    b'{"Cmd":5}',
    b'{"Labels":{"a":1}}',
    b'{"Labels":[]}',
    b'{"ExposedPorts":{"80":5}}',
    b'{"HostConfig":{"Memory":"x"}}',
    b'{"HostConfig":{"Memory":1.5}}',
    b'{"HostConfig":{"Binds":"x"}}',
    b'{"HostConfig":{"Binds":[1]}}',
    b'{"HostConfig":{"BlkioWeight":70000}}',
    b'{"HostConfig":{"ConsoleSize":[-1]}}',
    b'{"HostConfig":{"Ulimits":[5]}}',
    b'{"HostConfig":{"RestartPolicy":5}}',
    b'{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":80}]}}}',
]


@pytest.mark.parametrize("body", BAD_BODIES)
def test_bad_bodies_have_dockerds_words(dockerd: Daemon, body: bytes) -> None:
    """Only the words: dockerd 20.10 calls most of them its own fault (500)."""
    status, answer = dockerd.ask("POST", "/containers/create", body)
    assert status >= 400
    with pytest.raises(InvalidInput) as caught:
        old_requests.create(decode_create(body), V1_41)
    assert str(caught.value) == json.loads(answer)["message"]


def test_an_unknown_filter_has_dockerds_words(dockerd: Daemon) -> None:
    text = '{"nope":["a"]}'
    status, answer = dockerd.ask("GET", "/containers/json?filters=%7B%22nope%22:%5B%22a%22%5D%7D")
    with pytest.raises(InvalidInput) as caught:
        filters.parse(text).check(filters.CONTAINERS)
    assert (status, json.loads(answer)["message"]) == (400, str(caught.value))
