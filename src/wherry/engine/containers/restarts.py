"""Restart policies as decisions. Pure.

`on-unhealthy` is ours: it restarts after a failure, and when the health check says unhealthy, at
most N times in a row (0: always); a check that is healthy begins a new row.
"""

from collections.abc import Mapping

from wherry.engine.records import ContainerRecord
from wherry.kit.clock import SECOND

FIRST_DELAY = 0.1
"""Seconds before the first restart; doubled each time, as dockerd does."""
LONGEST_DELAY = 60.0
STEADY = 10.0
"""A container that ran for this many seconds begins again with the first delay."""


def wants_restart(record: ContainerRecord) -> bool:
    """What the policy says about the end that the record tells of."""
    policy = record.request.host_config.restart_policy
    limit = policy.maximum_retry_count
    failed = record.state.exit_code != 0
    if policy.name == "on-failure":
        return failed and (not limit or record.restart_count < limit)
    if policy.name == "on-unhealthy":
        return (failed or _unhealthy(record)) and not _row_is_full(record)
    return policy.name in ("always", "unless-stopped")


def may_restart_unhealthy(record: ContainerRecord) -> bool:
    """Whether a running container has to be restarted for what its check says."""
    policy = record.request.host_config.restart_policy
    return policy.name == "on-unhealthy" and _unhealthy(record) and not _row_is_full(record)


def _unhealthy(record: ContainerRecord) -> bool:
    health = record.state.health
    return health is not None and health.status == "unhealthy"


def _row_is_full(record: ContainerRecord) -> bool:
    limit = record.request.host_config.restart_policy.maximum_retry_count
    return bool(limit) and record.restarts_in_a_row >= limit


def wanted_at_start(record: ContainerRecord) -> bool:
    """Whether an engine that has just started runs it again.

    `always` means also what a client stopped; what has never run stays so.
    """
    if record.state.started_at is None or record.state.status not in ("exited", "restarting"):
        return False
    policy = record.request.host_config.restart_policy.name
    return policy == "always" or (record.wanted == "running" and wants_restart(record))


def next_delay(record: ContainerRecord, last: float) -> float:
    """Seconds until the restart, after one that took `last` seconds to come (0: the first)."""
    state = record.state
    ran = ((state.finished_at or 0) - (state.started_at or 0)) / SECOND
    if ran >= STEADY or not last:
        return FIRST_DELAY
    return min(LONGEST_DELAY, last * 2)


def needs(record: ContainerRecord) -> frozenset[str]:
    """Ids of the containers it joins or is linked to: they have to run before it."""
    host = record.request.host_config
    modes = (host.network_mode, host.pid_mode, host.ipc_mode)
    joined = (mode.removeprefix("container:") for mode in modes if mode.startswith("container:"))
    return frozenset((*joined, *(link.container for link in record.links)))


def waves(wanted: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Ids in the order of their needs; those of one list may start together."""
    left, result = dict(wanted), []
    while left:
        ready = [id for id, needed in left.items() if not needed & left.keys()] or list(left)
        result.append(ready)
        for id in ready:
            del left[id]
    return result
