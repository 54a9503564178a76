"""What the engine keeps in the ledger, as typed values, and how they become documents.

The create request is kept as it was resolved at creation: recreating a container starts from it
and never from what `inspect` shows.
"""

from typing import Literal, TypeVar

import msgspec

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.endpoints import EndpointSettings
from wherry.kit.errors import Corrupt
from wherry.ledger.ledger import Claim, Drop, Put
from wherry.oci.digest import Digest

Status = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
R = TypeVar("R", bound="Record")


class Record(msgspec.Struct, frozen=True):
    """A document of the ledger; `kind` is the class's place there."""

    @classmethod
    def kind(cls) -> str:
        """The document kind, from the class's name."""
        return cls.__name__.removesuffix("Record").lower()

    def put(self, key: str) -> Put:
        """The change that writes this record."""
        return Put(self.kind(), key, msgspec.json.encode(self))

    def claim(self, key: str) -> Claim:
        """The change that writes this record under a key nobody may have."""
        return Claim(self.kind(), key, msgspec.json.encode(self))

    @classmethod
    def drop(cls, key: str) -> Drop:
        """The change that removes the record."""
        return Drop(cls.kind(), key)


def decode(record: type[R], key: str, data: bytes) -> R:
    """Read a document. Raises Corrupt naming it."""
    try:
        return msgspec.json.decode(data, type=record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"the ledger's {record.kind()} {key} cannot be read: {error}") from error


class Provenance(msgspec.Struct, frozen=True):
    """Where an image came from, kept from the first pull on."""

    reference: str
    registry: str = ""
    """The host that answered: a mirror, or the registry itself."""
    index_digest: Digest | None = None
    platform_digest: Digest | None = None
    time: int = 0


class ImageRecord(Record, frozen=True):
    """One image; the key is its id, the digest of its configuration."""

    id: Digest
    manifest: Digest
    """Digest of the manifest in the content store that holds the image together."""
    chain: tuple[Digest, ...]
    """Chain ids of its layers, lowest first; the snapshots are named by them."""
    size: int
    """Bytes of the files in its layers, as Docker counts them."""
    created: int
    """When it came to this engine, ns."""
    parent: str = ""
    repo_digests: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    layer_sizes: tuple[int, ...] = ()
    """Bytes of each layer's files, in the order of `chain`."""
    owners: Literal["real", "recorded"] = "real"
    """`recorded`: unpacked under one id; true owners are in the files' attributes."""


class TagRecord(Record, frozen=True):
    """What a reference points at; the key is the full reference with its tag."""

    image: Digest
    time: int


class NameRecord(Record, frozen=True):
    """Which container has a name; the key is the name."""

    container: str


class MountPoint(msgspec.Struct, frozen=True):
    """One mount of a container, resolved at creation."""

    type: Literal["bind", "volume", "tmpfs"]
    destination: str
    source: str = ""
    """Host path (bind, volume) or empty."""
    name: str = ""
    """Volume name."""
    driver: str = ""
    mode: str = ""
    rw: bool = True
    propagation: str = ""
    options: tuple[str, ...] = ()
    subpath: str = ""
    """A directory or file of the volume that is mounted in its place."""
    volume_labels: dict[str, str] = {}
    volume_options: dict[str, str] = {}
    """For a volume that does not exist yet."""
    no_copy: bool = False
    anonymous: bool = False
    by_mount: bool = False
    """Asked for by `HostConfig.Mounts`."""
    create_source: bool = False
    """A missing bind source is made (`-v`), not an error (`--mount`)."""
    recursive: bool = True
    """What is mounted below the source comes with it."""
    recursive_readonly: bool = False
    """Where it is read-only, so is what is mounted below."""
    force_recursive_readonly: bool = False


class LinkRecord(msgspec.Struct, frozen=True):
    """A link to another container: its id, the name it had, and what it is called inside."""

    container: str
    name: str
    alias: str


class PortMapping(msgspec.Struct, frozen=True):
    """A published port. Addresses as text, protocol `tcp` or `udp`."""

    container_port: int
    protocol: str
    host_ip: str
    host_port: int


class EndpointRecord(msgspec.Struct, frozen=True):
    """A container's place in one network."""

    network: str
    network_id: str
    endpoint_id: str = ""
    mac: str = ""
    address: str = ""
    prefix: int = 0
    gateway: str = ""
    ports: tuple[PortMapping, ...] = ()
    address6: str = ""
    prefix6: int = 0
    gateway6: str = ""
    interface: str = "eth0"
    default_route: bool = True
    """Whether what has no other way leaves here; published ports come in the same way."""
    default_route6: bool = True
    settings: EndpointSettings | None = None
    """What was asked for in this network: addresses, aliases, links, options."""
    changing: bool = False
    """A running container is about to be connected or disconnected; a crash then undoes it."""
    named: bool = False
    """It was connected, or started: inspect shows what it is called there, as dockerd's does."""


class ProbeResult(msgspec.Struct, frozen=True):
    """One run of a health check; times in ns. `code` 0 is healthy, -1: it could not be judged."""

    start: int
    end: int
    code: int
    output: str = ""


class HealthRecord(msgspec.Struct, frozen=True):
    """What the health checks found so far; the last five results, oldest first."""

    status: Literal["starting", "healthy", "unhealthy"] = "starting"
    failing_streak: int = 0
    log: tuple[ProbeResult, ...] = ()


class StateRecord(msgspec.Struct, frozen=True):
    """The last known state; times in ns."""

    status: Status = "created"
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: int | None = None
    finished_at: int | None = None
    health: HealthRecord | None = None
    """None: there is no health check. The ledger has it as of its last change of status."""
    held: bool = False
    """The engine itself has paused it for a moment; a crash then undoes it."""


class ContainerRecord(Record, frozen=True):
    """One container; the key is its id."""

    id: str
    name: str
    created: int
    request: ContainerCreateRequest
    """As asked, with the image's configuration merged in: what runs."""
    asked: ContainerCreateRequest
    """As asked, before the image's configuration: what a recreation starts from."""
    image: Digest
    image_reference: str
    """The name used to create it."""
    manifest: Digest
    platform: str
    mounts: tuple[MountPoint, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()
    links: tuple[LinkRecord, ...] = ()
    state: StateRecord = StateRecord()
    wanted: Literal["stopped", "running"] = "stopped"
    restart_count: int = 0
    restarts_in_a_row: int = 0
    """Of them those without a healthy check in between; `on-unhealthy:N` counts these."""
    runtime: str = "wherry"
    cgroup: str = ""
    """Path below the cgroup hierarchies, set at the first start."""
    resolv_conf: str = ""
