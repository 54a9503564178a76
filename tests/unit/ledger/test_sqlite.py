"""The ledger's file: reopening, damage, newer versions."""

import os
import signal
import sqlite3
from pathlib import Path

import pytest

from wherry.kit.errors import Corrupt, Unavailable
from wherry.ledger.ledger import Event, Put
from wherry.ledger.sqlite import SqliteLedger


def test_a_commit_is_there_after_the_writer_was_killed(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    pid = os.fork()
    if pid == 0:
        SqliteLedger(path).commit([Put("container", "1", b"{}")], [Event(1, b"create")])
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    reopened = SqliteLedger(path)
    assert reopened.get("container", "1") == b"{}"
    assert [event.body for event in reopened.events(since=0)] == [b"create"]
    reopened.close()


def test_a_full_disk_takes_one_more_commit(tmp_path: Path) -> None:
    """The room that was kept goes first; when that is gone too, the error says so."""
    path = tmp_path / "ledger.db"
    ledger = SqliteLedger(str(path))
    reserve = tmp_path / "ledger.db.reserve"
    assert reserve.stat().st_blocks * 512 >= 1 << 20
    ledger._connection.execute("PRAGMA max_page_count = 1")  # "database or disk is full"
    with pytest.raises(Unavailable, match="is the disk full"):
        ledger.commit([Put("container", "1", b"x" * 100_000)])
    assert not reserve.exists()
    ledger._connection.execute("PRAGMA max_page_count = 1000000")
    ledger.commit([Put("container", "1", b"x" * 100_000)])
    assert reserve.exists()
    ledger.close()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(Corrupt, match=str(path)):
        SqliteLedger(str(path))


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    SqliteLedger(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(Corrupt, match="newer wherry"):
        SqliteLedger(path)
