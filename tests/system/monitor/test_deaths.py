"""kill -9 of daemon, zygote and monitor: what survives, what is found again, what is left."""

import asyncio
import os
import shutil
import signal
import sys

import pytest

from wherry.linux.process import is_running
from wherry.monitor.files import read_exit, read_record
from wherry.monitor.handle import Exited, Lost, MonitorHandle, clean, reattach
from wherry.monitor.parking import MOST
from wherry.monitor.protocol import Identity, LaunchRequest
from wherry.monitor.zygote_handle import Zygote, start

from .conftest import Box, attach, log_lines, until

RUNC = shutil.which("runc") or "runc"


def monitor_of(handle: MonitorHandle) -> Identity:
    record = read_record(handle.exec_dir)
    assert record is not None
    return record.monitor


async def test_zygote_killed(box: Box) -> None:
    zygote = await start()
    box.zygote = zygote
    handle = await box.run("sh", "-c", "sleep 1; echo still here; exit 4")
    os.kill(zygote.pid, signal.SIGKILL)
    assert (await handle.wait_exit()).code == 4
    assert log_lines(handle)[-1]["log"] == "still here\n"
    assert zygote.gone
    await handle.wait_gone()


DAEMON = """
import asyncio, json, sys
from wherry.monitor.handle import launch
from wherry.monitor.parking import MOST
from wherry.monitor.protocol import LaunchRequest
from wherry.monitor.zygote_handle import start

async def main():
    zygote = await start()
    handle = await launch(zygote, LaunchRequest.from_fields(json.loads(sys.argv[1])))
    if sys.argv[2] == "start":
        await handle.start()
    print(zygote.pid, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


async def killed_daemon(request: LaunchRequest, how: str) -> None:
    """A daemon of its own that launches the container and is killed."""
    import json

    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DAEMON, json.dumps(request.to_fields()), how,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert daemon.stdout is not None
    zygote = int(await daemon.stdout.readline())
    daemon.kill()
    await daemon.wait()
    await until(lambda: not os.path.exists(f"/proc/{zygote}"))


async def test_daemon_killed(box: Box) -> None:
    request = box.request("sh", "-c", "echo one; read x; echo two $x; exit 6", open_stdin=True)
    await killed_daemon(request, "start")
    handle = await reattach(request.exec_dir)
    assert isinstance(handle, MonitorHandle)
    assert handle.hello["phase"] == "running"
    client = await attach(handle, stdin=True, mux=False, logs=True)
    await client.until(b"one\n")
    await client.send(b"word\n")
    assert await client.rest() == b"two word\n"
    assert (await handle.wait_exit()).code == 6
    await handle.wait_gone()
    handle.close()
    found = await reattach(request.exec_dir)
    assert isinstance(found, Exited)
    assert found.exit.code == 6


async def test_daemon_killed_before_start(box: Box) -> None:
    """Nobody would start it any more, so it ends; its program has never run."""
    request = box.request("sh", "-c", "exit 5")
    await killed_daemon(request, "create")
    await until(lambda: read_exit(request.exec_dir) is not None)
    found = await reattach(request.exec_dir)
    if isinstance(found, MonitorHandle):  # it may be about to leave
        ended = await found.wait_exit()
        await found.wait_gone()
        found.close()
    else:
        assert isinstance(found, Exited)
        ended = found.exit
    assert (ended.code, ended.started) == (137, 0)


async def test_container_ends_while_no_daemon_lives(box: Box) -> None:
    request = box.request("sh", "-c", "sleep 1; echo last words; exit 9")
    await killed_daemon(request, "start")
    await until(lambda: read_exit(request.exec_dir) is not None)
    found = await reattach(request.exec_dir)
    if isinstance(found, MonitorHandle):  # it may be about to leave
        assert (await found.wait_exit()).code == 9
        await found.wait_gone()
        found.close()
    else:
        assert isinstance(found, Exited)
        assert found.exit.code == 9
    with open(request.log.path) as file:
        assert "last words" in file.read()
    await until(lambda: not os.path.exists(f"{request.exec_dir}/runtime/{request.container_id}"))


async def test_monitor_killed(box: Box, zygote: Zygote) -> None:
    handle = await box.run("sleep", "1000")
    init = Identity.from_fields(handle.hello["init"])
    os.kill(monitor_of(handle).pid, signal.SIGKILL)
    exit_ = await handle.wait_exit()
    assert exit_.code == 137
    assert "monitor was killed" in exit_.error
    await until(lambda: not is_running(init.pid, init.start_time))
    found = await reattach(handle.exec_dir)
    assert isinstance(found, Lost)
    assert found.code == 137
    assert found.request == handle.request
    await clean(zygote, found.request)
    assert not os.path.exists(f"{handle.exec_dir}/runtime/{found.request.container_id}")
    again = await reattach(handle.exec_dir)
    assert isinstance(again, Exited)
    assert again.exit.code == 137


async def test_monitor_is_deaf_to_signals_and_shows_its_stack(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    pid = monitor_of(handle).pid
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    os.kill(pid, signal.SIGUSR1)
    await until(lambda: os.path.exists(f"{handle.exec_dir}/stack.txt"))
    await handle.kill(0)
    with open(f"{handle.exec_dir}/stack.txt") as file:
        assert "loop.py" in file.read()


async def test_nothing_there(tmp_path: object) -> None:
    assert isinstance(await reattach(str(tmp_path)), Lost)


async def test_no_descriptors_are_left_in_the_daemon(box: Box) -> None:
    async def once() -> None:
        handle = await box.create("sh", "-c", "echo x")
        client = await attach(handle)
        await handle.start()
        await client.rest()
        await handle.wait_gone()
        handle.close()

    await once()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await once()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_monitor_holds_no_more_than_it_must(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    pid = monitor_of(handle).pid
    before = len(os.listdir(f"/proc/{pid}/fd"))
    for _ in range(5):
        client = await attach(handle)
        client.sock.close()
        created = await handle.descriptors()
        created.close()
        files = await handle.log_position()
        for fd in files.fds:
            os.close(fd)
    await handle.kill(0)
    assert len(os.listdir(f"/proc/{pid}/fd")) == before
    assert before < 32


async def test_zygote_is_sealed_and_holds_nothing(zygote: Zygote) -> None:
    assert "memfd:" in os.readlink(f"/proc/{zygote.pid}/exe")
    parked = len(os.listdir(f"/proc/{zygote.pid}/fd")) - 4  # a socket to each
    assert 0 <= parked <= MOST
    with open(f"/proc/{zygote.pid}/exe", "rb") as program:
        path = f"/proc/self/fd/{program.fileno()}"
        for flags in (os.O_WRONLY | os.O_TRUNC, os.O_RDWR):
            with pytest.raises(OSError, match=r"not permitted|busy"):
                os.write(os.open(path, flags), b"x")


async def test_cgroup_is_gone_at_the_end(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    with open(f"/proc/{handle.hello['init']['pid']}/cgroup") as file:
        groups = [line.strip().split(":", 2) for line in file]
    await handle.kill(9)
    await handle.wait_gone()
    for _, controllers, path in groups:
        assert not path.startswith("/wherry-test-monitor") or not os.path.exists(
            f"/sys/fs/cgroup/{controllers}{path}"
        )
