"""Push, login, search and distribution beside dockerd, against Debian's docker-registry."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.asking import Answer, ask, hidden
from tests.compat.pair import Daemon, Pair
from wherry.testing import registry as registries
from wherry.testing.registry import PASSWORD, USER

pytestmark = pytest.mark.skipif(
    not registries.available(), reason="docker-registry is not installed"
)
HOST, LOCKED = "127.0.0.1:5000", "127.0.0.1:5001"
NO_AUTH = {"X-Registry-Auth": "e30="}


def auth(user: str, password: str) -> dict[str, str]:
    value = json.dumps({"username": user, "password": password})
    return {"X-Registry-Auth": base64.urlsafe_b64encode(value.encode()).decode()}


@contextlib.contextmanager
def registry(daemon: Daemon, port: int, folder: Path, *, password: bool) -> Iterator[None]:
    """docker-registry in the daemon's own network."""
    folder.mkdir()
    config = registries.configuration(str(folder), port, password)
    command = ["nsenter", "-t", str(daemon.pid), "-n", registries.PROGRAM, "serve", config]
    with (
        open(folder / "log", "wb") as log,
        subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        ) as process,
    ):
        try:
            until_listening(daemon, port)
            yield
        finally:
            process.kill()


def until_listening(daemon: Daemon, port: int) -> None:
    ends = time.monotonic() + 15
    probe = f"</dev/tcp/127.0.0.1/{port}"
    while time.monotonic() < ends:
        command = ["nsenter", "-t", str(daemon.pid), "-n", "bash", "-c", probe]
        if not subprocess.run(command, capture_output=True, check=False).returncode:
            return
        time.sleep(0.1)
    raise AssertionError("docker-registry does not come up")


@pytest.fixture(scope="module")
def with_registries(daemons: Pair) -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="wherry-push-"))
    try:
        with contextlib.ExitStack() as running:
            for daemon in daemons.both:
                for port, locked in ((5000, False), (5001, True)):
                    place = folder / f"{daemon.name}{port}"
                    running.enter_context(registry(daemon, port, place, password=locked))
            yield daemons
    finally:
        shutil.rmtree(folder)


def lines(answer: Answer) -> list[dict[str, object]]:
    """The messages of a stream without moving numbers; bars of one layer once."""
    if not isinstance(answer.body, str):
        return [answer.body]
    found = [json.loads(line) for line in answer.body.splitlines()]
    kept = [line for line in found if line.get("status") not in ("Pushing", "Downloading")]
    return [line for line in kept if line.get("status") != "Extracting"]


def push(daemon: Daemon, path: str, headers: dict[str, str]) -> list[dict[str, object]]:
    answer = ask(daemon, "POST", f"/images/{path}", None, **headers)
    return [{"status code": answer.status}, *lines(answer)]


def plain(messages: list[dict[str, object]]) -> object:
    """Without the digest, which differs with the compressor, and the manifest's kind."""
    text = json.dumps(messages)
    for message in messages:
        aux = message.get("aux")
        if isinstance(aux, dict):
            text = text.replace(str(aux["Digest"]), "<digest>")
            text = text.replace(f"size: {aux['Size']}", "size: <size>")
            text = text.replace(f'"Size": {aux["Size"]}', '"Size": "<size>"')
    return json.loads(text)


def test_push_streams_and_errors(with_registries: Pair) -> None:
    for daemon in with_registries.both:
        daemon.must("tag", "plain", f"{HOST}/some/plain:1")
        daemon.must("tag", "plain", f"{HOST}/some/plain:2")
        daemon.must("tag", "plain", f"{LOCKED}/plain:1")
    rows = [
        (f"{HOST}/some/plain/push?tag=1", NO_AUTH),
        (f"{HOST}/some/plain/push", NO_AUTH),
        (f"{HOST}/some/plain:2/push", NO_AUTH),
        (f"{HOST}/some/plain/push?tag=none", NO_AUTH),
        (f"{HOST}/none/push", NO_AUTH),
        (f"{HOST}/some/plain/push?tag=1", {}),
        (f"{LOCKED}/plain/push?tag=1", auth(USER, PASSWORD)),
    ]
    for path, headers in rows:
        theirs, ours = (plain(push(each, path, headers)) for each in with_registries.both)
        assert ours == theirs, path
    refused = push(with_registries.wherry, f"{LOCKED}/plain/push?tag=1", NO_AUTH)
    assert "no basic auth credentials" in str(refused[-1]["error"])


def test_what_was_pushed_comes_back_all_tags_at_once(with_registries: Pair) -> None:
    for daemon in with_registries.both:
        for tag in ("x", "y"):
            daemon.must("tag", "rich", f"{HOST}/back:{tag}")
        daemon.must("push", "-q", "--all-tags", f"{HOST}/back")
        before = daemon.must("image", "inspect", "-f", "{{.Id}} {{.RepoDigests}}", f"{HOST}/back:x")
        assert f"{HOST}/back@sha256:" in before
        daemon.must("rmi", f"{HOST}/back:x", f"{HOST}/back:y")
        daemon.must("pull", "-q", "--all-tags", f"{HOST}/back")
        after = daemon.must("image", "inspect", "-f", "{{.Id}} {{.RepoDigests}}", f"{HOST}/back:y")
        assert after == before
    texts = [
        ask(each, "POST", f"/images/create?fromImage={HOST}/back").body
        for each in with_registries.both
    ]
    told = [
        [line for line in map(json.loads, text.splitlines()) if _about_all(line)] for text in texts
    ]
    assert told[0][-1] == told[1][-1]
    assert sorted(map(str, told[0])) == sorted(map(str, told[1]))


def _about_all(line: dict[str, str]) -> bool:
    return line.get("status", "").startswith(("Pulling from", "Status: "))


def test_a_layer_is_taken_from_a_known_repository(with_registries: Pair) -> None:
    daemon = with_registries.wherry
    daemon.must("tag", "plain", f"{HOST}/first/one:1")
    daemon.must("push", f"{HOST}/first/one:1")
    daemon.must("rmi", f"{HOST}/first/one:1")
    daemon.must("pull", f"{HOST}/first/one:1")
    daemon.must("tag", f"{HOST}/first/one:1", f"{HOST}/second/two:1")
    out = daemon.must("push", f"{HOST}/second/two:1")
    assert "Mounted from" in out or "Layer already exists" in out


def test_distribution_and_login(with_registries: Pair) -> None:
    for daemon in with_registries.both:
        daemon.must("tag", "plain", f"{HOST}/seen:1")
        daemon.must("push", f"{HOST}/seen:1")
    found = [ask(each, "GET", f"/distribution/{HOST}/seen:1/json") for each in with_registries.both]
    assert found[0].status == found[1].status == 200
    assert found[0].body["Platforms"] == found[1].body["Platforms"]
    assert found[1].body["Descriptor"]["digest"].startswith("sha256:")
    rows: list[tuple[str, str, object]] = [
        ("GET", f"/distribution/{HOST}/seen:none/json", None),
        ("POST", "/auth", {"username": USER, "password": PASSWORD, "serveraddress": LOCKED}),
        ("POST", "/auth", {"username": "a", "password": "b", "serveraddress": HOST}),
        ("GET", "/images/search?term=x&limit=1000", None),
        ("GET", '/images/search?term=x&filters={"none":["1"]}', None),
    ]
    for method, path, body in rows:
        theirs, ours = (ask(each, method, path, body) for each in with_registries.both)
        daemon = with_registries.wherry
        assert hidden(daemon, ours) == hidden(daemon, theirs), (path, body)
    wrong = {"username": USER, "password": "wrong", "serveraddress": LOCKED}
    theirs, ours = (ask(each, "POST", "/auth", wrong) for each in with_registries.both)
    assert (ours.status, ours.body) == (401, theirs.body)  # dockerd says 500


def test_a_registry_that_cannot_be_reached_or_searched(with_registries: Pair) -> None:
    daemon = with_registries.wherry
    gone = ask(daemon, "POST", "/auth", {"username": "a", "serveraddress": "127.0.0.1:5999"})
    assert (gone.status, "127.0.0.1:5999" in gone.body["message"]) == (503, True)
    unsearchable = ask(daemon, "GET", f"/images/search?term={HOST}/x")
    assert (unsearchable.status, "cannot be searched" in unsearchable.body["message"]) == (
        503,
        True,
    )
