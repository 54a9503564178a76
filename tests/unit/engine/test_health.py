"""The health check's state machine, without anything that runs."""

import pytest

from wherry.dockerapi.containers import ContainerCreateRequest, Healthcheck
from wherry.engine.containers import health
from wherry.engine.containers.health import HealthPlan
from wherry.engine.records import HealthRecord, ProbeResult, StateRecord
from wherry.kit.clock import SECOND

PLAN = HealthPlan(("check",), 30 * SECOND, 5 * SECOND, 10 * SECOND, 2 * SECOND, 3)


def result(code: int, at: int = 60) -> ProbeResult:
    return ProbeResult(at * SECOND, (at + 1) * SECOND, code, f"said {code}")


def after(*codes: int, at: int = 60) -> HealthRecord:
    found = HealthRecord()
    for code in codes:
        found = health.judged(PLAN, found, result(code, at), started=0)
    return found


@pytest.mark.parametrize(
    ("codes", "status", "streak"),
    [
        ((), "starting", 0),
        ((0,), "healthy", 0),
        ((1, 1), "starting", 2),
        ((1, 1, 1), "unhealthy", 3),
        ((0, 1, 1), "healthy", 2),
        ((0, 1, 1, 1), "unhealthy", 3),
        ((1, 1, 1, 0), "healthy", 0),
        ((0, 1, 1, 0, 1), "healthy", 1),
        ((-1, 2, 137), "unhealthy", 3),
    ],
)
def test_results_make_the_status(codes: tuple[int, ...], status: str, streak: int) -> None:
    found = after(*codes)
    assert (found.status, found.failing_streak) == (status, streak)


def test_failures_in_the_start_period_do_not_count() -> None:
    assert after(1, 1, 1, 1, at=9) == HealthRecord("starting", 0, (result(1, 9),) * 4)
    assert after(1, 1, 1, at=10).status == "unhealthy"


def test_once_healthy_the_start_period_is_over() -> None:
    assert after(0, 1, 1, 1, at=9).status == "unhealthy"


def test_the_last_five_results_are_kept() -> None:
    assert [each.code for each in after(1, 2, 3, 4, 5, 6, 7).log] == [3, 4, 5, 6, 7]


def test_checks_come_faster_while_it_starts() -> None:
    starting, healthy = HealthRecord(), HealthRecord("healthy")
    assert health.pause_before(PLAN, starting, 0, 9 * SECOND) == PLAN.start_interval
    assert health.pause_before(PLAN, starting, 0, 10 * SECOND) == PLAN.interval
    assert health.pause_before(PLAN, healthy, 0, 1 * SECOND) == PLAN.interval


@pytest.mark.parametrize(
    ("test", "shell", "command"),
    [
        (["CMD", "curl", "-f", "x"], None, ("curl", "-f", "x")),
        (["CMD-SHELL", "a && b"], None, ("/bin/sh", "-c", "a && b")),
        (["CMD-SHELL", "a"], ["/bin/bash", "-ec"], ("/bin/bash", "-ec", "a")),
        (["NONE"], None, None),
        (["CMD"], None, None),
        (["CMD-SHELL"], None, None),
        (["WHATEVER", "x"], None, None),
        ([], None, None),
        (None, None, None),
    ],
)
def test_what_is_run(
    test: list[str] | None, shell: list[str] | None, command: tuple[str, ...] | None
) -> None:
    request = ContainerCreateRequest(healthcheck=Healthcheck(test), shell=shell)
    found = health.plan_of(request)
    assert (found and found.command) == command


def test_docker_s_defaults() -> None:
    found = health.plan_of(ContainerCreateRequest(healthcheck=Healthcheck(["CMD", "x"])))
    assert found == HealthPlan(("x",), 30 * SECOND, 30 * SECOND, 0, 5 * SECOND, 3)


def test_a_start_judges_anew_and_keeps_what_was_found() -> None:
    last = after(1, 1, 1)
    assert health.begun(PLAN, last) == HealthRecord("starting", 0, last.log)
    assert health.begun(None, last) is None


def test_long_output_is_cut() -> None:
    assert health.kept_output(b"x" * 4096) == "x" * 4096
    assert health.kept_output(b"x" * 4097) == "x" * 4096 + "..."


@pytest.mark.parametrize(
    ("status", "word"), [("running", "healthy"), ("paused", "unhealthy"), ("exited", "unhealthy")]
)
def test_what_is_not_checked_is_shown_as_unhealthy(status: str, word: str) -> None:
    state = StateRecord(status, health=HealthRecord("healthy"))  # type: ignore[arg-type]
    assert health.word(state) == word


def test_without_a_check_there_is_no_health() -> None:
    assert health.word(StateRecord("running")) == "none"
    assert health.answer(StateRecord("running")) is None
