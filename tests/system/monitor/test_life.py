"""Create, start, output, exit."""

import asyncio
import json
import os

import pytest

from wherry.kit.errors import Conflict, WherryError
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


async def test_missing_program(box: Box) -> None:
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
