"""Monitors that wait for a container: used, replaced, and gone with the zygote."""

import asyncio
import os
import signal

import pytest

from wherry.linux.process import stat_fields
from wherry.monitor.files import read_record
from wherry.monitor.parking import MOST
from wherry.monitor.zygote_handle import Zygote, start

from .conftest import Box, log_lines, until

pytestmark = pytest.mark.root


def parked(zygote: Zygote) -> list[int]:
    """Children of the zygote that have no container yet."""
    return [pid for pid in children(zygote.pid) if _name(pid) == "wherry-parked"]


def children(pid: int) -> list[int]:
    """The direct ones."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def test_a_launch_takes_one_and_another_follows(box: Box, zygote: Zygote) -> None:
    await until(lambda: len(parked(zygote)) == MOST)
    before = parked(zygote)
    handle = await box.run("echo", "hello")
    record = read_record(handle.exec_dir)
    assert record is not None
    assert record.monitor.pid in before
    assert (await handle.wait_exit()).code == 0
    assert log_lines(handle)[-1]["log"] == "hello\n"
    await handle.wait_gone()
    await until(lambda: len(parked(zygote)) == MOST)
    assert record.monitor.pid not in parked(zygote)


async def test_more_at_once_than_are_parked(box: Box, zygote: Zygote) -> None:
    await until(lambda: len(parked(zygote)) == MOST)
    handles = await asyncio.gather(*(box.run("true") for _ in range(MOST + 3)))
    for handle in handles:
        assert (await handle.wait_exit()).code == 0
        await handle.wait_gone()


async def test_a_killed_one_does_no_harm(box: Box, zygote: Zygote) -> None:
    await until(lambda: len(parked(zygote)) == MOST)
    for pid in parked(zygote):
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not parked(zygote))
    handle = await box.run("true")
    assert (await handle.wait_exit()).code == 0
    await handle.wait_gone()


async def test_its_killed_child_does_no_harm(box: Box, zygote: Zygote) -> None:
    await until(lambda: len(parked(zygote)) == MOST)
    await until(lambda: all(children(pid) for pid in parked(zygote)))
    for child in [child for pid in parked(zygote) for child in children(pid)]:
        os.kill(child, signal.SIGKILL)
        await until(lambda child=child: stat_fields(child)[0] == "Z")  # type: ignore[misc]
    handle = await box.run("true")
    assert (await handle.wait_exit()).code == 0
    await handle.wait_gone()


async def test_it_holds_no_more_than_its_socket() -> None:
    zygote = await start()
    try:
        await until(lambda: len(parked(zygote)) == MOST)
        for pid in parked(zygote):  # its child's, the loop's, and the two of the signals' pipe
            await until(lambda pid=pid: len(os.listdir(f"/proc/{pid}/fd")) == 3 + 5)  # type: ignore[misc]
            for child in children(pid):
                await until(lambda pid=child: len(os.listdir(f"/proc/{pid}/fd")) == 3 + 1)  # type: ignore[misc]
    finally:
        await zygote.stop()


async def test_they_end_with_the_zygote(box: Box) -> None:
    zygote = await start()
    box.zygote = zygote
    handle = await box.run("sleep", "1000")
    await until(lambda: len(parked(zygote)) == MOST)
    waiting = parked(zygote)
    os.kill(zygote.pid, signal.SIGKILL)
    await until(lambda: not any(_name(pid) for pid in waiting))
    await handle.kill(signal.SIGKILL)  # the one with a container lives on
    assert (await handle.wait_exit()).code == 137
    await handle.wait_gone()
