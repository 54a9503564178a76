"""login, push, pull, search and logout of our command line, against Debian's docker-registry."""

import json
from collections.abc import Iterator

import pytest

from tests.journeys.engine import Engine, engine
from wherry.testing import registry as registries
from wherry.testing.registry import PASSWORD, USER, RunningRegistry

pytestmark = pytest.mark.skipif(
    not registries.available(), reason="docker-registry is not installed"
)


@pytest.fixture
def host() -> Iterator[Engine]:
    with engine() as running:
        yield running


@pytest.fixture
def registry() -> Iterator[RunningRegistry]:
    with registries.docker_registry(password=True) as running:
        yield running


def test_log_in_push_and_pull(host: Engine, registry: RunningRegistry) -> None:
    name = registry.reference("some/box:1")
    host.out("tag", "busybox", name)
    host.run("push", name, code=1)
    wrong = host.run(
        "login", "-u", USER, "--password-stdin", registry.host, input=b"wrong\n", code=1
    )
    assert "401 Unauthorized" in wrong.stderr
    login = ("login", "-u", USER, "--password-stdin", registry.host)
    assert "Login Succeeded" in host.run(*login, input=PASSWORD.encode()).stdout
    config = host.folder / "config/config.json"
    assert registry.host in json.loads(config.read_text())["auths"]
    assert config.stat().st_mode & 0o077 == 0
    assert "digest: sha256:" in host.out("push", name)
    host.out("rmi", name)
    assert host.out("pull", "-q", name) == name
    assert "cannot be searched" in host.run("search", registry.reference("x"), code=1).stderr
    host.out("logout", registry.host)
    assert registry.host not in json.loads(config.read_text())["auths"]
    host.out("rmi", name)


def test_system_prune_says_what_it_would_take(host: Engine) -> None:
    host.out("run", "--name", "done", "busybox", "true")
    host.out("network", "create", "unused")
    said = host.out("system", "prune", "--dry-run", "--volumes", "--all")
    assert "Would be deleted:\nunused\n" in said
    assert "unused" in host.out("network", "ls")
    assert "Total reclaimable space" in said
    assert host.out("ps", "-aq")
    assert "Deleted Containers" in host.out("system", "prune", "-f")
    assert host.out("ps", "-aq") == ""
