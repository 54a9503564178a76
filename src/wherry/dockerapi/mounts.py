"""Mounts as a client asks for them (`--mount`), sizes in bytes."""

from typing import Annotated

import msgspec

from wherry.dockerapi.names import go_name

UInt32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]


class BindOptions(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """How a path of the host is mounted."""

    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class VolumeDriver(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """Driver and options for a volume that does not exist yet."""

    name: str = ""
    options: dict[str, str] | None = None


class VolumeOptions(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """How a volume is made and mounted."""

    no_copy: bool = False
    labels: dict[str, str] | None = None
    subpath: str = ""
    driver_config: VolumeDriver | None = None


class ImageOptions(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """Which folder of an image is mounted (API 1.48)."""

    subpath: str = ""


class TmpfsOptions(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """Size and mode of a tmpfs; `options` are pairs or single words (API 1.46)."""

    size_bytes: int = 0
    mode: UInt32 = 0
    options: list[list[str]] | None = None


class ClusterOptions(msgspec.Struct, frozen=True):
    """Nothing yet; it marks a cluster volume."""


class Mount(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """One mount: type `bind`, `volume`, `tmpfs`, `image`, `npipe` or `cluster`."""

    type: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    image_options: ImageOptions | None = None
    tmpfs_options: TmpfsOptions | None = None
    cluster_options: ClusterOptions | None = None
