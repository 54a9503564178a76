"""Engines of every kind with cables between them, and a tree of every kind of file, for `cp`."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.compat import nodes, sshd
from tests.compat.nodes import KINDS, WHERRY, Node
from tests.compat.sshd import Server
from wherry.layer.reader import Entry, TarReader
from wherry.layer.tarwriter import END, Member, encode

MANY = int(os.environ.get("WHERRY_TEST_FILES", "100"))
"""Small files in the tree."""
HUB = "wcpy-hub"
NETWORK = "10.213"
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
"""cap_net_bind_service, in the kernel's format of version 2."""
SPARSE = 8 << 20
WAYS = ("unix", "tls", "ssh")
Tree = dict[str, tuple[object, ...]]


class Cluster(NamedTuple):
    """An engine of each kind in a network namespace of its own, and a client between them."""

    nodes: dict[str, Node]
    server: Server
    config: Path

    def place(self, kind: str, container: str, path: str, way: str) -> str:
        node = self.nodes[kind]
        host = {
            "unix": node.host,
            "tls": f"at-{kind}",
            "ssh": f"{self.server.url}{node.folder}/s",
        }[way]
        return f"{host}/{container}:{path}"

    @property
    def environment(self) -> dict[str, str]:
        return nodes.environment(DOCKER_CONFIG=str(self.config), PATH=self.server.path)

    def copy(self, source: str, target: str, code: int = 0) -> str:
        words = ["nsenter", f"--net=/run/netns/{HUB}", *WHERRY, "cp", source, target]
        if "ssh://" in source + target:
            words = words[2:]
        return nodes.run(words, self.environment, code)


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)


@contextmanager
def network(kind: str, number: int) -> Iterator[str]:
    """A namespace with a cable to the hub; its address."""
    name, inner, outer = f"wcpy-{kind}", f"wcpi{number}", f"wcpo{number}"
    ip("netns", "add", name)
    try:
        ip("link", "add", inner, "netns", name, "type", "veth", "peer", outer, "netns", HUB)
        for where, link, last in ((name, inner, 2), (HUB, outer, 1)):
            ip("-n", where, "addr", "add", f"{NETWORK}.{number}.{last}/24", "dev", link)
            ip("-n", where, "link", "set", link, "up")
            ip("-n", where, "link", "set", "lo", "up")
        yield f"{NETWORK}.{number}.2"
    finally:
        ip("netns", "del", name, check=False)


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """All of it; contexts are kept in the folder."""
    with ExitStack() as stack:
        ip("netns", "add", HUB)
        stack.callback(ip, "netns", "del", HUB, check=False)
        found = {}
        for number, kind in enumerate(KINDS):
            address = stack.enter_context(network(kind, number))
            found[kind] = stack.enter_context(nodes.node(kind, address, netns=f"wcpy-{kind}"))
            context(folder, found[kind], f"at-{kind}")
        server = stack.enter_context(sshd.server({"wherry": sshd.wherry()}, {}))
        made = Cluster(found, server, folder)
        for node in found.values():
            fill(node)
        yield made


def context(folder: Path, node: Node, name: str) -> None:
    at = node.certificates
    files = f"ca={at}/ca.pem,cert={at}/cert.pem,key={at}/key.pem"
    words = ["context", "create", name, "--docker", f"host=tcp://{node.address},{files}"]
    nodes.run([*WHERRY, *words], nodes.environment(DOCKER_CONFIG=str(folder)))


def fill(node: Node) -> None:
    """Containers: `source` with the tree, `running`, and `stopped`."""
    for name in ("source", "running"):
        node.run("run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "100000")
    node.run("create", "--name", "stopped", "--network", "none", "busybox", "true")
    node.run("cp", "-", "source:/", input=archive())


def archive() -> bytes:
    """/tree with everything, /one a file alone."""
    parts = [
        folder("tree", 0o755, 1000, 1000),
        file("tree/plain", b"plain\n", 0o640, 1000, 1001),
        file("tree/set-id", b"#!", 0o4711, 0, 0),
        file("tree/capable", b"elf", 0o755, 0, 0, ("security.capability", CAPABILITY)),
        file("tree/marked", b"x", 0o644, 0, 0, ("user.mark", b"\0\xff")),
        file("tree/empty", b"", 0o600, 0, 0),
        file("tree/" + "long-name-" * 20, b"long", 0o600, 0, 0),
        encode(Member("tree/hard", "1", 0o640, 1000, 1001, link="tree/plain")),
        encode(Member("tree/soft", "2", 0o777, 7, 7, mtime=1_500_000_000, link="plain")),
        encode(Member("tree/dangling", "2", 0o777, link="/nowhere/../x")),
        encode(Member("tree/fifo", "6", 0o620, mtime=1_500_000_000)),
        folder("tree/closed", 0o500, 1000, 1000),
        file("tree/closed/inside", b"in", 0o400, 1000, 1000),
        file("tree/zeros", bytes(SPARSE), 0o600, 0, 0),
        folder("tree/many", 0o755, 0, 0),
    ]
    parts += [file(f"tree/many/{n}", b"%d\n" % n, 0o644, n % 3, 0) for n in range(MANY)]
    parts.append(file("one", os.urandom(100_000), 0o751, 33, 33))
    return b"".join(parts) + END


def folder(name: str, mode: int, uid: int, gid: int) -> bytes:
    return encode(Member(f"{name}/", "5", mode, uid, gid, mtime=1_500_000_000))


def file(
    name: str, data: bytes, mode: int, uid: int, gid: int, *xattrs: tuple[str, bytes]
) -> bytes:
    member = Member(name, "0", mode, uid, gid, len(data), 1_500_000_000, xattrs=xattrs)
    return encode(member) + data + bytes(-len(data) % 512)


def tree(node: Node, container: str, path: str) -> Tree:
    """What is at a path, by the names below it: kind, mode, owner, time, link, content, xattrs."""
    done = subprocess.run(
        [*WHERRY, "cp", f"{container}:{path}", "-"],
        env=nodes.environment(DOCKER_HOST=node.host), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    reader = TarReader(iter([done.stdout]))
    found: Tree = {}
    for entry in reader:
        below = entry.name.partition("/")[2].rstrip("/")
        link = entry.link.partition("/")[2] if entry.kind == "1" else entry.link
        content = _digest(reader, entry) if entry.kind == "0" else ""
        changed = entry.mtime if entry.kind != "1" else 0
        owner = (entry.uid, entry.gid)
        found[below] = (entry.kind, entry.mode, owner, changed, link, content, entry.xattrs)
    return found


def _digest(reader: TarReader, entry: Entry) -> str:
    descriptor = os.memfd_create("content")
    with open(descriptor, "r+b") as file:
        reader.copy_to(descriptor, entry)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def stages(node: Node, container: str) -> list[str]:
    """What copies have left behind in /dst and in the root."""
    found = []
    for path in ("/", "/dst"):
        script = f"ls -a {path} 2>/dev/null | cat"
        names = node.run("exec", container, "sh", "-c", script).split()
        found += [f"{path}/{name}" for name in names if name.startswith(".wherry-cp-")]
    return found
