"""Processes by pidfd and start time; descriptors; limits."""

import contextlib
import os
import signal
import time

import pytest

from wherry.linux import process
from wherry.linux.libc import NUMBERS


def fork_sleeper() -> int:
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    return pid


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_start_time_is_that_of_stat_whatever_the_name() -> None:
    process.set_name("a) R 1 (b")
    try:
        with open("/proc/uptime", encoding="ascii") as file:
            uptime = float(file.read().split()[0])
        started = process.start_time(os.getpid()) / os.sysconf("SC_CLK_TCK")
        assert 0 <= uptime - started < 3600
    finally:
        process.set_name("pytest")


def test_start_time_of_a_missing_process() -> None:
    with pytest.raises(ProcessLookupError):
        process.start_time(2**22 + 1)


def test_open_checked_wants_the_same_process() -> None:
    pid = fork_sleeper()
    try:
        started = process.start_time(pid)
        os.close(process.open_checked(pid, started))
        assert process.is_running(pid, started)
        before = os.listdir("/proc/self/fd")
        with pytest.raises(ProcessLookupError):
            process.open_checked(pid, started + 1)
        assert os.listdir("/proc/self/fd") == before
    finally:
        end(pid)


def test_a_zombie_is_not_running() -> None:
    pid = fork_sleeper()
    started = process.start_time(pid)
    pidfd = process.pidfd_open(pid)
    assert not process.has_exited(pidfd)
    process.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert process.wait_exited(pidfd, 5)
    assert process.has_exited(pidfd)
    assert not process.is_running(pid, started)
    with pytest.raises(ProcessLookupError):
        process.open_checked(pid, started)
    os.waitpid(pid, 0)
    os.close(pidfd)


@pytest.mark.parametrize("old_kernel", [False, True])
def test_close_all_except_keeps_what_it_is_told(
    old_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old_kernel:
        monkeypatch.setitem(NUMBERS, "close_range", 9999)  # ENOSYS
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(6)]
    pid = os.fork()
    if pid == 0:
        process.close_all_except([opened[1], opened[4]])
        os._exit(0 if still_open(opened) == [opened[1], opened[4]] else 1)
    status = os.waitpid(pid, 0)[1]
    for descriptor in opened:
        os.close(descriptor)
    assert status == 0


def still_open(descriptors: list[int]) -> list[int]:
    left = []
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            left.append(descriptor)
    return left


def test_limits_are_read_and_lowered_by_name() -> None:
    pid = os.fork()
    if pid == 0:
        soft, hard = process.get_limit("RLIMIT_NOFILE")
        process.set_limit("RLIMIT_NOFILE", soft - 1, hard - 1)
        os._exit(0 if process.get_limit("RLIMIT_NOFILE") == (soft - 1, hard - 1) else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_raising_a_limit_names_it() -> None:
    pid = os.fork()
    if pid == 0:
        process.set_limit("RLIMIT_CORE", 0, 0)
        os.setresuid(65533, 65533, 65533) if os.geteuid() == 0 else None
        try:
            process.set_limit("RLIMIT_CORE", 1, 1)
        except PermissionError as error:
            os._exit(0 if "RLIMIT_CORE" in str(error) else 2)
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


def test_subreaper_is_a_property_of_the_process() -> None:
    pid = os.fork()
    if pid == 0:
        before = process.is_subreaper()
        process.become_subreaper()
        os._exit(0 if process.is_subreaper() and not before else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_boot_id_does_not_change() -> None:
    assert process.boot_id() == process.boot_id()
    assert len(process.boot_id()) == 36
