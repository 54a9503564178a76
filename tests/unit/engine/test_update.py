"""What an update may change, beside what and where."""

import pytest

from wherry.dockerapi.containers import UpdateRequest
from wherry.dockerapi.host_config import HostConfig, RestartPolicy
from wherry.engine.containers.update import conflict, wanted
from wherry.kit.errors import InvalidInput

MB = 1 << 20
SWAP = (
    "Memory limit should be smaller than already set memoryswap limit, "
    "update the memoryswap at the same time"
)
CPUS = "Conflicting options: {} cannot be updated as {} has already been set"
REMOVED = "Restart policy cannot be updated because AutoRemove is enabled for the container"


@pytest.mark.parametrize(
    ("now", "asked", "problem"),
    [
        (HostConfig(), HostConfig(cpu_shares=5), ""),
        (HostConfig(), HostConfig(memory=64 * MB), SWAP),
        (HostConfig(memory_swap=-1), HostConfig(memory=64 * MB), SWAP),
        (HostConfig(memory_swap=64 * MB), HostConfig(memory=64 * MB), ""),
        (HostConfig(), HostConfig(memory=64 * MB, memory_swap=-1), ""),
        (
            HostConfig(cpu_quota=5000),
            HostConfig(nano_cpus=5),
            CPUS.format("Nano CPUs", "CPU Quota"),
        ),
        (HostConfig(nano_cpus=5), HostConfig(cpu_quota=5000), CPUS.format("CPU Quota", "NanoCPUs")),
        (HostConfig(nano_cpus=5), HostConfig(cpu_quota=-1), ""),
        (HostConfig(auto_remove=True), HostConfig(restart_policy=RestartPolicy("always")), REMOVED),
        (HostConfig(auto_remove=True), HostConfig(restart_policy=RestartPolicy("no")), ""),
    ],
)
def test_what_does_not_go_together(now: HostConfig, asked: HostConfig, problem: str) -> None:
    assert conflict(now, asked) == problem


def test_without_control_groups_nothing_is_limited_and_it_is_said() -> None:
    request = UpdateRequest(
        memory=64 * MB, memory_swap=128 * MB, pids_limit=5, restart_policy=RestartPolicy("always")
    )
    host, warnings = wanted(request, "none")
    assert (host.memory, host.memory_swap, host.pids_limit) == (0, 0, None)
    assert host.restart_policy.name == "always"
    assert [text.rsplit(". ", 1)[1] for text in warnings] == [
        "Memory discarded.", "PIDs limit discarded.",
    ]  # fmt: skip


def test_where_there_are_some_all_of_it_is_taken() -> None:
    host, warnings = wanted(UpdateRequest(memory_swap=128 * MB, cpu_percent=5), "v1")
    assert (host.memory_swap, host.cpu_percent) == (128 * MB, 0)
    assert warnings == ["linux does not support CPU percent. Percent discarded."]


def test_what_dockerd_refuses_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Invalid QoS settings"):
        wanted(UpdateRequest(io_maximum_iops=5), "v1")
