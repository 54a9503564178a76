"""Contexts made by either command line are the other's too."""

import json
import os
from pathlib import Path

import pytest

from tests.compat import nodes
from tests.compat.nodes import DOCKER, WHERRY

pytestmark = pytest.mark.skipif(not os.path.exists(DOCKER[0]), reason="needs docker's client")
PAIRS = pytest.mark.parametrize(
    ("one", "other"), [(DOCKER, WHERRY), (WHERRY, DOCKER)], ids=["docker first", "wherry first"]
)
Program = tuple[str, ...]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    made = [*WHERRY, "tls", "init", "--dir", str(tmp_path / "tls"), "far"]
    nodes.run(made, nodes.environment())
    return nodes.environment(DOCKER_CONFIG=str(tmp_path / "config"))


def run(env: dict[str, str], program: Program, *words: str, code: int = 0) -> str:
    return nodes.run([*program, "context", *words], env, code)


def far(tmp_path: Path) -> str:
    files = ",".join(f"{name}={tmp_path}/tls/client/{name}.pem" for name in ("ca", "cert", "key"))
    return f"host=tcp://far:2376,{files}"


def told(env: dict[str, str], program: Program, name: str) -> object:
    (found,) = json.loads(run(env, program, "inspect", name))
    found["Metadata"].pop("StackOrchestrator", None)
    return found


@PAIRS
def test_made_by_one_and_used_by_the_other(
    env: dict[str, str], tmp_path: Path, one: Program, other: Program
) -> None:
    said = run(env, one, "create", "far", "--description", "the far one", "--docker", far(tmp_path))
    assert said == 'far\nSuccessfully created context "far"\n'
    assert told(env, one, "far") == told(env, other, "far")
    assert set(run(env, other, "ls", "-q").split()) == {"default", "far"}
    assert "the far one" in run(env, other, "ls")
    run(env, other, "use", "far")
    assert run(env, one, "ls", "--format", "{{.Name}} {{.Current}}").split("\n")[:2] == [
        "default false", "far true",
    ]  # fmt: skip
    assert "in use" in run(env, one, "rm", "far", code=1)
    run(env, one, "update", "far", "--description", "nearer")
    assert "nearer" in run(env, other, "ls")
    run(env, one, "use", "default")
    run(env, other, "rm", "far")
    assert run(env, one, "ls", "-q") == "default\n"
    assert list((tmp_path / "config").rglob("*.pem")) == []


@PAIRS
def test_exported_by_one_and_imported_by_the_other(
    env: dict[str, str], tmp_path: Path, one: Program, other: Program
) -> None:
    run(env, one, "create", "far", "--docker", far(tmp_path))
    file = f"{tmp_path}/out"
    run(env, one, "export", "far", file)
    run(env, other, "import", "again", file)
    assert os.stat(file).st_mode & 0o777 == 0o600
    here, there = told(env, one, "far"), told(env, one, "again")
    assert isinstance(here, dict)
    assert isinstance(there, dict)
    assert here["Endpoints"] == there["Endpoints"]
    assert here["TLSMaterial"] == there["TLSMaterial"] == {
        "docker": ["ca.pem", "cert.pem", "key.pem"]
    }  # fmt: skip
    assert run(env, one, "export", "far", file, code=1)


@pytest.mark.parametrize(
    "words",
    [
        ("rm", "default"), ("rm", "nope"), ("use", "nope"), ("inspect", "nope"), ("create", "x"),
        ("create", "default", "--docker", "host=unix:///x"), ("update", "nope"),
        ("create", "a/b", "--docker", "host=unix:///x"), ("export", "nope"),
        ("create", "good", "--docker", "host=tcp://x,ca=/etc/passwd"),
        ("create", "good", "--docker", "nonsense=1"), ("import", "x", "/nope"),
    ],
)  # fmt: skip
def test_what_docker_refuses(env: dict[str, str], words: tuple[str, ...]) -> None:
    assert run(env, DOCKER, *words, code=1)
    assert run(env, WHERRY, *words, code=1)


def test_a_context_of_what_is_in_force(env: dict[str, str], tmp_path: Path) -> None:
    run(env, WHERRY, "create", "base", "--docker", far(tmp_path))
    run(env, WHERRY, "create", "copy", "--from", "base", "--description", "x")
    run({**env, "DOCKER_HOST": "tcp://there:99"}, WHERRY, "create", "here")
    hosts = run(env, WHERRY, "ls", "--format", "{{.Name}} {{.DockerEndpoint}}").split("\n")
    assert hosts[1:4] == ["base tcp://far:2376", "copy tcp://far:2376", "here tcp://there:99"]
    assert run({**env, "DOCKER_CONTEXT": "copy"}, WHERRY, "show") == "copy\n"
    assert run({**env, "DOCKER_CONTEXT": "copy", "DOCKER_HOST": "x"}, WHERRY, "show") == "default\n"
    said = run({**env, "DOCKER_HOST": "tcp://x"}, WHERRY, "use", "copy")
    assert "DOCKER_HOST environment variable overrides" in said


def test_other_settings_stay(env: dict[str, str], tmp_path: Path) -> None:
    run(env, WHERRY, "create", "far", "--docker", far(tmp_path))
    config = tmp_path / "config/config.json"
    config.write_text('{"auths": {"r": {"auth": "eDp5"}}, "psFormat": "x"}')
    run(env, WHERRY, "use", "far")
    assert json.loads(config.read_text()) == {
        "auths": {"r": {"auth": "eDp5"}}, "psFormat": "x", "currentContext": "far",
    }  # fmt: skip
