"""Binds, mounts and volumes as clients write them."""

import pytest

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.host_config import HostConfig
from wherry.dockerapi.mounts import BindOptions, Mount, TmpfsOptions
from wherry.engine.containers import mountpoints
from wherry.engine.records import MountPoint
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
    with pytest.raises(InvalidInput, match="mount type unknown"):
        mountpoints.from_mount(Mount("npipe", "x", "/d"))
    with pytest.raises(Unsupported):
        mountpoints.from_mount(Mount("cluster", "x", "/d"))


def test_what_another_container_has_yields_to_what_is_asked_for() -> None:
    theirs = (
        MountPoint("volume", "/a", name="one", mode="z"),
        MountPoint("bind", "/b", "/src", rw=False),
        MountPoint("tmpfs", "/c"),
        MountPoint("tmpfs", "/d", by_mount=True),
    )
    found = mountpoints.inherit(theirs, writable=True)
    assert [(point.destination, point.rw, point.mode) for point in found] == [
        ("/a", True, ""), ("/b", False, ""), ("/d", True, ""),
    ]  # fmt: skip
    request = ContainerCreateRequest(volumes={"/a": {}}, host_config=HostConfig(binds=["/mine:/b"]))
    points = mountpoints.resolve(request, found)
    assert [(p.destination, p.source or p.name) for p in points] == [
        ("/b", "/mine"), ("/a", "one"), ("/d", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [("x", ("x", True)), ("x:ro", ("x", False)), ("x:rw,z", ("x", True)), ("x:Z", ("x", True))],
)
def test_volumes_from(text: str, found: tuple[str, bool]) -> None:
    assert mountpoints.parse_volumes_from(text) == found


@pytest.mark.parametrize("text", ["", "x:", "x:rshared", "x:nocopy", "x:ro,rw", "x:foo"])
def test_volumes_from_that_make_no_sense(text: str) -> None:
    with pytest.raises(InvalidInput):
        mountpoints.parse_volumes_from(text)


@pytest.mark.parametrize(
    ("options", "modern", "recursive"),
    [
        (None, False, False),
        (None, True, True),
        (BindOptions(read_only_non_recursive=True), True, False),
        (BindOptions(read_only_force_recursive=True), False, True),
    ],
)
def test_a_read_only_bind_is_so_below_since_api_1_44(
    options: BindOptions | None, modern: bool, recursive: bool
) -> None:
    wanted = Mount("bind", "/s", "/d", read_only=True, bind_options=options)
    assert mountpoints.from_mount(wanted, modern).recursive_readonly is recursive
    request = ContainerCreateRequest(host_config=HostConfig(binds=["/s:/d:ro", "/s:/e"]))
    first, second = mountpoints.resolve(request, (), modern)
    assert (first.recursive_readonly, second.recursive_readonly) == (modern, False)


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
