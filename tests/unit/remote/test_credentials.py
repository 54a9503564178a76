"""Credentials out of headers, config.json and helpers."""

import base64
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.kit.errors import InvalidInput, Unavailable
from wherry.remote import credentials
from wherry.remote.credentials import ANONYMOUS, ConfigFile, Credentials


def header(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_the_header_of_docker() -> None:
    text = header({"username": "u", "password": "p?>", "serveraddress": "r.example"})
    assert credentials.from_header(text) == Credentials("u", "p?>", server="r.example")
    assert credentials.from_header(text.rstrip("=")) == credentials.from_header(text)
    assert credentials.from_header(header({"identitytoken": "t"})).identity_token == "t"
    assert credentials.from_header(header({"registrytoken": "t"})).registry_token == "t"
    for empty in ("", header({}), header({"auth": ""}), "bnVsbA=="):
        assert credentials.from_header(empty).empty
        assert credentials.all_from_header(empty if empty != header({"auth": ""}) else "") == {}


@pytest.mark.parametrize("text", ["%%%", "e30x", header([1]), header({"username": 1}), "\u00e9"])
def test_broken_headers(text: str) -> None:
    with pytest.raises(InvalidInput, match="invalid X-Registry-Auth header"):
        credentials.from_header(text)


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
def test_no_header_breaks_the_reader(text: str) -> None:
    for read in (credentials.from_header, credentials.all_from_header):
        with contextlib.suppress(InvalidInput):
            read(text)


def test_the_header_of_docker_build() -> None:
    text = header({"https://index.docker.io/v1/": {"auth": base64.b64encode(b"u:p:q").decode()}})
    assert credentials.all_from_header(text) == {"docker.io": Credentials("u", "p:q")}


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Credentials("u", "secret", "secret", "secret"))


async def find(tmp_path: Path, value: object, domain: str) -> Credentials:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(value))
    return await ConfigFile(str(path)).find(domain)


async def test_config_json(tmp_path: Path) -> None:
    auth = base64.b64encode(b"user:pass").decode()
    value = {
        "auths": {
            "https://index.docker.io/v1/": {"auth": auth},
            "r.example:5000": {"auth": auth, "identitytoken": "t"},
            "https://old.example/v1/": {"auth": auth},
        },
        "HttpHeaders": {"X": "y"},
    }
    assert await find(tmp_path, value, "docker.io") == Credentials("user", "pass")
    assert await find(tmp_path, value, "r.example:5000") == Credentials("user", "pass", "t")
    assert await find(tmp_path, value, "old.example") == Credentials("user", "pass")
    assert await find(tmp_path, value, "r.example") == ANONYMOUS
    assert await ConfigFile(str(tmp_path / "absent")).find("x") == ANONYMOUS
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"config\.json"):
        await ConfigFile(str(tmp_path / "config.json")).find("x")


def helper(tmp_path: Path, script: str) -> None:
    path = tmp_path / "docker-credential-test"
    path.write_text(f"#!/bin/sh\nread server\n{script}\n")
    path.chmod(0o755)


async def test_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    helper(tmp_path, 'echo "{\\"Username\\": \\"$1\\", \\"Secret\\": \\"$server\\"}"')
    assert await find(tmp_path, {"credsStore": "test"}, "docker.io") == Credentials(
        "get", "https://index.docker.io/v1/"
    )
    helper(tmp_path, 'echo "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"t\\"}"')
    value = {"credHelpers": {"r.example": "test"}}
    assert await find(tmp_path, value, "r.example") == Credentials(identity_token="t")
    assert await find(tmp_path, value, "other.example") == ANONYMOUS
    helper(tmp_path, "echo credentials not found in native keychain; exit 1")
    assert await find(tmp_path, value, "r.example") == ANONYMOUS
    helper(tmp_path, "echo broken >&2; exit 3")
    with pytest.raises(Unavailable, match=r"docker-credential-test failed \(3\): broken"):
        await find(tmp_path, value, "r.example")
    helper(tmp_path, "echo no json")
    with pytest.raises(Unavailable, match="gave no JSON"):
        await find(tmp_path, value, "r.example")
    with pytest.raises(Unavailable, match="docker-credential-absent not found"):
        await find(tmp_path, {"credsStore": "absent"}, "x")
    with pytest.raises(InvalidInput, match="invalid credential helper name"):
        await find(tmp_path, {"credsStore": "../../bin/sh"}, "x")


async def test_a_helper_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(credentials, "_HELPER_SECONDS", 0.2)
    helper(tmp_path, "exec sleep 60")
    with pytest.raises(Unavailable, match="did not answer"):
        await find(tmp_path, {"credsStore": "test"}, "x")
