"""Volumes as the API shows and creates them. Sizes in bytes."""

from typing import ClassVar

import msgspec

from wherry.dockerapi.names import go_name
from wherry.kit.clock import ZERO


class VolumeUsage(msgspec.Struct, frozen=True, rename=go_name):
    """-1 where it was not measured."""

    ref_count: int = -1
    size: int = -1


class Volume(msgspec.Struct, frozen=True, rename=go_name):
    """GET /volumes/{name}."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("created_at", "status", "usage_data"))

    created_at: str = ZERO
    driver: str = "local"
    labels: dict[str, str] | None = None
    mountpoint: str = ""
    name: str = ""
    options: dict[str, str] | None = None
    scope: str = "local"
    status: dict[str, str] | None = None
    usage_data: VolumeUsage | None = None


class VolumeList(msgspec.Struct, frozen=True, rename=go_name):
    """GET /volumes."""

    volumes: tuple[Volume, ...] = ()
    warnings: tuple[str, ...] | None = None


class ClusterVolumeSpec(msgspec.Struct, frozen=True):
    """Nothing of it is read; it marks a volume of a swarm."""


class VolumeCreateRequest(msgspec.Struct, frozen=True, rename=go_name):
    """POST /volumes/create; without a name the volume gets a random one."""

    driver: str = ""
    driver_opts: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    name: str = ""
    cluster_volume_spec: ClusterVolumeSpec | None = None
    """For volumes of a swarm."""


class VolumesPruned(msgspec.Struct, frozen=True, rename=go_name):
    """POST /volumes/prune."""

    volumes_deleted: tuple[str, ...] = ()
    space_reclaimed: int = 0
