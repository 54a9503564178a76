"""What each version's create request means, as dockerd 28 (and 20.10 for 1.41) reads it."""

import pytest

from wherry.api import old_requests
from wherry.dockerapi.containers import ContainerCreateRequest, UpdateRequest, decode_create
from wherry.dockerapi.version import ApiVersion
from wherry.kit.errors import InvalidInput


def created(minor: int, rest: str) -> ContainerCreateRequest:
    return adapted(minor, rest).request


def adapted(minor: int, rest: str) -> old_requests.Adapted:
    request = decode_create(f'{{"Image":"x",{rest}}}'.encode())
    return old_requests.create(request, ApiVersion(1, minor))


def bind(options: str) -> str:
    return f'"HostConfig":{{"Mounts":[{{"Type":"bind","BindOptions":{{{options}}}}}]}}'


def first_mount_options(request: ContainerCreateRequest) -> object:
    return (request.host_config.mounts or [])[0].bind_options


HOST = [
    ('"AutoRemove":true', "auto_remove", 25, False, True),
    ('"Annotations":{"a":"b"}', "annotations", 43, None, {"a": "b"}),
    ('"KernelMemoryTCP":5', "kernel_memory_tcp", 40, 0, 5),
    ('"IpcMode":""', "ipc_mode", 40, "shareable", ""),
    ('"KernelMemory":5', "kernel_memory", 42, 5, 0),
    ('"CpuShares":1', "cpu_shares", 19, 2, 1),
    ('"CpuShares":999999', "cpu_shares", 19, 262144, 999999),
    ('"CpuShares":0', "cpu_shares", 19, 0, 0),
]


@pytest.mark.parametrize(("text", "field", "minor", "old", "new"), HOST)
def test_the_hosts_part(text: str, field: str, minor: int, old: object, new: object) -> None:
    rest = f'"HostConfig":{{{text}}}'
    assert getattr(created(minor - 1, rest).host_config, field) == old
    assert getattr(created(minor, rest).host_config, field) == new


@pytest.mark.parametrize(
    ("option", "field", "minor"),
    [
        ('"NonRecursive":true', "non_recursive", 40),
        ('"CreateMountpoint":true', "create_mountpoint", 42),
        ('"ReadOnlyNonRecursive":true', "read_only_non_recursive", 44),
    ],
)
def test_bind_options_that_came_later_are_ignored(option: str, field: str, minor: int) -> None:
    old = first_mount_options(created(minor - 1, bind(option)))
    assert getattr(old, field) is False
    assert getattr(first_mount_options(created(minor, bind(option))), field) is True


@pytest.mark.parametrize(
    ("rest", "minor", "text"),
    [
        (
            bind('"ReadOnlyForceRecursive":true'),
            44,
            "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer",
        ),
        (
            '"HostConfig":{"Mounts":[{"Type":"volume","VolumeOptions":{"Subpath":"a"}}]}',
            45,
            "VolumeOptions.Subpath needs API v1.45 or newer",
        ),
        (
            '"HostConfig":{"Mounts":[{"Type":"image"}]}',
            48,
            'Mount type "Image" needs API v1.48 or newer',
        ),
        (
            '"NetworkingConfig":{"EndpointsConfig":{"a":{},"b":{}}}',
            44,
            "Container cannot be connected to network endpoints: a, b",
        ),
    ],
)
def test_what_is_refused_before_its_version(rest: str, minor: int, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        created(minor - 1, rest)
    assert str(caught.value) == text
    created(minor, rest)


def test_options_of_another_type_are_dropped_and_since_1_42_refused() -> None:
    rest = '"HostConfig":{"Mounts":[{"Type":"bind","TmpfsOptions":{"SizeBytes":1}}]}'
    assert (created(41, rest).host_config.mounts or [])[0].tmpfs_options is None
    with pytest.raises(InvalidInput, match='TmpfsOptions must not be specified on mount type "b'):
        created(42, rest)


def test_the_start_interval_of_health_checks_since_1_44() -> None:
    rest = '"Healthcheck":{"StartInterval":5,"Retries":2}'
    for minor, interval in ((43, 0), (44, 5)):
        check = created(minor, rest).healthcheck
        assert check is not None and (check.start_interval, check.retries) == (interval, 2)


def test_gateway_priorities_since_1_48() -> None:
    rest = '"NetworkingConfig":{"EndpointsConfig":{"a":{"GwPriority":3},"b":null}}'
    with pytest.raises(InvalidInput):
        created(43, rest)
    found = created(47, rest).networking_config.endpoints_config or {}
    assert found["a"] is not None and found["a"].gw_priority == 0
    found = created(48, rest).networking_config.endpoints_config or {}
    assert found["a"] is not None and found["a"].gw_priority == 3


@pytest.mark.parametrize("limit", [0, -1, -7])
def test_no_limit_of_processes_has_one_form(limit: int) -> None:
    assert created(41, f'"HostConfig":{{"PidsLimit":{limit}}}').host_config.pids_limit is None
    for minor, wanted in ((39, None), (41, 0)):
        updated = old_requests.update(UpdateRequest(pids_limit=limit), ApiVersion(1, minor))
        assert updated.pids_limit == wanted


@pytest.mark.parametrize(("minor", "warns"), [(43, False), (44, True), (51, True)])
def test_the_mac_address_moves_to_the_endpoint(minor: int, warns: bool) -> None:
    rest = '"MacAddress":"02:00:00:00:00:01","HostConfig":{"NetworkMode":"web"}'
    found = adapted(minor, rest)
    endpoints = found.request.networking_config.endpoints_config or {}
    assert endpoints["web"] is not None
    assert endpoints["web"].mac_address == "02:00:00:00:00:01"
    assert found.warnings == ((old_requests.MAC_WARNING,) if warns else ())


def test_the_mac_address_goes_to_the_only_endpoint() -> None:
    rest = (
        '"MacAddress":"02:00:00:00:00:01","NetworkingConfig":{"EndpointsConfig":{"web":{}}},'
        '"HostConfig":{"NetworkMode":"abcdef"}'
    )
    endpoints = created(43, rest).networking_config.endpoints_config or {}
    assert list(endpoints) == ["web"]


@pytest.mark.parametrize("mode", ["host", "none", "container:x"])
def test_a_mac_address_needs_a_network_of_its_own(mode: str) -> None:
    with pytest.raises(InvalidInput, match="conflicting options"):
        created(43, f'"MacAddress":"02:00:00:00:00:01","HostConfig":{{"NetworkMode":"{mode}"}}')


def test_two_different_mac_addresses_are_refused() -> None:
    rest = (
        '"MacAddress":"02:00:00:00:00:01","HostConfig":{"NetworkMode":"web"},'
        '"NetworkingConfig":{"EndpointsConfig":{"web":{"MacAddress":"02:00:00:00:00:02"}}}'
    )
    with pytest.raises(InvalidInput, match="must match"):
        created(44, rest)


def test_endpoint_mac_addresses_were_not_known_before_1_44() -> None:
    rest = '"NetworkingConfig":{"EndpointsConfig":{"web":{"MacAddress":"02:00:00:00:00:02"}}}'
    for minor, mac in ((43, ""), (44, "02:00:00:00:00:02")):
        endpoints = created(minor, rest).networking_config.endpoints_config or {}
        assert endpoints["web"] is not None and endpoints["web"].mac_address == mac


@pytest.mark.parametrize(
    ("minor", "driver", "warns"), [(47, "", False), (48, "", True), (48, "local", False)]
)
def test_the_volume_driver_beside_mounts(minor: int, driver: str, warns: bool) -> None:
    options = f'"VolumeOptions":{{"DriverConfig":{{"Name":"{driver}"}}}}'
    rest = f'"HostConfig":{{"VolumeDriver":"d","Mounts":[{{"Type":"volume",{options}}}]}}'
    assert bool(adapted(minor, rest).warnings) is warns
