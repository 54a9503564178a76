"""`cp` between containers: every pairing of engines, every way, every kind of file.

The trees are compared as the two engines tell them. WHERRY_TEST_FILES=20000 runs the whole: so many
small files, and every pairing by every way.
"""

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.compat import cluster as clusters
from tests.compat import nodes, sshd
from tests.compat.cluster import SPARSE, WAYS, Cluster, Tree, stages, tree
from tests.compat.nodes import KINDS, Node

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(nodes.missing()), reason=nodes.missing()),
    pytest.mark.skipif(bool(sshd.missing()), reason=sshd.missing()),
]
SOME = [("root", "plain"), ("plain", "dockerd"), ("dockerd", "root")]
"""What comes by TLS and by ssh in a short run."""
RUNS = [
    (source, target, way)
    for source, target, way in itertools.product(KINDS, KINDS, WAYS)
    if way == "unix" or (source, target) in SOME or "WHERRY_TEST_FILES" in os.environ
]
PAIRS = pytest.mark.parametrize(("source", "target"), list(itertools.product(KINDS, KINDS)))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with clusters.running(tmp_path_factory.mktemp("contexts")) as made:
        yield made


@pytest.fixture
def dst(cluster: Cluster, target: str) -> Iterator[Node]:
    """The target's engine; its running container has an empty /dst."""
    node = cluster.nodes[target]
    node.run("exec", "running", "mkdir", "/dst")
    yield node
    node.run("exec", "running", "rm", "-rf", "/dst")


def expected(cluster: Cluster, source: str, target: str) -> Tree:
    """The source's tree, as far as both engines can carry it."""
    found = tree(cluster.nodes[source], "source", "/tree")
    if "dockerd" in (source, target):
        found = {name: (*values[:-1], kept(values[-1])) for name, values in found.items()}
    if target == "plain":  # a link cannot carry the note of its owner
        found = {name: ownerless(values) for name, values in found.items()}
    return found


def ownerless(values: tuple[object, ...]) -> tuple[object, ...]:
    return (*values[:2], (0, 0), *values[3:]) if values[0] == "2" else values


def kept(xattrs: object) -> tuple[tuple[str, bytes], ...]:
    """dockerd's archives have file capabilities, and no other attribute."""
    assert isinstance(xattrs, tuple)
    return tuple(pair for pair in xattrs if pair[0] == "security.capability")


@pytest.mark.parametrize(("source", "target", "way"), RUNS)
def test_a_tree(cluster: Cluster, source: str, target: str, way: str, dst: Node) -> None:
    here = cluster.place(source, "source", "/tree", way)
    cluster.copy(here, cluster.place(target, "running", "/dst/new", way))
    assert tree(dst, "running", "/dst/new") == expected(cluster, source, target)
    cluster.copy(f"{here}/plain", cluster.place(target, "running", "/dst/new/plain", way))
    cluster.copy(here.replace("/tree", "/one"), cluster.place(target, "running", "/dst", way))
    one = tree(cluster.nodes[source], "source", "/one")
    assert tree(dst, "running", "/dst/one") == one
    assert stages(dst, "running") == []


@PAIRS
def test_into_and_out_of_a_stopped_container(cluster: Cluster, source: str, target: str) -> None:
    there = cluster.place(target, "stopped", f"/from-{source}", "unix")
    cluster.copy(cluster.place(source, "source", "/tree", "unix"), there)
    node = cluster.nodes[target]
    want = expected(cluster, source, target)
    assert tree(node, "stopped", f"/from-{source}") == want
    node.run("exec", "running", "mkdir", "-p", "/dst")
    cluster.copy(there, cluster.place(target, "running", "/dst/back", "unix"))
    assert tree(node, "running", "/dst/back") == want
    node.run("exec", "running", "rm", "-rf", "/dst")


@PAIRS
def test_a_merge(cluster: Cluster, source: str, target: str, dst: Node) -> None:
    """What is there and not in the source stays; what is in both is the source's."""
    script = "mkdir -p /dst/tree/many; echo mine >/dst/tree/mine; echo old >/dst/tree/plain"
    dst.run("exec", "running", "sh", "-c", script)
    here = cluster.place(source, "source", "/tree", "unix")
    cluster.copy(here, cluster.place(target, "running", "/dst", "unix"))
    found = tree(dst, "running", "/dst/tree")
    assert found.pop("mine")[0] == "0"
    found.pop("", None)
    want = expected(cluster, source, target)
    want.pop("")
    assert found == want
    assert stages(dst, "running") == []


@pytest.mark.parametrize(("source", "target"), list(itertools.product(("root", "plain"), repeat=2)))
def test_holes_stay_holes(cluster: Cluster, source: str, target: str, dst: Node) -> None:
    make = f"dd if=/dev/zero of=/holes bs=1 count=1 seek={SPARSE - 1}"
    cluster.nodes[source].run("exec", "source", "sh", "-c", make)
    here = cluster.place(source, "source", "/holes", "unix")
    cluster.copy(here, cluster.place(target, "running", "/dst", "unix"))
    size, blocks = dst.run("exec", "running", "stat", "-c", "%s %b", "/dst/holes").split()
    assert int(size) == SPARSE
    assert int(blocks) * 512 < SPARSE // 10


@PAIRS
def test_a_directory_does_not_replace_a_file(
    cluster: Cluster, source: str, target: str, dst: Node
) -> None:
    dst.run("exec", "running", "sh", "-c", "mkdir /dst/tree; echo mine >/dst/tree/many")
    before = tree(dst, "running", "/dst/tree/many")
    here = cluster.place(source, "source", "/tree", "unix")
    said = cluster.copy(here, cluster.place(target, "running", "/dst", "unix"), code=1)
    assert "target running:/dst" in said
    assert tree(dst, "running", "/dst/tree/many") == before
    if target != "dockerd":  # there what was linked before stays
        assert dst.run("exec", "running", "ls", "-a", "/dst/tree").split() == [".", "..", "many"]
    assert stages(dst, "running") == []


def test_within_one_container(cluster: Cluster) -> None:
    for kind, node in cluster.nodes.items():
        here = cluster.place(kind, "source", "/tree", "unix")
        said = cluster.copy(here, cluster.place(kind, "source", "/tree/many/x", "unix"), code=1)
        assert "into itself" in said
        twin = cluster.place(kind, "source", "/twin", "unix")
        if kind == "dockerd":
            assert "at the same time" in cluster.copy(here, twin, code=1)
            continue
        cluster.copy(here, twin)
        assert tree(node, "source", "/twin") == tree(node, "source", "/tree")
        node.run("exec", "source", "rm", "-rf", "/twin")


def test_links_are_followed_when_asked(cluster: Cluster) -> None:
    for source, target in itertools.product(KINDS, KINDS):
        here = cluster.place(source, "source", "/tree/soft", "unix")
        nodes.run(
            [*nodes.WHERRY, "cp", "-L", here, cluster.place(target, "running", "/new", "unix")],
            cluster.environment,
        )
        node = cluster.nodes[target]
        assert node.run("exec", "running", "cat", "/new") == "plain\n"
        node.run("exec", "running", "rm", "/new")
