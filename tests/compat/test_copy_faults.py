"""A copy that cannot be made whole leaves the target as it was, and the error names the side."""

import contextlib
import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat import nodes
from tests.compat.cluster import archive, context, stages
from tests.compat.cutter import cutter
from tests.compat.nodes import KINDS, WHERRY, Node

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(nodes.missing()), reason=nodes.missing())]
PAIRS = [("root", "plain"), ("plain", "dockerd"), ("dockerd", "root"), ("dockerd", "dockerd")]
EACH = pytest.mark.parametrize(("source", "target"), PAIRS)
HALF = 4 << 20
"""Bytes: half of the tree, whose largest file has 8 MiB."""
Nodes = dict[str, Node]


@pytest.fixture(scope="module")
def engines() -> Iterator[Nodes]:
    with contextlib.ExitStack() as stack:
        found = {kind: stack.enter_context(nodes.node(kind)) for kind in KINDS}
        for node in found.values():
            for name in ("source", "running"):
                node.run("run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "1d")
            node.run("cp", "-", "source:/", input=archive())
            node.run("exec", "running", "sh", "-c", "mkdir /dst; echo old >/dst/one")
        yield found


def copy(source: str, target: str, **env: str) -> str:
    """What a copy that must fail says."""
    said = nodes.run([*WHERRY, "cp", source, target], nodes.environment(**env), 1)
    assert "source" in said or "target" in said, said
    return said


def unchanged(node: Node, container: str = "running") -> None:
    """The target is as it was, soon: an engine hears of a broken link when its client has gone."""
    until = time.monotonic() + 20
    while stages(node, container):
        assert time.monotonic() < until, stages(node, container)
        time.sleep(0.1)
    assert node.run("exec", container, "ls", "-a", "/dst").split() == [".", "..", "one"]
    assert node.run("exec", container, "cat", "/dst/one") == "old\n"


@EACH
@pytest.mark.parametrize("what", ["/tree", "/tree/zeros"])
def test_the_sources_link_is_cut(
    engines: Nodes, source: str, target: str, what: str, tmp_path: Path
) -> None:
    with cutter(f"{tmp_path}/c", f"{engines[source].folder}/s", down=HALF) as proxy:
        wanted = f"{engines[target].host}/running:/dst"
        said = copy(f"{proxy.host}/source:{what}", wanted)
        assert proxy.cut.is_set()
    assert f"source source:{what} on unix://{tmp_path}/c" in said
    unchanged(engines[target])


@EACH
def test_the_targets_link_is_cut(engines: Nodes, source: str, target: str, tmp_path: Path) -> None:
    with cutter(f"{tmp_path}/c", f"{engines[target].folder}/s", up=HALF) as proxy:
        here = f"{engines[source].host}/source:/tree"
        said = copy(here, f"{proxy.host}/running:/dst")
        assert proxy.cut.is_set()
    assert f"target running:/dst on unix://{tmp_path}/c" in said
    unchanged(engines[target])


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[1] != "dockerd"])
def test_the_client_is_killed(engines: Nodes, source: str, target: str, tmp_path: Path) -> None:
    with cutter(f"{tmp_path}/c", f"{engines[target].folder}/s", up=HALF) as proxy:
        here = f"{engines[source].host}/source:/tree"
        words = [*WHERRY, "cp", here, f"{proxy.host}/running:/dst"]
        with subprocess.Popen(words, env=nodes.environment(), stderr=subprocess.DEVNULL) as process:
            proxy.on_cut = process.kill
            assert proxy.cut.wait(60)
    unchanged(engines[target])


@EACH
def test_the_targets_disk_is_full(engines: Nodes, source: str, target: str) -> None:
    """A container whose /dst is a file system of two megabytes."""
    node = engines[target]
    options = ("-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=2m")
    node.run("volume", "create", *options, "small", program=nodes.DOCKER)
    start = ("run", "-d", "--name", "full", "--network", "none", "-v", "small:/dst")
    node.run(*start, "busybox", "sleep", "1d")
    try:
        node.run("exec", "full", "sh", "-c", "echo old >/dst/one")
        said = copy(f"{engines[source].host}/source:/tree", f"{node.host}/full:/dst")
        assert "target full:/dst" in said
        assert "no space left" in said.lower()
        unchanged(node, "full")
    finally:
        node.run("rm", "-f", "full")
        node.run("volume", "rm", "small", program=nodes.DOCKER)


@pytest.mark.parametrize("source", KINDS)
def test_the_source_changes(engines: Nodes, source: str) -> None:
    node = engines[source]
    script = (
        "dd if=/dev/zero of=/grow bs=1M count=16 2>/dev/null; "
        "(while :; do echo x >>/grow; done) & echo $! >/pid"
    )
    node.run("exec", "-d", "source", "sh", "-c", script)
    try:
        until = time.monotonic() + 20
        while "/pid" not in node.run("exec", "source", "sh", "-c", "ls /pid 2>&1; true").split():
            assert time.monotonic() < until
        for target in KINDS:
            if (source, target) != ("dockerd", "dockerd"):
                said = copy(f"{node.host}/source:/grow", f"{engines[target].host}/running:/dst")
                assert "changed while it was read" in said
                assert "source source:/grow" in said
                unchanged(engines[target])
    finally:
        node.run("exec", "source", "sh", "-c", "kill $(cat /pid); rm /pid /grow")


@pytest.mark.parametrize(("source", "target"), list(itertools.product(KINDS, KINDS)))
def test_a_wrong_certificate(engines: Nodes, source: str, target: str, tmp_path: Path) -> None:
    """The source's authority for the target, and the reverse."""
    context(tmp_path, engines[source], "right")
    stranger = engines[target]._replace(folder=tmp_path / "stranger")
    words = [*WHERRY, "tls", "init", "--dir", f"{stranger.folder}/tls", "h"]
    nodes.run(words, nodes.environment())
    context(tmp_path, stranger, "wrong")
    env = {"DOCKER_CONFIG": str(tmp_path)}
    said = copy("right/source:/tree", "wrong/running:/dst", **env)
    assert "target running:/dst" in said
    assert "certificate" in said
    unchanged(engines[target])
    said = copy("wrong/source:/tree", f"{engines[target].host}/running:/dst", **env)
    assert "source source:/tree" in said
    assert "certificate" in said
    unchanged(engines[target])


def test_what_is_not_there(engines: Nodes) -> None:
    for source, target in PAIRS:
        here, there = engines[source].host, engines[target].host
        assert "source nope:/x" in copy(f"{here}/nope:/x", f"{there}/running:/dst")
        assert "source source:/x" in copy(f"{here}/source:/x", f"{there}/running:/dst")
        assert "target nope:/dst" in copy(f"{here}/source:/one", f"{there}/nope:/dst")
        assert "target running:/a/b" in copy(f"{here}/source:/one", f"{there}/running:/a/b")
        unchanged(engines[target])
    assert os.path.exists("/dst") is False
