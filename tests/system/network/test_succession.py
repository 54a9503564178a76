"""A daemon that finds a network process of an older version, or one that does not answer."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import wherry
from wherry.kit.errors import Conflict
from wherry.network import protocol, succession
from wherry.network.names import NamedEndpoint
from wherry.network.ports import PortBinding
from wherry.network.process_handle import NetProcess

from .conftest import process_id, stop_process

SOURCE = str(Path(wherry.__file__).parent.parent)
OLDER = """
import sys; sys.path.insert(0, {source!r})
from wherry.kit.errors import InvalidInput
from wherry.network import process, protocol
protocol.VERSION = 1
def unknown(self, message):
    raise InvalidInput("network process: unknown message " + repr(message.get("do")))
process.NetServer._answer_for_names = unknown
sys.exit(process.main(sys.argv[1:]))
"""
MUTE = """
import sys; sys.path.insert(0, {source!r})
from wherry.network import process
process.ControlSocket._ready = lambda *_: None
sys.exit(process.main(sys.argv[1:]))
"""
PORT = (PortBinding("tcp", 80),)


@pytest.fixture
def folder() -> Iterator[str]:
    made = tempfile.mkdtemp(prefix="wherry-net-")
    yield made
    stop_process(made)


def begin(program: str, folder: str) -> int:
    """The pid of such a process, which works."""
    command = [sys.executable, "-I", "-S", "-c", program.format(source=SOURCE), folder, "-1"]
    said = subprocess.check_output(command, stderr=subprocess.DEVNULL, timeout=20)
    assert said == b"ready\n"
    return process_id(folder)


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


async def test_an_older_one_is_replaced_and_its_ports_are_kept(
    folder: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = begin(OLDER, folder)
    with monkeypatch.context() as patched:
        patched.setattr(protocol, "VERSION", 1)
        patched.setattr(succession, "settle", _learn_nothing)
        earlier = await NetProcess.open(folder)
    ports = await earlier.publish("e1", "127.0.0.1", PORT)
    await earlier.close()
    handle = await NetProcess.open(folder)
    assert process_id(folder) != old
    assert not _runs(old)
    assert "speaks version 1" in caplog.text and "is replaced" in caplog.text
    (entry,) = await handle.published()
    assert (entry.endpoint, set(entry.ports)) == ("e1", set(ports))
    assert listens(ports[0].host_port)
    with pytest.raises(Conflict, match="already allocated"):
        wanted = PORT[0]._replace(host_port=ports[0].host_port)
        await handle.publish("e2", "127.0.0.1", (wanted,))
    await handle.names.names("n1", [NamedEndpoint("e1", "c1", ("web",), ("10.0.0.2",))])
    await handle.shutdown()


async def _learn_nothing(*_: object) -> None:
    """As a daemon of that version did."""


async def test_one_that_does_not_answer_is_replaced(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(succession, "PATIENCE", 0.5)
    old = begin(MUTE, folder)
    handle = await NetProcess.open(folder)
    assert process_id(folder) != old
    assert not _runs(old)
    await handle.publish("e1", "127.0.0.1", PORT)
    await handle.shutdown()


async def test_one_of_this_version_or_newer_stays(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await NetProcess.open(folder)
    pid = process_id(folder)
    await first.close()
    monkeypatch.setattr(protocol, "VERSION", protocol.VERSION - 1)
    second = await NetProcess.open(folder)
    assert process_id(folder) == pid
    await second.shutdown()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
