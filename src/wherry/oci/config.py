"""Image configuration (image-spec, config.md) with the fields that Docker adds to it.

An image's id is the digest of its configuration's bytes, so these are never encoded again once
stored: a changed configuration is a new image.
"""

import msgspec

from wherry.kit.errors import Corrupt
from wherry.oci.digest import Digest


def docker_case(name: str) -> str:
    """`on_build` → `OnBuild`: Go's exported field names."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


Empty = dict[str, dict[str, str]]
"""A set, as Go writes it in JSON: names to empty objects."""


class HealthConfig(msgspec.Struct, frozen=True, omit_defaults=True, rename=docker_case):
    """Health check; times in nanoseconds, 0 means inherit or default."""

    test: list[str] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ProcessConfig(msgspec.Struct, frozen=True, omit_defaults=True, rename=docker_case):
    """The `config` object: what a container of this image runs by default."""

    user: str = ""
    exposed_ports: Empty | None = None
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    volumes: Empty | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    args_escaped: bool = False
    healthcheck: HealthConfig | None = None
    on_build: list[str] | None = None
    shell: list[str] | None = None


class RootFs(msgspec.Struct, frozen=True):
    """The layers by the digests of their uncompressed tars, lowest first."""

    type: str = "layers"
    diff_ids: tuple[Digest, ...] = ()


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of how the image came to be."""

    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """The whole configuration blob."""

    architecture: str = ""
    os: str = ""
    created: str | None = None
    author: str = ""
    variant: str = ""
    config: ProcessConfig | None = None
    rootfs: RootFs = RootFs()
    history: tuple[History, ...] | None = None
    docker_version: str = ""
    container: str = ""
    parent: str = ""


def decode(data: bytes) -> ImageConfig:
    """Read a configuration blob. Raises Corrupt."""
    try:
        return msgspec.json.decode(data, type=ImageConfig)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"broken image configuration: {error}") from error


def encode(config: ImageConfig) -> bytes:
    """The bytes of a new configuration; their digest is the image id."""
    return msgspec.json.encode(config)
