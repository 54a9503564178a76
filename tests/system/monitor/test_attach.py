"""Clients: many, slow, gone, late, on a terminal."""

import asyncio

from wherry.monitor.protocol import AttachOptions

from .conftest import Box, attach, demultiplex, log_lines, until


async def test_stdin_once_closes_stdin(box: Box) -> None:
    handle = await box.create("cat", open_stdin=True, stdin_once=True)
    client = await attach(handle, stdin=True, leftover=b"before ")
    await handle.start()
    await client.send(b"after\n")
    client.sock.shutdown(1)
    assert demultiplex(await client.rest())[1] == b"before after\n"
    assert (await handle.wait_exit()).code == 0


async def test_large_input_comes_back_whole(box: Box) -> None:
    handle = await box.create("cat", open_stdin=True, stdin_once=True)
    client = await attach(handle, stdin=True, mux=False)
    await handle.start()
    data = bytes(range(256)) * 8000
    received = asyncio.create_task(client.rest())
    await client.send(data)
    client.sock.shutdown(1)
    assert await received == data


async def test_stdin_end_without_once_lets_the_client_go(box: Box) -> None:
    handle = await box.create("sh", "-c", "read a; echo $a; read b; echo $b", open_stdin=True)
    first = await attach(handle, stdin=True, mux=False)
    await handle.start()
    await first.send(b"one\n")
    await first.until(b"one\n")
    first.sock.shutdown(1)
    assert await first.rest() == b""
    second = await attach(handle, stdin=True, mux=False)
    await second.send(b"two\n")
    assert await second.until(b"two\n") == b"two\n"
    assert (await handle.wait_exit()).code == 0


async def test_input_of_a_client_that_closed_is_read(box: Box) -> None:
    handle = await box.create("sh", "-c", "sleep 1; cat | wc -c", open_stdin=True, stdin_once=True)
    client = await attach(handle, stdin=True, stdout=False, stderr=False)
    watcher = await attach(handle, mux=False)
    await handle.start()
    await client.send(b"x" * 100_000)
    client.sock.close()
    assert (await watcher.rest()).strip() == b"100000"


async def test_every_client_sees_everything(box: Box) -> None:
    handle = await box.create("seq", "1", "20000")
    clients = [await attach(handle, mux=False) for _ in range(5)]
    await handle.start()
    expected = b"".join(b"%d\n" % n for n in range(1, 20001))
    for output in await asyncio.gather(*(client.rest() for client in clients)):
        assert output == expected


async def test_streams_can_be_chosen(box: Box) -> None:
    handle = await box.create("sh", "-c", "echo out; echo err >&2")
    client = await attach(handle, stdout=False)
    await handle.start()
    assert demultiplex(await client.rest()) == {1: b"", 2: b"err\n"}


async def test_a_slow_client_holds_up_only_its_container(box: Box) -> None:
    slow = await box.create("sh", "-c", "dd if=/dev/zero bs=64k count=64; echo >&2 end")
    client = await attach(slow, mux=False, stderr=False)
    await slow.start()
    other = await box.run("echo", "quick")
    assert (await asyncio.wait_for(other.wait_exit(), 10)).code == 0
    await asyncio.sleep(0.5)
    assert slow.exited is None
    await slow.kill(0)  # the monitor answers meanwhile
    assert len(await client.rest()) == 64 * 65536
    assert (await slow.wait_exit()).code == 0


async def test_a_client_that_goes_is_dropped(box: Box) -> None:
    handle = await box.create("sh", "-c", "dd if=/dev/zero bs=64k count=64 2>/dev/null")
    client = await attach(handle)
    await handle.start()
    await asyncio.sleep(0.2)
    client.sock.close()
    assert (await asyncio.wait_for(handle.wait_exit(), 10)).code == 0


async def test_logs_then_live_without_gap_or_double(box: Box) -> None:
    script = "i=0; while [ $i -lt 60000 ]; do echo line $i; i=$((i+1)); done; printf tail; cat"
    handle = await box.run("sh", "-c", script, open_stdin=True, stdin_once=True)
    clients = []
    for _ in range(6):
        clients.append(await attach(handle, mux=False, logs=True))
        await asyncio.sleep(0.01)
    expected = b"".join(b"line %d\n" % n for n in range(60000)) + b"tail"
    ends = asyncio.gather(*(client.rest() for client in clients))
    (await attach(handle, stdin=True)).sock.close()
    for output in await ends:
        assert output == expected


async def test_logs_only(box: Box) -> None:
    handle = await box.run("sh", "-c", "echo one; sleep 1000")
    await until(lambda: bool(log_lines(handle)))
    client = await attach(handle, logs=True, stream=False)
    assert demultiplex(await client.rest())[1] == b"one\n"


async def test_terminal(box: Box) -> None:
    handle = await box.create("sh", tty=True, open_stdin=True, console_size=(100, 30))
    client = await attach(handle, stdin=True)
    await handle.start()
    await client.until(b"# ")
    await client.send(b"stty size\n")
    await client.until(b"30 100\r\n")
    await handle.resize(81, 25)
    await client.send(b"stty size\n")
    await client.until(b"25 81\r\n")
    await client.send(b"exit 3\n")
    await client.rest()
    assert (await handle.wait_exit()).code == 3


async def test_detach_keys(box: Box) -> None:
    handle = await box.create("sh", tty=True, open_stdin=True)
    events: list[dict[str, object]] = []
    handle.subscribe(events.append)
    client = await attach(handle, "first", stdin=True)
    await handle.start()
    await client.until(b"# ")
    await client.send(b"\x10")
    await client.send(b"\x11")
    await client.rest()
    await until(lambda: bool(events))
    assert events == [{"event": "detached", "attach": "first"}]
    again = await attach(handle, stdin=True, detach_keys="ctrl-a,b")
    await again.send(b"\x10\x11echo still $((40+2))\n")
    await again.until(b"still 42")
    await again.send(b"\x01b")
    await again.rest()
    assert handle.exited is None


async def test_no_newline_needs_no_memory(box: Box) -> None:
    handle = await box.create("dd", "if=/dev/zero", "bs=1M", "count=100", log={"driver": "none"})
    await handle.start()
    pid = int(monitor_pid(handle.exec_dir))
    peak = 0
    for _ in range(1000):
        peak = max(peak, resident(pid))
        if handle.exited is not None:
            break
        await asyncio.sleep(0.02)
    assert peak < 40_000
    assert (await handle.wait_exit()).code == 0


def monitor_pid(exec_dir: str) -> int:
    from wherry.monitor.files import read_record

    record = read_record(exec_dir)
    assert record is not None
    return record.monitor.pid


def resident(pid: int) -> int:
    """KiB."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    except (FileNotFoundError, ProcessLookupError, StopIteration):
        return 0


def test_options_survive_json() -> None:
    options = AttachOptions(stdin=True, leftover=b"\x00\xff", detach_keys="a")
    assert AttachOptions.from_fields(options.to_fields()) == options
