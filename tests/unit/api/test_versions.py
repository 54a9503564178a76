"""Each difference of the published API descriptions 1.41 to 1.51, and the older ones, as a row.

A row names an answer, a field in it, and the first version that has it (or the first that lacks
it); the field is looked for in every version from 1.12 to 1.51.
"""

from collections.abc import Callable
from typing import Any

import pytest

from wherry.api import versions
from wherry.dockerapi.container_answers import (
    ContainerInspect,
    ContainerSummary,
    MountPoint,
    NetworkSettings,
    State,
    SummaryHostConfig,
    SummaryNetworkSettings,
)
from wherry.dockerapi.containers import ContainerConfig, Healthcheck
from wherry.dockerapi.endpoints import EndpointSettings
from wherry.dockerapi.host_config import HostConfig
from wherry.dockerapi.images import ImageInspect, ImageSummary
from wherry.dockerapi.mounts import BindOptions, Mount, TmpfsOptions, VolumeOptions
from wherry.dockerapi.networks import NetworkResource
from wherry.dockerapi.stats import InterfaceStats, Stats
from wherry.dockerapi.system import Commit, Device, DiskUsage, Firewall, Info, Runtime
from wherry.dockerapi.version import MAXIMUM, MINIMUM, ApiVersion
from wherry.oci.digest import of_bytes
from wherry.oci.manifest import Descriptor

ALL = [ApiVersion(1, minor) for minor in range(MINIMUM.minor, MAXIMUM.minor + 1)]
DESCRIPTOR = Descriptor("application/json", of_bytes(b"x"), 1)
ID = "a1b2c3d4e5f6" + "0" * 52
ENDPOINTS = {"web": EndpointSettings(dns_names=["c", "a1b2c3d4e5f6"], gw_priority=3)}

CONTAINER = ContainerInspect(
    ID,
    image_manifest_descriptor=DESCRIPTOR,
    host_config=HostConfig(
        annotations={"a": "b"},
        memory=5,
        mounts=[
            Mount(
                "bind",
                bind_options=BindOptions(
                    create_mountpoint=True, read_only_non_recursive=True, non_recursive=True
                ),
                volume_options=VolumeOptions(no_copy=True, subpath="x"),
                tmpfs_options=TmpfsOptions(size_bytes=1, options=[["a"]]),
            )
        ],
    ),
    mounts=(MountPoint("bind", source="/a", destination="/b", rw=True),),
    config=ContainerConfig(
        hostname="a1b2c3d4e5f6", healthcheck=Healthcheck(retries=1, start_interval=2)
    ),
    network_settings=NetworkSettings(networks=ENDPOINTS),
    state=State(status="running"),
)
SUMMARY = ContainerSummary(
    ID,
    image_manifest_descriptor=DESCRIPTOR,
    host_config=SummaryHostConfig("web", {"a": "b"}),
    network_settings=SummaryNetworkSettings(ENDPOINTS),
)
IMAGE = ImageInspect(
    "sha256:x",
    size=7,
    descriptor=DESCRIPTOR,
    container="c",
    config=ContainerConfig(user="u", cmd=["sh"]),
)
IMAGE_SUMMARY = ImageSummary(2, id="sha256:x", descriptor=DESCRIPTOR, size=7)
INFO = Info(
    kernel_memory=True,
    kernel_memory_tcp=True,
    runtimes={"wherry": Runtime("wherry", status={"a": "b"})},
    containerd_commit=Commit("1", ""),
    firewall_backend=Firewall("nftables"),
    discovered_devices=(Device("cdi", "x"),),
    cgroup_version="1",
    security_options=("name=seccomp,profile=default",),
)
USAGE = DiskUsage(images=(IMAGE_SUMMARY,), containers=(SUMMARY,))
STATS = Stats(networks={"eth0": InterfaceStats(rx_bytes=1), "eth1": InterfaceStats(rx_bytes=2)})
NETWORK = NetworkResource("n", "id")

Render = Callable[[ApiVersion], Any]
ANSWERS: dict[str, Render] = {
    "container": lambda version: versions.container(CONTAINER, version),
    "summary": lambda version: versions.summaries([SUMMARY], version)[0],
    "image": lambda version: versions.image(IMAGE, version),
    "images": lambda version: versions.image_summaries([IMAGE_SUMMARY], version)[0],
    "info": lambda version: versions.info(INFO, version),
    "usage": lambda version: versions.usage(USAGE, version),
    "stats": lambda version: versions.stats(STATS, version),
    "network": lambda version: versions.network(NETWORK, version),
}


def has(tree: Any, path: str) -> bool:
    for step in path.split("/"):
        if isinstance(tree, list):
            tree = tree[int(step)]
        elif not isinstance(tree, dict) or step not in tree:
            return False
        else:
            tree = tree[step]
    return True


@pytest.mark.parametrize(
    ("answer", "path", "minor"),
    [
        ("container", "NetworkSettings/Networks", 21),
        ("container", "Mounts", 20),
        ("container", "HostConfig/Mounts/0/BindOptions/CreateMountpoint", 42),
        ("container", "HostConfig/Annotations", 43),
        ("container", "HostConfig/Mounts/0/BindOptions/ReadOnlyNonRecursive", 44),
        ("container", "Config/Healthcheck/StartInterval", 44),
        ("container", "NetworkSettings/Networks/web/DNSNames", 44),
        ("container", "HostConfig/Mounts/0/VolumeOptions/Subpath", 45),
        ("container", "HostConfig/Mounts/0/TmpfsOptions/Options", 46),
        ("container", "NetworkSettings/Networks/web/GwPriority", 48),
        ("container", "ImageManifestDescriptor", 48),
        ("summary", "NetworkSettings/Networks/web/DNSNames", 44),
        ("summary", "HostConfig/Annotations", 46),
        ("summary", "NetworkSettings/Networks/web/GwPriority", 48),
        ("summary", "ImageManifestDescriptor", 48),
        ("image", "Descriptor", 48),
        ("images", "Descriptor", 48),
        ("usage", "Images/0/Descriptor", 48),
        ("info", "CgroupVersion", 41),
        ("info", "Runtimes/wherry/status", 44),
        ("info", "CDISpecDirs", 44),
        ("info", "FirewallBackend", 49),
        ("info", "DiscoveredDevices", 50),
        ("network", "EnableIPv4", 48),
        ("stats", "networks", 21),
    ],
)
def test_a_field_is_there_from_its_version_on(answer: str, path: str, minor: int) -> None:
    shown = [version.minor for version in ALL if has(ANSWERS[answer](version), path)]
    assert shown == list(range(minor, MAXIMUM.minor + 1))


@pytest.mark.parametrize(
    ("answer", "path", "minor"),
    [
        ("container", "Volumes", 20),
        ("container", "Config/Memory", 20),
        ("container", "HostConfig/KernelMemory", 42),
        ("container", "HostConfig/KernelMemoryTCP", 42),
        ("image", "VirtualSize", 44),
        ("images", "VirtualSize", 44),
        ("usage", "Images/0/VirtualSize", 44),
        ("image", "Container", 45),
        ("image", "Config/Hostname", 50),
        ("image", "Config/AttachStdin", 50),
        ("image", "Config/Env", 50),
        ("usage", "BuilderSize", 42),
        ("info", "ExecutionDriver", 25),
        ("info", "KernelMemory", 42),
        ("info", "RegistryConfig/AllowNondistributableArtifactsCIDRs", 49),
        ("info", "ContainerdCommit/Expected", 49),
        ("info", "RuncCommit/Expected", 49),
        ("info", "InitCommit/Expected", 49),
        ("info", "BridgeNfIptables", 50),
        ("info", "BridgeNfIp6tables", 50),
        ("stats", "network", 21),
    ],
)
def test_a_field_is_gone_from_its_version_on(answer: str, path: str, minor: int) -> None:
    shown = [version.minor for version in ALL if has(ANSWERS[answer](version), path)]
    assert shown == list(range(MINIMUM.minor, minor))


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ("container", "HostConfig/Memory"),
        ("container", "HostConfig/Mounts/0/BindOptions/NonRecursive"),
        ("image", "Config/Cmd"),
        ("image", "Config/User"),
        ("image", "Size"),
        ("info", "KernelMemoryTCP"),
        ("usage", "Containers"),
    ],
)
def test_what_no_version_changes_is_always_there(answer: str, path: str) -> None:
    assert all(has(ANSWERS[answer](version), path) for version in ALL)


def at(minor: int, answer: str) -> Any:
    return ANSWERS[answer](ApiVersion(1, minor))


def test_aliases_hold_the_short_id_until_1_44() -> None:
    assert at(44, "container")["NetworkSettings"]["Networks"]["web"]["Aliases"] == ["a1b2c3d4e5f6"]
    assert at(45, "container")["NetworkSettings"]["Networks"]["web"]["Aliases"] is None


@pytest.mark.parametrize(
    ("tags", "digests", "minor", "shown"),
    [
        ((), (), 42, (["<none>:<none>"], ["<none>@<none>"])),
        ((), (), 43, ([], [])),
        (("a:1",), (), 42, (["a:1"], None)),
        (("a:1",), None, 43, (["a:1"], [])),
        ((), ("a@x",), 42, (None, ["a@x"])),
        (("<none>:<none>",), ("<none>@<none>",), 43, ([], [])),
    ],
)
def test_images_without_names(
    tags: tuple[str, ...],
    digests: tuple[str, ...] | None,
    minor: int,
    shown: tuple[list[str] | None, list[str] | None],
) -> None:
    value = ImageSummary(id="x", repo_tags=tags, repo_digests=digests)
    (tree,) = versions.image_summaries([value], ApiVersion(1, minor))
    found = [tree[name] and list(tree[name]) for name in ("RepoTags", "RepoDigests")]
    assert tuple(found) == shown


def test_containers_of_an_image_are_counted_in_lists_since_1_51() -> None:
    assert at(50, "images")["Containers"] == -1
    assert at(51, "images")["Containers"] == 2
    assert at(41, "usage")["Images"][0]["Containers"] == 2


def test_a_missing_creation_time_is_gos_zero_until_1_43() -> None:
    assert at(43, "image")["Created"] == "0001-01-01T00:00:00Z"
    assert "Created" not in at(44, "image")


def test_the_images_config_of_1_50_has_what_the_image_has() -> None:
    assert at(50, "image")["Config"] == {"User": "u", "Cmd": ["sh"]}


def test_volumes_of_1_19() -> None:
    tree = at(19, "container")
    assert (tree["Volumes"], tree["VolumesRW"]) == ({"/b": "/a"}, {"/b": True})


def test_security_options_were_names_until_1_24() -> None:
    assert at(24, "info")["SecurityOptions"] == ["seccomp"]
    assert list(at(25, "info")["SecurityOptions"]) == ["name=seccomp,profile=default"]


def test_one_network_in_the_stats_of_1_20() -> None:
    assert at(20, "stats")["network"]["rx_bytes"] == 3


def test_artifacts_are_null_in_1_48_and_commits_are_expected_until_then() -> None:
    assert at(48, "info")["RegistryConfig"]["AllowNondistributableArtifactsCIDRs"] is None
    assert at(48, "info")["ContainerdCommit"] == {"ID": "1", "Expected": "1"}


def test_the_value_itself_is_not_changed() -> None:
    first = at(12, "container")
    assert at(51, "container") == versions.container(CONTAINER, MAXIMUM)
    assert first != at(51, "container")
