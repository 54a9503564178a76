"""Restart policies: what they say about an end, how long a restart waits, in which order."""

import msgspec
import pytest

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.host_config import HostConfig, RestartPolicy
from wherry.engine.containers import restarts
from wherry.engine.containers.container import with_state
from wherry.engine.containers.restarts import FIRST_DELAY, LONGEST_DELAY
from wherry.engine.records import ContainerRecord, HealthRecord
from wherry.kit.clock import SECOND
from wherry.oci.digest import of_bytes


def record(
    policy: str,
    *,
    code: int = 1,
    count: int = 0,
    limit: int = 0,
    health: str = "",
    wanted: str = "running",
) -> ContainerRecord:
    host = HostConfig(restart_policy=RestartPolicy(policy, limit))
    request = ContainerCreateRequest(image="x", cmd=["true"], host_config=host)
    digest = of_bytes(b"x")
    made = ContainerRecord("1" * 64, "name", 0, request, request, digest, "x", digest, "linux")
    made = msgspec.structs.replace(
        made, restart_count=count, restarts_in_a_row=count, wanted=wanted
    )
    state = {"exit_code": code, "started_at": 0, "finished_at": SECOND, "status": "exited"}
    found = HealthRecord(health) if health else None  # type: ignore[arg-type]
    return with_state(made, **state, health=found)


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
        (record("on-unhealthy", code=0), False),
        (record("on-unhealthy", code=1), True),
        (record("on-unhealthy", code=0, health="unhealthy"), True),
        (record("on-unhealthy", code=0, health="healthy"), False),
        (record("on-unhealthy", health="unhealthy", count=2, limit=3), True),
        (record("on-unhealthy", health="unhealthy", count=3, limit=3), False),
    ],
)
def test_restart_policies(made: ContainerRecord, wanted: bool) -> None:
    assert restarts.wants_restart(made) is wanted


def test_only_on_unhealthy_ends_a_running_container() -> None:
    assert restarts.may_restart_unhealthy(record("on-unhealthy", health="unhealthy"))
    assert not restarts.may_restart_unhealthy(record("on-unhealthy", health="healthy"))
    assert not restarts.may_restart_unhealthy(record("always", health="unhealthy"))
    full = record("on-unhealthy", health="unhealthy", count=1, limit=1)
    assert not restarts.may_restart_unhealthy(full)


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (record("always", wanted="stopped"), True),
        (record("always"), True),
        (record("unless-stopped"), True),
        (record("unless-stopped", wanted="stopped"), False),
        (record("on-failure"), True),
        (record("on-failure", code=0), False),
        (record("on-failure", wanted="stopped"), False),
        (record("no"), False),
        (with_state(record("always"), status="created", started_at=None), False),
        (with_state(record("always"), status="running"), False),
    ],
)
def test_what_a_new_engine_starts(made: ContainerRecord, wanted: bool) -> None:
    assert restarts.wanted_at_start(made) is wanted


def test_restarts_slow_down_to_a_limit_and_recover() -> None:
    delays, last = [], 0.0
    for _ in range(20):
        last = restarts.next_delay(record("always"), last)
        delays.append(last)
    assert delays[:3] == [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4]
    assert max(delays) == delays[-1] == LONGEST_DELAY
    steady = with_state(record("always"), started_at=0, finished_at=60 * SECOND)
    assert restarts.next_delay(steady, last) == FIRST_DELAY


def test_owners_of_namespaces_start_first() -> None:
    wanted = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset(), "d": frozenset("gone")}
    assert restarts.waves(wanted) == [["c", "d"], ["b"], ["a"]]


def test_a_circle_of_needs_does_not_hang() -> None:
    circle = {"a": frozenset("b"), "b": frozenset("a")}
    assert restarts.waves(circle) == [["a", "b"]]


def test_needs_are_the_containers_it_joins() -> None:
    host = HostConfig(network_mode="container:x", ipc_mode="container:y", pid_mode="host")
    made = record("always")
    made = msgspec.structs.replace(made, request=ContainerCreateRequest(host_config=host))
    assert restarts.needs(made) == {"x", "y"}
