"""Ingests across processes: killed writers, locks, full disks."""

import errno
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.content.files import FileStore
from wherry.content.ingest import IngestBusy, StorageFull
from wherry.oci import digest as digests

DATA = os.urandom(3 << 20)
DIGEST = digests.of_bytes(DATA)

WRITER = """
import sys
from wherry.content.files import FileStore
from wherry.oci.digest import Digest
root, digest = sys.argv[1:3]
data = sys.stdin.buffer.read()
ingest = FileStore(root).writer("r", expected=Digest(digest), size=len(data))
ingest.write(data)
ingest.commit()
"""


def run_writer(root: str, failpoint: str) -> int:
    environment = {**os.environ, "WHERRY_FAILPOINTS": failpoint}
    command = [sys.executable, "-c", WRITER, root, DIGEST]
    return subprocess.run(command, input=DATA, env=environment, check=False).returncode


def test_killed_before_the_rename_nothing_is_visible_and_the_bytes_are_reused(
    tmp_path: Path,
) -> None:
    root = str(tmp_path)
    assert run_writer(root, "content.before-rename=kill") == -signal.SIGKILL
    store = FileStore(root)
    assert list(store.walk()) == []
    with store.writer("r", expected=DIGEST, size=len(DATA)) as ingest:
        assert ingest.offset == len(DATA)
        assert ingest.commit() == DIGEST
    assert os.listdir(f"{root}/ingest") == []


def test_killed_after_the_rename_the_blob_is_there(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert run_writer(root, "content.after-rename=kill") == -signal.SIGKILL
    assert list(FileStore(root).walk()) == [DIGEST]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    root = str(tmp_path)
    process = subprocess.run(
        [sys.executable, "-c", WRITER, root, DIGEST],
        input=DATA,
        env={**os.environ, "WHERRY_FAILPOINTS": "content.before-rename=error"},
        stderr=subprocess.PIPE,
        check=False,
    )
    assert b"StorageFull: write " in process.stderr
    assert b"no space left on device" in process.stderr
    assert os.listdir(f"{root}/ingest") == []
    assert list(FileStore(root).walk()) == []


def test_a_limit_on_file_size_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    import resource

    store = FileStore(str(tmp_path))
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with store.writer("r") as ingest:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
            with pytest.raises(OSError, match="too large") as caught:
                ingest.write(DATA)
            assert caught.value.errno == errno.EFBIG
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert issubclass(StorageFull, Exception)


def test_the_lock_holds_between_processes(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    script = (
        "import sys; from wherry.content.files import FileStore\n"
        "FileStore(sys.argv[1]).writer('r').write(b'x'); print('held', flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(IngestBusy):
            store.writer("r")
    finally:
        child.kill()
        child.communicate()
    with store.writer("r") as ingest:
        assert ingest.offset == 1


def test_a_writer_that_follows_a_commit_at_once_is_not_disturbed(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    for _ in range(200):
        with store.writer("r") as ingest:
            ingest.write(b"abc")
            ingest.commit()


@given(cuts=st.lists(st.integers(0, 5000), max_size=6))
def test_any_way_of_cutting_gives_the_same_blob(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    store = FileStore(str(tmp_path_factory.mktemp("content")))
    data = DATA[:5000]
    edges = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        with store.writer("r", size=len(data)) as ingest:
            assert ingest.offset == start
            ingest.write(data[start:end])
    with store.writer("r", size=len(data)) as ingest:
        assert ingest.commit() == digests.of_bytes(data)


def test_files_are_private_and_blobs_read_only(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    with store.writer("r") as ingest:
        ingest.write(b"x")
        digest = ingest.commit()
    assert os.stat(store.path(digest)).st_mode & 0o777 == 0o444
    assert os.stat(tmp_path / "blobs").st_mode & 0o077 == 0
    assert (tmp_path / "oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'
