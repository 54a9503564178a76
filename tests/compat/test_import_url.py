"""Import from a URL, beside dockerd, from a server on the loopback."""

import contextlib
import json
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.asking import ask, hidden
from tests.compat.pair import Pair
from tests.compat.test_push import until_listening
from wherry.testing.images import layer_tar

PORT = 5080
TAR = layer_tar({"hello": b"hi"})


@pytest.fixture
def server(daemons: Pair, tmp_path: Path) -> Iterator[str]:
    """A server on the loopback of each daemon's own network."""
    (tmp_path / "root.tar").write_bytes(TAR)
    words = [sys.executable, "-m", "http.server", str(PORT), "--bind", "127.0.0.1"]
    with contextlib.ExitStack() as running:
        for daemon in daemons.both:
            command = ["nsenter", "-t", str(daemon.pid), "-n", *words]
            quiet = subprocess.DEVNULL
            process = running.enter_context(
                subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=tmp_path)
            )
            running.callback(process.kill)
            until_listening(daemon, PORT)
        yield f"127.0.0.1:{PORT}"


def query(**words: str) -> str:
    return "/images/create?" + urllib.parse.urlencode(words)


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_import_from_a_url(daemons: Pair, server: str, scheme: str) -> None:
    path = query(
        fromSrc=f"{scheme}{server}/root.tar",
        repo="fromurl",
        tag="1",
        message="because",
        changes='CMD ["/hello"]',
    )
    texts = []
    try:
        for daemon in daemons.both:
            answer = ask(daemon, "POST", path)
            assert answer.status == 200
            lines = [json.loads(line) for line in answer.body.splitlines()]
            texts.append([line["status"] for line in lines if "progressDetail" not in line])
        assert hidden(daemons.wherry, texts[1]) == hidden(daemons.dockerd, texts[0])
        ours, theirs = (ask(each, "GET", "/images/fromurl:1/json").body for each in daemons.both)
        for field in ("Comment", "RepoTags", "Os", "Architecture", "RootFS", "Size"):
            assert ours[field] == theirs[field], field
        assert ours["Config"]["Cmd"] == theirs["Config"]["Cmd"] == ["/hello"]
    finally:
        for daemon in daemons.both:
            daemon.docker("rmi", "fromurl:1")


def test_what_cannot_be_had_is_the_clients_mistake(daemons: Pair, server: str) -> None:
    theirs, ours = (
        ask(each, "POST", query(fromSrc=f"http://{server}/none")) for each in daemons.both
    )
    assert theirs.body["message"].startswith(ours.body["message"])  # and then the page
    assert theirs.status == ours.status == 404
    assert ask(daemons.wherry, "POST", query(fromSrc="file:///etc/passwd")).status == 400
    assert ask(daemons.wherry, "POST", query(fromSrc="http://127.0.0.1:1/x")).status == 503
