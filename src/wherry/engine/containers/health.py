"""Health checks as decisions: what is run, when, and what a result means. Pure.

The rules are dockerd's; the start interval is that of Docker 25 (API 1.44). Times are in ns.
"""

from typing import NamedTuple

import msgspec

from wherry.dockerapi import container_answers as answers
from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.engine.records import HealthRecord, ProbeResult, StateRecord
from wherry.kit.clock import SECOND, rfc3339

INTERVAL = 30 * SECOND
TIMEOUT = 30 * SECOND
START_INTERVAL = 5 * SECOND
RETRIES = 3
OUTPUT_LIMIT = 4096
"""Bytes of output that are kept of a check."""
RESULTS = 5


class HealthPlan(NamedTuple):
    """A check with everything filled in."""

    command: tuple[str, ...]
    interval: int
    timeout: int
    start_period: int
    start_interval: int
    retries: int


def plan_of(request: ContainerCreateRequest) -> HealthPlan | None:
    """The check of a merged request; None where there is none, or none that can be run."""
    check = request.healthcheck
    if check is None:
        return None
    command = _command(check.test or [], request.shell or ["/bin/sh", "-c"])
    if not command:
        return None
    return HealthPlan(
        command=tuple(command),
        interval=check.interval or INTERVAL,
        timeout=check.timeout or TIMEOUT,
        start_period=check.start_period,
        start_interval=check.start_interval or START_INTERVAL,
        retries=check.retries or RETRIES,
    )


def _command(test: list[str], shell: list[str]) -> list[str]:
    """`NONE` and what dockerd does not know give no command, and so no check."""
    kind, *words = test or ["NONE"]
    if kind == "CMD-SHELL" and words:
        return [*shell, *words]
    return words if kind == "CMD" else []


def begun(plan: HealthPlan | None, last: HealthRecord | None) -> HealthRecord | None:
    """At a start: judged anew, with the results of earlier runs still shown."""
    return None if plan is None else HealthRecord(log=last.log if last else ())


def judged(
    plan: HealthPlan, before: HealthRecord, result: ProbeResult, started: int
) -> HealthRecord:
    """The health after a result. A failure within the start period does not count."""
    log = (*before.log, result)[-RESULTS:]
    if result.code == 0:
        return HealthRecord("healthy", 0, log)
    if before.status == "starting" and result.start - started < plan.start_period:
        return msgspec.structs.replace(before, log=log)
    streak = before.failing_streak + 1
    status = "unhealthy" if streak >= plan.retries else before.status
    return HealthRecord(status, streak, log)


def pause_before(plan: HealthPlan, health: HealthRecord, started: int, now: int) -> int:
    """Nanoseconds until the next check: shorter ones while it still starts."""
    starting = health.status == "starting" and now - started < plan.start_period
    return plan.start_interval if starting else plan.interval


def kept_output(data: bytes) -> str:
    """What is shown of a check's output."""
    text = data[:OUTPUT_LIMIT].decode(errors="replace")
    return text + "..." if len(data) > OUTPUT_LIMIT else text


def word(state: StateRecord) -> str:
    """`starting`, `healthy`, `unhealthy` or `none`.

    What is not being checked, for it is frozen or has ended, is `unhealthy`, as in dockerd.
    """
    if state.health is None:
        return "none"
    return state.health.status if state.status == "running" else "unhealthy"


def answer(state: StateRecord) -> answers.Health | None:
    """The Health object of inspect."""
    if state.health is None:
        return None
    results = tuple(
        answers.HealthResult(rfc3339(each.start), rfc3339(each.end), each.code, each.output)
        for each in state.health.log
    )
    return answers.Health(word(state), state.health.failing_streak, results)
