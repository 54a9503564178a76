"""SIGTERM ends the daemon whatever hangs, and the next one finds its way."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import pytest

from tests.journeys.engine import PATIENCE, PROGRAM, Engine, end_daemon, engine, start_daemon

STUCK = """
import asyncio, os, sys, threading
from wherry.daemon.serve import leave_by
from wherry.engine.lanes import Lanes

async def main():
    lanes = Lanes()
    asyncio.ensure_future(lanes.files(os.open, sys.argv[1], os.O_RDONLY))  # a pipe nobody writes
    await asyncio.sleep(0.1)
    leave_by(0.5, lambda: print("last act", flush=True))
    lanes.close()

asyncio.run(main())
"""


@pytest.fixture
def here() -> Iterator[Engine]:
    with engine() as made:
        yield made


def test_a_thread_that_hangs_in_the_kernel_does_not_hold_the_process() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(f"{folder}/pipe")
        done = subprocess.run(
            [sys.executable, "-c", STUCK, f"{folder}/pipe"],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "last act\n"), done.stderr


def test_a_start_that_hangs_holds_neither_this_daemon_nor_the_next(here: Engine) -> None:
    _restart_with_hanging_runtime(here)
    here.run("create", "--name", "stuck", "--runtime", "hangs", "busybox", "true")
    here.run("run", "-d", "--name", "fine", "busybox", "sleep", "1000")
    client = subprocess.Popen(
        [*PROGRAM, "start", "stuck"], env=here.environment, stderr=subprocess.DEVNULL
    )
    try:
        _until_file(here, "reached")
        here.daemons[-1].send_signal(signal.SIGTERM)
        assert here.daemons[-1].wait(PATIENCE) == 0
    finally:
        client.kill()
        client.wait()
    start_daemon(here)
    assert here.out("ps", "--format", "{{.Names}}") == "fine"
    here.run("rm", "stuck")


def _restart_with_hanging_runtime(here: Engine) -> None:
    program = here.folder / "hangs"
    hang = f'case "$*" in *create*) touch {here.folder}/reached; exec sleep 1000;; esac'
    program.write_text(f"#!/bin/sh\n{hang}\n")
    program.chmod(0o755)
    end_daemon(here)
    start_daemon(here, "--add-runtime", f"hangs={program}")


def _until_file(here: Engine, name: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not (here.folder / name).exists():
        assert time.monotonic() < ends
        time.sleep(0.05)
