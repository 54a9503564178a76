"""Which engine is meant: flags, environment, contexts, defaults."""

import hashlib
import json
import os
import shlex
from pathlib import Path

import pytest

from wherry.client import endpoint, ssh
from wherry.client.endpoint import Choice, Endpoint, Tls
from wherry.client.ssh import Ssh
from wherry.kit.errors import InvalidInput, NotFound


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("DOCKER_", "WHERRY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def add_context(folder: Path, name: str, host: str, *, tls: bool = False) -> Path:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / key
    meta.mkdir(parents=True)
    docker = {"Host": host, "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": docker}}))
    files = folder / "contexts/tls" / key / "docker"
    if tls:
        files.mkdir(parents=True)
        (files / "ca.pem").write_text("")
    return files


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("unix:///run/x.sock", Endpoint(path="/run/x.sock")),
        ("/run/x.sock", Endpoint(path="/run/x.sock")),
        ("tcp://host", Endpoint(host="host", port=2375)),
        ("tcp://host:99/base/", Endpoint(host="host", port=99, prefix="/base")),
        ("host:99", Endpoint(host="host", port=99)),
        ("tcp://[::1]:99", Endpoint(host="::1", port=99)),
        ("tcp://:99", Endpoint(host="localhost", port=99)),
        ("https://host", Endpoint(host="host", port=2376, tls=Tls())),
    ],
)
def test_addresses(text: str, wanted: Endpoint) -> None:
    assert endpoint.parse(text) == wanted


def test_an_address_is_shown_as_it_is_written() -> None:
    for text in ("unix:///run/x.sock", "tcp://host:99/base", "tcp://[::1]:99"):
        assert str(endpoint.parse(text)) == text


@pytest.mark.parametrize("text", ["tcp://host:x", "npipe:////./pipe/x", "ftp://a"])
def test_addresses_that_make_no_sense(text: str) -> None:
    with pytest.raises(InvalidInput):
        endpoint.parse(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ssh://host", Ssh("host")),
        ("ssh://me@host:22", Ssh("host", "me", "22")),
        ("ssh://me@[::1]:22", Ssh("::1", "me", "22")),
        ("ssh://me@host/run/x.sock", Ssh("host", "me", "", "/run/x.sock")),
    ],
)
def test_ssh(text: str, wanted: Ssh) -> None:
    assert endpoint.parse(text) == Endpoint(ssh=wanted)
    assert str(endpoint.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["ssh://", "ssh://@host", "ssh://-oProxyCommand=x", "ssh://me:word@host", "ssh://h:x"]
)
def test_ssh_that_makes_no_sense(text: str) -> None:
    with pytest.raises(InvalidInput):
        endpoint.parse(text)


def test_how_ssh_is_started() -> None:
    words = ssh.command(Ssh("host", "me", "22", "/it's/x"))
    assert words[:-1] == [
        "ssh", "-T", "-o", "ConnectTimeout=30", "-l", "me", "-p", "22", "--", "host",
    ]  # fmt: skip
    asked = shlex.split(words[-1])
    assert asked[:3] == ["exec", "sh", "-c"]
    assert asked[-2:] == ["--host", "unix:///it's/x"]


def test_tls_without_a_host_is_the_local_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    found = endpoint.resolve(Choice())
    assert (found.host, found.port) == ("localhost", 2376)
    monkeypatch.setenv("DOCKER_HOST", "unix:///x")
    assert endpoint.resolve(Choice()).path == "/x"


def test_order_of_precedence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_context(folder, "mine", "unix:///context.sock")
    add_context(folder, "other", "unix:///other.sock")
    (folder / "config.json").write_text('{"currentContext": "mine"}')
    assert endpoint.resolve(Choice()).path == "/context.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    assert endpoint.resolve(Choice()).path == "/other.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///docker.sock")
    assert endpoint.resolve(Choice()).path == "/docker.sock"
    monkeypatch.setenv("WHERRY_HOST", "unix:///wherry.sock")
    assert endpoint.resolve(Choice()).path == "/wherry.sock"
    assert endpoint.resolve(Choice(context="mine")).path == "/context.sock"
    assert endpoint.resolve(Choice(host="unix:///flag.sock")).path == "/flag.sock"
    with pytest.raises(InvalidInput, match="either specify --host or --context"):
        endpoint.resolve(Choice(host="unix:///flag.sock", context="mine"))


def test_a_context_brings_its_certificates(folder: Path) -> None:
    files = add_context(folder, "far", "tcp://far:2376", tls=True)
    found = endpoint.resolve(Choice(context="far"))
    assert found == Endpoint(host="far", port=2376, tls=Tls(authority=f"{files}/ca.pem"))


def test_a_missing_context_is_named() -> None:
    with pytest.raises(NotFound, match="'nope'"):
        endpoint.resolve(Choice(context="nope"))


def test_tls_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://far")
    assert endpoint.resolve(Choice()).tls is None
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(folder))
    (folder / "cert.pem").write_text("")
    found = endpoint.resolve(Choice())
    assert (found.port, found.tls) == (2376, Tls("", f"{folder}/cert.pem", "", True))


def test_default_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert endpoint.default_socket() == "/run/user/1000/wherry/wherry.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert endpoint.default_socket() == "/tmp/wherry-1000/wherry.sock"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert endpoint.default_socket() == "/run/wherry/wherry.sock"
