"""What a create request may ask for, and how it is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.dockerapi.containers import ContainerCreateRequest, Healthcheck
from wherry.dockerapi.endpoints import EndpointIpamConfig, EndpointSettings, NetworkingConfig
from wherry.dockerapi.host_config import HostConfig, LogConfig, PortBinding, RestartPolicy
from wherry.engine.containers import conflicts, ports_and_health, validate
from wherry.kit.errors import InvalidInput, Unsupported, WherryError

GIBIBYTE = 1 << 30


def asked(host: HostConfig | None = None, **fields: object) -> ContainerCreateRequest:
    request = ContainerCreateRequest(image="i", host_config=host or HostConfig())
    return msgspec.structs.replace(request, **fields)


def check(request: ContainerCreateRequest) -> None:
    validate.check(request, frozenset(["wherry"]), cpus=2, nodes=1)
    conflicts.check(request)
    ports_and_health.check(request)
    ports_and_health.check_protocols(request)


ALLOWED = [
    HostConfig(),
    HostConfig(memory=GIBIBYTE, memory_swap=GIBIBYTE, memory_reservation=GIBIBYTE),
    HostConfig(memory=GIBIBYTE, memory_swap=-1, memory_swappiness=-1),
    HostConfig(nano_cpus=2_000_000_000),
    HostConfig(cpu_period=1000, cpu_quota=-1),
    HostConfig(cpuset_cpus="0-1", cpuset_mems="0"),
    HostConfig(pid_mode="container:x", ipc_mode="container:x", userns_mode="host"),
    HostConfig(restart_policy=RestartPolicy("on-failure", 3)),
    HostConfig(auto_remove=True, restart_policy=RestartPolicy("no")),
    HostConfig(log_config=LogConfig("json-file", {"max-size": "1m", "tag": "x"})),
    HostConfig(port_bindings={"80/tcp": [PortBinding("", "8000-8001")], "53/udp": None}),
    HostConfig(uts_mode="host", network_mode="host"),
]


@pytest.mark.parametrize("host", ALLOWED)
def test_what_makes_sense(host: HostConfig) -> None:
    check(asked(host))


SCTP = [
    HostConfig(port_bindings={"80/sctp": [PortBinding("", "8000")]}),
    HostConfig(publish_all_ports=True),
]


@pytest.mark.parametrize("host", SCTP)
def test_sctp_is_refused_at_create_unless_nothing_is_published(host: HostConfig) -> None:
    with pytest.raises(Unsupported, match="publishing port 80/sctp is not supported: tcp or udp"):
        check(asked(host, exposed_ports={"80/sctp": {}}))
    check(asked(exposed_ports={"80/sctp": {}}))
    check(asked(msgspec.structs.replace(host, network_mode="host"), exposed_ports={"80/sctp": {}}))


REFUSED = [
    (HostConfig(memory=1), "Minimum memory limit allowed is 6MB"),
    (HostConfig(memory=-1), "Minimum memory limit allowed is 6MB"),
    (HostConfig(memory=GIBIBYTE, memory_swap=GIBIBYTE - 1), "Minimum memoryswap limit"),
    (HostConfig(memory_swap=GIBIBYTE), "You should always set the Memory limit"),
    (HostConfig(memory_swap=-2), "-1 is unlimited"),
    (HostConfig(memory_swappiness=101), "valid memory swappiness range is 0-100"),
    (HostConfig(memory=GIBIBYTE, memory_reservation=2 * GIBIBYTE), "memory reservation limit"),
    (HostConfig(nano_cpus=2_000_000_001), "there are only 2 CPUs available"),
    (HostConfig(nano_cpus=1, cpu_quota=5000), "Nano CPUs and CPU Quota cannot both be set"),
    (HostConfig(nano_cpus=1, cpu_period=5000), "Nano CPUs and CPU Period cannot both be set"),
    (HostConfig(cpu_period=999), "CPU cfs period"),
    (HostConfig(cpu_quota=999), "CPU cfs quota"),
    (HostConfig(cpu_realtime_period=1, cpu_realtime_runtime=2), "real-time runtime"),
    (HostConfig(cpuset_cpus="2"), "requested 2, available: 0-1"),
    (HostConfig(cpuset_cpus="0;1"), "Invalid value 0;1 for cpuset cpus"),
    (HostConfig(cpuset_mems="1"), "Requested memory nodes are not available"),
    (HostConfig(blkio_weight=9), "Range of blkio weight"),
    (HostConfig(restart_policy=RestartPolicy("x")), "invalid restart policy 'x'"),
    (HostConfig(restart_policy=RestartPolicy("always", 1)), "maximum retry count cannot be used"),
    (HostConfig(restart_policy=RestartPolicy("on-failure", -1)), "cannot be negative"),
    (HostConfig(auto_remove=True, restart_policy=RestartPolicy("always")), "AutoRemove"),
    (HostConfig(pid_mode="x"), "invalid PID mode: x"),
    (HostConfig(ipc_mode="x"), "Invalid IPC mode: x"),
    (HostConfig(uts_mode="x"), "invalid UTS mode: x"),
    (HostConfig(userns_mode="x"), "invalid USER mode: x"),
    (HostConfig(cgroupns_mode="x"), "invalid cgroup namespace mode: x"),
    (HostConfig(log_config=LogConfig("x")), "error looking up logging plugin x"),
    (HostConfig(log_config=LogConfig("", {"x": ""})), "unknown log opt 'x' for json-file"),
    (HostConfig(runtime="x"), "Unknown runtime specified x"),
    (HostConfig(oom_score_adj=1001), "range for oom score adj"),
    (HostConfig(shm_size=-1), "SHM size can not be less than 0"),
    (HostConfig(isolation="x"), "linux only supports 'default'"),
    (HostConfig(storage_opt={"size": "1g"}), "--storage-opt is supported only"),
    (HostConfig(port_bindings={"x/tcp": []}), 'invalid port specification: "x/tcp"'),
    (HostConfig(port_bindings={"1/tcp": [PortBinding("", "1-x")]}), "invalid port specification"),
    (HostConfig(port_bindings={"1/tcp": [PortBinding("", "\u00b2")]}), "invalid port spec"),
    (HostConfig(port_bindings={"1/tcp": [PortBinding("", "99999")]}), "invalid port specif"),
    (HostConfig(network_mode="container:"), "invalid container format"),
    (HostConfig(network_mode="container:x", dns=["1.1.1.1"]), "dns and the network mode"),
    (HostConfig(network_mode="container:x", publish_all_ports=True), "port publishing"),
    (HostConfig(network_mode="container:x", extra_hosts=["a:1.1.1.1"]), "host-to-IP mapping"),
]


@pytest.mark.parametrize(("host", "text"), REFUSED, ids=[text for _, text in REFUSED])
def test_what_makes_none(host: HostConfig, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(asked(host))
    assert text in str(caught.value)


SHARED = HostConfig(network_mode="container:x")
FIELDS = [
    (asked(hostname="h" * 64), "invalid hostname format"),
    (asked(env=["=x"]), "invalid environment variable: =x"),
    (asked(stop_signal="NOSUCH"), "Invalid signal: NOSUCH"),
    (asked(SHARED, hostname="h"), "hostname and the network mode"),
    (asked(SHARED, mac_address="02:00:00:00:00:01"), "mac-address and the network mode"),
    (asked(SHARED, exposed_ports={"80/tcp": {}}), "port exposing"),
    (asked(HostConfig(uts_mode="host"), hostname="h"), "hostname and the UTS mode"),
    (asked(healthcheck=Healthcheck(interval=999_999)), "Interval in Healthcheck"),
    (asked(healthcheck=Healthcheck(start_period=-1)), "StartPeriod in Healthcheck"),
    (asked(healthcheck=Healthcheck(retries=-1)), "Retries in Healthcheck cannot be negative"),
]


@pytest.mark.parametrize(("request_", "text"), FIELDS, ids=[text for _, text in FIELDS])
def test_fields_beside_the_host_config(request_: ContainerCreateRequest, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(request_)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (EndpointIpamConfig(ipv4_address="x"), "invalid IPv4 address: x"),
        (EndpointIpamConfig(ipv6_address="10.0.0.1"), "invalid IPv6 address: 10.0.0.1"),
    ],
)
def test_addresses(config: EndpointIpamConfig, text: str) -> None:
    endpoints = {"bridge": EndpointSettings(ipam_config=config), "other": None}
    with pytest.raises(InvalidInput, match=text):
        check(asked(networking_config=NetworkingConfig(endpoints)))


@given(
    st.builds(
        HostConfig,
        memory=st.integers(-(1 << 63), (1 << 63) - 1),
        memory_swap=st.integers(-(1 << 63), (1 << 63) - 1),
        nano_cpus=st.integers(-(1 << 63), (1 << 63) - 1),
        cpu_period=st.integers(-(1 << 63), (1 << 63) - 1),
        cpuset_cpus=st.text(max_size=8),
        pid_mode=st.text(max_size=12),
        port_bindings=st.dictionaries(
            st.text(max_size=6), st.lists(st.builds(PortBinding, host_port=st.text(max_size=6)))
        ),
    )
)
def test_no_request_is_answered_with_anything_but_our_errors(host: HostConfig) -> None:
    try:
        check(asked(host))
    except WherryError as error:
        assert str(error)


def test_what_cannot_be_limited_is_dropped_and_said() -> None:
    host = HostConfig(memory=GIBIBYTE, memory_swap=2 * GIBIBYTE, pids_limit=5, cpu_shares=7)
    left, warnings = validate.limited(host, "none")
    assert (left.memory, left.memory_swap, left.pids_limit, left.cpu_shares) == (0, 0, None, 0)
    assert len(warnings) == 3
    assert all(text.endswith("discarded.") for text in warnings)


@pytest.mark.parametrize("cgroup", ["v1", "v2"])
def test_what_can_be_limited_stays(cgroup: str) -> None:
    host = HostConfig(memory=GIBIBYTE, pids_limit=5, nano_cpus=10**9, blkio_weight=100)
    assert validate.limited(host, cgroup) == (host, [])  # type: ignore[arg-type]


def test_warnings_beside_limits() -> None:
    bindings = {"80/tcp": [PortBinding("", "80")]}
    host = HostConfig(kernel_memory=GIBIBYTE, network_mode="host", port_bindings=bindings)
    _, warnings = validate.limited(host, "v1")
    assert [text.split()[0] for text in warnings] == ["Specifying", "Published"]
