"""What the pure part needs to know of the host and of the container's surroundings."""

from typing import Literal, NamedTuple

IdMode = Literal["real", "single", "mapped"]
"""`real`: root on the host. `single`: a user namespace with one id. `mapped`: with ranges."""


class Host(NamedTuple):
    """The kernel and the engine's place on it."""

    kernel: tuple[int, int]
    architecture: str
    """As image configurations say it: amd64, arm64."""
    ids: IdMode
    cgroup: Literal["v1", "v2", "none"]
    capabilities: frozenset[str]
    """All that this kernel knows and this engine may give, `CAP_…`."""
    apparmor: bool = False
    selinux: bool = False
    ipv6: bool = False
    """Whether the kernel has IPv6 and its switches."""
    mqueue: bool = True
    """Whether the host has message queues at /dev/mqueue."""


class User(NamedTuple):
    """A user of the image, by numbers."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()


class Device(NamedTuple):
    """A device node of the host. `kind` is `c` or `b`, `mode` the permission bits."""

    path: str
    target: str
    kind: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int
    access: str = "rwm"


class Joined(NamedTuple):
    """Namespaces of others that the container joins, as paths; empty: its own."""

    network: str = ""
    ipc: str = ""
    pid: str = ""
    uts: str = ""
    shm: str = ""
    """Path of another container's /dev/shm."""


class Files(NamedTuple):
    """Host paths of the files that the engine writes for the container's /etc; empty: none."""

    hostname: str = ""
    hosts: str = ""
    resolv_conf: str = ""
    init: str = ""
    """A small init program to bind at /sbin/docker-init."""


class Facts(NamedTuple):
    """Everything beside the record."""

    host: Host
    user: User
    joined: Joined = Joined()
    files: Files = Files()
    devices: tuple[Device, ...] = ()
    seccomp: str | None = None
    """Content of a profile read elsewhere; None: by the record's options."""
    linked: tuple[str, ...] = ()
    """Variables of links to other containers."""
    ids_socket: str = ""
    """Where the calls of a container with one id that change its user are answered."""
