"""Small decisions: restarts, signals, ports, subnets."""

import msgspec
import pytest

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.host_config import HostConfig, PortBinding, RestartPolicy
from wherry.engine import networking
from wherry.engine.containers.container import with_state
from wherry.engine.containers.exits import (
    RESTART_DELAY,
    RESTART_DELAY_MAX,
    restart_delay,
    wants_restart,
)
from wherry.engine.containers.signalling import signal_number
from wherry.engine.records import ContainerRecord
from wherry.kit.clock import SECOND
from wherry.kit.errors import InvalidInput
from wherry.oci.digest import of_bytes


def record(policy: str, *, code: int = 1, count: int = 0, limit: int = 0) -> ContainerRecord:
    host = HostConfig(restart_policy=RestartPolicy(policy, limit))
    request = ContainerCreateRequest(image="x", cmd=["true"], host_config=host)
    digest = of_bytes(b"x")
    made = ContainerRecord("1" * 64, "name", 0, request, request, digest, "x", digest, "linux")
    made = msgspec.structs.replace(made, restart_count=count)
    return with_state(made, exit_code=code, started_at=0, finished_at=SECOND)


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (record("no"), False),
        (record("always", code=0), True),
        (record("unless-stopped", code=0), True),
        (record("on-failure", code=0), False),
        (record("on-failure", code=1), True),
        (record("on-failure", code=1, count=2, limit=3), True),
        (record("on-failure", code=1, count=3, limit=3), False),
    ],
)
def test_restart_policies(made: ContainerRecord, wanted: bool) -> None:
    assert wants_restart(made) is wanted


def test_restarts_slow_down_to_a_limit_and_recover() -> None:
    delays = [restart_delay(record("always", count=count)) for count in range(20)]
    assert delays[:3] == [RESTART_DELAY, RESTART_DELAY * 2, RESTART_DELAY * 4]
    assert max(delays) == delays[-1] == RESTART_DELAY_MAX
    steady = with_state(record("always", count=9), started_at=0, finished_at=60 * SECOND)
    assert restart_delay(steady) == RESTART_DELAY


@pytest.mark.parametrize(
    ("text", "number"),
    [("SIGTERM", 15), ("term", 15), ("9", 9), ("kill", 9), ("RTMIN", 34), ("SIGRTMIN+3", 37)],
)
def test_signals_by_name_and_number(text: str, number: int) -> None:
    assert signal_number(text) == number


@pytest.mark.parametrize("text", ["", "NOPE", "0", "65", "-1", "RTMIN+99"])
def test_signals_that_do_not_exist(text: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid signal"):
        signal_number(text)


def test_published_ports() -> None:
    host = HostConfig(
        port_bindings={
            "80/tcp": [PortBinding("127.0.0.1", "8080"), PortBinding("", "")],
            "53/udp": [PortBinding("", "5000-5010")],
        },
        publish_all_ports=True,
    )
    request = ContainerCreateRequest(host_config=host, exposed_ports={"80/tcp": {}, "9/tcp": {}})
    found = {tuple(each) for each in networking.bindings(request)}
    assert found == {
        ("tcp", 80, "127.0.0.1", 8080, 8080),
        ("tcp", 80, "", 0, 0),
        ("udp", 53, "", 5000, 5010),
        ("tcp", 9, "", 0, 0),
    }


@pytest.mark.parametrize("text", ["x", "80-", "99999", "1-x"])
def test_host_ports_that_are_none(text: str) -> None:
    host = HostConfig(port_bindings={"80/tcp": [PortBinding("", text)]})
    with pytest.raises(InvalidInput):
        networking.bindings(ContainerCreateRequest(host_config=host))


def test_routes_of_the_host() -> None:
    text = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n"
        "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\n"
        "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n"
    )
    assert networking.routes_in(text) == ["172.17.0.0/16"]
