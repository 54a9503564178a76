"""Further processes in a container."""

import asyncio
import os
import socket

import pytest

from wherry.kit.errors import Conflict, NotFound
from wherry.monitor.failure import ProcessFailed
from wherry.monitor.files import read_exec_exit, read_record
from wherry.monitor.handle import MonitorHandle
from wherry.monitor.protocol import AttachOptions, ExecLaunch, Exit

from .conftest import Box, Terminal, demultiplex, process, until


async def execute(
    handle: MonitorHandle, exec_id: str, *args: str, tty: bool = False, **options: object
) -> Terminal:
    launch = ExecLaunch(
        exec_id,
        process(list(args), tty=tty),
        tty,
        bool(options.get("stdin")),
        AttachOptions(**options),  # type: ignore[arg-type]
    )
    ours, theirs = socket.socketpair()
    with theirs:
        await handle.execute(launch, theirs.fileno())
    return Terminal(ours)


async def exec_exit(handle: MonitorHandle, exec_id: str) -> Exit:
    await until(lambda: read_exec_exit(handle.exec_dir, exec_id) is not None)
    found = read_exec_exit(handle.exec_dir, exec_id)
    assert found is not None
    return found


async def test_output_and_code(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    events: list[dict[str, object]] = []
    handle.subscribe(events.append)
    client = await execute(handle, "e1", "sh", "-c", "echo out; echo err >&2; exit 5")
    assert demultiplex(await client.rest()) == {1: b"out\n", 2: b"err\n"}
    assert (await exec_exit(handle, "e1")).code == 5
    await until(lambda: bool(events))
    assert [(event["event"], event["exec"]) for event in events] == [("exec_exit", "e1")]


async def test_input(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    client = await execute(handle, "e1", "cat", stdin=True, mux=False, leftover=b"a")
    await client.send(b"bc\n")
    client.sock.shutdown(1)
    assert await client.rest() == b"abc\n"
    assert (await exec_exit(handle, "e1")).code == 0


async def test_terminal_resize_and_detach(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    client = await execute(handle, "e1", "sh", tty=True, stdin=True)
    await client.until(b"# ")
    await handle.resize(90, 33, "e1")
    await client.send(b"stty size\n")
    await client.until(b"33 90\r\n")
    await client.send(b"\x10\x11")
    await client.rest()
    await handle.kill(9, "e1")
    assert (await exec_exit(handle, "e1")).signal == 9


async def test_many(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    clients = await asyncio.gather(
        *(execute(handle, f"e{n}", "sh", "-c", f"echo {n}; exit {n}", mux=False) for n in range(9))
    )
    outputs = await asyncio.gather(*(client.rest() for client in clients))
    assert outputs == [b"%d\n" % n for n in range(9)]
    assert [(await exec_exit(handle, f"e{n}")).code for n in range(9)] == list(range(9))


async def test_missing_and_not_executable(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    with pytest.raises(ProcessFailed) as missing:
        await execute(handle, "e1", "nowhere")
    assert missing.value.code == 127
    with pytest.raises(ProcessFailed) as denied:
        await execute(handle, "e2", "/etc")
    assert denied.value.code == 126
    with pytest.raises(NotFound):
        await handle.kill(9, "e1")


async def test_after_the_end(box: Box) -> None:
    handle = await box.create("true")
    with pytest.raises(Conflict):
        await execute(handle, "e1", "true")


async def test_in_the_containers_cgroup_and_namespaces(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    assert handle.request is not None
    launch = ExecLaunch("e1", process(["sleep", "1000"]))
    identity = await handle.execute(launch)
    init = handle.hello["init"]["pid"]
    with open(f"/proc/{identity.pid}/cgroup") as mine, open(f"/proc/{init}/cgroup") as theirs:
        assert mine.read() == theirs.read()
    for name in ("pid", "net", "mnt", "ipc", "uts"):
        mine_, theirs_ = (os.readlink(f"/proc/{pid}/ns/{name}") for pid in (identity.pid, init))
        assert mine_ == theirs_


async def test_exec_ends_with_the_container(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    client = await execute(handle, "e1", "sleep", "1000")
    await handle.kill(9)
    await client.rest()
    assert (await exec_exit(handle, "e1")).code == 137
    assert (await handle.wait_exit()).code == 137


def _children(pid: int) -> set[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return {int(child) for child in file.read().split()}


async def test_a_child_waits_for_the_next_one_and_may_be_killed(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    init, monitor = handle.hello["init"]["pid"], _monitor(handle)
    handle.expect_exec()
    await until(lambda: len(_children(monitor) - {init}) == 1)
    (waiting,) = _children(monitor) - {init}
    os.kill(waiting, 9)
    await until(lambda: not os.path.exists(f"/proc/{waiting}"))
    client = await execute(handle, "e1", "echo", "one")
    assert demultiplex(await client.rest())[1] == b"one\n"
    await until(lambda: len(_children(monitor) - {init}) == 1)  # the next one
    client = await execute(handle, "e2", "echo", "two")
    assert demultiplex(await client.rest())[1] == b"two\n"


async def test_nothing_of_it_outlives_the_container(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    init, monitor = handle.hello["init"]["pid"], _monitor(handle)
    handle.expect_exec()
    await until(lambda: len(_children(monitor) - {init}) == 1)
    (waiting,) = _children(monitor) - {init}
    await handle.kill(9)
    await handle.wait_gone()
    await until(lambda: not os.path.exists(f"/proc/{waiting}"))


def _monitor(handle: MonitorHandle) -> int:
    record = read_record(handle.exec_dir)
    assert record is not None
    return record.monitor.pid
