"""From a record to config.json."""

import msgspec
import pytest

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.host_config import HostConfig, Ulimit
from wherry.engine.records import ContainerRecord, MountPoint
from wherry.engine.spec import bundle, capabilities, resources, security
from wherry.engine.spec.facts import Facts, Host, Joined, User
from wherry.kit.errors import InvalidInput
from wherry.oci.digest import of_bytes

KNOWN = capabilities.DEFAULT | {"CAP_SYS_ADMIN", "CAP_NET_ADMIN"}
ROOT = Host((6, 1), "amd64", "real", "v1", KNOWN)
PLAIN = Host((6, 1), "amd64", "single", "none", KNOWN)


def spec(
    host: HostConfig = HostConfig(network_mode="none"),  # noqa: B008 - frozen
    facts: Facts = Facts(ROOT, User()),  # noqa: B008 - frozen
    mounts: tuple[MountPoint, ...] = (),
    **request: object,
) -> dict[str, object]:
    asked = ContainerCreateRequest(image="x", cmd=["true"], host_config=host)
    asked = msgspec.structs.replace(asked, **request)
    digest = of_bytes(b"x")
    record = ContainerRecord(
        "ab" * 32, "name", 0, asked, asked, digest, "x", digest, "linux", mounts, cgroup="/w/1"
    )
    return bundle.runtime_spec(record, facts)


def linux(made: dict[str, object]) -> dict[str, object]:
    found = made["linux"]
    assert isinstance(found, dict)
    return found


def namespaces(made: dict[str, object]) -> set[str]:
    listed = linux(made)["namespaces"]
    assert isinstance(listed, list)
    return {each["type"] for each in listed}


def test_the_default_container() -> None:
    made = spec()
    assert namespaces(made) == {"mount", "network", "pid", "ipc", "uts"}
    assert made["hostname"] == "ab" * 6
    process = made["process"]
    assert isinstance(process, dict)
    assert process["args"] == ["true"]
    assert set(process["capabilities"]["bounding"]) == capabilities.DEFAULT
    assert "inheritable" not in process["capabilities"]
    assert "/proc/kcore" in linux(made)["maskedPaths"]  # type: ignore[operator]
    assert linux(made)["seccomp"]


def test_the_hosts_namespaces_are_left_out() -> None:
    host = HostConfig(network_mode="host", pid_mode="host", ipc_mode="host", uts_mode="host")
    made = spec(host)
    assert namespaces(made) == {"mount"}
    assert "hostname" not in made


def test_joined_namespaces_are_named() -> None:
    host = HostConfig(network_mode="container:other")
    made = spec(host, Facts(ROOT, User(), Joined(network="/proc/7/ns/net")))
    assert {"type": "network", "path": "/proc/7/ns/net"} in linux(made)["namespaces"]  # type: ignore[operator]


def test_privileged_means_everything() -> None:
    made = spec(HostConfig(network_mode="none", privileged=True))
    assert "maskedPaths" not in linux(made)
    assert "seccomp" not in linux(made)
    assert linux(made)["resources"]["devices"] == [{"allow": True, "access": "rwm"}]  # type: ignore[index]


def test_parents_are_mounted_before_their_children() -> None:
    points = (MountPoint("bind", "/a/b", "/x"), MountPoint("bind", "/a", "/y"))
    listed = [each["destination"] for each in spec(mounts=points)["mounts"]]  # type: ignore[attr-defined]
    assert listed.index("/a") < listed.index("/a/b")


def test_a_users_mount_replaces_the_engines() -> None:
    points = (MountPoint("tmpfs", "/dev/shm", options=("size=1m",)),)
    shm = [each for each in spec(mounts=points)["mounts"] if each["destination"] == "/dev/shm"]  # type: ignore[attr-defined]
    assert len(shm) == 1
    assert "size=1m" in shm[0]["options"]


def test_one_id_has_a_namespace_for_other_users_and_no_cgroup() -> None:
    made = spec(facts=Facts(PLAIN, User(1000, 1000)))
    assert "cgroupsPath" not in linux(made)
    assert linux(made)["uidMappings"] == [{"containerID": 1000, "hostID": 0, "size": 1}]
    assert "user" in namespaces(made)
    assert "uidMappings" not in linux(spec(facts=Facts(PLAIN, User())))


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        ([], [], capabilities.DEFAULT),
        (["ALL"], [], KNOWN),
        (["all"], ["sys_admin"], KNOWN - {"CAP_SYS_ADMIN"}),
        ([], ["ALL"], frozenset()),
        (["CAP_CHOWN"], ["all"], frozenset({"CAP_CHOWN"})),
        (["net_admin"], ["mknod"], (capabilities.DEFAULT | {"CAP_NET_ADMIN"}) - {"CAP_MKNOD"}),
    ],
)
def test_capabilities(add: list[str], drop: list[str], expected: frozenset[str]) -> None:
    assert capabilities.granted(add, drop, KNOWN, privileged=False) == expected


def test_limits() -> None:
    host = HostConfig(memory=64 << 20, nano_cpus=500_000_000, cpu_shares=512, pids_limit=7)
    found = resources.resources(host, ())
    assert found["memory"] == {"limit": 64 << 20, "swap": 128 << 20}
    assert found["cpu"] == {"shares": 512, "quota": 50_000, "period": 100_000}
    assert found["pids"] == {"limit": 7}


@pytest.mark.parametrize("rule", ["", "x 1:2 r", "c 1 r", "c 1:2 q", "c a:b r"])
def test_device_rules_that_are_none(rule: str) -> None:
    with pytest.raises(InvalidInput, match="device cgroup rule"):
        resources.device_rules(HostConfig(device_cgroup_rules=[rule]), ())


def test_ulimits_are_checked() -> None:
    with pytest.raises(InvalidInput, match="soft limit"):
        spec(HostConfig(network_mode="none", ulimits=[Ulimit("nofile", hard=1, soft=2)]))


def test_security_options() -> None:
    found = security.parse(["no-new-privileges", "seccomp=unconfined", "label=disable"])
    assert found.no_new_privileges and found.seccomp == "unconfined"
    with pytest.raises(InvalidInput):
        security.parse(["nonsense"])
