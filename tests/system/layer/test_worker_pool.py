import asyncio
import gzip
import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wherry.kit.errors import Internal, NotFound, WherryError
from wherry.layer.errors import BrokenArchive
from wherry.layer.worker_pool import WorkerPool

OWNERS = os.geteuid() == 0


def blob(path: Path, *names: str, size: int = 10) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.mode = size, 0o666
            tar.addfile(info, io.BytesIO(bytes(size)))
    path.write_bytes(gzip.compress(buffer.getvalue(), 1))
    return str(path)


def children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


async def until_started() -> None:
    for _ in range(200):
        if children():
            return
        await asyncio.sleep(0.05)


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    made = WorkerPool(limit=2, idle=0.2)
    yield made
    await made.close()
    assert children() == []


async def test_layers_are_unpacked_side_by_side_and_idle_workers_leave(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async def one(number: int) -> None:
        target = tmp_path / f"target{number}"
        target.mkdir()
        data = blob(tmp_path / f"blob{number}", f"file{number}")
        applied = await pool.apply(data, str(target), whiteouts="copy", owners=OWNERS)
        assert applied.entries == 1
        assert applied.size == os.path.getsize(data)
        assert (target / f"file{number}").stat().st_mode & 0o777 == 0o666

    before = os.umask(0o077)
    try:
        await asyncio.gather(*(one(number) for number in range(6)))
    finally:
        os.umask(before)
    assert 1 <= len(children()) <= 2
    for _ in range(50):
        await asyncio.sleep(0.1)
        if not children():
            break
    assert children() == []


async def test_errors_come_back_as_what_they_are(pool: WorkerPool, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    target = str(tmp_path / "target")
    evil = blob(tmp_path / "evil", "../evil")
    with pytest.raises(BrokenArchive, match="outside"):
        await pool.apply(evil, target, whiteouts="copy", owners=OWNERS)
    with pytest.raises(WherryError):
        await pool.apply(str(tmp_path / "missing"), target, whiteouts="copy", owners=OWNERS)
    good = blob(tmp_path / "good", "good")
    await pool.apply(good, target, whiteouts="copy", owners=OWNERS)
    assert os.listdir(target) == ["good"]
    assert not issubclass(BrokenArchive, NotFound)


async def test_a_worker_that_dies_is_told_and_replaced(pool: WorkerPool, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    os.mkfifo(tmp_path / "stalled")
    task = asyncio.create_task(
        pool.apply(
            str(tmp_path / "stalled"), str(tmp_path / "target"), whiteouts="copy", owners=OWNERS
        )
    )
    await until_started()
    (worker,) = children()
    os.kill(worker, 9)
    with pytest.raises(Internal, match="ended with -9"):
        await task
    good = blob(tmp_path / "good", "good")
    await pool.apply(good, str(tmp_path / "target"), whiteouts="copy", owners=OWNERS)


async def test_who_gives_up_leaves_no_worker(pool: WorkerPool, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    os.mkfifo(tmp_path / "stalled")
    task = asyncio.create_task(
        pool.apply(
            str(tmp_path / "stalled"), str(tmp_path / "target"), whiteouts="copy", owners=OWNERS
        )
    )
    await until_started()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == []
