"""The log on disk, rotated, read back and followed."""

import asyncio
import gzip
import json
import os
import threading

import pytest

from wherry.monitor.handle import MonitorHandle
from wherry.monitor.logentries import Entry
from wherry.monitor.logfollow import connect
from wherry.monitor.logread import Selection, Waiter, follow, open_files, read

from .conftest import Box, attach, log_lines, until

COUNT = "i=0; while [ $i -lt %d ]; do echo line number $i; i=$((i+1)); done"


def text(batches: list[list[Entry]]) -> bytes:
    return b"".join(entry.text for batch in batches for entry in batch)


def follow_now(handle: MonitorHandle, selection: Selection) -> list[list[Entry]]:
    live = connect(handle.exec_dir)
    assert live is not None
    return list(follow(live.open(follow=True), selection, Waiter(live.wait, live.close)))


@pytest.mark.parametrize("driver", ["json-file", "local"])
@pytest.mark.parametrize("compress", [False, True])
async def test_rotation_keeps_the_newest(box: Box, driver: str, compress: bool) -> None:
    log = {"driver": driver, "max_size": 20_000, "max_file": 3, "compress": compress}
    handle = await box.run("sh", "-c", COUNT % 3000, log=log)
    await handle.wait_gone()
    assert handle.request is not None
    path = handle.request.log.path
    suffix = ".gz" if compress else ""
    folder = os.path.dirname(path)
    names = sorted(name for name in os.listdir(folder) if "-json.log" in name)
    base = os.path.basename(path)
    assert names == [base, f"{base}.1{suffix}", f"{base}.2{suffix}"]
    output = text(list(read(open_files(handle.request.log), Selection())))
    assert output.endswith(b"line number 2999\n")
    whole = b"".join(b"line number %d\n" % n for n in range(3000))
    assert whole.endswith(output)
    assert len(output.splitlines()) > 300
    tail = text(list(read(open_files(handle.request.log), Selection(tail=400))))
    assert tail == b"".join(whole.splitlines(keepends=True)[-400:])


async def test_compressed_segment_is_plain_gzip(box: Box) -> None:
    log = {"max_size": 5_000, "max_file": 2, "compress": True}
    handle = await box.run("sh", "-c", COUNT % 500, log=log)
    await handle.wait_gone()
    assert handle.request is not None
    with gzip.open(f"{handle.request.log.path}.1.gz") as file:
        lines = [json.loads(line) for line in file]
    assert all(line["stream"] == "stdout" for line in lines)
    assert 5_000 <= sum(len(json.dumps(line, separators=(",", ":"))) + 1 for line in lines) < 5_200


async def test_one_file_only(box: Box) -> None:
    handle = await box.run("sh", "-c", COUNT % 1000, log={"max_size": 5_000, "max_file": 1})
    await handle.wait_gone()
    assert log_lines(handle)[-1]["log"] == "line number 999\n"
    assert handle.request is not None
    assert os.path.getsize(handle.request.log.path) < 5_200


@pytest.mark.parametrize("compress", [False, True])
async def test_follow_across_rotations(box: Box, compress: bool) -> None:
    log = {"max_size": 50_000, "max_file": 5, "compress": compress}
    script = "read go; " + COUNT % 20000
    handle = await box.create("sh", "-c", script, open_stdin=True, log=log)
    client = await attach(handle, stdin=True)
    await handle.start()
    readers = [asyncio.to_thread(follow_now, handle, Selection()) for _ in range(3)]
    tasks = [asyncio.create_task(reader) for reader in readers]
    await asyncio.sleep(0.3)
    await client.send(b"go\n")
    await client.rest()
    expected = b"".join(b"line number %d\n" % n for n in range(20000))
    for task in tasks:
        assert text(await task) == expected


async def test_follow_from_the_middle_neither_doubles_nor_loses(box: Box) -> None:
    log = {"max_size": 200_000, "max_file": 20, "compress": True}
    handle = await box.run("sh", "-c", COUNT % 60000, log=log)
    await until(lambda: os.path.exists(f"{handle.request.log.path}.1.gz"))  # type: ignore[union-attr]
    batches = await asyncio.to_thread(follow_now, handle, Selection())
    whole = b"".join(b"line number %d\n" % n for n in range(60000))
    output = text(batches)
    assert whole.endswith(output)
    assert len(output) > len(whole) // 2
    await handle.wait_gone()


async def test_since_until_and_streams(box: Box) -> None:
    handle = await box.run("sh", "-c", "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three")
    await handle.wait_gone()
    assert handle.request is not None
    config = handle.request.log

    def chosen(**choice: object) -> bytes:
        return text(list(read(open_files(config), Selection(**choice))))  # type: ignore[arg-type]

    entries = [entry for batch in read(open_files(config), Selection()) for entry in batch]
    assert chosen(since=entries[1].stamp) == b"two\nthree\n"
    assert chosen(until=entries[1].stamp) == b"one\ntwo\n"
    assert chosen(stdout=False) == b"two\n"
    assert chosen(stderr=False) == b"one\nthree\n"
    assert chosen(tail=1) == b"three\n"
    assert chosen(tail=0) == b""
    assert chosen(tail=2, stdout=False) == b"two\n"


async def test_a_follower_can_be_stopped(box: Box) -> None:
    handle = await box.run("sh", "-c", "echo one; sleep 1000")
    live = connect(handle.exec_dir)
    assert live is not None
    threading.Timer(0.3, live.close).start()
    files = live.open(follow=True)
    done = asyncio.to_thread(list, follow(files, Selection(), Waiter(live.wait, live.close)))
    assert text(await asyncio.wait_for(done, 5)) == b"one\n"


async def test_log_position_through_the_handle(box: Box) -> None:
    handle = await box.run("sh", "-c", "echo one; sleep 1000")
    await until(lambda: bool(log_lines(handle)))
    assert text(list(read(await handle.log_position(), Selection()))) == b"one\n"


async def test_partial_lines(box: Box) -> None:
    handle = await box.run("sh", "-c", "dd if=/dev/zero bs=1 count=40000 2>/dev/null; echo; echo x")
    await handle.wait_gone()
    lines = log_lines(handle)
    assert [len(line["log"]) for line in lines] == [16384, 16384, 40000 - 2 * 16384 + 1, 2]
    assert len({line["time"] for line in lines[:3]}) == 1


async def test_full_disk_loses_lines_not_the_container(box: Box) -> None:
    request = box.request("sh", "-c", "echo one; exit 3")
    handle = await box.launch(request._replace(log=request.log._replace(path="/dev/full")))
    client = await attach(handle, mux=False)
    await handle.start()
    assert await client.rest() == b"one\n"
    exit_ = await handle.wait_exit()
    assert exit_.code == 3
    assert "No space left" in exit_.error
