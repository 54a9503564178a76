"""Create, start, output, exit."""

import asyncio
import json
import os

import pytest

from wherry.kit.errors import Conflict, WherryError
from wherry.linux.namespace import in_user_namespace
from wherry.monitor.failure import ProcessFailed
from wherry.monitor.protocol import Exit

from .conftest import Box, attach, demultiplex, log_lines


async def test_output_and_exit_code(box: Box) -> None:
    handle = await box.create("sh", "-c", "echo out; echo err >&2; exit 7")
    client = await attach(handle)
    await handle.start()
    assert (await handle.wait_exit()).code == 7
    assert demultiplex(await client.rest()) == {1: b"out\n", 2: b"err\n"}
    lines = log_lines(handle)
    assert sorted((line["stream"], line["log"]) for line in lines) == [
        ("stderr", "err\n"),
        ("stdout", "out\n"),
    ]
    await handle.wait_gone()


async def test_exit_file_is_there_before_the_event(box: Box) -> None:
    handle = await box.create("true")
    seen: list[bool] = []
    path = f"{handle.exec_dir}/exit.json"
    handle.subscribe(lambda event: seen.append(event["event"] == "exit" and os.path.exists(path)))
    await handle.start()
    exit_ = await handle.wait_exit()
    assert seen == [True]
    with open(path) as file:
        assert Exit.from_fields(json.load(file)) == exit_
    assert exit_.started <= exit_.finished
    await handle.wait_gone()


async def test_signal(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    await handle.kill(9)
    exit_ = await handle.wait_exit()
    assert (exit_.code, exit_.signal) == (137, 9)


@pytest.mark.parametrize("_time", range(5))  # init may be gone before we look at it
async def test_missing_program(box: Box, _time: int) -> None:
    try:
        handle = await box.create("/nonexistent")
    except ProcessFailed as error:
        assert error.code == 127
        return
    with pytest.raises(ProcessFailed) as failed:
        await handle.start()
    assert failed.value.code == 127
    await handle.wait_exit()


async def test_bad_bundle_says_why_and_leaves_nothing(box: Box) -> None:
    request = box.request("true")
    os.unlink(f"{request.bundle}/config.json")
    with pytest.raises(WherryError, match=r"config\.json"):
        await box.launch(request)
    assert not os.path.exists(f"{request.exec_dir}/monitor.json")


async def test_start_twice(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    with pytest.raises(Conflict):
        await handle.start()


async def test_created_descriptors(box: Box) -> None:
    handle = await box.run("sleep", "1000")
    created = await handle.descriptors()
    try:
        inside = os.readlink(f"/proc/{created.init.pid}/ns/net")
        assert os.readlink(f"/proc/self/fd/{created.netns}").split(":")[1] in inside
    finally:
        created.close()


async def test_many_at_once(box: Box) -> None:
    handles = await asyncio.gather(*(box.run("sh", "-c", f"exit {n}") for n in range(8)))
    exits = await asyncio.gather(*(handle.wait_exit() for handle in handles))
    assert [exit_.code for exit_ in exits] == list(range(8))
    for handle in handles:
        await handle.wait_gone()


async def test_a_long_exec_directory(box: Box) -> None:
    request = box.request("sh", "-c", "exit 2", tty=True)
    long = request._replace(exec_dir=f"{request.bundle}/{'x' * 120}")
    handle = await box.launch(long)
    box.requests.append(long)
    await handle.start()
    assert (await handle.wait_exit()).code == 2
    await handle.wait_gone()


async def test_the_same_directory_again_and_again(box: Box) -> None:
    request = box.request("sh", "-c", "exit 1")
    for _ in range(3):
        handle = await box.launch(request)
        await handle.start()
        assert (await handle.wait_exit()).code == 1
        await handle.wait_gone()
        handle.close()


async def test_a_shared_root_is_gone_at_the_end(box: Box) -> None:
    handle = await box.run("sh", "-c", "exit 0", propagation="rshared")
    await handle.wait_gone()


async def test_out_of_memory_is_told(box: Box) -> None:
    if in_user_namespace():
        pytest.skip("needs a memory cgroup")
    request = box.request("sh", "-c", "x=a; while true; do x=$x$x; done")
    with open(f"{request.bundle}/config.json") as file:
        config = json.load(file)
    config["linux"]["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
    with open(f"{request.bundle}/config.json", "w") as file:
        json.dump(config, file)
    handle = await box.launch(request)
    events: list[str] = []
    handle.subscribe(lambda event: events.append(event["event"]))
    await handle.start()
    exit_ = await asyncio.wait_for(handle.wait_exit(), 30)
    assert exit_.oom
    assert events[0] == "oom"


async def test_output_left_in_the_pipe_is_logged(box: Box) -> None:
    handle = await box.run("sh", "-c", "dd if=/dev/zero bs=1000 count=60 2>/dev/null")
    await handle.wait_exit()
    assert sum(len(line["log"]) for line in log_lines(handle)) == 60_000


async def test_init_in_the_hosts_pid_namespace(box: Box) -> None:
    request = box.request("sh", "-c", "sleep 1000 & echo started; exit 4", own_pid_namespace=False)
    with open(f"{request.bundle}/config.json") as file:
        config = json.load(file)
    config["linux"]["namespaces"] = [
        entry for entry in config["linux"]["namespaces"] if entry["type"] != "pid"
    ]
    config["mounts"] = [
        {"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]},
        *config["mounts"][1:],
    ]
    with open(f"{request.bundle}/config.json", "w") as file:
        json.dump(config, file)
    handle = await box.launch(request)
    await handle.start()
    assert (await asyncio.wait_for(handle.wait_exit(), 10)).code == 4
    assert log_lines(handle)[0]["log"] == "started\n"
    await handle.wait_gone()
