#!/usr/bin/env python3
"""A file goes from a container to a container by scp, which we start through the exec API.

    examples/scp_between_containers.py IMAGE
    examples/scp_between_containers.py --from ssh://a --to tcp://b:2376 --reach b IMAGE

IMAGE has OpenSSH's server and client (Debian: openssh-server). Both containers run sshd; keys are
made inside, and each side's public part travels over the engines' archive and exec routes, so the
containers know each other without having trusted anybody on first use. On one engine they talk
over its network; for two, the target's port 22 is published, and `--reach` is the name or address
under which its host is seen from inside the other container.

`wherry cp a/CONTAINER:/x b/CONTAINER:/y` does the same without sshd, keys or an open port.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from wherry.client import containers, execs
from wherry.client.client import Client
from wherry.client.containers import Extraction
from wherry.client.document import Json
from wherry.client.endpoint import Choice, parse, resolve, tls_of
from wherry.client.frames import Splitter
from wherry.layer.tarwriter import END, Member, encode

PATH = "/root/payload"
SIZE = 1 << 20


class Failure(Exception):
    """A command inside a container did not succeed."""


def client(host: str) -> Client:
    """The engine at an address, or the one that the environment names."""
    return Client(parse(host, tls_of(Choice())) if host else resolve(Choice()))


def run(engine: Client, container: str, *words: str) -> str:
    """A command inside a container: its output. Raises Failure for an exit code other than 0."""
    body: dict[str, Json] = {"Cmd": list(words), "AttachStdout": True, "AttachStderr": True}
    exec_id = execs.create(engine, container, body)
    stream = execs.attach(engine, exec_id, tty=False)
    splitter, said = Splitter(), b""
    with stream.socket:
        data = stream.leftover
        while True:
            said += b"".join(piece for _, piece in splitter.feed(data))
            data = stream.socket.recv(1 << 16)
            if not data:
                break
    text = said.decode("utf-8", "replace")
    code = execs.inspect(engine, exec_id).number("ExitCode")
    if code:
        raise Failure(f"{' '.join(words)}: exit code {code}\n{text}")
    return text


def put(engine: Client, container: str, path: str, data: bytes, mode: int = 0o600) -> None:
    """A file into a container, by the archive route."""
    folder, _, name = path.rpartition("/")
    header = encode(Member(name, "0", mode, size=len(data)))
    tar = iter([header, data, bytes(-len(data) % 512), END])
    containers.extract(engine, container, folder, tar, Extraction())


@contextmanager
def running(engine: Client, image: str, *, published: bool) -> Iterator[str]:
    """A container that waits; gone at the end."""
    ports: dict[str, Json] = {"22/tcp": [{"HostIp": "", "HostPort": ""}]} if published else {}
    body: dict[str, Json] = {
        "Image": image,
        "Cmd": ["sleep", "1000"],
        "ExposedPorts": {"22/tcp": {}},
        "HostConfig": {"PortBindings": ports, "Init": True},
    }
    made = containers.create(engine, body).id
    try:
        containers.start(engine, made)
        yield made
    finally:
        containers.remove(engine, made, force=True, volumes=True)


def sshd(engine: Client, container: str) -> str:
    """Host keys, sshd, a key of root's own; the public host key."""
    run(engine, container, "sh", "-c", "rm -f /etc/ssh/ssh_host_*; ssh-keygen -q -A")
    run(engine, container, "mkdir", "-p", "-m", "700", "/root/.ssh", "/run/sshd")
    run(
        engine,
        container,
        "ssh-keygen",
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        "/root/.ssh/id_ed25519",
    )
    run(engine, container, "/usr/sbin/sshd", "-o", "PermitRootLogin=prohibit-password")
    return run(engine, container, "cat", "/etc/ssh/ssh_host_ed25519_key.pub")


def address(engine: Client, container: str, reach: str) -> tuple[str, str]:
    """Where the container's sshd is seen: host and port."""
    found = containers.inspect(engine, container)
    if not reach:
        networks = found.child("NetworkSettings", "Networks")
        return next(networks.text(name, "IPAddress") for name in networks.raw), "22"
    (binding, *_) = found.children("NetworkSettings", "Ports", "22/tcp")
    return reach, binding.text("HostPort")


def introduce(source: Client, here: str, target: Client, there: str, reach: str) -> tuple[str, str]:
    """Each side knows the other's key; where the target is."""
    sshd(source, here)
    host_key = " ".join(sshd(target, there).split()[:2])
    host, port = address(target, there, reach)
    put(source, here, "/root/.ssh/known_hosts", f"[{host}]:{port},{host} {host_key}\n".encode())
    key = run(source, here, "cat", "/root/.ssh/id_ed25519.pub")
    put(target, there, "/root/.ssh/authorized_keys", key.encode())
    return host, port


def copy(options: argparse.Namespace) -> None:
    """The whole story."""
    source, target = client(options.source), client(options.target)
    with ExitStack() as stack:
        here = stack.enter_context(running(source, options.image, published=False))
        there = stack.enter_context(running(target, options.image, published=bool(options.reach)))
        host, port = introduce(source, here, target, there, options.reach)
        data = os.urandom(SIZE)
        put(source, here, PATH, data)
        run(source, here, "scp", "-B", "-P", port, PATH, f"root@{host}:{PATH}-copied")
        sums = [
            run(source, here, "sha256sum", PATH),
            run(target, there, "sha256sum", f"{PATH}-copied"),
        ]
        if sums[0].split()[0] != sums[1].split()[0]:
            raise Failure(f"the copies differ: {sums}")
        print(
            f"{SIZE} bytes from {here[:12]} to {there[:12]} at {host}:{port}: {sums[0].split()[0]}"
        )


def main() -> int:
    """The exit code."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument(
        "--from", dest="source", default="", metavar="HOST", help="the source's engine"
    )
    flags.add_argument(
        "--to", dest="target", default="", metavar="HOST", help="the target's engine"
    )
    flags.add_argument(
        "--reach", default="", help="the target's host, as the source container sees it"
    )
    flags.add_argument("image")
    try:
        copy(flags.parse_args())
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
