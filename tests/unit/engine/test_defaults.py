"""What a create request means where it says nothing; names; what inspect shows of it."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.host_config import DeviceMapping, HostConfig, ThrottleDevice
from wherry.engine import host_devices
from wherry.engine.containers import answers, defaults, propagation
from wherry.engine.naming import check_name, random_name
from wherry.engine.records import (
    ContainerRecord,
    EndpointRecord,
    MountPoint,
    PortMapping,
    StateRecord,
)
from wherry.engine.spec import process
from wherry.engine.spec.facts import Device, Facts, Files, Host, User
from wherry.engine.spec.mounts import MASKED, device_binds, engine_files, ipc_mounts, user_mount
from wherry.kit.errors import InvalidInput
from wherry.linux import mountinfo
from wherry.oci.digest import of_bytes


def resolved(host: HostConfig, cgroup: str = "v1") -> HostConfig:
    request = ContainerCreateRequest(image="i", host_config=host)
    return defaults.resolved(request, "wherry", cgroup).host_config  # type: ignore[arg-type]


def test_an_empty_host_config() -> None:
    host = resolved(HostConfig())
    assert (host.network_mode, host.ipc_mode, host.cgroupns_mode) == ("default", "private", "host")
    assert (host.shm_size, host.restart_policy.name, host.log_config.type) == (
        64 << 20,
        "",
        "json-file",
    )
    assert host.masked_paths == MASKED


def test_version_2_gives_a_cgroup_namespace_and_no_oom_switch() -> None:
    host = resolved(HostConfig(oom_kill_disable=True), "v2")
    assert (host.cgroupns_mode, host.oom_kill_disable) == ("private", None)


@given(st.builds(HostConfig, memory=st.integers(0, 1 << 40), privileged=st.booleans()))
def test_what_is_resolved_stays(host: HostConfig) -> None:
    once = resolved(host)
    assert resolved(once) == once


def test_privileged_has_no_masks() -> None:
    host = resolved(HostConfig(privileged=True))
    assert (host.masked_paths, host.readonly_paths) == (None, None)


@pytest.mark.parametrize(
    ("host", "options"),
    [
        (HostConfig(), None),
        (HostConfig(privileged=True), ["label=disable"]),
        (HostConfig(ipc_mode="host", security_opt=["a=b"]), ["a=b", "label=disable"]),
        (HostConfig(pid_mode="host", security_opt=["label=type:x"]), ["label=type:x"]),
    ],
)
def test_who_shares_with_the_host_has_no_label(host: HostConfig, options: list[str] | None) -> None:
    assert resolved(host).security_opt == options


def test_minus_one_is_the_hosts_swappiness() -> None:
    assert resolved(HostConfig(memory_swappiness=-1)).memory_swappiness is None
    assert resolved(HostConfig(memory_swappiness=0)).memory_swappiness == 0


@pytest.mark.parametrize("name", ["ab", "a.b", "A_b-1", "/ab", "0x"])
def test_names(name: str) -> None:
    assert check_name(name) == name.removeprefix("/")


@pytest.mark.parametrize("name", ["a", "/", "a/b", "../x", "-a", ".ab", "a b", "ä1", "ab\n", ""])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InvalidInput, match="only \\[a-zA-Z0-9\\]"):
        check_name(name)


def test_a_random_name_is_free_even_when_all_are_taken() -> None:
    class All:
        def __contains__(self, name: object) -> bool:
            return not str(name).endswith(tuple("0123456789abcdef")) or len(str(name)) < 22

    assert check_name(random_name(All()))
    assert random_name(set()) != random_name(set()) or random_name(set()) != random_name(set())


def test_the_environment_of_a_container() -> None:
    request = ContainerCreateRequest(env=["A=1", "PATH=/x", "TERM", "B="], tty=True)
    assert process.environment(request, "h") == ["PATH=/x", "HOSTNAME=h", "A=1", "B="]


RECORD = ContainerRecord(
    id="a" * 64,
    name="n",
    created=1,
    request=ContainerCreateRequest(exposed_ports={"80/tcp": {}, "90/udp": {}}),
    asked=ContainerCreateRequest(),
    image=of_bytes(b"i"),
    image_reference="i",
    manifest=of_bytes(b"m"),
    platform="linux",
    state=StateRecord("running", pid=7),
    endpoints=(
        EndpointRecord("bridge", "n" * 64, ports=(PortMapping(80, "tcp", "0.0.0.0", 8000),)),
    ),
)


def test_ports_are_published_or_only_exposed() -> None:
    shown = answers.port_map(RECORD)
    assert shown["90/udp"] is None
    assert [(each.host_ip, each.host_port) for each in shown["80/tcp"] or ()] == [
        ("0.0.0.0", "8000")
    ]
    assert [port.private_port for port in answers.ports(RECORD)] == [80, 90]


def test_ports_of_a_container_that_does_not_run_or_has_the_hosts_network() -> None:
    stopped = msgspec.structs.replace(RECORD, state=StateRecord("exited"))
    request = msgspec.structs.replace(RECORD.request, host_config=HostConfig(network_mode="host"))
    assert answers.port_map(stopped) == {}
    assert answers.port_map(msgspec.structs.replace(RECORD, request=request)) == {}


def test_a_tmpfs_is_listed_where_it_came_by_mount() -> None:
    assert not answers.listed(MountPoint("tmpfs", "/t"))
    assert answers.listed(MountPoint("tmpfs", "/t", by_mount=True))
    assert answers.listed(MountPoint("bind", "/t", "/s"))


def test_a_volume_hears_of_the_hosts_mounts_and_a_bind_does_not() -> None:
    assert user_mount(MountPoint("volume", "/v", "/s"))["options"] == ["rbind", "rslave"]
    assert user_mount(MountPoint("bind", "/v", "/s", rw=False))["options"] == [
        "rbind", "rprivate", "ro",
    ]  # fmt: skip


def test_the_engines_files_are_as_read_only_as_the_root() -> None:
    host = Host((6, 1), "amd64", "real", "v1", frozenset())
    facts = Facts(host, User(), files=Files("/h", "/hosts", "/r"))
    for readonly, ending in ((True, "ro"), (False, "rprivate")):
        made = engine_files(facts, frozenset(["/etc/hosts"]), readonly=readonly)
        assert [each["destination"] for each in made] == ["/etc/resolv.conf", "/etc/hostname"]
        assert {list(each["options"])[-1] for each in made} == {ending}  # type: ignore[call-overload]


def test_a_device_under_another_name_is_bound_where_mknod_is_not_allowed() -> None:
    device = Device("/dev/null", "/dev/mine", "c", 1, 3, 0o666, 0, 0)
    for ids, count in (("real", 0), ("single", 1), ("mapped", 1)):
        host = Host((6, 1), "amd64", ids, "none", frozenset())  # type: ignore[arg-type]
        made = device_binds(Facts(host, User(), devices=(device,)))
        assert [each["source"] for each in made] == ["/dev/null"] * count


def test_the_hosts_queues_are_bound_where_there_are_any() -> None:
    for mqueue, targets in ((True, ["/dev/mqueue", "/dev/shm"]), (False, ["/dev/shm"])):
        host = Host((6, 1), "amd64", "single", "none", frozenset(), mqueue=mqueue)
        made = ipc_mounts(Facts(host, User()), HostConfig(ipc_mode="host"))
        assert [each["destination"] for each in made] == targets


MOUNTS = mountinfo.parse(
    "1 0 8:1 / / rw - ext4 /dev/a rw\n"
    "2 1 8:2 / /srv rw shared:1 - ext4 /dev/b rw\n"
    "3 1 8:3 / /srv2 rw master:1 - ext4 /dev/c rw\n"
    "4 2 8:4 / /srv rw - ext4 /dev/d rw\n"
)


@pytest.mark.parametrize(
    ("path", "id"),
    [("/", 1), ("/etc", 1), ("/srv", 4), ("/srv/x", 4), ("/srv2/x", 3), ("/srv3", 1)],
)
def test_the_mount_that_a_path_is_on(path: str, id: int) -> None:
    assert propagation._mount_of(path, MOUNTS).id == id


def test_a_private_mount_shares_nothing(tmp_path: Path) -> None:
    tags = propagation._mount_of(os.path.realpath(tmp_path), mountinfo.read()).tags
    point = MountPoint("bind", "/x", str(tmp_path), propagation="rshared")
    propagation.check([msgspec.structs.replace(point, propagation="rprivate")])
    if any(tag.startswith("shared:") for tag in tags):
        propagation.check([point])
    else:
        with pytest.raises(InvalidInput, match="but it is not a shared mount"):
            propagation.check([point])


def test_devices_are_looked_up() -> None:
    mapping = DeviceMapping("/dev/null", "/dev/mine", "r")
    (device,) = host_devices.of(HostConfig(devices=[mapping]))
    assert (device.target, device.kind, device.major, device.minor) == ("/dev/mine", "c", 1, 3)


@pytest.mark.parametrize(
    ("path", "text"),
    [("/dev/nosuch", "no such file or directory"), ("/etc/passwd", "not a device")],
)
def test_devices_that_are_none(path: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        host_devices.of(HostConfig(devices=[DeviceMapping(path)]))


def test_limits_are_of_block_devices() -> None:
    for path, text in (("/dev/nosuch", "no such file"), ("/dev/null", "not a block device")):
        host = HostConfig(blkio_device_read_bps=[ThrottleDevice(path, 1)])
        with pytest.raises(InvalidInput, match=text):
            host_devices.numbered(host)
    assert host_devices.numbered(HostConfig()) == HostConfig()
