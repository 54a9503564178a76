"""Binds, mounts and volumes as clients write them."""

import pytest

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.host_config import HostConfig
from wherry.dockerapi.mounts import BindOptions, Mount, TmpfsOptions
from wherry.engine.containers import mountpoints
from wherry.kit.errors import InvalidInput, Unsupported


def test_a_bind() -> None:
    point = mountpoints.parse_bind("/src:/dst:ro,rslave")
    assert (point.type, point.source, point.destination) == ("bind", "/src", "/dst")
    assert (point.rw, point.propagation, point.create_source) == (False, "rslave", True)


def test_a_named_volume() -> None:
    point = mountpoints.parse_bind("data:/var/lib:nocopy")
    assert (point.type, point.name, point.no_copy, point.rw) == ("volume", "data", True, True)


def test_an_anonymous_volume_has_a_name_of_its_own() -> None:
    first, second = (mountpoints.parse_bind("/data") for _ in range(2))
    assert first.anonymous and second.anonymous
    assert first.name != second.name


@pytest.mark.parametrize(
    "text",
    [
        "a:b:c:d",
        ":/x",
        "/a:",
        "/a:/",
        "/a:rel",
        "/a:/b:sometimes",
        "/a:/b:ro,rw",
        "a/b:/x",
        "/a:/b:nocopy",
    ],
)
def test_what_makes_no_sense(text: str) -> None:
    with pytest.raises(InvalidInput):
        mountpoints.parse_bind(text)


def test_mounts_of_all_kinds() -> None:
    bind = mountpoints.from_mount(
        Mount("bind", "/s", "/d", read_only=True, bind_options=BindOptions(propagation="shared"))
    )
    assert (bind.source, bind.rw, bind.propagation, bind.create_source) == (
        "/s",
        False,
        "shared",
        False,
    )
    tmpfs = mountpoints.from_mount(
        Mount("tmpfs", "", "/t", tmpfs_options=TmpfsOptions(size_bytes=4096, mode=0o700))
    )
    assert "size=4096" in tmpfs.options and "mode=700" in tmpfs.options


@pytest.mark.parametrize(
    "mount",
    [
        Mount("bind", "", "/d"),
        Mount("bind", "rel", "/d"),
        Mount("tmpfs", "/x", "/d"),
        Mount("volume", "v", ""),
        Mount("strange", "x", "/d"),
    ],
)
def test_mounts_that_make_no_sense(mount: Mount) -> None:
    with pytest.raises(InvalidInput):
        mountpoints.from_mount(mount)


def test_mounts_of_other_systems_are_refused() -> None:
    with pytest.raises(Unsupported):
        mountpoints.from_mount(Mount("npipe", "x", "/d"))


def test_the_images_volumes_yield_to_the_users_mounts() -> None:
    request = ContainerCreateRequest(
        volumes={"/data": {}, "/cache": {}}, host_config=HostConfig(binds=["/host:/data"])
    )
    points = mountpoints.resolve(request)
    assert [(point.type, point.destination) for point in points] == [
        ("bind", "/data"),
        ("volume", "/cache"),
    ]


def test_two_mounts_at_one_place_are_refused() -> None:
    request = ContainerCreateRequest(host_config=HostConfig(binds=["/a:/x", "/b:/x/"]))
    with pytest.raises(InvalidInput, match="Duplicate mount point"):
        mountpoints.resolve(request)
