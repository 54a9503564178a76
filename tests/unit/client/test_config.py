"""config.json and the credentials in it."""

import base64
import json
from pathlib import Path

import pytest

from wherry.client.config import HUB_KEY, Config, read_config, registry_auth
from wherry.client.document import Document
from wherry.kit.errors import InvalidInput, NotFound


def decoded(config: dict[str, object], domain: str) -> object:
    header = registry_auth(Config(Document(json.loads(json.dumps(config)))), domain)
    return json.loads(base64.urlsafe_b64decode(header))


def test_a_missing_file_is_an_empty_configuration(tmp_path: Path) -> None:
    assert read_config(str(tmp_path / "config.json")).current_context == ""


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_a_broken_file_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=str(path)):
        read_config(str(path))


def test_credentials_of_a_registry() -> None:
    auth = base64.b64encode(b"me:se:cret").decode()
    config: dict[str, object] = {"auths": {"r.example.org:5000": {"auth": auth}}}
    assert decoded(config, "r.example.org:5000") == {
        "username": "me",
        "password": "se:cret",
        "serveraddress": "r.example.org:5000",
    }
    assert decoded(config, "other.example.org") == {}


def test_the_hub_has_a_key_of_its_own() -> None:
    config: dict[str, object] = {"auths": {HUB_KEY: {"identitytoken": "t"}}}
    assert decoded(config, "docker.io") == {"identitytoken": "t", "serveraddress": HUB_KEY}


def test_a_helper_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(
        '#!/bin/sh\nread key\necho "{\\"Username\\":\\"u\\",\\"Secret\\":\\"$key\\"}"\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    config: dict[str, object] = {"credHelpers": {"r.example.org": "test"}}
    assert decoded(config, "r.example.org") == {
        "username": "u",
        "password": "r.example.org",
        "serveraddress": "r.example.org",
    }
    with pytest.raises(NotFound, match="docker-credential-nope"):
        decoded({"credsStore": "nope"}, "x")


def test_a_broken_entry_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="not base64"):
        decoded({"auths": {"x": {"auth": "a"}}}, "x")
